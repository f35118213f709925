"""U-Net painter with a style code: a layout becomes a picture, the way of pix2pix and BicycleGAN
(Isola et al. 2017, arXiv 1611.07004; Zhu et al. 2017, arXiv 1711.11586).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.errors import InputError
from semedit_lite.hub import Pretrained
from semedit_lite.labels import one_hot
from semedit_lite.models.layers import initialise, plain_norm
from semedit_lite.models.spade import StyleEncoder, draw_style


class UNetPainter(nn.Module, Pretrained):
    """A layout in the style of a photo or of a random code (BicycleGAN, section 4, figure 3a).

    layout (B, H, W) class ids, z (B, z_dim) or None -> pictures (B, 3, size, size) in [-1, 1]

    One-hot map and replicated code enter a U-Net together; all that the later layers know of
    them comes through its skip connections. The defaults are the official numbers. Deviations:
    the code enters at the first layer only, which the paper calls `add_to_input` (the released
    code adds it to every layer); the innermost maps are 4 x 4, not 1 x 1; photos are encoded by
    SPADE's encoder, not by a ResNet.
    """

    def __init__(
        self,
        *,
        classes: int,
        size: int = 256,
        z_dim: int = 8,
        width: int = 64,  # channels of the outermost level; doubled by each further one ...
        max_width: int = 512,  # ... up to this
        norm: str = "instance",  # or "batch"
        encoder_width: int = 64,
    ) -> None:
        super().__init__()
        levels = size.bit_length() - 3  # the innermost maps are 4 x 4
        if levels < 1 or size != 4 << levels:
            raise InputError(f"The painter's size must be a power of 2 from 8 up, not {size}.")
        self.classes, self.size, self.z_dim = classes, size, z_dim
        widths = [min(width << i, max_width) for i in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        # no norm on the outermost maps: it would take the style's colours out of them
        for i, (a, b) in enumerate(pairwise([classes + z_dim, *widths])):
            conv = nn.Conv2d(a, b, 4, stride=2, padding=1)
            self.down.append(nn.Sequential(conv, plain_norm(norm, b)) if i else conv)
        for i, (a, b) in enumerate(pairwise([3, *widths])):
            joined = b if i == levels - 1 else 2 * b  # from within and, but there, from the skip
            conv = nn.ConvTranspose2d(joined, a, 4, stride=2, padding=1)
            self.up.append(nn.Sequential(conv, plain_norm(norm, a)) if i else conv)
        initialise(self)
        self.encoder = StyleEncoder(
            size=size, z_dim=z_dim, width=encoder_width, max_width=max_width, norm=norm
        )

    def forward(
        self, layout: Tensor, z: Tensor | None = None, generator: Generator | None = None
    ) -> Tensor:
        if z is None:
            z = draw_style(len(layout), self.z_dim, layout.device, generator)
        side = (self.size, self.size)
        condition = F.interpolate(one_hot(layout, self.classes), side, mode="nearest")
        x = torch.cat([condition, z[:, :, None, None].expand(-1, -1, *side)], 1)  # (B, K + D, S, S)
        skips = []
        for layer in self.down:
            x = layer(F.leaky_relu(x, 0.2) if skips else x)  # half the side
            skips.append(x)
        for skip, layer in zip(skips[::-1], reversed(self.up), strict=True):
            joined = skip if x is skip else torch.cat([x, skip], 1)  # (B, 2C, h, w)
            x = layer(F.relu(joined))  # twice the side
        return torch.tanh(x)

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, H, W) in [-1, 1] of any size -> mean and log variance (B, z_dim)."""
        return self.encoder(image)
