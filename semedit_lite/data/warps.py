"""Random geometry and colour for training: the same for a picture and its layout."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.labels import LabelSet, one_hot


def uniform(shape: int | tuple[int, ...], low: float, high: float, rng: Generator) -> Tensor:
    """Numbers from `low` to `high`, on the device of `rng`."""
    return low + (high - low) * torch.rand(shape, generator=rng, device=rng.device)


def pixel_centres(size: int, device: torch.device | str = "cpu") -> Tensor:
    """(size, size, 2): where in the unit square the pixels' centres are, (x, y)."""
    at = (torch.arange(size, device=device) + 0.5) / size
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y], -1)


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
    flip = uniform(len(images), 0, 1, rng) < 0.5
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


# Local deformations ------------------------------------------------------------------------------


class Bumps(NamedTuple):
    """Each moves, scales and turns what lies in an ellipse, most in its middle and not at all at
    its border. In the unit square of the picture, (x, y); one for each sample."""

    centre: Tensor  # (B, 2)
    radius: Tensor  # (B, 2)
    shift: Tensor  # (B, 2)
    linear: Tensor  # (B, 2, 2)

    def move(self, points: Tensor) -> Tensor:
        """Where points (B, H, W, 2) come from. It is one to one as long as the shift is at most
        .3 of the radius and `linear` at most .3."""
        moved = self.shift[:, None, None] + torch.einsum(
            "bij,bhwj->bhwi", self.linear, points - self.centre[:, None, None]
        )
        return points + self.weight(points)[..., None] * moved

    def weight(self, points: Tensor) -> Tensor:
        """(B, H, W) from 1 in the middle to 0 at the border and beyond."""
        offset = (points - self.centre[:, None, None]) / self.radius[:, None, None]
        return (1 - offset.square().sum(-1)).clamp(min=0).square()


def random_bumps(layouts: Tensor, classes: int, rng: Generator) -> Bumps:
    """A bump for each layout (B, S, S): on a class that is there, all alike likely. On a small one
    it lies as the class does, on a large one somewhere on its border."""
    b, s, _ = layouts.shape
    hot = one_hot(layouts, classes)  # (B, K, S, S)
    area = hot.mean((2, 3))  # (B, K)
    chosen = torch.multinomial((area > 0.001).float(), 1, generator=rng)  # (B, 1)
    part = hot[torch.arange(b, device=hot.device), chosen[:, 0]]  # (B, S, S)
    area = area.gather(1, chosen)

    at = pixel_centres(s, hot.device)  # (S, S, 2)
    weight = part[..., None] / part.sum((1, 2))[:, None, None, None]
    middle = (weight * at).sum((1, 2))  # (B, 2)
    spread = (weight * (at - middle[:, None, None]).square()).sum((1, 2)).sqrt()
    border = part * F.max_pool2d(1 - part[:, None], 3, 1, 1)[:, 0]
    border = torch.where(border.sum((1, 2), keepdim=True) > 0, border, part)
    picked = torch.multinomial(border.flatten(1), 1, generator=rng)[:, 0]
    on_border = at.view(-1, 2)[picked]

    small = area < 0.03
    jitter = 0.4 * spread * torch.randn((b, 2), generator=rng, device=rng.device)
    centre = torch.where(small, middle + jitter, on_border)
    radius = torch.where(
        small, spread * uniform((b, 1), 2, 5, rng) + 0.04, uniform((b, 1), 0.12, 0.32, rng)
    )
    radius = (radius * uniform((b, 2), 0.8, 1.25, rng)).clamp(0.09, 0.36)

    angle = uniform((b,), 0, 2 * math.pi, rng)
    length = uniform((b, 1), 0.1, 0.3, rng) * (uniform((b, 1), 0, 1, rng) < 0.8)
    shift = length * radius.amin(1, keepdim=True) * torch.stack([angle.cos(), angle.sin()], 1)
    scale = uniform((b, 2), -0.3, 0.3, rng) * (uniform((b, 1), 0, 1, rng) < 0.6)
    turn = uniform((b,), -0.25, 0.25, rng) * (uniform((b,), 0, 1, rng) < 0.3)
    linear = torch.diag_embed(scale)
    linear[:, 0, 1], linear[:, 1, 0] = -turn, turn
    return Bumps(centre, radius, shift, linear)


def sample_at(images: Tensor, points: Tensor, mode: str = "bilinear") -> Tensor:
    """Images (B, C, H, W) at points (B, h, w, 2) of the unit square -> (B, C, h, w)."""
    return F.grid_sample(images, 2 * points - 1, mode, "border", align_corners=False)
