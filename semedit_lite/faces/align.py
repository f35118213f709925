"""A face in a photo, turned, scaled and cut out to the generator's framing (`framing.py`), and laid
back. Beyond the photo's border the crop mirrors it, blurred, as in FFHQ.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.faces.detect import Face, find_faces
from semedit_lite.faces.frames import Frame, cut, warp
from semedit_lite.faces.framing import FILLED, filled, framing
from semedit_lite.faces.parse import parse
from semedit_lite.images import load_photo, to_pil, to_tensor
from semedit_lite.models.finder import FaceFinder
from semedit_lite.models.parser import FaceParser
from semedit_lite.photo import Photo

NO_FACE = (
    "No face was found in this picture; choose a head shot that shows both eyes, nose and mouth, "
    "larger and less turned."
)


class NoFaceError(InputError):
    """No face was found in the picture."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """A face in the generator's framing, and where in the photo it was."""

    image: Tensor  # (1, 3, S, S) in [-1, 1]
    layout: Tensor  # (1, S, S) class ids
    matrix: Tensor  # (2, 3) float64: crop (x, y, 1) -> photo (x, y), in pixels

    @property
    def inverse(self) -> Tensor:
        """(2, 3): photo (x, y, 1) -> crop (x, y)."""
        linear = torch.linalg.inv(self.matrix[:, :2])
        return torch.cat([linear, -linear @ self.matrix[:, 2:]], 1)

    def cut(self, mask: Tensor, size: int) -> Tensor:
        """What of a mask over the photo (1, 1, H, W) lies in the crop: (1, 1, size, size)."""
        matrix = self.matrix.clone()
        matrix[:, :2] *= self.image.shape[-1] / size
        return warp(mask, matrix, (size, size), "bilinear", "zeros")

    def back(self, mask: Tensor, size: tuple[int, int]) -> Tensor:
        """A mask over the crop (1, 1, S, S) laid over the photo of that size (width, height):
        (1, 1, height, width), 0 beyond the crop."""
        return warp(mask, self.inverse, size[::-1], "bilinear", "zeros")

    def paste(self, photo: Photo, edited: Tensor, alpha: Tensor) -> Image.Image:
        """The photo at its full size with the edited crop laid back into it, stored as it was
        (`Photo.lay`).

        edited: (1, 3, S, S) in [-1, 1]; alpha: (1, S, S) in [0, 1], 0 where the photo stays. The
        photo's pixels stay as they are that are farther from any crop pixel with alpha > 0 than one
        of the crop's, or, where these are the smaller ones, two of the photo's.
        """
        box = self._reach(alpha > 0, photo.size)
        if box is None:
            return photo.lay((0, 0, 1, 1), Image.new("RGB", (1, 1)), np.zeros((1, 1)))
        left, top, right, bottom = box
        inverse = self.inverse
        inverse[:, 2] += inverse[:, :2] @ torch.tensor([left, top]).double()
        size = (bottom - top, right - left)
        share = warp(alpha[:, None], inverse, size, "bilinear", "zeros")[0, 0].clamp(0, 1)
        return photo.lay(box, to_pil(warp(edited, inverse, size)), share.numpy())

    def _reach(self, mask: Tensor, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """The box in a photo of this size (width, height) that shows the crop's pixels of `mask`
        (1, S, S) and one around them; None where there are none."""
        _, y, x = mask.nonzero(as_tuple=True)
        if not len(x):
            return None
        x = torch.stack([x.min() - 1, x.max() + 2]).double()
        y = torch.stack([y.min() - 1, y.max() + 2]).double()
        corners = torch.stack([x[[0, 1, 0, 1]], y[[0, 0, 1, 1]], torch.ones(4)])
        low, high = (self.matrix @ corners).aminmax(dim=1)  # (2,), (2,)
        limits = torch.tensor(size).double()
        left, top = (int(v) for v in low.floor().clamp(min=0).minimum(limits))
        right, bottom = (int(v) for v in high.ceil().clamp(min=0).minimum(limits))
        return None if right == left or bottom == top else (left, top, right, bottom)


def align(
    photo: Image.Image,
    parser: FaceParser,
    size: int = 256,
    face: Face | Frame | None = None,
    finder: FaceFinder | None = None,
) -> Alignment:
    """Cuts a face out, `size` pixels wide: `face`, or the square that a person has chosen, or the
    largest that is found. NoFaceError, an InputError, where none is found, or the parser sees none
    in what was found.
    """
    photo = load_photo(photo)
    if isinstance(face, Frame):
        crop = cut_photo(photo, face, size)
        return Alignment(crop, _parse(crop, parser), face.matrix(size))
    for one in [face] if face is not None else find_faces(photo, finder):
        frame = framing(one.points)
        crop = cut_photo(photo, frame, size)
        layout = _parse(crop, parser)
        if filled(layout[0].numpy()) > FILLED:
            return Alignment(crop, layout, frame.matrix(size))
    raise NoFaceError(NO_FACE)


def cut_photo(photo: Image.Image, frame: Frame, size: int) -> Tensor:
    """The frame's part of an RGB photo as (1, 3, size, size), on the grid of 8 bits; of a large
    photo only this part is made a tensor, and reduced first."""
    corners = frame.a * np.array([0, 1, 1j, 1 + 1j]) + frame.b
    low = complex(corners.real.min(), corners.imag.min())
    high = complex(corners.real.max(), corners.imag.max())
    width, height = photo.size
    factor = min(max(1, int(abs(frame.a) / size / 2)), width, height)
    margin = 4 * factor
    left = int(np.clip(low.real - margin, 0, width - factor)) // factor * factor
    top = int(np.clip(low.imag - margin, 0, height - factor)) // factor * factor
    # Whole cells of the reduction; what is left over at the photo's border counts as beyond it.
    across = int(np.clip(high.real + margin - left, factor, width - left)) // factor * factor
    down = int(np.clip(high.imag + margin - top, factor, height - top)) // factor * factor
    part = photo.crop((left, top, left + across, top + down))
    if factor > 1:
        part = part.reduce(factor)
    inside = Frame(frame.a / factor, (frame.b - complex(left, top)) / factor)
    return to_tensor(to_pil(cut(to_tensor(part), inside, size)))  # as a file would hold it


def _parse(crops: Tensor, parser: FaceParser) -> Tensor:
    device = next(parser.parameters()).device
    return parse(crops.to(device), parser=parser).cpu()
