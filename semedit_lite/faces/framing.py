"""The generator's framing of a face: where it has eyes, nose and mouth, and which square of a photo
brings a face there.

It is that of FFHQ (Karras et al. 2018, arXiv 1812.04948, appendix A): upright, the face in the
middle, so large that its eyes and mouth lie where they do in generated faces.
"""

import numpy as np

from semedit_lite.faces.frames import Frame
from semedit_lite.labels import FACE

# Mean points of generated faces in the unit square: `python scripts/face_template.py 3500`.
TEMPLATE = {
    "l_eye": 0.6211 + 0.4757j,
    "r_eye": 0.3789 + 0.4757j,
    "nose": 0.5 + 0.6364j,
    "mouth": 0.5 + 0.7271j,
}
EYES, APART = (TEMPLATE["l_eye"] + TEMPLATE["r_eye"]) / 2, 0.2422
PIVOT = 0.1  # of the way from the eyes to the mouth: what FFHQ centres

# Within this oval an aligned face is all face: eyes, nose, mouth and skin.
OVAL_CENTRE, OVAL_RADII = 0.5 + 0.6j, (0.18, 0.22)
FILLED = 0.5
NEAR, PRESENT = 0.07, 0.05  # a part is there if it takes so much of the disk around its place
ENOUGH = 4  # of the four parts


def framing(points: np.ndarray) -> Frame:
    """The square of a face in the generator's framing, from its five points (complex).

    The turn is that of FFHQ, from the eyes' line and the line down to the mouth. The size is the
    mean of what their two lengths say: faces turned aside keep the second.
    """
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    across, down = points[1] - points[0], mouth - eyes
    side = (abs(across) / APART + abs(down) / abs(TEMPLATE["mouth"] - EYES)) / 2
    level = across - 1j * down
    a = side * (level / abs(level) if level else 1.0)
    middle = EYES + PIVOT * (TEMPLATE["mouth"] - EYES)
    return Frame(complex(a), complex(eyes + PIVOT * down - a * middle))


def filled(layout: np.ndarray) -> float:
    """How much of the oval around eyes, nose and mouth is face in a layout (S, S), 0 to 1."""
    z = _centres(layout.shape[0]) - OVAL_CENTRE
    oval = (z.real / OVAL_RADII[0]) ** 2 + (z.imag / OVAL_RADII[1]) ** 2 < 1
    return float(np.isin(layout, FACE.groups["face"])[oval].mean())


def agreed(layout: np.ndarray) -> int:
    """How many of both eyes, nose and mouth a layout (S, S) shows where an aligned face has them, 0
    to 4; 0 where the middle is hardly face. Left and right eye may be exchanged, or glasses."""
    if filled(layout) < FILLED:
        return 0
    eye = (*FACE.groups["eyes"], FACE.id("eye_g"))
    parts = {"l_eye": eye, "r_eye": eye, "nose": (FACE.id("nose"),), "mouth": FACE.groups["mouth"]}
    at = _centres(layout.shape[0])
    return sum(
        np.isin(layout, classes)[np.abs(at - TEMPLATE[name]) < NEAR].mean() > PRESENT
        for name, classes in parts.items()
    )


def _centres(side: int) -> np.ndarray:
    """Pixel centres of a square of this side, in unit coordinates."""
    at = (np.arange(side) + 0.5) / side
    return at[None, :] + 1j * at[:, None]
