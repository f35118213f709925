"""Editing vectors: what one edit moved in W+, to be done to other faces (EditGAN, section 3.3).

A vector is a file that says all of itself: which edits it is the mean of, with the part maps before
and after, so that it can be made again (`semedit sliders --rederive NAME`). It holds no face but
those that have a seed.
"""

import io
import json
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.hub import BUNDLED
from semedit_lite.images import load_layout
from semedit_lite.labels import FACE_FINE
from semedit_lite.models.mobilestylegan import ROWS

FORMAT = "semedit slider 1"
FOLDER = BUNDLED / "sliders-ffhq"
SIDE = 256  # of the part maps
LARGEST = 4 * 2**20  # bytes of a file
FARTHEST = 100.0  # length of a vector; the mean latent is 17 from a face
MOST = 16  # edits behind one


@dataclass(frozen=True, eq=False)
class Edit:
    """One edit that a vector comes from."""

    seed: int | None  # of the face at truncation .7; None for a face that has none, such as a photo
    before: Tensor  # (256, 256) uint8 ids of the part map
    after: Tensor  # (256, 256) uint8: the part map that was asked for
    steps: int  # 0 of a move that was composed of other sliders
    loss: tuple[float, float]  # at the start and of the best iterate

    @property
    def record(self) -> dict[str, Any]:
        return {"seed": self.seed, "steps": self.steps, "loss": list(self.loss)}


@dataclass(frozen=True, eq=False)
class EditingVector:
    """A move in W+ (16, 512) that was the mean of some edits; applied as w + strength * delta."""

    title: str  # what the slider is called
    classes: tuple[str, ...]  # names of the parts that it changes
    delta: Tensor  # (16, 512) float32
    rows: tuple[int, ...]  # of W+, that the edits were free to move
    range: tuple[float, float]  # of the slider
    generator: str  # SHA-256 of the weights that it moves
    edits: tuple[Edit, ...]

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return self.delta.nbytes + 2 * len(self.edits) * SIDE**2

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of its classes."""
        return tuple(FACE_FINE.id(name) for name in self.classes)

    def to_bytes(self) -> bytes:
        """The file: safetensors, with the record in its metadata."""
        about = {
            "format": FORMAT,
            "title": self.title,
            "classes": list(self.classes),
            "rows": list(self.rows),
            "range": list(self.range),
            "generator": self.generator,
            "edits": [edit.record for edit in self.edits],
        }
        tensors = {"delta": self.delta.float().contiguous()}
        for i, edit in enumerate(self.edits):  # as PNGs, of a hundredth of the size
            tensors |= {f"{i}/before": _png(edit.before), f"{i}/after": _png(edit.after)}
        return save(tensors, {"about": json.dumps(about, ensure_ascii=False, allow_nan=False)})

    @classmethod
    def from_bytes(cls, data: bytes, generator: str | None = None) -> Self:
        """Reads what `to_bytes` wrote; InputError for anything else, and by its name where it was
        made for another generator than the one with the SHA-256 `generator`."""
        try:
            if len(data) > LARGEST:
                raise InputError(f"it is larger than {LARGEST // 2**20} MB")
            vector = cls._read(data)
        except (
            *(SafetensorError, InputError, ArithmeticError, AttributeError, LookupError),
            *(RecursionError, RuntimeError, TypeError, ValueError),
        ) as error:
            raise InputError(
                f"This file is no slider or is damaged ({error}); choose one that was saved here."
            ) from None
        if generator not in (None, vector.generator):
            raise InputError(
                f"The slider '{vector.title}' was made for another generator; it cannot move "
                "these faces."
            )
        return vector

    @classmethod
    def _read(cls, data: bytes) -> Self:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about = json.loads(header["__metadata__"]["about"])
        if about["format"] != FORMAT:
            raise InputError("another version of semedit wrote it")
        delta = tensors["delta"]
        if delta.shape != (ROWS, 512) or delta.dtype != torch.float32:
            raise InputError("its move has another shape")
        if not delta.isfinite().all() or not 0 < delta.norm() <= FARTHEST:
            raise InputError("its move is none")
        if not 1 <= len(about["edits"]) <= MOST:
            raise InputError("its edits are missing")
        edits = []
        for i, edit in enumerate(about["edits"]):
            seed, steps, loss = edit["seed"], edit["steps"], tuple(edit["loss"])
            if not (seed is None or _whole(seed, 0, 2**63)) or not _whole(steps, 0, 1001):
                raise InputError("its record is damaged")
            if len(loss) != 2 or not all(_finite(value) for value in loss):
                raise InputError("its record is damaged")
            before, after = (_part_map(tensors[f"{i}/{name}"]) for name in ("before", "after"))
            edits.append(Edit(seed, before, after, steps, loss))
        title, generator = about["title"], about["generator"]
        if not (isinstance(title, str) and 0 < len(title) <= 40 and title.isprintable()):
            raise InputError("it has no name")
        low, high = about["range"]
        if not (_finite(low) and _finite(high) and -10 <= low <= 0 <= high <= 10 and low < high):
            raise InputError("its range is none")
        rows = tuple(about["rows"])
        if not rows or not all(_whole(row, 0, ROWS) for row in rows):
            raise InputError("its rows are none")
        classes = tuple(about["classes"])
        if not classes:
            raise InputError("it changes no part")
        for name in classes:
            FACE_FINE.id(name)
        return cls(title, classes, delta, rows, (low, high), str(generator), tuple(edits))


def bundled() -> dict[str, Path]:
    """The sliders that come with the package, by their names."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def _png(part_map: Tensor) -> Tensor:
    """Ids (256, 256) -> the bytes of a palette PNG, as a tensor (N,)."""
    buffer = io.BytesIO()
    FACE_FINE.to_pil(part_map).save(buffer, "PNG", optimize=True)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


def _part_map(data: Tensor) -> Tensor:
    return load_layout(data.numpy().tobytes(), FACE_FINE, (SIDE, SIDE))[0].byte()


def _whole(value: Any, low: int, limit: int) -> bool:
    return type(value) is int and low <= value < limit


def _finite(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)
