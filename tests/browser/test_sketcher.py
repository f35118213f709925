"""The canvas for sketches in a real browser: what reaches Python is what the pointer drew."""

import io
import json
import time

import numpy as np
import pytest
import torch
from PIL import Image

from semedit_lite.editing.strokes import Sketch, Stroke
from semedit_lite.ui.sketcher import decode_value, document_of, encode_value, sketcher

from .canvas import uncovered

SIZE = 64
LINE = [(x + 0.5, 30.5) for x in range(4, 61, 3)]  # the photo's own
PHOTO = Image.new("RGB", (SIZE, SIZE), (200, 60, 60))


def whole() -> torch.Tensor:
    region = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    region[..., 10:30, 10:50] = True
    return region


@pytest.fixture(scope="module")
def app():
    gradio = pytest.importorskip("gradio")
    received: list[str] = []
    start = encode_value(PHOTO, lines=[LINE], fresh=True, document="first")
    with gradio.Blocks() as blocks:
        canvas = sketcher(SIZE, value=start)
        canvas.input(received.append, canvas, trigger_mode="always_last", show_progress="hidden")
        other = Sketch((Stroke("line", 3, ((1, 2, 0), (30, 40, 9))),), (SIZE, SIZE))
        answers = {
            "region": encode_value(region=whole(), to="first"),
            "late": encode_value(region=whole(), to="gone"),
            "other": encode_value(sketch=other, document="second"),
            "fresh": encode_value(PHOTO, lines=[LINE], fresh=True, document="third"),
        }
        gradio.Button("read").click(received.append, canvas)
        for name, answer in answers.items():
            gradio.Button(name).click(lambda answer=answer: answer, None, canvas)
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    yield url, received
    blocks.close()


class Paper:
    """The canvas on a page, and the sketches that its app has received."""

    def __init__(self, page, received):
        self.page, self.received = page, received
        self.element = page.locator("canvas")

    def client(self, x, y):
        self.element.scroll_into_view_if_needed()
        box = self.element.bounding_box()
        scale = box["width"] / SIZE
        return box["x"] + x * scale, box["y"] + y * scale

    def sent(self, act) -> Sketch:
        before = len(self.received)
        act()
        deadline = time.monotonic() + 60
        while len(self.received) == before:
            said = self.page.locator('[data-part="status"]').inner_text()
            assert time.monotonic() < deadline, f"nothing was sent; the canvas says '{said}'"
            self.page.wait_for_timeout(10)
        return decode_value(self.received[-1], SIZE)

    def drag(self, *points) -> Sketch:
        def act():
            self.page.mouse.move(*self.client(*points[0]))
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*self.client(*point), steps=4)
                self.page.wait_for_timeout(15)
            self.page.mouse.up()

        return self.sent(act)

    def tool(self, name):
        self.page.get_by_role("radio", name=name, exact=True).check(force=True)

    def press(self, name) -> Sketch:
        return self.sent(self.page.get_by_role("button", name=name, exact=True).click)

    def inked(self) -> np.ndarray:
        """Where the canvas shows anything, as the screen has it."""
        picture = Image.open(io.BytesIO(self.element.screenshot())).convert("RGB")
        return np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX)).astype(int)


@pytest.fixture
def paper(browser, app):
    url, received = app
    context = browser.new_context(viewport={"width": 900, "height": 1000})
    page = context.new_page()
    page.goto(url)
    page.locator('img[data-part="photo"]').wait_for()
    uncovered(page)
    yield Paper(page, received)
    context.close()


def test_a_line_arrives_as_it_was_drawn_with_its_times(paper):
    sketch = paper.drag((10, 12), (30, 20), (50, 12))
    (stroke,) = sketch.strokes
    assert stroke.kind == "line"
    x, y, times = np.array(stroke.points).T
    assert len(x) >= 6
    assert (x[0], y[0]) == pytest.approx((10, 12), abs=0.3)
    assert (x[-1], y[-1]) == pytest.approx((50, 12), abs=0.3)
    assert y.max() == pytest.approx(20, abs=0.5)
    assert (np.diff(times) >= 0).all()
    assert 20 < times[-1] - times[0] < 20_000
    assert document_of(paper.received[-1]) == "first"
    shown = paper.inked()
    assert shown[19, 30].min() > 120  # white over the red photo
    assert shown[50, 50].tolist() == pytest.approx([200, 60, 60], abs=8)


def test_steps_can_be_taken_back_and_done_again(paper):
    paper.drag((10, 10), (50, 10))
    two = paper.drag((10, 20), (50, 20))
    assert len(two.strokes) == 2
    assert len(paper.press("Undo").strokes) == 1
    assert len(paper.press("Undo").strokes) == 0
    assert paper.press("Redo").strokes == two.strokes[:1]
    assert paper.press("Redo").strokes == two.strokes
    assert paper.press("Clear the canvas").strokes == ()
    assert paper.press("Undo").strokes == two.strokes


def test_a_stroke_after_undo_forgets_what_was_undone(paper):
    paper.drag((10, 10), (50, 10))
    paper.press("Undo")
    paper.drag((10, 40), (50, 40))
    assert paper.page.get_by_role("button", name="Redo").is_disabled()


def test_the_eraser_cuts_a_line_in_two(paper):
    paper.drag((8, 32), (56, 32))
    paper.tool("Eraser")
    left, right = sorted(paper.drag((32, 20), (32, 44)).strokes, key=lambda s: s.points[0][0])
    assert max(x for x, _, _ in left.points) < 31
    assert min(x for x, _, _ in right.points) > 33
    assert left.points[0][:2] == pytest.approx((8, 32), abs=0.3)
    assert right.points[-1][:2] == pytest.approx((56, 32), abs=0.3)
    assert len(paper.press("Undo").strokes) == 1


def test_colour_and_region_have_strokes_of_their_own(paper):
    paper.tool("Colour")
    paper.page.locator('input[type="color"]').fill("#20a040")
    coloured = paper.drag((10, 10), (50, 10))
    assert (coloured.strokes[0].kind, coloured.strokes[0].colour) == ("colour", "#20a040")
    paper.tool("Add to the region")
    paper.drag((10, 30), (50, 30))
    paper.tool("Take from the region")
    sketch = paper.drag((10, 50), (50, 50))
    assert [stroke.kind for stroke in sketch.strokes] == ["colour", "add", "remove"]
    paper.tool("Eraser")  # leaves the region alone
    paper.drag((20, 5), (20, 60))
    assert [s.kind for s in decode_value(paper.received[-1], SIZE).strokes[-2:]] == [
        "add",
        "remove",
    ]


def test_the_photos_own_line_is_pulled_where_it_is_gripped(paper):
    paper.tool("Pull at the photo's lines")
    sketch = paper.drag((20, 30), (20, 24))
    (stroke,) = sketch.strokes
    points = np.array(stroke.points)[:, :2]
    nearest = points[np.abs(points[:, 0] - 20).argmin()]
    assert nearest == pytest.approx((19.5, 24.5), abs=0.6)
    assert points[:, 0].max() < 45  # what is far stays, and is not drawn
    assert (points[:, 1] <= 30.6).all()


def test_keys_draw_too(paper):
    canvas = paper.element
    canvas.focus()
    for _ in range(3):
        paper.page.keyboard.press("Shift+ArrowLeft")
    paper.page.keyboard.down(" ")
    for _ in range(2):
        paper.page.keyboard.press("Shift+ArrowRight")
    (stroke,) = paper.sent(lambda: paper.page.keyboard.up(" ")).strokes
    assert stroke.points[0][:2] == pytest.approx((2, 32), abs=1)
    assert stroke.points[-1][:2] == pytest.approx((22, 32), abs=1)
    paper.page.keyboard.press("e")
    assert paper.page.get_by_role("radio", name="Eraser").is_checked()


def test_the_region_shows_and_a_late_answer_does_not(paper):
    area = paper.page.locator('[data-part="region"]')
    paper.page.get_by_role("button", name="late", exact=True).click()
    paper.page.wait_for_timeout(600)
    assert area.is_hidden()
    paper.page.get_by_role("button", name="region", exact=True).click()
    area.wait_for()
    paper.page.wait_for_timeout(300)
    shown = paper.inked()
    assert shown[20, 30, 1] > 100  # green over red
    assert shown[50, 30, 1] < 75
    assert shown[20, 56, 1] < 75


@pytest.mark.parametrize("answer", ["region", "late", "fresh"])
def test_after_an_answer_the_value_is_the_sketch(paper, answer):
    drawn = paper.drag((10, 10), (50, 10))
    paper.page.get_by_role("button", name=answer, exact=True).click()
    paper.page.wait_for_timeout(600)
    read = paper.sent(paper.page.get_by_role("button", name="read", exact=True).click)
    assert read.strokes == (() if answer == "fresh" else drawn.strokes)
    assert document_of(paper.received[-1]) == ("third" if answer == "fresh" else "first")


def test_strokes_from_python_are_a_step_and_a_fresh_picture_is_none(paper):
    paper.drag((10, 10), (50, 10))
    paper.page.get_by_role("button", name="other", exact=True).click()
    paper.page.wait_for_timeout(600)
    after = paper.drag((10, 50), (50, 50))
    assert len(after.strokes) == 2
    assert document_of(paper.received[-1]) == "second"
    paper.press("Undo")
    assert len(paper.press("Undo").strokes) == 1  # the line that was there before
    paper.page.get_by_role("button", name="fresh", exact=True).click()
    paper.page.wait_for_timeout(600)
    assert paper.page.get_by_role("button", name="Undo").is_disabled()
    assert len(paper.drag((10, 50), (50, 50)).strokes) == 1


def test_zooming_in_draws_where_the_pointer_is(paper):
    for _ in range(3):
        paper.page.get_by_role("button", name="Zoom in", exact=True).click()
    box = paper.element.bounding_box()
    stage = paper.page.locator(".sketcher .stage").bounding_box()
    assert box["width"] > 2 * stage["width"]
    middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2

    def act():
        paper.page.mouse.move(*middle)
        paper.page.mouse.down()
        paper.page.mouse.move(middle[0] + 60, middle[1], steps=5)
        paper.page.mouse.up()

    (stroke,) = paper.sent(act).strokes
    assert stroke.points[0][:2] == pytest.approx((32, 32), abs=0.5)
    assert stroke.points[-1][0] - 32 == pytest.approx(60 * SIZE / box["width"], abs=0.5)


@pytest.mark.parametrize("width", [390, 1280])
def test_everything_is_in_sight(browser, app, width):
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(app[0])
    page.locator('img[data-part="photo"]').wait_for()
    for name in ("Pen", "Take from the region", "Hand"):
        box = page.get_by_role("radio", name=name, exact=True).bounding_box()
        assert 0 <= box["x"] <= width - box["width"]
    for name in ("Undo", "Clear the canvas", "Zoom in"):
        box = page.get_by_role("button", name=name, exact=True).bounding_box()
        assert 0 <= box["x"] <= width - box["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert all(url.startswith((app[0], "data:", "blob:")) for url in asked)
    context.close()


def test_the_value_of_the_canvas_is_json_of_strokes(paper):
    paper.drag((10, 10), (50, 10))
    value = json.loads(paper.received[-1])
    assert set(value) == {"strokes", "document"}
    assert set(value["strokes"][0]) == {"kind", "width", "points"}
