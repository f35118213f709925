"""The Studio as a person uses it: opens it, takes a face, repaints its hair, uploads a picture."""

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semedit_lite.labels import FACE

pytestmark = pytest.mark.browser

HAIR = FACE.id("hair")
KEEP = "Keep the picture where the layout is unchanged"


class Studio:
    """The page, and what it shows."""

    def __init__(self, page):
        self.page = page

    def picture(self, name: str) -> np.ndarray:
        """A picture on the page, (H, W, 3)."""
        address = self.page.locator(f"#{name} img").get_attribute("src")
        body = self.page.request.get(address).body()
        return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)

    def changed(self, act, name: str = "result") -> np.ndarray:
        """Does something that changes a picture; returns the new one."""
        image = self.page.locator(f"#{name} img")
        old = image.get_attribute("src") if image.count() else None
        act()
        deadline = time.monotonic() + 60
        while image.count() == 0 or image.get_attribute("src") == old:
            assert time.monotonic() < deadline, f"'{name}' does not change"
            self.page.wait_for_timeout(20)
        self.page.wait_for_timeout(300)  # nothing newer is under way
        return self.picture(name)

    def layout(self) -> np.ndarray:
        """The layout as the page saves it, (256, 256)."""
        return np.asarray(Image.open(self.saved("Save layout")))

    def saved(self, name: str) -> Path:
        with self.page.expect_download() as download:
            self.button(name).click()
        return download.value.path()

    def stroke(self, *points: tuple[float, float]) -> None:
        """Paints along points of the 256 x 256 layout."""
        box = self.page.locator("#canvas canvas").bounding_box()
        scale = box["width"] / 256
        for k, (x, y) in enumerate(points):
            self.page.mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=5)
            if k == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def choose(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check()


@pytest.fixture
def page(browser, studio):
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


@pytest.fixture
def opened(page, studio):
    """The Studio with the face of the first seed on its canvas."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(studio)
    page.locator("#result img").wait_for()
    view = Studio(page)
    view.asked = asked
    return view


def test_repainting_the_hair_changes_the_picture_there(opened):
    """Raw output: the mean absolute difference is at least five times that elsewhere."""
    first = opened.changed(opened.page.get_by_label(KEEP).uncheck)
    before = opened.layout()
    opened.choose("hair")
    for _ in range(6):
        opened.page.locator("#canvas canvas").press("]")  # a broader brush
    second = opened.changed(lambda: opened.stroke((90, 80), (130, 70), (165, 80)))
    repainted = opened.layout() != before
    assert (opened.layout()[repainted] == HAIR).all()
    assert repainted.mean() > 0.02
    difference = np.abs(second - first).mean(-1)
    assert difference[repainted].mean() >= 5 * difference[~repainted].mean()

    undone = opened.changed(opened.button("Undo").click)
    assert np.array_equal(undone, first)
    redone = opened.changed(opened.button("Redo").click)
    assert np.array_equal(redone, second)


def test_blended_nothing_else_changes(opened):
    first = opened.picture("result")
    assert np.array_equal(first, opened.picture("before"))
    opened.choose("hat")
    second = opened.changed(lambda: opened.stroke((90, 40), (170, 40)))
    difference = np.abs(second - first).max(-1)
    assert difference[34:46, 95:165].mean() > 5
    assert difference[80:].max() == 0


def test_a_picture_is_uploaded_painted_and_saved(opened, tmp_path):
    generated = opened.picture("before")
    Image.fromarray(generated.astype(np.uint8)).resize((500, 500)).save(tmp_path / "me.png")
    upload = opened.page.locator('input[type="file"]').first
    before = opened.changed(lambda: upload.set_input_files(tmp_path / "me.png"), "before")
    assert before.shape == (256, 256, 3)
    assert not np.array_equal(before, generated)
    opened.choose("hair")
    opened.changed(lambda: opened.stroke((100, 100), (150, 100)))
    saved = Image.open(opened.saved("Save picture"))
    assert saved.size == (500, 500)  # the whole photo, with the edit in it
    assert "synthetic" in saved.info["Description"].lower()
    assert opened.layout()[100, 125] == HAIR


def test_a_bad_upload_is_explained_and_the_drawing_kept(opened, tmp_path):
    opened.choose("hat")
    painted = opened.changed(lambda: opened.stroke((90, 40), (170, 40)))
    (tmp_path / "me.png").write_text("no picture at all")
    opened.page.locator('input[type="file"]').first.set_input_files(tmp_path / "me.png")
    opened.page.get_by_text("This is not a picture that can be read").wait_for()
    assert np.array_equal(opened.picture("result"), painted)
    assert opened.button("Undo").is_enabled()
    undone = opened.changed(opened.button("Undo").click)
    assert np.array_equal(undone, opened.picture("before"))


def test_styles_faces_and_examples(opened):
    opened.page.get_by_label(KEEP).uncheck()
    own = opened.picture("result")
    random = opened.changed(lambda: opened.choose("Random"))
    assert np.abs(random - own).mean() > 1
    before = opened.picture("before")
    another = opened.changed(opened.button("New face").click, "before")
    assert not np.array_equal(before, another)
    example = opened.changed(opened.page.locator("#examples button").first.click, "before")
    assert not np.array_equal(another, example)


def test_a_stroke_while_another_face_opens_does_not_land_on_it(opened):
    opened.choose("hat")
    opened.page.locator("#canvas canvas").scroll_into_view_if_needed()

    def quick():
        opened.button("New face").click()
        opened.stroke((90, 40), (170, 40))

    another = opened.changed(quick, "before")
    opened.page.wait_for_timeout(1500)  # a late answer to the stroke would have come
    assert np.array_equal(opened.picture("result"), another)


def test_the_style_of_another_photo_is_taken(opened, tmp_path):
    photo = 255 - opened.picture("before")
    Image.fromarray(photo.astype(np.uint8)).save(tmp_path / "style.png")
    opened.page.get_by_label(KEEP).uncheck()
    own = opened.picture("result")
    opened.choose("Another photo's")
    upload = opened.page.locator('input[type="file"]').nth(1)
    painted = opened.changed(lambda: upload.set_input_files(tmp_path / "style.png"))
    assert np.abs(painted - own).mean() > 5


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_says_synthetic_and_asks_nobody_else(opened, studio, width):
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.get_by_text("Pictures made here are synthetic").is_visible()
    opened.page.wait_for_timeout(500)
    outside = [url for url in opened.asked if not url.startswith((studio, "data:", "blob:"))]
    assert opened.asked
    assert not outside
