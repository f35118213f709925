"""The Sliders tab through gradio_client: edits, what takes long, own sliders, bad input."""

import base64
import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

gradio_client = pytest.importorskip("gradio_client")

from standin import BROWS, MOUTH, StandIn, Vector, vector, write  # noqa: E402
from test_api import NOISE, data_url, file_of, joined, pixels, private  # noqa: E402

from semedit_lite.editing.document import History  # noqa: E402
from semedit_lite.images import read_provenance, resize_layout, to_pil  # noqa: E402
from semedit_lite.labels import FACE_FINE  # noqa: E402
from semedit_lite.ui.painter import decode_value  # noqa: E402

SEED, OTHER = 24, 12
HAT = FACE_FINE.id("hat")
AppError = gradio_client.exceptions.AppError


@pytest.fixture(scope="module")
def demo(sliders_tab):
    return sliders_tab[0]


@pytest.fixture(scope="module")
def address(sliders_tab):
    return sliders_tab[1]


@pytest.fixture
def client(address, standin):
    client = joined(address)
    ask(client, "generate", seed=SEED)
    return client


def ask(client, name, *inputs, **named):
    return client.predict(*inputs, **named, api_name=f"/sliders_{name}")


def at(refine=0, **values) -> str:
    """What the sliders send."""
    names = {name.replace("_", "-"): value for name, value in values.items()}
    return json.dumps({"values": names, "refine": refine})


def untouched(value) -> bool:
    """Whether a component is left as it is."""
    return isinstance(value, dict) and value["__type__"] == "update" and "value" not in value


def face(demo, seed=SEED):
    """A generated face as it is shown, (256, 256, 3)."""
    return pixels(demo.tab.seen(demo.tab.face(seed)))


def layout_of(canvas) -> np.ndarray:
    return decode_value(canvas, FACE_FINE, 256)[0].numpy()


def strip_of(client, has: str = "") -> dict:
    return json.loads(private(client, "sliders_strip", has)[0])


def names_of(client) -> list[str]:
    return [step["name"] for step in strip_of(client)["steps"]]


def painted(demo, canvas: str | None = None) -> str:
    """The part map of a face, or of a canvas, with a hat."""
    if canvas is None:
        layout = demo.parts_of(demo.tab.face(SEED))[0].numpy().copy()
    else:
        layout = layout_of(canvas).copy()
    layout[20:40, 90:160] = HAT
    return data_url(layout)


def handle(path):
    return gradio_client.handle_file(path)


def test_every_endpoint_is_named_and_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    names = (
        *("generate", "random_face", "open", "choose_face", "open_work", "work", "undo", "redo"),
        *("slide", "finish", "refine", "apply", "stop", "retry", "picture", "layout"),
        *("save_slider", "load_slider", "slider_file"),
    )
    assert set(endpoints) == {f"/sliders_{name}" for name in names}
    for name, about in endpoints.items():
        assert len(about["description"]) > 30, name


def test_a_slider_is_looked_at_and_let_go(client, demo):
    seen = pixels(ask(client, "slide", at(smile=1)))
    assert np.abs(seen - face(demo)).mean() > 0.2
    assert names_of(client) == [f"Face {SEED}"]  # looking makes no step
    canvas, result, scores = ask(client, "finish", at(smile=1))
    assert np.abs(pixels(result) - seen).mean() < 2  # what was seen, but for the JPEG
    assert names_of(client) == [f"Face {SEED}", "Smile 1"]
    assert not np.array_equal(layout_of(canvas), layout_of(ask(client, "generate", seed=SEED)[0]))
    assert scores["identity"] == 0.9


def test_what_is_saved_says_how_it_was_made(client):
    ask(client, "finish", at(smile=1))
    record = read_provenance(ask(client, "picture"))
    assert record["synthetic"]
    assert [step["tool"] for step in record["operations"]] == ["generate", "sliders"]
    assert record["operations"][1]["values"] == {"smile": 1}


def test_sliders_add_up_and_lead_back(client, demo):
    ask(client, "finish", at(smile=1))
    _, both, _ = ask(client, "finish", at(smile=1, brows_up=-1))
    ask(client, "generate", seed=SEED)
    ask(client, "finish", at(brows_up=-1))
    _, other_way, _ = ask(client, "finish", at(brows_up=-1, smile=1))
    assert np.array_equal(pixels(both), pixels(other_way))
    assert np.abs(pixels(both) - face(demo)).mean() > 0.5
    _, back, _ = ask(client, "finish", at())
    assert np.array_equal(pixels(back), face(demo))
    assert names_of(client)[-1] == "Sliders at 0"


def test_a_slider_that_is_let_go_where_it_was_makes_no_step(client, standin):
    ask(client, "finish", at(smile=1))
    canvas, result, _ = ask(client, "finish", at(smile=1))
    assert untouched(canvas)
    assert len(names_of(client)) == 2
    assert np.array_equal(pixels(ask(client, "slide", at(smile=1))), pixels(result))
    assert standin.asked == []  # the step is shown, no network asked


def test_an_edit_is_refined_from_where_it_began(client):
    ask(client, "finish", at(smile=1))
    *_, result, _, sliders, progress = ask(client, "refine", at(10, smile=1))
    assert json.loads(sliders) == {"at": {"smile": 1}, "busy": ""}
    assert progress == ""
    steps = strip_of(client)["steps"]
    assert [step["name"] for step in steps] == [f"Face {SEED}", "Smile 1", "Smile 1, refined"]
    assert steps[2]["parent"] == 0
    record = read_provenance(ask(client, "picture"))["operations"]
    assert [step.get("refine") for step in record] == [None, 10]
    assert pixels(result).shape == (256, 256, 3)
    ask(client, "refine", at(30, smile=1, brows_up=1))
    assert strip_of(client)["steps"][3]["parent"] == 2


@pytest.mark.parametrize("sliders", [at(10), at(smile=1), at(0, smile=1)])
def test_nothing_to_refine(client, sliders):
    with pytest.raises(AppError, match="only an edit can be refined"):
        ask(client, "refine", sliders)


def test_parts_are_painted_and_applied(client, demo):
    job = client.submit(painted(demo), 40, api_name="/sliders_apply")
    canvas, result, *_ = job.result()
    seen = [json.loads(each[4]) for each in job.outputs()[:-1]]
    assert seen[0] == {"done": 0, "words": "Begins …"}
    assert all(one["done"] < other["done"] for one, other in itertools.pairwise(seen))
    assert seen[-1]["words"].startswith("Step")
    assert seen[-1]["picture"].startswith("data:image/jpeg")
    assert names_of(client) == [f"Face {SEED}", "Hat painted"]
    assert np.abs(pixels(result) - face(demo)).mean() > 0.2
    assert (layout_of(canvas) != HAT).all()  # the part map is that of the result
    assert (
        decode_value(json.dumps({"layout": json.loads(canvas)["over"]}), FACE_FINE, 256)
        .eq(decode_value(painted(demo), FACE_FINE, 256))
        .all()
    )  # what was painted is applied and goes


def test_iris_and_beard_may_be_painted(client, demo):
    layout = layout_of(painted(demo))
    layout[100:110, 90:110], layout[200:220, 90:160] = 19, 20
    ask(client, "apply", data_url_fine(layout), 30)
    assert names_of(client)[-1] == "Hat and iris painted"


def data_url_fine(ids: np.ndarray) -> str:
    image = FACE_FINE.to_pil(torch.from_numpy(ids.astype(np.int64)))
    return "data:image/png;base64," + base64.b64encode(file_of(image, "PNG")).decode()


def test_a_part_map_is_saved(client, demo):
    saved = Image.open(ask(client, "layout", painted(demo)))
    assert np.array_equal(np.asarray(saved), layout_of(painted(demo)))


BAD_MAPS = {
    "nothing": (lambda ids: data_url_fine(ids), "as it was; paint what shall change"),
    "another size": (lambda ids: data_url_fine(ids[:200]), "256×200"),
    "a class there is not": (lambda ids: data_url_fine(np.where(ids == 1, 21, ids)), "0 to 20"),
    "one class": (lambda ids: data_url_fine(ids * 0), "canvas is empty"),
    "text": (lambda ids: "a hat", "sent as"),
}


@pytest.mark.parametrize("name", BAD_MAPS)
def test_bad_part_maps_are_refused(client, demo, name):
    make, sentence = BAD_MAPS[name]
    with pytest.raises(AppError, match=sentence):
        ask(client, "apply", make(demo.parts_of(demo.tab.face(SEED))[0].numpy()), 30)
    assert names_of(client) == [f"Face {SEED}"]
    ask(client, "finish", at(smile=1))  # the page goes on


@pytest.mark.parametrize("steps", [0, 29, 101, 10**9])
def test_an_edit_takes_so_many_steps(client, demo, steps):
    with pytest.raises(AppError, match=r"30 to 100|greater than|less than"):
        ask(client, "apply", painted(demo), steps)


BAD_SLIDERS = {
    "unknown": ('{"values": {"sneer": 1}}', "no slider 'sneer'; there are smile, brows-up"),
    "too far": ('{"values": {"smile": 2.1}}', "'smile' goes from -2 to 2"),
    "no number": ('{"values": {"smile": "much"}}', "'smile' goes from"),
    "not finite": ('{"values": {"smile": NaN}}', "'smile' goes from"),
    "true": ('{"values": {"smile": true}}', "'smile' goes from"),
    "a list": ('{"values": [1]}', "sent as"),
    "text": ("smile", "sent as"),
    "refinement": ('{"values": {"smile": 1}, "refine": 500}', "0, 10, 30 steps"),
}


@pytest.mark.parametrize("name", BAD_SLIDERS)
def test_bad_sliders_are_refused(client, name):
    value, sentence = BAD_SLIDERS[name]
    for event in ("slide", "finish", "refine"):
        with pytest.raises(AppError, match=sentence):
            ask(client, event, value)
    assert names_of(client) == [f"Face {SEED}"]


# What takes long


def begun(client, standin, demo, *inputs, name="apply"):
    """An edit that has made a step and then waits."""
    standin.let_go.clear()
    job = client.submit(*(inputs or (painted(demo), 30)), api_name=f"/sliders_{name}")
    standin.let_go.set()
    assert standin.stepped.wait(60)
    standin.let_go.clear()
    return job


def test_a_slider_moved_while_an_edit_is_worked_out(client, standin, demo):
    job = begun(client, standin, demo)
    for event in ("slide", "finish"):
        with pytest.raises(AppError, match="still being worked out; wait until it is done, or"):
            ask(client, event, at(smile=1))
    standin.let_go.set()
    assert pixels(job.result()[1]).shape == (256, 256, 3)
    ask(client, "finish", at(smile=1))
    assert names_of(client) == [f"Face {SEED}", "Hat painted", "Smile 1"]


def test_the_last_move_before_a_slider_was_let_go_is_no_mistake(client, standin, demo):
    job = begun(client, standin, demo, at(10, smile=1), name="refine")
    assert untouched(ask(client, "slide", at(smile=1)))
    standin.let_go.set()
    job.result()


def test_an_edit_is_stopped_and_kept_as_far_as_it_came(client, standin, demo):
    with pytest.raises(AppError, match="Nothing is being worked out"):
        ask(client, "stop")
    whole = demo.tab.face(SEED).latent[0, 0, BROWS] + 1
    job = begun(client, standin, demo)
    ask(client, "stop")
    standin.let_go.set()
    job.result()
    assert names_of(client) == [f"Face {SEED}", "Hat painted"]
    (step,) = latest(demo)[1:]
    assert demo.tab.face(SEED).latent[0, 0, BROWS] < step.latent[0, 0, BROWS] < whole


def latest(demo) -> tuple:
    """The steps of the work that was used last."""
    kept = next(reversed(demo.desk.store._kept.values()))
    return kept.work.history.steps


def test_who_opens_another_face_ends_the_edit(client, standin, demo):
    job = begun(client, standin, demo)
    ask(client, "generate", seed=OTHER)
    standin.let_go.set()
    *answer, progress = job.result()
    assert all(map(untouched, answer))  # nothing of it reaches the new face
    assert progress == ""
    assert names_of(client) == [f"Face {OTHER}"]
    assert np.array_equal(pixels(ask(client, "slide", at())), face(demo, OTHER))


def test_who_goes_back_meanwhile_ends_the_edit_and_finds_it(client, standin, demo):
    canvas, *_ = ask(client, "finish", at(smile=1))
    job = begun(client, standin, demo, painted(demo, canvas), 30)
    ask(client, "undo")
    standin.let_go.set()
    assert all(map(untouched, job.result()[:4]))
    strip = strip_of(client)
    assert [step["name"] for step in strip["steps"]] == [f"Face {SEED}", "Smile 1", "Hat painted"]
    assert strip["current"] == 0
    step = latest(demo)[2]
    assert step.latent[0, 0, BROWS] < step.parent.latent[0, 0, BROWS] + 1  # it was stopped


def test_two_users_at_once(client, address, standin, demo):
    """One waits for an edit; the other moves sliders meanwhile and sees nothing of it."""
    job = begun(client, standin, demo)
    other = joined(address)
    ask(other, "generate", seed=OTHER)
    seen = pixels(ask(other, "slide", at(smile=1)))
    canvas, result, _ = ask(other, "finish", at(smile=1))
    assert np.abs(pixels(result) - seen).mean() < 2
    assert names_of(other) == [f"Face {OTHER}", "Smile 1"]
    second = other.submit(painted(demo, canvas), 30, api_name="/sliders_apply")
    standin.let_go.set()
    job.result()
    second.result()
    assert names_of(client) == [f"Face {SEED}", "Hat painted"]
    assert names_of(other) == [f"Face {OTHER}", "Smile 1", "Hat painted"]


def test_an_edit_that_fails_says_so_and_the_next_one_runs(client, standin, demo, monkeypatch):
    from semedit_lite.errors import InputError

    def fails(*_, **__):
        raise InputError("The edit went astray; try fewer steps.")

    with monkeypatch.context() as patched:
        patched.setattr(StandIn, "repaint", fails)
        with pytest.raises(AppError, match="went astray"):
            ask(client, "apply", painted(demo), 30)
    ask(client, "apply", painted(demo), 30)
    assert names_of(client) == [f"Face {SEED}", "Hat painted"]


# Sliders of one's own


WANTED = '{"wanted": "raised-b-brow"}'


@pytest.fixture
def own(client, demo):
    """A client that has a slider of its own, and what the page is told of it."""
    ask(client, "apply", painted(demo), 30)
    sliders, name = ask(client, "save_slider", "  Raised <b>brow ")
    assert name == ""
    return client, json.loads(sliders)["groups"][-1]


def test_an_edit_becomes_a_slider(own, demo, tmp_path):
    client, group = own
    assert group["title"] == "Yours"
    (slider,) = group["sliders"]
    assert slider == {
        **{"name": "raised-b-brow", "title": "Raised <b>brow", "own": True},
        **{"low": -2.0, "high": 2.0},
    }
    ask(client, "generate", seed=OTHER)
    _, result, _ = ask(client, "finish", at(raised_b_brow=1.0))
    assert np.abs(pixels(result) - face(demo, OTHER)).mean() > 0.2
    assert latest(demo)[1].latent[0, 0, BROWS] == demo.tab.face(OTHER).latent[0, 0, BROWS] + 1


def test_a_slider_goes_to_somebody_else_as_a_file(own, address, demo):
    client, _ = own
    path = ask(client, "slider_file", WANTED)
    assert Path(path).name == "raised-b-brow.safetensors"
    stranger = joined(address)
    with pytest.raises(AppError, match="no slider 'raised-b-brow'"):
        ask(stranger, "finish", at(raised_b_brow=1))  # it is nobody else's
    for expected in ("raised-b-brow", "raised-b-brow-2"):
        groups = json.loads(ask(stranger, "load_slider", handle(path)))["groups"]
        assert groups[-1]["sliders"][-1]["name"] == expected
    ask(stranger, "finish", json.dumps({"values": {"raised-b-brow-2": 1}}))
    assert names_of(stranger)[-1] == "Raised b brow 2 1"


def test_a_slider_that_comes_with_the_tab_may_be_saved(client, tmp_path):
    path = ask(client, "slider_file", '{"wanted": "smile"}')
    groups = json.loads(ask(client, "load_slider", handle(path)))["groups"]
    assert [slider["name"] for slider in groups[-1]["sliders"]] == ["smile-2"]


def test_a_tab_that_is_seen_again_stays_as_it_is(client):
    ask(client, "finish", at(smile=1))
    assert all(map(untouched, private(client, "sliders_start", None)[:-1]))
    assert names_of(client) == [f"Face {SEED}", "Smile 1"]


def test_sliders_stand_in_groups(client):
    *_, sliders, _, _, _ = private(client, "sliders_start", "")
    groups = json.loads(sliders)["groups"]
    found = {group["title"]: [slider["name"] for slider in group["sliders"]] for group in groups}
    assert found == {
        "Mouth": ["smile"],
        "Brows": ["brows-up"],
        "Hair": ["hair-longer"],
        "Extras": ["glasses"],
    }


def foreign(folder) -> Path:
    other = dataclasses.replace(vector("Smirk", MOUTH, "mouth"), generator="other-faces")
    return write(other, folder / "other.safetensors")


def cut_off(folder) -> Path:
    path = write(vector("Smirk", MOUTH, "mouth"), folder / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:-500])
    return path


def picture(folder) -> Path:
    NOISE.save(folder / "noise.png")
    return folder / "noise.png"


BAD_FILES = {
    "another generator": (foreign, "made for the generator 'other-faces'"),
    "cut off": (cut_off, "damaged"),
    "a picture": (picture, "not a slider"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_slider_files_are_refused(client, tmp_path, name):
    make, sentence = BAD_FILES[name]
    with pytest.raises(AppError, match=sentence):
        ask(client, "load_slider", handle(make(tmp_path)))
    ask(client, "finish", at(smile=1))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "a name first"),
        (" \t", "a name first"),
        ("a" * 41, "at most 40"),
        ("a\0b", "at most 40"),
    ],
    ids=["none", "blank", "long", "control"],
)
def test_a_slider_needs_a_name(client, demo, name, sentence):
    ask(client, "apply", painted(demo), 30)
    with pytest.raises(AppError, match=sentence):
        ask(client, "save_slider", name)


def test_a_step_that_is_no_edit_is_no_slider(client):
    with pytest.raises(AppError, match="apply a part map first"):
        ask(client, "save_slider", "Nothing")


def test_nobody_keeps_more_sliders_than_there_is_room_for(client, tmp_path):
    file = handle(write(vector("Smirk", MOUTH, "mouth"), tmp_path / "smirk.safetensors"))
    for _ in range(20):
        groups = json.loads(ask(client, "load_slider", file))["groups"]
    assert len(groups[-1]["sliders"]) == 20
    with pytest.raises(AppError, match="20 sliders of your own are the most"):
        ask(client, "load_slider", file)


def test_a_slider_whose_file_is_wanted_is_named(client):
    for value, sentence in (('{"wanted": "x"}', "no such slider"), ("{}", "sent as")):
        with pytest.raises(AppError, match=sentence):
            ask(client, "slider_file", value)


# Photos


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """The file of a picture of somebody whom nobody knows, larger than the face in it."""
    from semedit_lite.data.faces import paint

    page = Image.new("RGB", (500, 420), (110, 130, 120))
    page.paste(to_pil(paint([1_000_010], 256)["image"]).resize((300, 300)), (90, 60))
    path = tmp_path_factory.mktemp("photos") / "me.png"
    page.save(path)
    return path


def test_a_photo_that_is_found_badly_may_be_tried_again(client, demo, photo):
    _, before, result, _, _, found, *_ = ask(client, "open", handle(photo))
    assert np.array_equal(pixels(before), pixels(result))
    assert found["visible"]
    first = pixels(found["value"])
    assert np.abs(first - pixels(before)).mean() > 5
    assert demo.inversion_of(latest(demo)[0])[1].visible  # the offer to try again
    *_, found = ask(client, "retry")
    assert np.abs(pixels(found["value"]) - first).mean() > 1
    assert not demo.inversion_of(latest(demo)[0])[1].visible
    assert names_of(client) == ["Opened"]


def test_only_a_photo_may_be_tried_again(client):
    with pytest.raises(AppError, match="upload one first"):
        ask(client, "retry")


def test_an_edited_photo_comes_back_whole(client, photo):
    ask(client, "open", handle(photo))
    ask(client, "finish", at(smile=2))
    with Image.open(ask(client, "picture")) as saved, Image.open(photo) as given:
        assert saved.size == given.size
        change = np.abs(np.asarray(saved).astype(int) - np.asarray(given)).max(-1)
    assert change[:40].max() == 0  # beside the face
    assert change.max() > 20


def test_no_face_is_a_sentence(client, tmp_path):
    NOISE.save(tmp_path / "noise.png")
    with pytest.raises(AppError, match="No face was found"):
        ask(client, "open", handle(tmp_path / "noise.png"))


# Steps and files


def test_one_goes_back_and_forth(client, demo):
    first = ask(client, "finish", at(smile=1))
    ask(client, "finish", at(smile=1, brows_up=1))
    canvas, result, _, sliders, *_ = ask(client, "undo")
    assert np.array_equal(pixels(result), pixels(first[1]))
    assert json.loads(sliders)["at"] == {"smile": 1}
    assert np.array_equal(layout_of(canvas), layout_of(first[0]))
    _, _, _, sliders, *_ = ask(client, "redo")
    assert json.loads(sliders)["at"] == {"smile": 1, "brows-up": 1}
    with pytest.raises(AppError, match="nothing to redo"):
        ask(client, "redo")
    for _ in range(2):
        _, result, *_ = ask(client, "undo")
    assert np.array_equal(pixels(result), face(demo))
    with pytest.raises(AppError, match="nothing to undo"):
        ask(client, "undo")


def test_a_work_is_saved_and_opened_by_another(client, address, own):
    client, _ = own
    ask(client, "finish", at(smile=1, raised_b_brow=0.5))
    path = ask(client, "work")
    assert Path(path).name == f"face-{SEED}.semedit"
    stranger = joined(address)
    _, _, result, _, sliders, *_, seed = ask(stranger, "open_work", handle(path))
    assert seed == SEED
    assert names_of(stranger) == names_of(client)
    assert json.loads(sliders)["at"] == {"smile": 1, "raised-b-brow": 0.5}
    _, moved, _ = ask(stranger, "finish", at(smile=1))  # the other's slider has come along
    assert np.abs(pixels(moved) - pixels(result)).mean() > 0.1
    steps = History.open(path).steps
    assert steps[-1].operation["values"] == {"smile": 1, "raised-b-brow": 0.5}


def yours(sliders):
    """Names of the visitor's own sliders, as a page is told of them."""
    return [slider["name"] for slider in json.loads(sliders)["groups"][-1]["sliders"]]


def test_a_work_and_who_opens_it_keep_their_sliders(client, own, address, tmp_path):
    client, _ = own
    path = ask(client, "work")
    stranger = joined(address)
    other = vector("Raised b brow", MOUTH, "mouth")
    ask(stranger, "load_slider", handle(write(other, tmp_path / "other.safetensors")))
    for _ in range(2):  # what is there already does not come twice
        sliders = ask(stranger, "open_work", handle(path))[4]
        assert yours(sliders) == ["raised-b-brow", "raised-b-brow-2"]
    theirs, same = (Path(ask(one, "slider_file", WANTED)) for one in (client, stranger))
    assert same.read_bytes() == theirs.read_bytes()  # as its steps know it


def test_a_work_without_its_slider_stays_as_it_was(own, address, tmp_path):
    client, _ = own
    ask(client, "finish", at(smile=1, raised_b_brow=0.5))
    History.open(ask(client, "work")).save(tmp_path / "bare.semedit")
    stranger = joined(address)
    _, _, result, *_ = ask(stranger, "open_work", handle(tmp_path / "bare.semedit"))
    _, moved, _ = ask(stranger, "finish", at(smile=0.5))
    assert np.abs(pixels(moved) - pixels(result)).mean() > 0.1


def test_a_work_whose_sliders_do_not_fit_is_refused(own, address, tmp_path):
    client, _ = own
    path = ask(client, "work")
    stranger = joined(address)
    file = handle(write(vector("Smirk", MOUTH, "mouth"), tmp_path / "smirk.safetensors"))
    for _ in range(20):
        ask(stranger, "load_slider", file)
    with pytest.raises(AppError, match="more than 20, the most that are kept here"):
        ask(stranger, "open_work", handle(path))


def test_a_work_whose_slider_is_none_is_refused(client, demo, tmp_path):
    path = tmp_path / "damaged.semedit"
    smirk = vector("Smirk", MOUTH, "mouth").to_bytes()
    for name, data, says in (
        ("grin", b"no vector", "not a slider, or it is damaged"),
        ("../../grin", smirk, "a slider without a name"),  # its name becomes that of a file
        ("", smirk, "a slider without a name"),
    ):
        History.start(demo.tab.face(SEED)).save(path, {name: data})
        with pytest.raises(AppError, match=says):
            ask(client, "open_work", handle(path))
    assert names_of(client) == [f"Face {SEED}"]


def test_a_work_without_codes_is_refused(client, demo, tmp_path):
    document = demo.tab.face(SEED)
    bare = dataclasses.replace(document, latent=None)
    bare.save(tmp_path / "paint.semedit")
    with pytest.raises(AppError, match="not made with sliders"):
        ask(client, "open_work", handle(tmp_path / "paint.semedit"))
    assert names_of(client) == [f"Face {SEED}"]


def test_the_part_map_shows_where_it_is_unsure(client, demo, standin):
    overlay = demo.unsure(demo.tab.face(SEED))
    assert overlay.size == (256, 256)
    alpha = np.asarray(overlay.getchannel("A"))
    doubt = resize_layout(standin.uncertainty(demo.tab.face(SEED))[None] > 0, 256)[0].numpy()
    assert alpha[doubt == 1].mean() > 100 > 10 > alpha[doubt == 0].max()
    canvas, *_ = ask(client, "generate", seed=SEED)
    assert json.loads(canvas)["overlay"].startswith("data:image/png")


def test_vectors_of_the_standin_survive_their_files(standin):
    made = vector("Smirk", MOUTH, "mouth")
    again = standin.load(made.to_bytes())
    assert isinstance(again, Vector)
    assert torch.equal(again.delta, made.delta)
