"""A small face embedding, shaped so that it can be taught stage by stage.

MobileFaceNet (Chen et al. 2018, arXiv 1804.07573) has three stages, at a quarter, an eighth and a
sixteenth of the crop's side, and at the end a depthwise convolution as large as the map, because
of a face it matters where something is seen, which an average forgets. Ours has the same stages
and the same end; between them stand fewer, plain 3x3 convolutions, which processors run and train
several times as fast as depthwise ones.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.hub import Pretrained


def conv(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and batch norm; `stride` divides the side."""
    layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out))


class Residual(nn.Module):
    """(B, C, h, w) -> the same: adds what two convolutions see."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class FaceIdentity(nn.Module, Pretrained):
    """Upright faces (B, 3, 112, 112) in [-1, 1] -> unit vectors (B, size)."""

    def __init__(
        self,
        *,
        size: int = 128,  # of the embedding
        widths: tuple[int, int, int] = (64, 128, 128),  # channels of the stages
        blocks: tuple[int, int, int] = (2, 2, 1),
        features: int = 512,  # channels that are seen place by place
    ) -> None:
        super().__init__()
        quarter, eighth, deep = widths
        self.stem = nn.Sequential(conv(3, quarter // 2, stride=2), nn.ReLU())
        self.stages = nn.ModuleList(
            nn.Sequential(conv(c_in, c_out, stride=2), *(Residual(c_out) for _ in range(count)))
            for c_in, c_out, count in zip(
                (quarter // 2, quarter, eighth), widths, blocks, strict=True
            )
        )
        self.widen = nn.Sequential(conv(deep, features, 1), nn.ReLU())
        self.places = nn.Conv2d(features, features, 7, groups=features)
        self.out = nn.Linear(features, size)

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for stage in range(3):
            x = self.stage(stage, x)
        return self.vectors(x)

    def stage(self, which: int, x: Tensor) -> Tensor:
        """The image -> (B, 64, 28, 28) -> (B, 128, 14, 14) -> (B, features, 7, 7), from 0 up."""
        x = self.stages[which](self.stem(x) if which == 0 else x)
        return self.widen(x) if which == 2 else x

    def vectors(self, x: Tensor) -> Tensor:
        """(B, features, 7, 7) -> unit vectors (B, size)."""
        return F.normalize(self.out(self.places(x).flatten(1)).float(), dim=1)
