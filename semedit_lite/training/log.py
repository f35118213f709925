"""A training's log: one JSON object a line, appended and flushed; and its curve."""

import json
from pathlib import Path
from typing import Any

from semedit_lite.hub import write_beside

CLOCK = ("step", "images", "seconds")  # in every row


class Log:
    """Appends rows to a .jsonl file; on resume it first drops the rows after `step`, which a
    killed run wrote after its last checkpoint."""

    def __init__(self, path: Path, step: int) -> None:
        rows = [row for row in read(path) if row["step"] <= step] if step else []
        self._recipe = next((row["recipe"] for row in reversed(rows) if "recipe" in row), None)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_beside(path, lambda beside: beside.write_text(text, encoding="utf-8"))
        self._file = path.open("a", encoding="utf-8")

    def describe(self, clock: dict[str, Any], recipe: dict[str, Any]) -> None:
        """Notes what is trained on what, the first row; later only where it has changed."""
        if recipe != self._recipe:
            self.write(clock | {"recipe": recipe})

    def write(self, row: dict[str, Any]) -> None:
        rounded = {k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}
        self._file.write(json.dumps(rounded) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a log; [] where there is none. A last line cut off by a kill is left out."""
    path = Path(path)
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def plot(rows: list[dict[str, Any]], path: str | Path) -> None:
    """The curves of every term over the images seen, one small panel each (matplotlib)."""
    from matplotlib.figure import Figure

    terms = sorted({key for row in rows for key in row} - {*CLOCK, "recipe"})
    columns = 3
    lines = max(1, -(-len(terms) // columns))
    figure = Figure(figsize=(4 * columns, 2.4 * lines), layout="constrained")
    axes = figure.subplots(lines, columns).flat
    for axis in axes[len(terms) :]:
        axis.set_axis_off()
    for axis, term in zip(axes, terms, strict=False):
        points = [(row["images"] / 1000, row[term]) for row in rows if term in row]
        axis.plot(*zip(*points, strict=True), marker="." if len(points) < 30 else None)
        axis.set(title=term, xlabel="thousand images")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=80)
