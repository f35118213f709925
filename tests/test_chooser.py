"""The values that travel between the photo on which a face is chosen and Python."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from semedit_lite.errors import InputError
from semedit_lite.faces.align import Frame
from semedit_lite.ui.chooser import LARGEST, SHOWN, SMALLEST, decode, encode

SIZE = (640, 400)
FOUND = 3
LONGEST = LARGEST * 640
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["face", "square", "cancel", "photo"]), inner, max_size=2)
    ),
    max_leaves=8,
)


def squares():
    return st.tuples(
        st.floats(0, SIZE[0]),
        st.floats(0, SIZE[1]),
        st.floats(SMALLEST, LONGEST),
        st.floats(-180, 180),
    )


def sentence(value, found: int = FOUND) -> str:
    with pytest.raises(InputError) as caught:
        decode(value, SIZE, found)
    message = str(caught.value)
    assert message.endswith((".", "}."))
    return message


@given(st.integers(0, FOUND - 1), st.booleans())
def test_a_face_is_its_index(face, text):
    value = {"face": face}
    assert decode(json.dumps(value) if text else value, SIZE, FOUND) == face


@given(squares())
def test_a_square_is_a_frame_of_that_centre_side_and_turn(numbers):
    x, y, side, degrees = numbers
    frame = decode(json.dumps({"square": numbers}), SIZE, 0)
    assert isinstance(frame, Frame)
    assert frame.a * (0.5 + 0.5j) + frame.b == pytest.approx(complex(x, y), abs=1e-6)
    right = frame.a  # from the upper left corner to the upper right one: clockwise, y is downwards
    assert abs(right) == pytest.approx(side)
    assert right / side == pytest.approx(np.exp(1j * np.radians(degrees)))


def test_whole_numbers_make_a_square_too():
    assert decode({"square": [320, 200, 100, 0]}, SIZE, 0) == Frame(100, 270 + 150j)


def test_cancelled_is_no_choice():
    assert decode('{"cancel": true}', SIZE, FOUND) is None


@settings(max_examples=300)
@given(ANYTHING, st.booleans())
@example({"square": [10**400, 10, 20, 0]}, False)
@example({"face": 10**400}, False)
def test_any_other_value_is_refused_with_a_sentence(value, text):
    """What is let through is a face that exists, a square within its limits, or `cancel`."""
    try:
        found = decode(json.dumps(value) if text else value, SIZE, FOUND)
    except InputError:
        return
    if found is None:
        assert value == {"cancel": True}
    elif isinstance(found, Frame):
        x, y, side, degrees = value["square"]
        assert 0 <= x <= SIZE[0]
        assert 0 <= y <= SIZE[1]
        assert SMALLEST <= side <= LONGEST
        assert abs(degrees) <= 180
    else:
        assert value == {"face": found}
        assert type(found) is int
        assert 0 <= found < FOUND


@pytest.mark.parametrize(
    "value",
    [
        "",
        "face",
        '{"a":' * 100_000,
        '{"face": ' + "9" * 5000 + "}",
        None,
        7,
        [],
        {},
        {"cancel": False},
        {"cancel": 1},
        {"face": 0, "cancel": True},
        encode(Image.new("RGB", SIZE)),
    ],
    ids=lambda value: str(value)[:12],
)
def test_what_is_no_choice_is_refused(value):
    assert "A choice is sent as" in sentence(value)


@pytest.mark.parametrize("face", [-1, FOUND, True, 1.0, "1", None, float("nan"), [0]], ids=str)
def test_a_face_that_does_not_exist_is_refused(face):
    assert "from 0 to 2" in sentence({"face": face})
    assert "lay a square" in sentence({"face": face}, 0)


@pytest.mark.parametrize(
    "square",
    [
        [320, 200, 0, 0],
        [320, 200, -50, 0],
        [320, 200, SMALLEST - 0.01, 0],
        [320, 200, LONGEST + 1, 0],
        [-0.01, 200, 100, 0],
        [640.01, 200, 100, 0],
        [320, 400.01, 100, 0],
        [320, 200, 100, 180.1],
        [float("nan"), 200, 100, 0],
        [320, 200, float("nan"), 0],
        [320, 200, float("inf"), 0],
        [320, 200, 100, float("nan")],
        [320, 200, 100],
        [320, 200, 100, 0, 0],
        [320, 200, True, 0],
        ["320", "200", "100", "0"],
        "1234",
        {"cx": 320},
        None,
    ],
    ids=str,
)
def test_a_square_that_cannot_be_cut_out_is_refused(square):
    for value in ({"square": square}, json.dumps({"square": square})):
        assert "from 0, 0 to 640, 400, its side is from 16 to 1920" in sentence(value)


def test_a_tiny_photo_has_squares_too():
    assert decode({"square": [2, 2, 4, 0]}, (4, 4), 0) == Frame(4, 0)


@pytest.mark.parametrize("size", [(2000, 1000), (500, 1500), (40, 30), (1, 1)])
def test_the_photo_travels_small_and_its_own_size_beside_it(size):
    photo = Image.new("RGB", size, "red")
    given = json.loads(encode(photo, [{"box": np.array([1, 2, 30, 40]), "score": 0.9}]))
    shown = Image.open(io.BytesIO(base64.b64decode(given["photo"].split(",")[1])))
    assert photo.size == tuple(given["size"]) == size  # the photo itself is as it was
    assert max(shown.size) == min(SHOWN, max(size))
    assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.01)
    assert shown.getpixel((0, 0))[0] > 240
    assert given["faces"] == [[1, 2, 30, 40]]
    low, high = given["sides"]
    for side in (low, high):
        assert decode({"square": [0, 0, side, 0]}, size, 0) is not None
