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
CHANGE = 256  # the side at which changes of a painting are looked at
NEAR = 2  # of its pixels around a change, in which a photo's own detail is in the way
GHOST = (0.2, 0.5)  # change of a painting from which that detail begins to go, and is gone


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


def transferred(photo: Tensor, before: Tensor, after: Tensor, region: Tensor) -> Tensor:
    """A photo (1, 3, S, S) changed as its painting was, from `before` to `after`.

    What the photo has beyond its painting is kept where the paintings hardly differ. Where they do,
    it would show through as a ghost of what was there: a lip behind the teeth. There it is what it
    is around the `region` (1, S, S), which gives the painting the photo's light.
    """
    beyond = photo - before
    change = (after - before).abs().mean(1, keepdim=True)  # (1, 1, S, S)
    change = F.adaptive_avg_pool2d(change, CHANGE)
    change = F.max_pool2d(change, 2 * NEAR + 1, 1, NEAR)
    change = F.avg_pool2d(change, 2 * NEAR + 1, 1, NEAR, count_include_pad=False)
    low, high = GHOST
    ghost = ((change - low) / (high - low)).clamp(0, 1)  # (1, 1, 256, 256)
    ghost = F.interpolate(ghost, photo.shape[2:], mode="bilinear", align_corners=False)
    return after + torch.lerp(beyond, around(beyond, ~region[:, None]), ghost)


def around(x: Tensor, known: Tensor) -> Tensor:
    """x (1, C, S, S) where it is known (1, 1, S, S), and smooth between that where it is not: the
    mean of what is known near, of an ever wider neighbourhood."""
    weight = known.to(x)
    if weight.mean() == 1 or x.shape[-1] <= 4:
        mean = (x * weight).sum((2, 3), keepdim=True) / weight.sum().clamp(min=1)  # (1, C, 1, 1)
        return torch.where(known, x, mean)
    few = F.avg_pool2d(weight, 2)
    mean = F.avg_pool2d(x * weight, 2) / few.clamp(min=1e-6)
    coarse = around(mean, few > 0)
    fine = F.interpolate(coarse, x.shape[2:], mode="bilinear", align_corners=False)
    return torch.where(known, x, fine)


def _smooth(x: Tensor, width: int) -> Tensor:
    """A blur of (B, C, H, W): twice the mean over squares of about this width."""
    return box_mean(box_mean(x, width // 2), width // 2)
