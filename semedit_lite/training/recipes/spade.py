"""SPADE with a style encoder (GauGAN), trained on pairs of pictures and layouts.

Adversarial hinge, feature matching, perceptual and KL losses, two time-scale Adam and the order of
the steps are those of the official code (arXiv 1903.07291, section 3 and appendix A).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from semedit_lite import losses
from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.data.warps import random_flip
from semedit_lite.faces.parse import face_parser, parse
from semedit_lite.labels import FACE, LabelSet
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import PRESETS, GauGAN, draw_style, reparametrise
from semedit_lite.training.perceptual import Perceptual, perceptual_loss, resolve

FEATURE_MATCHING = PERCEPTUAL = 10.0
KL = 0.05
SHOWN = 6  # columns and rows of the preview
JUDGED = 32  # held-out pictures that are scored while it trains

Pairs = tuple[Tensor, Tensor]  # images (N, 3, S, S), layouts (N, S, S), both uint8
Judge = Callable[[Tensor], Tensor]  # pictures (B, 3, S, S) -> the layouts seen in them (B, S, S)


def spade_faces(
    size: int,  # 64 or 128
    device: str = "cpu",
    data: str | Path | None = None,
    count: int | None = None,  # faces; 6,000 on a CPU, 30,000 on a GPU
    perceptual: str = "auto",
) -> "SpadeRecipe":
    """`semedit train spade-faces-64` and `-128`: on generated faces, kept in the folder `data`.

    `perceptual` is one of `training.perceptual.SOURCES`. TRAINING.md has what trainings cost. The
    weights for both sizes have the same shapes: begin 128² with the slim file of 64², which
    paints at that size from the first step.
    """
    count = count or (6_000 if device == "cpu" else 30_000)
    source = resolve(perceptual)
    distance = perceptual_loss(source, device)  # first: what is missing shows before the wait
    train = bank(count, size, 0, device, data)
    held_out = bank(JUDGED, size, EVALUATION_SEED, device, data)
    classes = len(FACE)
    return SpadeRecipe(
        name=f"spade-faces-{size}",
        network=GauGAN(
            classes=classes,
            size=size,
            upsampling={64: "normal", 128: "more"}[size],
            **PRESETS["lite"],
        ),
        discriminator=MultiScaleDiscriminator(classes=classes, width=32, max_width=256),
        labels=FACE,
        train=(train.images, train.layouts),
        held_out=(held_out.images, held_out.layouts),
        device=device,
        batch_size=8 if (size, device) == (128, "cpu") else 16,
        rates=(2e-4, 4e-4),  # the generator's is twice the official one: the time is short
        perceptual=distance,
        judge=lambda pictures: parse(pictures, parser=face_parser(device)),
        settings={"faces": count, "perceptual loss": source},
    )


class SpadeRecipe:
    """GauGAN and its discriminator on any pairs, half of which are mirrored.

    A step is the generator's and the encoder's, then the discriminator's, on the same batch; the
    latter paints its own fakes, without gradients but in training mode.
    """

    averaged = ("gaugan",)

    def __init__(
        self,
        *,
        name: str,
        network: GauGAN,
        discriminator: MultiScaleDiscriminator,
        labels: LabelSet,
        train: Pairs,
        held_out: Pairs,
        device: str = "cpu",
        batch_size: int = 16,
        rates: tuple[float, float] = (1e-4, 4e-4),  # of generator and encoder, of discriminator
        feature_matching: float = FEATURE_MATCHING,  # its weight
        perceptual: Perceptual | None = None,
        judge: Judge | None = None,
        settings: dict[str, Any] | None = None,  # what the log shall say of all this
    ) -> None:
        self.name, self.labels, self.batch_size = name, labels, batch_size
        self.images, self.layouts = train
        self.held_images, self.held_layouts = unpack(held_out[0]), held_out[1].long()
        self.feature_matching, self.perceptual, self.judge = feature_matching, perceptual, judge
        self.settings = settings or {}
        self.device = device
        self.gaugan = network.to(device, memory_format=torch.channels_last)
        self.discriminator = discriminator.to(device, memory_format=torch.channels_last)
        self.networks = {"gaugan": self.gaugan, "discriminator": self.discriminator}
        self.optimisers = {
            key: torch.optim.Adam(net.parameters(), rate, betas=(0.0, 0.9))
            for (key, net), rate in zip(self.networks.items(), rates, strict=True)
        }
        self.losses = {"gaugan": self.generator_loss, "discriminator": self.discriminator_loss}

    def rate(self, progress: float) -> float:
        return min(1.0, 2 * (1 - progress))  # constant, then linear to zero from half time on

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator().manual_seed(step)
        chosen = torch.randint(len(self.images), (self.batch_size,), generator=rng)
        images, layouts = unpack(self.images[chosen]), self.layouts[chosen].long()
        images, layouts = random_flip(images, layouts, self.labels, rng)
        return {"image": images.to(memory_format=torch.channels_last), "layout": layouts}

    def reconstruct(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Pictures painted in the styles of the batch's own, and the KL divergence (B,) of these
        styles from the prior."""
        mean, log_variance = (x.float() for x in self.gaugan.encode(batch["image"]))
        z = reparametrise(mean, log_variance, torch.randn_like(mean))
        return self.gaugan(batch["layout"], z), losses.kl_divergence(mean, log_variance)

    def generator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(False)
        fake, kl = self.reconstruct(batch)
        fakes, reals = self.discriminator.pair(batch["layout"], fake, batch["image"])
        terms = {
            "g_gan": losses.hinge_generator(fakes),
            "g_features": self.feature_matching * losses.feature_matching(fakes, reals),
            "g_kl": KL * kl.mean(),  # the mean, so that its weight is that of any batch size
        }
        if self.perceptual is not None:
            terms["g_perceptual"] = PERCEPTUAL * self.perceptual(fake, batch["image"]).mean()
        return sum(terms.values()), detached(terms)

    def discriminator_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake, _ = self.reconstruct(batch)
        outputs = self.discriminator.pair(batch["layout"], fake, batch["image"])
        loss, terms = losses.hinge_discriminator(*outputs)
        return loss, detached(terms)

    @torch.no_grad()
    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """A row each: layout, photo, painted in its own style, in that of the next row's photo, in
        two random styles."""
        gaugan = networks["gaugan"]
        images, layouts = self.held_images[:SHOWN], self.held_layouts[:SHOWN]
        own = self.styles(gaugan, images)
        seeded = [self.random_styles(gaugan, 1, seed).expand_as(own) for seed in (0, 1)]
        columns = [self.labels.pictures(layouts), images]
        for z in (own, own.roll(-1, 0), *seeded):
            columns.append(self.paint(gaugan, layouts, z))
        return torch.stack(columns, 1).flatten(0, 1)

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """On held-out pairs: mean difference to the photo in its own style, between two random
        styles, and what the judge sees of the layout in random styles."""
        gaugan = networks["gaugan"]
        self.renew_statistics(gaugan)
        images, layouts = self.held_images[:JUDGED], self.held_layouts[:JUDGED]
        own = self.paint(gaugan, layouts, self.styles(gaugan, images))
        one, two = (
            self.paint(gaugan, layouts, self.random_styles(gaugan, len(layouts), seed))
            for seed in (0, 1)
        )
        result = {
            "own_difference": (own - images).abs().mean().item(),
            "style_difference": (one - two).abs().mean().item(),
        }
        if self.judge is not None:
            seen = self.judge(one.to(self.device)).cpu()
            found = scores(confusion(seen, layouts, len(self.labels)), self.labels)
            result |= {"accuracy": found["accuracy"], "miou": found["miou"]}
        return result

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        self.renew_statistics(networks["gaugan"])
        networks["gaugan"].save_pretrained(folder / self.name)

    @torch.no_grad()
    def renew_statistics(self, gaugan: GauGAN, pictures: int = 128) -> None:
        """Measures the batch norms' statistics anew, as the mean over some training pictures: the
        averaged weights have never seen those that they carry, which are the last weights'."""
        norms = [m for m in gaugan.modules() if isinstance(m, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean
            norm.train()
        rng = Generator().manual_seed(0)
        for step in range(-(-pictures // self.batch_size)):
            batch = self.batch(step)
            mean, log_variance = gaugan.encode(batch["image"].to(self.device))
            noise = torch.randn(mean.shape, generator=rng).to(self.device)
            gaugan(batch["layout"].to(self.device), reparametrise(mean, log_variance, noise))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()

    def styles(self, gaugan: GauGAN, images: Tensor) -> Tensor:
        return gaugan.encode(images.to(self.device))[0]

    def random_styles(self, gaugan: GauGAN, count: int, seed: int) -> Tensor:
        return draw_style(count, gaugan.z_dim, self.device, Generator().manual_seed(seed))

    def paint(self, gaugan: GauGAN, layouts: Tensor, z: Tensor) -> Tensor:
        return gaugan(layouts.to(self.device), z).float().cpu()


def detached(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in terms.items()}
