"""A part copied from another layout: what moves, what stays, what fills the gap."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semedit_lite.editing.parts import PARTS, copy_part
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE

SKIN, HAIR, HAT = FACE.id("skin"), FACE.id("hair"), FACE.id("hat")
LAYOUT = arrays.arrays(np.int64, (7, 9), elements=st.sampled_from([0, SKIN, HAIR, HAT, 17]))
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
    rows, columns = np.nonzero(~here)
    for row, column in np.argwhere(here & ~there):  # the gap, by all distances
        distance = (rows - row) ** 2 + (columns - column) ** 2
        nearest = distance == distance.min()
        assert found[row, column] in mine[rows[nearest], columns[nearest]]
    assert np.array_equal(layout[0].numpy(), mine)
    if not there.all():
        assert torch.equal(copy_part(result, donor, classes), result)
    if here.any():
        assert torch.equal(copy_part(layout, layout, classes), layout)


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
