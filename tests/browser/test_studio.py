"""The Studio as a person uses it: opens it, takes a face, repaints its hair, uploads a picture."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semedit_lite.editing.paint import PaintEditor
from semedit_lite.images import load_layout
from semedit_lite.labels import FACADES, FACE
from semedit_lite.ui.painter import decode_value, encode_value, painter

from .studio import Studio

pytestmark = pytest.mark.browser

HAIR, HAT, GLASSES = FACE.id("hair"), FACE.id("hat"), FACE.id("eye_g")
KEEP = "Keep the picture where the layout is unchanged"


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
    upload = opened.upload("photo")
    before = opened.changed(lambda: upload.set_input_files(tmp_path / "me.png"), "before")
    assert before.shape == (256, 256, 3)
    assert not np.array_equal(before, generated)
    opened.choose("hair")
    opened.changed(lambda: opened.stroke((100, 100), (150, 100)))
    saved = Image.open(opened.saved("Save picture"))
    assert saved.size == (500, 500)  # the whole photo, with the edit in it
    assert "synthetic" in saved.info["Description"].lower()
    assert opened.layout()[100, 125] == HAIR


def test_a_square_is_laid_where_no_face_is_found(opened, tmp_path):
    Image.new("RGB", (320, 240), (150, 140, 130)).save(tmp_path / "wall.png")
    face = opened.picture("before")
    opened.upload("photo").set_input_files(tmp_path / "wall.png")
    use = opened.button("Use this square")
    use.wait_for()
    assert np.array_equal(opened.picture("before"), face)  # until then
    before = opened.changed(use.click, "before")
    assert np.abs(before - (150, 140, 130)).max() <= 1
    assert not use.is_visible()


def test_another_square_may_be_laid_over_the_one_face(opened, tmp_path):
    picture = opened.picture("before").astype(np.uint8)
    Image.fromarray(picture).resize((500, 500)).save(tmp_path / "me.png")
    upload = opened.upload("photo")
    found = opened.changed(lambda: upload.set_input_files(tmp_path / "me.png"), "before")
    assert not opened.button("Use this square").is_visible()
    opened.button("Choose another face").click()
    opened.button("None of these: choose it myself").click()
    laid = opened.changed(opened.button("Use this square").click, "before")
    assert np.abs(laid - found).mean() > 1
    opened.page.reload()  # the photo is kept, too
    opened.button("Choose another face").click()
    opened.button("Cancel").click()
    assert np.array_equal(opened.picture("before"), laid)


def test_a_bad_upload_is_explained_and_the_drawing_kept(opened, tmp_path):
    opened.choose("hat")
    painted = opened.changed(lambda: opened.stroke((90, 40), (170, 40)))
    (tmp_path / "me.png").write_text("no picture at all")
    opened.upload("photo").set_input_files(tmp_path / "me.png")
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
    upload = opened.upload("style-photo")
    painted = opened.changed(lambda: upload.set_input_files(tmp_path / "style.png"))
    assert np.abs(painted - own).mean() > 5


def test_a_layout_is_opened_and_undone(opened, tmp_path):
    opened.choose("hat")
    opened.changed(lambda: opened.stroke((90, 40), (170, 40)))
    mine, face = opened.layout(), opened.picture("before")
    other = mine.copy()
    other[60:100, 80:176] = HAIR
    picture = FACE.to_pil(torch.from_numpy(other)).convert("RGB")
    picture.resize((512, 512), Image.Resampling.NEAREST).save(tmp_path / "layout.png")
    opened.changed(lambda: opened.upload("open-layout").set_input_files(tmp_path / "layout.png"))
    assert np.array_equal(opened.layout(), other)
    assert np.array_equal(opened.picture("before"), face)
    opened.changed(opened.button("Undo").click)
    assert np.array_equal(opened.layout(), mine)

    strange = Image.fromarray(other, "P")  # pixel values are ids, under a palette nobody knows
    strange.putpalette([200, 255, 90] + [0, 9, 3] * 200)
    strange.save(tmp_path / "strange.png")
    opened.changed(lambda: opened.upload("open-layout").set_input_files(tmp_path / "strange.png"))
    opened.page.get_by_text("its pixel values were taken as class ids").wait_for()
    assert np.array_equal(opened.layout(), other)


def test_a_part_is_taken_in_one_step(opened, tmp_path):
    opened.page.get_by_role("button", name="Take a part from another face").click()
    mine = opened.layout()
    opened.page.locator("#donor img").wait_for()
    first = opened.picture("donor")
    opened.page.get_by_label("Part", exact=True).click()
    opened.page.get_by_role("option", name="Glasses", exact=True).click()
    chosen = opened.changed(opened.page.locator("#donors button").nth(8).click, "donor")
    assert not np.array_equal(first, chosen)
    opened.changed(opened.button("Take it").click)
    assert (opened.layout() == GLASSES).mean() > 0.01
    opened.changed(opened.button("Undo").click)
    assert np.array_equal(opened.layout(), mine)

    Image.fromarray(chosen.astype(np.uint8)).save(tmp_path / "friend.png")
    opened.page.locator("#parts").get_by_role("radio", name="A photo").check()
    opened.page.locator("#donor").wait_for(state="hidden")
    opened.button("Take it").click()
    opened.page.get_by_text(
        "Choose the photo or layout that the part is taken from first"
    ).wait_for()
    opened.upload("donor-photo").set_input_files(tmp_path / "friend.png")
    opened.page.locator("#donor img").wait_for()
    opened.changed(opened.button("Take it").click)
    assert (opened.layout() == GLASSES).mean() > 0.01


def test_two_tabs_that_paint_at_once_keep_their_own_pictures(pages, studio):
    views = [Studio(pages()) for _ in range(2)]
    for view, seed in zip(views, ("12", "47"), strict=True):
        view.page.goto(studio)
        view.page.locator("#result img").wait_for()
        field = view.page.get_by_label("Face", exact=True).first
        field.fill(seed)
        view.changed(lambda field=field: field.press("Enter"), "before")
        view.choose("hat")
    befores = [view.picture("before") for view in views]
    assert not np.array_equal(*befores)
    for row in (20, 40, 60):  # both have strokes under way before either waits for an answer
        for view in views:
            view.stroke((60, row), (190, row))
    for view, before in zip(views, befores, strict=True):
        layout = view.layout()  # the queue is in order: all strokes have been answered
        view.page.wait_for_timeout(500)
        result = view.picture("result")
        assert (layout[[20, 40, 60], 60:190] == HAT).all()
        assert np.array_equal(result[100:], before[100:])  # its own face, bit for bit
        assert np.abs(result - before)[20:60, 70:180].mean() > 5


def test_a_full_queue_is_said_and_the_page_goes_on(opened, pages, studio, monkeypatch):
    freed, painted = threading.Event(), PaintEditor._painted

    def held(*arguments):
        assert freed.wait(300)
        return painted(*arguments)

    monkeypatch.setattr(PaintEditor, "_painted", held)
    config = opened.page.request.get(studio + "config").json()
    (generate,) = (d["id"] for d in config["dependencies"] if d["api_name"] == "generate")
    (model,) = (c for c in config["components"] if c["props"].get("elem_id") == "model")
    data = [24, "own", 0, False, model["props"]["value"], None]
    statuses = [
        opened.page.request.post(
            studio + "gradio_api/queue/join",
            data={"data": data, "fn_index": generate, "session_hash": f"crowd-{k}"},
        ).status
        for k in range(20)
    ]
    assert statuses[0] == 200
    assert statuses[-1] == 503
    opened.choose("hat")
    first = opened.picture("result")
    opened.stroke((90, 40), (170, 40))
    opened.page.get_by_text("This application is currently busy").wait_for()
    assert np.array_equal(opened.picture("result"), first)
    visitor = Studio(pages())  # who comes now sees the first face all the same
    visitor.page.goto(studio)
    visitor.page.locator("#result img").wait_for()
    assert np.array_equal(visitor.picture("result"), first)
    freed.set()
    while opened.page.request.get(studio + "gradio_api/queue/status").json()["queue_size"]:
        opened.page.wait_for_timeout(100)
    opened.changed(lambda: opened.stroke((90, 30), (170, 30)))
    assert opened.layout()[40, 130] == HAT  # what was painted while it was busy is kept


def facade(number: int | None) -> torch.Tensor:
    """A layout (1, 256, 256) of a facade: a drawn one, or that of a photo in SEMEDIT_DATA."""
    if number is None:
        layout = torch.arange(len(FACADES)).repeat_interleave(22)[:256].repeat(1, 256, 1)
        layout[:, 40:90, 30:200] = FACADES.id("window")
        return layout
    if "SEMEDIT_DATA" not in os.environ:
        pytest.skip("SEMEDIT_DATA is not set")
    files = sorted(Path(os.environ["SEMEDIT_DATA"], "facades", "labels").iterdir())
    return load_layout(files[number], FACADES, 256, resize=True)


@pytest.mark.parametrize(
    "number", [None, *(pytest.param(k, marks=pytest.mark.photos) for k in range(3))]
)
def test_layouts_of_facades_are_painted_like_those_of_faces(page, number):
    """Nothing in the painter knows of faces: another set, its own classes, exact both ways."""
    import gradio as gr

    from semedit_lite.ui import app

    layout, shop = facade(number), FACADES.id("shop")
    received = []
    with app.blocks("Facades") as blocks:
        canvas = painter(FACADES, 256, value=encode_value(layout), elem_id="canvas")
        answer = gr.Textbox(elem_id="answer")
        canvas.input(lambda value: received.append(value) or str(len(received)), canvas, answer)
    _, url, _ = app.launch(blocks, None, prevent_thread_lock=True, quiet=True)
    try:
        page.goto(url)
        view = Studio(page)
        page.locator("#canvas canvas").wait_for()
        names = (
            page.locator("#canvas")
            .get_by_role("radio")
            .evaluate_all(
                "all => all.map(one => one.closest('.swatch')?.querySelector('span').textContent)"
            )
        )
        assert [name for name in names if name] == list(FACADES.titles)
        view.choose("shop")
        view.stroke((50, 150), (200, 150))
        page.wait_for_function("document.querySelector('#answer textarea, #answer input').value")
        found = decode_value(received[-1], FACADES, 256)
        painted = found != layout
        assert painted.any()
        assert (found[painted] == shop).all()
        assert (found[0, 150, 50:200] == shop).all()
        assert not painted[0, :100].any()
    finally:
        blocks.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_says_synthetic_and_asks_nobody_else(opened, studio, width):
    opened.page.set_viewport_size({"width": width, "height": 900})
    opened.page.get_by_role("button", name="Take a part from another face").click()
    opened.page.locator("#donor img").wait_for()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.get_by_text("Pictures made here are synthetic").is_visible()
    opened.page.wait_for_timeout(500)
    outside = [url for url in opened.asked if not url.startswith((studio, "data:", "blob:"))]
    assert opened.asked
    assert not outside
