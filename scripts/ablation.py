"""What helps SPADE most in a minute: variants of the recipe at 64², each as long by the processor.

    python scripts/ablation.py --data DIR [--minutes 3] [--seed 0] [VARIANT ...]

Adds to training/ablation.json, from which TRAINING.md's table is made, what is not there yet.
Needs SEMEDIT_TEACHERS. One thread each, and minutes of processor time, so that other work on the
machine changes nothing; several seeds may run side by side.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.errors import InputError
from semedit_lite.evaluation import report
from semedit_lite.evaluation.frechet import frechet_distance
from semedit_lite.evaluation.painting import agreement, paint_all, styles
from semedit_lite.evaluation.run import rounded
from semedit_lite.hub import write_beside
from semedit_lite.images import resize_layout
from semedit_lite.labels import FACE, IGNORE
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import PRESETS, GauGAN, draw_style
from semedit_lite.teachers import MISSING, teachers
from semedit_lite.training.perceptual import perceptual_loss
from semedit_lite.training.recipes.spade import SpadeRecipe
from semedit_lite.training.trainer import Average, train

SIZE, JUDGED, STYLED = 64, 256, 64
FIRST, FACES = 3500, 3000  # seeds of the faces that are trained on: the first, and how many
RECIPE = "the recipe"


class Augmented(MultiScaleDiscriminator):
    """Sees pictures moved by up to an eighth and in other light (Zhao et al. 2020, 2006.10738), the
    fake and the real one of a layout in the same way, so that their features still match."""

    def pair(self, layout: Tensor, fake: Tensor, real: Tensor):
        b, size = len(layout), layout.shape[-1]
        most = size // 8
        corner = torch.randint(2 * most + 1, (b, 2)).tolist()

        def move(x: Tensor, value: float) -> Tensor:  # (B, ..., S, S)
            wide = F.pad(x, (most,) * 4, value=value)
            cuts = [
                one[..., y : y + size, x : x + size]
                for one, (y, x) in zip(wide, corner, strict=True)
            ]
            return torch.stack(cuts)

        light, contrast = torch.rand(2, b, 1, 1, 1, device=fake.device) - 0.5

        def relight(x: Tensor) -> Tensor:
            mean = x.mean((1, 2, 3), keepdim=True)
            return (x - mean) * (1 + contrast) + mean + light

        return super().pair(move(layout, IGNORE), *(move(relight(x), 0) for x in (fake, real)))


def without_spectral_norm(network: nn.Module) -> nn.Module:
    """The network with the plain weights that were under spectral norm."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    return network


def same(network: nn.Module) -> nn.Module:
    return network


def lpips(fake: Tensor, real: Tensor) -> Tensor:
    """LPIPS on SqueezeNet as a loss, scaled so that it begins as large as that on VGG-19."""
    return 2 * teachers().lpips(fake, real)


@dataclass(frozen=True)
class Variant:
    """How a training differs from the recipe."""

    network: dict[str, Any] = field(default_factory=dict)  # arguments of GauGAN
    recipe: dict[str, Any] = field(default_factory=dict)  # arguments of SpadeRecipe
    perceptual: Callable[[], Any] = lambda: perceptual_loss("teachers")
    discriminator: type[MultiScaleDiscriminator] = MultiScaleDiscriminator
    norms: tuple[Callable, Callable] = (same, same)  # of GauGAN and discriminator


VARIANTS = {
    RECIPE: Variant(),
    "no perceptual loss": Variant(perceptual=lambda: None),
    "LPIPS as perceptual loss": Variant(perceptual=lambda: lpips),
    "no feature matching": Variant(recipe={"feature_matching": 0.0}),
    "instance norm in G": Variant(network={"norm": "instance"}),
    "hidden width 16": Variant(network={"hidden": 16}),
    "hidden width 64": Variant(network={"hidden": 64}),
    "augmented discriminator": Variant(discriminator=Augmented),
    "batches of 32": Variant(recipe={"batch_size": 32}),
    "spectral norm in D alone": Variant(norms=(without_spectral_norm, same)),
    "no spectral norm": Variant(norms=(without_spectral_norm, without_spectral_norm)),
}
# Looked at in the recipe's own runs: other averages of the same weights.
LAST, LONGER = "no average: the last weights", "average over a third of the run"


class Longer(Average):
    """An average whose memory is a third of the steps so far; the trainer's is a tenth."""

    def update(self, step: int) -> None:
        self.decay = step / (step + 3)
        super().update(10**9)


class Watched(SpadeRecipe):
    """The recipe, with batches of its own for each seed and a second average of the weights."""

    def __init__(self, seed: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.first = 1_000_000 * seed
        self.longer, self.steps = Longer(self.networks, self.averaged, 0), 0

    def batch(self, step: int) -> dict[str, Tensor]:
        return super().batch(self.first + step)

    def generator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.longer.update(self.steps)  # the weights before this step
        self.steps += 1
        return super().generator_loss(batch)

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        return {}  # scored once, at the end

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        return self.held_images[:4]


def build(variant: Variant, seed: int, data: Path) -> Watched:
    """The recipe of a variant."""
    torch.manual_seed(seed)
    found = bank(FACES, SIZE, FIRST, folder=data)
    network = GauGAN(classes=len(FACE), size=SIZE, **PRESETS["lite"] | variant.network)
    discriminator = variant.discriminator(classes=len(FACE), width=32, max_width=256)
    return Watched(
        seed,
        name="ablation",
        network=variant.norms[0](network),
        discriminator=variant.norms[1](discriminator),
        labels=FACE,
        train=(found.images, found.layouts),
        held_out=(found.images[:4], found.layouts[:4]),
        **{"rates": (2e-4, 4e-4), "perceptual": variant.perceptual()} | variant.recipe,
    )


@torch.no_grad()
def score(model: GauGAN, data: Path) -> dict[str, float]:
    """What the table shows of a painter, on evaluation seeds with random styles."""
    judge = teachers()
    found = bank(2 * JUDGED, SIZE, EVALUATION_SEED, folder=data)
    images, layouts = unpack(found.images), found.layouts.long()
    z = draw_style(JUDGED, model.z_dim, "cpu", Generator().manual_seed(EVALUATION_SEED))
    painted = paint_all(model, layouts[:JUDGED], z)
    seen = torch.cat([judge.parse(part) for part in painted.split(8)])
    obeyed = agreement(resize_layout(seen, SIZE), layouts[:JUDGED])
    distance = frechet_distance(judge.frechet_features(painted), others(data))
    style = styles(model, images, layouts, STYLED, judge)
    return {
        "accuracy": obeyed["accuracy"],
        "miou": obeyed["miou"],
        "frechet": distance,
        "own_colour": style["colour_to_own_photo"],
        "variety": style["lpips_between_styles"],
    }


@lru_cache(maxsize=1)
@torch.no_grad()
def others(data: Path) -> Tensor:
    """Features of JUDGED other faces."""
    images = bank(2 * JUDGED, SIZE, EVALUATION_SEED, folder=data).images[JUDGED:]
    return teachers().frechet_features(unpack(images))


def run(name: str, seed: int, minutes: float, data: Path) -> dict[str, dict[str, float]]:
    """Trains a variant; its scores, and in the recipe's own runs those of other averages."""
    recipe = build(VARIANTS[name], seed, data)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"minutes": minutes, "seed": seed, "every": 1e9, "show": False}
        best = train(recipe, folder, **settings, now=time.process_time)
        rows = (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    cost = {"pictures": json.loads(rows[-1])["images"]}
    painters = {name: best["gaugan"]}
    if name == RECIPE:
        recipe.longer.update(recipe.steps)
        painters |= {LAST: recipe.gaugan, LONGER: recipe.longer.networks["gaugan"]}
    found = {}
    for key, painter in painters.items():
        recipe.renew_statistics(painter)
        found[key] = rounded(cost | score(painter.eval(), data))
    return found


def compare(
    out: Path,
    variants: Mapping[str, Any],
    run: Callable[[str, int, float, Path], dict[str, dict[str, float]]],
    about: dict[str, Any],
) -> None:
    """Runs what the command line asks for, unless it is in the file `out` already: `run` gives the
    rows of a variant, by the number of its seed, minutes and folder of faces; `about` stands in
    the file, too."""
    parser = argparse.ArgumentParser()
    parser.add_argument("variant", nargs="*", choices=[*variants, []], help="default: all")
    parser.add_argument("--data", type=Path, required=True, help="cache of `semedit data faces`")
    parser.add_argument("--minutes", type=float, default=3, help="of processor time, each (3)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=out)
    arguments = parser.parse_args()
    if teachers() is None:
        raise SystemExit(f"The variants are judged by the teachers: {MISSING}.")
    torch.set_num_threads(1)
    for name in arguments.variant or variants:
        if arguments.out.is_file() and done(arguments, name):
            continue
        found = run(name, arguments.seed, arguments.minutes, arguments.data)
        table = about | read(arguments)  # anew: another seed may have been added meanwhile
        for key, scores in found.items():
            table["runs"].setdefault(key, {})[str(arguments.seed)] = scores
        text = json.dumps(table, indent=2, ensure_ascii=False) + "\n"
        write_beside(arguments.out, lambda path, text=text: path.write_text(text, "utf-8"))
        print(f"{name}, seed {arguments.seed}: {found[name]}", flush=True)
    report.update()


def read(arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures so far; InputError where they are of runs of another length."""
    if not arguments.out.is_file():
        return {"minutes": arguments.minutes, "runs": {}}
    table = json.loads(arguments.out.read_text(encoding="utf-8"))
    if table["minutes"] != arguments.minutes:
        raise InputError(f"'{arguments.out}' holds runs of {table['minutes']:g} minutes.")
    return table


def done(arguments: argparse.Namespace, name: str) -> bool:
    return str(arguments.seed) in read(arguments)["runs"].get(name, {})


if __name__ == "__main__":
    compare(report.ABLATION, VARIANTS, run, {"size": SIZE, "faces": FACES})
