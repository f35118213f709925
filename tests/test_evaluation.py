"""Scores and distances against what is known of them."""

import numpy as np
import pytest
import torch

from semedit_lite.evaluation.frechet import frechet_distance, kernel_distance
from semedit_lite.evaluation.parsing import COARSE, merge, sides
from semedit_lite.labels import FACE, IGNORE, LabelSet
from semedit_lite.metrics import confusion, scores

THREE = LabelSet("three", ("a", "b", "c"), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))


def test_confusion_and_scores_by_hand() -> None:
    true = torch.tensor([[0, 0, 1, 1, IGNORE]])
    found = torch.tensor([[0, 1, 1, 1, 0]])
    counts = confusion(found, true, 3)
    assert counts.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    result = scores(counts, THREE)
    assert result["accuracy"] == pytest.approx(3 / 4)
    assert result["iou"] == {"a": pytest.approx(1 / 2), "b": pytest.approx(2 / 3), "c": None}
    assert result["miou"] == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_scores_where_nothing_counts() -> None:
    result = scores(confusion(torch.zeros(2, 2), torch.full((2, 2), IGNORE), 3), THREE)
    assert result == {"accuracy": None, "miou": None, "iou": dict.fromkeys("abc")}


def test_frechet_distance_is_that_of_the_formula() -> None:
    from scipy.linalg import sqrtm

    rng = torch.Generator().manual_seed(0)
    mix = torch.randn(6, 6, generator=rng)
    a = torch.randn(200, 6, generator=rng) @ mix
    b = torch.randn(150, 6, generator=rng) * 1.5 + 0.3
    ca, cb = np.cov(a.double().numpy().T), np.cov(b.double().numpy().T)
    apart = ((a.double().mean(0) - b.double().mean(0)) ** 2).sum().item()
    expected = apart + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_kernel_distance_tells_sets_apart() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 400, 8, generator=rng)
    same, _ = kernel_distance(a, b, size=200)
    other, _ = kernel_distance(a, b + 1, size=200)
    assert abs(same) < 0.05
    assert other > 0.5


def test_merged_classes() -> None:
    layout = torch.arange(len(FACE))[None, None]
    merged = merge(layout)[0, 0]
    names = {FACE.classes[i]: COARSE.classes[c] for i, c in enumerate(merged.tolist())}
    assert names["l_brow"] == "hair"
    assert names["neck"] == names["r_ear"] == "skin"
    assert names["u_lip"] == "mouth"
    assert names["cloth"] == "background"


def test_sides() -> None:
    left, right = FACE.id("l_eye"), FACE.id("r_eye")
    truth = torch.tensor([[[right, right, left, left]]])  # as one faces the camera
    found = torch.tensor([[[right, right, left, 1]]])
    assert sides(found, truth) == {
        "left_right": 1.0,
        "exchanged_in_labels": 0,
        "exchanged_by_parser": 0,
    }
    found = torch.tensor([[[left, left, left, right]]])
    assert sides(found, truth) == {
        "left_right": 0.25,
        "exchanged_in_labels": 0,
        "exchanged_by_parser": 1,
    }
    assert sides(truth, truth.flip(-1))["exchanged_in_labels"] == 1
