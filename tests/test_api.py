"""The Studio through gradio_client, as scripts use it: good input, bad input, still up after."""

import base64
import dataclasses
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from semedit_lite.editing.document import Document, History
from semedit_lite.editing.paint import PaintEditor
from semedit_lite.images import read_provenance
from semedit_lite.labels import FACE, IGNORE
from semedit_lite.models.spade import GauGAN
from semedit_lite.ui import app
from semedit_lite.ui.painter import decode_value

gradio_client = pytest.importorskip("gradio_client")

HAIR, GLASSES = FACE.id("hair"), FACE.id("eye_g")
SEED = 24
SKIPPED = {"__type__": "update"}  # what Gradio sends for "leave it as it is"


def joined(address, **options) -> "gradio_client.Client":
    """A client with a session of its own."""
    return gradio_client.Client(address, verbose=False, analytics_enabled=False, **options)


@pytest.fixture(scope="module")
def client(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("downloads")
    return gradio_client.Client(
        studio, verbose=False, analytics_enabled=False, download_files=folder
    )


@pytest.fixture(scope="module")
def face(client):
    """A generated face: its picture and its layout (256, 256)."""
    canvas, before, _, _ = client.predict(seed=SEED, api_name="/generate")
    return Image.open(before).convert("RGB"), decode_value(canvas, FACE, 256)[0].numpy()


def data_url(ids: np.ndarray) -> str:
    file = io.BytesIO()
    FACE.to_pil(torch.from_numpy(ids.astype(np.int64))).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def bangs(layout: np.ndarray) -> np.ndarray:
    """The layout with hair down to the brows."""
    layout = layout.copy()
    layout[60:100, 80:176] = HAIR
    return layout


def test_every_endpoint_is_named_and_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    others = "/sliders_", "/sketch_"  # of the other tabs
    here = {name for name in endpoints if not name.startswith(others)}
    assert here == {
        *("/generate", "/random_face", "/open", "/reference", "/paint", "/picture", "/layout"),
        *("/open_layout", "/donor", "/take_part", "/work", "/open_work", "/choose_face"),
    }
    for name, about in endpoints.items():
        assert len(about["description"]) > 40, name


def test_a_face_is_generated_painted_and_saved(client, face):
    picture, layout = face
    client.predict(seed=SEED, api_name="/generate")
    result, scores = client.predict(data_url(bangs(layout)), blend=True, api_name="/paint")
    change = np.abs(pixels(result) - np.asarray(picture).astype(int)).mean(-1)
    assert change[65:95, 85:170].mean() > 5
    assert change[140:].max() == 0  # far from the stroke the picture is the same, bit for bit
    assert HAIR in [FACE.id(name) for name in scores["classes"]]
    saved = client.predict(data_url(bangs(layout)), api_name="/picture")
    saved_layout = client.predict(data_url(bangs(layout)), api_name="/layout")
    record = read_provenance(saved)
    assert [step["tool"] for step in record["operations"]] == ["generate", "paint"]
    assert record["synthetic"] is True
    assert np.array_equal(np.asarray(Image.open(saved_layout)), bangs(layout))


def test_styles_differ_and_are_repeated_by_seed(client, face):
    layout = data_url(face[1])
    paint = [
        pixels(client.predict(layout, "seed", seed, False, api_name="/paint")[0])
        for seed in (1, 2, 1)
    ]
    assert np.array_equal(paint[0], paint[2])
    assert np.abs(paint[0] - paint[1]).mean() > 1


def test_the_style_of_another_photo(client, face, tmp_path):
    other = client.predict(seed=12, api_name="/generate")[1]
    client.predict(seed=SEED, api_name="/generate")
    layout = data_url(face[1])
    own = pixels(client.predict(layout, "own", 0, False, api_name="/paint")[0])
    style, shown, result, _ = client.predict(
        gradio_client.handle_file(other), layout, 0, False, api_name="/reference"
    )
    assert style == "photo"
    assert shown
    again = pixels(client.predict(layout, "photo", 0, False, api_name="/paint")[0])
    assert np.array_equal(pixels(result), again)
    target = pixels(other).mean((0, 1))
    assert np.abs(again.mean((0, 1)) - target).sum() < np.abs(own.mean((0, 1)) - target).sum()


def test_a_step_in_a_photos_style_brings_that_photo_back(studio):
    """On the work that the tab keeps."""
    import paint as demo

    def document(parent=None) -> Document:
        return Document(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), {}, parent=parent)

    one, two = {"model": torch.zeros(1, 8)}, {"model": torch.ones(1, 8)}
    work = demo.PaintWork.begin(History.start(document()), "a")
    work = dataclasses.replace(work, photo=one)
    first = document(work.at("a"))
    work = dataclasses.replace(work.landed(first, "a", one), photo=two)
    assert work.visited(first, "b").photo is one
    assert work.visited(work.history.opened, "b").photo is two
    other = work.opened(History.start(document()), "c")
    assert other.photo is two
    assert not other.photos


def test_a_layout_is_opened_for_the_picture_that_is_open(client, face, tmp_path):
    picture, layout = face
    client.predict(seed=SEED, api_name="/generate")
    coloured = FACE.to_pil(torch.from_numpy(bangs(layout))).convert("RGB")
    coloured.resize((512, 512), Image.Resampling.NEAREST).save(tmp_path / "layout.png")
    file = gradio_client.handle_file(tmp_path / "layout.png")
    canvas, result, scores = client.predict(file, api_name="/open_layout")
    assert np.array_equal(decode_value(canvas, FACE, 256)[0].numpy(), bangs(layout))
    assert json.loads(canvas)["fresh"] is False  # one step, which undo takes back
    assert "photo" not in canvas  # the one that shows through stays
    change = np.abs(pixels(result) - np.asarray(picture).astype(int)).mean(-1)
    assert change[65:95, 85:170].mean() > 5
    assert change[140:].max() == 0
    assert "hair" in scores["classes"]


def test_a_layout_is_opened_where_nothing_was(client, studio, face, tmp_path):
    FACE.to_pil(torch.from_numpy(face[1])).save(tmp_path / "layout.png")
    file = gradio_client.handle_file(tmp_path / "layout.png")
    canvas, result, _ = joined(studio).predict(file, api_name="/open_layout")
    assert np.array_equal(decode_value(canvas, FACE, 256)[0].numpy(), face[1])
    assert pixels(result).shape == (256, 256, 3)


def test_a_part_of_a_generated_face_is_taken(client, face):
    donor = decode_value(client.predict(seed=12, api_name="/generate")[0], FACE, 256)[0].numpy()
    client.predict(seed=SEED, api_name="/generate")
    canvas, result, scores = client.predict(
        data_url(face[1]), "glasses", "seed", 12, api_name="/take_part"
    )
    layout = decode_value(canvas, FACE, 256)[0].numpy()
    assert (donor == GLASSES).mean() > 0.01
    assert np.array_equal(layout == GLASSES, donor == GLASSES)
    assert np.array_equal(layout[donor != GLASSES], face[1][donor != GLASSES])
    assert np.abs(pixels(result) - np.asarray(face[0]).astype(int))[layout == GLASSES].mean() > 5
    assert scores["classes"]["eye_g"] > 0.3


def test_a_part_of_the_face_in_a_photo_is_taken(client, face, tmp_path):
    photo = client.predict(seed=2, api_name="/generate")[1]
    client.predict(seed=SEED, api_name="/generate")
    donor, shown, *_ = client.predict(gradio_client.handle_file(photo), api_name="/donor")
    assert donor == "photo"
    assert pixels(shown["value"]).shape == (256, 256, 3)
    old = data_url(face[1])
    canvas, *_ = client.predict(old, "hair and hat", donor, api_name="/take_part")
    layout = decode_value(canvas, FACE, 256)[0].numpy()
    assert (layout != face[1]).mean() > 0.05
    assert client.predict(old, api_name="/paint")[0]  # the face that is painted is still the old


def test_a_part_of_a_layout_is_taken(client, face, tmp_path):
    layout = np.full((128, 128), FACE.id("background"), np.uint8)
    layout[20:40, 30:90] = FACE.id("hat")
    Image.fromarray(layout).save(tmp_path / "hat.png")
    donor, shown, *_ = client.predict(
        gradio_client.handle_file(tmp_path / "hat.png"), api_name="/donor"
    )
    assert pixels(shown["value"]).shape == (256, 256, 3)
    canvas, *_ = client.predict(data_url(face[1]), "hat", donor, api_name="/take_part")
    taken = decode_value(canvas, FACE, 256)[0].numpy() == FACE.id("hat")
    assert np.array_equal(taken, (layout == FACE.id("hat")).repeat(2, 0).repeat(2, 1))


def test_who_arrives_needs_no_network(studio, monkeypatch):
    """However many faces were made meanwhile; the queue does not guard this."""
    import paint as demo

    from semedit_lite.ui.tab import FIRST

    demo.tab.face.first()
    demo.tab.face.another.cache_clear()

    def asked(*_, **__):
        raise AssertionError("a network was asked")

    for name in ("generate", "_painted"):
        monkeypatch.setattr(PaintEditor, name, asked)
    *_, scores, session = demo.tab.start("", demo.Session(seed=5))
    assert (session.seed, scores["classes"]) == (FIRST, {})


def test_parts_that_cannot_be_taken_are_explained(client, studio, face):
    layout, stranger = data_url(face[1]), joined(studio)
    for asked, sentence in (
        (("hat", "seed", SEED), "does not show this part"),
        (("hat", "photo", SEED), "Choose the photo"),
        (("hat", "seed", -1), "whole number"),
        (("tail", "seed", SEED), "tail"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
            stranger.predict(layout, *asked, api_name="/take_part")
    old, *_ = stranger.predict(seed=12, api_name="/generate")
    stranger.predict(seed=SEED, api_name="/generate")
    with pytest.raises(gradio_client.exceptions.AppError, match="open it again"):
        stranger.predict(old, "hair and hat", "seed", 12, api_name="/take_part")
    assert stranger.predict(layout, api_name="/paint")


def test_one_chooses_among_models(face, tmp_path, monkeypatch):
    """On its functions: the package may hold one painter or several."""
    import paint

    sizes = {"size": 32, "z_dim": 8, "width": 4, "max_width": 8, "hidden": 4, "encoder_width": 4}
    other = str(tmp_path / "spade-toy-32")
    GauGAN(classes=19, **sizes).save_pretrained(other)
    for models in ([paint.MODELS[0]], [paint.MODELS[0], other]):
        monkeypatch.setattr(paint, "MODELS", models)
        with app.blocks("one tab") as page:
            paint.build(page.load)
        (choice,) = (b for b in page.blocks.values() if getattr(b, "elem_id", "") == "model")
        assert choice.visible == (len(models) > 1)
        assert [name for _, name in choice.choices] == models
        assert choice.value == models[0]
    session = paint.tab.generate(SEED, "own", 0, False, models[0], paint.Session())[-1]
    face[0].save(tmp_path / "style.png")
    style, _, result, _, session = paint.reference(
        tmp_path / "style.png", data_url(face[1]), 0, False, models[0], session
    )
    for name, painted in (
        (models[0], result),
        (other, paint.paint(data_url(face[1]), style, 0, False, other, session)[0]),
    ):  # each in its own code of the style
        step = read_provenance(painted)["operations"][-1]
        assert step["model"] == Path(name).name
        assert step["style"]["kind"] == "photo"


def test_sessions_do_not_see_each_other(client, studio, face):
    stranger = joined(studio)
    stranger.predict(seed=12, api_name="/generate")
    client.predict(seed=SEED, api_name="/generate")
    result, _ = client.predict(data_url(face[1]), api_name="/paint")  # nothing changed: the face
    assert np.array_equal(pixels(result), np.asarray(face[0]))


def test_two_visitors_keep_their_own_photos(client, studio, face, tmp_path):
    stranger, befores = joined(studio), {}
    for visitor, angle in ((client, 0), (stranger, 15)):
        photo = tmp_path / f"{angle}.png"
        face[0].resize((400, 400)).rotate(angle, fillcolor="red").save(photo)
        canvas, before, *_ = visitor.predict(gradio_client.handle_file(photo), api_name="/open")
        befores[visitor] = canvas, pixels(before)
    (_, mine), (_, theirs) = befores.values()
    assert not np.array_equal(mine, theirs)
    for visitor, (canvas, before) in befores.items():
        result, _ = visitor.predict(canvas, api_name="/paint")  # nothing changed: the photo
        assert np.array_equal(pixels(result), before)


def test_a_stroke_on_a_picture_that_was_replaced_paints_nothing(client, studio, face):
    old, *_ = client.predict(seed=SEED, api_name="/generate")
    new, *_ = client.predict(seed=12, api_name="/generate")
    result, _ = client.predict(old, api_name="/paint")
    assert result == SKIPPED
    with pytest.raises(gradio_client.exceptions.AppError, match="open it again"):
        client.predict(old, api_name="/picture")
    assert client.predict(old, api_name="/layout")  # the drawing itself is not lost
    assert client.predict(new, api_name="/paint")[0]
    stranger = gradio_client.Client(
        studio, verbose=False
    )  # as a page after a restart of the server
    with pytest.raises(gradio_client.exceptions.AppError, match="open it again"):
        stranger.predict(new, api_name="/paint")


# The history: what a page is given to draw its strip, as nobody but that page may have it.


def answer(http: httpx.Client, me: dict) -> dict:
    """The outcome of the event that was sent under this session's hash."""
    with http.stream("GET", "queue/data", params=me) as events:
        for line in events.iter_lines():
            event = json.loads(line.removeprefix("data: ") or "{}")
            if event.get("msg") == "process_completed":
                return event
    raise AssertionError("no answer")


def private(client, handler: str, *inputs) -> list:
    """What a page gets from one of its own events, which scripts are not offered."""
    event, *_ = (d["id"] for d in client.config["dependencies"] if d["api_name"] == handler)
    me = {"session_hash": client.session_hash}
    with httpx.Client(base_url=client.src + "gradio_api/", timeout=60) as http:
        data = {"data": [*inputs, None], "fn_index": event, **me}
        assert http.post("queue/join", json=data).status_code == 200
        event = answer(http, me)
    if not event["success"]:
        raise gradio_client.exceptions.AppError(event["output"]["error"])
    return event["output"]["data"]


def strip_of(client, has: str = "") -> dict:
    """What the history strip of a client's page would show."""
    return json.loads(private(client, "strip", has)[0])


def test_strokes_are_steps_and_none_is_painted_twice(studio, face, monkeypatch):
    client, layout = joined(studio), face[1]
    client.predict(seed=SEED, api_name="/generate")
    first, scores = client.predict(data_url(bangs(layout)), api_name="/paint")
    client.predict(data_url(layout), style="seed", style_seed=7, blend=False, api_name="/paint")
    steps = strip_of(client)["steps"]
    assert [step["name"] for step in steps[:2]] == [f"Face {SEED}", "Hair painted"]
    assert [step["parent"] for step in steps] == [None, 0, 1]

    def asked(*_, **__):
        raise AssertionError("a network was asked")

    monkeypatch.setattr(PaintEditor, "apply", asked)
    again, same = client.predict(data_url(bangs(layout)), api_name="/paint")
    assert np.array_equal(pixels(again), pixels(first))
    assert same == scores
    assert strip_of(client)["current"] == 1
    start, _ = client.predict(data_url(layout), api_name="/paint")
    assert np.array_equal(pixels(start), np.asarray(face[0]))
    assert (strip_of(client)["current"], len(strip_of(client)["steps"])) == (0, 3)


def test_a_work_is_saved_and_opened_by_another(studio, face, tmp_path):
    client, stranger, layout = joined(studio), joined(studio), face[1]
    client.predict(seed=SEED, api_name="/generate")
    result, scores = client.predict(data_url(bangs(layout)), "seed", 7, api_name="/paint")
    path = client.predict(api_name="/work")
    assert Path(path).name == f"face-{SEED}.semedit"
    file = gradio_client.handle_file(path)
    canvas, before, shown, score, style, seed, blend, _, number = stranger.predict(
        file, api_name="/open_work"
    )
    assert np.array_equal(decode_value(canvas, FACE, 256)[0].numpy(), bangs(layout))
    assert np.array_equal(pixels(before), np.asarray(face[0]))
    assert np.array_equal(pixels(shown), pixels(result))
    assert score == scores
    assert (style, seed, blend, number) == ("seed", 7, True, SEED)
    mine, theirs = strip_of(client), strip_of(stranger)
    assert mine["steps"] == theirs["steps"]
    assert not {mine["key"], mine["name"]} & {theirs["key"], theirs["name"]}
    stranger.predict(data_url(bangs(layout)), "seed", 8, api_name="/paint")
    assert [len(strip_of(each)["steps"]) for each in (client, stranger)] == [2, 3]


def work_of(size: int) -> bytes:
    """A saved work whose pictures are so large."""
    document = Document(torch.zeros(1, 3, size, size), torch.ones(1, size, size), {"tool": "open"})
    return saved(document)


def saved(document: Document) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        document.save(Path(folder, "face.semedit"))
        return Path(folder, "face.semedit").read_bytes()


def unlabelled() -> bytes:
    layout = torch.ones(1, 256, 256)
    layout[:, 9] = IGNORE
    return saved(Document(torch.zeros(1, 3, 256, 256), layout, {"tool": "open"}))


BAD_WORKS = {
    "not a work": (lambda: b"Dear reader", "not a semedit document or is damaged"),
    "a picture": (lambda: file_of(NOISE, "PNG"), "not a semedit document or is damaged"),
    "cut off": (lambda: work_of(256)[:-200], "not a semedit document or is damaged"),
    "another size": (lambda: work_of(128), "not 256 pixels"),
    "without a class": (unlabelled, "pixels without a class"),
}


@pytest.mark.parametrize("name", BAD_WORKS)
def test_bad_works_are_refused_and_the_own_one_kept(client, face, tmp_path, name):
    make, sentence = BAD_WORKS[name]
    client.predict(seed=SEED, api_name="/generate")
    client.predict(data_url(bangs(face[1])), api_name="/paint")
    before = strip_of(client)
    (tmp_path / "work.semedit").write_bytes(make())
    file = gradio_client.handle_file(tmp_path / "work.semedit")
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        client.predict(file, api_name="/open_work")
    assert strip_of(client) == before


def test_a_work_from_elsewhere_is_named_by_nothing_that_it_says(client, tmp_path):
    record = {"tool": "generate", "seed": "../../../etc/passwd"}
    picture = Document(torch.zeros(1, 3, 256, 256), torch.ones(1, 256, 256), record)
    for style in ({"kind": "seed", "seed": 2**40}, {"kind": "<b>"}, ["own"], None):
        record = {"tool": "paint", "style": style, "model": ["a"], "composite": "no"}
        strange = Document(picture.image, picture.layout, record, parent=picture)
        (tmp_path / "work.semedit").write_bytes(saved(strange))
        file = gradio_client.handle_file(tmp_path / "work.semedit")
        *_, seed, _, model, _ = client.predict(file, api_name="/open_work")
        assert seed == model == SKIPPED
    assert Path(client.predict(api_name="/work")).name == "photo.semedit"


def test_nobody_sees_the_work_of_another(client, studio, face, tmp_path):
    """Who has neither the key nor a lucky guess gets the first face and nothing else."""
    photo = tmp_path / "me.png"
    face[0].resize((400, 400)).rotate(10, fillcolor="red").save(photo)
    canvas, *_ = client.predict(gradio_client.handle_file(photo), api_name="/open")
    client.predict(data_url(bangs(face[1])), api_name="/paint")
    mine = strip_of(client)
    assert len(mine["key"]) >= 20
    stranger = joined(studio)
    guesses = ["", "a", mine["key"][:-1], mine["key"].swapcase(), mine["name"], "../" + mine["key"]]
    for guess in [*guesses, json.loads(canvas)["document"]]:
        *_, before, shown, _, _ = private(stranger, "start", guess)
        for picture in (before, shown):
            assert np.array_equal(pixels(picture["path"]), np.asarray(face[0]))
        assert strip_of(stranger)["key"] is None
    for has in (
        json.dumps({"name": mine["name"], "has": 0, "chosen": 1}),
        json.dumps({"name": mine["key"], "has": 0, "chosen": 1}),
    ):
        assert len(strip_of(stranger, has)["steps"]) == 1
        with pytest.raises(gradio_client.exceptions.AppError, match="no longer kept"):
            private(stranger, "visit", has)
    with pytest.raises(gradio_client.exceptions.AppError, match="open it again"):
        stranger.predict(canvas, api_name="/picture")
    assert strip_of(client) == mine


def test_what_cannot_be_opened_costs_nothing(studio, face):
    client = joined(studio)
    client.predict(seed=SEED, api_name="/generate")
    client.predict(data_url(bangs(face[1])), api_name="/paint")
    before = strip_of(client)
    with pytest.raises(gradio_client.exceptions.AppError, match="whole number"):
        client.predict(seed=12, style="seed", style_seed=0.5, blend=False, api_name="/generate")
    assert strip_of(client) == before
    client.predict(data_url(face[1]), blend=False, api_name="/paint")
    assert len(strip_of(client)["steps"]) == 3


def test_what_was_forgotten_is_said_and_opened_again(studio, face, tmp_path, monkeypatch):
    import paint as demo

    client, painter = joined(studio), joined(studio)
    face[0].resize((400, 400)).save(tmp_path / "me.png")
    file = gradio_client.handle_file(tmp_path / "me.png")
    client.predict(file, api_name="/open")
    painter.predict(seed=12, api_name="/generate")
    with monkeypatch.context() as later:
        later.setattr(demo.desk.store, "_age", -1)  # everything is too old
        with pytest.raises(gradio_client.exceptions.AppError, match="or the photo, again"):
            client.predict(data_url(bangs(face[1])), api_name="/paint")
    painter.predict(data_url(bangs(face[1])), api_name="/paint")  # a generated face comes back
    assert strip_of(painter)["steps"][0]["name"] == "Face 12"
    client.predict(file, api_name="/open")
    client.predict(data_url(bangs(face[1])), api_name="/paint")
    assert len(strip_of(client)["steps"]) == 2


def test_a_tab_that_comes_back_finds_its_work(studio, face):
    client, back = joined(studio), joined(studio)
    client.predict(seed=12, api_name="/generate")
    result, scores = client.predict(data_url(bangs(face[1])), "seed", 9, api_name="/paint")
    style, seed, blend, _, number, _, canvas, _, shown, score, _ = private(
        back, "start", strip_of(client)["key"]
    )
    assert (style, seed, blend, number) == ("seed", 9, True, 12)
    assert np.array_equal(decode_value(canvas, FACE, 256)[0].numpy(), bangs(face[1]))
    assert np.array_equal(pixels(shown["path"]), pixels(result))
    assert score == scores
    assert strip_of(back) == strip_of(client)


def test_two_edits_at_once_both_land(studio, face, monkeypatch):
    """Two pages of one work, a duplicated tab say; each step has the parent it was made from."""
    import paint as demo

    one = demo.tab.generate(SEED, "own", 0, True, demo.MODELS[0], demo.Session())[-1]
    layout = face[1]
    *_, two = demo.tab.start(one.key, demo.Session())
    together = threading.Barrier(2, timeout=60)
    apply = PaintEditor.apply

    def held(*arguments):
        together.wait()
        return apply(*arguments)

    monkeypatch.setattr(PaintEditor, "apply", held)
    other = layout.copy()
    other[200:220, 100:150] = HAIR
    with ThreadPoolExecutor(2) as pool:
        asked = [
            pool.submit(demo.paint, data_url(ids), "own", 0, True, demo.MODELS[0], session)
            for ids, session in ((bangs(layout), one), (other, two))
        ]
        pictures = [pixels(each.result()[0]) for each in asked]
    assert not np.array_equal(*pictures)
    history = demo.desk.work(one)[0].history
    assert len(history.steps) == 3
    assert all(step.parent is history.opened for step in history.steps[1:])


def test_a_step_that_is_visited_while_a_stroke_is_painted_stays_on_the_page(
    studio, face, monkeypatch
):
    import paint as demo

    session = demo.tab.generate(SEED, "own", 0, True, demo.MODELS[0], demo.Session())[-1]
    name = demo.desk.work(session)[0].name
    apply = PaintEditor.apply

    def meanwhile(*arguments):
        demo.tab.visit(json.dumps({"name": name, "has": 1, "chosen": 0}), session)
        return apply(*arguments)

    monkeypatch.setattr(PaintEditor, "apply", meanwhile)
    strokes = data_url(bangs(face[1]))
    shown = demo.paint(strokes, "own", 0, True, demo.MODELS[0], session)
    assert all(isinstance(value, dict) and "value" not in value for value in shown[:2])  # skipped
    history = demo.desk.work(session)[0].history
    assert len(history.steps) == 2
    assert history.current is history.opened


def test_a_work_that_is_full_says_what_to_do(studio, face, monkeypatch):
    client = joined(studio)
    client.predict(seed=SEED, api_name="/generate")
    monkeypatch.setattr("semedit_lite.editing.document.MAX_STEPS", 1)
    with pytest.raises(gradio_client.exceptions.AppError, match="save it, and the picture"):
        client.predict(data_url(bangs(face[1])), api_name="/paint")
    assert Path(client.predict(api_name="/work")).stat().st_size > 1000
    client.predict(seed=12, api_name="/generate")  # begun anew


# Photos: all that are pictures of a face are taken, whatever their kind.

KINDS = {
    "grey": lambda photo: (photo.convert("L"), "PNG", {}),
    "alpha": lambda photo: (photo.convert("RGBA"), "PNG", {}),
    "CMYK": lambda photo: (photo.convert("CMYK"), "JPEG", {}),
    "palette": lambda photo: (photo.quantize(), "PNG", {}),
    "16 bits": lambda photo: (
        Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257),
        "PNG",
        {},
    ),
}
TURNS = {  # EXIF orientation -> how a camera that is held so stores the upright picture
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def opened(client, path):
    canvas, *_ = client.predict(gradio_client.handle_file(path), api_name="/open")
    return decode_value(canvas, FACE, 256)[0].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_photos_of_every_kind_are_opened(client, face, tmp_path, kind):
    image, form, options = KINDS[kind](face[0])
    image.save(tmp_path / "photo", form, **options)
    found = opened(client, tmp_path / "photo")
    assert (found == HAIR).mean() > 0.1


def test_all_eight_orientations_are_turned_upright(client, face, tmp_path):
    layouts = []
    for orientation, turn in TURNS.items():
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        photo = face[0].resize((400, 400)).crop((0, 0, 400, 390))
        photo = photo if turn is None else photo.transpose(turn)
        photo.save(tmp_path / "photo.png", exif=exif)
        layouts.append(opened(client, tmp_path / "photo.png"))
    for layout in layouts[1:]:
        assert (layout == layouts[0]).mean() > 0.97


# What cannot be used is refused with one sentence, and the Studio goes on.


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds a few bytes."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [header, body, b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )


def file_of(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


NOISE = Image.effect_noise((300, 300), 60).convert("RGB")
BAD_PHOTOS = {
    "not an image": (b"Dear reader, this is no picture.", "not a picture"),
    "empty file": (b"", "not a picture|empty"),
    "truncated": (file_of(NOISE, "PNG")[:5000], "damaged"),
    "0x0": (png_header(0, 0), "empty|not a picture"),
    "20000x20000": (png_header(20_000, 20_000), "too large"),
    "animated": (
        file_of(NOISE, "GIF", save_all=True, append_images=[NOISE.rotate(90)]),
        "several frames",
    ),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
    "no face": (file_of(NOISE, "PNG"), "No face"),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_bad_photos_are_refused(client, face, tmp_path, name):
    content, sentence = BAD_PHOTOS[name]
    (tmp_path / "photo").write_bytes(content)
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        client.predict(gradio_client.handle_file(tmp_path / "photo"), api_name="/open")
    assert client.predict(data_url(face[1]), api_name="/paint")  # still up


def test_bad_style_photos_are_refused(client, face, tmp_path):
    content, sentence = BAD_PHOTOS["truncated"]
    (tmp_path / "photo").write_bytes(content)
    photo, layout = gradio_client.handle_file(tmp_path / "photo"), data_url(face[1])
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        client.predict(photo, layout, api_name="/reference")
    assert client.predict(layout, api_name="/paint")


def outside_the_set(ids):
    return np.where(np.arange(256) < 9, 19, ids)


BAD_LAYOUTS = {
    "another size": (lambda ids: data_url(ids[:200]), "256×200"),
    "ids outside the set": (lambda ids: data_url(outside_the_set(ids)), "only 0 to 18"),
    "never painted": (lambda ids: "", "canvas is empty"),
    "empty canvas": (lambda ids: data_url(ids * 0), "canvas is empty"),
    "colours": (
        lambda ids: "data:image/png;base64," + base64.b64encode(file_of(NOISE, "PNG")).decode(),
        "colour picture",
    ),
    "text": (lambda ids: "a face with a hat", "sent as"),
}


@pytest.mark.parametrize("name", BAD_LAYOUTS)
def test_bad_layouts_are_refused(client, face, name):
    make, sentence = BAD_LAYOUTS[name]
    for endpoint in ("/paint", "/picture", "/layout"):
        with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
            client.predict(make(face[1]), api_name=endpoint)
    assert client.predict(data_url(face[1]), api_name="/paint")


def as_png(image: Image.Image) -> bytes:
    return file_of(image, "PNG")


def palette_image(ids) -> Image.Image:
    return FACE.to_pil(torch.from_numpy(ids.astype(np.int64)))


BAD_FILES = {
    "smoothed edges": (
        lambda ids: as_png(palette_image(ids).convert("RGB").resize((300, 300))),
        r"% of its pixels .* without smoothing",
    ),
    "photo": (lambda ids: as_png(NOISE), "none of the colours of 'face'"),
    "JPEG": (lambda ids: file_of(palette_image(ids).convert("RGB"), "JPEG"), "is a JPEG"),
    "16 bits": (
        lambda ids: as_png(Image.fromarray(ids.astype(np.uint16) * 257)),
        "only 0 to 18",
    ),
    "not square": (lambda ids: as_png(palette_image(ids[:200])), "256×200"),
    "one class": (lambda ids: as_png(palette_image(ids * 0)), "all of it is"),
    "pixels without a class": (
        lambda ids: as_png(palette_image(np.where(ids == HAIR, 255, ids))),
        "without a class",
    ),
    "truncated": (lambda ids: as_png(palette_image(ids))[:900], "damaged"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_layout_files_are_refused(client, face, tmp_path, name):
    make, sentence = BAD_FILES[name]
    (tmp_path / "layout.png").write_bytes(make(face[1]))
    file = gradio_client.handle_file(tmp_path / "layout.png")
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        client.predict(file, api_name="/open_layout")
    assert client.predict(data_url(face[1]), api_name="/paint")


def test_fifty_clients_at_once_are_answered_or_told_that_it_is_busy(
    client, studio, face, monkeypatch
):
    """The first is held until all have asked, so that the queue does fill up."""
    import paint as demo

    all_asked = threading.Event()
    apply = PaintEditor.apply

    def held(*args):
        assert all_asked.wait(300)
        return apply(*args)

    monkeypatch.setattr(PaintEditor, "apply", held)
    (paint,) = (d["id"] for d in client.config["dependencies"] if d["api_name"] == "paint")
    layout = data_url(face[1])
    turn = threading.Barrier(50, all_asked.set)

    def ask(k: int) -> tuple[int, str]:
        """HTTP status, and the address of the picture or the server's word."""
        me = {"session_hash": f"fifty-{k}"}  # of nobody else in this process
        data = [layout, "seed", k % 2, False, demo.MODELS[0], None]
        with httpx.Client(base_url=studio + "gradio_api/", timeout=300) as http:
            joined = http.post("queue/join", json={"data": data, "fn_index": paint, **me})
            turn.wait(300)
            if joined.status_code != 200:
                return joined.status_code, joined.json()["detail"]
            event = answer(http, me)
            assert isinstance(event["output"]["data"][0], dict), event
            return 200, event["output"]["data"][0]["url"]

    with ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(ask, range(50)))
    pictures: dict[int, set[bytes]] = {0: set(), 1: set()}
    for k, (status, said) in enumerate(answers):
        if status == 200:
            pixel = Image.open(io.BytesIO(httpx.get(said).content)).convert("RGB")
            pictures[k % 2].add(pixel.tobytes())
        else:
            assert (status, said.split(".")[0]) == (503, "Queue is full")
    statuses = [status for status, _ in answers]
    assert 16 <= statuses.count(200) <= 18  # those that wait and one that is at work
    assert statuses.count(200) + statuses.count(503) == 50
    ones, others = pictures.values()
    assert len(ones | others) == len(ones) + len(others) == 2  # each its own, in its own style
    assert client.predict(layout, api_name="/paint")


@pytest.mark.parametrize("seed", [-1, 2**40])
def test_bad_seeds_are_refused(client, seed):
    with pytest.raises(gradio_client.exceptions.AppError, match="whole number"):
        client.predict(seed=seed, api_name="/generate")


# Nothing stands open that Gradio leaves open.


@pytest.mark.parametrize("endpoint", ["/open", "/paint"])
def test_a_link_is_not_followed(client, face, endpoint):
    link = {"path": "http://example.com/me.png", "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(gradio_client.exceptions.AppError, match="not linked to"):
        client.predict(link, api_name=endpoint)
    assert client.predict(data_url(face[1]), api_name="/paint")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("gradio_api/file=http://example.com/me.png", 403),
        ("gradio_api/file=" + __file__, 403),
        ("monitoring", 403),
        ("monitoring/summary", 403),
    ],
)
def test_neither_foreign_files_nor_figures_are_served(studio, path, status):
    assert httpx.get(studio + path).status_code == status


def test_there_is_no_way_around_the_queue(studio, face):
    url = studio + "gradio_api/run/paint"
    assert httpx.post(url, json={"data": [data_url(face[1])]}).status_code == 404


def test_an_upload_above_32_megabytes_is_refused(client, studio, face):
    for megabytes, status in ((31, 200), (33, 413)):
        upload = {"files": ("photo.png", bytes(megabytes * 2**20))}
        assert httpx.post(studio + "gradio_api/upload", files=upload).status_code == status
    assert client.predict(data_url(face[1]), api_name="/paint")


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word")
def test_photos_do_not_outlive_the_studio(face, tmp_path):
    face[0].save(tmp_path / "me.png")
    folder = tmp_path / "temporary"
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).parent.parent / "demos" / "studio.py"
    command = [sys.executable, script, "--port", str(port), "--no-browser"]
    server = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)})
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "the Studio does not start"
                time.sleep(0.1)
        stranger = gradio_client.Client(
            f"http://127.0.0.1:{port}", verbose=False, analytics_enabled=False
        )
        stranger.predict(gradio_client.handle_file(tmp_path / "me.png"), api_name="/open")
        (private,) = folder.glob("semedit-*")
        assert private.stat().st_mode & 0o777 == 0o700
        assert any(private.rglob("me.png"))
        for k in range(3000):  # so that the deletion takes its time
            (private / str(k)).touch()
    finally:
        while server.poll() is None:  # again and again: some who stop a process repeat themselves
            server.send_signal(signal.SIGTERM)
            time.sleep(0.01)
    assert not private.exists()
