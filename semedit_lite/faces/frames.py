"""Squares in pictures, and what they show.

Points are complex numbers x + iy, y downwards, in continuous coordinates: pixel i covers
[i, i + 1). A similarity without mirroring is then a z + b, and its least-squares fit one line.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.images import box_mean, resize

OUTSIDE = 0.05  # beyond the photo's border a crop blurs within this much of its side


class Frame(NamedTuple):
    """The square that holds a z + b for every z of the unit square."""

    a: complex  # |a| is its side in pixels, its angle the turn
    b: complex  # its upper left corner

    def matrix(self, size: int) -> Tensor:
        """(2, 3) float64: pixels of the square sampled `size` wide -> pixels of the photo."""
        a, b = self.a / size, self.b
        return torch.tensor([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]).double()

    def within(self, outer: "Frame") -> "Frame":
        """This frame, given in the coordinates of the square `outer`, in the picture's."""
        return Frame(outer.a * self.a, outer.a * self.b + outer.b)

    @classmethod
    def square(cls, centre: complex, side: float, degrees: float = 0.0) -> "Frame":
        a = side * np.exp(1j * np.radians(degrees))
        return cls(a, centre - a * (0.5 + 0.5j))


class Pyramid:
    """A picture (1, C, H, W) and its halves, quarters, ...: samples many squares of any size
    quickly, without much aliasing."""

    def __init__(self, image: Tensor) -> None:
        self.size = image.shape[2:]
        self.levels = [image]
        while min(self.levels[-1].shape[2:]) > 16:
            self.levels.append(F.avg_pool2d(self.levels[-1], 2, ceil_mode=True))

    def sample(self, pixel: Frame, size: tuple[int, int]) -> Tensor:
        """(1, C, *size): the value at pixel (x, y) is that of the picture at a (x + iy) + b. What
        lies outside repeats the border."""
        level = int(np.clip(np.log2(max(abs(pixel.a), 1)) + 0.3, 0, len(self.levels) - 1))
        image = self.levels[level]
        y, x = _pixel_centres(*size)
        a, b = pixel.a, pixel.b
        at = torch.stack([a.real * x - a.imag * y + b.real, a.imag * x + a.real * y + b.imag], -1)
        height, width = (n * 2**level for n in image.shape[2:])
        at = at / at.new_tensor([width, height]) * 2 - 1
        return F.grid_sample(image, at[None].to(image), padding_mode="border", align_corners=False)


def fit(wanted: np.ndarray, found: np.ndarray) -> Frame:
    """The similarity a z + b that brings the complex points `wanted` closest to `found`."""
    z, p = wanted - wanted.mean(), found - found.mean()
    a = (z.conj() * p).sum() / (np.abs(z) ** 2).sum()
    return Frame(complex(a), complex(found.mean() - a * wanted.mean()))


def cut(image: Tensor, frame: Frame, size: int) -> Tensor:
    """The frame's part of a photo (1, 3, H, W) as (1, 3, size, size); beyond the photo's border
    it is mirrored and blurs away, as in FFHQ."""
    matrix = frame.matrix(size)
    crop = warp(image, matrix, (size, size)).clamp(-1, 1)
    y, x = _pixel_centres(size, size)
    at = matrix.to(crop) @ torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)  # (2, S * S)
    limit = torch.tensor([[image.shape[3]], [image.shape[2]]]).to(crop)
    outside = torch.maximum(-at, at - limit).amax(0).clamp(min=0).view(1, 1, size, size)
    blend = (outside / (OUTSIDE * abs(frame.a))).clamp(max=1)
    if not blend.any():
        return crop
    radius = max(1, round(size / 40))
    soft = crop
    for _ in range(3):  # three box filters are nearly a Gaussian
        soft = box_mean(soft, radius)
    return torch.lerp(crop, soft, blend)


def warp(
    image: Tensor,
    matrix: Tensor,
    size: tuple[int, int],
    mode: str = "bicubic",
    padding: str = "reflection",
) -> Tensor:
    """image (1, C, H, W) -> (1, C, *size): output pixel (x, y, 1) shows the image at `matrix`
    (2, 3) @ it. Where the output is coarser the image is reduced first, without aliasing."""
    height, width = image.shape[2:]
    step = matrix[:, :2].det().abs().sqrt().item()
    if step > 1:
        image = resize(image, (max(1, round(height / step)), max(1, round(width / step))))
    y, x = _pixel_centres(*size)
    at = torch.stack([x, y, torch.ones_like(x)], -1) @ matrix.to(x).T  # (h, w, 2)
    at = at / at.new_tensor([width, height]) * 2 - 1
    return F.grid_sample(image, at[None].to(image), mode, padding, align_corners=False)


def _pixel_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    y, x = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return torch.meshgrid(y, x, indexing="ij")
