"""Putting a model's picture into a photo, only where the layout was changed.

The region is the changed pixels and a halo around them, in which the picture fades into the photo.
Everything outside stays bit-identical.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

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
