"""StyleGAN2 (Karras et al. 2020, arXiv 1912.04958): a random code becomes a picture.

    z --mapping--> w --one a row--> W+ --convolutions--> activations --to_rgbs--> picture

"StyleGAN" below is its forerunner (1812.04948), "PG-GAN" the one before that (1710.10196): what the
paper keeps of them it does not explain again. Facts that all three leave open are taken from the
two official codes, NVIDIA's stylegan2-ada-pytorch and rosinality's stylegan2-pytorch, whose
weights `import_official` reads and whose numbers `tests/parity` holds. Where the code for training
in half precision differs (activations cut off at 256), and where classes are a condition, we do
not follow. The losses are in `losses.py`.
"""

import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.models.layers import latent_rows


def official_channels(size: int, width: int = 32768, max_width: int = 512) -> tuple[int, ...]:
    """The channels at 4, 8, ... `size` pixels (appendix B, configuration F of table 1): `width`
    over the side, at most `max_width`. Half the width is E and the smaller of NVIDIA's networks
    (below 512 pixels); rosinality's `channel_multiplier` 2 is 32768, 1 is 16384."""
    doublings = size.bit_length() - 3
    if doublings < 0 or size != 4 << doublings:
        raise InputError(f"The size of a picture must be a power of 2 from 4 up, not {size}.")
    return tuple(min(width // (4 << i), max_width) for i in range(doublings + 1))


# Resampling -----------------------------------------------------------------------------------

# The low-pass filter [1, 3, 3, 1] in both directions (appendix B; Zhang 2019, 1904.11486): StyleGAN
# had [1, 2, 1]. Its sum is 1.
FIR = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0])] * 2) / 64


def upfirdn(
    x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Tensor:
    """Puts `up` - 1 zeros behind each pixel, pads, filters, keeps every `down`-th pixel.

    x (B, C, h, w), kernel (k, k) -> (B, C, h', w'), h' = ceil((up h + sum(pad) - k + 1) / down)

    `pad` is before and behind, in both directions; what is negative crops. The filter is a
    convolution in the strict sense: the kernel is turned round."""
    b, c, h, w = x.shape
    if up > 1:
        x = F.pad(x[:, :, :, None, :, None], (0, up - 1, 0, 0, 0, up - 1))  # (B, C, h, up, w, up)
        x = x.reshape(b, c, h * up, w * up)
    kernel = kernel.to(x).flip(0, 1).expand(c, 1, -1, -1)
    return F.conv2d(F.pad(x, pad * 2), kernel, stride=down, groups=c)


def upsample(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 2h, 2w). Three of four pixels are zeros before the filter, hence 4."""
    return upfirdn(x, 4 * FIR, up=2, pad=(2, 1))


def downsample(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, h / 2, w / 2)."""
    return upfirdn(x, FIR, down=2, pad=(1, 1))


def resampling_conv(x: Tensor, weight: Tensor, resample: str | None = None) -> Tensor:
    """x (B, in, h, w), weight (out, in, k, k) -> (B, out, h, w), or with `resample` "up" or "down"
    (k = 3) twice or half the side. The filter comes behind a convolution that doubles, and before
    one that halves."""
    if resample == "up":
        y = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # (B, out, 2h + 1, 2w + 1)
        return upfirdn(y, 4 * FIR, pad=(1, 1))
    if resample == "down":
        x = upfirdn(x, FIR, pad=(2, 2))  # (B, in, h + 1, w + 1)
        return F.conv2d(x, weight, stride=2)
    return F.conv2d(x, weight, padding=weight.shape[-1] // 2)


# Layers ---------------------------------------------------------------------------------------


def activate(x: Tensor) -> Tensor:
    """LeakyReLU 0.2, times the square root of 2 to keep about the variance."""
    return F.leaky_relu(x, 0.2) * 2**0.5


class EqualLinear(nn.Module):
    """A linear layer of equalised learning rate (PG-GAN, section 4.1): its weights are stored as
    N(0, 1) and scaled where they are used, so that Adam moves all layers alike.

    (B, inputs) -> (B, outputs). At `rate` 0.01 all of it learns a hundred times more slowly.
    """

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.rate / math.sqrt(self.weight.shape[1])
        return F.linear(x, self.weight * scale, self.bias * self.rate)


class EqualConv(nn.Module):
    """A convolution of equalised learning rate: (B, inputs, h, w) -> (B, outputs, h, w), or half
    the side with `resample` "down"."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        resample: str | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.resample = resample
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        y = resampling_conv(x, equalised(self.weight), self.resample)
        return y if self.bias is None else y + self.bias[:, None, None]


def equalised(weight: Tensor) -> Tensor:
    """A convolution's weight (out, in, k, k) as it is used: over the square root of its inputs."""
    return weight / math.sqrt(weight[0].numel())


class ModulatedConv(nn.Module):
    """A convolution whose weights the style scales (section 2.2).

    x (B, inputs, h, w), w (B, latent) -> (B, outputs, h, w), or twice the side with "up"

    Eq. 1 scales the weights by s, an affine map of w, for each input channel; eq. 3 then divides
    them by their norm for each output channel, which takes the place of instance norm. The official
    codes make such weights for each sample and apply them as groups of one convolution. Scaling
    the input by s and the output by the inverse norm is the same, of one set of weights, and
    quicker on a CPU.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        latent: int,
        resample: str | None = None,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.resample, self.demodulate = resample, demodulate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.affine = EqualLinear(latent, inputs, bias=1.0)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        weight = equalised(self.weight)
        s = self.affine(w)  # (B, inputs)
        y = resampling_conv(x * s[:, :, None, None], weight, self.resample)
        if self.demodulate:
            power = s.square() @ weight.square().sum((2, 3)).T  # (B, outputs): squared norms
            y = y * (power + 1e-8).rsqrt()[:, :, None, None]
        return y


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias, activation (figure 2d): noise and bias come behind the
    demodulation, out of the style's reach (section 2.1).

    x (B, inputs, h, w), w (B, latent) -> (B, outputs, size, size). Noise has one channel, of which
    all get the same amount; where none is given it is the fixed one of this layer.
    """

    def __init__(self, inputs: int, outputs: int, size: int, latent: int, up: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv(inputs, outputs, 3, latent, "up" if up else None)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.randn(1, 1, size, size))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None = None) -> Tensor:
        noise = self.noise if noise is None else noise  # (1 or B, 1, size, size)
        return activate(self.conv(x, w) + self.strength * noise + self.bias[:, None, None])


class ToRGB(nn.Module):
    """Features (B, C, h, w), w (B, latent) -> their share of the picture (B, 3, h, w). The style
    scales the features but nothing is demodulated."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(channels, 3, 1, latent, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.conv(x, w) + self.bias[:, None, None]


class Mapping(nn.Module):
    """z (B, latent) from N(0, I) -> w (B, latent): to unit length per dimension (PG-GAN, section
    4.2), then linear layers that learn at 0.01 of the rate (StyleGAN, figure 1 and appendix C)."""

    def __init__(self, latent: int = 512, depth: int = 8) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EqualLinear(latent, latent, rate=0.01) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = activate(layer(x))
        return x


# Generator ------------------------------------------------------------------------------------


class StyleGAN2(nn.Module, Pretrained):
    """w (B, latent) or W+ (B, rows, latent) -> picture (B, 3, size, size), about [-1, 1].

    The skip generator (section 4.1, figure 7b): each resolution adds to the enlarged picture of
    the ones before. Rows of W+: i is that of `convs[i]`, which starts a resolution where i is odd;
    2i + 1 also that of `to_rgbs[i]`. Equal rows give the picture of one w; rows of two w's are
    style mixing (StyleGAN, section 3.1).

    Noise is the fixed one of each layer unless it is given; the official codes draw it anew by
    default. The defaults are the FFHQ network; `channels=official_channels(256, 16384)`, `depth=2`
    the smaller one that NVIDIA's code makes by itself.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int] = official_channels(1024),  # of the maps of 4, 8, ... size pixels
        latent: int = 512,  # of z and of w
        depth: int = 8,  # layers of the mapping
    ) -> None:
        super().__init__()
        self.latent, self.size = latent, 4 << len(channels) - 1
        self.mapping = Mapping(latent, depth)
        self.register_buffer("mean_w", torch.zeros(latent))  # until it is measured
        self.start = nn.Parameter(torch.randn(1, channels[0], 4, 4))
        self.convs = nn.ModuleList([StyledConv(channels[0], channels[0], 4, latent, up=False)])
        for i, (a, b) in enumerate(pairwise(channels)):
            self.convs.append(StyledConv(a, b, 8 << i, latent, up=True))
            self.convs.append(StyledConv(b, b, 8 << i, latent, up=False))
        self.to_rgbs = nn.ModuleList(ToRGB(c, latent) for c in channels)

    @torch.no_grad()
    def measure_mean(self, count: int = 4096) -> None:
        """Sets `mean_w` to the mean of w for `count` codes, always the same ones."""
        z = torch.randn(count, self.latent, generator=Generator().manual_seed(0))
        self.mean_w.copy_(self.mapping(z.to(self.mean_w)).mean(0))

    def truncate(self, w: Tensor, truncation: float) -> Tensor:
        """Moves w or W+ towards the mean w (StyleGAN, section 2.3, appendix B): 1 keeps it, 0 is
        the mean."""
        return self.mean_w + truncation * (w - self.mean_w)

    def rows(self, w: Tensor) -> Tensor:
        """w (B, latent) or W+ -> W+ (B, rows, latent): 2 log2(size) - 2 rows, 18 for 1024."""
        return latent_rows(w, len(self.convs) + 1, self.latent)

    def draw_noise(self, count: int, generator: Generator | None = None) -> list[Tensor]:
        """Noise (count, 1, side, side) for each of `convs`; with a seeded CPU `generator` it is the
        same on every device."""
        at = generator.device if generator is not None else self.mean_w.device
        return [
            torch.randn(count, 1, *conv.noise.shape[2:], generator=generator, device=at).to(
                self.mean_w
            )
            for conv in self.convs
        ]

    def activations(self, w: Tensor, noise: Sequence[Tensor] | None = None) -> list[Tensor]:
        """w or W+ -> all features: the constant of 4 pixels, then what each of `convs` gives, one
        map of 4 pixels and two of each further side. Twice as many as `channels`."""
        wp = self.rows(w)
        noise = [None] * len(self.convs) if noise is None else noise
        maps = [self.start.expand(len(wp), -1, -1, -1)]
        for conv, row, picture in zip(self.convs, wp[:, :-1].unbind(1), noise, strict=True):
            maps.append(conv(maps[-1], row, picture))
        return maps

    def picture(self, maps: Sequence[Tensor], w: Tensor) -> Tensor:
        """The features that `activations` gives, and their w or W+ -> picture."""
        wp = self.rows(w)
        image = self.to_rgbs[0](maps[1], wp[:, 1])  # (B, 3, 4, 4)
        for i, to_rgb in enumerate(self.to_rgbs[1:], 1):
            image = upsample(image) + to_rgb(maps[2 * i + 1], wp[:, 2 * i + 1])
        return image

    def synthesis(self, w: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """w or W+ -> picture (B, 3, size, size)."""
        return self.picture(self.activations(w, noise), w)

    def forward(
        self, z: Tensor, truncation: float = 1.0, noise: Sequence[Tensor] | None = None
    ) -> Tensor:
        """z (B, latent) from N(0, I) -> picture (B, 3, size, size)."""
        return self.synthesis(self.truncate(self.mapping(z), truncation), noise)


# Discriminator --------------------------------------------------------------------------------


class ResidualBlock(nn.Module):
    """(B, inputs, h, w) -> (B, outputs, h / 2, w / 2) (figure 7c); the sum is divided by the
    square root of 2 to keep its variance."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = EqualConv(inputs, inputs, 3)
        self.conv2 = EqualConv(inputs, outputs, 3, "down")
        self.skip = EqualConv(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = activate(self.conv2(activate(self.conv1(x))))
        return (y + self.skip(downsample(x))) / 2**0.5


def minibatch_deviation(x: Tensor, group: int = 4) -> Tensor:
    """Adds a channel that tells how much the pictures of a group differ (PG-GAN, section 3): the
    standard deviation over the group, its mean over all features.

    (B, C, h, w) -> (B, C + 1, h, w). A group is every (B / group)-th picture, as in the official
    codes. Where B is no multiple of 4 they fail; here groups are as large as B allows.
    """
    b, c, h, w = x.shape
    group = next(size for size in range(min(group, b), 0, -1) if b % size == 0)
    y = x.reshape(group, b // group, c, h, w)
    deviation = (y.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (B / group,)
    return torch.cat([x, deviation.repeat(group)[:, None, None, None].expand(b, 1, h, w)], 1)


class StyleGAN2Discriminator(nn.Module):
    """Picture (B, 3, size, size) -> logit (B, 1), high for a real one: the residual discriminator
    (section 4.1, figure 7c), without any norm. The defaults are those of the FFHQ network."""

    def __init__(
        self,
        *,
        channels: Sequence[int] = official_channels(1024),  # of the maps of 4, 8, ... size pixels
    ) -> None:
        super().__init__()
        self.size = 4 << len(channels) - 1
        widths = channels[::-1]  # fine to coarse
        self.from_rgb = EqualConv(3, widths[0], 1)
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(widths))
        self.conv = EqualConv(widths[-1] + 1, widths[-1], 3)
        self.hidden = EqualLinear(widths[-1] * 16, widths[-1])
        self.out = EqualLinear(widths[-1], 1)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (3, self.size, self.size):
            raise InputError(
                f"This discriminator judges pictures (B, 3, {self.size}, {self.size}), not "
                f"{tuple(image.shape)}."
            )
        x = activate(self.from_rgb(image))  # (B, C, size, size)
        for block in self.blocks:
            x = block(x)  # half the side
        x = activate(self.conv(minibatch_deviation(x)))  # (B, C, 4, 4)
        return self.out(activate(self.hidden(x.flatten(1))))


# Released weights -----------------------------------------------------------------------------


def _shift(template: str, by: int) -> Callable[[re.Match], str]:
    """A replacement: the template with the match's number, plus `by`, in it."""
    return lambda match: template.format(int(match[1]) + by)


def _level(side: str) -> int:
    """0 for 4 pixels, 1 for 8 ..."""
    return int(side).bit_length() - 3


# Official key -> ours, in this order; the rest of a key is the same in both.
_OFFICIAL = (
    # rosinality's generator
    (r"^style\.(\d+)", _shift("mapping.layers.{}", -1)),
    (r"^latent_avg$", "mean_w"),  # lies beside the state dict in a checkpoint
    (r"^input\.input$", "start"),
    (r"^convs\.(\d+)(?=\.(?:conv|noise|activate)\.)", _shift("convs.{}", 1)),
    (r"^conv1(?=\.(?:conv|noise|activate)\.)", "convs.0"),
    (r"^noises\.noise_(\d+)$", r"convs.\1.noise"),
    (r"^to_rgbs\.(\d+)", _shift("to_rgbs.{}", 1)),
    (r"^to_rgb1\b", "to_rgbs.0"),
    (r"\bnoise\.weight$", "strength"),
    (r"\bactivate\.bias$", "bias"),
    (r"\bmodulation\b", "affine"),
    # rosinality's discriminator
    (r"^convs\.0\.\d\b", "from_rgb"),
    (r"^convs\.(\d+)(?=\.(?:conv[12]|skip)\.)", _shift("blocks.{}", -1)),
    (r"\b(conv[12]|skip)\.\d\b", r"\1"),
    (r"^final_conv\.\d\b", "conv"),
    (r"^final_linear\.0\b", "hidden"),
    (r"^final_linear\.1\b", "out"),
    # NVIDIA's generator: layers are named by the side of their maps
    (r"^mapping\.fc", "mapping.layers."),
    (r"^mapping\.w_avg$", "mean_w"),
    (r"^synthesis\.b4\.const$", "start"),
    (
        r"^synthesis\.b(\d+)\.conv([01])\b",
        lambda m: f"convs.{2 * _level(m[1]) - 1 + int(m[2])}",
    ),
    (r"^synthesis\.b(\d+)\.torgb\b", lambda m: f"to_rgbs.{_level(m[1])}"),
    (r"^((?:convs|to_rgbs)\.\d+)\.(weight|affine)\b", r"\1.conv.\2"),
    (r"\bnoise_strength$", "strength"),
    (r"\bnoise_const$", "noise"),
    # NVIDIA's discriminator
    (r"^b\d+\.fromrgb\b", "from_rgb"),
    (r"^b(\d+)\.conv([01])\b", lambda m: f"blocks.b{m[1]}.conv{int(m[2]) + 1}"),
    (r"^b(\d+)\.skip\b", r"blocks.b\1.skip"),
    (r"^b4\.(conv|out)\b", r"\1"),
    (r"^b4\.fc\b", "hidden"),
)


def official_key(key: str, size: int) -> str:
    """The key of either official code's state dict -> our key, for any network or layer of this
    paper. `size` is the side of a discriminator's pictures: its blocks count from there."""
    for pattern, ours in _OFFICIAL:
        key = re.sub(pattern, ours, key)
    return re.sub(r"^blocks\.b(\d+)", lambda m: f"blocks.{_level(str(size)) - _level(m[1])}", key)


def import_official(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Loads a state dict of rosinality's or NVIDIA's code into `network`, strictly: RuntimeError
    where a key is left over, missing or of another shape, InputError where its filter is not ours.

    rosinality's generators know no mean w unless the checkpoint's "latent_avg" is put into `state`;
    it is then measured, as that code does too."""
    own, ours = network.state_dict(), {}
    for key, value in state.items():
        if key.endswith((".kernel", "resample_filter")):  # ours are no part of the state
            if value.shape != FIR.shape or not torch.allclose(value.cpu() / value.sum().cpu(), FIR):
                raise InputError(
                    f"'{key}' is another filter than [1, 3, 3, 1]; this is no network "
                    "that StyleGAN2 can load."
                )
            continue
        name = official_key(key, getattr(network, "size", 4))
        if name in own and value.squeeze().shape == own[name].squeeze().shape:
            value = value.reshape(own[name].shape)  # they differ in dimensions of 1
        ours[name] = value
    unmeasured = "mean_w" in own and "mean_w" not in ours
    network.load_state_dict(ours | ({"mean_w": own["mean_w"]} if unmeasured else {}))
    if unmeasured:
        network.measure_mean()
