"""Putting a model's picture into a photo, only where the layout was changed.

The region is the changed pixels and a halo around them, in which the picture fades into the photo.
Everything outside stays bit-identical.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 64  # colours are matched on so many squares a side
HALO = 1 / 32  # of the picture's longer side: 8 pixels at 256


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Two layouts (B, H, W) -> bool (B, H, W): where the class is another one."""
    return before != after


def halo(height: int, width: int) -> int:
    """How many pixels around a changed one the picture may fade into the photo."""
    return 2 * max(1, round(max(height, width) * HALO / 2))


def feather(mask: Tensor, reach: int | None = None) -> Tensor:
    """bool (B, H, W) -> alpha (B, H, W): 1 on the mask, falling to exactly 0 `reach` pixels away
    (an even number; `halo` of the picture unless given; distances are the larger of x and y)."""
    radius = (halo(*mask.shape[-2:]) if reach is None else reach) // 2
    window = 2 * radius + 1
    # Grown by the radius and averaged over as much: the mask itself keeps its 1.
    grown = F.max_pool2d(mask[:, None].float(), window, 1, radius)  # (B, 1, H, W)
    return F.avg_pool2d(grown, window, 1, radius, count_include_pad=False)[:, 0]


def composite(base: Tensor, picture: Tensor, alpha: Tensor) -> Tensor:
    """Images (B, 3, H, W) and alpha (B, H, W) in [0, 1] -> (B, 3, H, W): `picture` where alpha is
    1, `base` bit for bit where it is 0."""
    return torch.lerp(base, picture, alpha[:, None])


def match_colours(picture: Tensor, base: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """The picture (B, 3, H, W), each class in the colours that it has in `base`.

    Where the layouts (B, H, W) agree, base and picture show the same thing, and their difference
    is one of colour. Each class takes on its own: the mean over the pixels around, or over all
    where there are none. A class that `base` does not show keeps the picture's colours.
    """
    labels = after.unique()
    classes = after[:, None] == labels[:, None, None]  # (B, K, H, W)
    known = (classes & ~changed(before, after)[:, None]).float()
    measured = torch.cat([known[:, :, None], known[:, :, None] * (base - picture)[:, None]], 2)
    small = _smooth(F.adaptive_avg_pool2d(measured.flatten(1, 2), GRID), GRID // 3)
    small = small.unflatten(1, (-1, 4)) + 1e-3 * measured.mean((3, 4), keepdim=True)
    shift = small[:, :, 1:] / small[:, :, :1].clamp_min(1e-9)  # (B, K, 3, GRID, GRID)
    shift = F.interpolate(shift.flatten(1, 2), after.shape[1:], mode="bilinear")
    shift = (shift.unflatten(1, (-1, 3)) * classes[:, :, None]).sum(1)  # (B, 3, H, W)
    return picture + _smooth(shift, halo(*after.shape[1:]) // 2)


def _smooth(x: Tensor, width: int) -> Tensor:
    """A blur of (B, C, H, W): two means over squares of about this width."""
    width += 1 - width % 2
    for _ in range(2):
        x = F.avg_pool2d(x, width, 1, width // 2, count_include_pad=False)
    return x
