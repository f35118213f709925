"""Lines: those of a picture, from several sources, and as a hand would draw them.

Lines are bool (B, 1, S, S). A sketch is (B, 5, S, S): its lines, 1 on 0; where colour was put, 1 on
0; and which, in [-1, 1] and 0 elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.data.masks import polylines
from semedit_lite.data.warps import pixel_centres, sample_at, uniform
from semedit_lite.images import blurred


def slopes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel's derivatives of (B, 1, H, W) to the right and downwards, a pixel."""
    across = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=x.device)[None, None] / 8
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    return F.conv2d(x, across), F.conv2d(x, across.transpose(2, 3))


def thinned(strength: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Where (B, 1, H, W) is a maximum between its two neighbours along (dx, dy), of the eight."""
    near = F.pad(strength, (1, 1, 1, 1))
    h, w = strength.shape[2:]

    def peak(down: int, right: int) -> Tensor:
        one = near[:, :, 1 + down : 1 + down + h, 1 + right : 1 + right + w]
        other = near[:, :, 1 - down : 1 - down + h, 1 - right : 1 - right + w]
        return (strength > one) & (strength >= other)  # of two equal ones, one

    flat, steep = dy.abs() < 0.414 * dx.abs(), dx.abs() < 0.414 * dy.abs()  # tan 22.5°
    falling = dx * dy > 0
    diagonal = torch.where(falling, peak(1, 1), peak(1, -1))
    return torch.where(flat, peak(0, 1), torch.where(steep, peak(1, 0), diagonal))


def grown(mask: Tensor, radius: int = 1) -> Tensor:
    """A mask (B, 1, H, W), by `radius` pixels in all eight directions."""
    return F.max_pool2d(mask.float(), 2 * radius + 1, 1, radius) > 0


def connected(strong: Tensor, weak: Tensor, steps: int = 12) -> Tensor:
    """The weak pixels that a chain of at most `steps` of them joins to a strong one."""
    for _ in range(steps):
        strong = grown(strong) & weak
    return strong


def canny(images: Tensor, threshold: Tensor | float = 0.05, sigma: float = 1.5) -> Tensor:
    """Canny's edges (1986) of pictures (B, 3, H, W) in [-1, 1]: where brightness, of 1 in all,
    changes most, by `threshold` a pixel, or by half of it along a line that has begun."""
    grey = blurred(images.mean(1, keepdim=True) / 2, sigma)
    dx, dy = slopes(grey)
    steep = torch.hypot(dx, dy)
    peaks = thinned(steep, dx, dy)
    return connected(peaks & (steep > threshold), peaks & (steep > threshold / 2))


def ridges(images: Tensor, threshold: Tensor | float = 0.02, sigma: float = 1.2) -> Tensor:
    """Thin dark lines, such as a lid's, a lip's or a strand's: where a picture (B, 3, H, W) is
    darker than its surroundings by `threshold` of the range and darkest across the line."""
    grey = images.mean(1, keepdim=True) / 2
    dark = blurred(grey, 1.6 * sigma) - blurred(grey, sigma)
    dx, dy = slopes(blurred(grey, sigma))
    (xx, xy), (_, yy) = slopes(dx), slopes(dy)
    across = 0.5 * torch.atan2(2 * xy, xx - yy)  # along which it curves upwards most
    peaks = thinned(dark, across.cos(), across.sin())
    return connected(peaks & (dark > threshold), peaks & (dark > threshold / 2))


def borders(layouts: Tensor) -> Tensor:
    """Where a layout (B, H, W) changes: the pixels whose right or lower neighbour is of another
    class."""
    edge = F.pad(layouts[:, None].float(), (0, 1, 0, 1), mode="replicate")
    here = edge[:, :, :-1, :-1]
    return (here != edge[:, :, :-1, 1:]) | (here != edge[:, :, 1:, :-1])


def random_lines(images: Tensor, layouts: Tensor, rng: Generator) -> Tensor:
    """The lines of pictures (B, 3, H, W) from one or two of the three sources, at random."""
    b = len(images)
    shape = (b, 1, 1, 1)
    sources = (
        borders(layouts),
        canny(images, uniform(shape, 0.03, 0.09, rng)),
        ridges(images, uniform(shape, 0.012, 0.04, rng)),
    )
    first = torch.randint(3, shape, generator=rng, device=rng.device)
    second = torch.randint(3, shape, generator=rng, device=rng.device)
    return torch.stack([
        lines & ((first == i) | (second == i)) for i, lines in enumerate(sources)
    ]).any(0)  # fmt: skip


def hand_drawn(lines: Tensor, size: int, rng: Generator) -> Tensor:
    """Lines (B, 1, H, W) as a hand with a mouse would leave them, `size` wide: some are missing,
    they are a little off, wobble, and are thin or thick."""
    b, _, h, _ = lines.shape
    shape = (b, 1, 1, 1)
    # Missing: where a smooth random height is low.
    height = torch.randn((b, 1, 6, 6), generator=rng, device=rng.device)
    height = F.interpolate(height, (h, h), mode="bicubic")
    lowest = uniform(shape, -2.5, 0.4, rng)
    lines = lines & (height > lowest)
    # Off and wobbly, by up to 2 and 1.5 of 64 pixels.
    off = uniform((b, 1, 1, 2), -1, 1, rng) * uniform(shape, 0, 2 / 64, rng)
    wobble = torch.randn((b, 2, 5, 5), generator=rng, device=rng.device)
    wobble = F.interpolate(wobble, (h, h), mode="bicubic").permute(0, 2, 3, 1)  # (B, H, H, 2)
    wobble = wobble * uniform(shape, 0, 0.75 / 64, rng)
    points = pixel_centres(h, lines.device) + off + wobble
    # Thin or thick.
    thick = uniform(shape, 0, 1, rng) < 0.4
    ink = sample_at(torch.where(thick, grown(lines), lines).float(), points)
    ink = F.interpolate(ink, (size, size), mode="area")
    return ink > torch.where(thick, 0.5, 0.24)


def colour_strokes(pictures: Tensor, region: Tensor, rng: Generator) -> Tensor:
    """A stroke of colour in each region (B, 1, S, S): two to four points of it, joined; the colour
    is the mean of the picture (B, 3, S, S) below -> (B, 4, S, S), where and which. Nothing where
    the region is empty."""
    b, _, s, _ = region.shape
    some = region.flatten(1).any(1)
    chances = torch.where(some[:, None], region.flatten(1).float(), 1.0)
    picked = torch.multinomial(chances, 4, replacement=True, generator=rng)  # (B, 4)
    points = pixel_centres(s, region.device).view(-1, 2)[picked]  # (B, 4, 2)
    last = torch.randint(1, 4, (b, 1), generator=rng, device=rng.device)
    order = torch.arange(4, device=rng.device).minimum(last)
    points = points.gather(1, order[..., None].expand(-1, -1, 2))
    strokes = polylines(points, uniform((b,), 1.5 / 64, 5 / 64, rng), s)[:, None]
    strokes = strokes & region & some[:, None, None, None]
    ink = strokes.float()
    total = ink.sum((2, 3), keepdim=True).clamp(min=1)
    colour = (pictures * ink).sum((2, 3), keepdim=True) / total  # (B, 3, 1, 1)
    colour = (colour + uniform(colour.shape, -0.06, 0.06, rng)).clamp(-1, 1)
    return torch.cat([ink, colour * ink], 1)
