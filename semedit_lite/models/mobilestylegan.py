"""MobileStyleGAN (Belousov 2021, arXiv 2104.04767): photorealistic 1024 x 1024 faces on a CPU.

StyleGAN2 (1912.04958) made light in three ways: the network predicts the picture's Haar wavelets,
upsampling is an inverse Haar transform, and convolutions are depthwise separable with a
demodulation that does not depend on the style, so that it can be folded into the weights.

    z --mapping--> w --one a layer--> W+ --synthesis--> picture

The released weights are those of FFHQ; `scripts/convert_mobilestylegan.py` made our checkpoint of
them. Ours alone are the heads: small networks that read a finished picture at 128, 256 or 512
pixels off an inner level, so that a small picture does not pay for a large one.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.models.layers import latent_rows

CHANNELS = (512, 512, 512, 512, 256, 128, 64)  # of the blocks at 8, 16, ... 512 pixels
ROWS = 16  # vectors of W+: the first convolution, two a block, the last readout
FULL = 1024


def inverse_haar(x: Tensor) -> Tensor:
    """Haar bands (B, 4C, h, w) -> what they are the bands of, (B, C, 2h, 2w).

    The first C channels are the low band; the others are C triples of the differences upper minus
    lower, left minus right, and across."""
    b, c4, h, w = x.shape
    low = x[:, : c4 // 4]  # (B, C, h, w)
    lh, hl, hh = x[:, c4 // 4 :].view(b, c4 // 4, 3, h, w).unbind(2)
    up, down, left, right = low + lh, low - lh, hl + hh, hl - hh
    quads = torch.stack([up + left, up - left, down + right, down - right], 2)  # (B, C, 4, h, w)
    return F.pixel_shuffle(quads.flatten(1, 2) / 2, 2)


def blocks_for(size: int) -> int:
    """How many blocks a picture of 128, 256, 512 or 1024 pixels needs: 4, 5, 6 or 7."""
    return size.bit_length() - 4


class Mapping(nn.Module):
    """z (B, 512) from N(0, I) -> w (B, 512): normalise, then eight layers."""

    def __init__(self, width: int = 512, depth: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.pow(2).mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2) * 2**0.5
        return x


class Modulation(nn.Module):
    """Scales each channel of x (B, C, h, w) by what the style w (B, 512) says."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Linear(512, channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return x * self.scale(w)[:, :, None, None]


class StyledConv(nn.Module):
    """Modulation, convolution, noise, bias, LeakyReLU: (B, c_in, size, size) -> c_out channels.

    The noise is one fixed picture a layer, as in the released weights."""

    def __init__(self, c_in: int, c_out: int, size: int, separable: bool = True) -> None:
        super().__init__()
        self.modulation = Modulation(c_in)
        if separable:
            depthwise = nn.Conv2d(c_in, c_in, 3, padding=1, groups=c_in, bias=False)
            self.conv = nn.Sequential(depthwise, nn.Conv2d(c_in, c_out, 1))
        else:
            self.conv = nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=1))
        self.register_buffer("noise", torch.zeros(1, 1, size, size))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        y = self.conv(self.modulation(x, w))  # (B, c_out, size, size)
        return F.leaky_relu(y + self.noise, 0.2)


class Block(nn.Module):
    """Doubles the side: (B, c_in, s, s) -> (B, c_out, 2s, 2s)."""

    def __init__(self, c_in: int, c_out: int, size: int) -> None:
        super().__init__()
        self.up = Modulation(c_in)
        self.conv1 = StyledConv(c_in // 4, c_out, size)
        self.conv2 = StyledConv(c_out, c_out, size)

    def forward(self, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        x = inverse_haar(self.up(x, first))  # (B, c_in / 4, 2s, 2s)
        return self.conv2(self.conv1(x, first), second)


class Readout(nn.Module):
    """The network's own end: features (B, C, s, s) -> picture (B, 3, 2s, 2s)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.modulation = Modulation(channels)
        self.bands = nn.Conv2d(channels, 12, 1)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return inverse_haar(self.bands(self.modulation(x, w)))


class Head(nn.Module):
    """Our early end: what the skipped blocks would paint, at the size of this level.

    features (B, C, s, s), style (B, 64) of the network's last readout -> picture (B, 3, 2s, 2s).
    The style is the generator's own: a head trained on some hundred faces could not learn 512
    dimensions of style by itself. The buffers bring both inputs to about unit size.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.register_buffer("feature_scale", torch.ones(channels))
        self.register_buffer("style_mean", torch.zeros(CHANNELS[-1]))
        self.register_buffer("style_scale", torch.ones(CHANNELS[-1]))
        self.linear = nn.Conv2d(channels, 12, 1)  # most of the picture is linear in the features
        self.narrow = nn.Conv2d(channels, width, 1)
        self.style1, self.style2 = (nn.Linear(CHANNELS[-1], width) for _ in range(2))
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.detail = nn.Conv2d(width, 12, 1)
        nn.init.zeros_(self.linear.weight)  # starts as a plain picture
        nn.init.zeros_(self.detail.weight)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        x = x * self.feature_scale[:, None, None]
        style = (style - self.style_mean) * self.style_scale
        scale1, scale2 = (
            (1 + 0.3 * layer(style))[:, :, None, None] for layer in (self.style1, self.style2)
        )  # (B, width, 1, 1)
        y = F.leaky_relu(self.narrow(x), 0.2)  # (B, width, s, s)
        z = F.leaky_relu(self.conv1(y * scale1), 0.2)
        y = y + F.leaky_relu(self.conv2(z), 0.2)
        return inverse_haar(self.linear(x) + self.detail(y * scale2))


class MobileStyleGAN(nn.Module, Pretrained):
    """w (B, 512) or W+ (B, 16, 512) -> picture (B, 3, size, size), about [-1, 1].

    Rows of W+: 0 the first convolution; 2i + 1 the upsampling and first convolution of block i,
    2i + 2 its second, i = 0 ... 6; 15 the last readout. Equal rows give the picture of one w.
    """

    def __init__(self, *, head_widths: tuple[int, int, int] = (96, 64, 32)) -> None:
        super().__init__()
        self.mapping = Mapping()
        self.register_buffer("mean_w", torch.zeros(512))  # of 2,000 random w, for the truncation
        self.start = nn.Parameter(torch.zeros(1, 512, 4, 4))
        self.conv1 = StyledConv(512, 512, 4, separable=False)
        inputs = (512, *CHANNELS[:-1])
        self.blocks = nn.ModuleList(
            Block(c_in, c_out, 8 << i)
            for i, (c_in, c_out) in enumerate(zip(inputs, CHANNELS, strict=True))
        )
        self.to_rgb = Readout(CHANNELS[-1])
        self.heads = nn.ModuleDict({  # picture size -> head on the block of half that size
            str(16 << i): Head(CHANNELS[i], width)
            for i, width in zip((3, 4, 5), head_widths, strict=True)
        })  # fmt: skip

    @property
    def sizes(self) -> tuple[int, ...]:
        """The picture sizes on offer: 128, 256, 512, 1024."""
        return (*map(int, self.heads), FULL)

    def truncate(self, w: Tensor, truncation: float) -> Tensor:
        """Moves w towards the mean face (StyleGAN, appendix B): 1 keeps it, 0 is the mean."""
        return self.mean_w + truncation * (w - self.mean_w)

    def levels(self, w: Tensor, count: int = 7) -> list[Tensor]:
        """The activations after the first convolution (4 pixels) and after each of the first
        `count` blocks (8, 16, ... pixels): 3,008 channels in all eight of them."""
        wp = self.rows(w)
        x = self.conv1(self.start.expand(len(wp), -1, -1, -1), wp[:, 0])
        maps = [x]
        for i, block in enumerate(self.blocks[:count]):
            x = block(x, wp[:, 2 * i + 1], wp[:, 2 * i + 2])
            maps.append(x)
        return maps

    @staticmethod
    def rows(w: Tensor) -> Tensor:
        """w (B, 512) or W+ (B, 16, 512) -> W+ (B, 16, 512)."""
        return latent_rows(w, ROWS, 512)

    def synthesis(self, w: Tensor, size: int = FULL) -> Tensor:
        """w or W+ -> picture (B, 3, size, size); size one of `sizes`, smaller is faster."""
        if size not in self.sizes:
            raise InputError(f"Faces come in the sizes {self.sizes}, not {size}.")
        wp = self.rows(w)
        return self.picture(self.levels(wp, blocks_for(size))[-1], wp, size)

    def picture(self, features: Tensor, w: Tensor, size: int) -> Tensor:
        """The features of the block at size / 2, and the latent they came from -> picture. Of the
        rows of W+ that no block has read only the last has an effect."""
        last = self.rows(w)[:, -1]
        if size == FULL:
            return self.to_rgb(features, last)
        return self.heads[str(size)](features, self.to_rgb.modulation.scale(last))

    def forward(self, z: Tensor, size: int = FULL, truncation: float = 1.0) -> Tensor:
        """z (B, 512) from N(0, I) -> picture (B, 3, size, size)."""
        return self.synthesis(self.truncate(self.mapping(z), truncation), size)

    def latents(self, seeds: Sequence[int], truncation: float = 0.7) -> Tensor:
        """The W+ (B, 16, 512) of some seeds, the same on every machine and in every batch."""
        z = [torch.randn(512, generator=Generator().manual_seed(seed)) for seed in seeds]
        w = self.truncate(self.mapping(torch.stack(z).to(self.mean_w)), truncation)
        return self.rows(w).contiguous()

    def sample(
        self, seeds: Sequence[int], size: int = 256, truncation: float = 0.7
    ) -> tuple[Tensor, Tensor]:
        """The faces of some seeds: pictures (B, 3, size, size) and W+ (B, 16, 512)."""
        rows = self.latents(seeds, truncation)
        return self.synthesis(rows, size), rows
