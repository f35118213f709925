"""The one training loop: steps or minutes, mixed precision, averages, checkpoints, log, grids.

It knows nothing of any model. A `Recipe` says what is trained on what; the loop says how long.
The numbers of a step depend on (seed, step) alone, so a run that was killed and resumed gives
the same weights on the CPU as one that was not.
"""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from semedit_lite.training import checkpoints
from semedit_lite.training.log import Log

Batch = dict[str, Tensor]
Loss = Callable[[Batch], tuple[Tensor, dict[str, float]]]


class Recipe(Protocol):
    """What one training needs; `training/recipes/` has one for each model."""

    name: str
    batch_size: int
    networks: dict[str, nn.Module]
    optimisers: dict[str, Optimizer]
    averaged: tuple[str, ...]  # networks of which an exponential moving average is kept
    losses: dict[str, Loss]  # optimiser -> (batch -> loss, named terms), in the order of a step

    def batch(self, step: int) -> Batch:
        """The batch of one step, the same whenever it is asked for."""

    def rate(self, progress: float) -> float:
        """The factor on the learning rates when `progress` (0 to 1) of the run is done."""

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1] to look at while it trains."""

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Held-out figures; {} where a recipe has none."""

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        """Writes the checkpoint that users load."""


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bf16 pays on this device: on a GPU, and on processors with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Average:
    """Exponential moving averages of some networks (weights averaged, buffers copied)."""

    def __init__(
        self, networks: dict[str, nn.Module], names: tuple[str, ...], decay: float
    ) -> None:
        self.decay = decay
        self.sources = {name: networks[name] for name in names}
        self.networks = {
            name: copy.deepcopy(networks[name]).eval().requires_grad_(False) for name in names
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))  # short memory while it moves fast
        for name, average in self.networks.items():
            source = self.sources[name]
            old, new = list(average.parameters()), list(source.parameters())
            torch._foreach_lerp_(old, new, 1 - decay)
            for kept, current in zip(average.buffers(), source.buffers(), strict=True):
                kept.copy_(current)


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    resume: bool = False,
    start: str | Path | None = None,
    seed: int = 0,
    decay: float = 0.999,
    every: float = 120.0,
    show: bool = True,
) -> dict[str, nn.Module]:
    """Trains until `steps` in all or for `minutes` more, whichever comes first.

    `folder` receives state.safetensors, log.jsonl, grid.jpg and the exported checkpoint; these
    are renewed each `every` seconds and at the end, when slim.safetensors is added, to go on with
    elsewhere. `resume` goes on from the folder's state, `start` from such a slim file. Returns the
    networks, averaged where averages are kept.
    """
    if minutes is None and steps is None:
        raise ValueError("train() needs minutes, steps or both")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    device = next(next(iter(recipe.networks.values())).parameters()).device
    torch.manual_seed(seed)
    average = Average(recipe.networks, recipe.averaged, decay)
    best = recipe.networks | average.networks
    state = folder / "state.safetensors"
    progress: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    parts = recipe.networks, average.networks, recipe.optimisers
    if resume and state.is_file():
        progress = checkpoints.load(state, *parts)
    elif start is not None:
        checkpoints.load(start, *parts)  # a leg of its own: its clock and its rates start anew
    log = Log(folder / "log.jsonl", progress["step"])
    first_rates = {key: [g["lr"] for g in o.param_groups] for key, o in recipe.optimisers.items()}
    began, before = time.monotonic(), progress["seconds"]
    limit = before + 60 * minutes if minutes is not None else float("inf")

    def done() -> float:
        by_step = progress["step"] / steps if steps else 0.0
        return max(by_step, progress["seconds"] / limit)

    def checkpoint() -> None:
        for network in best.values():
            network.eval()
        row = progress | {"eval_" + k: v for k, v in recipe.evaluate(best).items()}
        log.write(row)
        save_grid(recipe.preview(best), folder / "grid.jpg")
        recipe.export(best, folder)
        checkpoints.save(state, *parts, progress)

    bar = _bar(show, minutes, steps, progress)
    terms: dict[str, list[float]] = {}
    written = began
    while done() < 1:
        step = progress["step"]
        torch.manual_seed((seed + 1) * 1_000_003 + step)  # noise inside the networks
        batch = {k: v.to(device, non_blocking=True) for k, v in recipe.batch(step).items()}
        factor = recipe.rate(done())
        for network in recipe.networks.values():
            network.train()
        for name, loss_of in recipe.losses.items():
            optimiser = recipe.optimisers[name]
            for group, rate in zip(optimiser.param_groups, first_rates[name], strict=True):
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device)):
                loss, named = loss_of(batch)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"{recipe.name}: the loss of {name} is {loss} at {step}")
            loss.backward()
            optimiser.step()
            for term, value in named.items():
                terms.setdefault(term, []).append(float(value))
        progress["step"] += 1
        progress["images"] += recipe.batch_size
        progress["seconds"] = before + time.monotonic() - began
        average.update(progress["step"])
        bar(progress, {term: values[-1] for term, values in terms.items()})
        if progress["step"] % 50 == 0:
            log.write(progress | {term: sum(v) / len(v) for term, v in terms.items()})
            terms = {}
        if time.monotonic() - written > every:
            checkpoint()
            written = time.monotonic()
    checkpoint()
    checkpoints.save(folder / "slim.safetensors", *parts, progress, slim=True)
    log.close()
    return best


def save_grid(pictures: Tensor, path: Path, columns: int | None = None) -> None:
    """Pictures (N, 3, H, W) in [-1, 1] as one JPEG; as a square where `columns` is not given."""
    from PIL import Image

    from semedit_lite.hub import write_beside

    n, _, h, w = pictures.shape
    columns = columns or max(1, round(n**0.5))
    rows = -(-n // columns)
    sheet = torch.full((3, rows * h, columns * w), 1.0)
    for i, picture in enumerate(pictures.cpu().float()):
        y, x = divmod(i, columns)
        sheet[:, y * h : (y + 1) * h, x * w : (x + 1) * w] = picture
    array = ((sheet.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    write_beside(path, lambda file: Image.fromarray(array).save(file, "JPEG", quality=90))


def _bar(
    show: bool, minutes: float | None, steps: int | None, progress: dict[str, Any]
) -> Callable[[dict[str, Any], dict[str, float]], None]:
    """A progress bar with an ETA, over seconds where the run is limited by minutes."""
    if not show:
        return lambda progress, terms: None
    from tqdm import tqdm

    by_time = minutes is not None
    total = round(60 * minutes) if by_time else steps - progress["step"]
    start = dict(progress)
    bar = tqdm(total=total, unit="s" if by_time else "step", mininterval=2.0)

    def update(progress: dict[str, Any], terms: dict[str, float]) -> None:
        key = "seconds" if by_time else "step"
        bar.n = min(total, round(progress[key] - start[key]))
        text = " ".join(f"{term} {value:.3f}" for term, value in terms.items())
        bar.set_postfix_str(f"step {progress['step']} {text}", refresh=False)
        bar.update(0)

    return update
