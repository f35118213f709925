"""What is kept of a visitor's work: strokes and visits overtake one another; nothing is lost."""

import dataclasses
import json
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError
from semedit_lite.photo import Photo
from semedit_lite.ui.session import CANVASES, ClosedError, Desk, Session, Work
from semedit_lite.ui.store import GoneError, Store


def document(parent=None, **operation) -> Document:
    operation = operation or {"tool": "paint"}
    return Document(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), operation, parent=parent)


@pytest.fixture
def desk():
    faces = {}
    return Desk(lambda seed: faces.setdefault(seed, document(tool="generate", seed=seed)))


def begun(canvas="a") -> Work:
    return Work.begin(History.start(document()), canvas)


def chosen(work: Work, number: int) -> str:
    return json.dumps({"name": work.name, "has": 1, "chosen": number})


def test_strokes_follow_one_another():
    work = begun()
    first = document(work.at("a"))
    work = work.landed(first, "a")
    second = document(work.at("a"))
    work = work.landed(second, "a")
    assert second.chain == work.history.steps
    assert work.history.current is work.at("a") is second


def test_two_edits_at_once_both_land_on_what_they_were_made_from():
    work = begun()
    one, two = document(work.at("a")), document(work.at("a"))
    work = work.landed(one, "a").landed(two, "a")
    assert work.history.steps == (work.history.opened, one, two)
    assert one.parent is two.parent is work.history.opened
    assert work.history.current is two


def test_a_stroke_that_a_visit_has_overtaken_is_kept_where_it_belongs():
    work = begun()
    first = document(work.at("a"))
    work = work.landed(first, "a")
    late = document(work.at("a"))
    work = work.visited(work.history.opened, "b").landed(late, "a")
    assert late.parent is first
    assert late in work.history.steps
    assert work.history.current is work.at("b") is work.history.opened
    assert work.at("a") is late


def test_a_step_that_is_there_is_visited():
    work = begun()
    first = document(work.at("a"))
    work = work.landed(first, "a").landed(work.history.opened, "a")
    assert work.history.current is work.at("a") is work.history.opened
    assert work.history.steps == (work.history.opened, first)


def test_a_drawing_on_a_picture_that_was_replaced_lands_nowhere():
    work = begun()
    late = document(work.at("a"))
    work = work.opened(History.start(document()), "b")
    with pytest.raises(ClosedError, match="open it again"):
        work.landed(late, "a")
    with pytest.raises(ClosedError):
        work.at(None)


def test_of_drawings_only_the_latest_are_remembered():
    work = begun("first")
    for k in range(3 * CANVASES):
        work = work.visited(work.history.opened, str(k))
        work = work.landed(document(work.at("first")), "first")  # in use
    assert len(work.canvases) == CANVASES
    assert "first" in work.canvases


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_happens_every_step_is_kept(data):
    work, made, canvases = begun("0"), [], ["0"]
    under_way = []  # strokes that were begun and have not landed
    for k in range(1, 15):
        match data.draw(st.sampled_from(["begin", "land", "visit", "back"])):
            case "begin":
                canvas = data.draw(st.sampled_from(canvases))
                under_way.append((document(work.at(canvas)), canvas))
            case "land" if under_way:
                step, canvas = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
                work = work.landed(step, canvas)
                made.append(step)
            case "visit":
                canvases.append(str(k))
                step = data.draw(st.sampled_from(work.history.steps))
                work = work.visited(step, str(k))
            case "back":
                canvas = data.draw(st.sampled_from(canvases))
                step = data.draw(st.sampled_from(work.history.steps))
                work = work.landed(step, canvas)
        assert list(work.history.steps[1:]) == made
        assert work.history.current in work.canvases.values()
        assert all(step in work.history.steps for step in work.canvases.values())


def test_who_only_arrives_is_not_kept(desk):
    session = desk.arrive()
    desk.strip("", session)
    assert len(desk.store) == 0
    work, begun = desk.work(session)
    assert len(desk.store) == 1
    assert begun.canvas == session.canvas
    assert work.at(session.canvas) is work.history.opened
    assert desk.work(begun)[1] is begun


def test_who_only_arrives_may_click_on_the_one_step_there_is(desk):
    session = desk.arrive()
    shown = json.loads(desk.strip("", session))
    step, session = desk.visit(json.dumps({"name": shown["name"], "has": 1, "chosen": 0}), session)
    work, _ = desk.work(session)
    assert step is work.at(session.canvas) is work.history.opened
    again = json.loads(desk.strip(json.dumps({"name": shown["name"], "has": 1}), session))
    assert (again["name"], again["steps"], again["current"]) == (shown["name"], [], 0)
    assert again["key"] == session.key


def test_a_work_that_was_forgotten_is_another_when_it_is_begun_anew(desk):
    """Or a strip would go on showing its steps."""
    work, session = desk.work(dataclasses.replace(desk.arrive(), seed=3))
    names = [work.name]
    desk.store._kept.clear()
    names.append(json.loads(desk.strip("", session))["name"])
    names.append(desk.work(session)[0].name)
    assert len(set(names)) == 3


def test_a_page_that_comes_back_stands_where_it_was(desk):
    session = desk.open(History.start(document(tool="open")), None, desk.arrive())
    step = document(desk.work(session)[0].at(session.canvas))
    desk.store.update(session.key, lambda work: work.landed(step, session.canvas))
    work, again = desk.resume(session.key)
    assert work.history.current is work.at(again.canvas) is step
    assert again.canvas != session.canvas
    with pytest.raises(GoneError):
        desk.resume("a guess")


def test_what_was_forgotten_begins_anew_where_it_can():
    now = 0.0
    store = Store(age=10, clock=lambda: now)
    desk = Desk(lambda seed: document(tool="generate", seed=seed), store)
    face = desk.open(History.start(document(tool="generate", seed=3)), 3, desk.arrive())
    photo = desk.open(History.start(document(tool="open")), None, desk.arrive())
    now = 20.0
    work, again = desk.work(face)
    assert again.key != face.key
    assert work.at(face.canvas).operation["seed"] == 3  # its page goes on as if nothing were
    with pytest.raises(GoneError, match="open the file that you saved, or the photo"):
        desk.work(photo)


def test_another_picture_takes_the_place_of_the_old_one(desk):
    session = desk.keep(Photo(b"", (4, 4)), [], desk.arrive())
    again = desk.open(History.start(document(tool="open")), None, session)
    assert (again.key, len(desk.store)) == (session.key, 1)
    work, _ = desk.work(again)
    assert work.uploaded is not None
    with pytest.raises(ClosedError):
        work.at(session.canvas)


def test_a_photo_is_kept_beside_the_work_and_else_begins_another(desk):
    photo = Photo(b"", (4, 4))
    face = desk.open(History.start(document(tool="generate", seed=3)), 3, desk.arrive())
    assert desk.keep(photo, [], face).key == face.key
    opened = desk.open(History.start(document(tool="open")), None, desk.arrive())
    for session in (face, opened):
        desk.store._kept.clear()
        work, again = desk.work(desk.keep(photo, [], session))
        assert (work.uploaded, work.faces) == (photo, ())
        assert again.key != session.key
        assert work.history.opened.operation["seed"] == session.seed  # None: who arrives sees that
    work, again = desk.work(desk.keep(photo, [], Session()))
    assert work.at(again.canvas) is work.history.opened


def test_one_goes_back_and_forth_from_where_the_page_stands(desk):
    session = desk.open(History.start(document(tool="open")), None, desk.arrive())
    made = []
    for _ in range(2):
        step = document(desk.work(session)[0].at(session.canvas))
        desk.store.update(session.key, lambda work, step=step: work.landed(step, session.canvas))
        made.append(step)
    work, session = desk.work(session)
    with pytest.raises(InputError, match="nothing to redo"):
        desk.travel("redo", session)
    back, session = desk.travel("undo", session)
    assert back is made[0] is desk.work(session)[0].history.current
    branch = document(back)
    desk.store.update(session.key, lambda work: work.landed(branch, session.canvas))
    for expected in (made[0], work.history.opened):
        step, session = desk.travel("undo", session)
        assert step is expected
    with pytest.raises(InputError, match="nothing to undo"):
        desk.travel("undo", session)
    for expected in (made[0], branch):  # the branch on which one was last
        step, session = desk.travel("redo", session)
        assert step is expected


def test_a_step_of_another_history_cannot_be_chosen(desk):
    mine, theirs = (
        desk.open(History.start(document(tool="open")), None, desk.arrive()) for _ in range(2)
    )
    foreign = chosen(desk.work(theirs)[0], 0)
    for has in (foreign, chosen(desk.work(mine)[0], 1), "", "{}", "[]", "7", "[" * 9999):
        with pytest.raises(InputError, match="no longer kept"):
            desk.visit(has, mine)
    step, session = desk.visit(chosen(desk.work(mine)[0], 0), mine)
    assert step is desk.work(session)[0].history.opened


def test_the_strip_gets_what_it_lacks(desk):
    session = desk.open(History.start(document(tool="generate", seed=5)), 5, desk.arrive())
    first = json.loads(desk.strip("", session))
    assert [step["name"] for step in first["steps"]] == ["Face 5"]
    assert (first["key"], first["current"]) == (session.key, 0)
    step = document(desk.work(session)[0].at(session.canvas), tool="x")
    desk.store.update(session.key, lambda work: work.landed(step, session.canvas))
    has = json.dumps({"name": first["name"], "has": 1})
    more = json.loads(desk.strip(has, session))
    assert [(step["parent"], step["name"]) for step in more["steps"]] == [(0, "X")]
    assert (more["first"], more["current"]) == (1, 1)
    foreign = json.dumps({"name": "another", "has": 1})
    assert len(json.loads(desk.strip(foreign, session))["steps"]) == 2
    assert json.loads(desk.strip("", Session(key="a guess")))["key"] is None


def test_many_threads_lose_nothing(desk):
    session = desk.open(History.start(document(tool="open")), None, desk.arrive())
    ready = threading.Barrier(8)

    def paint():
        ready.wait(60)
        for _ in range(20):
            step = document(desk.work(session)[0].at(session.canvas))
            desk.store.update(
                session.key, lambda work, step=step: work.landed(step, session.canvas)
            )

    threads = [threading.Thread(target=paint) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history = desk.work(session)[0].history
    assert len(history.steps) == 161
    assert all(step.parent in history.steps for step in history.steps[1:])
