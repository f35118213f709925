"""Sketches as files and as rasters."""

import json
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.editing.strokes import KINDS, MAX_POINTS, MAX_STROKES, Sketch, Stroke
from semedit_lite.editing.tracing import chains
from semedit_lite.errors import InputError
from semedit_lite.evaluation.report import ROOT

numbers = st.floats(-200, 400, allow_nan=False, width=32)
points = st.lists(st.tuples(numbers, numbers, st.integers(0, 10**9)), min_size=1, max_size=12)


@st.composite
def strokes(draw):
    kind = draw(st.sampled_from(KINDS))
    colour = draw(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)) if kind == "colour" else None
    return Stroke(kind, draw(st.floats(0, 100)), tuple(draw(points)), colour)


sketches = st.builds(
    lambda drawn, frame: Sketch(tuple(drawn), (256, 192), frame),
    st.lists(strokes(), max_size=6),
    st.sampled_from(("face", "photo")),
)


def line(*at, width=2.0, kind="line", colour=None) -> Stroke:
    return Stroke(kind, width, tuple((x, y, 0) for x, y in at), colour)


@given(sketches)
@settings(deadline=None, max_examples=60)
def test_a_file_gives_the_same_sketch_again(sketch):
    assert Sketch.read(sketch.to_json()) == sketch
    assert Sketch.read(sketch.to_json().encode()) == sketch


@given(sketches, st.sampled_from((16, 64, 100)))
@settings(deadline=None, max_examples=60)
def test_rasters_say_what_is_drawn(sketch, side):
    drawn = sketch.tensor(side)
    assert drawn.shape == (1, 5, side, side)
    lines, where, colour = drawn[:, :1], drawn[:, 1:2], drawn[:, 2:]
    assert torch.equal(lines > 0, sketch.mask(("line",), side))
    assert torch.equal(where > 0, sketch.mask(("colour",), side))
    assert (colour * (1 - where) == 0).all()
    assert colour.abs().max() <= 1


@given(sketches)
@settings(deadline=None, max_examples=40)
def test_corrections_change_a_region_where_they_are_and_nowhere_else(sketch):
    for value in (False, True):
        region = torch.full((1, 1, 64, 64), value)
        touched = sketch.mask(("add", "remove"), 64)
        corrected = sketch.corrected(region)
        assert torch.equal(corrected[~touched], region[~touched])
        added, removed = sketch.mask(("add",), 64), sketch.mask(("remove",), 64)
        assert corrected[added & ~removed].all()
        assert not corrected[removed & ~added].any()


def test_the_later_correction_counts():
    add, remove = (line((20, 128), (230, 128), width=40, kind=kind) for kind in ("add", "remove"))
    empty = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    assert Sketch((remove, add)).corrected(empty).any()
    assert not Sketch((add, remove)).corrected(empty).any()


def test_a_thin_line_has_a_pixel_of_width_at_any_size():
    sketch = Sketch((line((10, 128), (246, 128), width=0.5),))
    for side in (32, 64, 256):
        rows = sketch.mask(("line",), side)[0, 0].any(1).nonzero().flatten().tolist()
        assert rows in ([side // 2 - 1], [side // 2])


def test_a_dot_is_a_pixel():
    assert Sketch((line((100, 100)),)).mask(("line",), 64).sum() == 1


@given(st.floats(0.2, 4), st.floats(-50, 50))
@settings(deadline=None, max_examples=30)
def test_strokes_go_with_the_picture_when_it_is_moved_and_scaled(scale, shift):
    there = torch.tensor([[scale, 0, shift], [0, scale, -shift]])
    sketch = Sketch((line((40, 50), (90, 60), width=8),))
    (moved,) = sketch.through(there, (512, 512)).strokes
    assert moved.width == pytest.approx(8 * scale, rel=1e-4)
    x, y, _ = moved.points[0]
    assert (x, y) == pytest.approx((40 * scale + shift, 50 * scale - shift), abs=1e-3)
    assert sketch.through(there, (512, 512)).size == (512, 512)


def test_resizing_scales_with_the_picture():
    sketch = Sketch((line((128, 64), (200, 64)),)).resized((512, 128))
    assert sketch.strokes[0].points[0][:2] == pytest.approx((256, 32))


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "7", '{"size": [256, 256]}', '{"size": [0, 1], "strokes": []}',
        '{"size": [256, 256], "strokes": {}}', '{"size": [256, 256], "strokes": [3]}',
        '{"size": [256, 256], "strokes": [], "frame": "wall"}', "{" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_sketch_is_refused(text):
    with pytest.raises(InputError, match="no strokes"):
        Sketch.read(text)


GOOD = {"kind": "line", "width": 2, "points": [[1, 2, 3]]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "scribble"}, {"kind": None}, {"width": -1}, {"width": "2"}, {"points": []},
        {"points": [[1, 2]]}, {"points": [[1, 2, 3, 4]]}, {"points": [[1, float("nan"), 3]]},
        {"points": [[1, 1e9, 3]]}, {"points": "abc"}, {"colour": "#ff0000"},
        {"points": [[True, 1, 1]]},
        {"kind": "colour"}, {"kind": "colour", "colour": "red"}, {"kind": "colour", "colour": 7},
    ],
)  # fmt: skip
def test_strokes_that_are_none_are_refused(wrong):
    record = {**GOOD, **wrong}
    text = json.dumps({"size": [256, 256], "strokes": [record]})
    with pytest.raises(InputError, match="no strokes"):
        Sketch.read(text)


def test_too_much_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="strokes; draw fewer"):
        Sketch.of([GOOD] * (MAX_STROKES + 1), (256, 256))
    long = {**GOOD, "points": [[1, 2, 3]] * (MAX_POINTS // 2 + 1)}
    with pytest.raises(InputError, match="points; draw less"):
        Sketch.of([long, long], (256, 256))


def test_a_sketch_that_only_takes_away_asks_for_nothing():
    assert not Sketch()
    assert not Sketch((line((1, 1), kind="remove"),))
    assert Sketch((line((1, 1), kind="add"),))


FILES = sorted((ROOT / "demos" / "strokes").glob("*.json")) + sorted(
    (ROOT / "tests" / "strokes").glob("*.json")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_strokes_that_people_drew_are_strokes_with_times(path):
    sketch = Sketch.read(path)
    assert sketch
    assert sketch.frame == "face"
    for stroke in sketch.strokes:
        times = [time for *_, time in stroke.points]
        assert times == sorted(times)
        assert 50 < times[-1] - times[0] < 60_000


def test_every_example_has_its_strokes():
    faces = {path.stem for path in (ROOT / "demos" / "faces").glob("*.jpg")}
    assert faces == {path.stem for path in (ROOT / "demos" / "strokes").glob("*.json")}
    assert len(FILES) >= 40


def test_chains_follow_lines():
    lines = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    lines[..., 5, 3:33] = True
    lines[..., 10:30, 20] = True
    lines[..., 35, 35] = True  # a speck
    found = chains(lines)
    assert len(found) == 2
    for chain in found:
        for x, y in chain:
            assert lines[0, 0, int(y), int(x)]
        far = [max(abs(a - c), abs(b - d)) for (a, b), (c, d) in pairwise(chain)]
        assert max(far) <= 3
    ends = {tuple(sorted((chain[0], chain[-1]))) for chain in found}
    assert ends == {((3.5, 5.5), (32.5, 5.5)), ((20.5, 10.5), (20.5, 29.5))}
