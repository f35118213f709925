"""A third model, in `own_model`, goes through all that a shipped one does; docs/own-model.md tells
how to add one in a day, in the words of these files.

The rooms `models` and `training/recipes` are made to look into `own_model` too: the files there are
imported, found and published as if they lay in the package.
"""

import importlib.util
import json
import re
import shlex
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Generator

from semedit_lite import cli, models, publish
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.errors import InputError
from semedit_lite.evaluation import report
from semedit_lite.evaluation.run import evaluate
from semedit_lite.faces.parse import parse
from semedit_lite.images import read_provenance
from semedit_lite.labels import FACE, IGNORE, LabelSet
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import GauGAN
from semedit_lite.training import log, recipes
from semedit_lite.training.trainer import train

OWN = Path(__file__).parent / "own_model"
NAME = "unet-faces-32"
TINY = {"z_dim": 3, "width": 4, "max_width": 8, "encoder_width": 2}
SIDES = LabelSet("sides", ("left", "right"), ((0, 0, 0), (255, 255, 255)), pairs=((0, 1),))


@pytest.fixture(scope="module", autouse=True)
def in_the_package():
    """`own_model`'s files, where those of a shipped model are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEMEDIT_TEACHERS", raising=False)
        for room, folder in ((models, "models"), (recipes, "recipes")):
            patch.setattr(room, "__path__", [*room.__path__, str(OWN / folder)])
        from semedit_lite.training.recipes.unet import unet_faces

        row = {NAME: (partial(unet_faces, 32), ("data", "count"))}
        patch.setattr(recipes, "TRAININGS", recipes.TRAININGS | row)
        yield
    for room in (models, recipes):
        del sys.modules[f"{room.__name__}.unet"], room.unet


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of the faces and that of the checkpoint which `semedit train` wrote."""
    faces, run = tmp_path_factory.mktemp("faces"), tmp_path_factory.mktemp("runs") / NAME
    limits = ["--steps", "60", "--count", "24"]
    assert cli.main(["train", NAME, *limits, "--data", str(faces), "--out", str(run)]) == 0
    return faces, run / NAME


def unet(**settings):
    from semedit_lite.models.unet import UNetPainter

    return UNetPainter(**({"classes": 5, "size": 16} | TINY | settings)).eval()


def toy():
    """The recipe on 16² pictures that are red on the left and blue on the right."""
    from semedit_lite.training.recipes.unet import UNetRecipe

    torch.manual_seed(0)
    layouts = (torch.arange(16).expand(6, 16, 16) >= torch.arange(4, 10)[:, None, None]).byte()
    colours = torch.tensor([[200, 40, 40], [40, 40, 200]])[layouts.long()]
    pairs = colours.permute(0, 3, 1, 2).byte(), layouts
    return UNetRecipe(
        name="toy",
        painter=unet(classes=2),
        discriminator=MultiScaleDiscriminator(classes=2, scales=1, width=4, max_width=8),
        labels=SIDES,
        train=pairs,
        held_out=pairs,
        batch_size=4,
    )


# --- properties: what the paper says of the network -----------------------------------------------
@torch.no_grad()
def test_any_layout_becomes_a_picture_of_the_painters_size():
    network, layout = unet(), torch.randint(5, (2, 24, 40))
    assert network(layout).shape == (2, 3, 16, 16)
    assert network(layout).abs().max() <= 1
    assert network(torch.full((1, 16, 16), IGNORE)).isfinite().all()
    mean, log_variance = network.encode(torch.rand(2, 3, 50, 30))
    assert mean.shape == log_variance.shape == (2, 3)


@torch.no_grad()
def test_random_styles_come_from_the_given_generator():
    network, layout = unet(), torch.zeros(2, 16, 16, dtype=torch.long)
    one, same, other = (network(layout, generator=Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one[0], one[1])  # each sample its own style


@torch.no_grad()
def test_a_skip_carries_single_pixels():
    """pix2pix, section 3.2.1: what is where need not pass through the innermost maps."""
    network, z = unet(size=64), torch.zeros(1, 3)
    network.up[1][0].weight.zero_()  # nothing comes from within: the outermost skip is left
    layout = torch.randint(5, (1, 64, 64))
    other = layout.clone()
    other[0, 32, 32] = (layout[0, 32, 32] + 1) % 5
    changed = (network(layout, z) != network(other, z)).any(1)[0].nonzero()
    assert changed.amin(0).tolist() == [29, 29]  # two convolutions of 4 pixels and stride 2
    assert changed.amax(0).tolist() == [34, 34]


def test_every_parameter_gets_a_gradient():
    network = unet().train()
    mean, log_variance = network.encode(torch.rand(4, 3, 16, 16))
    picture = network(torch.randint(5, (4, 16, 16)), mean + log_variance)
    (picture * torch.randn_like(picture)).sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad.isfinite().all(), name
        if "bias" not in name:  # one before a norm has none by design
            assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("settings", [{"size": 24}, {"size": 4}, {"norm": "layer"}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(InputError, match=r"power of 2|choose"):
        unet(**settings)


# --- training -------------------------------------------------------------------------------------
def test_each_loss_moves_its_own_network_only():
    ours = toy()
    for moved, other in (("painter", "discriminator"), ("discriminator", "painter")):
        for network in ours.networks.values():
            network.zero_grad()
        loss, terms = ours.losses[moved](ours.batch(0))
        assert loss.item() == pytest.approx(sum(terms.values()), rel=1e-5)
        loss.backward()
        assert any(p.grad is not None for p in ours.networks[moved].parameters())
        assert all(p.grad is None for p in ours.networks[other].parameters())


def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path):
    whole = train(toy(), tmp_path / "whole", steps=6, show=False)
    killed, batch = toy(), toy().batch

    def until_3(step):
        if step == 3:
            raise KeyboardInterrupt
        return batch(step)

    killed.batch = until_3
    with pytest.raises(KeyboardInterrupt):
        train(killed, tmp_path / "parts", steps=6, every=0.0, show=False)
    again = train(toy(), tmp_path / "parts", steps=6, resume=True, show=False)
    for name, network in whole.items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, again[name].state_dict()[key]), key


@torch.no_grad()
def test_training_learns(trained):
    """On faces that it has not seen: nearer to the photo than an untrained painter by far, nearer
    than the mean of the faces that it has seen, and the parser finds what was asked for."""
    from semedit_lite.models.unet import UNetPainter
    from semedit_lite.training.recipes.unet import unet_faces

    faces, checkpoint = trained
    recipe = unet_faces(32, data=faces, count=24)
    painter = UNetPainter.from_pretrained(checkpoint)
    untrained = UNetPainter(**painter.config).eval()
    before, after = (
        recipe.evaluate({"painter": network})["own_difference"] for network in (untrained, painter)
    )
    photos, layouts = recipe.held_out
    mean_face = recipe.train[0].float().mean(0) / 127.5 - 1
    assert after < 0.65 * before
    assert after < 0.9 * (photos - mean_face).abs().mean()
    found = parse(recipe.repaint(painter))
    assert scores(confusion(found, layouts, len(FACE)), FACE)["accuracy"] > 0.35
    assert log.read(checkpoint.parent / "log.jsonl")[-1]["eval_own_difference"] < 0.65 * before


# --- the checkpoint -------------------------------------------------------------------------------
def test_loading_is_strict(trained, tmp_path):
    from semedit_lite.models.unet import UNetPainter

    _, checkpoint = trained
    with pytest.raises(InputError, match=r"does not describe a GauGAN \(but a UNetPainter\)"):
        GauGAN.from_pretrained(checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    del weights["up.0.bias"]
    (tmp_path / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r'do not fit its config.json.*"up\.0\.bias"'):
        UNetPainter.from_pretrained(tmp_path)


def test_it_is_scored_and_published(trained, capsys):
    faces, checkpoint = trained
    result = evaluate(checkpoint, 4, faces)
    assert json.loads((checkpoint / "scores.json").read_text()) == result
    painted, references = (result["own_parser"][key] for key in ("painted", "references"))
    assert 0.3 < painted["accuracy"] < references["accuracy"]
    with pytest.raises(InputError, match="has no card"):
        publish.parcel(checkpoint)
    card = (OWN / "card.md").read_text()
    card = report.fill(card, {f"scores-{NAME}": report.scores_table(result)})
    assert "| painted | " in card
    (checkpoint / "README.md").write_text(card)
    assert cli.main(["push", str(checkpoint), "--dry-run"]) == 0
    assert result["weights_sha256"] in capsys.readouterr().out


# --- in use ---------------------------------------------------------------------------------------
def test_it_paints_in_the_editor(trained):
    _, checkpoint = trained
    editor = PaintEditor(checkpoint, size=128)
    face = editor.generate(seed=1_000_000)
    layout = face.layout.clone()
    layout[:, :48] = FACE.id("hair")
    own, seeded = (
        editor.apply(face, Repaint(layout, style)) for style in (Style.own(), Style.seed(1))
    )
    assert set(own.scores["classes"]) == {"hair"}
    assert own.scores["change_inside"] > own.scores["change_outside"]
    assert not torch.equal(own.image, seeded.image)
    with pytest.raises(InputError, match="'face-parser' paints no layouts"):
        PaintEditor("face-parser")


def test_it_paints_from_the_shell(trained, tmp_path):
    _, checkpoint = trained
    layout = report.ROOT / "demos" / "layouts" / "0000001.png"
    painted = tmp_path / "painted.png"
    assert cli.main(["paint", str(layout), "--model", str(checkpoint), "-o", str(painted)]) == 0
    assert read_provenance(painted)["operations"][0]["model"] == NAME


# --- the guide ------------------------------------------------------------------------------------
GUIDE = report.ROOT / "docs" / "own-model.md"


def fenced(language: str) -> list[str]:
    """The guide's blocks of code in a language."""
    text = GUIDE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_guides_excerpts_are_this_code():
    sources = [Path(__file__), *OWN.rglob("*.py"), OWN / "card.md"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    excerpts = fenced("python") + fenced("yaml")
    assert len(excerpts) > 4
    for excerpt in excerpts:
        assert any(textwrap.indent(excerpt, " " * n) in code for n in (0, 4, 8)), excerpt


def test_the_guides_commands_exist():
    commands = [line for block in fenced("sh") for line in block.splitlines()]
    assert len(commands) > 4
    for command in commands:
        match shlex.split(command, comments=True):
            case ["semedit", *arguments]:
                cli._parser().parse_args(arguments)  # leaves where it does not know one
            case ["python", "-m", "pytest", *paths]:
                assert all((report.ROOT / path).exists() for path in paths if path[0] != "-")
            case ["python", "-m", module]:
                assert importlib.util.find_spec(module), command
            case ["python", script, *_]:
                assert (report.ROOT / script).is_file(), command
            case ["make", target]:
                assert f"\n{target}:" in (report.ROOT / "Makefile").read_text(), command
            case _:
                pytest.fail(f"the guide names '{command}'")


def test_the_guides_files_exist():
    """All that it names but the reader's own, which it calls X or NAME."""
    text = GUIDE.read_text(encoding="utf-8")
    named = [(report.ROOT, path) for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text)]
    named += [(GUIDE.parent, path) for path in re.findall(r"\]\(([^):]+)\)", text)]
    ours = [(folder, path) for folder, path in named if not re.search("X|NAME", path)]
    assert len(ours) > 10
    for folder, path in ours:
        assert (folder / path).exists(), path
