"""How well a painter (layout -> picture) does: obedience, realism, styles.

Everything is measured on the network's raw output for the layouts of evaluation seeds, each with
a random style of its own.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.evaluation.frechet import frechet_distance, kernel_distance
from semedit_lite.faces.parse import parse
from semedit_lite.images import resize_layout
from semedit_lite.labels import FACE
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.layers import Painter
from semedit_lite.models.spade import draw_style
from semedit_lite.teachers import MISSING, NETS, teachers

STYLED = 64  # layouts on which styles are compared, or all where there are fewer
TINTED = ("skin", "hair", "cloth", "background")  # parts whose mean colour a style should set


@torch.no_grad()
def paint_all(model: Painter, layouts: Tensor, z: Tensor, batch: int = 32) -> Tensor:
    """Layouts (N, S, S), styles (N, z_dim) -> pictures (N, 3, S, S)."""
    device = next(model.parameters()).device
    parts = zip(layouts.split(batch), z.split(batch), strict=True)
    return torch.cat([model(a.to(device), b.to(device)).float().cpu() for a, b in parts])


def score_painter(model: Painter, count: int = 512, folder: str | Path | None = None) -> dict:
    """Scores of a face painter on `count` evaluation seeds, at least 2. `folder` caches their
    faces."""
    size, device = model.size, next(model.parameters()).device
    # twice as many: the first half gives the layouts, the second is what other faces look like
    found = bank(2 * count, size, EVALUATION_SEED, str(device), folder)
    references, layouts = unpack(found.images), found.layouts.long()
    z = draw_style(count, model.z_dim, "cpu", Generator().manual_seed(EVALUATION_SEED))
    painted = paint_all(model, layouts[:count], z)
    result = {
        "seeds": count,
        "size": size,
        "own_parser": {
            "painted": agreement(parse(painted.to(device)).cpu(), layouts[:count]),
            "references": agreement(parse(references[:count].to(device)).cpu(), layouts[:count]),
        },
    }
    judge = teachers()
    if judge is None:
        names = ["judge", "distance", "styles"]
        return result | {"left_out": {"what": names, "why": MISSING}}

    def judged(pictures: Tensor) -> Tensor:
        with torch.no_grad():
            ids = torch.cat([judge.parse(part) for part in pictures.split(8)])
        return resize_layout(ids, size)

    result["nets"] = NETS
    result["judge"] = {
        "painted": agreement(judged(painted), layouts[:count]),
        "references": agreement(judged(references[:count]), layouts[:count]),
    }
    ratio = [result["judge"][key]["accuracy"] for key in ("painted", "references")]
    result["judge"]["accuracy_ratio"] = ratio[0] / ratio[1]

    torch.manual_seed(0)
    untrained = type(model)(**model.config).eval().to(device)
    halved = F.avg_pool2d(references[:count], 2)  # (count, 3, size / 2, size / 2)
    halved = F.interpolate(halved, (size, size), mode="bilinear")
    sets = {
        "painted": painted,
        "other_faces": references[:count],
        "reduced_to_half": halved,
        "untrained": paint_all(untrained, layouts[:count], z),
    }
    with torch.no_grad():
        base = judge.frechet_features(references[count:])
        features = {key: judge.frechet_features(pictures) for key, pictures in sets.items()}
    result["distance"] = {
        "features": "MobileNetV2",
        "pictures": count,
        "frechet": {key: frechet_distance(f, base) for key, f in features.items()},
        "kernel": {key: kernel_distance(f, base)[0] for key, f in features.items()},
        "kernel_deviation": {key: kernel_distance(f, base)[1] for key, f in features.items()},
    }
    result["styles"] = styles(model, references, layouts, min(STYLED, count), judge)
    return result


def agreement(found: Tensor, layouts: Tensor) -> dict:
    """Accuracy, mIoU and IoU of each class of the found layouts against those asked for."""
    return scores(confusion(found, layouts, len(FACE)), FACE)


@torch.no_grad()
def styles(model: Painter, references: Tensor, layouts: Tensor, count: int, judge) -> dict:
    """Does the style matter, and does a photo's style arrive? The first `count` layouts are
    painted in the styles of the next `count` references.

    `lpips_between_styles`: mean over layouts between two random styles of one layout (beside that
    between two different faces). `colour_to_own_photo`: mean distance of the mean colours of
    skin, hair, cloth and background to those of the photo that gave the style, and
    `colour_to_other_photo` to those of another photo; in [-1, 1] RGB.
    """
    rng = Generator().manual_seed(EVALUATION_SEED + 1)
    some, photos = layouts[:count], references[count : 2 * count]
    one, two = (
        paint_all(model, some, draw_style(count, model.z_dim, "cpu", rng)) for _ in range(2)
    )
    mean, _ = model.encode(photos.to(next(model.parameters()).device))
    painted = paint_all(model, some, mean)
    colours = tints(painted, some)
    wanted = tints(photos, layouts[count : 2 * count])
    shifted = wanted.roll(1, 0)
    return {
        "layouts": count,
        "lpips_between_styles": judge.lpips(one, two).mean().item(),
        "lpips_between_faces": judge.lpips(references[:count], photos).mean().item(),
        "colour_to_own_photo": (colours - wanted).norm(dim=2).nanmean().item(),
        "colour_to_other_photo": (colours - shifted).norm(dim=2).nanmean().item(),
    }


def tints(pictures: Tensor, layouts: Tensor) -> Tensor:
    """Mean colour (N, parts, 3) of each of TINTED; NaN where a picture does not show the part."""
    means = []
    for part in TINTED:
        mask = (layouts == FACE.id(part))[:, None].float()  # (N, 1, S, S)
        means.append((pictures * mask).sum((2, 3)) / mask.sum((2, 3)))
    return torch.stack(means, 1)
