"""The Paint editor, with tiny random networks; with the bundled weights where they are."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from semedit_lite import hub
from semedit_lite.editing.compositing import changed, feather
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.editor import Editor
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment, Frame, NoFaceError
from semedit_lite.images import resize, to_tensor
from semedit_lite.labels import FACE, IGNORE
from semedit_lite.models.parser import FaceParser
from semedit_lite.models.spade import GauGAN
from semedit_lite.photo import read_photo

HAIR = FACE.id("hair")


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    """An editor whose networks are tiny and know nothing."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    model = GauGAN(classes=19, size=64, z_dim=8, width=4, max_width=8, hidden=4, encoder_width=4)
    with torch.no_grad():
        for parameter in model.parameters():  # initial weights are so small that z has no effect
            parameter.mul_(8)
    model.save_pretrained(folder / "painter")
    FaceParser(context=8, widths=(8, 8, 4, 4)).save_pretrained(folder / "parser")
    editor = PaintEditor(folder / "painter", parser=folder / "parser", size=128)
    editor.__dict__["generator"] = ToyGenerator()
    editor._generator = folder / "painter"  # for the digest
    return editor


class ToyGenerator(nn.Module):
    def sample(self, seeds, size, truncation):
        draw = [torch.Generator().manual_seed(seed) for seed in seeds]
        images = torch.cat([torch.rand(1, 3, 8, 8, generator=g) * 2 - 1 for g in draw])
        return resize(images, size), torch.zeros(len(seeds), 16, 512)


def opened(editor, side=128):
    """A document as `open` makes it, of a picture that the toy parser would not take for a face."""
    y, x = np.mgrid[:180, :240]
    photo = Image.fromarray(np.stack([x, y, 255 - x], 2).astype(np.uint8))
    frame = Frame(128 + 0j, 40 + 30j)
    image = to_tensor(photo)[:, :, 30:158, 40:168]
    layout = torch.ones(1, side, side, dtype=torch.long)
    alignment = Alignment(image, layout, frame.matrix(side))
    return Document(
        image, layout, {"tool": "open"}, photo=read_photo(photo)[0], alignment=alignment
    )


def painted(document):
    """Its layout with a square of hair in the middle."""
    layout = document.layout.clone()
    layout[:, 50:80, 50:80] = HAIR
    return layout


def test_it_is_an_editor(editor):
    assert isinstance(editor, Editor)
    for name in ("open", "apply"):
        own, agreed = (inspect.signature(getattr(each, name)) for each in (PaintEditor, Editor))
        assert list(own.parameters) == list(agreed.parameters)
        assert own.return_annotation is agreed.return_annotation is Document


def test_what_was_made_before_is_found_on_any_branch(editor):
    document = opened(editor)
    layout = painted(document)
    repaint = Repaint(layout, Style.own())
    history = History.start(document)
    assert editor.made(history, repaint) == ()
    assert editor.made(history, Repaint(document.layout, Style.seed(3))) == (document,)
    first = editor.apply(document, repaint)
    other = layout.clone()
    other[:, 90:100, 90:100] = HAIR
    second = editor.apply(first, Repaint(other, Style.own()))
    history = history.push(first).push(second).visit(document)
    assert editor.made(history, repaint) == (first,)
    assert editor.made(history, Repaint(other, Style.own())) == (second,)
    again = editor.apply(second, repaint)  # whatever was painted in between
    assert torch.equal(again.image, first.image)
    for unlike in (
        Repaint(layout, Style.seed(1)),
        Repaint(layout, Style.own(), composite=False),
        Repaint(document.layout, Style.own(), composite=False),
    ):
        assert editor.made(history, unlike) == ()


def test_a_generated_face_is_the_same_for_a_seed(editor):
    one, two, other = editor.generate(5), editor.generate(5), editor.generate(6)
    assert torch.equal(one.image, two.image)
    assert not torch.equal(one.image, other.image)
    assert one.image.shape == (1, 3, 128, 128)
    assert one.layout.shape == (1, 128, 128)
    assert one.latent.shape == (1, 16, 512)
    assert one.operation["seed"] == 5


def test_outside_the_changed_region_the_photo_stays_bit_identical(editor):
    document = opened(editor)
    layout = painted(document)
    result = editor.apply(document, Repaint(layout, Style.seed(1)))
    far = feather(changed(document.layout, layout))[0] == 0
    assert far.float().mean() > 0.5
    assert torch.equal(result.image[:, :, far], document.image[:, :, far])
    assert result.scores["change_inside"] > 5
    whole, photo = np.array(result.whole), np.array(document.photo.upright)
    outside = np.ones(whole.shape[:2], bool)
    outside[30 + 44 : 30 + 86, 40 + 44 : 40 + 86] = False  # region, halo of 4, sampling
    assert np.array_equal(whole[outside], photo[outside])
    assert not np.array_equal(whole, photo)


def test_bare_is_the_models_picture(editor):
    document = opened(editor)
    layout = painted(document)
    result = editor.apply(document, Repaint(layout, Style.seed(1), composite=False))
    z = editor.code(Style.seed(1), document)
    small = layout[:, 1::2, 1::2]
    with torch.no_grad():
        picture = resize(editor.model(small, z).clamp(-1, 1), 128)
    assert (result.image - picture).abs().max() <= 1 / 255 + 1e-6
    assert result.scores["change_outside"] > 5


def test_styles_make_different_pictures_and_seeds_repeat(editor):
    document = opened(editor)
    layout = painted(document)
    other = Image.effect_noise((150, 100), 90).convert("RGB")
    styles = [Style.own(), Style.seed(1), Style.seed(2), Style.photo(other)]
    results = [editor.apply(document, Repaint(layout, s, False)).image for s in styles]
    for i, one in enumerate(results):
        assert all(not torch.equal(one, two) for two in results[i + 1 :])
    again = editor.apply(document, Repaint(layout, Style.seed(1), False)).image
    assert torch.equal(again, results[1])


def test_the_own_style_is_that_of_the_opened_photo(editor):
    document = opened(editor)
    first = editor.apply(document, Repaint(painted(document), Style.seed(3), composite=False))
    own = editor.code(Style.own(), first)
    with torch.no_grad():
        assert torch.equal(own, editor.model.encode(document.image)[0])


def test_an_edit_does_not_depend_on_the_edits_before(editor):
    document = opened(editor)
    repaint = Repaint(painted(document), Style.seed(2))
    layout = document.layout.clone()
    layout[:, :, :30] = FACE.id("hat")
    detour = editor.apply(editor.apply(document, Repaint(layout, Style.seed(9))), repaint)
    straight = editor.apply(document, repaint)
    assert torch.equal(detour.image, straight.image)
    assert len(detour.chain) == 3


def test_the_unchanged_layout_gives_the_photo_back(editor):
    document = opened(editor)
    result = editor.apply(document, Repaint(document.layout, Style.own()))
    assert torch.equal(result.image, document.image)
    assert result.scores["classes"] == {}


def test_the_provenance_names_model_weights_seed_and_operations(editor, tmp_path):
    document = editor.generate(7)
    result = editor.apply(document, Repaint(painted(document), Style.seed(4)))
    made, edit = result.provenance["operations"]
    assert (made["tool"], made["seed"]) == ("generate", 7)
    assert (edit["tool"], edit["model"], edit["style"]) == (
        "paint",
        "painter",
        {"kind": "seed", "seed": 4},
    )
    assert edit["weights"] == hub.digest(hub.find(editor.name) / "model.safetensors")
    result.save(tmp_path / "face.semedit")
    again = Document.open(tmp_path / "face.semedit")
    assert again.provenance == result.provenance
    repaint = Repaint(again.layout, Style.seed(4))
    assert torch.equal(editor.apply(again, repaint).image, result.image)


def test_a_photo_used_as_style_leaves_no_trace(editor):
    document = opened(editor)
    other = Image.new("RGB", (60, 60), "red")
    result = editor.apply(document, Repaint(painted(document), Style.photo(other)))
    assert result.operation["style"] == {"kind": "photo"}


def test_documents_are_immutable(editor):
    with pytest.raises(dataclasses.FrozenInstanceError):
        opened(editor).image = None


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (torch.ones(1, 64, 64), "64×64 pixels, but the picture is 128×128"),
        (torch.ones(1, 128, 64), "64×128 pixels, but"),
        (torch.ones(128, 128), "128×128 pixels"),
        (torch.full((1, 128, 128), 19), r"class ids \[19\]"),
        (torch.full((1, 128, 128), -1), r"class ids \[-1\]"),
        (torch.zeros(1, 128, 128), "empty"),
        (torch.full((1, 128, 128), IGNORE), "empty"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(editor, layout, message):
    with pytest.raises(InputError, match=message):
        editor.apply(opened(editor), Repaint(layout, Style.own()))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        Style.seed(seed)


def test_a_picture_without_a_face_is_refused(editor):
    with pytest.raises(NoFaceError, match="No face"):
        editor.open(Image.new("RGB", (300, 200), "white"))


def test_unknown_weights_are_named():
    with pytest.raises(InputError, match="no weights 'no-such-painter'"):
        PaintEditor("no-such-painter")


BUNDLED = ("spade-faces-64", "face-parser", "mobilestylegan-ffhq")


@pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in BUNDLED),
    reason=f"not all of the weights {', '.join(BUNDLED)} are there",
)
def test_the_bundled_networks_repaint_a_face_in_a_photo():
    editor = PaintEditor()
    face = editor.generate(1_000_001)
    photo = Image.new("RGB", (420, 360), (90, 110, 130))
    photo.paste(face.picture, (80, 60))
    document = editor.open(photo)
    skin = document.layout == FACE.id("skin")
    layout = document.layout.clone()
    layout[:, :110][skin[:, :110]] = HAIR  # a fringe
    result = editor.apply(document, Repaint(layout, Style.own()))
    scores = result.scores
    assert scores["classes"]["hair"] > 0.3
    assert scores["change_inside"] > 5 * scores["change_outside"]
    whole, before = np.array(result.whole).astype(int), np.array(photo)
    assert np.array_equal(whole[:50], before[:50])  # above the face
    assert np.abs(whole - before).max() > 50
