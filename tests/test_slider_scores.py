"""What `semedit eval sliders-ffhq` writes, of faces whose measures are known."""

import pytest
import torch

from semedit_lite.editing.latent import FREE
from semedit_lite.editing.library import LIBRARY
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
    chosen,
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
    found = summarised(FACES, torch.randn(5, 4), torch.randn(5, 4))
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


def test_the_frechet_distance_is_to_the_reference():
    reference = torch.tensor([face[SLIDER]["features"] for face in FACES])
    found = summarised(FACES, reference, reference + 10)
    assert found["ways"][SLIDER]["frechet"] == pytest.approx(0, abs=1e-3)
    assert found["ways"][BEFORE]["frechet"] > 0.1
    assert found["floor"] == pytest.approx(400, rel=1e-3)  # four features, each 10 off


def test_a_face_that_is_no_longer_found_does_not_smile():
    lost = {**FACES[0], SLIDER: {**FACES[0][SLIDER], "seen": None, "identity": 0.1}}
    found = summarised([lost, *FACES[1:]], torch.randn(5, 4), torch.randn(5, 4))
    slider = found["ways"][SLIDER]
    assert (slider["faces"], slider["lost"]) == (3, 1)
    assert slider["smiling"] == pytest.approx(1 / 3)
    assert slider["identity"] == pytest.approx((0.1 + 0.6 + 0.7) / 3)


def test_faces_are_chosen_from_the_whole_and_none_twice():
    smiles = {k: None if k == 3 else (k % 4) / 3.5 for k in range(100)}  # half of them smile
    taken, reference, floor = chosen(smiles, 10)
    assert len(taken) == len(reference) == len(floor) == 10
    assert all(smiles[k] < 0.5 for k in taken)
    assert any(smiles[k] < 0.5 for k in reference)
    assert any(smiles[k] >= 0.5 for k in reference)
    assert len({*taken, *reference, *floor}) == 30
    assert 3 not in {*taken, *reference, *floor}
    assert max(taken) > 70


def stands(low: float | None, half: float, high: float | None) -> dict:
    """One face: its measure, where None says that it is lost, and its identity, of as much."""
    found = {"before": (seen(0, 1.0), 1.0), "half": (seen(0, half), half)}
    found |= {} if low is None else {"low": (seen(0, low), low)}
    return found | {"high": (None if high is None else seen(0, high), high or 0.1)}


def test_what_a_slider_changes():
    found = gathered("smile", [stands(0.7, 1.1, 1.4), stands(1.2, 1.1, None)])
    assert found["change"] == pytest.approx({"half": 0.1, "low": -0.05, "high": 0.4})
    assert found["rises"] == 0.5  # who is lost has not risen
    assert found["falls"] == 0.5
    assert found["identity"] == pytest.approx({"half": 1.1, "low": 0.95, "high": 0.75})
    assert found["lost"] == 1


def test_a_slider_that_begins_at_0_does_not_fall():
    found = gathered("smile", [stands(None, 1.1, 1.4)])
    assert found["falls"] is None
    assert set(found["change"]) == set(found["identity"]) == {"half", "high"}


def test_the_card_shows_what_was_found():
    smile = summarised(FACES, torch.randn(5, 4), torch.randn(5, 4))
    scores = {
        "smile": {"generated faces": smile},
        "moved": {
            "smile": gathered("smile", [stands(0.5, 1.25, 1.5)]),
            "glasses": gathered("smile", [stands(None, 1.25, 1.5)]),
        },
        "nets": {"a judge": "of toys"},
        "left_out": {"photos": "There are none."},
    }
    text = report.scores_table(scores)
    assert "| slider at 1 | 3 | 66.7 |" in text
    assert f"| other faces, as they are | – | – | – | – | – | {smile['floor']:.3f} |" in text
    cells = "| 1.000 | -0.500 | 0.250 | 0.500 | 100.0 | 100.0 | 0.500 | 1.250 | 1.500 | 0 |"
    assert f"`smile`: width of the mouth {cells}" in text
    cells = "| 1.000 | – | 0.250 | 0.500 | – | 100.0 | – | 1.250 | 1.500 | 0 |"
    assert f"`glasses`: width of the mouth {cells}" in text
    assert text.endswith("- a judge: of toys.\n\nLeft out: photos (There are none.)")
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
    """Each slider raises its own measure in a face that no edit has seen."""
    if teachers() is None:
        pytest.skip(f"{MISSING}: its networks are the judges")
    found = module.all_moved(FIRST + 3)
    for name in MEASURES:
        (before, _), (after, same) = found[name]["before"], found[name]["high"]
        assert after[name] > before[name], name
        assert 0 < same < 1, name
    assert look(torch.zeros(1, 3, 256, 256)) is None


def test_the_ways_begin_from_the_same_picture():
    if teachers() is None:
        pytest.skip(f"{MISSING}: its networks are the judges")
    before = module.small(module.editors()[0].open(FIRST).image)
    assert torch.equal(before, module.plain(FIRST))
    painted = module.repainted(FIRST)
    assert painted["seen"] is not None
    assert 0.3 < painted["identity"] < 1
