"""The only door for pictures and layouts: files and PIL images outside, tensors inside.

Inside the package an image is a float tensor (B, 3, H, W) in [-1, 1], sRGB, and a layout an integer
tensor (B, H, W) of class ids. What a user gives is checked by its header before a pixel is decoded;
whatever cannot be used ends in an InputError.
"""

import io
import json
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.hub import write_beside
from semedit_lite.labels import IGNORE, LabelSet

Source = str | Path | bytes | BinaryIO | Image.Image
Size = int | tuple[int, int]  # side, or (height, width)

MAX_PIXELS = 16_000_000
JPEG_RECORD = 60_000  # bytes of provenance; all metadata of a JPEG of this kind fit into 64 KB
# Pillow reads many more; these are what photos come in, and no decoder runs another program.
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF")
DAMAGED = "The picture is damaged or cut off; save or download it again."

# A header that announces a bomb: we refuse far earlier; Pillow only warns, unless told otherwise.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

SRGB = ImageCms.createProfile("sRGB")
UPRIGHT = {  # EXIF orientation -> what turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_photo(source: Source) -> Image.Image:
    """A photo as an upright RGB image in sRGB, without metadata.

    `source` is a path, the file's bytes, an open binary file or a PIL image. Transparency is laid
    on white, 16 bits become 8, CMYK and colour profiles are converted, all eight EXIF orientations
    are turned upright. InputError for anything that is no still picture of at most 16 megapixels.
    """
    image = _open(source, FORMATS)
    try:
        image.load()  # first: a PNG may state its orientation after the pixels
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        rgb = _to_rgb(image)
    except InputError:
        raise
    except Exception:  # Pillow's decoders raise errors of every kind at damaged data
        raise InputError(DAMAGED) from None
    if orientation in UPRIGHT:
        rgb = rgb.transpose(UPRIGHT[orientation])
    rgb.info = {}  # places, names and thumbnails stay behind
    return rgb


def load_layout(
    source: Source, labels: LabelSet, size: Size | None = None, *, resize: bool = False
) -> Tensor:
    """A layout from a PNG -> (1, H, W) long.

    The pixel values of a grey or palette image, of 8 or 16 bits, are class ids. A colour picture is
    taken by its colours, if each pixel has one of `labels`, and so is a palette image that holds
    these colours in another order, as programs that optimise files leave them.

    `size` is the size it must have; only with `resize` is a layout of the same shape but another
    size resized (nearest neighbour). InputError for any other picture, colour, size or id.
    """
    return read_layout(source, labels, size, resize=resize)[0]


def read_layout(
    source: Source, labels: LabelSet, size: Size | None = None, *, resize: bool = False
) -> tuple[Tensor, str]:
    """As `load_layout`, and a sentence for the user where the palette is one of unknown colours
    and the pixel values were taken as ids all the same; otherwise an empty one."""
    image = _open(source, FORMATS)
    if image.format not in ("PNG", None):
        raise InputError(
            f"A layout is a PNG, and this is a {image.format}, which need not keep each pixel's "
            "class as it is; draw it again and save it as a PNG."
        )
    try:
        image.load()
        ids, note = _class_ids(image, labels)
    except InputError:
        raise
    except Exception:  # as above
        raise InputError(DAMAGED) from None
    layout = labels.check(torch.from_numpy(ids.astype(np.int64))[None])  # (1, H, W)
    if size is None:
        return layout, note
    height, width = (size, size) if isinstance(size, int) else size
    h, w = layout.shape[-2:]
    if (h, w) == (height, width):
        return layout, note
    if not resize or h * width != w * height:
        raise InputError(f"The layout is {w}×{h} pixels, but {width}×{height} are needed.")
    return resize_layout(layout, (height, width)), note


def _class_ids(image: Image.Image, labels: LabelSet) -> tuple[np.ndarray, str]:
    """The class ids (H, W) of a decoded image, unchecked where they are its pixel values, and the
    note of `read_layout`."""
    if image.mode == "P":
        values = np.array(image)
        used = np.unique(values)
        palette = np.zeros((256, 3), np.uint8)
        entries = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        palette[: len(entries)] = entries
        meant = np.full(256, -1, np.int16)
        meant[used] = known = _by_colour(palette[used], labels)
        named = (known >= 0) & (known != IGNORE)  # many a palette has white somewhere
        if (known == used)[named].all():  # the set's own palette, or an unknown one
            return values, "" if named.any() else _unknown_palette(labels)
        if (known >= 0).all():
            return meant[values], ""
        if np.isin(values, used[named]).mean() > 0.5:  # its colours and blends of them
            raise _smoothed(meant[values], labels)
        return values, _unknown_palette(labels)
    if image.mode in ("L", "1") or image.mode.startswith("I"):
        return np.array(image), ""
    if image.has_transparency_data:
        opaque = np.array(image.convert("RGBA").getchannel("A")) == 255
        if not opaque.all():
            raise InputError(
                f"{_percent(~opaque)} of the layout's pixels are transparent; give each the colour "
                "of a class and save it without transparency."
            )
        if image.mode == "LA":
            return np.array(image.getchannel("L")), ""
    ids = _by_colour(np.array(image.convert("RGB")), labels)
    if (ids < 0).any():
        raise _smoothed(ids, labels)
    return ids, ""


def _by_colour(colours: np.ndarray, labels: LabelSet) -> np.ndarray:
    """uint8 (..., 3) -> the ids (...) of the classes with these colours, -1 where there is none.
    The colours are those of one table, the ordinary one or the one for contrast: what fits more."""
    packed = colours.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    best = np.full(packed.shape, -1, np.int16)
    for table in filter(None, (labels.colours, labels.contrast)):
        ids = np.full(packed.shape, -1, np.int16)
        for value, (r, g, b) in ((IGNORE, (255, 255, 255)), *enumerate(table)):
            ids[packed == 65536 * r + 256 * g + b] = value
        best = max(best, ids, key=lambda found: (found >= 0).sum())
    return best


def _unknown_palette(labels: LabelSet) -> str:
    return (
        f"The layout's colours are not those of '{labels.name}'; its pixel values were taken as "
        "class ids."
    )


def _smoothed(ids: np.ndarray, labels: LabelSet) -> InputError:
    return InputError(
        f"The layout is a colour picture, and {_percent(ids < 0)} of its pixels have none of the "
        f"colours of '{labels.name}'; draw and scale it without smoothing (anti-aliasing) and save "
        "it as a PNG, not as a JPEG."
    )


def _percent(mask: np.ndarray) -> str:
    return f"{max(0.01, 100 * mask.mean()):.3g} %"


def _open(source: Source, formats: tuple[str, ...]) -> Image.Image:
    """Opens a picture without decoding it; InputError by what its header says."""
    if isinstance(source, Image.Image):
        image = source
    else:
        try:
            file = io.BytesIO(source) if isinstance(source, bytes) else source
            image = Image.open(file, formats=formats)
        except FileNotFoundError:
            raise InputError(f"There is no file '{source}'.") from None
        except IsADirectoryError:
            raise InputError(f"'{source}' is a folder, not a picture.") from None
        except PermissionError:
            raise InputError(f"'{source}' may not be read; check its permissions.") from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise InputError(_too_large()) from None
        except Exception:  # as above
            raise InputError(
                f"This is not a picture that can be read, or it is damaged, empty or cut off; use "
                f"{', '.join(formats)} (export HEIC, SVG and TIFF files to one of them)."
            ) from None
    width, height = image.size
    if width == 0 or height == 0:
        raise InputError(f"The picture is empty ({width}×{height} pixels).")
    if width * height > MAX_PIXELS:
        raise InputError(_too_large(f"{width}×{height} pixels is"))
    try:
        # MPO is how phones store a JPEG beside its depth or preview; the first one is the photo.
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
    except Exception:  # as above: it looks for a second frame
        raise InputError(DAMAGED) from None
    if animated:
        raise InputError("The picture has several frames; save one of them as a still picture.")
    return image


def _too_large(size: str = "The picture is") -> str:
    return f"{size} too large; reduce it to at most {MAX_PIXELS // 10**6} megapixels."


def _to_rgb(image: Image.Image) -> Image.Image:
    """A decoded image of any mode -> RGB in sRGB, 8 bits; transparency on white."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise InputError("The picture has more than 16 bits a channel; save it with 8 or 16.")
        return Image.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise InputError("The picture holds floating-point numbers; save it with 8 or 16 bits.")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        under = Image.new("RGBA", over.size, "white")
        rgb = Image.alpha_composite(under, over).convert("RGB")
        return through_profile(rgb, image.info.get("icc_profile"))
    if image.mode in ("RGB", "CMYK"):
        return through_profile(image, image.info.get("icc_profile"))
    return image.convert("RGB")


def through_profile(
    image: Image.Image, profile: bytes | None, *, back: bool = False
) -> Image.Image:
    """RGB or CMYK in an embedded colour profile -> sRGB, or, `back`, sRGB -> RGB in the profile.
    Without a usable one the numbers are sRGB."""
    if profile:
        try:
            ends = [ImageCms.ImageCmsProfile(io.BytesIO(profile)), SRGB]
            source, target = reversed(ends) if back else ends
            return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            pass  # a broken or foreign profile: browsers ignore it as well
    return image.convert("RGB")


def to_tensor(image: Image.Image) -> Tensor:
    """RGB image -> float (1, 3, H, W) in [-1, 1]."""
    values = torch.from_numpy(np.array(image.convert("RGB")))  # (H, W, 3) uint8
    return values.permute(2, 0, 1)[None].float() / 127.5 - 1  # (1, 3, H, W)


def to_pil(image: Tensor) -> Image.Image:
    """Float (3, H, W) or (1, 3, H, W) in [-1, 1] -> RGB image; values outside are cut off."""
    if image.ndim == 4:
        (image,) = image
    return Image.fromarray(to_bytes(image).permute(1, 2, 0).cpu().numpy())


def to_bytes(image: Tensor) -> Tensor:
    """Float of any shape in [-1, 1] -> uint8; values outside are cut off."""
    return ((image.detach().float().clamp(-1, 1) + 1) * 127.5).round().byte()


def resize(image: Tensor, size: Size) -> Tensor:
    """Float (B, C, H, W) -> (B, C, *size), bilinear with anti-aliasing."""
    size = (size, size) if isinstance(size, int) else tuple(size)
    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def reduce(image: Tensor, size: int) -> Tensor:
    """Averages squares of pixels: (B, C, S, S) -> (B, C, size, size), of which S is a multiple."""
    return F.avg_pool2d(image, image.shape[-1] // size)


def box_sums(x: Tensor, radius: int) -> Tensor:
    """x (..., H, W), summed over the square of 2 radius + 1 around each pixel, as far as it lies
    inside; exact for counts. Along one side after the other, in a time that no radius changes."""
    window = 2 * radius + 1
    for side, margin in ((-2, (0, 0, radius + 1, radius)), (-1, (radius + 1, radius))):
        so_far = F.pad(x, margin).cumsum(side)
        kept = so_far.shape[side] - window
        x = so_far.narrow(side, window, kept) - so_far.narrow(side, 0, kept)
    return x


def box_mean(x: Tensor, radius: int) -> Tensor:
    """x (..., H, W), averaged over the same squares."""
    down, across = (box_sums(x.new_ones(n, 1), radius) for n in x.shape[-2:])  # (H, 1), (W, 1)
    return (box_sums(x.double(), radius) / (down * across.T)).to(x)  # float's sums lose digits


def blurred(x: Tensor, sigma: float, reach: int | None = None) -> Tensor:
    """(B, C, H, W) smoothed by a Gaussian of `sigma` pixels, cut off after `reach` (three sigma);
    borders are repeated."""
    reach = max(1, round(3 * sigma)) if reach is None else reach
    line = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    line = (-(line**2) / (2 * sigma**2)).exp()
    kernel = (line / line.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.pad(x, (reach,) * 4, mode="replicate")
    x = F.conv2d(x, kernel, groups=x.shape[1])
    return F.conv2d(x, kernel.transpose(2, 3), groups=x.shape[1])


def resize_layout(layout: Tensor, size: Size) -> Tensor:
    """Layout (B, H, W) -> (B, *size) long, nearest neighbour: no id that was not there."""
    size = (size, size) if isinstance(size, int) else tuple(size)
    # (B, H, W) -> (B, 1, H, W) -> (B, *size); float holds every id exactly
    return F.interpolate(layout[:, None].float(), size, mode="nearest-exact")[:, 0].long()


SYNTHETIC = "Synthetic picture, made or edited with semedit; not a photograph."
# IPTC's term for "generated by a trained model", which galleries and search engines look for.
_XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:ext="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 ext:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</rdf:RDF></x:xmpmeta><?xpacket end="r"?>"""


def save_picture(image: Image.Image, path: str | Path, provenance: dict[str, Any]) -> None:
    """Writes a PNG or JPEG (by the path's ending) whose metadata say that it is synthetic and, as
    JSON, how it was made (`provenance`: model, weights' digest, seed, operations). The image's
    orientation tag and colour profile are kept."""
    path = Path(path)
    record = json.dumps(provenance)
    exif = Image.Exif()
    orientation = image.getexif().get(ExifTags.Base.Orientation)
    if orientation in UPRIGHT:
        exif[ExifTags.Base.Orientation] = orientation
    if path.suffix.lower() == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("Description", SYNTHETIC)
        info.add_itxt("semedit", record)
        info.add_itxt("XML:com.adobe.xmp", _XMP)
        # Level 4 takes about half of the time of the usual 6; the file is hardly larger.
        options = {"format": "PNG", "pnginfo": info, "compress_level": 4}
        if exif:
            options["exif"] = exif
    elif path.suffix.lower() in (".jpg", ".jpeg"):
        if len(record) > JPEG_RECORD:
            raise InputError(f"'{path.name}' cannot hold so long a history; save it as a .png.")
        exif[ExifTags.Base.ImageDescription] = SYNTHETIC
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = (
            b"ASCII\0\0\0" + record.encode()
        )
        options = {"format": "JPEG", "quality": 95, "exif": exif, "xmp": _XMP.encode()}
    else:
        raise InputError(f"'{path.name}' cannot be written; let its name end in .png or .jpg.")
    options["icc_profile"] = image.info.get("icc_profile")
    write_beside(path, lambda beside: image.save(beside, **options))


def read_provenance(source: Source) -> dict[str, Any] | None:
    """What `save_picture` wrote into a picture; None where nothing of the kind is found."""
    image = _open(source, ("PNG", "JPEG"))
    try:
        exif = image.getexif().get_ifd(ExifTags.IFD.Exif)
        comment = exif.get(ExifTags.Base.UserComment, b"").removeprefix(b"ASCII\0\0\0")
        record = json.loads(image.info.get("semedit") or comment)
    except Exception:  # as above: metadata of any other kind, or none
        return None
    return record if isinstance(record, dict) else None
