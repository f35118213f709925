"""The recipes of the face parser and of the generator's heads, and how recipes are asked for."""

import pytest
import torch

from semedit_lite.data.faces import GENERATOR, Bank
from semedit_lite.data.photos import AT_LEAST
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE
from semedit_lite.models.mobilestylegan import MobileStyleGAN
from semedit_lite.models.parser import FaceParser
from semedit_lite.training import recipes
from semedit_lite.training.recipes import heads as heads_module
from semedit_lite.training.recipes import parser as parser_module
from semedit_lite.training.recipes import spade as spade_module
from semedit_lite.training.recipes.heads import SIZES, HeadsRecipe
from semedit_lite.training.recipes.parser import ParserRecipe
from semedit_lite.training.recipes.spade import SpadeRecipe, spade_faces

SIDE = 64


def photos(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures that are their layouts in colours: bands of skin, hair and the pairs of parts; the
    first one alone shows a hat."""
    layouts = torch.zeros(count, SIDE, SIDE, dtype=torch.uint8)
    for i, part in enumerate(("skin", "hair", "l_eye", "r_eye", "cloth")):
        layouts[:, 10 * i + 8 : 10 * i + 18, 12:52] = FACE.id(part)
    layouts[0, :8] = FACE.id("hat")
    images = (FACE.pictures(layouts) + 1) * 127.5
    return images.round().to(torch.uint8), layouts


@pytest.fixture
def parser_recipe(monkeypatch) -> ParserRecipe:
    monkeypatch.delenv("SEMEDIT_TEACHERS", raising=False)
    monkeypatch.setattr(parser_module, "SIZE", SIDE)
    monkeypatch.setattr(parser_module, "photos", lambda: {"train": photos(9)})
    images, layouts = photos(2)
    held_out = images.float() / 127.5 - 1, layouts.long()
    monkeypatch.setattr(parser_module, "held_out", lambda: held_out)
    return recipes.build("parser")


def test_parser_batch_depends_on_its_step_alone(parser_recipe) -> None:
    one, again, other = (parser_recipe.batch(step) for step in (3, 3, 4))
    assert one["image"].shape == (8, 3, SIDE, SIDE)
    assert one["layout"].shape == (8, SIDE, SIDE)
    assert one["layout"].dtype == torch.long
    assert set(one["layout"].unique().tolist()) <= set(photos(1)[1].unique().tolist())
    assert torch.equal(one["image"], again["image"])
    assert torch.equal(one["layout"], again["layout"])
    assert not torch.equal(one["layout"], other["layout"])


def test_parser_favours_what_is_rare(parser_recipe) -> None:
    weight = dict(zip(FACE.classes, parser_recipe.class_weight.tolist(), strict=True))
    assert 0 < weight["background"] < weight["skin"] < weight["hat"] < weight["neck_l"]
    assert sum(weight.values()) == pytest.approx(len(FACE), rel=1e-4)
    assert parser_recipe.draw.tolist() == [5] + [1] * 8  # the one with a hat
    assert parser_recipe.settings == {"photos": 9, "encoder": "from scratch"}


def test_parser_learns_a_batch_and_is_exported(parser_recipe, tmp_path) -> None:
    network, optimiser = (
        getattr(parser_recipe, group)["parser"] for group in ("networks", "optimisers")
    )
    batch = parser_recipe.batch(0)
    losses = []
    for _ in range(12):
        loss, terms = parser_recipe.losses["parser"](batch)
        assert loss.item() == pytest.approx(sum(terms.values()), rel=1e-5)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert parser_recipe.preview(parser_recipe.networks).shape == (4, 3, SIDE, SIDE)
    found = parser_recipe.evaluate(parser_recipe.networks)
    assert set(found) == {"accuracy", "miou", *AT_LEAST}
    assert 0 <= found["accuracy"] <= 1
    parser_recipe.export(parser_recipe.networks, tmp_path)
    loaded = FaceParser.from_pretrained(tmp_path / "face-parser")
    for key, value in loaded.state_dict().items():
        torch.testing.assert_close(value, network.state_dict()[key], rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def heads_recipe() -> HeadsRecipe:
    """On two faces, judged by two."""
    mixed = heads_module.mixed_rows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads_module, "mixed_rows", lambda model, seeds: mixed(model, seeds[:2]))
        return recipes.build("face-heads", count=2)


def test_heads_are_all_that_a_step_changes(heads_recipe) -> None:
    model, heads = heads_recipe.model, heads_recipe.networks["heads"]
    assert heads_recipe.settings == {"faces": 2}
    assert len(heads_recipe.pool) == 2
    before = {key: value.clone() for key, value in model.state_dict().items()}
    batch = heads_recipe.batch(0)
    assert torch.equal(batch["256"], heads_recipe.batch(0)["256"])
    loss, terms = heads_recipe.loss(batch)
    assert set(terms) == {f"psnr_{size}" for size in SIZES}
    loss.backward()
    heads_recipe.optimisers["heads"].step()
    changed = {
        key for key, value in model.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed == {f"heads.{key}" for key, _ in heads.named_parameters()}


def test_heads_are_compared_with_the_whole_network(heads_recipe, tmp_path) -> None:
    bundled = heads_recipe.evaluate({"heads": MobileStyleGAN.from_pretrained(GENERATOR).heads})
    assert all(value > 25 for value in bundled.values())  # dB; another face is below 10
    ours = heads_recipe.evaluate(heads_recipe.networks)
    assert ours.keys() == bundled.keys()
    assert ours != bundled
    made, wanted = heads_recipe.compare(heads_recipe.networks["heads"], 256)
    assert made.shape == wanted.shape == (2, 3, 256, 256)
    assert heads_recipe.preview(heads_recipe.networks).shape == (4, 3, 256, 256)
    heads_recipe.export(heads_recipe.networks, tmp_path)
    loaded = MobileStyleGAN.from_pretrained(tmp_path / GENERATOR)
    assert heads_recipe.evaluate({"heads": loaded.heads}) == pytest.approx(ours, abs=0.2)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("nonsense", {}, "no training 'nonsense'; choose from parser"),
        ("parser", {"count": 3}, "'parser' has no use for --count; it takes none of them"),
        ("face-heads", {"perceptual": "none"}, "no use for --perceptual; it takes --count"),
        ("spade-faces-64", {"data": "a", "pool": 1}, "no use for --pool; it takes --data, --count"),
    ],
)
def test_unknown_names_and_options(name: str, options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        recipes.build(name, **options)


def test_options_reach_the_painter(monkeypatch, tmp_path) -> None:
    asked = []

    def bank(count, size, seed, device, data) -> Bank:
        asked.append((count, size, data))
        shape = (count, size, size)
        pictures = torch.zeros(count, 3, size, size, dtype=torch.uint8)
        return Bank(pictures, torch.zeros(shape, dtype=torch.uint8), torch.zeros(count, 512))

    monkeypatch.setattr(spade_module, "bank", bank)
    monkeypatch.delenv("SEMEDIT_TEACHERS", raising=False)
    with pytest.raises(InputError, match="SEMEDIT_TEACHERS"):
        spade_faces(64, perceptual="teachers")
    assert asked == []  # said before any face is painted
    recipe = recipes.build("spade-faces-64", data=tmp_path, count=3, perceptual="auto")
    assert isinstance(recipe, SpadeRecipe)
    assert asked[0] == (3, 64, tmp_path)
    assert recipe.settings == {"faces": 3, "perceptual loss": "none"}
    assert recipe.perceptual is None
