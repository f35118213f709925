"""The U-Net painter's training: cVAE-GAN, the first half of BicycleGAN (arXiv 1711.11586,
section 3.2).
"""

from pathlib import Path

import torch
from semedit_lite.models.unet import UNetPainter
from torch import Generator, Tensor, nn

from semedit_lite import losses
from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.data.warps import random_flip
from semedit_lite.labels import FACE, LabelSet
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import reparametrise

L1, KL = 10.0, 0.01  # weights of the paper
JUDGED = 8  # held-out pictures

Pairs = tuple[Tensor, Tensor]  # images (N, 3, S, S), layouts (N, S, S), both uint8


def unet_faces(
    size: int, device: str = "cpu", data: str | Path | None = None, count: int = 24
) -> "UNetRecipe":
    """`semedit train unet-faces-32`: on `count` generated faces, kept in the folder `data`. Two
    CPU cores make some 30 steps a second."""
    train, held_out = (
        bank(number, size, seed, device, data)
        for number, seed in ((count, 0), (JUDGED, EVALUATION_SEED))
    )
    return UNetRecipe(
        name=f"unet-faces-{size}",
        painter=UNetPainter(classes=len(FACE), size=size, width=16, max_width=64, encoder_width=8),
        discriminator=MultiScaleDiscriminator(classes=len(FACE), scales=1, width=8, max_width=32),
        labels=FACE,
        train=(train.images, train.layouts),
        held_out=(held_out.images, held_out.layouts),
        device=device,
        rate=2e-3,  # ten times the official one: the time is short
    )


class UNetRecipe:
    """Painter, encoder and discriminator on any pairs of pictures and layouts.

    Deviations: one discriminator that also sees the layout, the hinge loss in place of least
    squares, as SPADE has them; no second half (random style -> picture -> the same style).
    """

    averaged = ("painter",)

    def __init__(
        self,
        *,
        name: str,
        painter: UNetPainter,
        discriminator: MultiScaleDiscriminator,
        labels: LabelSet,
        train: Pairs,
        held_out: Pairs,
        device: str = "cpu",
        batch_size: int = 8,
        rate: float = 2e-4,
    ) -> None:
        self.name, self.labels, self.batch_size = name, labels, batch_size
        self.train, self.settings = train, {"pictures": len(train[0])}
        self.held_out = unpack(held_out[0]).to(device), held_out[1].long().to(device)
        self.painter, self.discriminator = painter.to(device), discriminator.to(device)
        self.networks = {"painter": painter, "discriminator": discriminator}
        self.optimisers = {
            key: torch.optim.Adam(network.parameters(), rate, betas=(0.5, 0.999))
            for key, network in self.networks.items()
        }
        self.losses = {"painter": self.painter_loss, "discriminator": self.discriminator_loss}

    def rate(self, progress: float) -> float:
        return min(1.0, 2 * (1 - progress))

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator().manual_seed(step)
        chosen = torch.randint(len(self.train[0]), (self.batch_size,), generator=rng)
        images, layouts = (part[chosen] for part in self.train)
        images, layouts = random_flip(unpack(images), layouts.long(), self.labels, rng)
        return {"image": images, "layout": layouts}

    def painter_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(False)
        image, layout = batch["image"], batch["layout"]
        mean, log_variance = (x.float() for x in self.painter.encode(image))
        fake = self.painter(layout, reparametrise(mean, log_variance, torch.randn_like(mean)))
        terms = {
            "g_gan": losses.hinge_generator(self.discriminator(layout, fake)),
            "g_l1": L1 * (fake.float() - image).abs().mean(),
            "g_kl": KL * losses.kl_divergence(mean, log_variance).mean(),
        }
        return sum(terms.values()), {key: term.item() for key, term in terms.items()}

    def discriminator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = self.painter(batch["layout"], self.painter.encode(batch["image"])[0])
        judged = self.discriminator.pair(batch["layout"], fake, batch["image"])
        loss, terms = losses.hinge_discriminator(*judged)
        return loss, {key: term.item() for key, term in terms.items()}

    @torch.no_grad()
    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """A row each: layout, photo, painted in its style."""
        images, layouts = self.held_out
        columns = images.cpu(), self.repaint(networks["painter"]).cpu()
        return torch.stack([self.labels.pictures(layouts), *columns], 1).flatten(0, 1)

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Mean difference of held-out photos to what is painted in their styles."""
        painted = self.repaint(networks["painter"])
        return {"own_difference": (painted - self.held_out[0]).abs().mean().item()}

    def repaint(self, painter: UNetPainter) -> Tensor:
        images, layouts = self.held_out
        return painter(layouts, painter.encode(images)[0])

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["painter"].save_pretrained(folder / self.name)
