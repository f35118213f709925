"""Sliders as files: nothing is lost, and nothing else is taken for one."""

import json
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from semedit_lite.editing.vectors import LARGEST, Edit, EditingVector
from semedit_lite.errors import InputError

MAP = torch.zeros(256, 256, dtype=torch.uint8)


def vector(**changes):
    delta = torch.randn(16, 512, generator=torch.Generator().manual_seed(0))
    edit = Edit(7, MAP, MAP + 1, 30, (2.0, 0.5))
    given = {
        "title": "Smile",
        "classes": ("mouth", "u_lip"),
        "delta": delta,
        "rows": (0, 1, 2),
        "range": (-2.0, 2.0),
        "generator": "abc",
        "edits": (edit,),
    }
    return EditingVector(**given | changes)


def test_a_file_holds_all_of_a_vector():
    one = vector()
    two = EditingVector.from_bytes(one.to_bytes(), "abc")
    assert torch.equal(one.delta, two.delta)
    for name in ("title", "classes", "rows", "range", "generator"):
        assert getattr(one, name) == getattr(two, name)
    assert two.edits[0].record == one.edits[0].record
    assert torch.equal(two.edits[0].after, MAP + 1)
    assert two.ids == (10, 11)


def test_one_for_another_generator_is_refused_by_its_name():
    with pytest.raises(InputError, match="'Smile' was made for another generator"):
        EditingVector.from_bytes(vector().to_bytes(), "xyz")


NAN = torch.full((16, 512), torch.nan)


@pytest.mark.parametrize(
    "changes",
    [
        {"delta": NAN},
        {"delta": torch.zeros(16, 512)},
        {"delta": torch.full((16, 512), 50.0)},
        {"delta": torch.randn(18, 512)},
        {"title": ""},
        {"title": "x" * 41},
        {"title": "a\nb"},
        {"range": (1.0, 2.0)},
        {"range": (-99.0, 2.0)},
        {"rows": (16,)},
        {"rows": ()},
        {"classes": ("wings",)},
        {"classes": ()},
        {"edits": (Edit(-1, MAP, MAP, 30, (2.0, 0.5)),)},
        {"edits": (Edit(1, MAP, MAP + 200, 30, (2.0, 0.5)),)},
        {"edits": (Edit(1, MAP[:9], MAP[:9], 30, (2.0, 0.5)),)},
        {"edits": (Edit(1, MAP, MAP, 30, (2.0,)),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_cannot_move_a_face_is_refused(changes):
    with pytest.raises(InputError, match="no slider or is damaged"):
        EditingVector.from_bytes(vector(**changes).to_bytes())


def test_other_files_are_refused():
    tensors = load(vector().to_bytes())
    about = {"about": json.dumps({"format": "semedit slider 1", "title": "x"})}
    for data in (
        b"",
        b"PK\x03\x04",
        save(tensors),
        save(tensors, about),
        save(tensors, {"about": "[" * 100_000}),
        b"\xff" * 64,
        bytes(LARGEST + 1),
    ):
        with pytest.raises(InputError, match="no slider or is damaged"):
            EditingVector.from_bytes(data)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200_000), st.integers(0, 255))
def test_a_cut_off_or_damaged_file_is_a_vector_or_refused(place, byte):
    data = vector().to_bytes()
    with pytest.raises(InputError):
        EditingVector.from_bytes(data[: min(place, len(data) - 1)])
    hurt = bytearray(data)
    hurt[place % len(data)] = byte
    with suppress(InputError):
        EditingVector.from_bytes(bytes(hurt))
