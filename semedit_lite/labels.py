"""Label sets: what the integers of a layout mean.

A layout is an integer tensor (B, H, W) of class ids. Everything that is known about the ids,
names, colours, which classes are mirror images of each other, stands in one `LabelSet`; networks
only ever see how many classes there are.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from semedit_lite.errors import InputError

IGNORE = 255  # "don't care": no class, no loss, no score


@dataclass(frozen=True)
class LabelSet:
    """Names, colours and symmetries of the classes of a layout."""

    name: str
    classes: tuple[str, ...]  # position = class id
    colours: tuple[tuple[int, int, int], ...]  # sRGB, one a class
    pairs: tuple[tuple[int, int], ...] = ()  # ids that a horizontal flip exchanges
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)  # e.g. "eyes": (4, 5)
    titles: tuple[str, ...] = ()  # the classes in words, one a class; their names where not given
    contrast: tuple[tuple[int, int, int], ...] = ()  # colours apart for colour-blind eyes too

    def __post_init__(self) -> None:
        if len(self.classes) != len(self.colours):
            raise ValueError(f"{len(self.classes)} classes but {len(self.colours)} colours")
        object.__setattr__(self, "titles", self.titles or self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def id(self, name: str) -> int:
        """The id of a class by its name."""
        if name not in self.classes:
            raise InputError(f"There is no class {name!r}; choose from {', '.join(self.classes)}.")
        return self.classes.index(name)

    def check(self, layout: Tensor) -> Tensor:
        """Returns `layout` as long; InputError where an id is outside the set (IGNORE is in it)."""
        layout = layout.long()
        wrong = (layout < 0) | ((layout >= len(self)) & (layout != IGNORE))
        if wrong.any():
            found = layout[wrong].unique()[:5].tolist()
            raise InputError(
                f"The layout holds the class ids {found}, but '{self.name}' has only 0 to "
                f"{len(self) - 1}; save it as a PNG whose pixel values are class ids."
            )
        return layout

    def flip(self, layout: Tensor) -> Tensor:
        """Mirrors a layout (..., H, W) left to right; left and right classes change places."""
        swap = torch.arange(256, device=layout.device)
        for a, b in self.pairs:
            swap[a], swap[b] = b, a
        return swap[layout.flip(-1).long()]

    def one_hot(self, layout: Tensor) -> Tensor:
        """Layout (B, H, W) -> float (B, K, H, W); pixels marked IGNORE are zero everywhere."""
        return one_hot(layout, len(self))

    def palette(self) -> list[int]:
        """768 numbers for PIL's "P" images; unused entries are black, IGNORE is white."""
        flat = [channel for colour in self.colours for channel in colour]
        return flat + [0] * (765 - len(flat)) + [255] * 3

    def colourise(self, layout: Tensor) -> np.ndarray:
        """Layout (H, W) -> uint8 (H, W, 3), for looking at."""
        table = np.array(self.palette(), dtype=np.uint8).reshape(256, 3)
        return table[layout.cpu().numpy().astype(np.uint8)]

    def pictures(self, layouts: Tensor) -> Tensor:
        """Layouts (B, H, W) -> float (B, 3, H, W) in [-1, 1], coloured, on the CPU."""
        table = torch.tensor(self.palette()).view(256, 3) / 127.5 - 1
        return table[layouts.cpu().long()].permute(0, 3, 1, 2)  # (B, H, W, 3) -> (B, 3, H, W)

    def to_pil(self, layout: Tensor) -> Image.Image:
        """Layout (H, W) -> palette image whose pixel values are the class ids."""
        image = Image.fromarray(layout.cpu().numpy().astype(np.uint8), mode="P")
        image.putpalette(self.palette())
        return image


def one_hot(layout: Tensor, classes: int) -> Tensor:
    """Layout (B, H, W) of ids -> float (B, classes, H, W); IGNORE gives a zero vector."""
    hot = F.one_hot(layout.long().clamp(max=classes), classes + 1)  # (B, H, W, classes + 1)
    return hot[..., :classes].permute(0, 3, 1, 2).float()


# CelebAMask-HQ's parts and order. "l_" is the person's own left: the right side of the picture.
FACE = LabelSet(
    name="face",
    classes=(
        "background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear",
        "r_ear", "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
    ),
    colours=(
        (38, 42, 51), (240, 194, 160), (255, 158, 128), (86, 98, 246), (64, 190, 190),
        (28, 140, 170), (150, 98, 60), (112, 70, 42), (236, 150, 186), (204, 112, 160),
        (246, 246, 240), (226, 70, 92), (176, 36, 72), (92, 62, 140), (52, 168, 83),
        (255, 205, 60), (255, 140, 20), (214, 160, 126), (66, 133, 220),
    ),
    pairs=((4, 5), (6, 7), (8, 9)),
    groups={
        "face": (1, 2, 3, 4, 5, 6, 7, 10, 11, 12),
        "eyes": (4, 5),
        "brows": (6, 7),
        "ears": (8, 9),
        "mouth": (10, 11, 12),
        "hair": (13, 14),
    },
    titles=(
        "background", "skin", "nose", "glasses", "left eye", "right eye", "left brow",
        "right brow", "left ear", "right ear", "mouth", "upper lip", "lower lip", "hair", "hat",
        "earring", "necklace", "neck", "clothes",
    ),
    # Classes that touch in faces are at least 0.15 apart in OKLab, by all eyes (test_painter.py).
    contrast=(
        (38, 42, 51), (255, 228, 200), (250, 133, 113), (94, 73, 250), (144, 164, 9),
        (145, 125, 60), (46, 55, 114), (197, 144, 186), (250, 136, 249), (211, 78, 141),
        (250, 250, 250), (185, 45, 123), (104, 42, 8), (128, 78, 13), (20, 187, 123),
        (143, 211, 8), (244, 197, 147), (101, 134, 218), (64, 65, 184),
    ),
)  # fmt: skip

# FACE and two parts that only labels drawn by people tell apart: the iris, with the pupil in it, on
# which gaze depends, and the beard, moustache and stubble included, which lies over the skin.
FACE_FINE = replace(
    FACE,
    name="fine face",
    classes=(*FACE.classes, "iris", "beard"),
    colours=(*FACE.colours, (190, 235, 80), (96, 108, 48)),
    groups={
        **FACE.groups,
        "face": (*FACE.groups["face"], 19, 20),
        "eyes": (*FACE.groups["eyes"], 19),
    },
    titles=(*FACE.titles, "iris", "beard"),
    contrast=(*FACE.contrast, (16, 0, 72), (12, 0, 12)),
)

FACADES = LabelSet(
    name="facades",
    classes=(
        "background", "facade", "window", "door", "cornice", "sill", "balcony", "blind", "deco",
        "molding", "pillar", "shop",
    ),
    colours=(
        (0, 0, 222), (0, 48, 255), (3, 127, 255), (2, 206, 255), (35, 253, 226), (113, 252, 149),
        (192, 254, 63), (252, 239, 9), (255, 159, 3), (253, 80, 1), (246, 3, 5), (174, 0, 1),
    ),
)  # fmt: skip
