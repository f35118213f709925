"""The command line: files and folders in and out, mistakes in one sentence, quick help."""

import errno
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from test_trainer import ToyRecipe
from torch import nn

from semedit_lite import cli, images
from semedit_lite.data import faces as generated
from semedit_lite.faces import parse as parsing
from semedit_lite.labels import FACE
from semedit_lite.models.spade import GauGAN
from semedit_lite.training import log

TOY = {"classes": 19, "size": 32, "z_dim": 8, "width": 4, "max_width": 16, "hidden": 4}


class ToyParser(nn.Module):
    """Sees class k where the picture's grey value is 10 k."""

    def __init__(self):
        super().__init__()
        self.at = nn.Parameter(torch.zeros(()))

    def forward(self, image):
        grey = (image.mean(1, keepdim=True) + 1) * 127.5  # (B, 1, H, W)
        levels = 10 * torch.arange(19).view(1, 19, 1, 1)
        return -(grey - levels).abs()  # (B, 19, H, W)


@pytest.fixture
def toy_parser(monkeypatch):
    monkeypatch.setattr(parsing, "face_parser", lambda device="cpu": ToyParser())


@pytest.fixture
def toy_model(tmp_path):
    """The folder of a tiny GauGAN of random weights."""
    GauGAN(**TOY, encoder_width=4).save_pretrained(tmp_path / "toy")
    return str(tmp_path / "toy")


def grey_photo(path, width=60, height=40):
    """Skin on the left, nose on the right, as the toy parser sees it."""
    values = np.full((height, width, 3), 10 * FACE.id("skin"), np.uint8)
    values[:, width // 2 :] = 10 * FACE.id("nose")
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def save_layout(path, side=64):
    layout = torch.zeros(side, side, dtype=torch.long)
    layout[side // 4 :, side // 4 :] = FACE.id("hair")
    path.parent.mkdir(exist_ok=True)
    FACE.to_pil(layout).save(path)
    return path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


# parse ----------------------------------------------------------------------------------------


def test_parse_gives_a_file_for_a_file(toy_parser, tmp_path):
    photo = grey_photo(tmp_path / "me.png")
    assert run("parse", photo, "-o", tmp_path / "me-layout.png", "--size", 30) == 0
    layout = Image.open(tmp_path / "me-layout.png")
    assert (layout.mode, layout.size) == ("P", (30, 20))
    ids = np.array(layout)
    assert (ids[:, :14] == FACE.id("skin")).all()
    assert (ids[:, 16:] == FACE.id("nose")).all()


def test_parse_gives_a_folder_for_a_folder_and_names_what_is_bad(toy_parser, tmp_path, capsys):
    grey_photo(tmp_path / "in" / "good.png")
    grey_photo(tmp_path / "in" / "upper.PNG")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "in" / "drawing.svg").write_text("<svg/>")
    (tmp_path / "in" / "notes.txt").write_text("not for us")
    assert run("parse", tmp_path / "in", "-o", tmp_path / "out") == 2
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good.png", "upper.png"]
    errors = capsys.readouterr().err
    assert "semedit: broken.jpg: This is not a picture" in errors
    assert "semedit: drawing.svg: This is not a picture" in errors
    assert "notes.txt" not in errors
    assert "4/4" in errors  # the progress bar


def test_parse_refuses_a_picture_without_a_face(toy_parser, tmp_path, capsys):
    Image.new("RGB", (32, 32), (0, 0, 0)).save(tmp_path / "night.png")
    assert run("parse", tmp_path / "night.png", "-o", tmp_path / "out.png") == 2
    assert "No face" in capsys.readouterr().err
    assert run("parse", tmp_path / "night.png", "-o", tmp_path / "out.png", "--align") == 2
    assert "No face" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


# faces ----------------------------------------------------------------------------------------


def test_faces_come_with_their_layouts_and_by_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(generated, "face_parser", lambda device="cpu": ToyParser())
    assert run("faces", "-n", 2, "--seed", 3, "--size", 64, "-o", tmp_path / "two") == 0
    assert run("faces", "-n", 1, "--seed", 4, "--size", 64, "-o", tmp_path / "one") == 0
    pictures, layouts = tmp_path / "two", tmp_path / "two" / "layouts"
    names = ["0000003.png", "0000004.png"]
    assert sorted(p.name for p in pictures.glob("*.png")) == names
    assert sorted(p.name for p in layouts.iterdir()) == names
    one = images.to_tensor(images.load_photo(tmp_path / "one" / "0000004.png"))
    two = images.to_tensor(images.load_photo(pictures / "0000004.png"))
    assert one.shape == (1, 3, 64, 64)
    assert (one - two).abs().max() < 0.02  # the same face, whatever was made beside it
    assert images.load_layout(layouts / "0000004.png", FACE).shape == (1, 64, 64)
    (operation,) = images.read_provenance(pictures / "0000004.png")["operations"]
    assert (operation["tool"], operation["seed"]) == ("generate", 4)


def test_faces_of_an_impossible_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generated, "face_parser", lambda device="cpu": ToyParser())
    assert run("faces", "-n", 1, "--size", 300, "-o", tmp_path) == 2
    assert "not 300" in capsys.readouterr().err


# paint ----------------------------------------------------------------------------------------


def test_paint_by_seed(toy_model, tmp_path):
    layout = save_layout(tmp_path / "a.png")
    for name, seed in (("one", 1), ("again", 1), ("two", 2)):
        target = tmp_path / f"{name}.png"
        assert run("paint", layout, "-o", target, "--model", toy_model, "--seed", seed) == 0
    one, again, two = (
        np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("one", "again", "two")
    )
    assert one.shape == (32, 32, 3)
    assert (one == again).all()
    assert (one != two).any()
    (operation,) = images.read_provenance(tmp_path / "one.png")["operations"]
    assert (operation["model"], operation["style"]["seed"]) == ("toy", 1)
    assert len(operation["weights"]) == 64


def test_paint_a_folder(toy_model, tmp_path):
    for name in ("a", "b"):
        save_layout(tmp_path / "in" / f"{name}.png")
    assert run("paint", tmp_path / "in", "-o", tmp_path / "out", "--model", toy_model) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]


def test_paint_into_a_folder_that_is_there(toy_model, tmp_path):
    (tmp_path / "out").mkdir()
    layout = save_layout(tmp_path / "a.png")
    assert run("paint", layout, "-o", tmp_path / "out", "--model", toy_model) == 0
    assert (tmp_path / "out" / "a.png").is_file()


# train ----------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch) -> list:
    """What recipes are asked for; all are a toy."""
    seen = []

    def build(name, device, **options):
        seen.append((name, device, options))
        return ToyRecipe()

    monkeypatch.setattr("semedit_lite.training.recipes.build", build)
    return seen


def test_train_stops_and_is_resumed(asked, tmp_path, capsys):
    folder = tmp_path / "run"
    assert run("train", "toy", "--steps", 3, "--out", folder) == 0
    error = capsys.readouterr().err
    assert error.startswith("toy: noise 0.1\n")
    assert "3/3" in error  # the progress bar
    assert asked == [("toy", "cpu", {})]
    assert run("train", "toy", "--steps", 5, "--out", folder) == 2
    assert "holds a run; add --resume" in capsys.readouterr().err
    assert len(asked) == 1  # refused before the recipe is made, which may take minutes
    assert run("train", "toy", "--steps", 5, "--out", folder, "--resume") == 0
    rows = log.read(folder / "log.jsonl")
    assert [row["step"] for row in rows] == [0, 3, 5]
    assert rows[0]["recipe"] == {"noise": 0.1}
    slim = folder / "slim.safetensors"
    assert run("train", "toy", "--steps", 1, "--out", tmp_path / "leg", "--start", slim) == 0
    assert log.read(tmp_path / "leg" / "log.jsonl")[-1]["step"] == 1


def test_train_hands_its_options_on(asked, tmp_path):
    options = ("--data", tmp_path, "-n", 7, "--perceptual", "none")
    assert run("train", "toy", "--minutes", 0.001, "--out", tmp_path / "run", *options) == 0
    given = {"data": tmp_path, "count": 7, "perceptual": "none"}
    assert asked == [("toy", "cpu", given)]


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "ten"])
def test_train_wants_minutes_above_zero(minutes, capsys):
    with pytest.raises(SystemExit) as caught:
        run("train", "spade-faces-64", "--minutes", minutes)
    assert caught.value.code == 2
    assert f"'{minutes}' is not a number of minutes above 0" in capsys.readouterr().err


# Mistakes -------------------------------------------------------------------------------------


def bad_layouts(folder):
    """Path -> what is said about it."""
    Image.fromarray(np.full((32, 32), 19, np.uint8)).save(folder / "ids.png")
    Image.new("RGB", (32, 32)).save(folder / "colour.png")
    Image.new("L", (64, 32), 1).save(folder / "wide.png")
    Image.new("L", (32, 32), 0).save(folder / "empty.png")
    (folder / "text.png").write_text("hello")
    return {
        "ids.png": "[19]",
        "colour.png": "colour picture",
        "wide.png": "64×32 pixels, but 32×32",
        "empty.png": "empty; paint a face",
        "text.png": "not a picture",
        "missing.png": "no file",
    }


def test_paint_says_in_one_sentence_what_is_wrong(toy_model, tmp_path, capsys):
    for name, says in bad_layouts(tmp_path).items():
        assert run("paint", tmp_path / name, "-o", tmp_path / "o.png", "--model", toy_model) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("semedit: ")
        assert says in line
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["paint", "a.png", "-o", "b.png", "--model", "nonsense"], "no weights 'nonsense'"),
        (["train", "nonsense", "--steps", "1"], "no training 'nonsense'"),
        (["train", "spade-faces-64"], "Say how long to train"),
        (["train", "parser", "--steps", "1", "--count", "2"], "no use for --count"),
        (["train", "spade-faces-64", "--steps", "1", "--perceptual", "eye"], "loss 'eye'; choose"),
        (["weights", "fetch", "nonsense"], "no weights 'nonsense'"),
    ],
)
def test_names_that_do_not_exist(arguments, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where runs/ would be
    assert run(*arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not (tmp_path / "runs").exists()


def test_outputs_that_cannot_be(toy_model, toy_parser, tmp_path, capsys):
    layout = save_layout(tmp_path / "in" / "a.png")
    model = ("--model", toy_model)
    assert run("paint", layout, "-o", tmp_path / "b.txt", *model) == 2
    assert "end in .png" in capsys.readouterr().err
    assert run("paint", tmp_path / "in", "-o", layout, *model) == 2
    assert "needs a folder" in capsys.readouterr().err
    (tmp_path / "none").mkdir()
    assert run("paint", tmp_path / "none", "-o", tmp_path / "out", *model) == 2
    assert "holds no files" in capsys.readouterr().err
    grey_photo(tmp_path / "twice" / "a.png")
    grey_photo(tmp_path / "twice" / "a.jpg")
    assert run("parse", tmp_path / "twice", "-o", tmp_path / "out") == 2
    assert "several files named 'a'" in capsys.readouterr().err


def test_inputs_are_never_overwritten(toy_model, tmp_path, capsys):
    layout = save_layout(tmp_path / "in" / "a.png")
    before = layout.read_bytes()
    for source, output in ((layout, layout), (layout, layout.parent), (layout.parent,) * 2):
        assert run("paint", source, "-o", output, "--model", toy_model) == 2
        assert "would be overwritten" in capsys.readouterr().err
    assert layout.read_bytes() == before


def test_hidden_files_of_a_folder_are_no_inputs(toy_model, tmp_path):
    save_layout(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "._a.png").write_bytes(b"what macOS puts beside a file")
    assert run("paint", tmp_path / "in", "-o", tmp_path / "out", "--model", toy_model) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["parse", "a.png", "-o", "b.png", "--size", "60000"], "above 4096"),
        (["demo", "--port", "70000"], "above 65535"),
        (["demo", "--port", "0"], "not a whole number above 0"),
        (["faces", "-o", "x", "--seed", str(2**63)], "from 0 to 2^63 - 1"),
    ],
)
def test_numbers_out_of_range(arguments, says, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_seeds_do_not_count_up_beyond_their_range(tmp_path, capsys):
    assert run("faces", "-n", 2, "--seed", 2**63 - 1, "-o", tmp_path / "out") == 2
    assert "count up beyond" in capsys.readouterr().err


def test_a_full_disk_is_said_plainly(toy_model, tmp_path, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    layout = save_layout(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "save", full)
    assert run("paint", layout, "-o", tmp_path / "o.png", "--model", toy_model) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line
    assert not (tmp_path / "o.png").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["faces", "-n", "0", "-o", "x"],
        ["faces", "-n", "two", "-o", "x"],
        ["faces", "--seed", "-1", "-o", "x"],
        ["faces", "--seed", str(2**63), "-o", "x"],
        ["faces", "--device", "abacus", "-o", "x"],
        ["parse", "photo.png"],
    ],
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert "semedit" in capsys.readouterr().err


# Help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb",
    [
        "",
        "faces",
        "parse",
        "paint",
        "data faces",
        "train",
        "eval",
        "bench",
        "demo",
        "weights",
        "push",
    ],
)
def test_help(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*verb.split(), "--help")
    assert caught.value.code == 0
    assert "usage: semedit" in capsys.readouterr().out


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from semedit_lite import cli\n"
        "try: cli.main(['paint', '--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_the_package_needs_four_others_alone():
    """`import semedit_lite` and its lower rooms bring nothing but them and Python's own."""
    code = """
import sys
import torch, torch.nn.functional, numpy, PIL.Image, safetensors.torch
before = {name.split(".")[0] for name in sys.modules}
import semedit_lite, semedit_lite.images, semedit_lite.hub, semedit_lite.labels
import semedit_lite.losses, semedit_lite.models.spade, semedit_lite.faces.parse
import semedit_lite.editing.paint, semedit_lite.training.trainer
after = {name.split(".")[0] for name in sys.modules}
print(*sorted(after - before - set(sys.stdlib_module_names)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.split() == ["semedit_lite"], result.stderr
