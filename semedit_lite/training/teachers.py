"""Frozen public networks that teach ours, read from the folder SEMEDIT_TEACHERS.

They are no part of the package, since the terms of several forbid it. Evaluation judges with some
of them, by `semedit_lite/teachers.py`.
"""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.hub import read_weights
from semedit_lite.models.parser import IMAGENET_MEAN, IMAGENET_STD

WIDTHS = {"a": 112, "b": 96}  # of the crops that the two MobileFaceNets see, 112 high
HALVED = (0, 5, 12)  # the blocks of theirs that halve the side


def read_teacher(name: str, device: str | torch.device = "cpu") -> dict[str, Tensor]:
    """The weights NAME in float32; InputError where SEMEDIT_TEACHERS does not lead to them."""
    folder = os.environ.get("SEMEDIT_TEACHERS")
    if not folder:
        raise InputError(f"Set SEMEDIT_TEACHERS to the folder that holds {name}.safetensors.")
    found = read_weights(Path(folder) / f"{name}.safetensors")
    return {
        key: value.float().to(device, memory_format=torch.channels_last)
        if value.ndim == 4
        else value.float().to(device)
        for key, value in found.items()
    }


class MobileFaceNet:
    """MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) as two people trained it: "a" is
    https://github.com/foamliu/MobileFaceNet, "b" https://github.com/Xiaoccer/MobileFaceNet_Pytorch.

    Upright faces (B, 3, 112, 112 or, for "b", 96) in [-1, 1] -> unit vectors (B, 128).
    """

    def __init__(self, which: str, device: str | torch.device = "cpu") -> None:
        self.weights = read_teacher(f"mobilefacenet_{which}", device)
        self.maps, self.end = {
            "a": (self.maps_a, self.end_a),
            "b": (self.maps_b, self.end_b),
        }[which]

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """The unit vectors, those of the mirror images added in."""
        both = (self.end(self.maps(x)[-1]) for x in (faces, faces.flip(3)))
        return F.normalize(sum(both).float(), dim=1)

    @torch.no_grad()
    def explain(self, faces: Tensor) -> tuple[list[Tensor], Tensor]:
        """The maps at the end of each stage, (B, 64, 28, 28), (B, 128, 14, 14), (B, 512, 7, 7) for
        "a"; and the unit vectors, without those of the mirror images."""
        maps = self.maps(faces)
        return maps, F.normalize(self.end(maps[-1]).float(), dim=1)

    def conv(self, x: Tensor, key: str, norm: str, stride: int = 1, padding: int = 0) -> Tensor:
        kernel = self.weights[f"{key}.weight"]
        x = F.conv2d(x, kernel, None, stride, padding, groups=x.shape[1] // kernel.shape[1])
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.weights[f"{norm}.{name}"] for name in names))

    def layer_a(self, x: Tensor, key: str, stride: int = 1) -> Tensor:
        padding = self.weights[f"{key}.0.weight"].shape[-1] // 2
        return F.relu6(self.conv(x, f"{key}.0", f"{key}.1", stride, padding))

    def maps_a(self, x: Tensor) -> list[Tensor]:
        mean, std = (x.new_tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        y = self.layer_a(((x + 1) / 2 - mean) / std, "conv1", 2)
        y = F.relu(self.conv(y, "dw_conv.depthwise", "dw_conv.bn1", 1, 1))
        y = F.relu(self.conv(y, "dw_conv.pointwise", "dw_conv.bn2"))
        maps = []
        for i in range(15):
            if i in HALVED[1:]:
                maps.append(y)
            key, stride = f"features.{i}.conv", 2 if i in HALVED else 1
            z = self.layer_a(self.layer_a(y, f"{key}.0"), f"{key}.1", stride)
            z = self.conv(z, f"{key}.2", f"{key}.3")
            y = y + z if y.shape == z.shape else z
        return [*maps, self.layer_a(y, "conv2")]

    def end_a(self, x: Tensor) -> Tensor:
        return self.conv(self.conv(x, "gdconv.depthwise", "gdconv.bn"), "conv3", "bn").flatten(1)

    def layer_b(self, x: Tensor, key: str, stride: int = 1, padding: int = 0) -> Tensor:
        x = self.conv(x, f"{key}.conv", f"{key}.bn", stride, padding)
        slope = self.weights.get(f"{key}.prelu.weight")
        return x if slope is None else F.prelu(x, slope)

    def maps_b(self, x: Tensor) -> list[Tensor]:
        y = self.layer_b(self.layer_b(x * 127.5 / 128, "conv1", 2, 1), "dw_conv1", 1, 1)
        maps = []
        for i in range(15):
            if i in HALVED[1:]:
                maps.append(y)
            key, stride = f"blocks.{i}.conv", 2 if i in HALVED else 1
            z = F.prelu(self.conv(y, f"{key}.0", f"{key}.1"), self.weights[f"{key}.2.weight"])
            z = self.conv(z, f"{key}.3", f"{key}.4", stride, 1)
            z = self.conv(F.prelu(z, self.weights[f"{key}.5.weight"]), f"{key}.6", f"{key}.7")
            y = y + z if y.shape == z.shape else z
        return [*maps, self.layer_b(y, "conv2")]

    def end_b(self, x: Tensor) -> Tensor:
        return self.layer_b(self.layer_b(x, "linear7"), "linear1").flatten(1)


def lpips(device: str | torch.device = "cpu") -> Callable[[Tensor, Tensor], Tensor]:
    """LPIPS v0.1 on SqueezeNet (Zhang et al. 2018, arXiv 1801.03924) as a function of two
    (B, 3, H, W) in [-1, 1], sides from 32 up -> (B,). Not comparable with published values, which
    are on AlexNet or VGG."""
    weights = read_teacher("lpips_squeeze", device)

    def conv(x: Tensor, key: str, stride: int = 1, padding: int = 0) -> Tensor:
        kernel, bias = weights[f"{key}.weight"], weights[f"{key}.bias"]
        return F.relu(F.conv2d(x, kernel, bias, stride, padding))

    def fire(x: Tensor, layer: int) -> Tensor:
        x = conv(x, f"features.{layer}.squeeze")
        parts = [conv(x, f"features.{layer}.expand{k}x{k}", padding=k // 2) for k in (1, 3)]
        return torch.cat(parts, 1)

    def taps(x: Tensor) -> list[Tensor]:
        found = [conv(x, "features.0", stride=2)]
        for layers in ((3, 4), (6, 7), (9,), (10,), (11,), (12,)):
            y = found[-1]
            if layers[0] < 10:
                y = F.max_pool2d(y, 3, 2, ceil_mode=True)
            for layer in layers:
                y = fire(y, layer)
            found.append(y)
        return found

    def distance(a: Tensor, b: Tensor) -> Tensor:
        shift = a.new_tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        scale = a.new_tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        total = a.new_zeros(len(a))
        for i, tap in enumerate(taps((torch.cat([a, b]) - shift) / scale)):
            one, two = F.normalize(tap, dim=1, eps=1e-10).chunk(2)
            weighted = (one - two).pow(2) * weights[f"lin{i}"].view(1, -1, 1, 1)
            total = total + weighted.sum(1).mean((1, 2))
        return total

    return distance
