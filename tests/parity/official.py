"""Reads the parity fixtures: numbers that the official networks gave on small settings.

NAME.json lists the official state dict (key, shape, kind) and the tolerance, NAME.safetensors holds
inputs, outputs and the few weights that are stored; every other weight is made from its key.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

FIXTURES = Path(__file__).parent / "fixtures"


def fill(key: str, shape: list[int], kind: str) -> Tensor:
    """The weight that belongs to a key: normal numbers seeded by its CRC, scaled by its kind."""
    seed = zlib.crc32(key.encode()) & 0x7FFFFFFF
    numbers = np.random.RandomState(seed).standard_normal(tuple(shape))
    fan_in = max(int(np.prod(shape[1:])), 1)
    values = {
        "weight": lambda: numbers / np.sqrt(fan_in),
        "bias": lambda: 0.1 * numbers,
        "scale": lambda: 1 + 0.1 * numbers,
        "var": lambda: 1 + 0.2 * np.abs(numbers),
        "mean": lambda: 0.1 * numbers,
        "raw": lambda: numbers,
    }
    return torch.from_numpy(np.asarray(values[kind](), dtype=np.float32))


@dataclass(frozen=True)
class Fixture:
    """One case: its state dict under the official keys, its inputs and what must come out."""

    name: str
    spec: dict
    state: dict[str, Tensor]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]

    @property
    def config(self) -> dict:
        """The official network's settings."""
        return self.spec["config"]

    @property
    def tolerance(self) -> float:
        return self.spec["tolerance"]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The state dict of one of several networks, whose keys start with `prefix`."""
        size = len(prefix)
        return {key[size:]: value for key, value in self.state.items() if key.startswith(prefix)}

    def check(self, output: str, found: Tensor) -> None:
        """AssertionError where `found` is not the official output within the case's tolerance:
        |a - b| <= tolerance + rel_tolerance |b|."""
        self._compare(output, found, self.tolerance, self.spec.get("rel_tolerance", 0.0))

    def check_relative(self, output: str, found: Tensor) -> None:
        """The same by the case's `rtol` alone, for gradient norms, which have any magnitude."""
        self._compare(output, found, 0.0, self.spec["rtol"])

    def _compare(self, output: str, found: Tensor, atol: float, rtol: float) -> None:
        expected = self.outputs[output]
        found = found.detach().to(expected.dtype).reshape(expected.shape)
        torch.testing.assert_close(
            found, expected, atol=atol, rtol=rtol, msg=lambda text: f"{self.name} {output}: {text}"
        )


def read(name: str) -> Fixture:
    """A fixture by its name. Every stored tensor must be an input, an output or a weight."""
    spec = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    stored = load_file(FIXTURES / f"{name}.safetensors")
    state = {
        key: stored.pop(key) if kind == "stored" else fill(key, shape, kind)
        for key, shape, kind in spec["keys"]
    }
    inputs = {key.removeprefix("input."): stored.pop(key) for key in spec["inputs"]}
    outputs = {key.removeprefix("output."): stored.pop(key) for key in spec["outputs"]}
    assert not stored, f"{name} holds tensors that its JSON does not name: {sorted(stored)}"
    return Fixture(name, spec, state, inputs, outputs)


def gradient_norm(network: nn.Module) -> Tensor:
    """Square root of the sum of squares of all gradients, in float64; a penalty on a gradient gives
    some parameters none."""
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    squares = [grad.double().square().sum() for grad in grads]
    return torch.stack(squares).sum().sqrt()
