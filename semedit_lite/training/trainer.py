"""The one training loop: steps or minutes, mixed precision, averages, checkpoints, log, grids.

It knows nothing of any model. A `Recipe` says what is trained on what; the loop says how long.
The numbers of a step depend on (seed, step) alone, so a run that was killed and resumed gives
the same weights and the same log on the CPU as one that was not. This holds for runs limited by
steps alone: with minutes the learning rates follow the clock.
"""

import copy
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from semedit_lite.hub import write_beside
from semedit_lite.images import to_pil
from semedit_lite.training import checkpoints
from semedit_lite.training.log import Log

LOGGED = 50  # steps, whose terms' means make one row of the log
Batch = dict[str, Tensor]
Loss = Callable[[Batch], tuple[Tensor, dict[str, float]]]


class Recipe(Protocol):
    """What one training needs; `training/recipes/` has one for each model."""

    name: str
    batch_size: int
    settings: dict[str, Any]  # what it was made with, such as the number of faces; for the log
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
        return torch.cuda.is_bf16_supported(including_emulation=False)
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
    now: Callable[[], float] = time.monotonic,
) -> dict[str, nn.Module]:
    """Trains until `steps` in all or for `minutes` more, whichever comes first.

    `folder` receives state.safetensors, log.jsonl, grid.jpg and the exported checkpoint; these
    are renewed each `every` seconds and at the end, when slim.safetensors is added, to go on with
    elsewhere. `resume` goes on from the folder's state, `start` from such a slim file. Returns the
    networks, averaged where averages are kept. `now` tells the seconds that `minutes` are
    counted in; by `time.process_time` trainings compare on a machine that has other work too.
    InputError where the folder holds a run that is not to be resumed.
    """
    limits = [limit for limit in (minutes, steps) if limit is not None]
    if not limits or not all(0 < limit < math.inf for limit in limits):
        raise ValueError("train() needs minutes, steps or both, finite and above 0")
    folder = Path(folder)
    checkpoints.prepare(folder, resume)
    folder.mkdir(parents=True, exist_ok=True)
    device = next(next(iter(recipe.networks.values())).parameters()).device
    torch.manual_seed(seed)
    average = Average(recipe.networks, recipe.averaged, decay)
    best = recipe.networks | average.networks
    state = folder / checkpoints.STATE
    clock: dict[str, Any] = {"step": 0, "images": 0, "seconds": 0.0}
    sums: dict[str, list[float]] = {}  # term -> sum and count since the last row of the log
    earlier = 0  # steps behind the averages when this leg began
    parts = recipe.networks, average.networks, recipe.optimisers
    if resume and state.is_file():
        saved = checkpoints.load(state, *parts)
        clock = {key: saved[key] for key in clock}
        sums, earlier = saved.get("sums", {}), saved.get("earlier", 0)
    elif start is not None:
        saved = checkpoints.load(start, *parts)  # a leg of its own: clock and rates start anew,
        if saved.get("recipe", recipe.name) == recipe.name:  # and averages, of another recipe's
            earlier = saved["step"] + saved.get("earlier", 0)
    log = Log(folder / checkpoints.LOG, clock["step"])
    log.describe(clock, recipe.settings)
    first_rates = {key: [g["lr"] for g in o.param_groups] for key, o in recipe.optimisers.items()}
    began, before = now(), clock["seconds"]
    limit = before + 60 * minutes if minutes is not None else math.inf
    fast = has_fast_bfloat16(device)

    def done() -> float:
        by_step = clock["step"] / steps if steps is not None else 0.0
        return max(by_step, clock["seconds"] / limit)

    def checkpoint() -> None:
        for network in best.values():
            network.eval()
        log.write(clock | {"eval_" + k: v for k, v in recipe.evaluate(best).items()})
        save_grid(recipe.preview(best), folder / checkpoints.GRID)
        recipe.export(best, folder)
        checkpoints.save(state, *parts, clock | {"sums": sums, "earlier": earlier})

    bar = Bar(show, minutes, steps, clock)
    written = began
    while done() < 1:
        step = clock["step"]
        torch.manual_seed((seed + 1) * 1_000_003 + step)  # noise inside the networks
        batch = {k: v.to(device) for k, v in recipe.batch(step).items()}
        factor = recipe.rate(done())
        for network in recipe.networks.values():
            network.train()
        latest: dict[str, float] = {}
        for name, loss_of in recipe.losses.items():
            optimiser = recipe.optimisers[name]
            for group, rate in zip(optimiser.param_groups, first_rates[name], strict=True):
                group["lr"] = rate * factor
            optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=fast):
                loss, named = loss_of(batch)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"{recipe.name}: the loss of {name} is {loss} at {step}")
            loss.backward()
            optimiser.step()
            latest |= named
        for term, value in latest.items():
            total, count = sums.get(term, (0.0, 0))
            sums[term] = [total + float(value), count + 1]
        clock["step"] += 1
        clock["images"] += recipe.batch_size
        clock["seconds"] = before + now() - began
        average.update(earlier + clock["step"])
        bar.update(clock, latest)
        if clock["step"] % LOGGED == 0:
            log.write(clock | {term: total / count for term, (total, count) in sums.items()})
            sums = {}
        if now() - written > every:
            checkpoint()
            written = now()
    checkpoint()
    slim = folder / checkpoints.SLIM
    about = clock | {"earlier": earlier, "recipe": recipe.name}
    checkpoints.save(slim, *parts, about, slim=True)
    bar.close()
    log.close()
    return best


def save_grid(pictures: Tensor, path: Path, columns: int | None = None) -> None:
    """Pictures (N, 3, H, W) in [-1, 1] as one JPEG; as a square where `columns` is not given."""
    n, _, h, w = pictures.shape
    columns = columns or max(1, round(n**0.5))
    rows = -(-n // columns)
    sheet = torch.full((3, rows * h, columns * w), 1.0)
    for i, picture in enumerate(pictures.cpu().float()):
        y, x = divmod(i, columns)
        sheet[:, y * h : (y + 1) * h, x * w : (x + 1) * w] = picture
    write_beside(path, lambda file: to_pil(sheet).save(file, "JPEG", quality=90))


class Bar:
    """A progress bar with an ETA, over seconds where the run is limited by minutes."""

    def __init__(
        self, show: bool, minutes: float | None, steps: int | None, clock: dict[str, Any]
    ) -> None:
        from tqdm import tqdm

        self.key, unit = ("step", "step") if minutes is None else ("seconds", "s")
        self.start = clock[self.key]
        total = steps - self.start if minutes is None else round(60 * minutes)
        self.bar = tqdm(total=max(0, total), unit=unit, mininterval=2.0, disable=not show)

    def update(self, clock: dict[str, Any], terms: dict[str, float]) -> None:
        self.bar.n = min(self.bar.total, round(clock[self.key] - self.start))
        text = " ".join(f"{term} {value:.3f}" for term, value in terms.items())
        self.bar.set_postfix_str(f"step {clock['step']} {text}", refresh=False)
        self.bar.update(0)

    def close(self) -> None:
        self.bar.close()
