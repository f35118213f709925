"""SketchEdit, trained on faces that it deforms itself; no region is labelled.

The official training was never released. What its code shows of it is kept: the three kinds of
region of which the generator is given one at random, the holes in what the style is taken from, L1
on coarse and fine pictures, a hinge loss on what is laid together (models/editline2_model.py). Ours
are the pairs (`data/edits.py`), what the estimator learns from (`regret`), L1 and perceptual loss
on what is laid together, which the later official model has too, rates and weights; and the
discriminator's condition, which is sketch, region and the picture around it: the whole picture
before, as officially, would show it the answer where that is plain inpainting.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite import losses
from semedit_lite.data.edits import Edits, made_up
from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.data.masks import random_masks
from semedit_lite.data.sketches import colour_strokes
from semedit_lite.data.warps import random_flip
from semedit_lite.labels import FACE
from semedit_lite.metrics import overlap
from semedit_lite.models.sketchedit import (
    PRESETS,
    SketchDiscriminator,
    SketchEdit,
    regret,
)
from semedit_lite.training.perceptual import perceptual_loss, resolve

REGION, LAID, PERCEPTUAL, ADVERSARIAL = 10.0, 5.0, 1.0, 0.1  # weights; the others are 1
LITE_DISCRIMINATOR = {"width": 32, "multiples": (1, 2, 4, 4, 4)}
SHOWN, JUDGED = 8, 128  # held-out faces in the preview, and that are scored while it trains
INPAINT, SOFT, HARD = range(3)  # where a sample's region comes from


class SketchEditRecipe:
    """`semedit train sketchedit-faces-64` and `-128`: on generated faces, kept in folder `data`.

    `perceptual` is one of `training.perceptual.SOURCES`. Without `deform` the pictures stay as they
    are, and the region collapses. The weights for both sizes have the same shapes.
    """

    averaged = ("sketchedit",)

    def __init__(
        self,
        size: int,  # 64 or 128
        device: str = "cpu",
        data: str | Path | None = None,
        count: int | None = None,  # faces; 5,000 on a CPU, 20,000 on a GPU
        perceptual: str = "auto",
        deform: bool = True,
        pool: str = "max",
        batch_size: int | None = None,
    ) -> None:
        source = resolve(perceptual)
        self.perceptual = perceptual_loss(source, device)  # first: what is missing shows at once
        count = count or (5_000 if device == "cpu" else 20_000)
        self.name, self.size, self.device = f"sketchedit-faces-{size}", size, device
        self.deform = deform
        self.batch_size = batch_size or (8 if device == "cpu" else 32)
        self.settings = {"faces": count, "perceptual loss": source, "deform": deform, "pool": pool}
        faces, held_out = (  # twice as wide as the edits that are made up of them
            bank(n, 2 * size, seed, device, data)
            for n, seed in ((count, 0), (JUDGED, EVALUATION_SEED))
        )
        self.images, self.layouts = faces.images.to(device), faces.layouts.to(device)
        rng = Generator(device).manual_seed(EVALUATION_SEED)
        self.held_out = self.edits(held_out.images.to(device), held_out.layouts.to(device), rng)

        kind = {"device": device, "memory_format": torch.channels_last}
        self.sketchedit = SketchEdit(**PRESETS["lite"], pool=pool, size=size).to(**kind)
        inputs = 3 + self.sketchedit.strokes + 3 + 1
        self.discriminator = SketchDiscriminator(inputs=inputs, **LITE_DISCRIMINATOR).to(**kind)
        self.networks = {"sketchedit": self.sketchedit, "discriminator": self.discriminator}
        self.optimisers = {
            "estimator": torch.optim.Adam(self.sketchedit.estimator.parameters(), 1e-3),
            "generator": torch.optim.Adam(
                self.sketchedit.generator.parameters(), 8e-4, betas=(0.5, 0.9)
            ),
            "discriminator": torch.optim.Adam(
                self.discriminator.parameters(), 4e-4, betas=(0.0, 0.9)
            ),
        }
        self.losses = {
            "estimator": self.estimator_loss,
            "generator": self.generator_loss,
            "discriminator": self.discriminator_loss,
        }

    def rate(self, progress: float) -> float:
        return min(1.0, 2 * (1 - progress))  # constant, then linear to zero from half time on

    def edits(self, images: Tensor, layouts: Tensor, rng: Generator) -> Edits:
        shares = {} if self.deform else {"deform": 0.0, "recolour": 0.0}
        return made_up(unpack(images), layouts.long(), len(FACE), rng, **shares)

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator(self.device).manual_seed(step)
        b, like = self.batch_size, {"generator": rng, "device": self.device}
        chosen = torch.randint(len(self.images), (b,), **like)
        images, layouts = self.images[chosen], self.layouts[chosen]
        images, layouts = random_flip(images, layouts, FACE, rng)
        edits = self.edits(images, layouts, rng)
        small = layouts[:, ::2, ::2]
        masks = random_masks(small, rng)
        drawn = masks & (torch.rand((b, 1, 1, 1), **like) < 0.75)  # else nothing is asked for
        coloured = masks & (torch.rand((b, 1, 1, 1), **like) < 0.3)
        sketch = torch.cat([
            (edits.lines & drawn).float(), colour_strokes(edits.target, coloured, rng)
        ], 1)  # fmt: skip
        return {
            "image": edits.image,
            "sketch": edits.sketch,
            "target": edits.target,
            "kind": torch.randint(3, (b, 1, 1, 1), **like),
            "mask": masks.float(),  # of INPAINT, as is
            "mask_sketch": sketch,
            "kept": (~random_masks(small, rng)).float(),
        }

    def estimator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        image, target = batch["image"], batch["target"]
        logits, picture = self.sketchedit.estimator.heads(image, batch["sketch"])
        # For the others, as it comes: the gradient of a picture would move it where it helps to
        # cheat.
        batch["soft"] = torch.sigmoid(logits.detach())
        terms = {
            "m_picture": F.l1_loss(picture, target),
            "m_region": REGION * regret(logits, image, target),
        }
        return sum(terms.values()), named(terms)

    def generator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(False)
        soft, target = batch["soft"], batch["target"]
        # What is given: the picture as it was wanted and any region of it, or the deformed one and
        # the estimator's region, soft or hard.
        region = torch.where(batch["kind"] == SOFT, soft, (soft > 0.5).to(soft))
        inpaint = batch["kind"] == INPAINT
        region = torch.where(inpaint, batch["mask"], region)
        image = torch.where(inpaint, target, batch["image"])
        sketch = torch.where(inpaint, batch["mask_sketch"], batch["sketch"])
        coarse, fine = self.sketchedit.generator(image, sketch, region, region * batch["kept"])
        laid = lay(fine, image, region)
        batch["given"] = torch.cat([sketch, image * (1 - region), region], 1)
        batch["laid"] = laid.detach()
        fakes = self.discriminator(torch.cat([laid, batch["given"]], 1))
        terms = {
            "g_coarse": F.l1_loss(coarse, target),
            "g_fine": F.l1_loss(fine, target),
            "g_laid": LAID * F.l1_loss(laid, target),
            "g_gan": ADVERSARIAL * losses.hinge_generator([fakes]),
        }
        if self.perceptual is not None:
            terms["g_perceptual"] = PERCEPTUAL * self.perceptual(laid, target).mean()
        return sum(terms.values()), named(terms)

    def discriminator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(True)
        fakes, reals = (
            self.discriminator(torch.cat([picture, batch["given"]], 1))
            for picture in (batch["laid"], batch["target"])
        )
        loss, terms = losses.hinge_discriminator([fakes], [reals])
        return loss, named(terms)

    @torch.no_grad()
    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """A row each: what a person has and draws, the region that is found and the true one, what
        is made of it in each, and what was wanted."""
        rows = Edits(*(x[:SHOWN] for x in self.held_out))
        found, redrawn = self.edited(networks["sketchedit"], rows)
        true = rows.region.float()
        drawn = networks["sketchedit"].redraw(rows.image, rows.sketch, true)
        columns = [
            rows.image, shown(rows.sketch), grey(found), grey(true),
            redrawn, lay(drawn, rows.image, true), rows.target,
        ]  # fmt: skip
        return torch.stack(columns, 1).flatten(0, 1).cpu()

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """On held-out edits: the mean overlap of the regions, found and true, where something was
        to change; how much of the picture is found where nothing was; and the mean error inside the
        true region, of what is made and of leaving the picture as it was."""
        rows = self.held_out
        found, redrawn = self.edited(networks["sketchedit"], rows)
        change = rows.region.flatten(1).any(1)
        inside = rows.region.expand_as(rows.target)
        return {
            "region_iou": overlap(found > 0.5, rows.region)[change].mean().item(),
            "idle_share": (found > 0.5)[~change].float().mean().item(),
            "error_inside": (redrawn - rows.target)[inside].abs().mean().item(),
            "error_of_nothing": (rows.image - rows.target)[inside].abs().mean().item(),
        }

    def edited(self, network: SketchEdit, rows: Edits) -> tuple[Tensor, Tensor]:
        """The soft region, and the edited picture."""
        parts = [
            network(image, sketch)
            for image, sketch in zip(rows.image.split(32), rows.sketch.split(32), strict=True)
        ]
        redrawn, soft = (torch.cat(column) for column in zip(*parts, strict=True))
        return soft, redrawn

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["sketchedit"].save_pretrained(folder / self.name)


def named(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in terms.items()}


def lay(picture: Tensor, image: Tensor, region: Tensor) -> Tensor:
    return picture * region + image * (1 - region)


def grey(region: Tensor) -> Tensor:
    """A region (B, 1, S, S) in [0, 1] as a picture."""
    return region.expand(-1, 3, -1, -1) * 2 - 1


def shown(sketch: Tensor) -> Tensor:
    """A sketch (B, 5, S, S) as a picture: white lines and strokes of colour on grey."""
    return torch.where(sketch[:, :1] > 0, 1.0, sketch[:, 2:])
