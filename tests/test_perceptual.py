"""The perceptual distance: what LPIPS' form promises, its weights, its fit and its judge."""

import importlib
import os
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semedit_lite import hub
from semedit_lite.errors import InputError
from semedit_lite.evaluation import perceptual as evaluation
from semedit_lite.evaluation.report import ROOT
from semedit_lite.faces.parse import face_parser
from semedit_lite.labels import FACE
from semedit_lite.models.perceptual import PerceptualDistance

NAME = "face-distance"
needs_weights = pytest.mark.skipif(
    not (hub.BUNDLED / NAME).is_dir(), reason=f"the weights {NAME} are not there"
)


def noise(height: int, width: int, count: int = 1) -> torch.Tensor:
    """Soft coloured noise (count, 3, height, width)."""
    coarse = torch.rand(count, 3, height // 8, width // 8) * 2 - 1
    return F.interpolate(coarse, (height, width), mode="bilinear")


@pytest.fixture(scope="module")
def distance() -> PerceptualDistance:
    """Every channel of the parser's encoder counts as much."""
    distance = PerceptualDistance().eval()
    distance.encoder.load_state_dict(face_parser().encoder.state_dict())
    return distance


def test_equal_pictures_have_no_distance_and_a_finite_gradient(distance):
    for picture in (noise(64, 96, 2), torch.zeros(2, 3, 64, 64)):
        one, two = picture.clone().requires_grad_(), picture.clone().requires_grad_()
        found = distance(one, two)
        assert found.tolist() == [0, 0]
        found.sum().backward()
        assert one.grad.isfinite().all()
        assert two.grad.isfinite().all()


def test_it_is_symmetric_and_the_same_in_any_batch(distance):
    a, b = noise(80, 64, 2), noise(80, 64, 2)
    found = distance(a, b)
    assert found.shape == (2,)
    assert (found > 0.01).all()
    torch.testing.assert_close(found, distance(b, a))
    torch.testing.assert_close(found[1:], distance(a[1:], b[1:]))
    assert torch.equal(found, distance(a, b))


def test_it_is_the_weighted_sum_of_squared_differences(distance):
    """LPIPS' equation 1, place by place."""
    a, b = noise(64, 64), noise(64, 64)
    expected = 0.0
    levels = zip(distance.levels(a), distance.levels(b), distance.weights, strict=True)
    for one, two, weight in levels:
        assert len(weight) == one.shape[1]
        total = 0.0
        for y in range(one.shape[2]):
            for x in range(one.shape[3]):
                p, q = F.normalize(one[0, :, y, x], dim=0), F.normalize(two[0, :, y, x], dim=0)
                total += (weight * (p - q) ** 2).sum().item()
        expected += total / one[0, 0].numel()
    assert distance(a, b).item() == pytest.approx(expected, rel=1e-3)
    sides = [x.shape[-1] for x in distance.levels(a)]
    assert sides == [32, 16, 8, 4, 4, 4, 4]


def test_gradient_leads_back(distance):
    """A few steps down the gradient bring a picture closer."""
    goal = noise(64, 64)
    picture = (goal + 0.3 * torch.randn_like(goal)).requires_grad_()
    first = distance(picture, goal).item()
    for _ in range(5):
        (slope,) = torch.autograd.grad(distance(picture, goal).sum(), picture)
        picture = (picture - 0.5 * slope / slope.norm()).detach().requires_grad_()
    assert distance(picture, goal).item() < 0.98 * first


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((1, 3, 64, 64), (1, 3, 64, 65)),
        ((1, 3, 64, 63), (1, 3, 64, 63)),
        ((1, 1, 64, 64), (1, 1, 64, 64)),
        ((3, 64, 64), (3, 64, 64)),
        ((2, 3, 64, 64), (1, 3, 64, 64)),
    ],
)
def test_what_cannot_be_compared_is_refused(distance, a, b):
    with pytest.raises(InputError, match="sides from 64 up"):
        distance(torch.zeros(a), torch.zeros(b))


@needs_weights
@torch.no_grad()
def test_the_bundled_weights():
    assert (hub.BUNDLED / NAME / "model.safetensors").stat().st_size <= 3_000_000
    distance = PerceptualDistance.from_pretrained(NAME)
    assert all((weight >= 0).all() for weight in distance.weights)
    face = face_picture()
    small = [F.interpolate(face, (128 // k,) * 2, mode="area") for k in (1, 2, 4, 8)]
    blurred = [F.interpolate(x, (128, 128), mode="bilinear") for x in small]
    found = distance(face.expand(4, -1, -1, -1), torch.cat(blurred))
    assert found[0] == 0
    assert (found.diff() > 0.02).all()  # the more it is blurred
    grain = face + torch.tensor([0.05, 0.1, 0.2]).view(3, 1, 1, 1) * torch.randn(3, 3, 128, 128)
    assert (distance(face.expand(3, -1, -1, -1), grain).diff() > 0.02).all()


def face_picture() -> torch.Tensor:
    from semedit_lite.data.faces import face_generator

    return face_generator().sample([1_000_003], 128)[0].clamp(-1, 1)


# How its weights are found and judged -----------------------------------------------------------


@pytest.fixture(scope="module")
def fit_distance():
    sys.path.insert(0, str(ROOT / "scripts"))
    return importlib.import_module("fit_distance")


def test_the_fit_finds_weights_that_are_not_negative(fit_distance):
    rng = np.random.default_rng(0)
    found = rng.random((300, 20)) * rng.random(20)
    true = rng.random(20)
    true[::3] = 0
    weights = fit_distance.fit(found, found @ true, ridge=1e-8)
    np.testing.assert_allclose(weights, true, atol=0.02)
    opposed = fit_distance.fit(found, np.abs(found @ (true - 0.3)) + 0.01)
    assert (opposed >= 0).all()


def test_the_fit_counts_small_distances_as_much_as_large_ones(fit_distance):
    found = np.array([[1.0, 0], [0, 0.01], [1, 0.01]] * 10)
    weights = fit_distance.fit(found, found @ np.array([2.0, 3.0]), ridge=1e-8)
    np.testing.assert_allclose(weights, [2, 3], rtol=1e-2)


def test_edits_of_layouts():
    layout = torch.full((1, 64, 64), FACE.id("skin"))
    layout[:, :10], layout[:, 30:34, 20:40] = FACE.id("hair"), FACE.id("l_eye")
    layout[:, 40:44, 20:40], layout[:, 44:48, 20:40] = FACE.id("u_lip"), FACE.id("l_lip")
    taller = evaluation.mouth(layout, 2.0)
    lips = (taller == FACE.id("u_lip")).sum(), (layout == FACE.id("u_lip")).sum()
    assert lips[0] == pytest.approx(2 * lips[1].item(), abs=20)
    flatter = evaluation.mouth(layout, 0.5)
    assert (flatter == FACE.id("l_lip")).sum() < (layout == FACE.id("l_lip")).sum()
    assert (flatter[layout != flatter] == FACE.id("skin")).any()
    none = torch.full_like(layout, FACE.id("skin"))
    assert torch.equal(evaluation.mouth(none, 2.0), none)


def test_pairs_are_of_every_kind_and_always_the_same():
    if not (hub.BUNDLED / "spade-faces-128").is_dir():
        pytest.skip("the weights spade-faces-128 are not there")
    found = list(evaluation.pairs(3))
    again = list(evaluation.pairs(3))
    kinds = [kind for kind, _, _ in found]
    assert set(kinds) == {"latent", "repaint", "colour", "blur", "noise", "jpeg", "shift"}
    assert len(found) == 10
    for (_, before, after), (_, _, same) in zip(found, again, strict=True):
        assert before.shape == after.shape == (1, 3, 64, 64)
        assert torch.equal(after, same)
        assert not torch.equal(before, after)
        assert (after - before).abs().mean() < 0.5
        assert after.abs().max() <= 1


def test_agreement_is_counted_over_all_and_by_kind(monkeypatch):
    """A distance that is LPIPS squared: the ranks agree, the values do not."""

    def pairs(seed):
        size = evaluation.SIZES[seed % 3]
        for kind in ("blur", "noise"):
            yield kind, torch.zeros(1, 3, size, size), torch.rand(1, 3, size, size)

    monkeypatch.setattr(evaluation, "pairs", pairs)
    monkeypatch.setattr(evaluation, "lpips", lambda: lambda a, b: b.mean((1, 2, 3)) - 0.4)
    found = evaluation.score_distance(lambda a, b: (b.mean((1, 2, 3)) - 0.4) ** 4, 12)
    agreement = found["lpips_agreement"]
    assert agreement["faces"] == 12
    assert agreement["all"]["pairs"] == 24
    assert agreement["blur"]["pairs"] == agreement["noise"]["pairs"] == 12
    assert agreement["all"]["spearman"] == pytest.approx(1)
    assert agreement["all"]["pearson"] < 0.9999
    assert set(agreement) >= {"64²", "128²", "256²"}


@pytest.mark.skipif(not os.environ.get("SEMEDIT_TEACHERS"), reason="SEMEDIT_TEACHERS is not set")
@needs_weights
@torch.no_grad()
def test_it_follows_lpips():
    from semedit_lite.training.teachers import lpips

    teacher, distance = lpips(), PerceptualDistance.from_pretrained(NAME)
    found = list(evaluation.pairs(evaluation.FIRST))
    theirs = np.array([teacher(a, b).item() for _, a, b in found])
    ours = np.array([distance(a, b).item() for _, a, b in found])
    assert evaluation.spearman(theirs, ours) > 0.85
