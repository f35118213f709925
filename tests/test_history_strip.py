"""What the history strip shows of a step: a few words and a small picture."""

import base64
import io
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semedit_lite.editing.document import Document, History
from semedit_lite.labels import FACE
from semedit_lite.ui.history import LONGEST, THUMBNAIL, describe, encode_steps, thumbnail

OWN = {"tool": "paint", "model": "a", "style": {"kind": "own"}, "composite": True}
FACE_24 = Document(
    torch.zeros(1, 3, 64, 64), torch.ones(1, 64, 64), {"tool": "generate", "seed": 24}
)


def step(parent, *painted, **changes) -> Document:
    """A step whose layout has, row by row, classes painted into it."""
    layout = parent.layout
    for row, (name, pixels) in enumerate(painted):
        layout[0, row, :pixels] = FACE.id(name)
    return Document(parent.image, layout, OWN | changes, parent=parent)


def test_a_step_is_named_by_what_it_did():
    opened = Document(FACE_24.image, FACE_24.layout, {"tool": "open"})
    hair = step(FACE_24, ("hair", 30))
    for document, words in (
        (FACE_24, "Face 24"),
        (opened, "Opened"),
        (hair, "Hair painted"),
        (step(hair, ("nose", 5), ("hat", 40), ("eye_g", 20)), "Hat and glasses painted"),
        (step(hair, style={"kind": "seed", "seed": 7}), "Style 7"),
        (step(hair, style={"kind": "photo"}), "Another photo's style"),
        (step(step(hair, style={"kind": "photo"})), "Its own style"),
        (step(FACE_24, style={"kind": "seed", "seed": 0}), "Style 0"),
        (step(FACE_24, composite=False), "All of it painted"),
        (step(step(hair, composite=False)), "Kept where unchanged"),
        (step(hair, model="spade-faces-64"), "Model spade-faces-64"),
        (step(hair, tool="move"), "Move"),
    ):
        assert describe(document) == words


def test_a_step_of_the_sliders_is_named_by_what_moved():
    def slid(parent, refine=0, **values):
        operation = {"tool": "sliders", "values": values, "refine": refine}
        return Document(parent.image, parent.layout, operation, parent=parent)

    smile = slid(FACE_24, smile=1.25)
    both = slid(smile, smile=1.0, **{"brows-up": -0.5})
    parts = {"tool": "repaint parts", "classes": ["l_brow", "iris", "nose"]}
    for document, words in (
        (smile, "Smile 1.25"),
        (both, "2 sliders"),
        (slid(both, smile=1.0), "Brows up 0"),
        (slid(smile), "Smile 0"),
        (slid(both), "Sliders at 0"),
        (slid(both, 10, smile=1.0, **{"brows-up": -0.5}), "Sliders, refined"),
        (slid(FACE_24, 30, smile=0.5), "Smile 0.5, refined"),
        (
            Document(FACE_24.image, FACE_24.layout, parts, parent=smile),
            "Left brow and iris painted",
        ),
    ):
        assert describe(document) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(
    JSON,
    JSON | st.dictionaries(st.text(max_size=50), JSON | st.floats()),
    JSON,
    st.sampled_from(["paint", "generate", "sliders", "repaint parts"]) | JSON,
    st.booleans(),
)
def test_whatever_a_file_says_a_step_has_a_short_name(style, seed, model, tool, first):
    record = {"tool": tool, "style": style, "seed": seed, "model": model}
    record |= {"values": seed, "classes": style, "refine": model}
    parent = None if first else Document(FACE_24.image, FACE_24.layout, record)
    document = Document(FACE_24.image, FACE_24.layout, record, parent=parent)
    assert len(describe(document)) <= LONGEST


def test_a_small_picture_is_small():
    noise = Document(torch.rand(1, 3, 256, 256) * 2 - 1, torch.zeros(1, 256, 256), {})
    url = thumbnail(noise)
    assert len(url) < 8_000  # noise is the worst
    head, data = url.split(",")
    assert head == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (THUMBNAIL, THUMBNAIL)


@pytest.mark.parametrize("has", ["", "no JSON", "[]", '{"name": 3, "has": 1}', '{"name": "a"}'])
def test_a_strip_that_says_nothing_gets_all(has):
    history = History.start(step(FACE_24, ("hair", 30)))
    value = json.loads(encode_steps(history, history.opened, name="a", key=None, has=has))
    assert [each["parent"] for each in value["steps"]] == [None, 0]
    assert (value["first"], value["current"]) == (0, 0)


def test_a_strip_gets_only_what_it_lacks():
    history = History.start(step(FACE_24, ("hair", 30)))
    for count in (0, 1, 2, 9):
        has = json.dumps({"name": "a", "has": count})
        value = json.loads(encode_steps(history, history.current, name="a", key="k", has=has))
        assert len(value["steps"]) == max(0, 2 - count)
        assert value["current"] == 1
