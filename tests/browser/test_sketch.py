"""The Sketch tab of the Studio as a person uses it: draws, corrects the region, keeps, saves."""

import numpy as np
import pytest

from semedit_lite.editing.strokes import Sketch

from .studio import Studio

SMILE = ((92, 178), (108, 190), (128, 194), (148, 190), (166, 178))
BROW = ((70, 92), (90, 84), (112, 90))


class SketchTab(Studio):
    prefix = "sketch-"

    def tool(self, name: str) -> None:
        canvas = self.page.locator("#sketch-canvas")
        canvas.get_by_role("radio", name=name, exact=True).check(force=True)

    @property
    def green(self):
        """Where the region is shown."""
        return self.page.locator('#sketch-canvas [data-part="region"]')

    @property
    def steps(self) -> int:
        return self.page.locator("#sketch-history .step").count()

    def threshold(self, key: str) -> None:
        self.page.locator("#sketch-threshold input[type=range]").focus()
        self.page.keyboard.press(key)


@pytest.fixture
def tab(page, studio):
    page.goto(studio)
    page.get_by_role("tab", name="Sketch").click()
    page.locator("#sketch-result img").wait_for()
    page.wait_for_timeout(500)
    return SketchTab(page)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(2)


def test_a_line_redraws_what_it_is_about(tab):
    before = tab.picture("before")
    after = tab.changed(lambda: tab.stroke(*SMILE))
    rows, _ = changed(before, after).nonzero()
    assert 130 < rows.min() < rows.max() < 240
    assert tab.green.is_visible()
    tab.page.get_by_text("Lines followed").wait_for()
    assert tab.steps == 2
    back = tab.changed(tab.page.locator("#sketch-canvas").get_by_label("Undo").click)
    assert not changed(before, back).any()
    tab.page.wait_for_timeout(500)
    assert tab.green.is_hidden()


def test_brush_and_threshold_change_the_region_and_the_strokes_stay(tab):
    first = tab.changed(lambda: tab.stroke(*SMILE))
    tab.tool("Add to the region")
    added = tab.changed(lambda: tab.stroke((70, 60), (180, 60)))
    rows, _ = changed(first, added).nonzero()
    assert rows.min() < 70 < 170 < rows.max() or rows.max() < 90
    lower = tab.changed(lambda: tab.threshold("Home"))
    assert changed(added, lower).any()
    sketch = Sketch.read(tab.saved("Save strokes"))
    assert [stroke.kind for stroke in sketch.strokes] == ["line", "add"]


def test_keep_and_draw_on(tab):
    before = tab.picture("before")
    first = tab.changed(lambda: tab.stroke(*SMILE))
    tab.page.get_by_role("button", name="Keep this, and go on drawing").click()
    tab.page.wait_for_timeout(2500)
    assert tab.page.locator("#sketch-canvas").get_by_label("Undo").is_disabled()
    second = tab.changed(lambda: tab.stroke(*BROW))
    mouth = np.s_[165:215, 85:170]
    assert (second[mouth] == first[mouth]).all()
    assert (second[mouth] != before[mouth]).any()
    assert changed(first, second)[60:120].any()


def test_going_back_in_the_history_brings_the_strokes_back(tab):
    tab.changed(lambda: tab.stroke(*SMILE))
    tab.changed(lambda: tab.stroke(*BROW))
    tab.changed(tab.page.locator("#sketch-history .step").nth(1).click)
    tab.page.wait_for_timeout(500)
    assert len(Sketch.read(tab.saved("Save strokes")).strokes) == 1


def test_a_saved_work_opens_with_its_strokes(tab, pages, studio):
    after = tab.changed(lambda: tab.stroke(*SMILE))
    tab.page.locator("#sketch-history").scroll_into_view_if_needed()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("tabpanel").filter(has=tab.page.locator("#sketch-canvas")).get_by_role(
            "button", name="Save work"
        ).click()
    path = download.value.path()
    page = pages()
    page.goto(studio)
    page.get_by_role("tab", name="Sketch").click()
    page.locator("#sketch-result img").wait_for()
    page.wait_for_timeout(500)
    other = SketchTab(page)
    opened = other.changed(lambda: other.upload("sketch-open-work").set_input_files(path))
    assert (opened == after).all()
    assert len(Sketch.read(other.saved("Save strokes")).strokes) == 1


def test_an_example_comes_with_its_strokes(tab):
    gallery = tab.page.locator("#sketch-examples")
    gallery.scroll_into_view_if_needed()
    after = tab.changed(gallery.locator("img").first.click)
    tab.page.wait_for_timeout(500)
    assert changed(tab.picture("before"), after).any()
    assert tab.green.is_visible()
    assert Sketch.read(tab.saved("Save strokes")).strokes


def test_nothing_is_asked_of_the_outside_and_phones_see_all(browser, studio):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(studio)
    page.get_by_role("tab", name="Sketch").click()
    page.locator("#sketch-result img").wait_for(timeout=60_000)
    tab = SketchTab(page)
    page.locator("#sketch-canvas canvas").scroll_into_view_if_needed()
    tab.changed(lambda: tab.stroke(*SMILE))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert all(url.startswith((studio, "data:", "blob:")) for url in asked)
    context.close()
