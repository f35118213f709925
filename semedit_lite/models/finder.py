"""The face finder: where are faces, and where are their eyes, nose and mouth?

In two stages, as in MTCNN (Zhang et al. 2016, arXiv 1604.02878): a small convolutional network
looks at every place of a pyramid of reduced pictures, as centres and not by anchors (CenterNet,
Zhou et al. 2019, arXiv 1904.07850); a second one looks closely at what the first proposes, rejects
what is no face and says exactly where its points are. Depthwise separable blocks are those of
MobileNet (Howard et al. 2017, arXiv 1704.04861).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.hub import Pretrained

POINTS = ("viewer's left eye", "viewer's right eye", "nose", "left of mouth", "right of mouth")
MIRRORED = (1, 0, 2, 4, 3)  # a flip exchanges the eyes, and the corners of the mouth
STRIDE = 8  # pixels between two places that are looked at
UNIT = 32.0  # pixels: sides and distances are learned relative to it
SIDES = (18.0, 54.0)  # of the faces that the first stage finds; the pyramid brings others there
CLOSE = 96  # side of the squares that the second stage looks at
ROOM = 1.5  # such a square, relative to the face's box


def conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    layer = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out), nn.ReLU())


class Separable(nn.Module):
    """Depthwise, then pointwise convolution; a residual block where the shape stays.

    (B, c_in, h, w) -> (B, c_out, h / stride, w / stride)
    """

    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(c_in, c_in, 3, stride, 1, groups=c_in, bias=False)
        self.pointwise = nn.Conv2d(c_in, c_out, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(c_in), nn.BatchNorm2d(c_out)
        self.residual = c_in == c_out and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.pointwise(F.relu(self.norm1(self.depthwise(x)))))
        return F.relu(x + y if self.residual else y)


class Proposals(nn.Module):
    """First stage: picture (B, 3, H, W) in [-1, 1] -> maps (B, 4, H / 8, W / 8).

    For each place: logit that a face's middle is here, from there to the middle (x, y), and the
    logarithm of the box's side, both relative to UNIT. H and W are multiples of 8.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv(3, width, 2),  # (B, w, H/2, W/2)
            Separable(width, 2 * width, 2),  # (B, 2w, H/4, W/4)
            Separable(2 * width, 2 * width),
            Separable(2 * width, 4 * width, 2),  # (B, 4w, H/8, W/8)
            *(Separable(4 * width, 4 * width) for _ in range(5)),  # sees 100 pixels around it
        )
        self.out = nn.Conv2d(4 * width, 4, 1)
        nn.init.constant_(self.out.bias[:1], -4.0)  # nearly all places are none

    def forward(self, image: Tensor) -> Tensor:
        return self.out(self.body(image))


class Closer(nn.Module):
    """Second stage: squares (B, 3, 96, 96) in [-1, 1] -> logits (B,) that each holds a face, and
    its POINTS (B, 5, 2) in the unit square.

    A point is the mean of the places of a 12 x 12 grid, each moved by an offset of its own and
    weighted by how likely the point is there: differentiable, and fine between the places.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            conv(3, width, 2),  # (B, w, 48, 48)
            Separable(width, 2 * width, 2),  # (B, 2w, 24, 24)
            Separable(2 * width, 2 * width),
            Separable(2 * width, 4 * width, 2),  # (B, 4w, 12, 12)
            *(Separable(4 * width, 4 * width) for _ in range(2)),
        )
        self.coarse = nn.Sequential(
            Separable(4 * width, 6 * width, 2),  # (B, 6w, 6, 6)
            *(Separable(6 * width, 6 * width) for _ in range(3)),
        )
        self.verdict = nn.Linear(6 * width, 1)
        self.down = nn.Conv2d(6 * width, 4 * width, 1)
        self.join = nn.Sequential(*(Separable(4 * width, 4 * width) for _ in range(2)))
        self.places = nn.Conv2d(4 * width, 3 * len(POINTS), 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(crops)
        coarse = self.coarse(fine)
        logits = self.verdict(coarse.mean((2, 3)))[:, 0]
        context = F.interpolate(self.down(coarse), size=fine.shape[2:], mode="nearest")
        maps = self.places(self.join(fine + context)).float()  # (B, 15, 12, 12)
        likely, offsets = maps.flatten(2).split((len(POINTS), 2 * len(POINTS)), 1)
        n = fine.shape[-1]
        at = (torch.arange(n, device=maps.device) + 0.5) / n
        grid = torch.stack(torch.meshgrid(at, at, indexing="xy")).flatten(1)  # (2, 144): x, y
        where = grid + offsets.unflatten(1, (len(POINTS), 2)) / n  # (B, 5, 2, 144)
        return logits, (likely.softmax(2)[:, :, None] * where).sum(3)


class FaceFinder(nn.Module, Pretrained):
    """Both stages; `faces/detect.py` runs them on a photo."""

    def __init__(self, *, width: int = 24, close_width: int = 24) -> None:
        super().__init__()
        self.proposals = Proposals(width)
        self.closer = Closer(close_width)
