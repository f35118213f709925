"""The face parser: which of 19 parts does each pixel show?

A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose encoder is SqueezeNet 1.1
(Iandola et al. 2016, arXiv 1602.07360), so that training can start from ImageNet features.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.hub import Pretrained

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Fire(nn.Module):
    """SqueezeNet's block: squeeze by 1x1, expand by 1x1 and 3x3 side by side.

    (B, c_in, h, w) -> (B, 2 * expand, h, w)
    """

    def __init__(self, c_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(c_in, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))  # (B, squeeze, h, w)
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], 1))


class Encoder(nn.Module):
    """SqueezeNet 1.1 up to its last block, padded so that every level is exactly half the last.

    (B, 3, H, W) ImageNet-normalised -> maps of 64, 128, 256, 512 channels at 1/2, 1/4, 1/8, 1/16
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 64, 3, stride=2, padding=1)
        self.quarter = nn.Sequential(Fire(64, 16, 64), Fire(128, 16, 64))
        self.eighth = nn.Sequential(Fire(128, 32, 128), Fire(256, 32, 128))
        self.deep = nn.Sequential(
            Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        half = F.relu(self.stem(x))  # (B, 64, H/2, W/2)
        quarter = self.quarter(F.max_pool2d(half, 3, 2, 1))  # (B, 128, H/4, W/4)
        eighth = self.eighth(F.max_pool2d(quarter, 3, 2, 1))  # (B, 256, H/8, W/8)
        deep = self.deep(F.max_pool2d(eighth, 3, 2, 1))  # (B, 512, H/16, W/16)
        return half, quarter, eighth, deep

    def load_imagenet(self, weights: dict[str, Tensor]) -> None:
        """Takes torchvision's `squeezenet1_1` state dict (its classifier is not used)."""
        names = {0: "stem", 3: "quarter.0", 4: "quarter.1", 6: "eighth.0", 7: "eighth.1"}
        names |= {9 + i: f"deep.{i}" for i in range(4)}
        own = {}
        for key, value in weights.items():
            if key.startswith("features."):
                _, index, rest = key.split(".", 2)
                own[f"{names[int(index)]}.{rest}"] = value
        self.load_state_dict(own)


def conv(c_in: int, c_out: int, kernel: int = 3, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU; the size stays."""
    pad = dilation * (kernel // 2)
    layer = nn.Conv2d(c_in, c_out, kernel, padding=pad, dilation=dilation, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out), nn.ReLU())


class Up(nn.Module):
    """Doubles the size and joins the encoder's map: (B, c_in, h, w), (B, skip, 2h, 2w) -> c_out."""

    def __init__(self, c_in: int, skip: int, c_out: int) -> None:
        super().__init__()
        self.mix = conv(c_in + skip, c_out, kernel=1)
        self.refine = conv(c_out, c_out)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(x, size=skip.shape[2:], mode="nearest")  # (B, c_in, 2h, 2w)
        return self.refine(self.mix(torch.cat([x, skip], 1)))  # (B, c_out, 2h, 2w)


class FaceParser(nn.Module, Pretrained):
    """Image (B, 3, H, W) in [-1, 1] -> logits (B, classes, H, W); H and W multiples of 16.

    Trained at 256 x 256 on pictures that a face fills to between a third and the whole.
    """

    def __init__(
        self,
        *,
        classes: int = 19,
        context: int = 192,  # channels at 1/16, where the whole face is in sight
        widths: tuple[int, int, int, int] = (128, 96, 32, 16),  # at 1/8, 1/4, 1/2, 1/1
    ) -> None:
        super().__init__()
        eighth, quarter, half, full = widths
        self.encoder = Encoder()
        self.context = nn.Sequential(
            conv(512, context, 1), conv(context, context), conv(context, context, dilation=3)
        )
        self.scene = nn.Linear(512, context)
        self.up8 = Up(context, 256, eighth)
        self.up4 = Up(eighth, 128, quarter)
        self.up2 = Up(quarter, 64, half)
        self.edges = conv(3, 16)  # full resolution, for thin parts: lips, brows, glasses' frames
        self.last = conv(half + 16, full)
        self.out = nn.Conv2d(full, classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        mean = image.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = image.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
        x = ((image + 1) / 2 - mean) / std
        half, quarter, eighth, deep = self.encoder(x)
        scene = self.scene(deep.mean((2, 3)))[:, :, None, None]  # (B, context, 1, 1)
        y = self.context(deep) + scene  # (B, context, H/16, W/16)
        y = self.up2(self.up4(self.up8(y, eighth), quarter), half)  # (B, 32, H/2, W/2)
        y = F.interpolate(y, size=image.shape[2:], mode="nearest")  # (B, 32, H, W)
        return self.out(self.last(torch.cat([y, self.edges(x)], 1)))
