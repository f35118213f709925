"""Where a perceptual loss takes its features from: nets that are not part of the package.

"teachers" is VGG-19 (Simonyan & Zisserman 2014) as two small files in the folder SEMEDIT_TEACHERS:
the true net to relu3_1 and one distilled to a quarter of the width for relu4_1 and relu5_1.
"torchvision" is the whole true net, downloaded once (0.5 GB), for those who are online.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite import losses
from semedit_lite.download import offline
from semedit_lite.errors import InputError
from semedit_lite.hub import read_weights
from semedit_lite.vision import import_torchvision

SOURCES = ("auto", "teachers", "torchvision", "none")
Features = Callable[[Tensor], list[Tensor]]
Perceptual = Callable[[Tensor, Tensor], Tensor]


def resolve(source: str) -> str:
    """What "auto" is here: the teachers where they are, and "none" otherwise; other sources are
    themselves. InputError where the source is unknown."""
    if source not in SOURCES:
        raise InputError(
            f"There is no perceptual loss {source!r}; choose from {', '.join(SOURCES)}."
        )
    if source == "auto":
        return "teachers" if os.environ.get("SEMEDIT_TEACHERS") else "none"
    return source


def perceptual_loss(source: str, device: str | torch.device = "cpu") -> Perceptual | None:
    """A function of fake and real pictures (B, 3, H, W) in [-1, 1] that gives their distance (B,);
    None for the source "none". InputError where the source is unknown or cannot be had."""
    source = resolve(source)
    folder = os.environ.get("SEMEDIT_TEACHERS")
    if source == "none":
        return None
    if source == "torchvision":
        features = torchvision_features(device)
    elif folder:
        features = teacher_features(Path(folder), device)
    else:
        raise InputError("Set SEMEDIT_TEACHERS to the folder that holds vgg19_relu31.safetensors.")
    return lambda fake, real: losses.perceptual(features, fake, real)


def teacher_features(folder: Path, device: str | torch.device = "cpu") -> Features:
    """VGG-19's relu1_1, 2_1, 3_1 (64, 128, 256 channels) of the true net, whose features are
    scaled to a mean near 1, and relu4_1, 5_1 (512, 512) of the distilled one. Sides from 32 up.

    Borders are padded with zeros, as by VGG-19; the repositories of these nets reflect them, which
    takes half as long again.
    """
    true, small = (
        {key: value.float().to(device) for key, value in read_weights(folder / name).items()}
        for name in ("vgg19_relu31.safetensors", "vgg19_small16x.safetensors")
    )

    def conv(weights: dict[str, Tensor], x: Tensor, name: str) -> Tensor:
        return F.relu(F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1))

    def colours(weights: dict[str, Tensor], image: Tensor) -> Tensor:
        """[-1, 1] RGB to the range and order that the net was trained on, up to 255."""
        with torch.autocast(image.device.type, enabled=False):
            unit = (image.float() + 1) / 2
            return F.conv2d(unit, weights["conv0.weight"], weights["conv0.bias"])

    def features(image: Tensor) -> list[Tensor]:
        maps, y = [], colours(true, image)
        for name in ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"):
            y = conv(true, y, name)
            if name.endswith("_1"):
                maps.append(y)
            else:
                y = F.max_pool2d(y, 2, ceil_mode=True)
        y = colours(small, image)
        for block, count in enumerate((2, 2, 4, 4, 1), 1):
            for k in range(1, count + 1):
                y = conv(small, y, f"conv{block}{k}")
                if k == 1 and block > 3:  # 1x1 to the true net's channels
                    wide = f"conv{block}1_aux"
                    maps.append(F.relu(F.conv2d(y, small[f"{wide}.weight"], small[f"{wide}.bias"])))
            y = F.max_pool2d(y, 2)
        return maps

    return features


def torchvision_features(device: str | torch.device = "cpu") -> Features:
    """The same five levels of torchvision's VGG-19, fed [-1, 1] pictures as SPADE feeds them."""
    if offline():
        raise InputError("OFFLINE=1 refuses to download VGG-19; unset it or use another source.")
    models = import_torchvision().models
    layers = models.vgg19(weights=models.VGG19_Weights.IMAGENET1K_V1).features[:30]
    layers = layers.to(device).eval().requires_grad_(False)
    for layer in layers:
        if hasattr(layer, "inplace"):
            layer.inplace = False
    wanted = (1, 6, 11, 20, 29)  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1

    def features(image: Tensor) -> list[Tensor]:
        maps = []
        for i, layer in enumerate(layers):
            image = layer(image)
            if i in wanted:
                maps.append(image)
        return maps

    return features
