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
from semedit_lite.training import checkpoints, log
from semedit_lite.training.trainer import Average, save_grid, train


class ToyRecipe:
    """Two networks that pull at each other, with noise and batch statistics: hard to resume."""

    name = "toy"
    batch_size = 4
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
    rows = [log.read(tmp_path / name / "log.jsonl") for name in ("whole", "parts")]
    assert rows[0][-1]["step"] == rows[1][-1]["step"] == 8
    assert rows[0][-1]["eval_norm"] == rows[1][-1]["eval_norm"]


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
    second = ToyRecipe()
    before = log.read(tmp_path / "a" / "log.jsonl")[-1]["eval_norm"]
    train(second, tmp_path / "b", steps=1, start=slim, show=False)
    row = log.read(tmp_path / "b" / "log.jsonl")[-1]
    assert row["step"] == 1  # a leg of its own, which begins near where the other ended
    assert row["eval_norm"] == pytest.approx(before, rel=0.05)


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
        train(ToyRecipe(), tmp_path)


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
