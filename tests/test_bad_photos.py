"""Photos that are hard or no photos of a face: what can be found is found, all else is refused in
one sentence. Faces are generated ones."""

import os
from pathlib import Path

import gradio
import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from semedit_lite import hub
from semedit_lite.errors import InputError
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.detect import find_faces
from semedit_lite.faces.framing import framing
from semedit_lite.images import load_photo, to_pil
from semedit_lite.labels import FACE
from semedit_lite.photo import read_photo

WEIGHTS = ("face-finder", "face-parser", "mobilestylegan-ffhq")
pytestmark = pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in WEIGHTS),
    reason=f"the weights {', '.join(WEIGHTS)} are not all there",
)
WALL = (150, 140, 130)


@pytest.fixture(scope="module")
def heads():
    from semedit_lite.data.faces import paint

    return [paint([seed], 256) for seed in (1_000_010, 1_000_012)]


@pytest.fixture(scope="module")
def photo(heads):
    """A head shot with room around it."""
    page = Image.new("RGB", (400, 360), WALL)
    page.paste(to_pil(heads[0]["image"]), (70, 60))
    return page


@pytest.fixture(scope="module")
def parser():
    from semedit_lite.faces.parse import face_parser

    return face_parser()


def drift(found, wanted):
    """Mean distance of the corners of two frames, in sides of the second."""
    corners = np.array([0, 1, 1j, 1 + 1j])
    one, two = (frame.a * corners + frame.b for frame in (found, wanted))
    return np.abs(one - two).mean() / abs(wanted.a)


@pytest.mark.parametrize(
    "change",
    [
        ImageOps.grayscale,
        lambda photo: ImageEnhance.Brightness(photo).enhance(0.12),
        lambda photo: ImageEnhance.Contrast(photo).enhance(0.25),
        lambda photo: photo.resize((100, 90)).resize((400, 360)),
        lambda photo: ImageOps.solarize(photo, 250),
    ],
    ids=["grey", "very dark", "pale", "soft", "burnt out"],
)
def test_a_face_is_found_in_a_poor_photo(photo, change):
    (wanted,) = find_faces(photo)
    faces = find_faces(change(photo))
    assert len(faces) == 1
    assert drift(framing(faces[0].points), framing(wanted.points)) < 0.12


def test_upside_down(photo, parser):
    upright = align(photo, parser)
    turned = align(photo.rotate(180), parser)
    assert (upright.layout == turned.layout).float().mean() > 0.85


def test_tiny_faces(heads):
    """Found to a twentieth of the longer side, where the photo has the pixels."""
    page = Image.new("RGB", (800, 600), WALL)
    page.paste(to_pil(heads[0]["image"]).resize((80, 80)), (500, 300))
    (face,) = find_faces(page)
    assert 30 < face.box[2] - face.box[0] < 75
    for side in (10, 26):
        page = Image.new("RGB", (4 * side, 3 * side), WALL)
        page.paste(to_pil(heads[0]["image"]).resize((side, side)), (side, side))
        assert find_faces(page) == []


def test_cut_off(photo, parser):
    """A third of the face beyond the border is still a face, half an eye is none."""
    (face,) = find_faces(photo)
    x0, _, x1, _ = face.box
    some = photo.crop((round(x0 + 0.25 * (x1 - x0)), 0, 400, 360))
    assert align(some, parser).image.isfinite().all()
    little = photo.crop((round(x1 - 0.2 * (x1 - x0)), 0, 400, 360))
    with pytest.raises(NoFaceError):
        align(little, parser)


def test_two_faces_that_overlap(heads):
    page = Image.new("RGB", (460, 330), WALL)
    page.paste(to_pil(heads[0]["image"]), (20, 40))
    page.paste(to_pil(heads[1]["image"]), (190, 50))  # over the other's ear and hair
    found = find_faces(page)
    middles = sorted((face.box[0] + face.box[2]) / 2 for face in found)
    assert middles == pytest.approx([20 + 128, 190 + 128], abs=25)


def test_a_drawing_of_a_face_is_no_photo_of_one(heads, parser):
    """A layout in its colours, as people may upload by mistake."""
    with pytest.raises(NoFaceError, match="choose a head shot"):
        align(to_pil(FACE.pictures(heads[0]["layout"])), parser)


def test_eight_thousand_pixels(heads, parser):
    wide = Image.new("RGB", (8000, 1500), WALL)
    wide.paste(to_pil(heads[0]["image"]).resize((1400, 1400)), (4000, 50))
    found = align(wide, parser)
    assert found.matrix[0, 0] > 3  # pixels of the photo in one of the crop
    with pytest.raises(InputError, match=r"too large; reduce it to at most 16 megapixels"):
        read_photo(Image.new("RGB", (8000, 6000)))


@pytest.mark.parametrize("kind", ["blank", "noise", "skin only", "checks"])
def test_a_picture_without_a_face_is_refused(parser, kind):
    pictures = {
        "blank": Image.new("RGB", (200, 150), "white"),
        "noise": Image.effect_noise((200, 150), 80).convert("RGB"),
        "skin only": Image.new("RGB", (200, 150), (224, 172, 140)),
        "checks": to_pil((torch.rand(1, 3, 8, 8).round() * 2 - 1).repeat_interleave(24, 2)
                         .repeat_interleave(24, 3)),
    }  # fmt: skip
    with pytest.raises(NoFaceError, match="No face was found"):
        align(pictures[kind], parser)


@pytest.mark.parametrize("name", ["cheetah1.jpg", "lion.jpg"])
def test_an_animal_has_no_face_to_edit(name):
    animal = load_photo(Path(gradio.__file__).parent / "media_assets" / "images" / name)
    for photo in (animal, animal.rotate(180), animal.resize((160, 120))):
        assert not find_faces(photo)


@pytest.mark.skipif("SEMEDIT_DATA" not in os.environ, reason="SEMEDIT_DATA is not set")
def test_a_profile_is_opened_or_refused(parser):
    """The generator makes none, so these are photos: few of them are found."""
    from semedit_lite.evaluation.finding import fasseg

    profiles = [photo for group, photo, _ in fasseg() if group == "fasseg ±90°"][:6]
    assert len(profiles) == 6
    for photo in profiles:
        try:
            layout = align(photo, parser).layout
        except NoFaceError:
            continue
        assert (layout == FACE.id("skin")).float().mean() > 0.1
