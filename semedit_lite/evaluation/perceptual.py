"""Does the perceptual distance follow LPIPS? On pairs of generated faces under typical edits."""

import io
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Generator, Tensor

from semedit_lite.data import warps
from semedit_lite.data.faces import EVALUATION_SEED, PAINTED, TRUNCATION
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.images import resize, to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.models.mobilestylegan import ROWS
from semedit_lite.models.perceptual import PerceptualDistance
from semedit_lite.training.teachers import lpips

SIZES = (64, 128, 256)  # of the pairs, by turns
FIRST = EVALUATION_SEED + 5_000
Pair = tuple[str, Tensor, Tensor]  # kind of edit, two pictures (1, 3, S, S)


@cache
def editor() -> PaintEditor:
    return PaintEditor("spade-faces-128")


@torch.no_grad()
def pairs(seed: int) -> Iterator[Pair]:
    """A generated face and ten edits of it, of strengths drawn by the seed: moves in W+ of three
    sizes, two repaints, and what happens to pictures anyhow."""
    rng = Generator().manual_seed(seed)

    def draw(low: float, high: float) -> float:
        return warps.uniform(1, low, high, rng).item()

    tool, size = editor(), SIZES[seed % len(SIZES)]
    face = tool.generate(seed)
    image = resize(face.image, size).clamp(-1, 1)
    model, edits = tool.generator, []
    other = torch.randn(2, 512, generator=rng)[1:]  # the first is the face itself
    towards = model.truncate(model.mapping(other), TRUNCATION)
    painted = max(size, model.sizes[0])
    base = image if painted == PAINTED else resize(model.synthesis(face.latent, painted), size)
    base = base.clamp(-1, 1)  # by the same head as the edits
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 1.0)):
        rows = (torch.arange(ROWS) >= int(draw(0, 10))).float()[:, None]
        moved = torch.lerp(face.latent, towards[:, None], draw(low, high) * rows)
        edits.append(("latent", base, resize(model.synthesis(moved, painted), size)))
    for layout in (hair(face.layout, draw(4, 16)), mouth(face.layout, draw(0.5, 2))):
        repainted = tool.apply(face, Repaint(layout, Style.own())).image
        edits.append(("repaint", image, resize(repainted, size)))
    edits.append(("colour", image, warps.random_colour(image, rng, draw(0.05, 0.35))))
    small = max(8, round(size / draw(1.3, 6)))
    soft = F.interpolate(resize(image, small), (size, size), mode="bilinear")
    edits.append(("blur", image, soft))
    grain = draw(0.02, 0.25) * torch.randn(image.shape, generator=rng)
    edits.append(("noise", image, image + grain))
    edits.append(("jpeg", image, jpeg(image, int(draw(8, 85)))))
    edits.append(("shift", image, shifted(image, draw(0.3, 4), draw(-4, 4))))
    for kind, before, after in edits:
        yield kind, before, after.clamp(-1, 1)


def hair(layout: Tensor, reach: float) -> Tensor:
    """The hair of a layout (1, H, W) grown by so many pixels, over all but the inner face."""
    part = torch.isin(layout, torch.tensor(FACE.groups["hair"]))
    near = F.max_pool2d(part[:, None].float(), 2 * int(reach) + 1, 1, int(reach))[:, 0] > 0
    inner = torch.isin(layout, torch.tensor(FACE.groups["face"][1:]))
    return torch.where(near & ~inner & ~part, FACE.id("hair"), layout)


def mouth(layout: Tensor, factor: float) -> Tensor:
    """A layout (1, H, W) with the mouth so many times as high; skin where it no longer is."""
    parts = torch.tensor(FACE.groups["mouth"])
    here = torch.isin(layout, parts)
    if not here.any():
        return layout
    middle = here[0].nonzero()[:, 0].float().mean()
    rows = torch.arange(layout.shape[1])
    source = (middle + (rows - middle) / factor).round().long().clamp(0, len(rows) - 1)
    moved = layout[:, source]
    layout = torch.where(here, FACE.id("skin"), layout)
    return torch.where(torch.isin(moved, parts), moved, layout)


def jpeg(image: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    to_pil(image).save(file, "JPEG", quality=quality)
    return to_tensor(Image.open(file))


def shifted(image: Tensor, x: float, y: float) -> Tensor:
    """Moved by so many pixels, the border going on."""
    move = torch.tensor([[1, 0, 2 * x / image.shape[-1]], [0, 1, 2 * y / image.shape[-1]]])
    grid = F.affine_grid(move[None], list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


@torch.no_grad()
def score_distance(model: PerceptualDistance, count: int = 40) -> dict:
    """Spearman's rank correlation with LPIPS on the pairs of `count` evaluation seeds, over all
    and by kind of edit and size. Needs SEMEDIT_TEACHERS."""
    teacher, rows = lpips(), []
    for seed in range(FIRST, FIRST + count):
        for kind, a, b in pairs(seed):
            rows.append((kind, a.shape[-1], teacher(a, b).item(), model(a, b).item()))
    kinds, sizes, theirs, ours = (np.array(column) for column in zip(*rows, strict=True))
    groups = {"all": theirs > -1}
    groups |= {kind: kinds == kind for kind in dict.fromkeys(kinds.tolist())}
    groups |= {f"{size}²": sizes == size for size in SIZES}
    result = {"faces": count}
    for name, chosen in groups.items():
        if chosen.sum() > 2:
            result[name] = {
                "pairs": int(chosen.sum()),
                "spearman": spearman(theirs[chosen], ours[chosen]),
                "pearson": float(np.corrcoef(theirs[chosen], ours[chosen])[0, 1]),
                "lpips": float(theirs[chosen].mean()),
                "ours": float(ours[chosen].mean()),
            }
    return {"lpips_agreement": result}


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)
