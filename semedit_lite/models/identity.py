"""A small face embedding: SqueezeNet's features, seen place by place.

The encoder is the face parser's (`models/parser.py`); the end is MobileFaceNet's (Chen et al. 2018,
arXiv 1804.07573): a depthwise convolution as large as the map, because of a face it matters where
something is seen, which an average forgets.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.hub import Pretrained
from semedit_lite.models.parser import IMAGENET_MEAN, IMAGENET_STD, Encoder, conv


class FaceIdentity(nn.Module, Pretrained):
    """Upright faces (B, 3, 112, 112) in [-1, 1] -> unit vectors (B, size)."""

    def __init__(
        self,
        *,
        size: int = 128,  # of the embedding
        width: int = 160,  # channels of the 3x3 convolutions at 7 x 7
        features: int = 512,  # channels that are seen place by place
    ) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.narrow = conv(512, width, 1)
        self.refine = nn.Sequential(conv(width, width), conv(width, width))
        self.widen = conv(width, features, 1)
        self.places = nn.Conv2d(features, features, 7, groups=features)
        self.out = nn.Linear(features, size)

    def forward(self, image: Tensor) -> Tensor:
        mean = image.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = image.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
        deep = self.encoder(((image + 1) / 2 - mean) / std)[-1]  # (B, 512, 7, 7)
        x = self.narrow(deep)  # (B, width, 7, 7)
        x = self.widen(x + self.refine(x))  # (B, features, 7, 7)
        return F.normalize(self.out(self.places(x).flatten(1)).float(), dim=1)  # (B, size)
