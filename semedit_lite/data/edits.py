"""Edits made up from pictures alone: what SketchEdit trains on, and is scored on.

A part of a picture is deformed, or its colour changed. One of the two pictures is what a person
has, the other what they want, and the lines that they would draw are those of the wanted one where
the two differ. Nobody labels anything.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.data.sketches import colour_strokes, hand_drawn, random_lines
from semedit_lite.data.warps import pixel_centres, random_bumps, sample_at, uniform

CORE = 0.15  # of a bump's weight: where it is larger lies the region


Liner = Callable[[Tensor, Tensor, Generator], Tensor]  # as `random_lines`


class Edits(NamedTuple):
    """What a person has, draws and wants; and where the two pictures differ."""

    image: Tensor  # (B, 3, S, S) in [-1, 1]
    sketch: Tensor  # (B, 5, S, S), see `sketches`
    target: Tensor  # (B, 3, S, S) in [-1, 1]
    region: Tensor  # bool (B, 1, S, S); empty where nothing was to change
    lines: Tensor  # bool (B, 1, S, S): all lines of the target, as a hand would draw them


def made_up(
    images: Tensor,
    layouts: Tensor,
    classes: int,
    rng: Generator,
    *,
    deform: float = 0.85,  # the share of pictures that are deformed ...
    recolour: float = 0.3,  # ... and whose colours change
    liner: Liner = random_lines,  # what finds the lines of a picture
) -> Edits:
    """An edit for each picture (B, 3, 2S, 2S) with its layout (B, 2S, 2S), on half of their side:
    so what is deformed is as sharp as what is not, and cannot be told by that. In half of the edits
    the deformed picture is the wanted one, in half the other one, which it was made from. Where
    nothing changes the sketch repeats what is there."""
    b, _, side, _ = images.shape
    shape = (b, 1, 1, 1)
    points = pixel_centres(side, images.device).expand(b, -1, -1, -1)
    deformed, recoloured = (uniform(shape, 0, 1, rng) < share for share in (deform, recolour))

    moved, region = points, torch.zeros(shape, dtype=torch.bool, device=images.device)
    places = layouts[:, ::2, ::2]  # fine enough to find some
    for i, share in enumerate((1.0, 0.5, 0.25)):  # one to three places
        bumps = random_bumps(places, classes, rng)
        there = (uniform(shape, 0, 1, rng) < share) & (deformed if i else True)
        moved = torch.where(there & deformed, bumps.move(moved), moved)
        region = region | (there & (bumps.weight(points)[:, None] > CORE))
    other = sample_at(images, moved)
    other_layouts = sample_at(layouts[:, None].float(), moved, "nearest")[:, 0].to(layouts.dtype)

    tinted, tint = _recoloured(other, other_layouts, classes, rng)
    other = torch.where(recoloured, tinted, other)
    region = torch.where(deformed | ~recoloured, region, False) | (recoloured & tint)

    swap = uniform(shape, 0, 1, rng) < 0.5
    image, target = torch.where(swap, images, other), torch.where(swap, other, images)
    wanted = torch.where(swap[:, 0], other_layouts, layouts)
    lines = liner(target, wanted, rng)

    half = side // 2
    lines = hand_drawn(lines, half, rng)
    image, target = (F.interpolate(x, (half, half), mode="area") for x in (image, target))
    region, tint = (
        F.interpolate(x.float(), (half, half), mode="area") > 0.5 for x in (region, tint)
    )
    painted = torch.where(recoloured, tint, region & (uniform(shape, 0, 1, rng) < 0.1))
    sketch = torch.cat([(lines & region).float(), colour_strokes(target, painted, rng)], 1)
    return Edits(image, sketch, target, region & (deformed | recoloured), lines)


def _recoloured(
    images: Tensor, layouts: Tensor, classes: int, rng: Generator
) -> tuple[Tensor, Tensor]:
    """Pictures in which something has another colour: half an ellipse, half a class within it; and
    where, bool (B, 1, S, S)."""
    b, _, side, _ = images.shape
    shape = (b, 1, 1, 1)
    bumps = random_bumps(layouts[:, ::2, ::2], classes, rng)
    share = bumps.weight(pixel_centres(side, images.device).expand(b, -1, -1, -1))[:, None]
    at = (bumps.centre * side).long().clamp(0, side - 1)
    chosen = layouts[torch.arange(b, device=layouts.device), at[:, 1], at[:, 0]]
    part = (layouts == chosen[:, None, None])[:, None].float()
    part = F.avg_pool2d(part, 3, 1, 1) * (2 * share).clamp(max=1)
    share = torch.where(uniform(shape, 0, 1, rng) < 0.5, share, part)
    mean = (images * share).sum((2, 3), True) / share.sum((2, 3), True).clamp(min=1)
    colour = uniform((b, 3, 1, 1), -1, 1, rng)
    tinted = images + share * uniform(shape, 0.3, 0.9, rng) * (colour - mean)
    return tinted.clamp(-1, 1), share > CORE
