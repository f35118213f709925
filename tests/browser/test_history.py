"""The history strip as a person uses it: goes back, branches, reloads, saves and opens."""

import secrets
import time

import numpy as np
import pytest

from semedit_lite.editing import paint as editing
from semedit_lite.editing.paint import PaintEditor
from semedit_lite.labels import FACE

from .studio import Studio

pytestmark = pytest.mark.browser

HAT, HAIR = FACE.id("hat"), FACE.id("hair")
BARE = 12  # a face without a hat
ACROSS = {row: ((90, row), (170, row)) for row in (40, 60, 200)}


class Strip:
    """The strip of a page."""

    def __init__(self, view: Studio):
        self.view = view
        self.steps = view.page.locator("#history .step")

    def names(self) -> list[str]:
        return [step.get_attribute("aria-label") for step in self.steps.all()]

    @property
    def current(self) -> int:
        marked = [step.get_attribute("aria-current") == "step" for step in self.steps.all()]
        assert marked.count(True) == 1
        return marked.index(True)

    def settles(self, count: int, current: int) -> None:
        """Waits until it has so many steps and marks that one."""
        deadline = time.monotonic() + 60
        while self.steps.count() != count or self.current != current:
            assert time.monotonic() < deadline, f"{self.names()}, {self.current} is marked"
            self.view.page.wait_for_timeout(20)

    def paint(self, name: str, row: int, count: int) -> np.ndarray:
        """Paints a class across; the strip then has so many steps, of which the last is marked."""
        self.view.choose(name)
        picture = self.view.changed(lambda: self.view.stroke(*ACROSS[row]))
        self.settles(count, count - 1)
        return picture


@pytest.fixture
def strip(opened):
    strip = Strip(opened)
    strip.settles(1, 0)
    return strip


def scores(view: Studio) -> str:
    return view.page.locator(".scores").inner_text()


def key(view: Studio) -> str | None:
    return view.page.evaluate("sessionStorage.getItem('semedit-paint')")


def test_a_click_goes_back_and_painting_there_begins_a_branch(opened, strip):
    first = opened.picture("result")
    hat = strip.paint("hat", 40, 2)
    hat_layout, hat_scores = opened.layout(), scores(opened)
    both = strip.paint("clothes", 200, 3)
    assert strip.names() == ["Step 1: Face 24", "Step 2: Hat painted", "Step 3: Clothes painted"]

    assert np.array_equal(opened.changed(strip.steps.nth(1).click), hat)
    assert np.array_equal(opened.layout(), hat_layout)
    assert scores(opened) == hat_scores
    strip.settles(3, 1)
    branch = strip.paint("hair", 60, 4)
    assert strip.names()[3] == "Step 4: Hair painted, from step 2"
    boxes = [step.bounding_box() for step in strip.steps.all()]
    assert boxes[3]["y"] >= boxes[2]["y"] + boxes[2]["height"]  # a row of its own ...
    assert boxes[3]["x"] == boxes[2]["x"] > boxes[1]["x"]  # ... indented under its fork
    assert np.array_equal(opened.changed(strip.steps.nth(2).click), both)
    assert (opened.layout()[200, 95:165] == FACE.id("cloth")).all()
    assert np.array_equal(opened.changed(strip.steps.nth(3).click), branch)
    assert np.array_equal(opened.changed(strip.steps.nth(0).click), first)
    assert "The picture follows each stroke" in scores(opened)
    strip.settles(4, 0)


def test_undo_leads_to_the_step_before_and_asks_no_network(opened, strip, monkeypatch):
    first = opened.picture("result")
    hat = strip.paint("hat", 40, 2)
    strip.paint("clothes", 200, 3)
    with monkeypatch.context() as asked:
        asked.setattr(PaintEditor, "apply", None)
        assert np.array_equal(opened.changed(opened.button("Undo").click), hat)
        strip.settles(3, 1)
        assert np.array_equal(opened.changed(opened.button("Undo").click), first)
        strip.settles(3, 0)
        opened.changed(opened.button("Redo").click)
        strip.settles(3, 1)
        opened.changed(strip.steps.nth(2).click)  # what undo of the canvas takes back, too
        opened.changed(opened.button("Undo").click)
        strip.settles(3, 1)
    strip.paint("hair", 60, 4)


def test_settings_are_steps_and_come_back_with_them(opened, strip):
    strip.paint("hat", 40, 2)
    own = opened.picture("result")
    random = opened.changed(lambda: opened.choose("Random"))
    strip.settles(3, 2)
    assert strip.names()[2] == "Step 3: Style 0"
    assert np.array_equal(opened.changed(strip.steps.nth(1).click), own)
    assert opened.page.get_by_role("radio", name="Its own", exact=True).is_checked()
    assert np.array_equal(opened.changed(strip.steps.nth(2).click), random)
    assert opened.page.get_by_role("radio", name="Random", exact=True).is_checked()
    strip.settles(3, 2)


def test_it_works_by_keyboard(opened, strip):
    strip.paint("hat", 40, 2)
    hat = opened.picture("result")
    strip.paint("clothes", 200, 3)
    opened.changed(strip.steps.nth(1).click)
    strip.paint("hair", 60, 4)
    tab_stops = [step.get_attribute("tabindex") for step in strip.steps.all()]
    assert tab_stops == ["-1", "-1", "-1", "0"]
    keyboard, focused = opened.page.keyboard, "document.activeElement.getAttribute('aria-label')"
    strip.steps.nth(3).focus()
    for pressed, number in (
        ("ArrowLeft", 2), ("ArrowRight", 3), ("ArrowDown", 4), ("ArrowUp", 3), ("Home", 1),
        ("ArrowLeft", 1), ("End", 4), ("ArrowLeft", 2),
    ):  # fmt: skip
        keyboard.press(pressed)
        assert opened.page.evaluate(focused).startswith(f"Step {number}:"), pressed
    assert strip.current == 3  # focus alone changes nothing
    assert np.array_equal(opened.changed(lambda: keyboard.press("Enter")), hat)
    strip.settles(4, 1)
    assert opened.page.evaluate(focused) == "Step 2: Hat painted"
    said = opened.page.locator("#history").get_by_role("status")
    assert said.inner_text() == "2 of 4 · Hat painted"


def test_a_reload_keeps_the_work(opened, strip):
    assert key(opened) is None  # nothing is kept of who only looks
    strip.paint("hat", 40, 2)
    opened.changed(lambda: opened.choose("Random"))
    strip.settles(3, 2)
    shown, layout, card, mine = (
        opened.picture("result"), opened.layout(), scores(opened), key(opened)
    )  # fmt: skip
    assert mine is not None
    assert mine not in opened.page.url
    opened.page.reload()
    strip.settles(3, 2)
    assert np.array_equal(opened.picture("result"), shown)
    assert np.array_equal(opened.layout(), layout)
    assert scores(opened) == card
    assert opened.page.get_by_role("radio", name="Random", exact=True).is_checked()
    assert key(opened) == mine
    strip.paint("clothes", 200, 4)
    opened.changed(strip.steps.nth(1).click)


def test_another_tab_and_an_unknown_key_begin_anew(opened, strip, studio):
    first = opened.picture("result")
    strip.paint("hat", 40, 2)
    tab = Studio(opened.page.context.new_page())  # of the same browser
    tab.page.goto(studio)
    tab.page.locator("#result img").wait_for()
    Strip(tab).settles(1, 0)
    assert np.array_equal(tab.picture("result"), first)
    assert key(tab) is None
    opened.page.evaluate("sessionStorage.setItem('semedit-paint', 'a guess')")
    opened.page.reload()
    opened.page.locator("#result img").wait_for()
    strip.settles(1, 0)
    assert np.array_equal(opened.picture("result"), first)
    assert key(opened) is None
    assert opened.page.get_by_role("alert").count() == 0  # silently
    strip.paint("hat", 40, 2)


def test_two_visitors_do_not_see_each_others_steps(pages, studio):
    strips = []
    for name, row in (("hat", 40), ("clothes", 200)):
        view = Studio(pages())
        view.page.goto(studio)
        view.page.locator("#result img").wait_for()
        strip = Strip(view)
        strip.settles(1, 0)
        strip.paint(name, row, 2)
        strips.append(strip)
    for strip, name in zip(strips, ("Hat", "Clothes"), strict=True):
        strip.view.page.reload()
        strip.settles(2, 1)
        assert strip.names()[1] == f"Step 2: {name} painted"
    assert key(strips[0].view) != key(strips[1].view)


def test_a_work_is_saved_and_opened(opened, strip, pages, studio, tmp_path):
    strip.paint("hat", 40, 2)
    strip.paint("clothes", 200, 3)
    opened.changed(strip.steps.nth(1).click)
    shown, layout, names = opened.picture("result"), opened.layout(), strip.names()
    with opened.page.expect_download() as download:
        opened.button("Save work").click()
    assert download.value.suggested_filename == "face-24.semedit"
    download.value.save_as(tmp_path / "mine.semedit")

    other = Studio(pages())
    other.page.goto(studio)
    other.page.locator("#result img").wait_for()
    theirs = Strip(other)
    theirs.paint("hair", 60, 2)
    (tmp_path / "bad.semedit").write_bytes((tmp_path / "mine.semedit").read_bytes()[:-300])
    other.upload("open-work").set_input_files(tmp_path / "bad.semedit")
    other.page.get_by_text("is not a semedit document or is damaged").wait_for()
    theirs.settles(2, 1)
    assert (other.layout()[60, 95:165] == HAIR).all()

    other.changed(lambda: other.upload("open-work").set_input_files(tmp_path / "mine.semedit"))
    theirs.settles(3, 1)
    assert theirs.names() == names
    assert np.array_equal(other.picture("result"), shown)
    assert np.array_equal(other.layout(), layout)
    theirs.paint("hair", 60, 4)


def test_another_face_begins_another_history(opened, strip, monkeypatch):
    monkeypatch.setattr(secrets, "randbelow", lambda _: BARE)  # some faces wear a hat already
    strip.paint("hat", 40, 2)
    mine = key(opened)
    opened.changed(opened.button("New face").click, "before")
    strip.settles(1, 0)
    assert strip.names() != ["Step 1: Face 24"]
    assert key(opened) == mine
    strip.paint("hat", 40, 2)


def test_the_same_person_is_said_where_it_was_scored(opened, strip, monkeypatch):
    scorecard = editing.scorecard

    def scored(identity):
        given = {"identity": identity}
        return lambda *arguments, **options: scorecard(*arguments, **options) | given

    monkeypatch.setattr(editing, "scorecard", scored(0.934))
    strip.paint("hat", 40, 2)
    assert "Same person: 0.93" in scores(opened)
    monkeypatch.setattr(editing, "scorecard", scored(None))
    strip.paint("clothes", 200, 3)
    assert "Same person" not in scores(opened)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_history_scrolls_within_itself(opened, strip, width):
    page = opened.page
    for count in range(2, 14):
        opened.choose(("hat", "clothes")[count % 2])
        opened.changed(lambda row=count: opened.stroke((90, 40 + 10 * row), (170, 40 + 10 * row)))
    page.set_viewport_size({"width": width, "height": 900})
    page.reload()
    strip.settles(13, 12)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("#history .steps").bounding_box()
    last = strip.steps.last.bounding_box()
    assert box["x"] <= last["x"]
    assert last["x"] + last["width"] <= box["x"] + box["width"]
    assert box["height"] < 110
