"""The Sketch editor: what it redraws, and what it leaves alone."""

import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from semedit_lite import hub
from semedit_lite.data.sketches import grown
from semedit_lite.editing.compositing import halo
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.editor import Editor
from semedit_lite.editing.sketch import Redraw, SketchEditor, agreement, ground
from semedit_lite.editing.strokes import Sketch, Stroke
from semedit_lite.errors import InputError
from semedit_lite.images import to_pil

WEIGHTS = ("face-parser", "mobilestylegan-ffhq", "sketchedit-faces-64")
pytestmark = pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in WEIGHTS),
    reason=f"the weights {', '.join(WEIGHTS)} are not all there",
)
SEED, SIZE = 1_000_003, 256
SMILE = ((92, 178), (108, 190), (128, 194), (148, 190), (166, 178))


@pytest.fixture(scope="module")
def editor():
    return SketchEditor("sketchedit-faces-64")


@pytest.fixture(scope="module")
def face(editor):
    return editor.generate(SEED)


def drawn(*at, kind="line", width=2.0, colour=None) -> Stroke:
    return Stroke(kind, width, tuple((x, y, 0) for x, y in at), colour)


def sketch(*strokes) -> Sketch:
    return Sketch(strokes, (SIZE, SIZE))


def pixels(document: Document) -> np.ndarray:
    return np.asarray(document.picture).astype(int)


def test_it_is_an_editor(editor):
    assert isinstance(editor, Editor)


def test_a_line_redraws_a_region_around_it(editor, face):
    operation = Redraw(sketch(drawn(*SMILE)))
    region = editor.region(face, operation)
    assert region.dtype == torch.bool
    assert region.shape == (1, 1, SIZE, SIZE)
    assert 0.005 < region.float().mean() < 0.25
    line = operation.sketch.mask(("line",), SIZE)
    assert region[line].float().mean() > 0.5
    after = editor.apply(face, operation)
    assert after.parent is face
    assert torch.equal(after.region, region[:, 0])
    assert after.sketch is operation.sketch
    assert after.operation["tool"] == "sketch"
    assert after.operation["strokes"] == 1
    scores = after.scores
    assert scores["change_inside"] > 3 > scores["change_outside"]
    assert scores["identity"] > 0.5
    assert 0 <= scores["lines"] <= 1
    assert scores["seconds"] > 0


place = st.integers(-20, 275)
points = st.lists(st.tuples(place, place), min_size=1, max_size=4)
strokes = st.lists(
    st.builds(
        lambda at, kind, width: drawn(
            *at, kind=kind, width=width, colour="#30a020" if kind == "colour" else None
        ),
        points,
        st.sampled_from(("line", "line", "colour", "add", "remove")),
        st.sampled_from((1, 2, 8, 24)),
    ),
    max_size=4,
)


@given(strokes, st.sampled_from((0.2, 0.5, 0.9)))
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_beyond_region_and_halo_every_pixel_stays(editor, face, drawing, threshold):
    operation = Redraw(sketch(*drawing), threshold)
    region = editor.region(face, operation)
    after = editor.apply(face, operation)
    reach = grown(region, halo(SIZE, SIZE))[0, 0].numpy()
    assert (pixels(after) == pixels(face))[~reach].all()
    if not region.any():
        assert (pixels(after) == pixels(face)).all()


def test_a_lower_threshold_makes_the_region_larger(editor, face):
    drawing = sketch(drawn(*SMILE))
    found = [editor.region(face, Redraw(drawing, threshold)) for threshold in (0.1, 0.5, 0.9)]
    for larger, smaller in pairwise(found):
        assert not (smaller & ~larger).any()
    assert found[0].sum() > found[2].sum()
    with pytest.raises(InputError, match="from 0 to 1"):
        editor.region(face, Redraw(drawing, 1.5))


def test_the_brush_has_the_last_word_on_the_region(editor, face):
    brow = drawn((60, 60), (110, 60), kind="add", width=20)
    added = editor.region(face, Redraw(sketch(drawn(*SMILE), brow)))
    assert added[0, 0, 60, 60:110].all()
    wipe = drawn((0, 128), (255, 128), kind="remove", width=300)
    assert not editor.region(face, Redraw(sketch(drawn(*SMILE), wipe))).any()


def test_a_region_of_its_own_is_taken_as_it_is(editor, face):
    own = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    own[..., 40:80, 100:160] = True
    operation = Redraw(sketch(drawn(*SMILE)), region=own)
    assert torch.equal(editor.region(face, operation), own)
    assert torch.equal(editor.apply(face, operation).region, own[:, 0])


def test_lines_may_come_as_a_picture(editor, face):
    drawing = sketch(drawn(*SMILE))
    lines = drawing.mask(("line",), SIZE)
    one = editor.region(face, Redraw(drawing))
    other = editor.region(face, Redraw(Sketch(), lines=lines))
    both = (one & other).sum() / (one | other).sum()
    assert both > 0.7


def test_strokes_are_one_sketch_on_the_picture_that_was_opened(editor, face):
    first, second = drawn(*SMILE), drawn((70, 90), (90, 84), (110, 88))
    one = editor.apply(face, Redraw(sketch(first)))
    two = editor.apply(one, Redraw(sketch(first, second)))
    at_once = editor.apply(face, Redraw(sketch(first, second)))
    assert ground(two) is face
    assert (pixels(two) == pixels(at_once)).all()
    back = editor.apply(two, Redraw(sketch()))
    assert (pixels(back) == pixels(face)).all()


def test_what_is_kept_is_drawn_on(editor, face):
    one = editor.apply(face, Redraw(sketch(drawn(*SMILE))))
    kept = editor.keep(one)
    assert ground(kept) is kept
    assert (pixels(kept) == pixels(one)).all()
    two = editor.apply(kept, Redraw(sketch(drawn((70, 90), (90, 84), (110, 88)))))
    assert (two.region & one.region).sum() == one.region.sum()  # of both
    outside = ~grown(two.region[None] & ~one.region[None], halo(SIZE, SIZE))[0, 0].numpy()
    assert (pixels(two) == pixels(kept))[outside & ~two.region[0].numpy()].all()


def test_a_saved_work_has_its_strokes(editor, face, tmp_path):
    one = editor.apply(face, Redraw(sketch(drawn(*SMILE), drawn((30, 40), kind="add", width=9))))
    two = editor.apply(editor.keep(one), Redraw(sketch(drawn((70, 90), (90, 84)))))
    path = tmp_path / "work.semedit"
    History.start(two).save(path)
    steps = History.open(path).current.chain
    for before, after in zip(two.chain, steps, strict=True):
        assert (pixels(before) == pixels(after)).all()
        assert after.sketch == before.sketch
        assert after.scores == before.scores


def test_scribbling_all_over_is_refused(editor, face):
    rows = [drawn((0, y), (255, y), width=8) for y in range(4, 256, 10)]
    with pytest.raises(InputError, match="more than a sketch"):
        editor.region(face, Redraw(sketch(*rows)))


def test_a_photo_comes_back_whole(editor):
    head = to_pil(editor.generator.sample([SEED], size=256, truncation=0.7)[0].clamp(-1, 1))
    page = Image.new("RGB", (700, 500), (90, 120, 150))
    page.paste(head.resize((360, 360)), (200, 80))
    file = io.BytesIO()
    page.save(file, "PNG")
    document = editor.open(file.getvalue())
    after = editor.apply(document, Redraw(sketch(drawn(*SMILE))))
    before, whole = np.asarray(page).astype(int), np.asarray(after.whole).astype(int)
    assert whole.shape == before.shape
    changed = (before != whole).any(2)
    assert changed.any()
    rows, columns = changed.nonzero()
    assert rows.min() > 80
    assert columns.min() > 200
    assert changed.mean() < 0.2


def test_no_face_is_a_sentence(editor):
    with pytest.raises(InputError, match="No face was found"):
        editor.open(Image.new("RGB", (300, 300), (120, 130, 140)))


def test_agreement_counts_lines_that_are_beside():
    found = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    found[..., 64, 10:60] = True
    near, far = torch.zeros_like(found), torch.zeros_like(found)
    near[..., 65, 10:60] = True
    far[..., 90, 10:60] = True
    assert agreement(near, found) == 1
    assert agreement(far, found) == 0
    assert agreement(near | far, found) == 0.5
    assert agreement(found & False, found) is None


def test_own_lines_are_there_to_pull_at(editor, face):
    lines = editor.lines(face)
    assert len(lines) > 10
    mouth = (face.layout[0] == 11).nonzero().float().mean(0)  # upper lip: row, column
    nearest = min(abs(x - mouth[1]) + abs(y - mouth[0]) for line in lines for x, y in line)
    assert nearest < 10
