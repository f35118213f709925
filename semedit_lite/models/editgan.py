"""EditGAN (Ling et al. 2021, arXiv 2111.03186): a picture is edited by its part map.

The networks and what is computed of their outputs; they know nothing of what is painted.

    generator's activations --segmentation branch--> part map, with an uncertainty
    edited part map --edit_loss--> gradient in W+

The branch is DatasetGAN's (Zhang et al. 2021, arXiv 2104.06490): a frozen generator already knows
the parts of what it paints, so that an ensemble of small classifiers which look at one pixel's
activations learns to name them from a handful of labelled pictures.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.labels import IGNORE

Distance = Callable[[Tensor, Tensor], Tensor]  # two pictures (B, 3, H, W) -> (B,)


class PixelClassifier(nn.Module):
    """What a pixel shows, by its features alone (DatasetGAN, section 3.1): rows
    (N, sum(channels)) -> logits (N, classes).

    ReLU stands before the normalisation, as in the official code.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],  # of the generator's maps, coarse to fine
        classes: int,
        hidden: tuple[int, int] = (128, 32),  # officially (256, 128) from 32 classes on
    ) -> None:
        super().__init__()
        first, second = hidden
        self.layers = nn.Sequential(
            nn.Linear(sum(channels), first), nn.ReLU(inplace=True), nn.BatchNorm1d(first),
            nn.Linear(first, second), nn.ReLU(inplace=True), nn.BatchNorm1d(second),
            nn.Linear(second, classes),
        )  # fmt: skip
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0.0, 0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class SegmentationBranch(nn.Module, Pretrained):
    """The generator's maps, coarse to fine, each (B, c, h, w) -> logits (M, B, K, size, size) of
    the M members, which differ by their seed alone.

    Deviations: features are resized bilinearly everywhere, where the official tool trains on
    bilinear ones and edits on nearest ones. Pixels are classified on a grid as fine as the finest
    map, beyond which there is nothing to see, and their logits enlarged.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],  # of the generator's maps, coarse to fine
        classes: int,
        members: int = 5,  # DatasetGAN has 10; fewer name parts as well, but doubt less finely
        hidden: tuple[int, int] = (128, 32),
        size: int = 256,  # side of the part maps
        grid: int = 128,  # side of the grid on which pixels are classified
    ) -> None:
        super().__init__()
        self.size, self.grid, self.channels = size, grid, list(channels)
        self.members = nn.ModuleList(
            PixelClassifier(channels=channels, classes=classes, hidden=hidden)
            for _ in range(members)
        )

    def forward(self, maps: Sequence[Tensor], size: int | None = None) -> Tensor:
        """`size` where the part maps should have another one than usual."""
        channels = [x.shape[1] for x in maps]
        if channels != self.channels:
            raise InputError(
                f"The segmentation branch reads maps of {self.channels} channels, not {channels}: "
                "it belongs to another generator."
            )
        size = size or self.size
        grid = min(size, self.grid)
        levels = self.project(maps)
        logits = []
        for i, member in enumerate(self.members):
            own = [level.chunk(len(self.members), 1)[i] for level in levels]
            y = sum(enlarge(x, grid) for x in own).permute(0, 2, 3, 1)  # (B, grid, grid, hidden[0])
            rows = member.layers[1:](y.flatten(0, 2))
            rows = rows.unflatten(0, y.shape[:3]).permute(0, 3, 1, 2)  # (B, K, grid, grid)
            logits.append(enlarge(rows, size))
        return torch.stack(logits)

    def project(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """All members' first layers on maps (B, c, h, w): what they add up from each level,
        (B, M * hidden[0], h, w).

        Officially the maps are enlarged and joined, and then comes the layer: gigabytes. It is
        linear and acts on channels, bilinear resizing is linear and acts on places, so their order
        is free: here each level is narrowed while it is small. The numbers are the same.
        """
        first = [member.layers[0] for member in self.members]
        weight = torch.cat([layer.weight for layer in first])  # (M * hidden[0], sum(channels))
        levels = [
            # as a linear layer on rows, which is faster than a convolution with a kernel of 1
            F.linear(x.permute(0, 2, 3, 1), part).permute(0, 3, 1, 2)
            for x, part in zip(maps, weight.split(self.channels, 1), strict=True)
        ]
        levels[0] = levels[0] + torch.cat([layer.bias for layer in first])[:, None, None]
        return levels

    def rows(self, features: Tensor) -> Tensor:
        """Features (M, N, sum(channels)) of single pixels, others for each member -> logits
        (M, N, K)."""
        return torch.stack([m(x) for m, x in zip(self.members, features, strict=True)])

    def probabilities(self, maps: Sequence[Tensor], size: int | None = None) -> Tensor:
        """The members' mean probabilities (B, K, size, size)."""
        return self(maps, size).softmax(2).mean(0)


def enlarge(x: Tensor, size: int) -> Tensor:
    """(B, C, h, w) -> (B, C, size, size), the one way in which anything here is resized."""
    return F.interpolate(x, (size, size), mode="bilinear", align_corners=False)


def features_at(maps: Sequence[Tensor], places: Tensor) -> Tensor:
    """The features that maps (B, c, h, w) enlarged bilinearly would have at places (B, N, 2), x
    and y from -1 to 1 between the outer edges -> (B, N, sum of c)."""
    grid = places[:, :, None]  # (B, N, 1, 2)
    rows = [
        F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
        for x in maps  # each (B, c, N, 1)
    ]
    return torch.cat(rows, 1)[..., 0].transpose(1, 2)


def without_specks(layout: Tensor, fill: int = 0, least: int = 30) -> Tensor:
    """Layouts (B, H, W) with `fill` for the classes that have fewer than `least` pixels in one:
    strays of a brush, which the official training also removes, as class 0."""
    result = layout.clone()
    for one in result:
        ids, counts = one.unique(return_counts=True)
        one[torch.isin(one, ids[counts < least])] = fill
    return result


# What the members' logits (M, B, K, H, W) say ---------------------------------------------------


def layout_of(logits: Tensor) -> Tensor:
    """Part map (B, H, W): the class of the highest mean logit, as EditGAN's tool decides."""
    return logits.mean(0).argmax(1)


def vote(logits: Tensor) -> Tensor:
    """Part map (B, H, W) by the members' majority, as DatasetGAN decides; of classes with as many
    votes the first."""
    votes = F.one_hot(logits.argmax(2), logits.shape[2]).sum(0)  # (B, H, W, K)
    return votes.argmax(-1)


def entropy(probabilities: Tensor, dim: int) -> Tensor:
    """In nats, over the classes along `dim`."""
    return -torch.xlogy(probabilities, probabilities).sum(dim)


def js_uncertainty(logits: Tensor) -> Tensor:
    """How far the members disagree (B, H, W), in nats: their Jensen-Shannon divergence, the
    entropy of the mean less the mean entropy (DatasetGAN, section 3.2)."""
    each = logits.softmax(2)  # (M, B, K, H, W)
    return (entropy(each.mean(0), 1) - entropy(each, 2).mean(0)).clamp(min=0)


def image_uncertainty(uncertainty: Tensor) -> Tensor:
    """Of each map (B, H, W) the mean of its highest tenth (B,): DatasetGAN leaves out the pictures
    where it is highest."""
    pixels = uncertainty.flatten(1)
    return pixels.topk(max(1, pixels.shape[1] // 10)).values.mean(1)


# Editing ------------------------------------------------------------------------------------------


def region(
    before: Tensor,
    after: Tensor,
    classes: Sequence[int],
    brush: Tensor | None = None,
    grow: int = 5,
) -> Tensor:
    """Where a picture may change (EditGAN, eq. 1): the pixels whose class is one of `classes`
    before or after the edit, and those that the brush touched, grown by `grow` pixels.

    before, after (B, H, W) ids, brush (B, H, W) bool -> (B, H, W) bool
    """
    wanted = torch.tensor(list(classes), dtype=before.dtype, device=before.device)
    inside = torch.isin(before, wanted) | torch.isin(after, wanted)
    if brush is not None:
        inside = inside | brush.bool()
    near = F.max_pool2d(inside[:, None].float(), 2 * grow + 1, stride=1, padding=grow)
    return near[:, 0] > 0


# The released tool's weights; it has no identity term, and the paper does not say its weight.
WEIGHTS = MappingProxyType({"perceptual": 150.0, "l2": 75.0, "cross_entropy": 1.0, "identity": 1.0})


def edit_loss(
    image: Tensor,
    goal: Tensor,
    logits: Tensor,
    layout: Tensor,
    inside: Tensor,
    perceptual: Distance | None = None,
    identity: Distance | None = None,
    weights: Mapping[str, float] = WEIGHTS,
) -> tuple[Tensor, dict[str, Tensor]]:
    """How far a picture is from its edit (EditGAN, eq. 2 to 4): it should show `layout` inside the
    region and stay `goal`, the picture before, outside.

    image, goal (B, 3, S, S) in [-1, 1]; the branch's logits (M, B, K, H, W) of the image; layout
    (B, H, W) ids, inside (B, H, W) bool -> total (B,), unweighted terms, each (B,):
    "l2" mean squared difference outside, of pictures in [0, 1]; "perceptual" by the function of
    two pictures; both over the area outside, so that they weigh alike whatever the region's size;
    "cross_entropy" of the mean logits inside; "identity" by a function of two pictures that is 0
    for the same person. Terms without a function are left out; a term without a place is 0.

    Deviation: officially the region is black in both pictures for the perceptual distance; here it
    is the goal in both, which is 0 as well and adds no edges.
    """
    hidden = F.interpolate(inside[:, None].float(), image.shape[2:], mode="nearest-exact") > 0
    outside = torch.where(hidden, goal, image)  # the same as the goal inside
    share = (~hidden).float().mean((1, 2, 3)).clamp(min=1 / hidden[0].numel())  # (B,)
    terms = {"l2": ((outside - goal) / 2).square().mean((1, 2, 3)) / share}
    if perceptual is not None:
        terms["perceptual"] = perceptual(outside, goal) / share
    cross = F.cross_entropy(logits.mean(0), layout.long(), ignore_index=IGNORE, reduction="none")
    terms["cross_entropy"] = (cross * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
    if identity is not None:
        terms["identity"] = identity(image, goal)
    return sum(weights[name] * term for name, term in terms.items()), terms


# The official encoder -----------------------------------------------------------------------------


class Bottleneck(nn.Module):
    """ResNet's block: (B, c_in, h, w) -> (B, 4 * planes, h / stride, w / stride)."""

    def __init__(self, c_in: int, planes: int, stride: int) -> None:
        super().__init__()
        c_out = 4 * planes
        self.conv1 = nn.Conv2d(c_in, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or c_in != c_out:
            conv = nn.Conv2d(c_in, c_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


class Pyramid(nn.Module):
    """ResNet-50 with a feature pyramid (Lin et al. 2017): pictures (B, 3, H, W) -> maps of `width`
    channels at 1/4, 1/8, 1/16."""

    def __init__(self, stem: int, planes: Sequence[int], blocks: Sequence[int], width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, stem, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        inputs = [stem, *(4 * p for p in planes)]
        for i, (c_in, p, count) in enumerate(zip(inputs, planes, blocks, strict=False)):
            strides = [1 if i == 0 else 2] + [1] * (count - 1)
            stage = [Bottleneck(4 * p if k else c_in, p, s) for k, s in enumerate(strides)]
            self.add_module(f"layer{i + 1}", nn.Sequential(*stage))
        self.toplayer = nn.Conv2d(inputs[4], width, 1)
        for i in (1, 2, 3):
            self.add_module(f"latlayer{i}", nn.Conv2d(inputs[4 - i], width, 1))
            self.add_module(f"smooth{i}", nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        c2 = self.layer1(x)
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        p5 = self.toplayer(self.layer4(c4))
        p4 = self.latlayer1(c4) + F.interpolate(p5, size=c4.shape[2:], mode="bilinear")
        p3 = self.latlayer2(c3) + F.interpolate(p4, size=c3.shape[2:], mode="bilinear")
        p2 = self.latlayer3(c2) + F.interpolate(p3, size=c2.shape[2:], mode="bilinear")
        return self.smooth3(p2), self.smooth2(p3), self.smooth1(p4)


class StyleCode(nn.Module):
    """One vector of W+ from a map: (B, width, s, s) -> (B, style)."""

    def __init__(self, width: int, side: int, style: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(side))):  # down to one pixel
            layers += [nn.Conv2d(width, width, 3, 2, padding=1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = nn.Linear(width, style)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.convs(x).flatten(1))


class Encoder(nn.Module):
    """EditGAN's encoder (appendix): pictures (B, 3, size, size) in [-1, 1] -> W+ (B, rows, style).

    Three rows are read off 1/16 of the size, four off 1/8, the others off 1/4; no mean latent is
    added. With 277 million weights it is here to be compared with; ours is `models/encoder.py`.
    """

    def __init__(
        self,
        *,
        size: int = 512,
        rows: int = 16,
        style: int = 512,
        width: int = 512,  # channels of the pyramid
        stem: int = 64,
        planes: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (3, 4, 6, 3),
    ) -> None:
        super().__init__()
        self.size = size
        self.pyramid = Pyramid(stem, planes, blocks, width)
        self.level = [2] * 3 + [1] * 4 + [0] * (rows - 7)  # which map a row is read off
        self.styles = nn.ModuleList(StyleCode(width, size >> (2 + i), style) for i in self.level)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[1:] != (3, self.size, self.size):
            raise InputError(
                f"The encoder sees pictures (B, 3, {self.size}, {self.size}), not "
                f"{tuple(image.shape)}."
            )
        maps = self.pyramid(image)
        codes = [style(maps[i]) for style, i in zip(self.styles, self.level, strict=True)]
        return torch.stack(codes, 1)


def import_official_encoder(encoder: Encoder, state: dict[str, Tensor]) -> None:
    """Loads a state dict of the official code, strictly: RuntimeError where it does not fit."""
    first = {"course": 0, "medium": 3, "fine": 7}  # row of each group ("course" is their spelling)

    def ours(key: str) -> str:
        key = key.replace("FPN_module.", "pyramid.")
        return re.sub(
            r"^(course|medium|fine)_styles\.(\d+)",
            lambda m: f"styles.{first[m[1]] + int(m[2])}",
            key,
        )

    encoder.load_state_dict({ours(key): value for key, value in state.items()})
