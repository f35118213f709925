"""What `semedit eval` writes, on toy networks and pictures whose scores are known."""

import json
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from semedit_lite.data.faces import Bank
from semedit_lite.data.folder import to_bytes
from semedit_lite.errors import InputError
from semedit_lite.evaluation import generator, painting, parsing
from semedit_lite.evaluation.run import evaluate
from semedit_lite.images import resize
from semedit_lite.labels import FACE
from semedit_lite.models.parser import FaceParser
from semedit_lite.models.spade import GauGAN
from semedit_lite.teachers import MISSING

SIZE = 32
TOY = {"width": 4, "max_width": 8, "hidden": 4, "z_dim": 4, "encoder_width": 4}
SHADES = torch.linspace(-1, 1, len(FACE))  # the red of each class, in the pictures below


def shown(layouts):
    """Layouts (N, S, S) -> pictures (N, 3, S, S) from which they can be read."""
    return SHADES[layouts][:, None].repeat(1, 3, 1, 1)


def read(pictures, *_, **__):
    """Pictures (N, 3, H, W) -> the layouts that they show (N, H, W)."""
    return (pictures[:, :1, None] - SHADES.view(-1, 1, 1)).abs().argmin(2)[:, 0]


class Painter(GauGAN):
    """Once taught, paints what was asked for; the style changes the blue."""

    taught = False

    def forward(self, layout, z=None, generator=None):
        picture = shown(layout) if self.taught else torch.zeros_like(shown(layout))
        picture[:, 2] += z.mean(1)[:, None, None]
        return picture


def taught() -> Painter:
    painter = Painter(classes=len(FACE), size=SIZE, **TOY)
    painter.taught = True
    return painter


@pytest.fixture
def faces(monkeypatch):
    """Layouts of two random halves below skin, and their pictures, in place of generated faces."""

    def bank(count, size, seed, device="cpu", folder=None):
        layouts = torch.randint(len(FACE), (count, 1, 2)).repeat_interleave(size, 1)
        layouts = layouts.repeat_interleave(size // 2, 2)  # (count, size, size)
        layouts[:, : size // 2] = FACE.id("skin")
        return Bank(to_bytes(shown(layouts)), layouts.byte(), torch.zeros(count, 512).half())

    monkeypatch.setattr(painting, "bank", bank)
    monkeypatch.setattr(painting, "parse", read)


JUDGE = SimpleNamespace(
    parse=lambda x: read(resize(x, 256)).roll(64, 2),  # half of it in the wrong place
    frechet_features=lambda x: torch.cat([x.mean((2, 3)), x.std((2, 3))], 1),  # (N, 6)
    lpips=lambda a, b: (a - b).abs().mean((1, 2, 3)),
)


@pytest.mark.parametrize("count", [2, 7])
def test_painter(faces, monkeypatch, count):
    monkeypatch.setattr(painting, "teachers", lambda: JUDGE)
    result = painting.score_painter(taught(), count)
    assert result["seeds"] == count
    assert result["own_parser"]["painted"]["accuracy"] == 1
    assert result["own_parser"]["references"]["miou"] == 1
    judged = result["judge"]
    assert 0.7 < judged["painted"]["accuracy"] < 0.9  # a quarter, where the halves differ
    assert judged["accuracy_ratio"] == pytest.approx(1, abs=0.02)  # the references show the same
    assert "2.9 M" in result["nets"]["independent judge"]
    frechet = result["distance"]["frechet"]
    assert set(frechet) == {"painted", "other_faces", "reduced_to_half", "untrained"}
    assert result["distance"]["pictures"] == count
    assert result["styles"]["layouts"] == count
    assert result["styles"]["lpips_between_styles"] > 0
    json.dumps(result, allow_nan=False)


def test_painter_is_told_from_an_untrained_one(faces, monkeypatch):
    monkeypatch.setattr(painting, "teachers", lambda: JUDGE)
    result = painting.score_painter(taught(), 40)
    frechet, kernel = result["distance"]["frechet"], result["distance"]["kernel"]
    for found in (frechet, kernel):
        assert found["other_faces"] < found["painted"] < found["untrained"]


def test_painter_without_teachers_says_what_it_leaves_out(faces, monkeypatch):
    monkeypatch.setattr(painting, "teachers", lambda: None)
    result = painting.score_painter(taught(), 3)
    assert set(result) == {"seeds", "size", "own_parser", "left_out"}
    assert result["left_out"]["why"] == MISSING


def test_a_style_that_arrives(monkeypatch):
    """The painter takes the mean colour of the photo: nearer to its own photo's than to others'."""
    monkeypatch.setattr(painting, "TINTED", ("skin",))
    layouts = torch.full((6, 8, 8), FACE.id("skin"))
    references = torch.rand(6, 3, 1, 1).expand(6, 3, 8, 8) * 2 - 1
    toy = torch.nn.Linear(1, 1)  # something with a device
    toy.z_dim, toy.encode = 3, lambda photos: (photos.mean((2, 3)), None)
    toy.forward = lambda layout, z: z[:, :, None, None].expand(-1, -1, 8, 8)
    found = painting.styles(toy, references, layouts, 3, JUDGE)
    assert found["colour_to_own_photo"] == pytest.approx(0, abs=1e-6)
    shifted = references[3:].roll(1, 0)
    apart = (references[3:] - shifted)[..., 0, 0].norm(dim=1).mean().item()
    assert found["colour_to_other_photo"] == pytest.approx(apart, rel=1e-5)
    assert found["lpips_between_styles"] > 0.1


def test_generator(monkeypatch):
    """Heads that are off by a known amount: one of 0.2 gives 20 dB, one of 0.02 gives 40."""
    off = {8: 0.2, 16: 0.02, 1024: 0.0}
    model = SimpleNamespace(
        sizes=tuple(off), synthesis=lambda rows, size: torch.full((1, 3, size, size), off[size])
    )
    one, two = torch.zeros(1, 16, 512), torch.zeros(1, 16, 512)
    two[:, 8:] = 1
    monkeypatch.setattr(generator, "mixed_rows", lambda model, seeds: (one, two)[seeds[0] % 2])
    result = generator.score_generator(model, 4)
    assert result["faces"] == 4
    for kind in ("one_style", "mixed_styles"):
        assert result[kind]["psnr_8"]["mean"] == pytest.approx(20, abs=1e-3)
        assert result[kind]["psnr_16"]["lowest"] == pytest.approx(40, abs=1e-3)


def test_parser(monkeypatch, tmp_path):
    """A parser that reads the pictures: right on both sets, and where the labels have left and
    right exchanged it is they that are counted."""
    left, right = FACE.id("l_eye"), FACE.id("r_eye")
    layouts = torch.full((2, SIZE, SIZE), FACE.id("skin"))
    layouts[:, 8:16, 4:12], layouts[:, 8:16, 20:28] = right, left
    pictures = shown(layouts)
    layouts[1] = FACE.flip(layouts[1]).flip(-1)  # the labels of one photo only
    monkeypatch.setattr(parsing, "held_out", lambda: (pictures, layouts))
    monkeypatch.setattr(parsing, "parse", read)

    monkeypatch.setattr(parsing, "data_folder", lambda: tmp_path)
    index = {"frontal": [{"name": "a"}], "multipose": [{"name": "b", "yaw": -30}]}
    for pack, labels in (("frontal", "labels_v2"), ("multipose", "labels")):
        folder = tmp_path / "fasseg" / pack
        (folder / "images").mkdir(parents=True)
        (folder / labels).mkdir()
        name = index[pack][0]["name"]
        grey = round(127.5 * (SHADES[FACE.id("hair")].item() + 1))
        Image.new("RGB", (40, 30), (grey,) * 3).save(folder / "images" / f"{name}.jpg")
        truth = torch.full((30, 40), parsing.COARSE.id("hair"))
        truth[:, :10] = parsing.COARSE.id("nose")
        parsing.COARSE.to_pil(truth).save(folder / labels / f"{name}.png")
    (tmp_path / "fasseg" / "index.json").write_text(json.dumps(index))

    result = parsing.score_parser(FaceParser(context=4, widths=(4, 4, 4, 4)))
    as_labelled, put_right = result["celebamask_held_out"], result["celebamask_sides_put_right"]
    assert as_labelled["left_right"] == 0.5
    assert as_labelled["exchanged_in_labels"] == 1
    assert as_labelled["exchanged_by_parser"] == 0
    assert put_right["accuracy"] == put_right["left_right"] == 1
    assert set(result) >= {"fasseg_frontal", "fasseg_yaw_30"}
    assert result["fasseg_yaw_30"]["accuracy"] == 0.75
    assert result["fasseg_yaw_30"]["iou"]["nose"] == 0


# The command's own part


@pytest.fixture
def checkpoint(tmp_path):
    """A folder with the weights of a small parser."""
    FaceParser(context=4, widths=(4, 4, 4, 4)).save_pretrained(tmp_path / "toy")
    return tmp_path / "toy"


def test_scores_are_written_beside_the_weights(checkpoint, monkeypatch):
    monkeypatch.setattr(parsing, "score_parser", lambda parser: {"a": {"b": 0.123456}})
    result = evaluate(checkpoint)
    assert result["a"] == {"b": 0.1235}
    assert json.loads((checkpoint / "scores.json").read_text()) == result
    (checkpoint / "scores.json").unlink()
    evaluate(checkpoint, write=False)
    assert not (checkpoint / "scores.json").exists()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('{"class": "Other"}', "names 'Other', which is no network"),
        ("{}", "names 'None', which is no network"),
        ("[1]", "'toy/config.json' does not describe a network"),
        ("not JSON", "'toy/config.json' does not describe a network"),
        ('{"class": "FaceParser", "depth": 3}', "'toy/config.json' does not describe a FaceParser"),
    ],
)
def test_configs_that_cannot_be_scored_are_refused(checkpoint, config, sentence):
    (checkpoint / "config.json").write_text(config)
    with pytest.raises(InputError, match=sentence):
        evaluate(checkpoint)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_seeds_are_refused(count):
    with pytest.raises(InputError, match="too few"):
        evaluate("spade-faces-64", count)
