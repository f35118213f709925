"""A part copied from another layout: what moves, what stays, what fills the gap."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semedit_lite.editing.parts import GROUND, PARTS, UNDER_HAIR, copy_part
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE

SKIN, HAIR, HAT, EARRING = (FACE.id(name) for name in ("skin", "hair", "hat", "ear_r"))
LAYOUT = arrays.arrays(
    np.int64, (7, 9), elements=st.sampled_from([0, SKIN, HAIR, HAT, EARRING, 8, 17])
)
PART = st.sampled_from([(HAIR,), (HAIR, HAT), (SKIN, 17)])


@settings(max_examples=200, deadline=None)
@given(LAYOUT, LAYOUT, PART)
def test_the_donors_part_takes_the_place_of_ones_own(mine, theirs, classes):
    layout, donor = torch.from_numpy(mine)[None], torch.from_numpy(theirs)[None]
    here, there = np.isin(mine, classes), np.isin(theirs, classes)
    if here.all() or not there.any():
        with pytest.raises(InputError):
            copy_part(layout, donor, classes)
        return
    result = copy_part(layout, donor, classes)
    assert result.shape == layout.shape
    assert result.dtype == layout.dtype
    found = result[0].numpy()
    assert np.array_equal(np.isin(found, classes), there)  # the part is the donor's, and no more
    assert np.array_equal(found[there], theirs[there])
    untouched = ~here & ~there
    assert np.array_equal(found[untouched], mine[untouched])
    ground = np.isin(mine, GROUND) & ~here
    rows, columns = np.nonzero(ground if ground.any() else ~here)
    for row, column in np.argwhere(here & ~there):  # the gap, by all distances
        if theirs[row, column] in UNDER_HAIR:
            assert found[row, column] == theirs[row, column]
            continue
        distance = (rows - row) ** 2 + (columns - column) ** 2
        nearest = distance == distance.min()
        assert found[row, column] in mine[rows[nearest], columns[nearest]]
    assert np.array_equal(layout[0].numpy(), mine)
    if not there.all():
        assert torch.equal(copy_part(result, donor, classes), result)
    if here.any():
        assert torch.equal(copy_part(layout, layout, classes), layout)


def test_a_face_does_not_grow_into_the_hair_it_loses():
    """Long hair becomes short: background where the donor has it, not skin, and no huge earring."""
    layout = torch.full((1, 8, 9), HAIR)
    layout[:, 2:, 3:6] = SKIN
    layout[:, 5, 2] = EARRING
    donor = torch.zeros(1, 8, 9, dtype=torch.long)
    donor[:, 1:, 3:6] = SKIN
    donor[:, 0, 3:6] = HAIR
    taken = copy_part(layout, donor, (HAIR,))
    assert torch.equal(taken[..., 3:6], donor[..., 3:6])
    assert (taken == EARRING).sum() == 1
    assert (taken[..., [0, 1, 7, 8]] == 0).all()


def test_a_part_is_named_and_made_of_classes_that_go_together():
    taken = [id for name, classes in PARTS.items() if name != "hat" for id in classes]
    assert len(taken) == len(set(taken))
    assert {FACE.classes[id] for id in range(len(FACE)) if id not in taken} == {
        "background",
        "skin",
    }
    for classes in PARTS.values():  # left and right are taken together
        assert all((a in classes) == (b in classes) for a, b in FACE.pairs)


def test_what_cannot_be_copied_is_a_sentence():
    face, bald = torch.full((1, 4, 4), SKIN), torch.zeros(1, 4, 4, dtype=torch.long)
    face[:, 0] = HAIR
    with pytest.raises(InputError, match="does not show this part"):
        copy_part(face, bald, (HAIR,))
    with pytest.raises(InputError, match="nothing but this part"):
        copy_part(torch.full_like(face, HAIR), face, (HAIR,))
