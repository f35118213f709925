"""The values that travel between the painter's canvas and Python."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from semedit_lite.errors import InputError
from semedit_lite.labels import FACADES, FACE, IGNORE
from semedit_lite.ui.painter import decode_value, document_of, encode_value

SIZE = 16


def url(image: Image.Image, kind: str = "PNG") -> str:
    file = io.BytesIO()
    image.save(file, kind)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(file.getvalue()).decode()


def layouts(classes: int):
    """Layouts of at least two classes."""
    ids = arrays(np.uint8, (SIZE, SIZE), elements=st.integers(0, classes - 1))
    return ids.filter(lambda array: array.min() < array.max())


def face() -> torch.Tensor:
    return torch.arange(SIZE * SIZE).view(1, SIZE, SIZE) % len(FACE)


@settings(max_examples=20, deadline=None)
@given(layouts(len(FACE)), st.booleans())
def test_what_is_encoded_is_decoded_exactly(ids, fresh):
    layout = torch.from_numpy(ids.astype(np.int64))[None]
    value = encode_value(layout, fresh=fresh)
    assert torch.equal(decode_value(value, FACE, SIZE), layout)
    assert json.loads(value)["fresh"] is fresh


@settings(max_examples=20, deadline=None)
@given(layouts(len(FACADES)), st.sampled_from(["P", "L"]))
def test_a_plain_png_of_class_ids_is_a_value(ids, mode):
    image = Image.fromarray(ids, "L")
    if mode == "P":
        image = FACADES.to_pil(torch.from_numpy(ids))
    assert np.array_equal(decode_value(url(image), FACADES, SIZE)[0].numpy(), ids)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, SIZE * SIZE - 1), st.integers(len(FACE), 255))
def test_one_pixel_outside_the_set_is_refused(place, wrong):
    layout = face()
    layout.view(-1)[place] = wrong
    with pytest.raises(InputError, match="255" if wrong == IGNORE else "0 to 18"):
        decode_value(encode_value(layout), FACE, SIZE)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=20) | st.text(max_size=8).map('{{"layout": {}'.format))
def test_any_other_text_is_refused_with_a_sentence(text):
    with pytest.raises(InputError):
        decode_value(text, FACE, SIZE)


@pytest.mark.parametrize(
    "value",
    [
        "",
        encode_value(torch.zeros(1, SIZE, SIZE)),
        encode_value(torch.full((1, SIZE, SIZE), 13)),
    ],
    ids=["never painted", "background", "hair"],
)
def test_an_empty_canvas_is_refused(value):
    with pytest.raises(InputError, match="canvas is empty"):
        decode_value(value, FACE, SIZE)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (url(Image.new("L", (SIZE, SIZE + 1))), "16×17"),
        (url(Image.new("RGB", (SIZE, SIZE))), "colour picture"),
        (url(Image.new("RGB", (SIZE, SIZE)), "JPEG"), "sent as"),
        (url(FACE.to_pil(face()[0]))[:-40], "sent as|damaged"),
        ("https://example.org/layout.png", "sent as"),
        ('{"layout": 7}', "sent as"),
        ('{"layout": "", "document": 7}', "sent as"),
        ('{"a":' * 100_000, "sent as"),
        ("[]", "sent as"),
        (None, "sent as"),
    ],
    ids=[
        "size",
        "colour",
        "jpeg",
        "truncated",
        "address",
        "number",
        "document",
        "nested",
        "list",
        "none",
    ],
)
def test_other_input_is_refused_with_a_sentence(value, sentence):
    with pytest.raises(InputError, match=sentence):
        decode_value(value, FACE, SIZE)


def test_the_photo_travels_beside_the_layout():
    value = encode_value(face(), Image.new("RGB", (SIZE, SIZE), "red"), fresh=True)
    photo = base64.b64decode(json.loads(value)["photo"].split(",")[1])
    red, green, _ = Image.open(io.BytesIO(photo)).getpixel((3, 3))
    assert red > 240
    assert green < 15
    assert "photo" not in json.loads(encode_value(face()))
    assert torch.equal(decode_value(value, FACE, SIZE), face())


def test_the_document_of_a_value():
    value = encode_value(face(), fresh=True, document="one")
    assert document_of(value) == "one"
    assert document_of(encode_value(face())) is None
    assert document_of(url(FACE.to_pil(face()[0]))) is None
    assert document_of("") is None
