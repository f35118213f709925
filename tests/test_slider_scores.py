"""What `semedit eval sliders-ffhq` writes, of faces whose measures are known."""

import pytest
import torch

from semedit_lite.editing.latent import FREE
from semedit_lite.editing.library import LIBRARY, face
from semedit_lite.errors import InputError
from semedit_lite.evaluation import report
from semedit_lite.evaluation import sliders as module
from semedit_lite.evaluation.processes import spread
from semedit_lite.evaluation.run import evaluate
from semedit_lite.evaluation.sliders import (
    BEFORE,
    FIRST,
    MEASURES,
    REPAINT,
    WAYS,
    gathered,
    linear,
    look,
    summarised,
)
from semedit_lite.teachers import MISSING, teachers

SLIDER = next(iter(WAYS))


def seen(happy: float, width: float = 1.0) -> dict[str, float]:
    return {"happy": happy, "smile": width}


def of(happy: float, width: float, identity: float) -> dict:
    rng = torch.Generator().manual_seed(round(1000 * happy))
    features = torch.randn(4, generator=rng).tolist()
    return {"seen": seen(happy, width), "identity": identity, "features": features}


FACES = [
    {BEFORE: of(0.1, 1.0, 1.0), **{way: of(0.9, 1.3, 0.8) for way in WAYS}, REPAINT: of(0, 1, 0.5)},
    {BEFORE: of(0.3, 0.8, 1.0), **{way: of(0.4, 0.9, 0.6) for way in WAYS}},
    {BEFORE: of(0.2, 0.9, 1.0), **{way: of(0.7, 1.1, 0.7) for way in WAYS}, REPAINT: of(1, 2, 0.4)},
]


def test_smiles_are_counted_by_way():
    found = summarised(FACES, torch.randn(5, 4))
    assert found["reference"] == 5
    ways = found["ways"]
    assert list(ways) == [BEFORE, *WAYS, REPAINT]
    assert ways[BEFORE]["smiling"] == 0
    slider = ways[SLIDER]
    assert slider["faces"] == 3
    assert slider["smiling"] == pytest.approx(2 / 3)
    assert slider["wider"] == pytest.approx((0.3 + 0.1 + 0.2) / 3)
    assert slider["identity"] == pytest.approx(0.7)
    assert ways[REPAINT]["faces"] == 2  # in the second face the parser saw no mouth
    assert ways[REPAINT]["wider"] == pytest.approx((0 + 1.1) / 2)


def test_a_face_that_is_no_longer_found_counts_for_identity_alone():
    lost = {**FACES[0], SLIDER: {**FACES[0][SLIDER], "seen": None, "identity": 0.1}}
    slider = summarised([lost, *FACES[1:]], torch.randn(5, 4))["ways"][SLIDER]
    assert slider["faces"] == 3
    assert slider["smiling"] == pytest.approx(1 / 2)
    assert slider["identity"] == pytest.approx((0.1 + 0.6 + 0.7) / 3)


def test_what_a_slider_changes():
    faces = [
        {"before": (seen(0), 1.0), "low": (seen(0, 0.7), 0.9), "half": (seen(0, 1.1), 0.8)}
        | {"high": (seen(0, 1.4), 0.5)},
        {"before": (seen(0), 1.0), "low": (seen(0, 1.2), 0.7), "half": (seen(0, 1.1), 0.6)}
        | {"high": (None, 0.1)},
    ]
    found = gathered("smile", faces)
    assert found["change"] == pytest.approx({"low": -0.05, "half": 0.1, "high": 0.4})
    assert found["rises"] == 1
    assert found["falls"] == 0.5
    assert found["identity"] == pytest.approx({"low": 0.8, "half": 0.7, "high": 0.3})
    assert found["lost"] == 1


def test_the_card_shows_what_was_found():
    faces = [
        {stand: (seen(0, width), width) for stand, width in
         (("before", 1.0), ("low", 0.5), ("half", 1.25), ("high", 1.5))}
    ]  # fmt: skip
    scores = {
        "smile": {"generated faces": summarised(FACES, torch.randn(5, 4))},
        "moved": {"smile": gathered("smile", faces)},
    }
    text = report.scores_table(scores)
    assert "| slider at 1 | 3 | 66.7 |" in text
    assert "`smile`: width of the mouth | 1.000 | -0.500 | 0.250 | 0.500 | 100.0 | 100.0 |" in text
    line = report.summary({"sliders-ffhq": scores})
    assert "of 3 unseen faces 0% smile before and 67% after" in line


def test_every_slider_has_a_measure():
    assert set(MEASURES) == set(LIBRARY)
    labelled = {edit for slider in LIBRARY.values() for edit in slider.seeds}
    assert all(seed < FIRST for seed in labelled)


def test_without_judges_there_is_no_score(monkeypatch):
    monkeypatch.setattr(module, "teachers", lambda: None)
    with pytest.raises(InputError, match=MISSING):
        evaluate("sliders-ffhq", write=False)


def test_the_linear_direction_is_as_long_as_the_slider():
    vector, smile = linear(), module.editors()[0].vectors["smile"]
    assert vector.delta.norm() == pytest.approx(smile.delta.norm().item())
    kept = [row for row in range(len(vector.delta)) if row not in FREE]
    assert vector.delta[kept].abs().max() == 0
    # the widest mouths of the labels are smiles, and so is what it makes of a face
    assert torch.cosine_similarity(vector.delta.flatten(), smile.delta.flatten(), 0) > 0.03


def test_work_is_spread_over_processes_and_kept(tmp_path):
    assert spread(abs, [-1, 2, -3]) == [1, 2, 3]
    assert spread(abs, [-1, 2], tmp_path) == [1, 2]
    (tmp_path / "abs-2.json").write_text("5")
    assert spread(abs, [-1, 2, -3], tmp_path) == [1, 5, 3]  # what was known, and the new one


def test_the_judges_see_what_was_changed():
    if teachers() is None:
        pytest.skip(f"{MISSING}: its networks are the judges")
    space = module.editors()[0].space
    rows = face(space, FIRST)  # smiles
    shown = space.generator.synthesis(rows, 256).clamp(-1, 1)
    found = look(shown)
    assert found["happy"] > 0.9
    assert found["glasses"] == 0
    mirrored = look(shown.flip(3))
    assert mirrored["gaze"] == pytest.approx(-found["gaze"], abs=0.1)
    for name in ("smile", "mouth-open", "brows-up", "jaw", "nose", "hair-volume"):
        assert mirrored[name] == pytest.approx(found[name], rel=0.1, abs=0.05), name
    assert look(torch.zeros(1, 3, 256, 256)) is None
