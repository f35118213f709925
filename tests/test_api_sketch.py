"""The Sketch tab through gradio_client: strokes, steps, files, bad input."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

gradio_client = pytest.importorskip("gradio_client")

from test_api import joined, pixels  # noqa: E402
from test_images import png_header  # noqa: E402

from semedit_lite import hub  # noqa: E402
from semedit_lite.editing.document import History  # noqa: E402
from semedit_lite.editing.strokes import Sketch  # noqa: E402
from semedit_lite.images import read_provenance  # noqa: E402
from semedit_lite.ui import app  # noqa: E402

WEIGHTS = ("face-finder", "face-parser", "mobilestylegan-ffhq", "sketchedit-faces-64")
pytestmark = pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in WEIGHTS),
    reason=f"the weights {', '.join(WEIGHTS)} are not all there",
)
AppError = gradio_client.exceptions.AppError
SMILE = ((92, 178), (108, 190), (128, 194), (148, 190), (166, 178))
BROW = ((70, 90), (90, 84), (110, 88))


@pytest.fixture(scope="module")
def address():
    sys.path.insert(0, str(Path(__file__).parent.parent / "demos"))
    demo = importlib.import_module("sketch")
    with app.blocks("Sketch") as page:
        demo.build(page.load)
    _, url, _ = app.launch(page, None, prevent_thread_lock=True, quiet=True)
    yield url
    page.close()


@pytest.fixture
def client(address):
    client = joined(address)
    ask(client, "generate", seed=24)
    return client


def ask(client, name, *inputs, **named):
    return client.predict(*inputs, **named, api_name=f"/sketch_{name}")


def stroke(at, **more) -> dict:
    return {
        "kind": "line",
        "width": 2,
        "points": [[x, y, 8 * k] for k, (x, y) in enumerate(at)],
    } | more


def canvas(*strokes) -> str:
    return json.dumps({"strokes": list(strokes)})


def test_every_endpoint_is_named_and_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    names = "generate random_face open choose_face redraw keep picture strokes open_strokes work"
    assert set(endpoints) == {f"/sketch_{name}" for name in [*names.split(), "open_work"]}
    for name, about in endpoints.items():
        assert len(about["description"]) > 40, name


def test_a_line_gives_a_region_a_picture_and_a_scorecard(client):
    _, before, *_ = ask(client, "generate", seed=24)
    value, result, scores = ask(client, "redraw", canvas(stroke(SMILE)))
    assert json.loads(value)["region"].startswith("data:image/png;base64,")
    difference = np.abs(pixels(result) - pixels(before)).max(2)
    rows, _ = (difference > 0).nonzero()
    assert len(rows)
    assert rows.min() > 130
    assert rows.max() < 240  # around the mouth, and nowhere else
    assert scores["change_inside"] > scores["change_outside"]
    assert 0 <= scores["lines"] <= 1


def test_nothing_drawn_leaves_the_picture_as_it_is(client):
    _, before, *_ = ask(client, "generate", seed=24)
    for value in ("", canvas()):
        _, result, scores = ask(client, "redraw", value)
        assert (pixels(result) == pixels(before)).all()
        assert scores["change_inside"] is None


def test_keep_goes_on_from_there(client):
    _, first, _ = ask(client, "redraw", canvas(stroke(SMILE)))
    value, kept, _ = ask(client, "keep")
    assert json.loads(value)["strokes"] == []
    assert (pixels(kept) == pixels(first)).all()
    _, second, _ = ask(client, "redraw", canvas(stroke(BROW)))
    mouth = np.s_[160:220, 80:180]
    assert (pixels(second)[mouth] == pixels(first)[mouth]).all()
    assert (pixels(second) != pixels(first)).any()
    fresh = joined(client.src)
    ask(fresh, "generate", seed=24)
    with pytest.raises(AppError, match="nothing to keep"):
        ask(fresh, "keep")


def test_a_work_has_the_strokes_of_each_step(client):
    ask(client, "redraw", canvas(stroke(SMILE)))
    _, two, _ = ask(client, "redraw", canvas(stroke(SMILE), stroke(BROW)))
    work = History.open(ask(client, "work"))
    assert [len(step.sketch.strokes) if step.sketch else 0 for step in work.steps] == [0, 1, 2]
    assert (np.asarray(work.current.picture) == pixels(two)).all()
    assert work.current.sketch.strokes[0].points[2] == (128, 194, 16)  # times are kept


def test_a_work_opens_with_its_strokes(client, address):
    ask(client, "redraw", canvas(stroke(SMILE)), threshold=0.3)
    file = ask(client, "work")
    other = joined(address)
    value, before, result, scores, threshold, seed = ask(
        other, "open_work", gradio_client.handle_file(file)
    )
    assert json.loads(value)["strokes"][0]["points"][0] == [92, 178, 0]
    assert (threshold, seed) == (0.3, 24)
    assert (pixels(before) != pixels(result)).any()
    assert scores["seconds"] > 0


def test_strokes_are_a_file_that_comes_back(client, address, tmp_path):
    drawing = canvas(stroke(SMILE), stroke(BROW, kind="add", width=20))
    file = ask(client, "strokes", drawing)
    sketch = Sketch.read(Path(file))
    assert [s.kind for s in sketch.strokes] == ["line", "add"]
    _, asked, _ = ask(client, "redraw", canvas(*sketch.records))
    other = joined(address)
    ask(other, "generate", seed=24)
    value, result, _ = ask(other, "open_strokes", gradio_client.handle_file(file))
    assert (pixels(result) == pixels(asked)).all()
    assert len(json.loads(value)["strokes"]) == 2
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    with pytest.raises(AppError, match="no strokes"):
        ask(other, "open_strokes", gradio_client.handle_file(wrong))
    with pytest.raises(AppError, match="no strokes yet"):
        ask(client, "strokes", canvas())


def test_the_picture_says_what_made_it(client):
    file = ask(client, "picture", canvas(stroke(SMILE)))
    about = read_provenance(Path(file))
    assert about["synthetic"] is True
    assert [step["tool"] for step in about["operations"]] == ["generate", "sketch"]


@pytest.mark.parametrize(
    "value",
    ["{", "[]", "7", '{"strokes": 3}', '{"strokes": [1]}', '{"strokes": [{"kind": "line"}]}',
     '{"strokes": [], "document": 5}', "data:image/png;base64,AAAA"],
)  # fmt: skip
def test_what_is_no_sketch_is_refused(client, value):
    with pytest.raises(AppError, match=r"A sketch is|no strokes"):
        ask(client, "redraw", value)
    assert ask(client, "redraw", canvas(stroke(SMILE)))[2]["seconds"] > 0  # the app is up


def test_strange_sketches_are_answered(client):
    dot = stroke([(128, 185)])
    off = stroke([(5, 5), (40, 8)])
    outside = stroke([(-200, -200), (900, 900)])
    against = [stroke(SMILE), stroke([(x, 372 - y) for x, y in SMILE])]
    for strokes in ([dot], [off], [outside], against):
        _, result, _ = ask(client, "redraw", canvas(*strokes))
        assert pixels(result).shape == (256, 256, 3)
    scribble = [stroke([(0, y), (255, y)], width=8) for y in range(4, 256, 10)]
    with pytest.raises(AppError, match="more than a sketch"):
        ask(client, "redraw", canvas(*scribble))
    with pytest.raises(AppError, match=r"from 0 to 1|less than|minimum|at least"):
        ask(client, "redraw", canvas(dot), threshold=-3)


def test_a_photo_without_a_face_or_too_large_is_a_sentence(client, tmp_path):
    path = tmp_path / "wall.png"
    Image.new("RGB", (400, 300), (120, 110, 100)).save(path)
    with pytest.raises(AppError, match="No face was found"):
        ask(client, "open", gradio_client.handle_file(path))
    path.write_bytes(png_header(20_000, 20_000))
    with pytest.raises(AppError, match="16 megapixels"):
        ask(client, "open", gradio_client.handle_file(path))
