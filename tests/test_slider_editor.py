"""The Sliders editor on the bundled weights: what moves, what stays, and what is refused."""

import math
from dataclasses import replace

import pytest
import torch
from PIL import Image

from semedit_lite.editing.compositing import around, feather
from semedit_lite.editing.document import History
from semedit_lite.editing.library import rederive
from semedit_lite.editing.sliders import SliderEditor, region_at, standing
from semedit_lite.editing.vectors import Edit, EditingVector
from semedit_lite.errors import InputError
from semedit_lite.images import resize_layout, to_pil
from semedit_lite.labels import FACE_FINE

MAP = torch.zeros(256, 256, dtype=torch.uint8)
MOUTH = FACE_FINE.groups["mouth"]


@pytest.fixture(scope="module")
def editor():
    return SliderEditor()


@pytest.fixture(scope="module")
def face(editor):
    return editor.open(36)


@pytest.fixture(scope="module")
def photo(editor):
    """A photo, in which a generated face is a part."""
    head = to_pil(editor.space.generator.sample([25], 512)[0].detach().clamp(-1, 1))
    page = Image.new("RGB", (700, 640), (90, 120, 140))
    page.paste(head, (90, 60))
    return editor.open(page, steps=1)


def vector(editor, classes=("u_lip", "l_lip", "mouth"), row=4, size=4.0, title="Own"):
    delta = torch.zeros(16, 512)
    delta[row] = torch.randn(512, generator=torch.Generator().manual_seed(1))
    delta = size * delta / delta.norm()
    edit = Edit(None, MAP, MAP, 30, (1.0, 0.5))
    return EditingVector(
        title, classes, delta, tuple(range(11)), (-2.0, 2.0), editor.space.digest, (edit,)
    )


def test_a_generated_face_is_that_of_its_seed(editor, face):
    assert face.image.shape == (1, 3, 1024, 1024)
    assert face.layout.shape == (1, 1024, 1024)
    assert torch.equal(face.latent, editor.open(36).latent)
    assert not torch.equal(face.latent, editor.open(37).latent)
    assert (face.layout == FACE_FINE.id("iris")).any()
    assert face.operation["seed"] == 36


def test_sliders_add_and_go_back(editor, face):
    own = {"one": vector(editor, row=3), "two": vector(editor, row=5)}
    both = editor.finish(face, {"one": 1.0, "two": -0.5}, own)
    expected = face.latent + own["one"].delta - 0.5 * own["two"].delta
    torch.testing.assert_close(both.latent, expected)
    back = editor.finish(both, {}, own)
    torch.testing.assert_close(back.latent, face.latent, atol=1e-5, rtol=0)
    assert back.operation["values"] == {}
    assert both.parent is face
    assert set(both.scores) >= {"classes", "identity", "seconds"}


def test_a_preview_is_what_is_made_then_only_smaller(editor, face):
    own = {"one": vector(editor)}
    seen = editor.slide(face, {"one": 1.0}, own)
    assert seen.size == (256, 256)
    whole = editor.finish(face, {"one": 1.0}, own).picture.resize((256, 256), Image.Resampling.BOX)
    from PIL import ImageChops, ImageStat

    assert max(ImageStat.Stat(ImageChops.difference(seen, whole)).mean) < 12
    still = editor.slide(face, {}, own)
    assert max(ImageStat.Stat(ImageChops.difference(seen, still)).mean) > 0.5


def test_outside_the_region_and_its_halo_a_photo_stays_bit_for_bit(editor, photo):
    own = {"one": vector(editor)}
    edited = editor.finish(photo, {"one": 1.0}, own)
    before, after = photo.image, edited.image
    alpha = feather(edited.region)
    differs = (before != after).any(1)
    assert differs.any()
    assert not (differs & (alpha == 0)).any()
    assert 0 < edited.region.float().mean() < 0.2
    assert edited.whole.size == (700, 640)


def test_a_slider_at_nothing_leaves_a_photo_as_it_is(editor, photo):
    own = {"one": vector(editor)}
    there = editor.finish(photo, {"one": 1.0}, own)
    back = editor.finish(there, {"one": 0.0}, own)
    # 8 bits: what is added and taken away again may differ by a level
    assert (back.image - photo.image).abs().max() <= 2.1 / 127.5
    assert back.whole.size == photo.whole.size


def test_painted_parts_become_an_edit_and_the_edit_a_slider(editor, face):
    painted = resize_layout(face.layout, 256)
    painted = torch.where(
        torch.isin(painted.roll(3, 1), torch.tensor(MOUTH)), painted.roll(3, 1), painted
    )
    seen = []

    def on_step(step, loss, picture):
        seen.append((step, loss, picture))

    edited = editor.repaint(face, painted, steps=2, on_step=on_step)
    assert [step for step, _, _ in seen] == [0, 1, 2]
    assert seen[0][2].size == (256, 256)
    assert torch.equal(resize_layout(edited.layout, 256), painted)
    losses = [loss for _, loss, _ in seen]
    assert edited.operation["losses"] == pytest.approx([losses[0], min(losses)], abs=1e-3)
    if min(losses) < losses[0]:
        own = editor.vector_of(edited, "Mine")
        torch.testing.assert_close(own.delta, (edited.latent - face.latent)[0])
        again = editor.load(own.to_bytes())
        assert set(again.classes) <= set(FACE_FINE.classes)
        moved = editor.finish(face, {"mine": 1.0}, {"mine": again})
        torch.testing.assert_close(moved.latent, edited.latent)


def test_what_sliders_compose_may_be_saved_as_one(editor, face):
    step = editor.finish(
        face, {"one": 1.0, "two": 1.0}, {"one": vector(editor), "two": vector(editor, row=6)}
    )
    composed = editor.load(editor.vector_of(step, "Both").to_bytes())
    torch.testing.assert_close(composed.delta, (step.latent - face.latent)[0])
    assert composed.edits[0].steps == 0
    assert composed.edits[0].seed == 36
    with pytest.raises(InputError, match="composed of others"):
        rederive(editor.space, composed)


def test_refinement_stops_when_asked_with_the_best_so_far(editor, face):
    own, steps = {"one": vector(editor)}, []

    def on_step(step, loss, picture):
        steps.append(loss)

    edited = editor.finish(face, {"one": 1.0}, own, 10, on_step, lambda: len(steps) == 2)
    assert len(steps) == 2
    assert edited.operation["refine"] == 10
    assert edited.operation["losses"][1] == pytest.approx(min(steps), abs=1e-3)


def test_a_work_is_saved_with_codes_and_regions(editor, photo, tmp_path):
    edited = editor.finish(photo, {"one": 1.0}, {"one": vector(editor)})
    edited.save(tmp_path / "work.semedit")
    again = History.open(tmp_path / "work.semedit").current
    assert torch.equal(again.latent, edited.latent)
    assert torch.equal(again.region, edited.region)
    assert torch.equal(again.layout, edited.layout)
    assert again.whole.tobytes() == edited.whole.tobytes()


def test_bad_wishes_get_one_sentence(editor, face):
    with pytest.raises(InputError, match="There is no slider 'grin'"):
        editor.finish(face, {"grin": 1.0})
    own = {"one": vector(editor)}
    for value in (11.0, math.nan, -math.inf):
        with pytest.raises(InputError, match="stands from -10 to 10"):
            editor.slide(face, {"one": value}, own)
    layout = resize_layout(face.layout, 256)
    with pytest.raises(InputError, match="as it was"):
        editor.repaint(face, layout)
    with pytest.raises(InputError, match="another face altogether"):
        editor.repaint(face, torch.full_like(layout, FACE_FINE.id("hair")))
    with pytest.raises(InputError, match="64×64 pixels"):
        editor.repaint(face, layout[:, :64, :64])
    with pytest.raises(InputError, match="class ids"):
        editor.repaint(face, layout + 100)
    with pytest.raises(InputError, match="Nothing was edited"):
        editor.vector_of(face, "x")
    with pytest.raises(InputError, match="has its code"):
        editor.retry(face)


@pytest.mark.parametrize("size", [64, 256, 512])
def test_a_region_loses_nothing_at_another_side(size):
    region = torch.zeros(1, 256, 256, dtype=torch.bool)
    region[:, 100:103, 40] = True
    there = region_at(region, size)
    assert there.shape == (1, size, size)
    assert there.any()
    back = region_at(there, 256)
    assert (back | ~region).all()


def test_what_is_not_known_is_the_mean_of_what_is_near_in_each_channel():
    colours = torch.tensor([0.1, -0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    for known in (
        torch.zeros(1, 1, 64, 64, dtype=torch.bool).index_fill(3, torch.arange(3), True),
        torch.ones(1, 1, 64, 64, dtype=torch.bool).index_fill(2, torch.arange(8, 60), False),
        torch.ones(1, 1, 64, 64, dtype=torch.bool),
    ):
        noise = torch.where(known, colours, torch.full_like(colours, 7.0))
        torch.testing.assert_close(around(noise, known), colours, atol=1e-5, rtol=0)


def test_what_a_file_says_of_sliders_may_be_anything(face):
    for values in (None, [1], {"a": "b", "c": math.nan, "d": True, "e": 0.5}):
        document = replace(face, operation={"values": values})
        assert standing(document) == ({"e": 0.5} if isinstance(values, dict) else {})


def test_a_step_of_another_tool_is_no_slider(editor, face):
    step = replace(face, operation={"tool": "?"}, parent=face, latent=face.latent + 1)
    with pytest.raises(InputError, match="not known"):
        editor.vector_of(step, "x")
