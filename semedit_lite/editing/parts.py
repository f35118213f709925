"""A part of one face's layout, put on another's: somebody else's hair, glasses, mouth.

Both layouts are in the frame of aligned faces, where a part of one lies about where it lies in
another.
"""

import numpy as np
import torch
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.labels import FACE

# What goes together when it is taken: a hat sits where hair would, an earring hangs on an ear.
PARTS = {
    "hair and hat": FACE.groups["hair"],
    "hat": (FACE.id("hat"),),
    "eyes and brows": FACE.groups["eyes"] + FACE.groups["brows"],
    "glasses": (FACE.id("eye_g"),),
    "nose": (FACE.id("nose"),),
    "mouth": FACE.groups["mouth"],
    "ears and earrings": (*FACE.groups["ears"], FACE.id("ear_r")),
    "neck and clothes": (FACE.id("neck"), FACE.id("neck_l"), FACE.id("cloth")),
}


def copy_part(layout: Tensor, donor: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Two layouts (1, H, W) -> `layout` with the donor's pixels of `classes` in place of its own.

    Where the part was and no longer is, the nearest class that remains moves in; all else stays as
    it is. InputError where the donor has no such part, or the layout nothing else.
    """
    from scipy.ndimage import distance_transform_edt  # takes a while to import

    part = torch.tensor(classes, device=layout.device)
    mine, theirs = torch.isin(layout, part), torch.isin(donor, part)  # (1, H, W)
    if not theirs.any():
        raise InputError("The other layout does not show this part; choose another.")
    if mine.all():
        raise InputError("Your layout shows nothing but this part; paint something else first.")
    nearest = distance_transform_edt(
        mine[0].cpu().numpy(), return_distances=False, return_indices=True
    )  # (2, H, W): row and column of the nearest pixel of another class
    row, column = torch.from_numpy(nearest.astype(np.int64)).to(layout.device)
    return torch.where(theirs, donor, layout[:, row, column])
