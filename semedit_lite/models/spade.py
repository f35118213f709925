"""SPADE / GauGAN: a layout becomes a picture (Park et al. 2019, arXiv 1903.07291).

Facts that the paper leaves open are taken from the official code and held to its numbers in
`tests/parity`. Inside the networks a layout is a map (B, K, H, W): one-hot, or soft
probabilities; the networks themselves take class ids and make the map.
"""

import math
import re
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.labels import one_hot
from semedit_lite.models.layers import initialise, legacy_spectral, plain_norm, spectral_norm

# Keyword arguments of `GauGAN`. `official` is the released configuration (section 4, appendix A).
# `lite` is made for two CPU cores: a cap on the channels, and hidden maps that shrink with the
# network (128 of them would be most of its cost). Both norms are "batch": instance norm takes the
# mean colour out of picture and style, and with it what most tells one style from another. The
# price is statistics, which a training must renew for its averaged weights. A style is colours and
# light, for which 64 pixels are enough at any size; and so the networks for 64 and 128 pixels have
# the same weights, and the larger one starts from the smaller one's.
PRESETS = {
    "lite": {
        "width": 32,
        "max_width": 96,
        "hidden": 32,
        "norm": "batch",
        "z_dim": 64,
        "encoder_size": 64,
        "encoder_width": 16,
        "encoder_norm": "batch",
    },
    "official": {
        "width": 64,
        "max_width": 1024,
        "hidden": 128,
        "norm": "batch",
        "z_dim": 256,
        "encoder_size": 256,
        "encoder_width": 64,
        "encoder_norm": "instance",
    },
}

# The generator's blocks: (channels as a multiple of the width, whether it doubles the size first).
PLANS = {
    "normal": ((16, 0), (16, 1), (16, 0), (8, 1), (4, 1), (2, 1), (1, 1)),
    "more": ((16, 0), (16, 1), (16, 1), (8, 1), (4, 1), (2, 1), (1, 1)),
    "most": ((16, 0), (16, 1), (16, 1), (8, 1), (4, 1), (2, 1), (1, 1), (0.5, 1)),
}


class Spade(nn.Module):
    """Normalises, then scales and shifts each pixel by what the layout shows there (eq. 1).

    features (B, C, h, w), map (B, K, H, W) -> (B, C, h, w)

    The scale is 1 + gamma, as in the official code; the paper prints gamma.
    """

    def __init__(
        self,
        *,
        channels: int,  # C
        classes: int,  # K
        hidden: int = 128,  # channels between the two convolutions
        norm: str = "batch",  # or "instance"
    ) -> None:
        super().__init__()
        self.norm = plain_norm(norm, channels)
        self.shared = nn.Conv2d(classes, hidden, 3, padding=1)
        self.gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, layout: Tensor) -> Tensor:
        layout = F.interpolate(layout, x.shape[2:], mode="nearest")  # (B, K, h, w)
        hidden = F.relu(self.shared(layout))  # (B, hidden, h, w)
        return self.norm(x) * (1 + self.gamma(hidden)) + self.beta(hidden)


class SpadeResBlock(nn.Module):
    """Residual block with a layout-dependent norm before each convolution (figure 4).

    features (B, inputs, h, w), map (B, K, H, W) -> (B, outputs, h, w)

    As in the official code the activation is LeakyReLU 0.2 (the paper draws ReLU), a learned
    shortcut has a norm but no activation, and only the block's own convolutions are under
    spectral norm (the paper says all layers).
    """

    def __init__(
        self,
        *,
        inputs: int,
        outputs: int,
        modulation: Callable[[int], nn.Module],  # channels -> norm module (features, map)
    ) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.norm_0, self.norm_1 = modulation(inputs), modulation(middle)
        self.conv_0 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
        self.conv_1 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
        self.learned_shortcut = inputs != outputs
        if self.learned_shortcut:
            self.norm_s = modulation(inputs)
            self.conv_s = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor, layout: Tensor) -> Tensor:
        y = self.conv_0(F.leaky_relu(self.norm_0(x, layout), 0.2))  # (B, middle, h, w)
        y = self.conv_1(F.leaky_relu(self.norm_1(y, layout), 0.2))  # (B, outputs, h, w)
        return y + (self.conv_s(self.norm_s(x, layout)) if self.learned_shortcut else x)


class SpadeGenerator(nn.Module):
    """Layout (B, H, W) -> picture (B, 3, size / aspect, size) in [-1, 1] (figure 4, appendix A).

    The layout may have any size: each norm takes its nearest pixels. The first map is made of the
    shrunk layout, or, where `z_dim` is given, of a style code z (B, z_dim); z = None draws it
    from `generator` (on the CPU, as the official code cannot).
    """

    def __init__(
        self,
        *,
        classes: int,
        size: int = 256,  # width of the picture
        aspect: float = 1.0,  # width / height
        upsampling: str = "normal",  # doublings: 5; "more" 6, "most" 7
        z_dim: int | None = None,
        width: int = 64,
        max_width: int = 1024,
        hidden: int = 128,
        norm: str = "batch",
    ) -> None:
        super().__init__()
        if upsampling not in PLANS:
            raise InputError(f"There is no plan {upsampling!r}; choose from {', '.join(PLANS)}.")
        plan = PLANS[upsampling]
        doublings = sum(up for _, up in plan)
        if size % 2**doublings:
            raise InputError(
                f"The size {size} must be a multiple of {2**doublings} with {upsampling!r} "
                "upsampling; choose another of the two."
            )
        self.classes, self.size, self.z_dim = classes, size, z_dim
        columns = size // 2**doublings
        self.start_size = (round(columns / aspect), columns)
        self.doubles = [bool(up) for _, up in plan]
        widths = [min(int(width * factor), max_width) for factor, _ in plan]
        if z_dim is None:
            self.start = nn.Conv2d(classes, widths[0], 3, padding=1)
        else:
            self.start = nn.Linear(z_dim, widths[0] * math.prod(self.start_size))
        modulation = partial(_modulation, classes=classes, hidden=hidden, norm=norm)
        self.blocks = nn.ModuleList(
            SpadeResBlock(inputs=a, outputs=b, modulation=modulation)
            for a, b in pairwise([widths[0], *widths])
        )
        self.to_image = nn.Conv2d(widths[-1], 3, 3, padding=1)
        initialise(self)

    def forward(
        self, layout: Tensor, z: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        layout = one_hot(layout, self.classes)  # (B, K, H, W)
        if self.z_dim is None:
            x = self.start(F.interpolate(layout, self.start_size, mode="nearest"))
        else:
            if z is None:
                z = draw_style(len(layout), self.z_dim, layout.device, generator)
            x = self.start(z).view(len(z), -1, *self.start_size)  # (B, C, h, w)
        for doubles, block in zip(self.doubles, self.blocks, strict=True):
            if doubles:
                x = F.interpolate(x, scale_factor=2, mode="nearest")  # (B, C, 2h, 2w)
            x = block(x, layout)
        return torch.tanh(self.to_image(F.leaky_relu(x, 0.2)))


def _modulation(channels: int, **settings: int | str) -> Spade:
    return Spade(channels=channels, **settings)


def draw_style(
    count: int, z_dim: int, device: torch.device | str, generator: Generator | None = None
) -> Tensor:
    """Style codes (count, z_dim) from the prior N(0, 1); with a seeded CPU `generator` they are
    the same on every device."""
    at = generator.device if generator is not None else device
    return torch.randn(count, z_dim, generator=generator, device=at).to(device)


class StyleEncoder(nn.Module):
    """Picture (B, 3, H, W) -> mean and log variance (B, z_dim) of its style code (appendix A).

    Any picture is resized to size x size, then halved down to 4 x 4 (six times from the official
    256; the official code fails below that). Shrinking is antialiased, which the official
    code's is not. `norm` is "instance" officially; it removes the mean of every channel and
    with it a tint of the whole picture, which "batch" keeps.
    """

    def __init__(
        self,
        *,
        size: int = 256,
        z_dim: int = 256,
        width: int = 64,
        max_width: int = 512,
        norm: str = "instance",
    ) -> None:
        super().__init__()
        halvings = int(math.log2(size)) - 2
        if halvings < 1 or size != 4 << halvings:
            raise InputError(f"The encoder's size must be a power of 2 from 8 up, not {size}.")
        self.size = size
        widths = [3] + [min(width << i, 8 * width, max_width) for i in range(halvings)]
        self.layers = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False)),
                plain_norm(norm, b),
            )
            for a, b in pairwise(widths)
        )
        self.mean = nn.Linear(widths[-1] * 16, z_dim)
        self.log_variance = nn.Linear(widths[-1] * 16, z_dim)
        initialise(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        if image.shape[2:] != (self.size, self.size):
            image = F.interpolate(image, (self.size,) * 2, mode="bilinear", antialias=True)
        x = self.layers[0](image)  # (B, width, size / 2, size / 2)
        for layer in self.layers[1:]:
            x = layer(F.leaky_relu(x, 0.2))  # half the side, up to twice the channels
        x = F.leaky_relu(x, 0.2).flatten(1)  # (B, C, 4, 4) -> (B, 16 C)
        return self.mean(x), self.log_variance(x)


def reparametrise(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """z = mean + noise * standard deviation, all (B, z_dim)."""
    return mean + noise * (0.5 * log_variance).exp()


class GauGAN(nn.Module, Pretrained):
    """Generator and style encoder: a layout in the style of a photo or of a random code.

    `GauGAN(classes=19, size=64, **PRESETS["lite"])`; the defaults are the official numbers.
    """

    def __init__(
        self,
        *,
        classes: int,
        size: int = 256,
        aspect: float = 1.0,
        upsampling: str = "normal",
        z_dim: int = 256,
        width: int = 64,
        max_width: int = 1024,
        hidden: int = 128,
        norm: str = "batch",
        encoder_size: int | None = None,  # None: the picture's, at most the official 256
        encoder_width: int = 64,
        encoder_norm: str = "instance",
    ) -> None:
        super().__init__()
        self.classes, self.size, self.z_dim = classes, size, z_dim
        self.generator = SpadeGenerator(
            classes=classes,
            size=size,
            aspect=aspect,
            upsampling=upsampling,
            z_dim=z_dim,
            width=width,
            max_width=max_width,
            hidden=hidden,
            norm=norm,
        )
        self.encoder = StyleEncoder(
            size=encoder_size or min(size, 256),
            z_dim=z_dim,
            width=encoder_width,
            max_width=max_width,
            norm=encoder_norm,
        )

    def forward(
        self, layout: Tensor, z: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Layout (B, H, W) of any size, style codes (B, z_dim) or None for random ones drawn from
        `generator` -> pictures (B, 3, size / aspect, size) in [-1, 1]."""
        return self.generator(layout, z, generator)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] of any size -> mean and log variance (B, z_dim)."""
        return self.encoder(image)


# Official key -> ours, in this order; the rest of a key is the same in both.
_OFFICIAL = (
    (r"\bparam_free_norm\b", "norm"),
    (r"\bmlp_shared\.0\b", "shared"),
    (r"\bmlp_(gamma|beta)\b", r"\1"),
    (r"^head_0\b", "blocks.0"),
    (r"^G_middle_(\d)\b", lambda m: f"blocks.{1 + int(m[1])}"),
    (r"^up_(\d)\b", lambda m: f"blocks.{3 + int(m[1])}"),
    (r"^fc\b", "start"),
    (r"^conv_img\b", "to_image"),
    (r"^layer(\d)\b", lambda m: f"layers.{int(m[1]) - 1}"),
    (r"^fc_mu\b", "mean"),
    (r"^fc_var\b", "log_variance"),
    (r"^discriminator_(\d)\b", r"scales.\1"),
    (r"\bmodel(\d)\.0(?:\.0)?\b", r"layers.\1.0"),
)


def official_key(key: str) -> str:
    """The key of the official code's state dict -> our key, for any network of this paper."""
    for pattern, ours in _OFFICIAL:
        key = re.sub(pattern, ours, key)
    return legacy_spectral(key)


def import_official(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Loads a state dict of the official code (legacy spectral norm and all) into `network`,
    strictly: RuntimeError where a key is left over, missing or of another shape."""
    network.load_state_dict({official_key(key): value for key, value in state.items()})
