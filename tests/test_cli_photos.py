"""The verbs for photos: find, align, repaint. Faces are generated ones on a texture."""

import json

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageOps
from test_cli import run

from semedit_lite import hub, images
from semedit_lite.data.textures import textures
from semedit_lite.labels import FACE

WEIGHTS = ("face-finder", "face-parser", "mobilestylegan-ffhq", "spade-faces-64")
pytestmark = pytest.mark.skipif(
    not all((hub.BUNDLED / name / "model.safetensors").is_file() for name in WEIGHTS),
    reason=f"the weights {', '.join(WEIGHTS)} are not all there",
)
PLACES = ((40, 60, 240), (360, 90, 160))  # left, top, side of the head shots, the larger one first
ORIENTATION = ExifTags.Base.Orientation


@pytest.fixture(scope="module")
def group():
    """A picture of two people."""
    from semedit_lite.data.faces import paint

    page = images.to_pil(textures(1, 128, torch.Generator().manual_seed(3))[0]).resize((600, 400))
    for seed, (left, top, side) in zip((1_000_010, 1_000_012), PLACES, strict=True):
        head = images.to_pil(paint([seed], 256)["image"])
        page.paste(head.resize((side, side)), (left, top))
    return page


@pytest.fixture
def photo(group, tmp_path):
    path = tmp_path / "photos" / "two.png"
    path.parent.mkdir()
    group.save(path)
    return path


def listed(capsys):
    return json.loads(capsys.readouterr().out)


def test_find_lists_the_faces_of_a_photo_the_largest_first(photo, capsys):
    assert run("find", photo) == 0
    (entry,) = listed(capsys)
    assert entry["file"] == "two.png"
    assert len(entry["faces"]) == 2
    for face, (left, top, side) in zip(entry["faces"], PLACES, strict=True):
        assert set(face) == {"box", "score", "landmarks"}
        x0, y0, x1, y1 = face["box"]
        assert left < x0 < x1 < left + side
        assert top < y0 < y1 < top + 1.02 * side
        assert 0.5 < face["score"] <= 1
        points = np.array(face["landmarks"])
        assert points.shape == (5, 2)
        assert ((points > (x0, y0)) & (points < (x1, y1))).all()


def test_find_counts_pixels_of_the_upright_photo(photo, tmp_path, capsys):
    assert run("find", photo) == 0
    (upright,) = listed(capsys)
    exif = Image.Exif()
    exif[ORIENTATION] = 8
    stored = Image.open(photo).transpose(Image.Transpose.ROTATE_270)
    stored.save(tmp_path / "turned.png", exif=exif)
    assert run("find", tmp_path / "turned.png") == 0
    (turned,) = listed(capsys)
    assert turned["faces"] == upright["faces"]


def test_find_in_a_folder_names_what_is_bad_and_lists_the_rest(photo, capsys):
    Image.new("RGB", (90, 60), "white").save(photo.with_name("blank.png"))
    photo.with_name("broken.jpg").write_bytes(b"no picture")
    assert run("find", photo.parent) == 2
    said = capsys.readouterr()
    assert "semedit: broken.jpg: This is not a picture" in said.err
    found = {entry["file"]: len(entry["faces"]) for entry in json.loads(said.out)}
    assert found == {"blank.png": 0, "two.png": 2}


@pytest.mark.parametrize("missing", ["nothing.jpg", "."])
def test_find_without_a_photo(tmp_path, missing, capsys):
    assert run("find", tmp_path / missing) == 2
    assert capsys.readouterr().err.startswith("semedit: ")


def test_align_cuts_out_the_face_that_is_asked_for(photo, tmp_path, group):
    for k, (left, top, side) in enumerate(PLACES):
        out = tmp_path / f"{k}.png"
        assert run("align", photo, "-o", out, "--face", k, "--size", 128) == 0
        face = images.to_tensor(Image.open(out))
        assert face.shape == (1, 3, 128, 128)
        # generated faces have the framing already, give or take what faces differ
        head = group.crop((left, top, left + side, top + side))
        wanted = images.resize(images.to_tensor(head), 128)
        middle = (..., slice(40, 100), slice(32, 96))
        near = torch.corrcoef(torch.stack([face[middle].flatten(), wanted[middle].flatten()]))
        assert near[0, 1] > 0.6


@pytest.mark.parametrize("verb", ["align", "repaint"])
def test_a_face_that_is_not_there(photo, tmp_path, capsys, verb):
    FACE.to_pil(torch.full((64, 64), 1)).save(tmp_path / "layout.png")
    more = [tmp_path / "layout.png"] if verb == "repaint" else []
    out = tmp_path / "out.png"
    assert run(verb, photo, *more, "-o", out, "--face", 2) == 2
    assert "There is no face 2" in capsys.readouterr().err
    Image.new("RGB", (90, 60), "white").save(photo)
    assert run(verb, photo, *more, "-o", out) == 2
    assert "No face was found" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("orientation", [1, 6])
def test_repaint_changes_the_painted_region_alone(group, tmp_path, capsys, orientation):
    """At the full size of the photo; its orientation tag is kept."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    back = {1: None, 6: Image.Transpose.ROTATE_90}[orientation]
    stored = group if back is None else group.transpose(back)
    photo, layout, out = (tmp_path / name for name in ("me.png", "layout.png", "out.png"))
    stored.save(photo, exif=exif)
    assert run("parse", "--align", photo, "-o", layout, "--size", 128) == 0
    ids = images.load_layout(layout, FACE)
    mouth = torch.isin(ids, torch.tensor(FACE.groups["mouth"]))
    ids[mouth] = FACE.id("mouth")
    FACE.to_pil(ids[0]).save(layout)
    assert run("repaint", photo, layout, "-o", out, "--model", "spade-faces-64") == 0
    assert "mouth" in listed_score(capsys)["classes"]
    with Image.open(out) as result:
        assert result.size == stored.size
        assert result.getexif().get(ORIENTATION, 1) == orientation
        changed = (np.array(ImageOps.exif_transpose(result)) != np.array(group)).any(2)
    y, x = np.nonzero(changed)
    left, top, side = PLACES[0]
    assert 50 < len(x) < 0.2 * side**2
    assert (abs(x - left - side / 2) < 0.4 * side).all()
    assert (abs(y - top - 0.73 * side) < 0.3 * side).all()
    assert images.read_provenance(out)["operations"][-1]["tool"] == "paint"


def listed_score(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_layout_that_changes_nothing_gives_the_photo(photo, tmp_path, group):
    layout, out = tmp_path / "layout.png", tmp_path / "out.png"
    assert run("parse", "--align", photo, "-o", layout, "--size", 96) == 0
    assert run("repaint", photo, layout, "-o", out, "--model", "spade-faces-64") == 0
    assert np.array_equal(Image.open(out), group)


def test_repaint_refuses_other_layouts_and_its_own_photo_as_output(photo, tmp_path, capsys):
    FACE.to_pil(torch.ones(64, 80)).save(tmp_path / "wide.png")
    FACE.to_pil(torch.ones(64, 64)).save(tmp_path / "good.png")
    assert run("repaint", photo, tmp_path / "wide.png", "-o", tmp_path / "out.png") == 2
    assert "80×64 pixels; that of a face is a square" in capsys.readouterr().err
    for given in (photo, tmp_path / "good.png"):
        before = given.read_bytes()
        assert run("repaint", photo, tmp_path / "good.png", "-o", given) == 2
        assert f"'{given}' would be overwritten" in capsys.readouterr().err
        assert given.read_bytes() == before
    assert run("repaint", photo, tmp_path / "good.png", "-o", tmp_path / "out.tiff") == 2
    assert "end in .png or .jpg" in capsys.readouterr().err


def test_repaint_says_that_it_took_the_colours_of_a_layout_for_numbers(photo, tmp_path, capsys):
    layout, out = tmp_path / "layout.png", tmp_path / "out.png"
    assert run("parse", "--align", photo, "-o", layout, "--size", 96) == 0
    strange = Image.open(layout)
    strange.putpalette([7, 9, 11] * 256)
    strange.save(layout)
    assert run("repaint", photo, layout, "-o", out, "--model", "spade-faces-64") == 0
    assert "layout.png: The layout's colours are not those of" in capsys.readouterr().err


def test_identity_is_high_for_one_face_and_low_for_two(group, tmp_path, capsys):
    for name, (left, top, side) in zip("ab", PLACES, strict=True):
        group.crop((left, top, left + side, top + side)).save(tmp_path / f"{name}.png")
    group.crop((20, 40, 300, 320)).rotate(8).save(tmp_path / "again.png")
    found = {}
    for other in ("again", "b"):
        assert run("identity", tmp_path / "a.png", tmp_path / f"{other}.png") == 0
        found[other] = listed(capsys)["similarity"]
    assert found["again"] > 0.6 > found["b"] + 0.2
    Image.new("RGB", (90, 60), "white").save(tmp_path / "blank.png")
    assert run("identity", tmp_path / "a.png", tmp_path / "blank.png") == 2
    assert "No face was found in" in capsys.readouterr().err
