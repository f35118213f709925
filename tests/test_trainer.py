"""The training loop: exact resume, atomic checkpoints, averages, limits."""

import errno
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from semedit_lite.errors import InputError
from semedit_lite.hub import write_beside
from semedit_lite.training import checkpoints, log
from semedit_lite.training.trainer import Average, save_grid, train


class ToyRecipe:
    """Two networks that pull at each other, with noise and batch statistics: hard to resume."""

    name = "toy"
    batch_size = 4
    settings = {"noise": 0.1}  # noqa: RUF012
    averaged = ("generator",)

    def __init__(self, width: int = 4) -> None:
        torch.manual_seed(7)
        generator = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.Dropout(0.3),
            nn.Conv2d(width, 3, 1),
        )
        critic = nn.Conv2d(3, 1, 3)
        self.networks = {"generator": generator, "critic": critic}
        self.optimisers = {
            "generator": torch.optim.Adam(generator.parameters(), 1e-2),
            "critic": torch.optim.SGD(critic.parameters(), 1e-2, momentum=0.9),
        }
        self.losses = {"generator": self.generator_loss, "critic": self.critic_loss}
        self.fail_at: int | None = None

    def rate(self, progress: float) -> float:
        return 1 - 0.5 * progress

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        rng = torch.Generator().manual_seed(step)
        return {"image": torch.rand(4, 3, 8, 8, generator=rng)}

    def generator_loss(self, batch):
        made = self.networks["generator"](batch["image"] + 0.1 * torch.randn(4, 3, 8, 8))
        loss = (made - batch["image"]).pow(2).mean() - 0.1 * self.networks["critic"](made).mean()
        return loss, {"loss": loss.item()}

    def critic_loss(self, batch):
        with torch.no_grad():
            made = self.networks["generator"](batch["image"])
        critic = self.networks["critic"]
        loss = (1 - critic(batch["image"])).relu().mean() + (1 + critic(made)).relu().mean()
        if self.fail_at is not None:
            loss = loss * float("nan")
        return loss, {"critic": loss.item()}

    def preview(self, networks):
        return torch.zeros(5, 3, 8, 8)

    def evaluate(self, networks):
        return {"norm": sum(p.norm().item() for p in networks["generator"].parameters())}

    def export(self, networks, folder: Path) -> None:
        (folder / "exported").mkdir(exist_ok=True)


def state(recipe: ToyRecipe) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value
        for name, network in recipe.networks.items()
        for key, value in network.state_dict().items()
    }


def test_resumed_run_equals_uninterrupted(tmp_path: Path) -> None:
    whole = ToyRecipe()
    average = train(whole, tmp_path / "whole", steps=8, show=False)
    # the first part must plan for eight steps too: learning rates depend on the whole
    parts = ToyRecipe()
    stop = StopAfter(parts, 3)
    with pytest.raises(KeyboardInterrupt):
        train(stop, tmp_path / "parts", steps=8, every=0.0, show=False)
    again = ToyRecipe()
    resumed = train(again, tmp_path / "parts", steps=8, resume=True, show=False)
    for key, value in state(whole).items():
        assert torch.equal(value, state(again)[key]), key
    for one, two in zip(
        average["generator"].parameters(), resumed["generator"].parameters(), strict=True
    ):
        assert torch.equal(one, two)


def test_resumed_log_equals_uninterrupted(tmp_path: Path) -> None:
    """Its rows are means over 50 steps: a stop in between must not lose the first ones."""
    train(ToyRecipe(), tmp_path / "whole", steps=53, every=1e9, show=False)
    with pytest.raises(KeyboardInterrupt):
        train(StopAfter(ToyRecipe(), 31), tmp_path / "parts", steps=53, every=0.0, show=False)
    train(ToyRecipe(), tmp_path / "parts", steps=53, every=1e9, resume=True, show=False)

    def rows(name: str) -> list[dict]:
        found = log.read(tmp_path / name / "log.jsonl")
        assert all(row.pop("seconds") >= 0 for row in found)
        early = [row for row in found if "eval_norm" in row and row["step"] < 53]
        return [row for row in found if row not in early]

    whole = rows("whole")
    assert [row["step"] for row in whole] == [0, 50, 53]
    assert {"loss", "critic"} < set(whole[1])
    assert rows("parts") == whole


def test_log_says_once_what_is_trained(tmp_path: Path) -> None:
    train(ToyRecipe(), tmp_path, steps=1, show=False)
    train(ToyRecipe(), tmp_path, steps=2, resume=True, show=False)
    other = ToyRecipe()
    other.settings = {"noise": 0.2}
    train(other, tmp_path, steps=3, resume=True, show=False)
    rows = log.read(tmp_path / "log.jsonl")
    assert [(row["step"], row["recipe"]["noise"]) for row in rows if "recipe" in row] == [
        (0, 0.1),
        (2, 0.2),
    ]
    assert "recipe" in rows[0]


def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    train(ToyRecipe(), tmp_path / "a", steps=1, show=False)
    before = (tmp_path / "a" / "state.safetensors").read_bytes()
    slim = tmp_path / "a" / "slim.safetensors"
    for start in (None, slim):
        with pytest.raises(InputError, match="holds a run; add --resume"):
            train(ToyRecipe(), tmp_path / "a", steps=1, start=start, show=False)
    assert (tmp_path / "a" / "state.safetensors").read_bytes() == before
    assert len(log.read(tmp_path / "a" / "log.jsonl")) == 2


def test_what_killed_writes_left_is_deleted(tmp_path: Path) -> None:
    kept = [tmp_path / ".notes-of-mine.json", tmp_path / "toy" / ".hidden"]
    left = []

    def killed(beside: Path) -> None:
        left.append(beside)
        raise KeyboardInterrupt

    files = ("state.safetensors", "slim.safetensors", "grid.jpg", "log.jsonl")
    for name in (*files, "toy/model.safetensors", "toy/config.json"):
        with pytest.raises(KeyboardInterrupt):
            write_beside(tmp_path / name, killed)
    for path in kept + left:
        path.write_bytes(b"half")
    train(ToyRecipe(), tmp_path, steps=1, show=False)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_limits_are_finite_and_positive(tmp_path: Path, limit: float) -> None:
    for limits in ({"minutes": limit}, {"steps": limit}, {"minutes": 1, "steps": limit}):
        with pytest.raises(ValueError, match="finite and above 0"):
            train(ToyRecipe(), tmp_path, show=False, **limits)


def test_progress_bar(tmp_path: Path, capsys) -> None:
    train(ToyRecipe(), tmp_path, steps=2, show=False)
    assert capsys.readouterr().err == ""
    train(ToyRecipe(), tmp_path, steps=5, resume=True, show=True)
    last = capsys.readouterr().err.splitlines()[-1].split("\r")[-1]
    assert "3/3" in last  # of this session
    assert "step 5 loss" in last
    train(ToyRecipe(), tmp_path / "timed", minutes=0.01, show=True)
    assert "1/1" in capsys.readouterr().err.splitlines()[-1]


class StopAfter:
    """A recipe that is interrupted (as by Ctrl-C) when the batch of `step` is asked for."""

    def __init__(self, recipe: ToyRecipe, step: int) -> None:
        self._recipe, self._step = recipe, step

    def __getattr__(self, name: str):
        return getattr(self._recipe, name)

    def batch(self, step: int):
        if step == self._step:
            raise KeyboardInterrupt
        return self._recipe.batch(step)


def test_killed_process_resumes(tmp_path: Path) -> None:
    """SIGKILL while checkpoints are written all the time."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from test_trainer import ToyRecipe; from semedit_lite.training.trainer import train;"
        "train(ToyRecipe(), sys.argv[2], steps=10**6, every=0.0, show=False)"
    )
    folder = tmp_path / "run"
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(folder)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    deadline = time.monotonic() + 120
    while len(log.read(folder / "log.jsonl")) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    progress = checkpoints.load(folder / "state.safetensors", *parts_of(ToyRecipe()))
    assert progress["step"] >= 10
    train(ToyRecipe(), folder, steps=progress["step"] + 2, resume=True, show=False)
    steps = [row["step"] for row in log.read(folder / "log.jsonl")]
    assert steps == sorted(steps)
    assert steps[-1] == progress["step"] + 2


def parts_of(recipe: ToyRecipe):
    average = Average(recipe.networks, recipe.averaged, 0.9)
    return recipe.networks, average.networks, recipe.optimisers


def test_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch) -> None:
    train(ToyRecipe(), tmp_path, steps=2, show=False)
    before = (tmp_path / "state.safetensors").read_bytes()

    def full(tensors, file, metadata) -> None:
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        train(ToyRecipe(), tmp_path, steps=4, resume=True, show=False)
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_slim_file_starts_another_run(tmp_path: Path) -> None:
    train(ToyRecipe(), tmp_path / "a", steps=3, show=False)
    slim = tmp_path / "a" / "slim.safetensors"
    assert slim.stat().st_size < (tmp_path / "a" / "state.safetensors").stat().st_size
    before = log.read(tmp_path / "a" / "log.jsonl")[-1]["eval_norm"]
    train(ToyRecipe(), tmp_path / "b", steps=1, start=slim, show=False)
    row = log.read(tmp_path / "b" / "log.jsonl")[-1]
    assert row["step"] == 1  # a leg of its own, which begins near where the other ended
    assert row["eval_norm"] == pytest.approx(before, rel=0.05)


def test_averages_go_on_in_another_leg(tmp_path: Path, monkeypatch) -> None:
    """Their memory is as long as all legs together, also where a later one is resumed."""
    train(ToyRecipe(), tmp_path / "a", steps=3, show=False)
    train(ToyRecipe(), tmp_path / "b", steps=1, start=tmp_path / "a/slim.safetensors", show=False)
    ages = []
    update = Average.update
    monkeypatch.setattr(Average, "update", lambda self, n: (ages.append(n), update(self, n)))
    train(ToyRecipe(), tmp_path / "b", steps=2, resume=True, show=False)
    train(ToyRecipe(), tmp_path / "c", steps=1, start=tmp_path / "b/slim.safetensors", show=False)
    assert ages == [5, 6]


def test_averages_begin_anew_with_another_recipe(tmp_path: Path, monkeypatch) -> None:
    """What another recipe has learned is a start, not a past to be averaged with."""
    train(ToyRecipe(), tmp_path / "a", steps=3, show=False)
    ages = []
    update = Average.update
    monkeypatch.setattr(Average, "update", lambda self, n: (ages.append(n), update(self, n)))
    recipe = ToyRecipe()
    recipe.name = "another"
    train(recipe, tmp_path / "b", steps=1, start=tmp_path / "a/slim.safetensors", show=False)
    assert ages == [1]


def test_state_of_other_networks_is_refused(tmp_path: Path) -> None:
    train(ToyRecipe(), tmp_path, steps=1, show=False)
    with pytest.raises(InputError, match="other networks"):
        train(ToyRecipe(width=6), tmp_path, steps=2, resume=True, show=False)
    (tmp_path / "state.safetensors").write_bytes(b"\x80\x04 a pickle, or anything")
    with pytest.raises(InputError, match="cannot be resumed"):
        train(ToyRecipe(), tmp_path, steps=2, resume=True, show=False)


def test_a_run_that_diverges_stops(tmp_path: Path) -> None:
    recipe = ToyRecipe()
    recipe.fail_at = 0
    with pytest.raises(FloatingPointError, match="critic"):
        train(recipe, tmp_path, steps=2, show=False)
    assert not (tmp_path / "state.safetensors").exists()


def test_minutes_end_a_run(tmp_path: Path) -> None:
    train(ToyRecipe(), tmp_path, minutes=0.005, show=False)
    assert log.read(tmp_path / "log.jsonl")[-1]["seconds"] >= 0.3
    with pytest.raises(ValueError, match="minutes, steps"):
        train(ToyRecipe(), tmp_path / "other")


def test_minutes_are_those_of_the_given_clock(tmp_path: Path) -> None:
    class Slow(ToyRecipe):
        seconds = 0.0

        def batch(self, step: int) -> dict[str, torch.Tensor]:
            self.seconds += 20
            return super().batch(step)

    recipe = Slow()
    train(recipe, tmp_path, minutes=2, now=lambda: recipe.seconds, every=1e9, show=False)
    assert log.read(tmp_path / "log.jsonl")[-1]["step"] == 6


def test_average_follows(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    average = Average({"n": network}, ("n",), decay=0.5)
    before = network.weight.detach().clone()
    with torch.no_grad():
        network.weight += 1
    average.update(step=1000)
    assert torch.allclose(average.networks["n"].weight, before + 0.5)


def test_grid_shows_every_picture(tmp_path: Path) -> None:
    from PIL import Image

    save_grid(torch.full((5, 3, 16, 16), -1.0), tmp_path / "grid.jpg")
    grid = Image.open(tmp_path / "grid.jpg").convert("L")
    dark = sum(grid.histogram()[:64])
    assert dark == pytest.approx(5 * 16 * 16, rel=0.05)


def test_log_survives_a_cut_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "images": 4}\n{"step": 2, "ima', encoding="utf-8")
    assert log.read(path) == [{"step": 1, "images": 4}]


def test_resume_drops_later_rows_and_keeps_the_log_when_killed(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n', encoding="utf-8")
    with monkeypatch.context() as killed:
        killed.setattr("os.replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            log.Log(path, 2)
    assert [row["step"] for row in log.read(path)] == [1, 2, 3]
    log.Log(path, 2).close()
    assert [row["step"] for row in log.read(path)] == [1, 2]


@pytest.mark.parametrize("terms", [0, 2, 4])
def test_curves_show_terms_alone(tmp_path: Path, monkeypatch, terms: int) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    seen = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: seen.extend(self.axes))
    rows = [{"step": 0, "images": 0, "seconds": 0.0, "recipe": {"faces": 6}}]
    values = {f"term{i}": 0.5 for i in range(terms)}
    rows += [{"step": n, "images": 4 * n, "seconds": 1.0} | values for n in (50, 100)]
    log.plot(rows, tmp_path / "curves.png")
    assert [axis.get_title() for axis in seen if axis.axison] == sorted(values)
