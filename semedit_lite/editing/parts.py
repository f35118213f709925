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

# What may come to light where a part was: the rest, an earring say, does not grow.
GROUND = tuple(FACE.id(name) for name in ("background", "skin", "neck", "cloth"))
UNDER_HAIR = (*GROUND, *FACE.groups["ears"])


def copy_part(layout: Tensor, donor: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Two layouts (1, H, W) -> `layout` with the donor's pixels of `classes` in place of its own.

    Where the part was and no longer is, the donor's face shows what lay below: background,
    skin, an ear. Where it shows anything else, the nearest of background, skin, neck and clothes
    moves in. All else stays as it is. InputError where the donor has no such part, or the layout
    nothing else.
    """
    from scipy.ndimage import distance_transform_edt  # takes a while to import

    part = torch.tensor(classes, device=layout.device)
    mine, theirs = torch.isin(layout, part), torch.isin(donor, part)  # (1, H, W)
    if not theirs.any():
        raise InputError("The other layout does not show this part; choose another.")
    if mine.all():
        raise InputError("Your layout shows nothing but this part; paint something else first.")
    ground = ~mine & torch.isin(layout, torch.tensor(GROUND, device=layout.device))
    source = ground if ground.any() else ~mine
    nearest = distance_transform_edt(
        ~source[0].cpu().numpy(), return_distances=False, return_indices=True
    )  # (2, H, W): row and column of the nearest pixel that may move in
    row, column = torch.from_numpy(nearest.astype(np.int64)).to(layout.device)
    below = torch.isin(donor, torch.tensor(UNDER_HAIR, device=layout.device)) & ~theirs
    gap = torch.where(below, donor, layout[:, row, column])
    return torch.where(theirs, donor, torch.where(mine, gap, layout))
