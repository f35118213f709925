"""Photos keep every pixel that is not edited, their orientation and their colours."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps

from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment, cut_photo
from semedit_lite.faces.frames import Frame, cut
from semedit_lite.images import load_photo, save_picture, to_tensor
from semedit_lite.photo import read_photo

ORIENTATION = ExifTags.Base.Orientation


def noise(width, height, channels=3):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tagged(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(0, 40), st.integers(0, 20), st.integers(1, 9))
def test_a_patch_lies_where_the_upright_photo_says(orientation, left, top, side):
    photo, upright = read_photo(encoded(noise(60, 50), exif=tagged(orientation)))
    assert photo.size == upright.size
    box = (left, top, left + side, top + side)
    result = photo.lay(box, Image.new("RGB", (side, side), (1, 2, 3)), np.ones((side, side)))
    assert result.size == (60, 50)  # as it is stored
    assert result.getexif().get(ORIENTATION, 1) == orientation
    wanted = np.array(upright)
    wanted[top : top + side, left : left + side] = (1, 2, 3)
    assert np.array_equal(ImageOps.exif_transpose(result), wanted)


def wide_gamut():
    """A profile whose numbers mean other colours than those of sRGB: its primaries are rotated."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {
        bytes(profile[i : i + 4]): slice(i + 4, i + 8)
        for i in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12)
    }
    red, green, blue = (bytes(profile[tags[name]]) for name in (b"rXYZ", b"gXYZ", b"bXYZ"))
    for name, place in ((b"rXYZ", green), (b"gXYZ", blue), (b"bXYZ", red)):
        profile[tags[name]] = place
    return bytes(profile)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_profile_and_orientation_are_kept_and_untouched_pixels_too(tmp_path, ending):
    profile = wide_gamut()
    stored = noise(64, 48)
    given = encoded(stored, icc_profile=profile, exif=tagged(6))
    photo, upright = read_photo(given)
    patch = Image.new("RGB", (20, 20), (200, 60, 30))
    alpha = np.zeros((20, 20))
    alpha[5:15, 5:15] = 1
    result = photo.lay((10, 10, 30, 30), patch, alpha)
    path = tmp_path / f"out.{ending}"
    save_picture(result, path, {"synthetic": True})
    with Image.open(path) as saved:
        assert saved.info["icc_profile"] == profile
        assert saved.getexif()[ORIENTATION] == 6
        if ending == "png":
            same = (np.array(saved) == np.array(stored)).all(2)
            assert (~same).sum() == 100
    # whoever shows it by its profile and tag sees the patch in its colours
    seen = np.array(load_photo(path)).astype(int)
    limit = 3 if ending == "png" else 40
    assert np.abs(seen[18:22, 18:22] - (200, 60, 30)).max() <= limit
    if ending == "png":
        away = np.ones(seen.shape[:2], bool)
        away[15:25, 15:25] = False
        assert np.array_equal(seen[away], np.array(upright)[away])


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_other_kinds_of_pictures_come_back_upright(mode):
    image = noise(40, 30).convert(mode if mode != "I;16" else "I")
    kind = "TIFF" if mode == "CMYK" else "PNG"
    source = image if mode == "CMYK" else encoded(image, kind, exif=tagged(6))
    photo, upright = read_photo(source)
    result = photo.lay((0, 0, 2, 2), Image.new("RGB", (2, 2)), np.ones((2, 2)))
    assert result.mode == "RGB"
    assert np.array_equal(np.array(result)[2:, 2:], np.array(upright)[2:, 2:])


@pytest.mark.parametrize("mode", ["PA", "RGBX", "RGBa", "I;16L"])
def test_pictures_of_other_programs_are_photos_too(mode):
    steps = {"PA": ("L", "PA"), "RGBa": ("RGBA", "RGBa")}.get(mode, (mode,))
    image = Image.new(mode, (9, 5)) if mode == "I;16L" else noise(9, 5)
    for step in steps if mode != "I;16L" else ():
        image = image.convert(step)
    photo, upright = read_photo(image)
    assert np.array_equal(photo.upright, upright)
    assert photo.size == (9, 5)


def test_a_photo_is_not_opened_as_anything_else_when_it_is_laid():
    """A WebP with a chunk that makes Pillow take it for a Photo CD, if it may."""

    def chunk(name, content):
        return name + len(content).to_bytes(4, "little") + content

    pixels = encoded(noise(300, 200), "WEBP", lossless=True)[12:]
    size = (299).to_bytes(3, "little") + (199).to_bytes(3, "little")
    head = b"WEBP" + chunk(b"VP8X", bytes(4) + size)
    other = chunk(b"JUNK", bytes(2048 - 8 - len(head) - 8) + b"PCD_" + bytes(4096))
    file = chunk(b"RIFF", head + other + pixels)
    assert Image.open(io.BytesIO(file)).format == "PCD"
    photo, upright = read_photo(file)
    result = photo.lay((0, 0, 2, 2), Image.new("RGB", (2, 2)), np.ones((2, 2)))
    assert np.array_equal(np.array(result)[2:], np.array(upright)[2:])


def test_places_and_names_stay_behind(tmp_path):
    exif = tagged(3)
    exif[ExifTags.Base.Artist] = "somebody"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    photo, _ = read_photo(encoded(noise(20, 20), "JPEG", exif=exif))
    result = photo.lay((0, 0, 1, 1), Image.new("RGB", (1, 1)), np.ones((1, 1)))
    save_picture(result, tmp_path / "a.png", {})
    with Image.open(tmp_path / "a.png") as saved:
        assert set(saved.getexif()) == {ORIENTATION}


@pytest.mark.parametrize("source", [b"", b"no picture", "missing.jpg"])
def test_what_is_no_photo_is_refused(source):
    with pytest.raises(InputError):
        read_photo(source)


LARGE = {}  # a file of 12 megapixels and its pixels, made once


@settings(max_examples=4, deadline=None)
@given(
    st.sampled_from([1, 6]),
    st.floats(-180, 180),
    st.floats(300, 2500),
    st.complex_numbers(max_magnitude=1500),
    st.tuples(*[st.integers(0, 200)] * 2, *[st.integers(1, 56)] * 2),
)
def test_outside_of_region_and_halo_12_megapixels_stay_as_they_are(
    orientation, turn, side, shift, region
):
    if not LARGE:
        rough = noise(500, 375).resize((4000, 3000))
        LARGE.update(pixels=np.array(rough))
        LARGE.update({o: encoded(rough, exif=tagged(o), compress_level=1) for o in (1, 6)})
    photo, upright = read_photo(LARGE[orientation])
    width, height = upright.size
    frame = Frame.square(complex(width, height) / 2 + shift, side, turn)
    x, y, w, h = region
    alpha = torch.zeros(1, 256, 256)
    alpha[:, y : y + h, x : x + w] = 1  # region and halo, as `feather` makes them
    there = Alignment(torch.zeros(1), torch.zeros(1), frame.matrix(256))
    result = there.paste(photo, torch.full((1, 3, 256, 256), -1.0), alpha)
    assert np.array(result).shape == LARGE["pixels"].shape
    before, after = np.array(upright), np.array(ImageOps.exif_transpose(result))
    touched = (before != after).any(2)
    row, column = np.nonzero(touched)
    u, v = there.inverse.numpy() @ np.stack([column + 0.5, row + 0.5, np.ones(len(row))])
    assert (x - 1 <= u).all()
    assert (u <= x + w + 1).all()
    assert (y - 1 <= v).all()
    assert (v <= y + h + 1).all()
    middle = there.matrix.numpy() @ (x + w / 2, y + h / 2, 1)
    if min(w, h) > 2 and (middle >= 0).all() and (middle < upright.size).all():
        column, row = middle.astype(int)
        assert (after[row, column] == 0).all()  # and the region itself is painted


@settings(max_examples=20, deadline=None)
@given(
    st.floats(-180, 180),
    st.floats(40, 600),
    st.complex_numbers(max_magnitude=150),
)
def test_a_crop_of_the_photo_is_that_of_its_tensor(turn, side, shift):
    y, x = np.mgrid[:300, :400]
    smooth = np.stack([128 + 60 * np.sin(x / 30), 128 + 60 * np.cos(y / 25), x * 0.6], 2)
    photo = Image.fromarray(smooth.astype(np.uint8))
    frame = Frame.square(200 + 150j + shift, side, turn)
    one, other = cut_photo(photo, frame, 64), cut(to_tensor(photo), frame, 64)
    assert (one - other).abs().max() < 0.06
