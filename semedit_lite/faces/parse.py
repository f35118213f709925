"""From a picture of a face to its layout."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.images import Size, resize
from semedit_lite.models.parser import FaceParser

SIDE = 256  # what the parser was trained at
NAME = "face-parser"


@lru_cache(maxsize=2)
def face_parser(device: str = "cpu") -> FaceParser:
    """The bundled parser, loaded once."""
    return FaceParser.from_pretrained(NAME, device)


@torch.no_grad()
def parse(
    images: Tensor, size: Size | None = None, parser: FaceParser | None = None, batch: int = 8
) -> Tensor:
    """Images (B, 3, H, W) in [-1, 1] -> layouts (B, H, W) of `labels.FACE`, long.

    The picture is seen at 256 x 256, squeezed if it is not square; the answer has the picture's
    size, or `size` where given. Borders between parts are smooth at any size, since scores are
    resized and not ids.
    """
    parser = parser or face_parser(str(images.device))
    height, width = (
        images.shape[2:] if size is None else (size, size) if isinstance(size, int) else size
    )
    layouts = []
    for part in images.split(batch):
        scores = parser(resize(part, SIDE).contiguous(memory_format=torch.channels_last))
        if (height, width) != (SIDE, SIDE):
            shrinks = height < SIDE or width < SIDE
            scores = F.interpolate(scores, (height, width), mode="bilinear", antialias=shrinks)
        layouts.append(scores.argmax(1))
    return torch.cat(layouts)
