"""The face finder's training: what lies where in its scenes, and that it learns them."""

import pytest
import torch
from torch import Generator

from semedit_lite import teachers as teachers_module
from semedit_lite.data import scenes as scenes_module
from semedit_lite.data.scenes import SIZE, KnownFaces, Scenes
from semedit_lite.data.textures import textures
from semedit_lite.errors import InputError
from semedit_lite.faces.detect import squares
from semedit_lite.labels import FACE
from semedit_lite.models.finder import CLOSE, SIDES, FaceFinder
from semedit_lite.training import recipes
from semedit_lite.training.recipes.finder import CROWD, SCENE, FinderRecipe

POINTS = torch.tensor([[0.4, 0.4], [0.6, 0.42], [0.5, 0.55], [0.42, 0.7], [0.58, 0.68]])


def known(count: int, mark: int = 2) -> KnownFaces:
    """Grey squares with one white spot, at the point number `mark`."""
    images = torch.full((count, 3, SIZE, SIZE), 60, dtype=torch.uint8)
    y, x = torch.meshgrid(*[torch.arange(SIZE) + 0.5] * 2, indexing="ij")
    px, py = (POINTS[mark] * SIZE).tolist()
    images[:, :, (x - px) ** 2 + (y - py) ** 2 < 8**2] = 255
    layouts = torch.full((count, SIZE, SIZE), FACE.id("skin"), dtype=torch.uint8)
    boxes = torch.tensor([0.5, 0.55, 0.5]).expand(count, 3)
    return KnownFaces(images, layouts, POINTS.repeat(count, 1, 1), boxes.contiguous())


def scenes(faces: KnownFaces) -> Scenes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes_module, "TEXTURES", 4)
        return Scenes(faces)


@pytest.mark.parametrize("mark", range(5))
def test_points_lie_where_the_pasted_face_shows_them(mark) -> None:
    rng = Generator().manual_seed(mark)
    made = scenes(known(4, mark))
    side = torch.tensor([20.0, 30, 50, 64, 90, 110] * 4)
    canvas = torch.full((24, 3, 128, 128), -1.0)
    centre = torch.full((24, 2), 64.0) + 8 * torch.randn(24, 2, generator=rng)
    degrees = 40 * torch.randn(24, generator=rng).clamp(-2, 2)
    pictures, points = made.paste(canvas, centre, side, degrees, rng)
    y, x = torch.meshgrid(*[torch.arange(128) + 0.5] * 2, indexing="ij")
    for picture, five in zip(pictures, points, strict=True):
        light = picture.mean(0)
        light = (light - light.max() * 0.9 - light.min() * 0.1).clamp(min=0)
        spot = torch.stack([(light * x).sum(), (light * y).sum()]) / light.sum()
        # a flip exchanges left and right, so that a mark may be its mirror image's
        near = (five - spot).norm(dim=1)
        assert near.min() < 1.5
        assert near.argmin() in {0: (0, 1), 1: (0, 1), 2: (2,), 3: (3, 4), 4: (3, 4)}[mark]


def test_viewers_left_stays_left() -> None:
    rng = Generator().manual_seed(0)
    made = scenes(known(4))
    canvas = torch.zeros(32, 3, 64, 64)
    side, degrees = torch.full((32,), 30.0), torch.zeros(32)
    _, points = made.paste(canvas, torch.full((32, 2), 32.0), side, degrees, rng)
    assert (points[:, 0, 0] < points[:, 1, 0]).all()
    assert (points[:, 3, 0] < points[:, 4, 0]).all()


def test_textures_differ_and_come_from_their_generator() -> None:
    one, again = (textures(6, 48, Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape == (6, 3, 48, 48)
    assert one.abs().max() <= 1
    assert (one[:3] - one[3:]).abs().mean((1, 2, 3)).min() > 0.02


@pytest.fixture(scope="module")
def recipe() -> FinderRecipe:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEMEDIT_DATA", raising=False)
        patch.setattr(KnownFaces, "make", classmethod(lambda cls, count, **_: known(count)))
        patch.setattr(scenes_module, "TEXTURES", 32)
        return recipes.build("face-finder", count=16)


def test_a_batch_depends_on_its_step_alone(recipe) -> None:
    one, again, other = (recipe.batch(step) for step in (3, 3, 4))
    assert one["scene"].shape == (16, 3, SCENE, SCENE)
    assert one["faces"].shape == (16, CROWD, 3)
    assert one["close"].shape == (32, 3, CLOSE, CLOSE)
    assert one["is_face"].sum() == 22
    for key, value in one.items():
        assert torch.equal(value, again[key])
    assert not torch.equal(one["scene"], other["scene"])


def test_what_the_first_stage_should_say_has_no_loss(recipe) -> None:
    """Maps made from the truth have none; those that miss a face, or see one that is not there,
    have a large one."""
    batch = recipe.batch(0)
    faces = batch["faces"][:, :1].clone()
    faces[:, 0] = torch.tensor([60.0, 44.0, 30.0])
    truth = torch.zeros(16, 4, SCENE // 8, SCENE // 8)
    truth[:, 0] = -9
    y, x = torch.meshgrid(*[torch.arange(16) * 8 + 4.0] * 2, indexing="ij")
    here = ((x - 60).abs() < 0.2 * 30) & ((y - 44).abs() < 0.2 * 30)
    truth[:, 0, here] = 9
    truth[:, 1], truth[:, 2] = (60 - x) / 32, (44 - y) / 32
    truth[:, 3] = torch.tensor(30 / 32).log()
    found, place = recipe.proposal_losses(truth, faces)
    assert found < 1e-3
    assert place < 1e-5
    best = squares(truth)[0, truth[0, 0].flatten().argmax()]
    assert best[1:].tolist() == pytest.approx([60, 44, 30])
    missed = truth.clone()
    missed[:, 0] = -9
    assert recipe.proposal_losses(missed, faces)[0] > 5
    extra = truth.clone()
    extra[:, 0, 14, 14] = 9
    assert recipe.proposal_losses(extra, faces)[0] > 1
    none = faces.clone()
    none[:, :, 2] = 0
    assert recipe.proposal_losses(missed, none)[0] < 1e-3


def test_the_second_stage_sees_what_the_first_proposes(recipe) -> None:
    batch = recipe.batch(1)
    faces = torch.zeros(16, CROWD, 3)
    faces[:, 0] = torch.tensor([64.0, 64.0, 40.0])
    batch["faces"] = faces
    batch["points"] = (POINTS * 80 + torch.tensor([24.0, 20.0])).expand(16, CROWD, 5, 2).clone()
    maps = torch.zeros(16, 4, 16, 16)
    maps[:, 3] = torch.tensor(40 / 32).log()
    maps[:, 0, 8, 8] = 5  # near the face's middle
    maps[:, 0, 1, 1] = 4  # away from it
    crops, is_face, points = recipe.proposed(maps, batch)
    assert crops.shape == (32, 3, CLOSE, CLOSE)
    assert is_face.tolist() == [1] * 16 + [0] * 16
    middle = torch.tensor([68.0, 68.0])
    wanted = (batch["points"][0, 0] - middle) / (1.5 * 40) + 0.5
    torch.testing.assert_close(points[:16], wanted.expand(16, 5, 2))


def test_a_short_training_lowers_the_loss_and_is_exported(recipe, tmp_path) -> None:
    network, optimiser = recipe.networks["finder"], recipe.optimisers["finder"]
    batch, losses = recipe.batch(0), []
    for _ in range(8):
        loss, terms = recipe.losses["finder"](batch)
        assert set(terms) == {"found", "place", "verdict", "points"}
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    network.eval()
    assert recipe.preview(recipe.networks).shape == (16, 3, CLOSE, CLOSE)
    found = recipe.evaluate(recipe.networks)
    assert set(found) == {"recall", "false_places", "right", "points"}
    recipe.export(recipe.networks, tmp_path)
    loaded = FaceFinder.from_pretrained(tmp_path / "face-finder")
    size = (tmp_path / "face-finder" / "model.safetensors").stat().st_size
    assert size < 2e6
    crops = torch.rand(2, 3, CLOSE, CLOSE) * 2 - 1
    for one, other in zip(loaded.closer(crops), network.closer(crops), strict=True):
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2)


def test_faces_are_kept_and_made_again_when_damaged(monkeypatch, tmp_path) -> None:
    made = []

    def make(cls, count, **_):
        made.append(count)
        return known(count)

    monkeypatch.setattr(KnownFaces, "make", classmethod(make))
    monkeypatch.setattr(scenes_module, "made_with", lambda: {"weights": "1"})
    for count in (4, 3, 4):
        loaded = KnownFaces.load(count, tmp_path)
        assert len(loaded) == count
        assert torch.equal(loaded.images, known(count).images)
    assert made == [4]
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:500])
    KnownFaces.load(4, tmp_path)
    assert made == [4, 4]
    monkeypatch.setattr(scenes_module, "made_with", lambda: {"weights": "2"})
    KnownFaces.load(2, tmp_path)
    assert made == [4, 4, 2]


def test_without_teachers_nobody_knows_the_points(monkeypatch) -> None:
    monkeypatch.setattr(scenes_module, "teachers", lambda: None)
    with pytest.raises(InputError, match="SEMEDIT_TEACHERS is not set"):
        KnownFaces.make(1)
    assert teachers_module.MISSING


def test_sides_of_one_level_reach_to_the_next() -> None:
    assert SIDES[1] / SIDES[0] > 2  # the pyramid halves
