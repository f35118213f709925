"""The face embedding: the crop it sees, what is asked of its vectors, its judge and its recipe."""

import os

import pytest
import torch
import torch.nn.functional as F

from semedit_lite import hub
from semedit_lite import teachers as judges
from semedit_lite.data.faces import face_generator
from semedit_lite.errors import InputError
from semedit_lite.evaluation import identity as evaluation
from semedit_lite.faces.detect import Face
from semedit_lite.faces.identity import NAME, SIDE, TEMPLATE, crops, embed, similarity
from semedit_lite.models.identity import FaceIdentity
from semedit_lite.training import recipes, teachers
from semedit_lite.training.recipes import identity as recipe_module
from semedit_lite.training.recipes.identity import EACH, MARGIN, bend, blend, family, middle

needs_teachers = pytest.mark.skipif(
    not os.environ.get("SEMEDIT_TEACHERS"), reason="SEMEDIT_TEACHERS is not set"
)
needs_weights = pytest.mark.skipif(
    not (hub.BUNDLED / NAME).is_dir(), reason=f"the weights {NAME} are not there"
)


def turned(degrees: float, scale: float, shift: tuple[float, float]) -> torch.Tensor:
    """The template's landmarks (1, 5, 2) in a photo, turned, enlarged and moved."""
    points = torch.view_as_complex(SIDE * TEMPLATE)
    factor = torch.polar(torch.tensor(float(scale)), torch.tensor(float(degrees)).deg2rad())
    return torch.view_as_real(factor * points + complex(*shift))[None]


TOY = {"size": 16, "widths": (8, 8, 8), "blocks": (1, 1, 1), "features": 32}


@pytest.fixture
def toy() -> FaceIdentity:
    """Untrained, but without constants that would hide the pictures."""
    toy = FaceIdentity(**TOY).eval()
    for layer in (toy.places, toy.out):
        torch.nn.init.zeros_(layer.bias)
    return toy


def noise(height: int, width: int, count: int = 1) -> torch.Tensor:
    """Soft coloured noise (count, 3, height, width)."""
    coarse = torch.rand(count, 3, height // 8, width // 8) * 2 - 1
    return F.interpolate(coarse, (height, width), mode="bilinear")


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"), [(0, 1, (0, 0)), (20, 1.5, (60, 20)), (-35, 3.7, (30, 330))]
)
def test_landmarks_come_to_lie_where_the_template_has_them(degrees, scale, shift):
    landmarks = turned(degrees, scale, shift)
    photo = torch.full((1, 3, 700, 640), -1.0)
    y, x = torch.meshgrid(torch.arange(700) + 0.5, torch.arange(640) + 0.5, indexing="ij")
    for px, py in landmarks[0]:
        photo += 2 * torch.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * (2 * scale) ** 2))
    crop = crops(photo, landmarks)[0, 0] + 1  # (SIDE, SIDE), five spots
    for px, py in SIDE * TEMPLATE:
        column, row = int(px), int(py)
        part = crop[row - 6 : row + 7, column - 6 : column + 7]
        v, u = torch.meshgrid(torch.arange(13) - 5.5, torch.arange(13) - 5.5, indexing="ij")
        found = torch.stack([(part * u).sum(), (part * v).sum()]) / part.sum()
        expected = torch.tensor([px - column, py - row])
        assert (found - expected).abs().max() < 0.3


def test_what_lies_far_from_the_face_changes_nothing():
    photo = noise(200, 180)
    landmarks = turned(10, 1.2, (40, 10))
    crop = crops(photo, landmarks)
    wide = F.pad(photo, (300, 200, 100, 50), mode="replicate")
    moved = crops(wide, landmarks + torch.tensor([300.0, 100.0]))
    torch.testing.assert_close(crop, moved, atol=1e-4, rtol=0)
    assert crops(photo, landmarks, 16).shape[-1] == SIDE + 32
    inner = crops(photo, landmarks, 16)[..., 16:-16, 16:-16]
    torch.testing.assert_close(inner, crop, atol=0.05, rtol=0)


def test_vectors_are_of_length_one_and_always_the_same(toy):
    images = noise(150, 140, 2)
    landmarks = torch.cat([turned(5, 1, (10, 15)), turned(-5, 1.1, (0, 9))])
    found = embed(images, landmarks, toy)
    assert found.shape == (2, 16)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    assert torch.equal(found, embed(images, landmarks, toy))
    alone = embed(images[1:], landmarks[1:], toy)
    torch.testing.assert_close(alone, found[1:], atol=1e-5, rtol=0)
    assert similarity(found[:1], found[1:]).item() < 0.99
    one_way = embed(images, landmarks, toy, mirrored=False)
    assert not torch.allclose(one_way, found, atol=1e-2)


def test_an_upright_face_and_its_mirror_image_are_one(toy):
    image = noise(SIDE, SIDE)
    landmarks = turned(0, 1, (0, 0))
    mirrored = landmarks.clone()
    mirrored[..., 0] = SIDE - mirrored[..., 0]
    mirrored = mirrored[:, [1, 0, 2, 4, 3]]
    both = embed(image, landmarks, toy), embed(image.flip(-1), mirrored, toy)
    # but for the template, which is not quite symmetric
    assert similarity(*both).item() > 0.98
    assert similarity(both[0], embed(noise(SIDE, SIDE), landmarks, toy)).item() < 0.95


def test_gradient_reaches_the_face_and_nothing_else(toy):
    image = (torch.rand(1, 3, 300, 300) * 2 - 1).requires_grad_()
    embed(image, turned(0, 1, (100, 100)), toy).square().mul(torch.arange(16.0)).sum().backward()
    assert image.grad.isfinite().all()
    assert (image.grad[..., 130:190, 130:190].abs().sum(1) > 0).float().mean() > 0.9
    outside = image.grad.clone()
    outside[..., 95:217, 95:217] = 0
    assert not outside.any()


def test_a_face_is_seen_on_the_device_where_it_is(toy):
    """The landmarks may be elsewhere, as those of a finder are. No GPU is needed to notice."""
    vectors = embed(
        torch.zeros(1, 3, 300, 280, device="meta"), turned(0, 1.2, (40, 50)), toy.to("meta")
    )
    assert vectors.device.type == "meta"
    assert vectors.shape == (1, 16)


@pytest.mark.parametrize(
    ("images", "landmarks", "says"),
    [
        (torch.zeros(3, 64, 64), torch.zeros(1, 5, 2), r"pictures \(B, 3, H, W\)"),
        (torch.zeros(1, 1, 64, 64), torch.zeros(1, 5, 2), r"pictures \(B, 3, H, W\)"),
        (torch.zeros(1, 3, 64, 64), torch.zeros(2, 5, 2), r"1 pictures need landmarks"),
        (torch.zeros(1, 3, 64, 64), torch.zeros(1, 68, 2), r"need landmarks \(1, 5, 2\)"),
        (torch.zeros(1, 3, 64, 64), torch.zeros(1, 5, 2), r"lie apart"),
        (torch.zeros(1, 3, 64, 64), torch.full((1, 5, 2), torch.nan), r"must be numbers"),
    ],
)
def test_other_inputs_are_refused(toy, images, landmarks, says):
    with pytest.raises(InputError, match=says):
        embed(images, landmarks, toy)


def test_similarity():
    one, two = torch.tensor([[3.0, 0]]), torch.tensor([[2.0, 0], [0, 1], [-1, 0]])
    assert similarity(one, two).tolist() == pytest.approx([1, 0, -1])
    assert similarity(two, two).tolist() == pytest.approx([1, 1, 1])
    for a, b in ((one[0], one), (two, two[:2]), (one, one[:, :1])):
        with pytest.raises(InputError, match="can be compared"):
            similarity(a, b)


# The bundled weights ----------------------------------------------------------------------------

# The five points of some evaluation seeds at 256, as a teacher finds them.
FOUND = {
    1_000_000: [[97.1, 123.5], [158.7, 123.3], [133.4, 160.9], [102.8, 185.4], [156.5, 184.0]],
    1_000_003: [[94.8, 122.7], [158.7, 121.8], [131.3, 170.7], [94.2, 187.5], [161.8, 186.4]],
    1_000_004: [[99.2, 117.7], [158.7, 122.3], [103.9, 168.9], [104.2, 189.0], [158.5, 192.4]],
}


@needs_weights
def test_the_weights_are_small():
    assert (hub.BUNDLED / NAME / "model.safetensors").stat().st_size <= 3_000_000


@needs_weights
@torch.no_grad()
def test_a_person_stays_the_same_under_small_shifts_and_other_light():
    images, _ = face_generator().sample(list(FOUND), 256)
    landmarks = torch.tensor(list(FOUND.values()))
    first = embed(images.clamp(-1, 1), landmarks)
    apart = (first @ first.T)[~torch.eye(len(first), dtype=torch.bool)]
    eyes = (landmarks[:, 0] - landmarks[:, 1]).norm(dim=1).view(-1, 1, 1)
    shifted = embed(images, landmarks + 0.04 * eyes * torch.randn(landmarks.shape))
    dark = embed(((images + 1) / 2).clamp(0.01, 1) ** 1.5 * 2 - 1, landmarks)
    assert similarity(first, first).tolist() == pytest.approx([1] * len(first))
    for same in (shifted, dark):
        assert similarity(first, same).min() > 0.8
        assert similarity(first, same).min() > apart.max() + 0.1


# Its judge --------------------------------------------------------------------------------------


def test_verification_counts_pairs():
    who = torch.tensor([1, 1, 2, 2, 3])
    perfect = F.normalize(F.one_hot(who).float(), dim=1)
    found = evaluation.verification(perfect, who)
    assert (found["auc"], found["accuracy"], found["threshold"]) == (1, 1, 1)
    blind = evaluation.verification(torch.ones(5, 1), who)
    assert blind["auc"] == pytest.approx(0.5)
    assert blind["accuracy"] == pytest.approx(0.5)
    vectors = F.normalize(torch.randn(40, 6) + torch.eye(6)[torch.arange(40) % 5], dim=1)
    who = torch.arange(40) % 5
    found = evaluation.verification(vectors, who)
    cosine, same = vectors @ vectors.T, who[:, None] == who
    yes = cosine[same & torch.ones(40, 40).triu(1).bool()]
    no = cosine[~same & torch.ones(40, 40).triu(1).bool()]
    auc = (yes[:, None] > no).float().mean().item()
    assert found["auc"] == pytest.approx(auc, abs=1e-5)
    rates = [((yes >= t).float().mean() + (no < t).float().mean()).item() / 2 for t in yes]
    assert found["accuracy"] == pytest.approx(max(rates), abs=1e-5)
    assert found["threshold"] == pytest.approx(yes[torch.tensor(rates).argmax()].item(), abs=1e-5)


@needs_teachers
@torch.no_grad()
def test_teachers_are_the_judges_own_networks():
    tools = judges.teachers()
    images = torch.rand(2, 3, 112, 112) * 2 - 1
    points = SIDE * TEMPLATE.expand(2, -1, -1)
    photo, landmarks = noise(240, 220), turned(15, 1.3, (50, 10)) + 4 * torch.randn(1, 5, 2)
    for name, width in teachers.WIDTHS.items():
        cut = (SIDE - width) // 2
        framed = teachers.MobileFaceNet(name)(crops(photo, landmarks)[..., cut : SIDE - cut])
        assert similarity(framed, tools.identity(photo, landmarks, name)).item() > 0.98
        ours = teachers.MobileFaceNet(name)(images[..., cut : SIDE - cut])
        torch.testing.assert_close(ours, tools.identity(images, points, name), atol=2e-3, rtol=0)
    torch.testing.assert_close(
        teachers.lpips()(images[:1], images[1:]), tools.lpips(images[:1], images[1:])
    )


def test_points_of_the_face_that_is_meant():
    wanted = turned(0, 1.0, (50, 10))
    other, same = wanted + 200, wanted + 3
    faces = [Face((0, 0, 1, 1), 1.0, tuple(map(tuple, five[0].tolist()))) for five in (other, same)]
    torch.testing.assert_close(evaluation.nearest(faces, wanted), same)
    assert evaluation.nearest(faces[:1], wanted) is None
    assert evaluation.nearest([], wanted) is None


def test_teachers_are_missed_in_a_sentence(monkeypatch):
    monkeypatch.delenv("SEMEDIT_TEACHERS", raising=False)
    with pytest.raises(InputError, match=r"SEMEDIT_TEACHERS .*mobilefacenet_a\.safetensors"):
        recipes.build("face-identity")


# Its recipe -------------------------------------------------------------------------------------


class Teacher:
    """Knows the colours of a face place by place, and of six places by heart."""

    def __init__(self, which, device):
        pass

    def explain(self, faces):
        sizes = zip((8, 8, 32), (28, 14, 7), strict=True)
        maps = [F.adaptive_avg_pool2d(faces, side).repeat(1, 11, 1, 1)[:, :c] for c, side in sizes]
        return maps, self(faces)

    def __call__(self, faces):
        return F.normalize(F.adaptive_avg_pool2d(faces, (3, 2)).flatten(1), dim=1)


@pytest.fixture
def recipe(monkeypatch):
    """On soft noise, taught by a toy."""

    def pool(count, seed, device, data):
        return ((noise(SIDE + 2 * MARGIN, SIDE + 2 * MARGIN, 12) + 1) * 127.5).byte()

    monkeypatch.setattr(recipe_module, "MobileFaceNet", Teacher)
    monkeypatch.setattr(recipe_module, "pool", pool)
    toy = TOY | {"size": 18}
    monkeypatch.setattr(recipe_module, "FaceIdentity", lambda: FaceIdentity(**toy))
    return recipe_module.IdentityRecipe(batch_size=4)


def test_a_batch_depends_on_its_step_alone(recipe):
    one, again, other = (recipe.batch(step) for step in (3, 3, 4))
    assert one["face"].shape == one["view"].shape == (4, 3, SIDE, SIDE)
    assert torch.equal(one["view"], again["view"])
    assert not torch.equal(one["face"], other["face"])


def test_a_view_is_its_face_at_times_in_another_light(recipe, monkeypatch):
    faces, views = ([recipe.batch(step)[key] for step in range(6)] for key in ("face", "view"))
    other = (torch.cat(views) - torch.cat(faces)).abs().flatten(1).amax(1) > 0
    assert 0 < other.sum() < len(other)
    for light in ("random_blur", "random_noise", "random_colour"):
        monkeypatch.setattr(recipe_module.warps, light, lambda x, *_: x)
    batch = recipe.batch(0)
    assert torch.equal(batch["view"], batch["face"])


def test_a_share_of_the_faces_is_in_another_light():
    faces, rng = noise(32, 32, 8), torch.Generator().manual_seed(0)
    assert torch.equal(recipe_module.shade(faces, rng, share=0.0), faces)
    shaded = recipe_module.shade(faces, rng, share=1.0)
    assert ((shaded - faces).abs().flatten(1).mean(1) > 0.02).all()
    assert shaded.abs().max() <= 1


def test_it_learns_a_batch_and_is_exported(recipe, tmp_path):
    network, optimiser = recipe.networks["identity"], recipe.optimisers["identity"]
    batch = recipe.batch(0)
    losses, rows = [], []
    for _ in range(15):
        loss, terms = recipe.losses["identity"](batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        rows.append(terms)
    assert losses[-1] < 0.8 * losses[0]
    assert set(terms) == {"cosine", "pairs", "stage1", "stage2", "stage3"}
    for stage in ("stage1", "stage2", "stage3"):
        assert rows[-1][stage] < rows[0][stage]
    assert rows[-1]["cosine"] > rows[0]["cosine"]
    network.eval()
    assert recipe.preview(recipe.networks).shape[1:] == (3, SIDE, SIDE)
    found = recipe.evaluate(recipe.networks)
    assert -1 <= found["cosine"] <= 1
    recipe.export(recipe.networks, tmp_path)
    loaded = FaceIdentity.from_pretrained(tmp_path / NAME)
    faces = middle(torch.rand(2, 3, 144, 144))
    torch.testing.assert_close(loaded(faces), network(faces), atol=2e-2, rtol=0)


def test_stages_that_are_led_start_from_what_the_teacher_saw(recipe):
    """With all led, what the first stage gives is of no account to the others."""
    batch = recipe.batch(0)
    assert batch["led"] == 2
    assert recipe.batch(recipe_module.LED)["led"] == 0
    network = recipe.networks["identity"].eval()
    found = {}
    with torch.no_grad():
        for stage in ("whole", "broken"):
            for led in (0, 4):
                found[stage, led] = recipe.loss(batch | {"led": torch.tensor(led)})[1]
            for weight in network.stages[0].parameters():
                weight.zero_()
    assert found["whole", 4]["stage3"] == found["broken", 4]["stage3"]
    assert found["whole", 0]["stage3"] != found["broken", 0]["stage3"]
    assert found["whole", 4]["stage1"] != found["broken", 4]["stage1"]


def test_maps_are_measured_by_how_much_they_vary():
    goal = torch.randn(8, 4, 7, 7) * torch.tensor([1.0, 2, 3, 4]).view(1, 4, 1, 1)
    assert recipe_module.relative(goal, goal) == 0
    blind = recipe_module.relative(goal.mean((0, 2, 3), keepdim=True).expand_as(goal), goal)
    assert 0.6 < blind.item() < 1
    # the scale of a goal plays no part
    torch.testing.assert_close(
        recipe_module.relative(0.5 * goal, goal), recipe_module.relative(5 * goal, 10 * goal)
    )


def test_blends_and_bends():
    rng = torch.Generator().manual_seed(1)
    first, second = torch.zeros(16, 3, 40, 40), torch.ones(16, 3, 40, 40)
    mixed = blend(first, second, rng)
    untouched = (mixed == 0).flatten(1).all(1)
    assert 0 < untouched.sum() < 16
    assert (mixed >= 0).all()
    assert (mixed <= 1).all()
    assert mixed[~untouched].flatten(1).std(1).min() > 0.05  # not the same share everywhere
    ramp = torch.linspace(-1, 1, 40).expand(16, 3, 40, 40)
    bent = bend(ramp, rng)
    moved = (bent - ramp).abs().flatten(1).amax(1)
    assert 0 < (moved > 1e-3).sum() < 16
    assert moved.max() < 0.4


def test_a_family_is_a_face_and_two_edits():
    rows = family(face_generator(), 5)
    assert rows.shape == (EACH, 16, 512)
    assert torch.equal(rows, family(face_generator(), 5))
    assert not torch.equal(rows[0], family(face_generator(), 6)[0])
    assert (rows[0] == rows[0, :1]).all()
    kept = (rows[2] == rows[0]).all(1)
    assert 0 < kept.sum() < 16
    away = (rows[1] - rows[0]).norm(dim=1)
    assert (away > 0.1).all()


def test_the_pool_is_kept_and_read_again(monkeypatch, tmp_path):
    asked = []

    def paint(seeds, device):
        asked.append(seeds)
        return torch.full((EACH * len(seeds), 3, 4, 4), seeds[0], dtype=torch.uint8)

    monkeypatch.setattr(recipe_module, "paint", paint)
    monkeypatch.setattr(recipe_module, "PART", 2)
    first = recipe_module.pool(7, 0, "cpu", tmp_path)
    assert asked == [[0, 1], [2, 3]]
    assert first[:, 0, 0, 0].tolist() == [0] * 6 + [2] * 6
    assert torch.equal(recipe_module.pool(7, 0, "cpu", tmp_path), first)
    assert len(asked) == 2
    (tmp_path / "identity-from-2.safetensors").write_bytes(b"cut off")
    assert torch.equal(recipe_module.pool(7, 0, "cpu", tmp_path), first)
    assert asked[2:] == [[2, 3]]
    monkeypatch.setattr(recipe_module, "digest", lambda path: "another generator")
    recipe_module.pool(1, 0, "cpu", tmp_path)
    assert asked[3:] == [[0, 1]]
