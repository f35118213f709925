"""What SketchEdit learns from: variants of its recipe at 64², each as long by the processor.

    python scripts/sketch_ablation.py --data DIR [--minutes 3] [--seed 0] [VARIANT ...]

Adds to training/sketch_ablation.json, from which the table in the card of `sketchedit-faces-64` is
made, what is not there yet. Needs SEMEDIT_TEACHERS. Seeds may run side by side; see `ablation.py`.
"""

import tempfile
import time
from functools import lru_cache
from pathlib import Path

import torch
from ablation import RECIPE, compare
from torch import Tensor, nn

from semedit_lite.data.edits import Edits
from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.evaluation import report, sketching
from semedit_lite.evaluation.run import rounded
from semedit_lite.metrics import overlap
from semedit_lite.models.sketchedit import SketchEdit, copy_losses, smooth
from semedit_lite.training.recipes.sketchedit import SketchEditRecipe, named
from semedit_lite.training.trainer import train

SIZE, FACES, JUDGED = 64, 3000, 192


class Seeded(SketchEditRecipe):
    """The recipe, with batches of its own for each seed, scored once at the end."""

    def __init__(self, seed: int, data: Path, **options: object) -> None:
        torch.manual_seed(seed)
        super().__init__(SIZE, data=data, count=FACES, perceptual="teachers", **options)
        self.first = 1_000_000 * seed

    def batch(self, step: int) -> dict[str, Tensor]:
        return super().batch(self.first + step)

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        return {}


class Official(Seeded):
    """The estimator learns from the official loss, as released: its picture laid into the deformed
    one."""

    def estimator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        image, target = smooth(batch["image"]), smooth(batch["target"])
        region, picture = self.sketchedit.estimator(batch["image"], batch["sketch"])
        batch["soft"] = region.detach()
        far, laid = copy_losses(picture, region, image, target)
        terms = {"m_picture": far, "m_laid": laid}
        return sum(terms.values()), named(terms)


class Quiet(Seeded):
    """Gated layers begin with the weights that PyTorch gives to convolutions."""

    def __init__(self, seed: int, data: Path) -> None:
        super().__init__(seed, data)
        for module in self.sketchedit.modules():
            if isinstance(module, nn.Conv2d):
                nn.Conv2d.reset_parameters(module)


VARIANTS = {
    RECIPE: Seeded,
    "pictures are not deformed": lambda seed, data: Seeded(seed, data, deform=False),
    "the official loss of the estimator": Official,
    "PyTorch's first weights": Quiet,
    "style pooled by the mean": lambda seed, data: Seeded(seed, data, pool="mean"),
}


def run(name: str, seed: int, minutes: float, data: Path) -> dict[str, dict[str, float]]:
    """Trains a variant; its scores, and for the recipe those of other ways to use it."""
    recipe = VARIANTS[name](seed, data)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"minutes": minutes, "seed": seed, "every": 1e9, "show": False}
        best = train(recipe, folder, **settings, now=time.process_time)
    model = best["sketchedit"].eval()
    rows = {name: score(model, data)}
    if name == RECIPE:
        true = judged(data).region
        rows[f"{name}, in a box around the region"] = pictured(model, data, sketching.box(true))
        rows[f"{name}, style vector zeroed"] = pictured(model, data, true.float(), styled=False)
    return {key: rounded(row) for key, row in rows.items()}


@lru_cache(maxsize=1)
def judged(data: Path) -> Edits:
    """The edits by which all are scored, those that change something."""
    found = bank(JUDGED, 2 * SIZE, EVALUATION_SEED, folder=data)
    edits = sketching.edited(unpack(found.images), found.layouts.long())
    change = edits.region.flatten(1).any(1)
    return Edits(*(x[change] for x in edits))


@torch.no_grad()
def score(model: SketchEdit, data: Path) -> dict[str, float]:
    """What the table shows."""
    edits = judged(data)
    soft = sketching.found(model, edits)
    return {
        "iou": overlap(soft > 0.5, edits.region).mean().item(),
        "share": (soft > 0.5).float().mean().item(),
        **pictured(model, data, edits.region.float()),
    }


@torch.no_grad()
def pictured(
    model: SketchEdit, data: Path, region: Tensor, styled: bool = True
) -> dict[str, float]:
    """What the table shows of pictures that are made in this region (N, 1, S, S)."""
    edits = judged(data)
    true = edits.region.float()
    made = sketching.redrawn(model, edits, region, styled)
    compared = sketching.compared(made, edits)
    share = true.sum((2, 3)).clamp(min=1)
    tint = ((made - edits.target) * true).sum((2, 3)) / share  # (N, 3)
    return {
        "psnr": compared["inside"]["psnr"],
        "lpips": compared["inside"]["lpips"],
        "frechet": compared["frechet"],
        "colour": tint.norm(dim=1).mean().item(),
    }


if __name__ == "__main__":
    compare(report.SKETCH_ABLATION, VARIANTS, run, {"size": SIZE, "faces": FACES})
