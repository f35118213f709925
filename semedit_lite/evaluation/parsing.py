"""How well the face parser agrees with people's masks."""

import json
from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.data.photos import data_folder, held_out, right_sides
from semedit_lite.faces.parse import parse
from semedit_lite.images import load_layout, load_photo, to_tensor
from semedit_lite.labels import FACE, LabelSet
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.parser import FaceParser

# FASSEG's six classes; its skin holds ears and neck, its hair the brows, its background clothes.
COARSE = LabelSet(
    name="fasseg",
    classes=("background", "skin", "hair", "eyes", "nose", "mouth"),
    colours=((255, 0, 0), (255, 255, 0), (127, 0, 0), (0, 0, 255), (0, 255, 255), (0, 255, 0)),
)
MERGED = {
    "background": ("background", "hat", "cloth", "neck_l"),
    "skin": ("skin", "l_ear", "r_ear", "ear_r", "neck", "eye_g"),
    "hair": ("hair", "l_brow", "r_brow"),
    "eyes": ("l_eye", "r_eye"),
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
}


def score_parser(parser: FaceParser) -> dict:
    """Scores on the held-out CelebAMask-HQ photos, class by class, and on FASSEG's portraits,
    frontal and by yaw. Needs SEMEDIT_DATA."""
    device = next(parser.parameters()).device
    images, layouts = held_out()
    found = parse(images.to(device), parser=parser).cpu()
    result = {
        name: {
            "photos": len(images),
            **scores(confusion(found, truth, len(FACE)), FACE),
            **sides(found, truth),
        }
        for name, truth in (
            ("celebamask_held_out", layouts),
            ("celebamask_sides_put_right", right_sides(layouts)),
        )
    }
    folder = data_folder() / "fasseg"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    counts: dict[str, Tensor] = defaultdict(lambda: torch.zeros(6, 6, dtype=torch.long))
    photos: dict[str, int] = defaultdict(int)
    for pack, labels in (("frontal", "labels_v2"), ("multipose", "labels")):
        for item in index[pack]:
            photo = to_tensor(load_photo(folder / pack / "images" / f"{item['name']}.jpg"))
            truth = load_layout(folder / pack / labels / f"{item['name']}.png", COARSE)
            group = "frontal" if pack == "frontal" else f"yaw_{abs(item['yaw']):02d}"
            layout = parse_padded(photo.to(device), parser).cpu()
            counts[group] += confusion(merge(layout), truth, 6)
            photos[group] += 1
    for group in sorted(counts):
        result[f"fasseg_{group}"] = {
            "photos": photos[group],
            **scores(counts[group], COARSE),
        }
    return result


def parse_padded(photo: Tensor, parser: FaceParser) -> Tensor:
    """Layout of a photo (1, 3, H, W) of any shape: padded to a square, so nothing is squeezed."""
    h, w = photo.shape[2:]
    side = max(h, w)
    pad = ((side - w) // 2, side - w - (side - w) // 2, (side - h) // 2, side - h - (side - h) // 2)
    layout = parse(F.pad(photo, pad, mode="replicate"), parser=parser)
    return layout[:, pad[2] : pad[2] + h, pad[0] : pad[0] + w]


def merge(layout: Tensor) -> Tensor:
    """Our 19 classes -> FASSEG's 6."""
    table = torch.empty(len(FACE), dtype=torch.long)
    for coarse, parts in MERGED.items():
        for part in parts:
            table[FACE.id(part)] = COARSE.id(coarse)
    return table[layout]


def sides(found: Tensor, truth: Tensor) -> dict[str, float]:
    """`left_right`: of the pixels of a paired part that were found as this part or its mirror
    image, the share on the right side of the two. `exchanged_in_labels` and `exchanged_by_parser`:
    layouts (N, H, W) of either kind whose left and right are exchanged."""
    right = wrong = 0
    for a, b in FACE.pairs:
        for one, other in ((a, b), (b, a)):
            there = truth == one
            right += (there & (found == one)).sum().item()
            wrong += (there & (found == other)).sum().item()
    return {
        "left_right": right / max(1, right + wrong),
        "exchanged_in_labels": exchanged(truth),
        "exchanged_by_parser": exchanged(found),
    }


def exchanged(layouts: Tensor) -> int:
    """How many layouts (N, H, W) `right_sides` has to put right."""
    return int((right_sides(layouts) != layouts).flatten(1).any(1).sum())
