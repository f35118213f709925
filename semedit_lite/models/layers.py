"""What two or more of the papers share: what a painter is, rows of a latent, spectral norm,
initialisation, norms, PatchGANs."""

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from semedit_lite.errors import InputError
from semedit_lite.labels import one_hot


@runtime_checkable
class Painter(Protocol):
    """What the editor and the evaluation ask of a network that paints layouts: beside these
    three, `painter(layout, z)` makes of ids (B, H, W) of any size and style codes (B, z_dim)
    pictures (B, 3, size, size) in [-1, 1]."""

    size: int  # side of its pictures
    z_dim: int  # of its style codes

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] of any size -> mean and log variance (B, z_dim)."""


def latent_rows(w: Tensor, count: int, width: int) -> Tensor:
    """The latent of a style-based generator: w (B, width), or W+ as it is -> W+ (B, count, width),
    a row for each of its layers."""
    if w.ndim == 2 and w.shape[1] == width:
        return w[:, None].expand(-1, count, -1)
    if w.ndim == 3 and w.shape[1:] == (count, width):
        return w
    raise InputError(
        f"A latent has the shape (B, {width}) or (B, {count}, {width}), not {tuple(w.shape)}."
    )


def full_precision(device: torch.device) -> AbstractContextManager:
    """A context without autocast, on devices that have it; "meta" has none."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value (Miyato et al. 2018, algorithm 1).

    Each forward in training makes one power iteration; in evaluation the stored u and v are used
    as they are. Order and epsilon are those of the legacy `torch.nn.utils.spectral_norm`, so that
    the u and v of released checkpoints keep their meaning. Unlike torch's own two versions it
    stays in float32 under autocast.
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)  # (out, in * kernel * kernel)
        self.register_buffer("u", F.normalize(torch.randn_like(matrix[:, 0]), dim=0))
        self.register_buffer("v", F.normalize(torch.randn_like(matrix[0]), dim=0))
        self.iterate(weight, 5)

    @torch.no_grad()
    def iterate(self, weight: Tensor, times: int) -> None:
        """Power iterations: u and v move towards the first singular vectors of `weight`."""
        matrix = weight.flatten(1)
        with full_precision(weight.device):
            for _ in range(times):
                self.v.copy_(F.normalize(matrix.T @ self.u, dim=0, eps=1e-12))
                self.u.copy_(F.normalize(matrix @ self.v, dim=0, eps=1e-12))

    def forward(self, weight: Tensor) -> Tensor:
        if self.training:
            self.iterate(weight, 1)
        # A copy each, because a second forward changes u and v before the first one's backward.
        u, v = self.u.clone(), self.v.clone()
        with full_precision(weight.device):
            return weight / (u @ (weight.flatten(1) @ v))


def spectral_norm(layer: nn.Module) -> nn.Module:
    """Puts `SpectralNorm` on the weight of a convolution or a linear layer."""
    parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer


def legacy_spectral(key: str) -> str:
    """A state dict's key of the legacy `torch.nn.utils.spectral_norm` -> that of `spectral_norm`;
    any other key as it is."""
    key = re.sub(r"\bweight_orig$", "parametrizations.weight.original", key)
    return re.sub(r"\bweight_([uv])$", r"parametrizations.weight.0.\1", key)


def initialise(network: nn.Module, gain: float = 0.02) -> None:
    """Xavier normal weights and zero biases in every convolution and linear layer.

    A weight under spectral norm is reached through its parametrisation: writing to `.weight`
    would change a temporary. Its u and v are then found anew.
    """
    for module in network.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        if parametrize.is_parametrized(module, "weight"):
            chain = module.parametrizations.weight
            nn.init.xavier_normal_(chain.original, gain)
            chain[0].iterate(chain.original, 5)
        else:
            nn.init.xavier_normal_(module.weight, gain)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def plain_norm(kind: str, channels: int) -> nn.Module:
    """A normalisation without parameters: "batch" (running statistics, as SyncBN on one device)
    or "instance" (each picture by itself, the same in training and in use)."""
    kinds = {"batch": nn.BatchNorm2d, "instance": nn.InstanceNorm2d}
    if kind not in kinds:
        raise InputError(f"There is no normalisation {kind!r}; choose 'batch' or 'instance'.")
    return kinds[kind](channels, affine=False)


class PatchDiscriminator(nn.Module):
    """PatchGAN: judges overlapping patches, and shows its features on the way (Isola et al. 2017,
    with the spectral and instance norms of SPADE, appendix A).

    (B, C, H, W) -> one map per layer after its activation, then the logits (B, 1, h, w)
    """

    def __init__(
        self,
        *,
        inputs: int,  # channels of picture and condition together
        width: int = 64,  # channels of the first layer; doubled by each further one
        max_width: int = 512,
        strides: tuple[int, ...] = (2, 2, 2, 1),
    ) -> None:
        super().__init__()
        widths = [min(width << i, max_width) for i in range(len(strides))]
        first = nn.Conv2d(inputs, widths[0], 4, strides[0], padding=2)
        self.layers = nn.ModuleList([nn.Sequential(first, nn.LeakyReLU(0.2))])
        for narrow, wide, stride in zip(widths, widths[1:], strides[1:], strict=False):
            conv = nn.Conv2d(narrow, wide, 4, stride, padding=2, bias=False)
            layer = (spectral_norm(conv), nn.InstanceNorm2d(wide), nn.LeakyReLU(0.2))
            self.layers.append(nn.Sequential(*layer))
        self.layers.append(nn.Sequential(nn.Conv2d(widths[-1], 1, 4, 1, padding=2)))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.layers:
            x = layer(x)  # (B, C, h, w) -> with stride 2 (B, 2C, h/2 + 1, w/2 + 1), up to max_width
            maps.append(x)
        return maps


class MultiScaleDiscriminator(nn.Module):
    """The same kind of PatchGAN on the picture and on its halves (pix2pixHD, section 3.2).

    layout (B, H, W), image (B, 3, H, W) -> for each scale the list of `PatchDiscriminator`: its
    features, then its logits. Four layers, the last with stride 1 (the first official release
    had three, which its author called an error).
    """

    def __init__(
        self,
        *,
        classes: int,
        scales: int = 2,
        width: int = 64,
        max_width: int = 512,
        strides: tuple[int, ...] = (2, 2, 2, 1),
    ) -> None:
        super().__init__()
        self.classes = classes
        self.scales = nn.ModuleList(
            PatchDiscriminator(
                inputs=classes + 3, width=width, max_width=max_width, strides=strides
            )
            for _ in range(scales)
        )
        initialise(self)

    def forward(self, layout: Tensor, image: Tensor) -> list[list[Tensor]]:
        x = torch.cat([one_hot(layout, self.classes), image], 1)  # (B, K + 3, H, W)
        outputs = []
        for i, discriminator in enumerate(self.scales):
            if i:
                x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)  # half the side
            outputs.append(discriminator(x))
        return outputs

    def pair(
        self, layout: Tensor, fake: Tensor, real: Tensor
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """Outputs for fake and real pictures of one layout, from one pass over both."""
        outputs = self(torch.cat([layout, layout]), torch.cat([fake, real]))
        halves = [[x.chunk(2) for x in scale] for scale in outputs]
        fakes = [[half[0] for half in scale] for scale in halves]
        return fakes, [[half[1] for half in scale] for scale in halves]
