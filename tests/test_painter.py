"""The values that travel between the painter's canvas and Python, and the colours it shows."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from semedit_lite.data.labelled import labelled_seeds, layout_path
from semedit_lite.errors import InputError
from semedit_lite.labels import FACADES, FACE, FACE_FINE, IGNORE, LabelSet
from semedit_lite.ui.painter import decode_value, document_of, encode_value, painter

SIZE = 16
LAYOUTS = sorted((Path(__file__).parent.parent / "demos" / "layouts").glob("*.png"))


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


def touching(paths: list[Path], labels: LabelSet) -> np.ndarray:
    """Pairs of classes (K, 2), lower id first, that touch in at least two of the layouts."""
    found = np.zeros((len(labels), len(labels)), dtype=int)
    for path in paths:
        ids = np.asarray(Image.open(path))  # (H, W)
        beside = np.zeros_like(found)
        for a, b in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
            np.add.at(beside, (np.minimum(a, b), np.maximum(a, b)), 1)
        found += beside >= 4  # a stray pixel is no border
    return np.argwhere(np.triu(found >= 2, 1))


# What eyes without one of the three cones see, in linear sRGB (Machado et al. 2009, severity 1).
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def oklab(colours, eye: str) -> np.ndarray:
    """sRGB 0 to 255 (K, 3) -> OKLab (K, 3), as `eye` sees it (bottosson.github.io/posts/oklab)."""
    c = np.array(colours) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(EYES[eye]).T).clip(0, 1)
    cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(linear @ np.transpose(cones)) @ np.transpose(lab)


LABELLED = [layout_path(seed) for seed in labelled_seeds()]


@pytest.mark.parametrize(("labels", "paths"), [(FACE, LAYOUTS), (FACE_FINE, LABELLED)])
@pytest.mark.parametrize("eye", EYES)
def test_colours_that_are_safe_are_far_apart_where_classes_touch(eye, labels, paths):
    """0.15 in OKLab is the difference between a grey and one a sixth lighter; ordinary colours come
    as near as 0.013."""
    pairs = touching(paths, labels)
    assert len(pairs) > 30
    seen = oklab(labels.contrast, eye)
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1)  # (K, K)
    near = {(labels.titles[a], labels.titles[b]) for a, b in pairs if apart[a, b] < 0.15}
    assert not near
    assert apart[np.triu_indices(len(labels), 1)].min() > 0.05  # none is ever taken for another


def test_the_painter_is_given_what_its_label_set_has():
    face, facades = painter(FACE, SIZE).props, painter(FACADES, SIZE).props
    assert face["pairs"] == FACE.pairs
    assert [tuple(each["contrast"]) for each in face["classes"]] == list(FACE.contrast)
    assert not any(each["contrast"] for each in facades["classes"])
