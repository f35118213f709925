"""Sixteen generated faces whose labels were corrected by hand, for networks that learn from a few.

Beside this file: raw/SEED.png, what the bundled parser says of the face of a seed, and
corrected/SEED.png, the same after correction in the painter, with iris and beard. README.md has
the rules.
"""

from pathlib import Path

import torch
from torch import Tensor

from semedit_lite.data.faces import TRUNCATION, face_generator
from semedit_lite.images import load_layout
from semedit_lite.labels import FACE_FINE

HERE = Path(__file__).parent
SIZE = 512
RAW, CORRECTED = "raw", "corrected"


def labelled_seeds() -> list[int]:
    """The seeds of the faces that are labelled."""
    return sorted(int(path.stem) for path in (HERE / CORRECTED).glob("[0-9]*.png"))


def labelled(seeds: list[int] | None = None, kind: str = CORRECTED) -> Tensor:
    """The layouts of some of these seeds, or of all: (N, 512, 512) long, ids of `FACE_FINE`."""
    seeds = labelled_seeds() if seeds is None else seeds
    return torch.cat([load_layout(layout_path(seed, kind), FACE_FINE, SIZE) for seed in seeds])


def layout_path(seed: int, kind: str = CORRECTED) -> Path:
    """Where the layout of a seed lies."""
    return HERE / kind / f"{seed}.png"


@torch.no_grad()
def portrait(seed: int, device: str = "cpu") -> Tensor:
    """The face that was labelled, (1, 3, 1024, 1024) in [-1, 1]."""
    generator = face_generator(device)
    return generator.sample([seed], 2 * SIZE, TRUNCATION)[0].clamp(-1, 1)
