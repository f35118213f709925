"""Putting a model's picture into a photo, only where the layout was changed.

The region is the changed pixels and a halo around them, in which the picture fades into the photo.
Everything outside stays bit-identical.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.images import box_mean, box_sums

GRID = 32  # colours are matched on so many squares a side
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
    # Grown by the radius and averaged over as much: the mask itself keeps its 1.
    return box_mean((box_sums(mask.float(), radius) > 0).float(), radius)


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
    batch, height, width = after.shape
    item, y, x = (torch.arange(n, device=after.device) for n in after.shape)
    row, column = y[:, None] * GRID // height, x * GRID // width  # of the grid
    labels, kind = after.unique(return_inverse=True)
    groups = batch * len(labels)  # a class of a picture is a group, a group has GRID x GRID cells
    group = kind + len(labels) * item[:, None, None]
    cell = (group * GRID + row) * GRID + column  # (B, H, W)
    known = ~changed(before, after)
    difference = (base - picture).permute(0, 2, 3, 1)[known]  # (N, 3)
    sums = difference.new_zeros(groups * GRID**2, 4)  # of the differences, and how many they are
    sums.index_add_(0, cell[known], F.pad(difference, (0, 1), value=1.0))
    sums = sums.view(groups, GRID, GRID, 4).permute(0, 3, 1, 2)
    sums = _smooth(sums, GRID // 3) + 1e-3 * sums.mean((2, 3), keepdim=True)
    shift = sums[:, :3] / sums[:, 3:].clamp_min(1e-9)  # (groups, 3, GRID, GRID)
    shift = shift.permute(0, 2, 3, 1).reshape(-1, 3)[cell].permute(0, 3, 1, 2)  # (B, 3, H, W)
    return picture + _smooth(shift, halo(height, width) // 2)


def _smooth(x: Tensor, width: int) -> Tensor:
    """A blur of (B, C, H, W): twice the mean over squares of about this width."""
    return box_mean(box_mean(x, width // 2), width // 2)
