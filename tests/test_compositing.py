"""Compositing and the scorecard: the photo stays as it is outside the changed region."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.editing.compositing import changed, composite, feather, halo, match_colours
from semedit_lite.editing.scorecard import scorecard
from semedit_lite.labels import FACE, IGNORE

rectangles = st.tuples(*(st.integers(0, 47) for _ in range(4)))


def drawn(rectangle, size=48):
    """bool (1, size, size), true in a rectangle."""
    x0, x1, y0, y1 = rectangle
    mask = torch.zeros(1, size, size, dtype=torch.bool)
    mask[:, min(y0, y1) : max(y0, y1) + 1, min(x0, x1) : max(x0, x1) + 1] = True
    return mask


def distance(mask):
    """(H, W): the larger of x and y distance to the nearest pixel of the mask."""
    at, of = torch.ones_like(mask[0]).nonzero(), mask[0].nonzero()
    return (at[:, None] - of[None]).abs().amax(2).amin(1).view(mask.shape[1:])


@settings(max_examples=25, deadline=None)
@given(rectangles, rectangles, st.sampled_from([2, 4, 8]))
def test_the_alpha_is_one_on_the_mask_and_zero_beyond_its_reach(one, two, reach):
    mask = drawn(one) | drawn(two)
    alpha, far = feather(mask, reach)[0], distance(mask)
    assert (alpha[mask[0]] == 1).all()
    assert (alpha[far > reach] == 0).all()
    assert ((alpha > 0) | (far >= reach)).all()  # and it does reach that far
    assert ((alpha >= 0) & (alpha <= 1)).all()


@settings(max_examples=25, deadline=None)
@given(rectangles)
def test_outside_mask_and_halo_every_bit_stays(rectangle):
    base, picture = torch.rand(2, 1, 3, 48, 48) * 2 - 1
    mask = drawn(rectangle)
    result = composite(base, picture, feather(mask))
    outside = distance(mask) > halo(48, 48)
    assert torch.equal(result[:, :, outside], base[:, :, outside])
    assert torch.equal(result[:, :, mask[0]], picture[:, :, mask[0]])


def test_nothing_changed_gives_the_photo_back():
    layout = torch.randint(19, (1, 32, 32))
    base, picture = torch.rand(2, 1, 3, 32, 32)
    mask = changed(layout, layout.clone())
    assert torch.equal(composite(base, picture, feather(mask)), base)


def test_the_halo_follows_the_size():
    assert [halo(size, size) for size in (16, 64, 256, 512)] == [2, 2, 8, 16]


def test_the_scorecard_counts_in_the_region_only():
    asked = torch.zeros(1, 8, 8, dtype=torch.long)
    asked[:, :4] = FACE.id("hair")
    found = asked.clone()
    found[:, 3] = FACE.id("hat")
    found[:, 6:] = FACE.id("hair")  # outside the region: not this edit's doing
    mask = torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[:, :5] = True
    before = torch.zeros(1, 3, 8, 8)
    after = before.clone()
    after[:, :, :4] = 0.5
    after[:, :, 6] = -0.25
    card = scorecard(before, after, asked, found, mask, seconds=0.5)
    assert card["classes"] == {"background": 1.0, "hair": 0.75}
    assert card["change_inside"] == pytest.approx(0.8 * 63.75, abs=0.001)
    assert card["change_outside"] == pytest.approx(31.875 / 3, abs=0.001)
    assert card["seconds"] == 0.5


def test_the_scorecard_of_no_change_and_of_pixels_that_nobody_asked_for():
    image, layout = torch.zeros(1, 3, 4, 4), torch.full((1, 4, 4), IGNORE)
    nowhere = torch.zeros(1, 4, 4, dtype=torch.bool)
    assert scorecard(image, image, layout, layout, nowhere, 0.0)["change_inside"] is None
    everywhere = scorecard(image, image, layout, layout, ~nowhere, 0.0)
    assert everywhere["classes"] == {}
    assert everywhere["change_outside"] is None


def test_each_class_takes_on_the_colours_that_it_has_in_the_photo():
    skin, hair, hat = (FACE.id(name) for name in ("skin", "hair", "hat"))
    before = torch.full((1, 96, 96), skin)
    before[:, :, 48:] = hair
    after = before.clone()
    after[:, 40:60, 20:76] = hair  # hair over skin, and over hair
    after[:, :8] = hat  # which the photo does not show
    colours = {skin: (0.5, 0.2, 0.0), hair: (-0.6, -0.7, -0.8), hat: (0.9, 0.9, 0.9)}
    base, picture = torch.zeros(2, 1, 3, 96, 96)
    for label, colour in colours.items():
        base[0][:, before[0] == label] = torch.tensor(colour)[:, None]
        picture[0][:, after[0] == label] = -torch.tensor(colour)[:, None]
    matched = match_colours(picture, base, before, after)[0]
    for y, x, label in ((50, 34, hair), (50, 62, hair), (80, 20, skin), (90, 90, hair)):
        assert torch.allclose(matched[:, y, x], torch.tensor(colours[label]), atol=0.02)
    assert torch.equal(matched[:, 0, 0], picture[0, :, 0, 0])  # the hat, far from its rim


@settings(max_examples=10, deadline=None)
@given(rectangles, rectangles)
def test_a_picture_in_the_right_colours_keeps_them(one, two):
    layout = torch.where(drawn(one), 1, 13)
    after = torch.where(drawn(two), 4, layout)
    picture = torch.rand(1, 3, 48, 48) * 2 - 1
    assert torch.allclose(match_colours(picture, picture, layout, after), picture)
