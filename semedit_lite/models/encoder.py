"""Which latent paints this face? An encoder that looks twice (ReStyle, Alaluf et al. 2021,
arXiv 2104.02699).

EditGAN's own encoder guesses W+ at one go and has 277 million parameters. Ours has three million
and sees, beside the photo, what the generator makes of the guess so far: first the mean face, then
its own guess. Each time it says what to add.

    photo, mean face --encoder--> W+ --generator--> guess;  photo, guess --encoder--> W+ ...
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.models.mobilestylegan import ROWS, MobileStyleGAN

SIDE = 256  # of the photo
PASSES = 2


def conv(c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution and batch norm; `stride` divides the side."""
    layer = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(c_out))


class Inverted(nn.Module):
    """Widen, look around channel by channel, narrow (MobileNetV2, arXiv 1801.04381):
    (B, c_in, s, s) -> (B, c_out, s / stride, s / stride)."""

    def __init__(self, c_in: int, c_out: int, stride: int, widen: int = 3) -> None:
        super().__init__()
        wide = widen * c_in
        self.expand, self.look = conv(c_in, wide), conv(wide, wide, 5, stride, wide)
        self.narrow = conv(wide, c_out)
        self.adds = stride == 1 and c_in == c_out

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(F.silu(self.look(F.silu(self.expand(x)))))
        return x + y if self.adds else y


class FaceEncoder(nn.Module, Pretrained):
    """Photo (B, 3, 256, 256) in the generator's framing and the guess so far, as a picture of the
    same shape, both in [-1, 1] -> what to add to the guess's W+ (B, 16, 512).

    All rows get one common vector, and each one of its own that has few degrees of freedom: what
    cannot be told from the picture stays near W, where the generator is at home (e4e, Tov et al.
    2021, arXiv 2102.02766)."""

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (32, 48, 80, 128, 192),  # channels at 128, 64, ... 8 pixels
        blocks: tuple[int, ...] = (1, 2, 3, 4, 3),
        squeezed: int = 24,  # channels whose 8 x 8 places are told apart
        hidden: int = 384,
        freedom: int = 32,  # degrees of freedom of each row's own vector
    ) -> None:
        super().__init__()
        self.stem = conv(6, widths[0], 3, 2)  # (B, 6, 256, 256) -> (B, 32, 128, 128)
        self.stages = nn.ModuleList()
        c_in = widths[0]
        for i, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            strides = [2 if i else 1] + [1] * (count - 1)
            stage = [Inverted(c_in if k == 0 else width, width, s) for k, s in enumerate(strides)]
            self.stages.append(nn.Sequential(*stage))
            c_in = width
        self.squeeze = conv(widths[-1], squeezed)
        self.places = nn.Linear(squeezed * 64, hidden)
        seen = hidden + sum(widths[1:])
        self.common = nn.Linear(seen, 512)
        self.own = nn.Linear(seen, ROWS * freedom)
        self.directions = nn.Parameter(torch.randn(ROWS, freedom, 512) * freedom**-0.5)
        for layer in (self.common, self.own):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, photo: Tensor, guess: Tensor) -> Tensor:
        if photo.ndim != 4 or photo.shape[1:] != (3, SIDE, SIDE) or photo.shape != guess.shape:
            raise InputError(
                f"The encoder compares pictures (B, 3, {SIDE}, {SIDE}), not {tuple(photo.shape)} "
                f"and {tuple(guess.shape)}."
            )
        x, means = F.silu(self.stem(torch.cat([photo, photo - guess], 1))), []
        for stage in self.stages:
            x = stage(x)
            means.append(x.mean((2, 3)))
        places = self.squeeze(x).flatten(1)  # (B, squeezed * 8 * 8)
        seen = torch.cat([F.silu(self.places(places)), *means[1:]], 1)
        own = self.own(seen).view(len(photo), ROWS, -1)  # (B, 16, freedom)
        added = self.common(seen)[:, None] + torch.einsum("brf,rfd->brd", own, self.directions)
        return 0.1 * added  # Adam moves all weights by as much: many inputs, so in shorter steps


def encode(
    encoder: FaceEncoder,
    generator: MobileStyleGAN,
    photo: Tensor,
    mean: Tensor | None = None,
    passes: int = PASSES,
) -> tuple[Tensor, Tensor]:
    """Photo (B, 3, 256, 256) -> W+ (B, 16, 512) and what the generator makes of it
    (B, 3, 256, 256). `mean` is the mean face (1, 3, 256, 256), where it is at hand."""
    rows = generator.rows(generator.mean_w[None]).expand(len(photo), -1, -1)
    mean = generator.synthesis(rows[:1], SIDE) if mean is None else mean
    guess = mean.expand(len(photo), -1, -1, -1)
    for _ in range(passes):
        rows = rows + encoder(photo, guess)
        guess = generator.synthesis(rows, SIDE)
    return rows, guess
