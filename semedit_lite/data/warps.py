"""Random geometry and colour for training: the same for a picture and its layout."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.labels import LabelSet


def uniform(shape: int | tuple[int, ...], low: float, high: float, rng: Generator) -> Tensor:
    """Numbers from `low` to `high`, on the device of `rng`."""
    return low + (high - low) * torch.rand(shape, generator=rng, device=rng.device)


def random_affine(
    count: int, rng: Generator, zoom: tuple[float, float], turn: float, shift: float
) -> Tensor:
    """Matrices (count, 2, 3) for `F.affine_grid`: zoom factors (log-uniform; above 1 the content
    grows), turns up to `turn` degrees, shifts up to `shift` of half the side."""
    scale = uniform(count, math.log(zoom[0]), math.log(zoom[1]), rng).neg().exp()
    angle = uniform(count, -turn, turn, rng).deg2rad()
    cos, sin = scale * angle.cos(), scale * angle.sin()
    moves = uniform(2 * count, -shift, shift, rng).view(2, count)
    rows = torch.stack([cos, -sin, moves[0], sin, cos, moves[1]], 1)
    return rows.view(count, 2, 3)


def warp(images: Tensor, layouts: Tensor, matrix: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) and layouts (B, H, W) through `matrix` -> sides `size`; pixels from
    outside repeat the border, in both."""
    grid = F.affine_grid(matrix, [len(images), 3, size, size], align_corners=False)
    near = {"padding_mode": "border", "align_corners": False}
    images = F.grid_sample(images, grid, mode="bilinear", **near)
    layouts = F.grid_sample(layouts[:, None].float(), grid, mode="nearest", **near)
    return images, layouts[:, 0].long()


def random_flip(
    images: Tensor, layouts: Tensor, labels: LabelSet, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Mirrors half of the samples; left and right classes change places."""
    flip = torch.rand(len(images), generator=rng) < 0.5
    images = torch.where(flip[:, None, None, None], images.flip(-1), images)
    return images, torch.where(flip[:, None, None], labels.flip(layouts), layouts)


def random_colour(images: Tensor, rng: Generator, strength: float = 0.35) -> Tensor:
    """Brightness, contrast, saturation, gamma and a tint, each sample its own; a tenth goes grey.
    Images (B, 3, H, W) in [-1, 1], and so is the result."""
    b = len(images)

    def factor(spread: float) -> Tensor:
        return (1 + uniform(b, -spread, spread, rng)).view(b, 1, 1, 1)

    x = (images + 1) / 2
    x = x.clamp(0, 1).clamp(min=1e-4) ** factor(strength)
    x = x * factor(strength) * (1 + uniform(3 * b, -0.1, 0.1, rng).view(b, 3, 1, 1))
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (x - mean) * factor(strength)
    grey = x.mean(1, keepdim=True)
    faded = (torch.rand(b, generator=rng) < 0.1).view(b, 1, 1, 1)
    x = grey + (x - grey) * factor(2 * strength) * (~faded)
    return x.clamp(0, 1) * 2 - 1


def random_blur(images: Tensor, rng: Generator, sides: tuple[int, ...], share: float) -> Tensor:
    """Shrinks a share of the samples to one of `sides` and back, as small or soft photos are."""
    out = images.clone()
    for i in range(len(images)):
        if torch.rand((), generator=rng) < share:
            side = sides[int(torch.randint(len(sides), (), generator=rng))]
            small = F.interpolate(images[i : i + 1], (side, side), mode="bilinear", antialias=True)
            out[i] = F.interpolate(small, images.shape[2:], mode="bilinear")[0]
    return out


def random_noise(images: Tensor, rng: Generator, most: float = 0.06) -> Tensor:
    """Adds grain of a random strength to each sample."""
    strength = uniform(len(images), 0, most, rng).view(-1, 1, 1, 1)
    return images + strength * torch.randn(images.shape, generator=rng)
