"""The Sliders tab as a person uses it: drags, lets go, paints parts, stops, saves a slider."""

import time
from itertools import pairwise

import numpy as np
import pytest
from standin import StandIn, vector

from semedit_lite.labels import FACE_FINE

from .studio import Studio

pytestmark = pytest.mark.browser

HAT, HAIR = FACE_FINE.id("hat"), FACE_FINE.id("hair")


class Sliders(Studio):
    """The tab, and its stand-in for an editor."""

    prefix = "sliders-"

    def __init__(self, page, standin):
        super().__init__(page)
        self.standin = standin
        self.steps = page.locator("#sliders-history .step")

    def settles(self, *names: str) -> None:
        """Waits until the history has these steps, of which the last is marked."""
        deadline = time.monotonic() + 60
        found = None
        while found != [f"Step {k}: {name}" for k, name in enumerate(names, 1)]:
            assert time.monotonic() < deadline, found
            self.page.wait_for_timeout(20)
            found = [step.get_attribute("aria-label") for step in self.steps.all()]
        assert self.steps.last.get_attribute("aria-current") == "step"

    def slider(self, name: str):
        return self.page.get_by_role("slider", name=name, exact=True)

    def grab(self, name: str, *places: float) -> None:
        """Presses on a slider and moves it to places of its range, 0 to 1."""
        self.slider(name).scroll_into_view_if_needed()
        box = self.slider(name).bounding_box()
        middle = box["y"] + box["height"] / 2
        for k, place in enumerate(places):
            self.page.mouse.move(box["x"] + 8 + place * (box["width"] - 16), middle, steps=4)
            if k == 0:
                self.page.mouse.down()

    def drag(self, name: str, *places: float) -> None:
        self.grab(name, 0.5, *places)
        self.page.mouse.up()

    @property
    def bar(self):
        return self.page.locator("#sliders-progress .progress")

    def paint(self, name: str, row: int) -> None:
        self.page.locator("#sliders-canvas").get_by_role("radio", name=name, exact=True).check()
        self.page.locator("#sliders-canvas canvas").scroll_into_view_if_needed()
        self.stroke((100, row), (150, row))


@pytest.fixture
def view(page, sliders_tab, standin):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(sliders_tab[1])
    page.locator("#sliders-result img").wait_for()
    view = Sliders(page, standin)
    view.asked = asked
    view.settles("Face 24")
    return view


def value(view, name: str) -> float:
    return float(view.slider(name).input_value())


def test_the_face_follows_while_a_slider_is_dragged_and_is_a_step_when_let_go(view):
    first = view.picture("result")
    dragged = view.changed(lambda: view.grab("Smile", 0.5, 0.8))
    assert np.abs(dragged - first).mean() > 0.2
    assert view.steps.count() == 1
    assert np.array_equal(view.picture("before"), first)
    view.page.mouse.up()
    at = value(view, "Smile")
    assert 0.8 < at < 1.6
    view.settles("Face 24", f"Smile {at:g}")
    view.page.wait_for_timeout(500)
    assert np.abs(view.picture("result") - dragged).mean() < 2
    assert "Same person: 0.90" in view.page.locator(".scores").inner_text()


def test_of_many_moves_only_the_last_counts(view, monkeypatch):
    """While one is looked at, the others wait, and only the last of them is looked at next."""
    slide = StandIn.slide

    def slow(self, *arguments, **options):
        time.sleep(0.4)
        return slide(self, *arguments, **options)

    monkeypatch.setattr(StandIn, "slide", slow)
    view.grab("Smile", 0.5, 0.6)
    box = view.slider("Smile").bounding_box()
    for k in range(20):
        view.page.mouse.move(box["x"] + box["width"] * (0.6 + k / 60), box["y"] + 13)
        view.page.wait_for_timeout(20)
    last = value(view, "Smile")
    view.page.wait_for_timeout(1000)  # it is still held
    assert view.steps.count() == 1
    deadline = time.monotonic() + 30
    while not view.standin.asked or view.standin.asked[-1] != {"smile": last}:
        assert time.monotonic() < deadline
        view.page.wait_for_timeout(20)
    assert len(view.standin.asked) < 8
    assert all(one["smile"] < other["smile"] for one, other in pairwise(view.standin.asked))
    view.page.mouse.up()
    view.settles("Face 24", f"Smile {last:g}")


def test_sliders_work_by_keyboard_and_go_back_to_0(view):
    first = view.picture("result")
    slider = view.slider("Brows up")
    slider.focus()
    for _ in range(4):
        view.page.keyboard.press("ArrowRight")
    assert value(view, "Brows up") == pytest.approx(0.2)
    assert slider.get_attribute("aria-valuetext") == "0.20"
    view.settles("Face 24", "Brows up 0.2")  # one step for all four
    view.changed(lambda: view.slider("Smile").press("End"))
    view.settles("Face 24", "Brows up 0.2", "Smile 2")
    view.button("Smile: 2.00; back to 0").click()
    view.settles("Face 24", "Brows up 0.2", "Smile 2", "Smile 0")
    assert value(view, "Brows up") == pytest.approx(0.2)
    view.button("Reset").click()
    view.settles("Face 24", "Brows up 0.2", "Smile 2", "Smile 0", "Brows up 0")
    assert view.button("Reset").is_disabled()
    view.page.wait_for_timeout(300)
    assert np.array_equal(view.picture("result"), first)


def test_one_goes_back_and_the_sliders_with_it(view):
    view.drag("Smile", 0.9)
    at = value(view, "Smile")
    view.settles("Face 24", f"Smile {at:g}")
    smile = view.picture("result")
    view.drag("Hair longer", 0.2)
    view.settles("Face 24", f"Smile {at:g}", f"Hair longer {value(view, 'Hair longer'):g}")
    undo = view.page.get_by_role("button", name="Undo", exact=True).first
    assert np.array_equal(view.changed(undo.click), smile)
    assert value(view, "Hair longer") == 0
    assert value(view, "Smile") == at
    view.page.reload()  # the work is kept, and where one was in it
    view.page.locator("#sliders-result img").wait_for()
    assert np.array_equal(view.picture("result"), smile)
    assert value(view, "Smile") == at


def test_an_edit_is_refined_and_watched(view):
    view.standin.let_go.clear()
    view.page.get_by_role("radio", name="10 steps").check()
    view.drag("Smile", 0.9)
    view.bar.get_by_text("Begins").wait_for()
    assert view.slider("Smile").is_disabled()
    assert view.page.get_by_text("An edit is still being worked out").is_visible()
    view.standin.let_go.set()
    view.settles("Face 24", f"Smile {value(view, 'Smile'):g}, refined")
    view.bar.wait_for(state="hidden")
    assert view.slider("Smile").is_enabled()
    assert not view.page.get_by_text("An edit is still being worked out").is_visible()


def test_parts_are_painted_applied_watched_and_stopped(view):
    view.paint("hat", 30)
    view.standin.let_go.clear()
    view.button("Apply").click()
    view.bar.wait_for()
    view.standin.let_go.set()
    view.bar.locator("img").wait_for()
    view.standin.let_go.clear()
    view.bar.get_by_role("button", name="Stop").click()
    assert view.bar.get_by_role("button", name="Stop").is_disabled()
    view.standin.let_go.set()
    view.settles("Face 24", "Hat painted")
    view.bar.wait_for(state="hidden")
    view.page.wait_for_timeout(300)
    assert (layout(view) != HAT).all()  # the part map is that of the result


def layout(view) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(view.saved("Save part map")))


def test_what_is_painted_stays_when_a_slider_moves(view):
    view.paint("hat", 30)
    before = layout(view)
    assert (before == HAT).any()
    view.slider("Brows up").scroll_into_view_if_needed()
    view.drag("Brows up", 0.9)
    view.settles("Face 24", f"Brows up {value(view, 'Brows up'):g}")
    view.page.wait_for_timeout(500)
    after = layout(view)
    assert np.array_equal(after == HAT, before == HAT)
    assert not np.array_equal(after, before)  # the brows have moved
    view.button("Discard painting").click()
    view.page.wait_for_timeout(1000)
    assert (layout(view) != HAT).all()


def test_what_is_painted_while_an_edit_is_worked_out_stays(view):
    view.paint("hat", 30)
    view.standin.let_go.clear()
    view.button("Apply").click()
    view.bar.wait_for()
    view.paint("hair", 150)
    view.standin.let_go.set()
    view.settles("Face 24", "Hat painted")
    view.page.wait_for_timeout(500)
    after = layout(view)
    assert (after[150, 105:145] == HAIR).all()
    assert (after != HAT).all()


def test_nothing_painted_is_a_sentence(view):
    view.button("Apply").click()
    view.page.get_by_text("The part map is as it was; paint what shall change").wait_for()
    assert view.slider("Smile").is_enabled()
    view.drag("Smile", 0.9)
    view.settles("Face 24", f"Smile {value(view, 'Smile'):g}")


def test_an_edit_that_fails_leaves_the_page_as_it_was(view, monkeypatch):
    from semedit_lite.errors import InputError

    def fails(self, document, *_, on_step, **__):
        on_step(1, 0.5, self.slide(document, {"smile": 2}, own={}))
        raise InputError("The edit went astray; try fewer steps.")

    monkeypatch.setattr(StandIn, "repaint", fails)
    first = view.picture("result")
    view.paint("hat", 30)
    view.button("Apply").click()
    view.page.get_by_text("The edit went astray").wait_for()
    view.bar.wait_for(state="hidden")
    view.page.wait_for_timeout(500)
    assert np.array_equal(view.picture("result"), first)
    assert (layout(view) == HAT).any()  # to be tried again
    assert view.slider("Smile").is_enabled()


def test_an_edit_becomes_a_slider_that_is_saved_and_loaded(view, pages, sliders_tab, tmp_path):
    view.drag("Smile", 0.9)
    smile = value(view, "Smile")
    view.settles("Face 24", f"Smile {smile:g}")
    view.paint("hat", 30)
    view.button("Apply").click()
    view.settles("Face 24", f"Smile {smile:g}", "Hat painted")
    view.page.get_by_label("Make a slider of this edit").fill("<b>Hat</b>")
    view.button("Save as slider").click()
    slider = view.slider("<b>Hat</b>")
    slider.wait_for()
    assert value(view, "Smile") == smile  # the others stay where they are
    with view.page.expect_download() as download:
        view.button("Save the slider <b>Hat</b>").click()
    assert download.value.suggested_filename == "b-hat-b.safetensors"
    download.value.save_as(tmp_path / "hat.safetensors")
    view.changed(view.button("New face").click, "before")
    view.changed(lambda: slider.press("End"))

    other = Sliders(pages(), view.standin)
    other.page.goto(sliders_tab[1])
    other.page.locator("#sliders-result img").wait_for()
    (tmp_path / "bad.safetensors").write_bytes((tmp_path / "hat.safetensors").read_bytes()[:-9])
    other.upload("sliders-load").set_input_files(tmp_path / "bad.safetensors")
    other.page.get_by_text("This is not a slider, or it is damaged").wait_for()
    other.upload("sliders-load").set_input_files(tmp_path / "hat.safetensors")
    other.slider("<b>Hat</b>").wait_for()
    other.changed(lambda: other.slider("<b>Hat</b>").press("End"))
    other.settles("Face 24", "B hat b 2")


def test_where_the_part_map_is_unsure_is_shown(view):
    overlay = view.page.locator("#sliders-canvas [data-part=overlay]")
    assert not overlay.is_visible()
    show = view.button("Show where the part map is unsure")
    show.click()
    overlay.wait_for()
    first = overlay.get_attribute("style")
    assert show.get_attribute("aria-pressed") == "true"
    view.drag("Brows up", 0.9)
    view.settles("Face 24", f"Brows up {value(view, 'Brows up'):g}")
    view.page.wait_for_timeout(500)
    assert overlay.is_visible()  # it stays on, and follows
    assert overlay.get_attribute("style") != first
    view.stroke((100, 30), (150, 30))  # it is in nobody's way
    show.click()
    overlay.wait_for(state="hidden")


def test_it_is_a_tab_of_the_studio_that_one_leaves_and_comes_back_to(page, standin, studio):
    import studio as demo

    from semedit_lite.ui import app

    both = demo.build()
    _, url, _ = app.launch(both, None, prevent_thread_lock=True, quiet=True)
    try:
        page.goto(url)
        page.locator("#result img").wait_for()
        view = Sliders(page, standin)
        page.get_by_role("tab", name="Sliders").click()
        page.locator("#sliders-result img").wait_for()
        view.settles("Face 24")
        view.drag("Smile", 0.9)
        at = value(view, "Smile")
        view.settles("Face 24", f"Smile {at:g}")
        smile = view.picture("result")
        view.paint("hat", 30)
        page.get_by_role("tab", name="Paint").click()
        paint = Studio(page)
        paint.choose("hat")
        paint.changed(lambda: paint.stroke((90, 40), (170, 40)))
        page.get_by_role("tab", name="Sliders").click()
        page.locator("#sliders-result img").wait_for()
        page.wait_for_timeout(1500)
        view.settles("Face 24", f"Smile {at:g}")
        assert value(view, "Smile") == at
        assert np.array_equal(view.picture("result"), smile)
        assert (layout(view) == HAT).any()  # what is painted there, too
        view.drag("Brows up", 0.9)
        view.settles("Face 24", f"Smile {at:g}", f"Brows up {value(view, 'Brows up'):g}")
    finally:
        both.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_asks_nobody_else(view, sliders_tab, monkeypatch, width):
    more = {f"more-{k}": vector(f"More {k}", 5 + k, "nose") for k in range(12)}
    monkeypatch.setattr(view.standin, "vectors", view.standin.vectors | more)
    view.page.set_viewport_size({"width": width, "height": 844})
    view.page.reload()
    last = view.slider("Glasses")
    last.wait_for()
    view.page.locator("#sliders-result img").wait_for()
    view.page.wait_for_timeout(500)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    last.scroll_into_view_if_needed()
    view.page.wait_for_timeout(300)
    box = view.page.locator("#sliders-result img").bounding_box()
    assert box["y"] >= 0  # the picture stays in sight
    if width < 500:
        assert view.page.evaluate("scrollY") > 100
        assert box["y"] + box["height"] < last.bounding_box()["y"]
    outside = [url for url in view.asked if not url.startswith((sliders_tab[1], "data:", "blob:"))]
    assert view.asked
    assert not outside
