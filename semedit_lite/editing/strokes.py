"""Sketches as people draw them: strokes of points with times, from the page or from a file.

A file is JSON: {"format": "semedit strokes 1", "frame": "face", "size": [width, height], "strokes":
[...]}, a stroke {"kind": "line", "width": 2, "points": [[x, y, milliseconds], ...]}. `size` is that
of the picture they were drawn on, which x, y and width are measured in; `frame` says whether that
was the aligned "face" or the whole "photo". The kinds are "line", what shall be there; "colour",
with "colour": "#rrggbb", which colour; "add" and "remove", what belongs to the region that is
redrawn, and what does not.
"""

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from semedit_lite.errors import InputError

FORMAT = "semedit strokes 1"
FRAMES = ("face", "photo")
KINDS = ("line", "colour", "add", "remove")
MAX_STROKES, MAX_POINTS = 2_000, 200_000  # of a sketch
MAX_BYTES = 8 * 2**20  # of its JSON
NO_STROKES = (
    "These are no strokes; a sketch is JSON with 'size' and 'strokes', as the Sketch tab saves it."
)
HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Stroke:
    """One stroke. `width` and the points' x and y are in pixels of the picture it was drawn on."""

    kind: str
    width: float
    points: tuple[tuple[float, float, float], ...]  # x, y, milliseconds
    colour: str | None = None  # "#rrggbb", where the kind is "colour"

    @property
    def record(self) -> dict[str, Any]:
        """It, ready for JSON."""
        found = {"kind": self.kind, "width": self.width, "points": [list(p) for p in self.points]}
        return found | ({} if self.colour is None else {"colour": self.colour})


@dataclass(frozen=True)
class Sketch:
    """Strokes in the order in which they were drawn, and the size of the picture below them."""

    strokes: tuple[Stroke, ...] = ()
    size: tuple[float, float] = (256, 256)  # width, height
    frame: str = "face"  # or "photo"

    @classmethod
    def read(cls, source: str | bytes | Path) -> Self:
        """From a file, or JSON; InputError for anything else."""
        if isinstance(source, Path):
            try:
                source = source.read_bytes()
            except OSError as error:
                raise InputError(f"'{source}' cannot be read ({error.strerror}).") from None
        if len(source) > MAX_BYTES:
            raise InputError(f"A sketch has at most {MAX_BYTES // 2**20} MB; draw less.")
        try:
            found = json.loads(source)
            width, height = (_number(x, 1, 100_000) for x in found["size"])
            strokes, frame = found["strokes"], found.get("frame", "face")
            if not isinstance(strokes, list) or frame not in FRAMES:
                raise TypeError("strokes")
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            raise InputError(NO_STROKES) from None
        return replace(cls.of(strokes, (width, height)), frame=frame)

    @classmethod
    def of(cls, records: list[Any], size: tuple[float, float]) -> Self:
        """From strokes as JSON has them; InputError where one is none."""
        if len(records) > MAX_STROKES:
            raise InputError(f"A sketch has at most {MAX_STROKES:,} strokes; draw fewer.")
        left, strokes = MAX_POINTS, []
        for record in records:
            try:
                stroke = _stroke(record, 4 * max(size))
            except (AttributeError, LookupError, TypeError, ValueError):
                raise InputError(NO_STROKES) from None
            left -= len(stroke.points)
            if left < 0:
                raise InputError(f"A sketch has at most {MAX_POINTS:,} points; draw less.")
            strokes.append(stroke)
        return cls(tuple(strokes), size)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The strokes, ready for JSON."""
        return [stroke.record for stroke in self.strokes]

    def to_json(self) -> str:
        """The text of a file that `read` understands."""
        about = {"format": FORMAT, "frame": self.frame, "size": list(self.size)}
        about["strokes"] = self.records
        return json.dumps(about, separators=(",", ":"))

    @cached_property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return 200 * sum(1 + len(stroke.points) for stroke in self.strokes)

    def __bool__(self) -> bool:
        """Whether it asks for anything: a region that is only made smaller does not."""
        return any(stroke.kind != "remove" for stroke in self.strokes)

    def through(self, matrix: Tensor, size: tuple[float, float]) -> Self:
        """The same on another picture of that size: its pixel is `matrix` (2, 3) @ (x, y, 1)."""
        m = matrix.double().tolist()
        scale = abs(m[0][0] * m[1][1] - m[0][1] * m[1][0]) ** 0.5

        def moved(x: float, y: float, time: float) -> tuple[float, float, float]:
            return *(row[0] * x + row[1] * y + row[2] for row in m), time

        strokes = (
            replace(s, width=s.width * scale, points=tuple(moved(*p) for p in s.points))
            for s in self.strokes
        )
        return replace(self, strokes=tuple(strokes), size=size)

    def resized(self, size: tuple[float, float]) -> Self:
        """The same on a picture of another size (width, height)."""
        across, down = (new / old for new, old in zip(size, self.size, strict=True))
        return self.through(torch.tensor([[across, 0, 0], [0, down, 0]]), size)

    # Rasters ----------------------------------------------------------------------------------

    def tensor(self, side: int) -> Tensor:
        """(1, 5, side, side), as networks see it (`data.sketches`): lines, where there is colour,
        and which. A line is at least one pixel wide."""
        lines = self.mask(("line",), side)
        where = Image.new("L", (side, side))
        which = Image.new("RGB", (side, side))
        for stroke in self.strokes:
            if stroke.kind == "colour":
                self._draw(where, stroke, 255)
                self._draw(which, stroke, stroke.colour)
        there = torch.from_numpy(np.asarray(where) > 0)[None].float()  # (1, side, side)
        colours = torch.from_numpy(np.array(which)).permute(2, 0, 1) / 127.5 - 1
        return torch.cat([lines[0].float(), there, colours * there])[None]

    def mask(self, kinds: tuple[str, ...], side: int) -> Tensor:
        """bool (1, 1, side, side): where there are strokes of these kinds."""
        image = Image.new("L", (side, side))
        for stroke in self.strokes:
            if stroke.kind in kinds:
                self._draw(image, stroke, 255)
        return torch.from_numpy(np.asarray(image) > 0)[None, None]

    def corrected(self, region: Tensor) -> Tensor:
        """A region, bool (1, 1, S, S), as the person corrects it: the later stroke counts."""
        side = region.shape[-1]
        image = Image.fromarray(region[0, 0].cpu().numpy())
        image = image.convert("L")
        for stroke in self.strokes:
            if stroke.kind in ("add", "remove"):
                self._draw(image, stroke, 255 if stroke.kind == "add" else 0)
        return torch.from_numpy(np.asarray(image) > 0).view(1, 1, side, side)

    def _draw(self, image: Image.Image, stroke: Stroke, ink: int | str) -> None:
        across, down = (side / size for side, size in zip(image.size, self.size, strict=True))
        width = max(1, round(stroke.width * (across * down) ** 0.5))
        # Pillow's points are pixels, whose middles are the whole numbers.
        points = [(x * across - 0.5, y * down - 0.5) for x, y, _ in stroke.points]
        draw = ImageDraw.Draw(image)
        for one, two in pairwise(points):
            draw.line([one, two], ink, width)
        if width > 2:  # round ends and joints
            radius = width / 2
            for x, y in points:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], ink)
        elif len(points) == 1:
            draw.point(points, ink)


def _stroke(record: dict[str, Any], far: float) -> Stroke:
    """A stroke out of JSON, whose points lie within `far`; whatever is wrong raises."""
    kind, colour = record["kind"], record.get("colour")
    if kind not in KINDS or (kind == "colour") != (colour is not None):
        raise ValueError(kind)
    if colour is not None and not HEX.fullmatch(colour):
        raise ValueError(colour)
    points = tuple(
        (_number(x, -far, far), _number(y, -far, far), _number(time, -1e15, 1e15))
        for x, y, time in record["points"]
    )
    if not points:
        raise ValueError("no points")
    return Stroke(kind, _number(record["width"], 0, far), points, colour)


def _number(value: Any, low: float, high: float) -> float:
    if type(value) not in (int, float) or not isfinite(value) or not low <= value <= high:
        raise ValueError(value)
    return value
