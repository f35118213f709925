"""Where the square and the faces lie in a photo, apart from any page, against complex numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.faces.align import Frame
from semedit_lite.ui.chooser import HERE, SCRIPTS, decode

SIZE = [640, 400]
SIDES = [16, 1920]
quick = settings(max_examples=50, deadline=None)
points = st.builds(complex, st.floats(-200, 900), st.floats(-200, 700))
squares = st.fixed_dictionaries(
    {
        "x": st.floats(0, SIZE[0]),
        "y": st.floats(0, SIZE[1]),
        "side": st.floats(*SIDES),
        "degrees": st.floats(-180, 180),
    }
)


@pytest.fixture(scope="module")
def call(browser):
    """Calls a function of the geometry: complex numbers are points."""
    page = browser.new_page()
    page.add_script_tag(content=(HERE / SCRIPTS[0]).read_text(encoding="utf-8"))

    def plain(value):
        if isinstance(value, complex):
            return {"x": value.real, "y": value.imag}
        return [plain(each) for each in value] if isinstance(value, list) else value

    yield lambda name, *args: page.evaluate(f"args => {name}(...args)", plain(list(args)))
    page.close()


def frame_of(square: dict[str, float]) -> Frame:
    return Frame.square(complex(square["x"], square["y"]), square["side"], square["degrees"])


def at(frame: Frame, z: complex) -> complex:
    return frame.a * z + frame.b


@quick
@given(st.floats(0, 640), st.floats(0, 400), st.floats(0.05, 3), st.floats(-500, 500))
def test_a_pointer_is_over_the_point_of_the_photo_that_is_shown_there(call, x, y, zoom, corner):
    shown = {"left": corner, "top": -corner, "width": 640 * zoom, "height": 400 * zoom}
    event = {"clientX": corner + zoom * x, "clientY": zoom * y - corner}
    found = call("pointUnder", event, shown, SIZE)
    assert (found["x"], found["y"]) == pytest.approx((x, y), abs=1e-6)


@quick
@given(points, st.floats(-3000, 3000), st.floats(-2000, 2000))
def test_the_nearest_usable_square_is_one_that_python_takes(call, centre, side, degrees):
    given = {"x": centre.real, "y": centre.imag, "side": side, "degrees": degrees}
    found = call("usable", given, SIZE, SIDES)
    decode({"square": [found[key] for key in ("x", "y", "side", "degrees")]}, SIZE, 0)
    assert np.exp(1j * np.radians(found["degrees"] - degrees)) == pytest.approx(1, abs=1e-6)
    limits = {"x": (0, SIZE[0]), "y": (0, SIZE[1]), "side": SIDES}
    for key, (low, high) in limits.items():
        assert found[key] == min(high, max(low, given[key]))


@quick
@given(squares, st.complex_numbers(max_magnitude=3))
def test_a_point_as_the_square_sees_it(call, square, z):
    seen = call("seenFrom", square, at(frame_of(square), (z + 1 + 1j) / 2))
    assert complex(seen["x"], seen["y"]) == pytest.approx(z, abs=1e-6)


@quick
@given(squares, st.sampled_from([0, 1, 1j, 1 + 1j]), st.floats(0.1, 3))
def test_a_corner_that_is_pulled_comes_along_and_the_centre_stays(call, square, corner, factor):
    frame = frame_of(square)
    centre = at(frame, 0.5 + 0.5j)
    goal = centre + factor * (at(frame, corner) - centre)
    found = call("pulled", square, at(frame, corner), goal)
    assert at(frame_of(found), corner) == pytest.approx(goal, abs=1e-6)
    assert at(frame_of(found), 0.5 + 0.5j) == pytest.approx(centre, abs=1e-6)


@quick
@given(squares, st.lists(points, min_size=4, max_size=4))
def test_what_two_fingers_hold_stays_below_them(call, square, fingers):
    before, after = fingers[:2], fingers[2:]
    if abs(before[0] - before[1]) < 1 or abs(after[0] - after[1]) < 1:
        return
    frame, found = frame_of(square), frame_of(call("carried", square, before, after))
    for old, new in zip(before, after, strict=True):
        assert at(found, (old - frame.b) / frame.a) == pytest.approx(new, abs=1e-4)


@quick
@given(squares, points, points)
def test_one_finger_moves_the_square_and_no_more(call, square, before, after):
    found, moved = call("carried", square, [before], [after]), after - before
    expected = square | {"x": square["x"] + moved.real, "y": square["y"] + moved.imag}
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("degrees", [0, 30, -135])
@pytest.mark.parametrize("side", [200, 30])
def test_what_a_pointer_takes_hold_of(call, side, degrees):
    square = {"x": 320, "y": 200, "side": side, "degrees": degrees}
    frame, reach = frame_of(square), 20

    def grip(z: complex) -> str | None:
        return call("gripOf", square, at(frame, z), reach)

    for corner in (0, 1, 1j, 1 + 1j):
        out = (corner - 0.5 - 0.5j) / abs(corner - 0.5 - 0.5j)
        assert grip(corner + 0.9 * reach / side * out) == "corner"
        assert grip(corner + 1.1 * reach / side * out) is None
        assert grip(corner) == "corner"
    assert grip(0.5 + 0.5j) == grip(0.5 + 0.01j) == grip(0.6 + 0.4j) == "inside"
    assert grip(0.5 - 1j) is None


def box(x: float, y: float, half: float = 40) -> list[float]:
    return [x - half, y - half, x + half, y + half]


def test_faces_are_read_row_by_row(call):
    centres = [(500, 320), (100, 90), (320, 60), (90, 300), (540, 100), (300, 335)]
    boxes = [box(*centre) for centre in centres]
    assert call("readingOrder", boxes) == [1, 2, 4, 3, 5, 0]
    assert call("readingOrder", []) == []
    assert call("readingOrder", [box(400, 100), box(200, 130)]) == [1, 0]


def test_where_a_face_is_in_words(call):
    places = [[call("placeOf", box(x, y), SIZE) for x in (60, 320, 630)] for y in (30, 200, 399)]
    assert places == [
        ["top left", "top", "top right"],
        ["left", "centre", "right"],
        ["bottom left", "bottom", "bottom right"],
    ]
