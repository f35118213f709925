"""Pictures without a face, from random numbers: what a face finder must not fall for."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.data.warps import uniform


def textures(count: int, size: int, rng: Generator) -> Tensor:
    """(count, 3, size, size) in [-1, 1]: clouds, stripes and checks, blots, and mixtures of them,
    in random colours."""
    kinds = (clouds, stripes, blots)
    chosen = torch.randint(len(kinds), (count, 2), generator=rng)
    pictures = []
    for first, second in chosen.tolist():
        one, two = (coloured(kinds[k](size, rng), rng) for k in (first, second))
        share = (clouds(size, rng) * 3).sigmoid() if first % 2 else torch.tensor(0.8)
        pictures.append(torch.lerp(two, one, share))
    return torch.stack(pictures)


def coloured(values: Tensor, rng: Generator) -> Tensor:
    """Values (S, S) of about unit size -> a picture (3, S, S) between two random colours."""
    ends = torch.rand(2, 3, 1, 1, generator=rng) * 2 - 1
    return torch.lerp(*ends, (1.5 * values).sigmoid()).clamp(-1, 1)


def clouds(size: int, rng: Generator) -> Tensor:
    """Noise of several scales, (size, size); how rough it is, is random as well."""
    rough = uniform(1, 0.3, 0.9, rng)
    total, weight = torch.zeros(size, size), 1.0
    side = int(torch.randint(2, 6, (), generator=rng))
    while side <= size:
        noise = torch.randn(1, 1, side, side, generator=rng)
        total += weight * F.interpolate(noise, (size, size), mode="bicubic")[0, 0]
        side, weight = 2 * side, weight * float(rough)
    return total


def stripes(size: int, rng: Generator) -> Tensor:
    """Stripes of any direction and width, or two crossing sets of them, hard or soft."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    total = torch.zeros(size, size)
    for _ in range(int(torch.randint(1, 3, (), generator=rng))):
        angle, wave, shift = uniform(3, 0, 6.28, rng)
        wave = 3 + 6 * wave
        bend = uniform(1, 0, 0.3, rng) * clouds(size, rng)
        total += torch.sin(wave * (x * angle.cos() + y * angle.sin() + bend) + shift)
    return total * uniform(1, 0.5, 6, rng)


def blots(size: int, rng: Generator) -> Tensor:
    """Light and dark ellipses, as eyes, buttons and windows are."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    total = torch.zeros(size, size)
    for _ in range(int(torch.randint(3, 20, (), generator=rng))):
        cx, cy = uniform(2, -1, 1, rng)
        rx, ry = uniform(2, 0.03, 0.4, rng)
        inside = (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2) < 1
        total = torch.where(inside, uniform(1, -2, 2, rng), total)
    return total
