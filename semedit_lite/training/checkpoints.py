"""The state of a training in one safetensors file, written beside and renamed.

Keys: `network.NAME.*`, `ema.NAME.*`, and unless the file is slim `optimiser.NAME.INDEX.*`; step,
images and seconds stand in the metadata. A slim file (fp16, without the optimisers' moments) is
for carrying a training to another machine.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from semedit_lite.errors import InputError
from semedit_lite.hub import FILES, write_beside

STATE, SLIM, GRID, LOG = "state.safetensors", "slim.safetensors", "grid.jpg", "log.jsonl"


def prepare(folder: Path, resume: bool) -> None:
    """Clears a run's folder, if it is there, of what killed writes left; InputError where it holds
    a run that would be lost."""
    if not resume and (folder / STATE).exists():
        raise InputError(
            f"'{folder}' holds a run; add --resume, or choose another folder with --out."
        )
    for name in map(Path, (STATE, SLIM, GRID, LOG, *(f"*/{file}" for file in FILES))):
        # the names that `write_beside` gives while it writes
        for left in folder.glob(f"{name.parent}/.{name.stem}-*{name.suffix}"):
            left.unlink()


def save(
    path: str | Path,
    networks: dict[str, nn.Module],
    averages: dict[str, nn.Module],
    optimisers: dict[str, Optimizer],
    progress: dict[str, Any],
    slim: bool = False,
) -> None:
    """Writes the whole state; `progress` is a small dict kept as JSON."""
    tensors: dict[str, Tensor] = {}
    for prefix, group in (("network", networks), ("ema", averages)):
        for name, network in group.items():
            for key, value in network.state_dict().items():
                half = slim and value.is_floating_point()
                tensors[f"{prefix}.{name}.{key}"] = value.half() if half else value
    for name, optimiser in ({} if slim else optimisers).items():
        for index, moments in optimiser.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimiser.{name}.{index}.{key}"] = torch.as_tensor(value)
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    metadata = {"progress": json.dumps(progress)}
    write_beside(path, lambda file: save_file(tensors, file, metadata))


def load(
    path: str | Path,
    networks: dict[str, nn.Module],
    averages: dict[str, nn.Module],
    optimisers: dict[str, Optimizer],
) -> dict[str, Any]:
    """Puts a saved state back, strictly; returns its progress. InputError where it does not fit.
    From a slim file the optimisers start anew."""
    try:
        with safe_open(path, "pt") as file:
            progress = json.loads((file.metadata() or {})["progress"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError) as error:
        raise InputError(
            f"'{path}' cannot be resumed from ({error}); delete it to start anew."
        ) from None
    try:
        for prefix, group in (("network", networks), ("ema", averages)):
            for name, network in group.items():
                network.load_state_dict(_below(tensors, f"{prefix}.{name}."))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise InputError(
            f"'{path}' belongs to other networks ({first}); use another folder."
        ) from None
    for name, optimiser in optimisers.items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, f"optimiser.{name}.").items():
            index, _, moment = key.partition(".")
            moments.setdefault(int(index), {})[moment] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return progress


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
