"""SketchEdit (Zeng et al. 2022, arXiv 2111.15078): part of a picture is redrawn after a sketch,
and no mask is asked for.

    picture, sketch --mask estimator--> region
    picture without the region, sketch, region --structure branch--+
    what stood in the region           --style branch, max pooled--+--> coarse --refinement--> fine

Sizes and order of the layers are those of the official code, whose weights `import_official` reads
and whose numbers `tests/parity` holds. How it was trained was never released beyond the loss of the
mask estimator (`copy_losses`); what we do instead is in `training/recipes/sketchedit.py`. The
discriminator is the one that its first author released with CRFill (2011.12836).

Pictures are (B, 3, H, W) in [-1, 1], regions (B, 1, H, W) in [0, 1], sides multiples of 8 from 16
up. A sketch is (B, S, H, W): its lines, 1 on 0, and with S = 5, our own extension, then where
colour was put, 1 on 0, and which, in [-1, 1] and 0 elsewhere.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.images import blurred
from semedit_lite.models.layers import legacy_spectral, spectral_norm

PRESETS = {
    "lite": {"width": 24, "strokes": 5, "dilations": (1, 2, 4, 8)},
    "official": {"width": 48, "strokes": 1, "dilations": (2, 4, 8, 16)},
}
LINES, COLOURED = 1, 5  # channels of a sketch: lines alone, or with where there is colour and which
DILATIONS = (2, 4, 8, 16)
PATCH, STRIDE = 4, 2  # of the contextual attention, in pixels of maps at a quarter of the side
SHARPNESS = 10.0  # its softmax scale
GAIN = 2.0  # of a gated layer's weights at the beginning
PRICE = 0.03  # of a redrawn pixel, in L1 of pictures in [-1, 1]
VALID = 0.1  # a patch is copied from if more than this part of it lies outside the region


class GatedConv(nn.Conv2d):
    """Free-form gated convolution (Yu et al. 2019, arXiv 1806.03589): of 2 x `outputs` channels
    half are what is said and half how loud, ELU(a) sigmoid(g).

    (B, inputs, h, w) -> (B, outputs, h, w), half the side with stride 2, twice with `up`
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        up: bool = False,
        activation: type[nn.Module] = nn.ELU,
    ) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(inputs, 2 * outputs, kernel, stride, padding, dilation)
        self.up, self.activation = up, activation()
        # As loud behind the gate as before it: with PyTorch's own weights each layer would leave a
        # tenth, and after seventeen nothing is heard of a sketch.
        nn.init.normal_(self.weight, 0.0, GAIN / self.weight[0].numel() ** 0.5)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # (B, inputs, 2h, 2w)
        halves = super().forward(x).chunk(2, 1)
        # Halves of the channels lie apart in memory; put together, the rest takes half the time.
        said, gate = (half.contiguous(memory_format=torch.channels_last) for half in halves)
        return self.activation(said) * torch.sigmoid(gate)


def encoder(
    inputs: int,
    widths: Sequence[int],  # of its six layers, of which the second and the fourth halve the side
    dilations: Sequence[int] = (),
    last: type[nn.Module] = nn.ELU,  # the activation of the sixth
) -> nn.Sequential:
    """(B, inputs, H, W) -> (B, widths[-1], H / 4, W / 4)"""
    a, b, c, d, e, f = widths
    return nn.Sequential(
        GatedConv(inputs, a, 5),
        GatedConv(a, b, stride=2),  # (B, b, H/2, W/2)
        GatedConv(b, c),
        GatedConv(c, d, stride=2),  # (B, d, H/4, W/4)
        GatedConv(d, e),
        GatedConv(e, f, activation=last),
        *(GatedConv(f, f, dilation=dilation) for dilation in dilations),
    )


def decoder(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """(B, inputs, H / 4, W / 4) -> (B, outputs, H, W), of any range"""
    return nn.Sequential(
        GatedConv(inputs, 2 * width),
        GatedConv(2 * width, 2 * width),
        GatedConv(2 * width, width, up=True),  # (B, width, H/2, W/2)
        GatedConv(width, width),
        GatedConv(width, width // 2, up=True),  # (B, width / 2, H, W)
        GatedConv(width // 2, width // 4),
        nn.Conv2d(width // 4, outputs, 3, padding=1),
    )


def _encoder_widths(width: int) -> tuple[int, ...]:
    return width // 2, width, width, 2 * width, 2 * width, 2 * width


class MaskEstimator(nn.Module):
    """Which region a sketch is about, found without a single labelled region.

    picture, sketch -> region (B, 1, H, W), and a picture (B, 3, H, W) of which only the region is
    wanted; `copy_losses` and `regret` say what they learn from.
    """

    def __init__(self, *, width: int, strokes: int, dilations: Sequence[int] = DILATIONS) -> None:
        super().__init__()
        self.encoder = encoder(3 + strokes, _encoder_widths(width), dilations)
        self.region = decoder(2 * width, width, 1)
        self.picture = decoder(2 * width, width, 3)

    def forward(self, image: Tensor, sketch: Tensor) -> tuple[Tensor, Tensor]:
        logits, picture = self.heads(image, sketch)
        return torch.sigmoid(logits), picture

    def heads(self, image: Tensor, sketch: Tensor) -> tuple[Tensor, Tensor]:
        """The region's logits, and the picture."""
        x = self.encoder[:-1](torch.cat([image, sketch], 1))  # (B, 2 width, H/4, W/4)
        # as the official code has it, the last layer serves the region alone
        return self.region(self.encoder[-1](x)), torch.tanh(self.picture(x))


class SketchGenerator(nn.Module):
    """Redraws a region after a sketch, in the style of what stood there.

    picture, sketch, region, and the part of the region whose style is taken (None: all of it)
    -> coarse and fine picture (B, 3, H, W), of which only the region is wanted

    `source` is the picture whose style is taken, where it is another than `image`.
    """

    def __init__(
        self,
        *,
        width: int,
        strokes: int,
        dilations: Sequence[int] = DILATIONS,
        pool: str = "max",  # of the style over places; "mean" is the official code's default
    ) -> None:
        super().__init__()
        if pool not in ("max", "mean"):
            raise InputError(f"Styles are pooled by 'max' or 'mean', not by {pool!r}.")
        self.pool = pool
        wide = _encoder_widths(width)
        narrow = width // 2, width // 2, width
        self.structure = encoder(3 + strokes + 1, wide, dilations)
        self.style = encoder(3 + strokes + 1, wide, dilations)
        self.coarse = decoder(4 * width, width, 3)
        self.refine = encoder(3, (*narrow, width, 2 * width, 2 * width), dilations)
        self.matched = encoder(3, (*narrow, 2 * width, 2 * width, 2 * width), last=nn.ReLU)
        self.attended = nn.Sequential(*(GatedConv(2 * width, 2 * width) for _ in range(2)))
        self.fine = decoder(4 * width, width, 3)

    def forward(
        self,
        image: Tensor,
        sketch: Tensor,
        region: Tensor,
        styled: Tensor | None = None,
        source: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        styled = region if styled is None else styled
        source = image if source is None else source
        known = image * (1 - region)
        structure = self.structure(torch.cat([known, sketch, region], 1))
        style = self.style(torch.cat([source * styled, torch.zeros_like(sketch), styled], 1))
        # (B, 2 width, H/4, W/4) -> (B, 2 width, 1, 1): what it looks like, without where
        style = style.amax((2, 3), True) if self.pool == "max" else style.mean((2, 3), True)
        joined = torch.cat([structure, style.expand_as(structure)], 1)  # (B, 4 width, H/4, W/4)
        coarse = torch.tanh(self.coarse(joined))

        x = coarse * region + known * (1 - region)
        matched = self.matched(x)
        hole = F.avg_pool2d(region, 4)  # (B, 1, H/4, W/4)
        matched = self.attended(paste(attention(matched, hole), matched))
        fine = torch.tanh(self.fine(torch.cat([self.refine(x), matched], 1)))
        return coarse, fine


class SketchEdit(nn.Module, Pretrained):
    """The whole of it: `find` the region, correct it if need be, `redraw`.

    picture, sketch -> the edited picture (B, 3, H, W), and the soft region

    `SketchEdit(**PRESETS["lite"])`; the defaults are the official numbers.
    """

    def __init__(
        self,
        *,
        width: int = 48,  # channels of the second layer; a multiple of 4
        strokes: int = LINES,  # channels of a sketch: LINES or COLOURED
        dilations: Sequence[int] = DILATIONS,
        pool: str = "max",
        size: int = 256,  # side of the pictures it was trained on; others of a similar one will do
    ) -> None:
        super().__init__()
        if strokes not in (LINES, COLOURED):
            raise InputError(f"A sketch has {LINES} or {COLOURED} channels, not {strokes}.")
        self.size, self.strokes = size, strokes
        shape = {"width": width, "strokes": strokes, "dilations": dilations}
        self.estimator = MaskEstimator(**shape)
        self.generator = SketchGenerator(**shape, pool=pool)

    def find(self, image: Tensor, sketch: Tensor) -> Tensor:
        """The soft region (B, 1, H, W) that the sketch is about."""
        self.check(image)
        return self.estimator(image, sketch)[0]

    def redraw(self, image: Tensor, sketch: Tensor, region: Tensor) -> Tensor:
        """The fine picture for a region, thresholded or not, from wherever it comes."""
        self.check(image)
        return self.generator(image, sketch, region)[1]

    def forward(
        self, image: Tensor, sketch: Tensor, threshold: float = 0.5
    ) -> tuple[Tensor, Tensor]:
        """As the official code: the generator sees the hard region, the soft one blends."""
        soft = self.find(image, sketch)
        fine = self.redraw(image, sketch, (soft > threshold).to(soft))
        return fine * soft + image * (1 - soft), soft

    def check(self, image: Tensor) -> None:
        """InputError where the sides are none that the network halves twice and cuts in patches."""
        height, width = image.shape[2:]
        if height % 8 or width % 8 or min(height, width) < 16:
            raise InputError(
                f"SketchEdit needs sides that are multiples of 8, from 16 up, not {width}×{height}."
            )


# Contextual attention (Yu et al. 2018, arXiv 1801.07892) as SketchEdit has it -------------------


def attention(features: Tensor, region: Tensor) -> Tensor:
    """How much each patch of 4 x 4 is to be made of each other: features (B, C, h, w), region
    (B, 1, h, w) -> (B, K, K), of sum 1 over dim 1, the patches that are copied from.

    Keys are scaled by a channel's norm over the whole map, where the paper has a patch's. Patches
    inside the region have the score 0, which is not -inf: where nothing is alike they count.
    """
    norm = (features.square().sum((2, 3), keepdim=True) + 1e-8).sqrt()  # (B, C, 1, 1)
    keys = F.unfold(features / norm, PATCH, stride=STRIDE)  # (B, 16 C, K)
    queries = F.unfold(features, PATCH, stride=STRIDE)
    outside = F.unfold(1 - region, PATCH, stride=STRIDE).mean(1)  # (B, K)
    scores = keys.transpose(1, 2) @ queries  # (B, K, K)
    scores = scores * (outside > VALID).to(scores)[:, :, None]
    return (SHARPNESS * scores).softmax(1)


def paste(weights: Tensor, features: Tensor) -> Tensor:
    """Patches replaced by their mixtures: weights (B, K, K), features (B, C, h, w) -> (B, C, h, w).
    Where patches overlap they are summed, and not divided by how many they are."""
    patches = F.unfold(features, PATCH, stride=STRIDE) @ weights  # (B, 16 C, K)
    return F.fold(patches, features.shape[2:], PATCH, stride=STRIDE)


# Training ---------------------------------------------------------------------------------------


class SketchDiscriminator(nn.Module):
    """SN-PatchGAN (Yu et al. 2019): convolutions that see far, and a judgement on every channel.

    (B, C, H, W) -> one map per layer, the last of which is the judgement
    """

    def __init__(
        self, *, inputs: int, width: int = 64, multiples: Sequence[int] = (1, 2, 4, 4, 4, 4)
    ) -> None:
        super().__init__()
        widths = [inputs, *(width * multiple for multiple in multiples)]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 5, stride=2, padding=2)) for a, b in pairwise(widths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.01)  # (B, C, h, w) -> half the side
            maps.append(x)
        return maps


def copy_losses(
    picture: Tensor, region: Tensor, image: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """What the mask estimator learns from: L1 of its `picture` to the `target`, and of the picture
    laid into the deformed `image` in the region. The region costs nothing by itself: it is where
    copying fails. Therefore the image must be deformed, or copying is perfect and it is empty.
    """
    laid = picture * region + image * (1 - region)
    return F.l1_loss(picture, target), F.l1_loss(laid, target)


def regret(logits: Tensor, image: Tensor, target: Tensor, price: float = PRICE) -> Tensor:
    """Our way to the same region in a short training. `copy_losses` lets the region grow where the
    estimator's picture is nearer to the target than the copy is, for which it must paint well
    first; here a picture is taken to cost `price` everywhere. What one then regrets at a pixel, to
    have copied or to have redrawn, weighs a logistic loss of logits (B, 1, H, W), which unlike the
    region itself never fades. A pixel stands for its surroundings, since a region is no outline.
    """
    copied = F.avg_pool2d((image - target).abs().mean(1, keepdim=True), 5, 1, 2)  # (B, 1, H, W)
    gain = copied - price  # of redrawing
    logits = logits.float()
    return (gain.relu() * F.softplus(-logits) + (-gain).relu() * F.softplus(logits)).mean()


def smooth(images: Tensor) -> Tensor:
    """3 x 3 Gaussian with sigma 2, borders repeated. The official code may look at `image` and
    `target` through it in `copy_losses`, so that fine texture is no reason to copy."""
    return blurred(images, 2.0, reach=1)


# The official weights ---------------------------------------------------------------------------

# Their prefix and the number of the first layer -> our part, which counts from 0.
_OFFICIAL = {
    MaskEstimator: {("conv", 1): "encoder", ("conv", 11): "picture", ("conv_mask_", 11): "region"},
    SketchGenerator: {
        ("conv", 1): "structure",
        ("conv", 11): "coarse",
        ("wconv", 1): "style",
        ("xconv", 1): "refine",
        ("pmconv", 1): "matched",
        ("pmconv", 9): "attended",
        ("allconv", 11): "fine",
    },
    SketchDiscriminator: {("conv", 1): "layers"},
}


def import_official(
    network: MaskEstimator | SketchGenerator | SketchDiscriminator, state: dict[str, Tensor]
) -> None:
    """Loads the official `netM`, `netG` or, of CRFill, `netD`; strictly: RuntimeError where a key
    is left over, missing or of another shape."""
    parts = _OFFICIAL[type(network)]

    def ours(key: str) -> str:
        match = re.fullmatch(r"(\D+)(\d+)[a-z_]*\.(\w+)", key)
        prefix, number, rest = match[1], int(match[2]), match[3]
        first = max((k for p, k in parts if p == prefix and k <= number), default=None)
        if first is None:
            return key
        return legacy_spectral(f"{parts[prefix, first]}.{number - first}.{rest}")

    network.load_state_dict({ours(key): value for key, value in state.items()})
