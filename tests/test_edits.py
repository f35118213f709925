"""Made-up edits, and what they are made of: deformations, masks, lines."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from semedit_lite.data import masks, sketches
from semedit_lite.data.edits import made_up
from semedit_lite.data.warps import pixel_centres, random_bumps, sample_at

SIDE, CLASSES = 64, 4
seeds = st.integers(0, 2**31 - 1)
few = settings(deadline=None, max_examples=25)


def rng(seed: int) -> Generator:
    return Generator().manual_seed(seed)


def scenes(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 3, 64, 64) of a disc with a spot in it, and their layouts."""
    at = pixel_centres(SIDE)
    layouts = torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    for i in range(count):
        for k, (x, y, radius) in enumerate([(0.5, 0.5, 0.35), (0.4 + 0.05 * i, 0.4, 0.08)], 1):
            layouts[i][(at - torch.tensor([x, y])).norm(dim=-1) < radius] = k
    colours = torch.tensor([[-0.8, -0.6, -0.2], [0.6, 0.3, 0.1], [-0.2, -0.7, -0.5], [1, 1, 1]])
    return colours[layouts].permute(0, 3, 1, 2).contiguous(), layouts


@given(seeds)
@few
def test_deformations_never_fold(seed):
    _, layouts = scenes()
    points = pixel_centres(SIDE).expand(4, -1, -1, -1)
    moved = random_bumps(layouts, CLASSES, rng(seed)).move(points)
    right = moved[:, :-1, 1:] - moved[:, :-1, :-1]
    down = moved[:, 1:, :-1] - moved[:, :-1, :-1]
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    assert area.min() > 0
    still = random_bumps(layouts, CLASSES, rng(seed)).weight(points) == 0
    assert torch.equal(moved[still], points[still])  # nothing moves beyond the ellipse


def test_bumps_lie_on_classes_that_are_there():
    _, layouts = scenes(1)
    centres = torch.cat([random_bumps(layouts, CLASSES, rng(seed)).centre for seed in range(60)])
    on_disc = ((centres - 0.5).norm(dim=1) - 0.35).abs() < 0.03  # its border, or the background's
    on_spot = (centres - 0.4).norm(dim=1) < 0.15
    assert (on_disc | on_spot).all()
    assert on_disc.any()
    assert on_spot.any()


def test_sampling_where_nothing_moves_changes_nothing():
    images, _ = scenes()
    points = pixel_centres(SIDE).expand(4, -1, -1, -1)
    assert (sample_at(images, points) - images).abs().max() < 1e-5


@given(seeds)
@few
def test_pictures_differ_in_the_region_alone(seed):
    images, layouts = scenes()
    edits = made_up(images, layouts, CLASSES, rng(seed))
    assert edits.image.shape == edits.target.shape == (4, 3, SIDE // 2, SIDE // 2)
    assert edits.sketch.shape == (4, 5, SIDE // 2, SIDE // 2)
    difference = (edits.image - edits.target).abs().mean(1, keepdim=True)
    idle = ~edits.region.flatten(1).any(1)
    assert difference[idle].sum() == 0
    # Beyond the core of a bump pictures differ a little, near its border not at all.
    assert difference[~sketches.grown(edits.region, 8)].sum() <= 0.02 * difference.sum()
    lines, where, colour = edits.sketch[:, :1], edits.sketch[:, 1:2], edits.sketch[:, 2:]
    assert set(lines.unique().tolist()) <= {0.0, 1.0}
    assert set(where.unique().tolist()) <= {0.0, 1.0}
    assert (colour * (1 - where) == 0).all()
    assert colour.abs().max() <= 1
    assert (lines[~idle] * (~edits.region[~idle])).sum() == 0


def test_edits_are_the_same_for_a_seed_and_others_for_another():
    images, layouts = scenes()
    one, again, other = (made_up(images, layouts, CLASSES, rng(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.sketch, other.sketch)


def test_without_deforming_there_is_nothing_to_find():
    images, layouts = scenes()
    edits = made_up(images, layouts, CLASSES, rng(0), deform=0.0, recolour=0.0)
    assert torch.equal(edits.image, edits.target)
    assert not edits.region.any()
    assert edits.sketch[:, 0].any()  # a sketch there is nonetheless


def test_what_is_asked_for_happens_as_often_as_it_says():
    images, layouts = scenes(8)
    changed = [
        made_up(images, layouts, CLASSES, rng(seed), deform=0.5, recolour=0.0).region
        for seed in range(40)
    ]
    share = torch.cat(changed).flatten(1).any(1).float().mean()
    assert 0.4 < share < 0.6


# Masks -------------------------------------------------------------------------------------------


def test_a_stroke_covers_what_is_near_it():
    points = torch.tensor([[0.25, 0.5], [0.75, 0.5], [0.75, 0.5]])
    found = masks.polylines(points, torch.tensor(0.1), 100)
    at = pixel_centres(100)
    beyond = torch.tensor([0.25, 0.5]), torch.tensor([0.75, 0.5])
    nearest = torch.minimum(torch.maximum(at, beyond[0]), beyond[1])
    assert torch.equal(found, (at - nearest).norm(dim=-1) <= 0.05)
    dot = masks.polylines(points[:1].expand(2, -1), torch.tensor(0.1), 100)
    assert torch.equal(dot, (at - points[0]).norm(dim=-1) <= 0.05)


@given(seeds)
@few
def test_masks_are_neither_empty_nor_all(seed):
    _, layouts = scenes(8)
    found = masks.random_masks(layouts, rng(seed))
    assert found.shape == (8, 1, SIDE, SIDE)
    assert found.dtype == torch.bool
    share = found.float().mean((1, 2, 3))
    assert (share > 0).all()
    assert (share < 0.9).all()
    assert torch.equal(found, masks.random_masks(layouts, rng(seed)))


def test_boxes_are_squares_of_the_sides_they_say():
    for mask in masks.boxes(20, 64, rng(1)):
        rows, columns = mask[0].any(1).sum().item(), mask[0].any(0).sum().item()
        assert mask[0].sum() == rows * columns
        assert 15 <= rows <= 33
        assert abs(rows - columns) <= 1


def test_shapes_are_classes_moved_and_mirrored():
    _, layouts = scenes(1)
    far = SIDE // 4
    pad = torch.nn.functional.pad(layouts[0], (far,) * 4, value=-1)
    known = {
        (pad[y : y + SIDE, x : x + SIDE].flip(1) if mirrored else pad[y : y + SIDE, x : x + SIDE])
        .eq(k)
        .numpy()
        .tobytes()
        for k in (0, 1, 2)
        for mirrored in (False, True)
        for y in range(2 * far + 1)
        for x in range(2 * far + 1)
    }
    for seed in range(20):
        assert masks.shapes(layouts, rng(seed))[0, 0].numpy().tobytes() in known


# Lines -------------------------------------------------------------------------------------------


def step(angle: float) -> torch.Tensor:
    """A picture that is dark on one side of a line through its middle."""
    at = pixel_centres(SIDE) - 0.5
    side = at[..., 0] * math.cos(angle) + at[..., 1] * math.sin(angle)
    return torch.where(side > 0, 0.8, -0.8).expand(1, 3, -1, -1)


@pytest.mark.parametrize("angle", [0, 0.4, math.pi / 4, 1.2, math.pi / 2, 2.5])
def test_canny_finds_an_edge_and_nothing_else(angle):
    found = sketches.canny(step(angle))
    assert found.dtype == torch.bool
    at = pixel_centres(SIDE) - 0.5
    away = (at[..., 0] * math.cos(angle) + at[..., 1] * math.sin(angle)).abs() * SIDE
    assert away[found[0, 0]].max() < 2
    inner = found[0, 0, 8:-8, 8:-8]
    assert 40 <= inner.sum() <= 110  # thin, and unbroken over 48 pixels


def test_ridges_find_dark_lines_and_not_light_ones():
    picture = torch.full((1, 3, SIDE, SIDE), 0.5)
    picture[..., 31:33] = -0.3
    found = sketches.ridges(picture)[0, 0]
    rows, columns = found.nonzero(as_tuple=True)
    assert len(rows) >= 50
    assert set(columns.tolist()) <= {30, 31, 32, 33}
    assert not sketches.ridges(-picture)[..., 30:34].any()  # beside it, it is darker


def test_borders_are_where_classes_meet():
    layout = torch.zeros(1, 8, 8, dtype=torch.long)
    layout[:, 2:5, 3:6] = 1
    found = sketches.borders(layout)[0, 0]
    assert found[2, 2]  # its right neighbour is another
    assert found[4, 4]  # its lower one
    assert not found[3, 4]
    assert not found[0].any()


def test_flat_pictures_have_no_lines():
    flat = torch.full((1, 3, SIDE, SIDE), 0.3)
    assert not sketches.canny(flat).any()
    assert not sketches.ridges(flat).any()


@given(seeds)
@few
def test_a_hand_leaves_lines_near_those_it_follows(seed):
    lines = sketches.borders(scenes()[1])
    drawn = sketches.hand_drawn(lines, SIDE // 2, rng(seed))
    assert drawn.shape == (4, 1, SIDE // 2, SIDE // 2)
    near = torch.nn.functional.max_pool2d(sketches.grown(lines, 12).float(), 2) > 0
    assert not (drawn & ~near).any()


def test_colour_strokes_have_the_colour_below_them():
    images, layouts = scenes()
    region = (layouts == 1)[:, None]
    strokes = sketches.colour_strokes(images, region, rng(5))
    where = strokes[:, :1] > 0
    assert where.flatten(1).any(1).all()
    assert not (where & ~region).any()
    colour = strokes[:, 1:].sum((2, 3)) / where.sum((2, 3))
    assert (colour - torch.tensor([0.6, 0.3, 0.1])).abs().max() < 0.07
    assert not sketches.colour_strokes(images, region & False, rng(5)).any()
