"""What `semedit eval face-branch` writes, on toy branches whose errors are known."""

import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from semedit_lite.evaluation import branch as module
from semedit_lite.evaluation import report
from semedit_lite.evaluation.branch import iris_misses, score_branch, worth
from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.teachers import MISSING

SIZE, KNOWN = 16, list(range(16))
SKIN, HAIR, IRIS = (FACE_FINE.id(part) for part in ("skin", "hair", "iris"))


def truth(seed: int) -> torch.Tensor:
    """Skin, and as much hair as the seed says, (1, SIZE, SIZE)."""
    layout = torch.full((1, SIZE, SIZE), SKIN)
    layout[:, : seed % SIZE] = HAIR
    layout[:, SIZE - 1, :2] = IRIS
    return layout


class Toy(nn.Module):
    """Sees the truth, but for `blind` columns, where only some of its members call it a hat."""

    def __init__(self, blind: int, members: int, wrong: int) -> None:
        super().__init__()
        self.blind, self.wrong = blind, wrong
        self.members = nn.ModuleList(nn.Linear(1, 1) for _ in range(members))

    def forward(self, maps: list[torch.Tensor], size: int | None = None) -> torch.Tensor:
        right = FACE_FINE.one_hot(maps[0])
        hat = FACE_FINE.one_hot(torch.full_like(maps[0], FACE.id("hat")))
        wrong = torch.cat([hat[..., : self.blind], right[..., self.blind :]], -1)
        count = len(self.members)
        logits = 9 * torch.stack([wrong] * self.wrong + [right] * (count - self.wrong))
        logits[:, :, SKIN] += 1  # what it would say if it did not know irises
        return logits


def as_parsers_do(seed: int) -> torch.Tensor:
    """The same, where irises are skin."""
    return truth(seed).where(truth(seed) != IRIS, SKIN)


@pytest.fixture
def learned(monkeypatch) -> list[tuple[list[int], int, int]]:
    """Of n faces a branch learns all but 16 - n columns; of ten members the first three are blind
    in half of the picture. What was learned is noted: seeds, members, seed."""
    notes = []

    def learn(seeds, device, members=5, seed=0):
        assert torch.is_grad_enabled()  # or nothing would be learned
        notes.append((list(seeds), members, seed))
        if members == 10:
            return Toy(blind=8, members=10, wrong=3)
        return Toy(blind=16 - len(seeds), members=5, wrong=5)

    def labelled(seeds, kind="corrected"):
        (seed,) = seeds
        return as_parsers_do(seed) if kind == "raw" else truth(seed)

    def painted(seed, device):
        return torch.full((1, 3, SIZE, SIZE), float(seed)), [truth(seed)]

    monkeypatch.setattr(module, "learn", learn)
    monkeypatch.setattr(module, "labelled_seeds", lambda: KNOWN)
    monkeypatch.setattr(module, "labelled", labelled)
    monkeypatch.setattr(module, "painted", painted)
    monkeypatch.setattr(module, "parse", lambda image: as_parsers_do(int(image[0, 0, 0, 0])))
    return notes


def test_scores(learned, monkeypatch) -> None:
    monkeypatch.setattr(module, "teachers", lambda: None)
    result = score_branch(Toy(blind=0, members=5, wrong=0), 2)
    assert result["seeds"] == 2
    assert result["unseen"]["own_parser"]["accuracy"] == 1  # irises count as what is next
    few = {
        n: [run["own_parser"]["accuracy"] for run in runs] for n, runs in result["labelled"].items()
    }
    assert few == {str(n): [n / 16] * 3 for n in (1, 2, 4, 8, 16)}
    members = {name: run["own_parser"]["accuracy"] for name, run in result["members"].items()}
    assert members.pop("10") == pytest.approx(1, abs=0.01)  # skin below the iris outvotes no one
    assert members == {"1": 0.5, "3": 0.5, "5": 0.5, "majority": 1.0}
    assert set(result["doubt"]) == {"3", "5", "10"}
    assert result["doubt"]["5"]["pixels"] == pytest.approx(1)  # where two object, three err
    assert result["left_out"] == {"what": ["judge"], "why": MISSING}
    json.dumps(result, allow_nan=False)
    assert "judge" not in report.scores_table(result)


def test_faces_are_chosen_anew_and_left_out_once(learned, monkeypatch) -> None:
    monkeypatch.setattr(module, "teachers", lambda: None)
    result = score_branch(Toy(blind=0, members=5, wrong=0), 2)
    fours = [seeds for seeds, _, _ in learned if len(seeds) == 4]
    assert len({tuple(seeds) for seeds in fours}) == 3
    folds = [seeds for seeds, members, _ in learned if len(seeds) == 12]
    assert sorted(seed for seeds in folds for seed in set(KNOWN) - set(seeds)) == KNOWN
    left_out = result["left_out_faces"]
    assert left_out["faces"] == 16
    assert left_out["branch"]["accuracy"] == 0.75
    assert left_out["branch"]["iou"]["iris"] == 0
    plain = left_out["by_parser_classes"]
    assert plain["parser"]["accuracy"] == 1
    assert plain["branch"]["accuracy"] == 0.75


def test_judge(learned, monkeypatch) -> None:
    """A judge who sees no hair, and irises where the branch has them, but one pixel lower."""

    def iris(image, points):
        rim = torch.tensor([[0.0, 0], [0, -1], [1, 0], [0, 1], [-1, 0]])
        return torch.stack([rim + torch.tensor(at) for at in ((1.0, SIZE + 0.5), (99.0, 0.0))])

    judge = SimpleNamespace(
        parse=lambda image: torch.full((1, SIZE, SIZE), SKIN),
        detect=lambda image: [["a face"]],
        mesh=lambda image, face: None,
        iris=iris,
    )
    monkeypatch.setattr(module, "teachers", lambda: judge)
    result = score_branch(Toy(blind=0, members=5, wrong=0), 2)
    seen = [truth(module.FIRST + k) for k in range(2)]
    skin = 1 - sum((layout == HAIR).float().mean().item() for layout in seen) / 2
    assert result["unseen"]["judge"]["accuracy"] == pytest.approx(skin)
    assert result["parser"]["accuracy"] == pytest.approx(skin)
    assert result["irises"] == {"eyes": 4, "found": 0.5, "median": pytest.approx(0.5)}
    text = report.scores_table(result)
    assert "| our parser | – | – |" in text
    assert "of 4 eyes, 50.0 % have one, whose middle is off that of MediaPipe's by 0.500" in text
    lines = report.summary({"face-branch": result})
    assert "by an independent judge, from 16 labelled faces; our parser's:" in lines


def test_irises_without_a_face_count_for_nothing() -> None:
    judge = SimpleNamespace(detect=lambda image: [[]])
    assert iris_misses(torch.ones(4, 4) > 0, torch.zeros(1, 3, 4, 4), judge) == []


def test_doubt_that_is_worth_something() -> None:
    doubt = torch.arange(400.0).view(4, 10, 10)
    error = (doubt >= 380).float()
    found = worth(doubt, error)
    assert found["error"] == pytest.approx(0.05)
    assert found["error_without_pixels"] == 0
    assert found["error_without_pictures"] == 0  # three of four are left
    assert 0.3 < found["pixels"] < 0.5
    assert found["pictures"] > 0.7
    assert worth(-doubt, error)["error_without_pixels"] > 0.05
    assert worth(torch.zeros_like(doubt), error)["pixels"] is None
