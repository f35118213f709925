"""`semedit edit`, `invert` and `sliders`."""

import json

import pytest
import torch
from PIL import Image, ImageChops
from safetensors.torch import load_file

from semedit_lite.cli import main
from semedit_lite.data.faces import face_generator
from semedit_lite.editing import latent, sliders
from semedit_lite.images import read_provenance, to_pil


@pytest.fixture(scope="module")
def portrait(tmp_path_factory):
    """A generated face in a larger picture."""
    head = to_pil(face_generator().sample([25], 512)[0].detach().clamp(-1, 1))
    page = Image.new("RGB", (640, 560), (90, 120, 140))
    page.paste(head, (60, 30))
    path = tmp_path_factory.mktemp("photos") / "me.png"
    page.save(path)
    return path


@pytest.fixture
def quick(monkeypatch):
    """Photos are searched for with no steps after the encoder's guess."""
    monkeypatch.setattr(sliders.SliderEditor.open, "__defaults__", (None, None, 0))


def test_a_photo_is_edited_at_its_size(portrait, quick, tmp_path):
    assert main(["edit", str(portrait), "--slider", "smile=1", "-o", str(tmp_path / "b.png")]) == 0
    before, after = Image.open(portrait), Image.open(tmp_path / "b.png")
    assert after.size == (640, 560)
    box = ImageChops.difference(before, after.convert("RGB")).getbbox()
    left, top, right, bottom = box
    assert left > 100  # the mouth's part of the picture
    assert top > 250
    assert right < 520
    assert bottom < 540
    operations = read_provenance(tmp_path / "b.png")["operations"]
    assert operations[-1]["values"] == {"smile": 1.0}


def test_a_code_is_written(portrait, tmp_path, capsys):
    target = tmp_path / "code.safetensors"
    picture = tmp_path / "seen.png"
    command = ["invert", str(portrait), "--steps", "1", "--picture", str(picture)]
    assert main([*command, "-o", str(target)]) == 0
    assert load_file(target)["latent"].shape == (16, 512)
    assert Image.open(picture).size == (256, 256)
    said = json.loads(capsys.readouterr().out)
    assert 0 < said["distance"] < 1
    assert said["poor"] == (said["distance"] > latent.POOR)


def test_sliders_are_listed(capsys):
    assert main(["sliders"]) == 0
    assert "smile" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["edit", "{photo}", "--slider", "grin=1", "-o", "{out}.png"], "There is no slider 'grin'"),
        (["edit", "{photo}", "--slider", "smile=99", "-o", "{out}.png"], "stands from -10 to 10"),
        (["edit", "{grey}", "--slider", "smile=1", "-o", "{out}.png"], "No face was found"),
        (["edit", "{photo}", "--slider", "smile=1", "--face", "3", "-o", "{out}.png"], "no face 3"),
        (
            ["edit", "{photo}", "--slider", "a=1", "--load", "{grey}", "-o", "{out}.png"],
            "no slider or is damaged",
        ),
        (["invert", "{photo}", "-o", "{out}.png"], "end in .safetensors"),
        (["sliders", "--rederive", "grin"], "There is no slider 'grin'"),
    ],
)
def test_bad_commands_get_one_sentence(portrait, tmp_path, capsys, command, sentence):
    grey = tmp_path / "grey.png"
    Image.new("L", (200, 200), 128).save(grey)
    places = {"photo": portrait, "grey": grey, "out": tmp_path / "out"}
    assert main([part.format(**places) for part in command]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert sentence in said[0]
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("given", ["smile", "smile=", "=1", "smile=big", "smile=nan"])
def test_a_slider_is_a_name_and_a_number(given, portrait, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["edit", str(portrait), "--slider", given, "-o", str(tmp_path / "x.png")])
    assert "is not a slider and a number" in capsys.readouterr().err


def test_a_slider_made_here_may_be_loaded(portrait, quick, tmp_path):
    from semedit_lite.editing.vectors import bundled

    own = tmp_path / "mine.safetensors"
    own.write_bytes(bundled()["brows-up"].read_bytes())
    command = ["edit", str(portrait), "--load", str(own), "--slider", "mine=1"]
    assert main([*command, "-o", str(tmp_path / "c.png")]) == 0
    assert torch.is_tensor(load_file(own)["delta"])
    assert (tmp_path / "c.png").exists()
