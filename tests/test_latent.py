"""Searches in W+: the best is kept, they end when they should, a region is that of one edit."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.editing.latent import FLAT, WAIT, descend, flat, ramped, region_of_edit
from semedit_lite.labels import FACE_FINE
from semedit_lite.models.mobilestylegan import ROWS

START = torch.zeros(1, ROWS, 512)
PICTURE = torch.zeros(1, 3, 8, 8)


def search(values, steps=None, **options):
    """A descent whose losses are these values; the rows that each was computed of."""
    seen = []

    def loss_of(rows):
        seen.append(rows.detach().clone())
        value = values[len(seen) - 1]
        return rows.sum() * 0 + rows.mean() + value - rows.mean().detach(), PICTURE

    steps = len(values) - 1 if steps is None else steps
    return descend(loss_of, START, steps, lambda done: 0.1, **options), seen


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=12))
def test_the_best_iterate_is_kept(values):
    found, seen = search(values)
    losses = torch.tensor(found.losses)
    assert losses.tolist() == pytest.approx(values, abs=1e-5)
    assert torch.equal(found.rows, seen[found.best])
    assert found.losses[found.best] == losses.min()


def test_a_run_that_gets_worse_returns_where_it_was_best():
    found, seen = search([3.0, 2.0, 5.0, 6.0, 7.0])
    assert found.best == 1
    assert torch.equal(found.rows, seen[1])
    assert not torch.equal(found.rows, seen[-1])


def test_a_search_has_gradients_whoever_calls_it():
    with torch.no_grad():
        found, seen = search([3.0, 2.0, 5.0])
    assert found.losses == pytest.approx((3.0, 2.0, 5.0))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_number_ends_the_search_with_the_best_so_far(bad):
    found, seen = search([3.0, 2.0, bad, 1.0])
    assert found.losses == pytest.approx((3.0, 2.0))
    assert torch.equal(found.rows, seen[1])


def test_a_search_that_begins_with_no_number_stays_where_it_was():
    found, _ = search([math.nan, 1.0])
    assert found.losses == ()
    assert torch.equal(found.rows, START)


def test_stop_ends_a_search():
    told = []

    def on_step(step, loss, picture):
        told.append(step)

    found, _ = search([5.0 - k for k in range(5)], on_step=on_step, stop=lambda: len(told) == 3)
    assert told == [0, 1, 2]
    assert found.losses == pytest.approx((5.0, 4.0, 3.0))


def test_only_free_rows_move_and_pictures_come_now_and_then():
    pictures = []

    def loss_of(rows):
        return (rows - 1).square().mean(), PICTURE

    def on_step(step, loss, picture):
        pictures.append(picture is not None)

    found = descend(loss_of, START, 11, lambda done: 0.1, free=(0, 3), on_step=on_step)
    moved = found.rows.abs().sum(2)[0] > 0
    assert moved.nonzero()[:, 0].tolist() == [0, 3]
    assert [i for i, seen in enumerate(pictures) if seen] == [0, 5, 10, 11]


def test_a_flat_loss_ends_a_search_and_a_falling_one_does_not():
    falling = [0.99**k for k in range(3 * WAIT)]
    assert not any(flat(falling[:k]) for k in range(len(falling)))
    level = [1.0] * WAIT + [1 - FLAT / 2] * WAIT
    assert flat(level)
    assert not flat(level[:-1])
    found, _ = search([1.0] * 100)
    assert len(found.losses) == 2 * WAIT


def test_the_rate_ramps_up_and_down():
    rate = ramped(2.0)
    assert rate(0.0) < 0.5
    assert rate(0.5) == pytest.approx(2.0)
    assert rate(1.0) == pytest.approx(0.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sets(st.sampled_from(range(len(FACE_FINE))), min_size=1))
def test_a_region_holds_the_edit_and_what_is_near(seed, classes):
    generator = torch.Generator().manual_seed(seed)
    before = torch.randint(len(FACE_FINE), (1, 4, 4), generator=generator)
    before = before.repeat_interleave(16, 1).repeat_interleave(16, 2)
    after = before.clone()
    after[:, 20:30, 20:30] = next(iter(classes))
    inside = region_of_edit(before, after, sorted(classes))
    assert inside[(before != after)].all()
    # nothing that is farther than 5 pixels from any edited class
    edited = torch.isin(before, torch.tensor(sorted(classes)))
    edited = edited | torch.isin(after, torch.tensor(sorted(classes)))
    near = torch.nn.functional.max_pool2d(edited[:, None].float(), 11, 1, 5)[:, 0] > 0
    assert not (inside & ~near).any()


def test_of_ground_only_what_was_repainted_is_the_region():
    hair, skin, mouth = (FACE_FINE.id(name) for name in ("hair", "skin", "mouth"))
    before = torch.full((1, 64, 64), skin)
    before[:, :20] = hair
    after = before.clone()
    after[:, 20:24, :10] = hair
    inside = region_of_edit(before, after, [hair, skin])
    assert inside[:, 15:29, :15].all()
    assert inside.sum() == 14 * 15
    assert region_of_edit(before, before, [hair]).sum() == 0
    before[:, 40:44, 40:50] = mouth
    assert region_of_edit(before, before, [mouth]).sum() == 14 * 20


def test_each_edit_has_its_own_region():
    mouth, nose = FACE_FINE.id("mouth"), FACE_FINE.id("nose")
    layout = torch.ones(1, 64, 64, dtype=torch.long)
    layout[:, 40:44, 20:40], layout[:, 20:30, 25:30] = mouth, nose
    first = region_of_edit(layout, layout, [mouth])
    second = region_of_edit(layout, layout, [nose])
    assert first.any()
    assert second.any()
    assert not (first & second).any()
