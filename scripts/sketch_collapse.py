"""The collapse of SketchEdit without deformation, as a figure of the card of `sketchedit-faces-64`.

    python scripts/sketch_collapse.py --data DIR [--minutes 3]

Trains the recipe and the same on pictures as they are, seed 0 of `sketch_ablation.py`, and draws
what region they find. Needs SEMEDIT_TEACHERS.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from ablation import RECIPE
from sketch_ablation import Seeded, judged
from torch import Tensor, nn

from semedit_lite.evaluation import sketching
from semedit_lite.hub import BUNDLED
from semedit_lite.metrics import overlap
from semedit_lite.training.checkpoints import LOG
from semedit_lite.training.recipes.sketchedit import grey, shown
from semedit_lite.training.trainer import train

EVERY = 10.0  # seconds of processor time
SHOWN = 5  # edits
OUT = BUNDLED / "sketchedit-faces-64" / "collapse.png"
STILL = "pictures are not deformed"
COLOURS = {RECIPE: "#2b6cb0", STILL: "#c05621"}


class Watched(Seeded):
    """Says again and again which regions it finds for edits nobody showed it."""

    def __init__(self, data: Path, **options: object) -> None:
        super().__init__(0, data, **options)
        self.edits_judged = judged(data)

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        found = sketching.found(networks["sketchedit"], self.edits_judged) > 0.5
        iou = overlap(found, self.edits_judged.region).mean().item()
        return {"iou": iou, "share": found.float().mean().item()}


def trained(data: Path, minutes: float, deform: bool) -> tuple[list[dict], Tensor]:
    """The log's rows with figures in them, and the regions that are found in the end."""
    recipe = Watched(data, deform=deform)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"minutes": minutes, "seed": 0, "every": EVERY, "show": False}
        best = train(recipe, folder, **settings, now=time.process_time)
        lines = (Path(folder) / LOG).read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if "eval_iou" in row]
    return rows, sketching.found(best["sketchedit"], recipe.edits_judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="cache of `semedit data faces`")
    parser.add_argument("--minutes", type=float, default=3, help="of processor time, each (3)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = {
        name: trained(arguments.data, arguments.minutes, deform=name != STILL) for name in COLOURS
    }
    edits = judged(arguments.data)
    figure = plt.figure(figsize=(10, 5.2), layout="constrained")
    curves, pictures = figure.subfigures(1, 2, width_ratios=(1, 1))
    axes = curves.subplots(2, 1, sharex=True)
    for name, (rows, _) in runs.items():
        seconds = [row["seconds"] for row in rows]
        for axis, key in zip(axes, ("eval_iou", "eval_share"), strict=True):
            axis.plot(seconds, [row[key] for row in rows], color=COLOURS[name], label=name)
    axes[0].set_ylabel("region IoU")
    axes[0].legend(frameon=False)
    axes[1].axhline(edits.region.float().mean().item(), color="gray", lw=1, ls=":", label="true")
    axes[1].legend(frameon=False)
    axes[1].set_ylabel("found share of the picture")
    axes[1].set_xlabel("seconds of processor time")
    columns = {
        "has": edits.image,
        "draws": shown(edits.sketch),
        "true region": grey(edits.region.float()),
        "the recipe": grey(runs[RECIPE][1]),
        "not deformed": grey(runs[STILL][1]),
    }
    grid = pictures.subplots(SHOWN, len(columns))
    for k, (title, column) in enumerate(columns.items()):
        grid[0, k].set_title(title, fontsize=9)
        for row in range(SHOWN):
            grid[row, k].imshow(column[row].permute(1, 2, 0) / 2 + 0.5, vmin=0, vmax=1)
            grid[row, k].axis("off")
    figure.savefig(OUT, dpi=110)


if __name__ == "__main__":
    main()
