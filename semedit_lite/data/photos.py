"""The photos with human part masks (CelebAMask-HQ's format), found through SEMEDIT_DATA: their
split, and left and right put right."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from semedit_lite.data.folder import Folder, in_memory, unpack
from semedit_lite.errors import InputError
from semedit_lite.images import resize, resize_layout
from semedit_lite.labels import FACE

SIZE = 256  # of the pictures that a parser sees
STORED = 320  # a little more: zooming in stays sharp
HELD_OUT = 140
JUDGED_FACADES = 200  # of 400, by which finders are judged: trainings may see the others
AT_LEAST = {"eye_g": 8, "hat": 7, "neck_l": 5, "ear_r": 30}  # held-out photos that show the part


def data_folder() -> Path:
    """The photo packs, from SEMEDIT_DATA."""
    folder = os.environ.get("SEMEDIT_DATA")
    if not folder:
        raise InputError("Set SEMEDIT_DATA to the folder that holds the sets of photos.")
    return Path(folder)


def split(names: list[str], holds: dict[str, set[str]]) -> tuple[list[str], list[str]]:
    """Names -> (training, held out). `holds` says which photos show a rare part. The order is
    that of a hash of the name, so the split does not depend on how the files are listed."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    kept: list[str] = []
    for part, least in AT_LEAST.items():
        have = sum(name in holds[part] for name in kept)
        more = [name for name in order if name in holds[part] and name not in kept]
        kept += more[: max(0, least - have)]
    kept += [name for name in order if name not in kept][: HELD_OUT - len(kept)]
    return sorted(set(names) - set(kept)), sorted(kept)


@lru_cache(maxsize=1)
def photos() -> dict[str, tuple[Tensor, Tensor]]:
    """The photos and masks as bytes at side STORED: {"train", "held_out"} -> images, layouts.
    The split is made at this one size: thin parts come and go with the size."""
    folder = data_folder() / "celebamask"
    everything = Folder(folder / "images", folder / "labels", FACE, STORED)
    images, layouts = in_memory(everything)
    shows = {
        part: {
            name
            for name, layout in zip(everything.names, layouts, strict=True)
            if (layout == FACE.id(part)).any()
        }
        for part in AT_LEAST
    }
    where = {name: i for i, name in enumerate(everything.names)}
    parts = split(everything.names, shows)
    chosen = [torch.tensor([where[name] for name in part]) for part in parts]
    return {
        key: (images[index], layouts[index])
        for key, index in zip(("train", "held_out"), chosen, strict=True)
    }


def right_sides(layouts: Tensor) -> Tensor:
    """Exchanges left and right classes in layouts (N, H, W) whose left eye (or, without eyes, brow)
    lies left of the right one. Facing the camera the person's left is the picture's right; about
    one photo in twenty has been labelled the other way round."""
    fixed = layouts.clone()
    for layout in fixed:
        for pair in (("l_eye", "r_eye"), ("l_brow", "r_brow")):
            places = [(layout == FACE.id(name)).nonzero()[:, 1].float() for name in pair]
            if all(map(len, places)):
                if places[0].mean() < places[1].mean():
                    layout.copy_(FACE.flip(layout).flip(-1))  # mirrors twice: only the ids change
                break
    return fixed


def held_out() -> tuple[Tensor, Tensor]:
    """The photos that no training sees: images (N, 3, SIZE, SIZE), layouts (N, SIZE, SIZE)."""
    images, layouts = photos()["held_out"]
    return resize(unpack(images), SIZE), resize_layout(layouts, SIZE).long()
