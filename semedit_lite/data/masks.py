"""Random regions, as people mark them: brush strokes, boxes and the shapes of things.

Points are (x, y) in the unit square of the picture; masks are bool (B, 1, S, S).
"""

import torch
from torch import Generator, Tensor

from semedit_lite.data.warps import pixel_centres, uniform

STROKES = VERTICES = 5  # at most


def polylines(points: Tensor, widths: Tensor, size: int) -> Tensor:
    """Strokes with round ends: vertices (..., V, 2), widths (...) in sides of the picture -> bool
    (..., size, size). A vertex that repeats the one before it adds nothing."""
    starts, ends = points[..., :-1, None, None, :], points[..., 1:, None, None, :]
    along = ends - starts  # (..., V - 1, 1, 1, 2)
    offset = pixel_centres(size, points.device) - starts  # (..., V - 1, S, S, 2)
    share = (offset * along).sum(-1) / along.square().sum(-1).clamp(min=1e-12)
    nearest = share.clamp(0, 1)[..., None] * along
    distance = (offset - nearest).square().sum(-1).amin(-3).sqrt()  # (..., S, S)
    return distance <= widths[..., None, None] / 2


def brushed(count: int, size: int, rng: Generator) -> Tensor:
    """One to five strokes of one to five vertices, each at most half the side from the one before,
    and 10 to 40 % of that wide (SketchEdit's `create_mask.py`)."""
    shape = (count, STROKES)
    far = 0.5
    steps = uniform((*shape, VERTICES, 2), -far, far, rng)
    start = uniform((*shape, 2), 0, 1, rng)
    drawn = _up_to(shape, VERTICES, rng)  # the first is there in any case
    steps = steps * drawn[..., None]
    steps[..., 0, :] = 0
    points = (start[..., None, :] + steps.cumsum(-2)).clamp(0, 1)  # (B, 5, 5, 2)
    strokes = polylines(points, far * uniform(shape, 0.1, 0.4, rng), size)  # (B, 5, S, S)
    there = _up_to((count,), STROKES, rng)
    return (strokes & there[..., None, None]).any(1, keepdim=True)


def boxes(count: int, size: int, rng: Generator) -> Tensor:
    """Squares of a quarter to half of the side."""
    side = uniform((count, 1, 1, 1), 0.25, 0.5, rng)
    corner = uniform((count, 1, 1, 2), 0, 1, rng) * (1 - side)
    at = pixel_centres(size, rng.device) - corner
    return ((at >= 0) & (at < side)).all(-1)[:, None]


def shapes(layouts: Tensor, rng: Generator) -> Tensor:
    """The region of one class of each layout (B, S, S), any that is there, mirrored at random and
    moved by up to a quarter of the side: things such as faces, hair and glasses hold."""
    b, s, _ = layouts.shape
    pixel = torch.randint(s * s, (b,), generator=rng, device=rng.device)
    chosen = layouts.flatten(1).gather(1, pixel[:, None])  # a large class more often
    masks = layouts == chosen[:, :, None]
    masks = torch.where(uniform((b, 1, 1), 0, 1, rng) < 0.5, masks.flip(2), masks)
    far = s // 4
    moves = torch.randint(-far, far + 1, (2, b, 1, 1), generator=rng, device=rng.device)
    at = torch.arange(s, device=layouts.device)
    y, x = at[None, :, None] - moves[0], at[None, None, :] - moves[1]  # (B, S, 1), (B, 1, S)
    inside = (y >= 0) & (y < s) & (x >= 0) & (x < s)
    picked = masks[torch.arange(b, device=layouts.device)[:, None, None], y % s, x % s]
    return (picked & inside)[:, None]


def random_masks(layouts: Tensor, rng: Generator) -> Tensor:
    """A region for each of the layouts (B, S, S), whose sizes and shapes are used: half brushed, a
    quarter boxes, a quarter shapes of another sample's things. Never empty, and never all of it."""
    b, s, _ = layouts.shape
    kind = uniform((b, 1, 1, 1), 0, 1, rng)
    box = boxes(b, s, rng)
    masks = torch.where(kind < 0.5, brushed(b, s, rng), box)
    masks = torch.where(kind > 0.75, shapes(layouts.roll(1, 0), rng), masks)
    share = masks.float().mean((1, 2, 3), keepdim=True)
    return torch.where((share > 0.002) & (share < 0.8), masks, box)


def _up_to(shape: tuple[int, ...], most: int, rng: Generator) -> Tensor:
    """bool (*shape, most): the first 1 to `most` are true."""
    count = torch.randint(1, most + 1, shape, generator=rng, device=rng.device)
    return torch.arange(most, device=rng.device) < count[..., None]
