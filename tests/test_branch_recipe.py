"""The segmentation branch's training: which pixels it draws, and that it learns from them."""

import pytest
import torch

from semedit_lite.faces.parse import parse
from semedit_lite.labels import FACE, FACE_FINE, IGNORE
from semedit_lite.models.editgan import SegmentationBranch, enlarge, without_specks
from semedit_lite.training import recipes
from semedit_lite.training.recipes import branch as module
from semedit_lite.training.recipes.branch import BranchRecipe, painted, parser_layout

SEEDS = [3, 8]
SIDE = 128  # of their labels


@pytest.fixture(scope="module")
def recipe() -> BranchRecipe:
    """On two faces as the parser labels them, whose first one wears a hat that nobody sees, and in
    whose second a brush has strayed."""
    layouts = torch.cat([parse(painted(seed)[0], SIDE) for seed in SEEDS])
    layouts[layouts == FACE.id("hat")] = FACE.id("hair")
    layouts = without_specks(layouts)
    layouts[0, :4] = FACE.id("hat")
    layouts[1, 0, :3] = FACE.id("hat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "labelled", lambda seeds: layouts[[SEEDS.index(s) for s in seeds]])
        patch.setattr(module, "labelled_seeds", lambda: SEEDS)
        patch.setattr(module, "PLACES", 1024)
        patch.setattr(module, "HELD_OUT", 2)
        torch.manual_seed(0)
        yield recipes.build("face-branch")


def test_batch_depends_on_its_step_alone(recipe) -> None:
    one, other = recipe.batch(1), recipe.batch(2)
    next_round = recipe.batch(7)
    assert one["features"].shape == (5, 256, 2816)
    assert one["label"].shape == (5, 256)
    again = recipe.batch(1)
    for key in one:
        assert torch.equal(one[key], again[key])
        assert not torch.equal(one[key], other[key])
        assert not torch.equal(one[key], next_round[key])


def test_labels_are_those_of_the_pixels(recipe) -> None:
    """Features of a batch are those that the whole enlarged maps have at a pixel of this label;
    each member sees half of its pixels in each face."""
    batch = recipe.batch(0)
    wide = torch.cat([enlarge(level[:, :3], SIDE) for level in recipe.maps], 1)  # (2, 18, S, S)
    start = [0, 512, 1024, 1536, 2048, 2560]
    features = torch.cat([batch["features"][..., s : s + 3] for s in start], 2)
    for member in (0, 4):
        for face, half in enumerate(features[member].chunk(2)):
            for k in (0, 50, 127):
                apart = (wide[face] - half[k][:, None, None]).abs().amax(0)
                y, x = divmod(int(apart.argmin()), SIDE)
                assert apart[y, x] < 1e-4
                assert recipe.layouts[face, y, x] == batch["label"][member, 128 * face + k]


def test_members_see_other_pixels(recipe) -> None:
    places, labels = recipe.round(0)
    assert places.shape == (2, 1024, 2)
    assert labels.shape == (2, 1024)
    for face in places:
        assert len(face.unique(dim=0)) == 1024  # none twice in a round
    features = recipe.batch(0)["features"]
    assert len(features.flatten(0, 1).unique(dim=0)) == features[..., 0].numel()


def test_rare_classes_are_favoured_and_strays_are_not_drawn(recipe) -> None:
    _, labels = recipe.round(0)
    there = torch.bincount(recipe.layouts.flatten(), minlength=IGNORE + 1)
    drawn = torch.bincount(labels.flatten(), minlength=IGNORE + 1)
    favour = drawn / there
    assert there[IGNORE] == 3
    assert drawn[IGNORE] == 0
    skin, hat, lip = (FACE.id(part) for part in ("skin", "hat", "u_lip"))
    assert favour[skin] < favour[hat] < favour[lip]
    assert (labels[1] == hat).sum() == 0


def test_one_face_gives_all_pixels(recipe) -> None:
    alone = BranchRecipe(seeds=SEEDS[1:], members=3)
    assert alone.settings == {"faces": 1, "members": 3}
    batch = alone.batch(5)
    assert batch["label"].shape == (3, 256)
    assert FACE.id("hat") not in batch["label"]


def test_it_learns_and_is_exported(recipe, tmp_path) -> None:
    network, optimiser = (getattr(recipe, group)["branch"] for group in ("networks", "optimisers"))
    losses = []
    for step in range(25):
        loss, terms = recipe.losses["branch"](recipe.batch(step))
        assert terms["cross_entropy"] == loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(torch.tensor(float(len(FACE_FINE))).log().item(), rel=0.1)
    assert losses[-1] < 0.75 * losses[0]
    network.eval()
    found = recipe.evaluate(recipe.networks)
    assert found["accuracy"] > 0.5  # of two faces that it has not seen
    assert set(found) == {"accuracy", "miou"}
    shown = recipe.preview(recipe.networks)
    assert shown.shape == (36, 3, 256, 256)
    assert shown.abs().max() <= 1
    recipe.export(recipe.networks, tmp_path)
    loaded = SegmentationBranch.from_pretrained(tmp_path / "face-branch")
    _, maps = painted(SEEDS[0])
    torch.testing.assert_close(loaded(maps), network(maps), rtol=0.05, atol=0.05)


def test_what_the_parser_does_not_know_is_what_it_would_be_next() -> None:
    logits = torch.zeros(2, 1, len(FACE_FINE), 1, 2)
    eye, iris, beard = (FACE_FINE.id(part) for part in ("l_eye", "iris", "beard"))
    logits[:, :, iris], logits[:, :, eye] = 9.0, 3.0
    logits[:, :, beard, :, 1], logits[:, :, FACE.id("skin"), :, 1] = 12.0, 4.0
    assert parser_layout(logits).flatten().tolist() == [eye, FACE.id("skin")]
