"""How different do two pictures look? LPIPS (Zhang et al. 2018, arXiv 1801.03924) in its own form,
on the face parser's encoder.

Published LPIPS weights stand on networks trained on ImageNet alone. Ours stand on the encoder that
the face parser has trained further, and were fitted so that the distance follows LPIPS on faces
(`scripts/fit_distance.py`). Its values are ours and not to be compared with published ones.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.models.parser import IMAGENET_MEAN, IMAGENET_STD, Encoder

CHANNELS = (64, 128, 256, 384, 384, 512, 512)  # of the levels that are compared
SMALLEST = 64  # side of a picture


class PerceptualDistance(nn.Module, Pretrained):
    """Two pictures (B, 3, H, W) in [-1, 1], sides from 64 up -> distances (B,), 0 for equal ones.

    Differentiable with respect to both, with a finite gradient at equality. At each level the
    features of a place are brought to length 1; the distance is the sum over channels of their
    squared difference times weights that are not negative, averaged over places, summed over
    levels (LPIPS, eq. 1).
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.weights = nn.ParameterList(nn.Parameter(torch.ones(c) / c) for c in CHANNELS)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return sum(
            x @ weight for x, weight in zip(self.differences(a, b), self.weights, strict=True)
        )

    def differences(self, a: Tensor, b: Tensor) -> list[Tensor]:
        """The squared differences of normalised features, averaged over places: (B, C) for each of
        CHANNELS."""
        if a.shape != b.shape or a.ndim != 4 or a.shape[1] != 3 or min(a.shape[2:]) < SMALLEST:
            raise InputError(
                f"Only pictures (B, 3, H, W) of one size, sides from {SMALLEST} up, compare, "
                f"not {tuple(a.shape)} and {tuple(b.shape)}."
            )
        return self._squares(self.directions(a), self.directions(b))

    def against(self, goal: Tensor) -> Callable[[Tensor], Tensor]:
        """The distances (B,) of pictures (B, 3, H, W) to `goal`, which is looked at only once."""
        with torch.no_grad():
            there = self.directions(goal)

        def distance(image: Tensor) -> Tensor:
            squares = self._squares(self.directions(image), there)
            return sum(x @ weight for x, weight in zip(squares, self.weights, strict=True))

        return distance

    def directions(self, image: Tensor) -> list[Tensor]:
        """The maps of `levels`, each place brought to length 1."""
        # 1e-10 under the root: an empty place has a finite gradient too
        return [x * (x.pow(2).sum(1, keepdim=True) + 1e-10).rsqrt() for x in self.levels(image)]

    @staticmethod
    def _squares(one: list[Tensor], two: list[Tensor]) -> list[Tensor]:
        return [(x - y).pow(2).mean((2, 3)) for x, y in zip(one, two, strict=True)]

    def levels(self, image: Tensor) -> list[Tensor]:
        """The encoder's maps that are compared: at 1/2, 1/4, 1/8 and four at 1/16 of the size."""
        mean = image.new_tensor(IMAGENET_MEAN).view(1, 3, 1, 1)
        std = image.new_tensor(IMAGENET_STD).view(1, 3, 1, 1)
        half, quarter, eighth, _ = self.encoder(((image + 1) / 2 - mean) / std)
        maps, x = [half, quarter, eighth], F.max_pool2d(eighth, 3, 2, 1)
        for fire in self.encoder.deep:
            x = fire(x)
            maps.append(x)
        return maps
