"""A photo as it was given: kept as its file, so that what is not edited stays as it is.

Editors work on the upright picture in sRGB (`images.load_photo`). What they paint is laid back into
the pixels as they are stored: in the photo's own colour profile and orientation, which the result
keeps. Its other metadata, such as places and names, stay behind.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from semedit_lite.images import FORMATS, UPRIGHT, Source, load_photo, through_profile

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two are outside


@dataclass(frozen=True)
class Photo:
    """A photo that is edited in part; made by `read_photo`. Nothing is kept decoded."""

    file: bytes = field(repr=False)
    size: tuple[int, int]  # width and height of the upright picture

    @property
    def nbytes(self) -> int:
        """What it takes to keep."""
        return len(self.file)

    @property
    def upright(self) -> Image.Image:
        """The upright RGB picture in sRGB."""
        return load_photo(self.file)

    def lay(self, box: Box, patch: Image.Image, alpha: np.ndarray) -> Image.Image:
        """The photo with `patch` in it, an RGB picture of the size of `box`, in pixels of the
        upright photo.

        alpha: (h, w) in [0, 1]; where it is 0 the stored pixels stay as they are. The result has
        the photo's orientation tag and profile, which `images.save_picture` writes.
        """
        image = Image.open(io.BytesIO(self.file), formats=FORMATS)
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        if image.mode != "RGB" or image.has_transparency_data:
            image, orientation, profile = self.upright, 1, None
        else:
            profile = image.info.get("icc_profile")
        upright = UPRIGHT.get(orientation)
        mask = Image.fromarray(np.round(255 * np.clip(alpha, 0, 1)).astype(np.uint8))
        if upright is not None:
            stored = INVERSE[upright]
            box = _stored(box, self.size, stored)
            patch, mask = patch.transpose(stored), mask.transpose(stored)
        patch = through_profile(patch, profile, back=True)
        result = image.copy()
        result.info = {"icc_profile": profile} if profile else {}
        result.paste(patch, box, mask)  # Pillow leaves pixels alone where the mask is 0
        if orientation != 1:
            result.getexif()[ExifTags.Base.Orientation] = orientation
        return result


def read_photo(source: Source) -> tuple[Photo, Image.Image]:
    """A photo, and its upright RGB picture in sRGB. InputError for what `load_photo` refuses."""
    if isinstance(source, Image.Image):
        source = _file(source)
    elif not isinstance(source, bytes | str | Path):
        source = source.read()
    upright = load_photo(source)
    file = source if isinstance(source, bytes) else Path(source).read_bytes()
    return Photo(file, upright.size), upright


INVERSE = {
    transpose: {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }.get(transpose, transpose)
    for transpose in UPRIGHT.values()
}


def _stored(box: Box, size: tuple[int, int], transpose: Image.Transpose) -> Box:
    """Where a box of the upright picture of this size lies in the stored one."""
    left, top, right, bottom = box
    width, height = size
    mirrored_x, mirrored_y = (width - right, width - left), (height - bottom, height - top)
    across, down = {
        Image.Transpose.FLIP_LEFT_RIGHT: (mirrored_x, (top, bottom)),
        Image.Transpose.FLIP_TOP_BOTTOM: ((left, right), mirrored_y),
        Image.Transpose.ROTATE_180: (mirrored_x, mirrored_y),
        Image.Transpose.TRANSPOSE: ((top, bottom), (left, right)),
        Image.Transpose.TRANSVERSE: (mirrored_y, mirrored_x),
        Image.Transpose.ROTATE_90: ((top, bottom), mirrored_x),
        Image.Transpose.ROTATE_270: (mirrored_y, (left, right)),
    }[transpose]
    return across[0], down[0], across[1], down[1]


def _file(image: Image.Image) -> bytes:
    """A PIL image as a PNG file, with its orientation and profile."""
    buffer = io.BytesIO()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"):
        image = load_photo(image)  # what a PNG cannot hold
    options = {"icc_profile": image.info.get("icc_profile")}
    image.save(buffer, "PNG", compress_level=1, exif=image.getexif(), **options)
    return buffer.getvalue()
