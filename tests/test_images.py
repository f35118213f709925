"""The door for pictures: every bad input ends in one sentence, every odd one comes out right."""

import contextlib
import io
import re
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from semedit_lite import images
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE, IGNORE, LabelSet

# Four blocks, so that a turn or a flip of any kind shows: red, green / blue, yellow.
BLOCKS = np.zeros((32, 48, 3), np.uint8)
BLOCKS[:16, :24], BLOCKS[:16, 24:] = (255, 0, 0), (0, 255, 0)
BLOCKS[16:, :24], BLOCKS[16:, 24:] = (0, 0, 255), (255, 255, 0)


def encoded(image: Image.Image, format: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and brings a handful of bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 64)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def frames() -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]


def animated(format: str) -> bytes:
    first, second = frames()
    return encoded(first, format, save_all=True, append_images=[second])


def same(image: Image.Image, expected: np.ndarray, tolerance: int = 0) -> bool:
    found = np.asarray(image).astype(int)
    return found.shape == expected.shape and np.abs(found - expected).max() <= tolerance


# Refused, with a sentence ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"", "not a picture", id="empty file"),
        pytest.param(b"hello, world", "not a picture", id="text"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG", id="SVG"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a", id="EPS"),
        pytest.param(encoded(Image.fromarray(BLOCKS))[:90], "cut off", id="truncated PNG"),
        pytest.param(encoded(Image.fromarray(BLOCKS), "JPEG")[:500], "cut off", id="cut JPEG"),
        pytest.param(encoded(Image.fromarray(BLOCKS), "WEBP")[:60], "not a", id="cut WebP"),
        pytest.param(png_header(0, 0), "empty", id="0x0"),
        pytest.param(png_header(20_000, 20_000), "16 megapixels", id="20,000 squared"),
        pytest.param(png_header(10_000, 10_000), "16 megapixels", id="where Pillow only warns"),
        pytest.param(png_header(4_001, 4_000), "4001×4000", id="just too large"),
        pytest.param(animated("GIF"), "several frames", id="animated GIF"),
        pytest.param(animated("WEBP"), "several frames", id="animated WebP"),
        pytest.param(animated("PNG"), "several frames", id="animated PNG"),
        pytest.param(encoded(Image.fromarray(BLOCKS), "TIFF"), "TIFF", id="TIFF"),
    ],
)
def test_refuses(data, says, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    for source in (data, io.BytesIO(data), path, str(path)):
        with pytest.raises(InputError, match=says) as caught:
            images.load_photo(source)
        assert "\n" not in str(caught.value)
        assert str(caught.value).endswith(".")


def test_refuses_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match="no file"):
        images.load_photo(tmp_path / "missing.png")
    with pytest.raises(InputError, match="folder"):
        images.load_photo(tmp_path)


def test_refuses_pil_images_alike():
    with pytest.raises(InputError, match="empty"):
        images.load_photo(Image.new("RGB", (0, 5)))
    with pytest.raises(InputError, match="megapixels"):
        images.load_photo(Image.new("1", (5000, 5000)))
    with pytest.raises(InputError, match="floating-point"):
        images.load_photo(Image.new("F", (5, 5)))
    with pytest.raises(InputError, match="several frames"):
        images.load_photo(Image.open(io.BytesIO(animated("GIF"))))


def test_the_header_comes_first(monkeypatch):
    def load(self):
        raise AssertionError("decoded before its size was looked at")

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(InputError, match="megapixels"):
        images.load_photo(png_header(4_100, 4_100))


# Accepted, and converted right ----------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF"])
def test_lossless_formats_come_through_exactly(format):
    assert same(images.load_photo(encoded(Image.fromarray(BLOCKS), format)), BLOCKS)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "MPO"])
def test_lossy_formats_come_through_closely(format):
    photo = images.load_photo(encoded(Image.fromarray(BLOCKS), format, quality=95))
    assert photo.mode == "RGB"
    assert np.abs(np.asarray(photo).astype(int) - BLOCKS).mean() < 12


def test_a_phones_jpeg_with_a_second_picture_is_a_photo():
    first, second = frames()
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    assert same(images.load_photo(data), np.full((8, 8, 3), (254, 0, 0)))


def test_sixteen_bits_become_eight():
    levels = np.array([[0, 257, 128 * 257, 65535]], np.uint16)
    data = encoded(Image.fromarray(levels))
    assert Image.open(io.BytesIO(data)).mode == "I;16"
    expected = np.array([[0, 1, 128, 255]])[..., None].repeat(3, -1)
    assert same(images.load_photo(data), expected)
    assert same(images.load_photo(Image.fromarray(levels.astype(np.int32))), expected)
    with pytest.raises(InputError, match="16 bits"):
        images.load_photo(Image.fromarray(levels.astype(np.int32) * 2))


def test_sixteen_bit_colour():
    raw = np.zeros((1, 2, 3), ">u2")
    raw[0, 1] = (65535, 0x8080, 0)
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = png_chunk(b"IDAT", zlib.compress(b"\0" + raw.tobytes()))
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + data + png_chunk(b"IEND", b"")
    assert same(images.load_photo(png), np.array([[[0, 0, 0], [255, 128, 0]]]))


def test_cmyk_jpeg():
    photo = images.load_photo(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    assert photo.mode == "RGB"
    assert same(photo, np.full((16, 16, 3), (255, 0, 0)), tolerance=3)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_grey(format):
    photo = images.load_photo(encoded(Image.new("L", (16, 16), 90), format))
    assert same(photo, np.full((16, 16, 3), 90))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("RGBA", (4, 4), (200, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (4, 4), (200, 0, 0, 255)), (200, 0, 0)),
        (Image.new("RGBA", (4, 4), (0, 0, 0, 128)), (127, 127, 127)),
        (Image.new("LA", (4, 4), (0, 0)), (255, 255, 255)),
    ],
)
def test_alpha_lies_on_white(image, expected):
    assert same(images.load_photo(encoded(image)), np.full((4, 4, 3), expected))


def test_palette_with_and_without_transparency():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 0])
    assert same(images.load_photo(encoded(image)), np.array([[[10, 20, 30], [200, 100, 0]]]))
    data = encoded(image, transparency=1)
    assert same(images.load_photo(data), np.array([[[10, 20, 30], [255, 255, 255]]]))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(format, orientation):
    # How a camera stores an upright picture under each orientation, written with numpy alone.
    stored = {
        1: BLOCKS,
        2: BLOCKS[:, ::-1],
        3: BLOCKS[::-1, ::-1],
        4: BLOCKS[::-1],
        5: BLOCKS.transpose(1, 0, 2),
        6: np.rot90(BLOCKS),
        7: np.rot90(BLOCKS, 2).transpose(1, 0, 2),
        8: np.rot90(BLOCKS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), format, exif=exif, quality=95)
    photo = np.asarray(images.load_photo(data)).astype(int)
    assert photo.shape == BLOCKS.shape
    centres = np.ix_((8, 24), (12, 36))
    assert np.abs(photo[centres] - BLOCKS[centres]).max() < 12


def test_metadata_stay_behind():
    exif = Image.Exif()
    exif[0x010E] = "at my house"
    photo = images.load_photo(encoded(Image.fromarray(BLOCKS), "JPEG", exif=exif))
    assert b"my house" not in encoded(photo, "JPEG") + encoded(photo, "PNG")


def test_colour_profiles_are_converted():
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    unfit = ImageCms.ImageCmsProfile(lab).tobytes()
    for profile in (srgb, unfit, b"no profile at all"):  # the same, and two that cannot be used
        data = encoded(Image.fromarray(BLOCKS), icc_profile=profile)
        assert same(images.load_photo(data), BLOCKS, tolerance=1)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["", "PNG", "GIF", "JPEG", "WEBP", "AVIF", "BMP"]))
@example(b"\0" * 30, "BMP")
def test_random_bytes_never_raise_anything_else(noise, format):
    good = encoded(Image.fromarray(BLOCKS[::4, ::4]), format) if format else b""
    start = len(noise) * 7 % (len(good) or 1)  # overwrites a stretch of a sound file
    data = good[:start] + noise + good[start + len(noise) :]
    for load in (images.load_photo, images.read_provenance, lambda x: images.load_layout(x, FACE)):
        with contextlib.suppress(InputError):
            load(data)


# Layouts --------------------------------------------------------------------------------------


def layout_png(ids: np.ndarray) -> bytes:
    return encoded(FACE.to_pil(torch.from_numpy(ids)))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 20))
def test_a_mean_over_a_box_is_that_of_the_pixels_in_it(height, width, radius):
    x = torch.randn(2, height, width)
    mean = images.box_mean(x, radius)
    assert (mean.shape, mean.dtype) == (x.shape, x.dtype)
    for i in range(height):
        for j in range(width):
            rows = slice(max(0, i - radius), i + radius + 1)
            box = x[:, rows, max(0, j - radius) : j + radius + 1]
            torch.testing.assert_close(mean[:, i, j], box.mean((1, 2)), atol=1e-6, rtol=1e-5)


def test_a_layout_comes_back_as_it_was():
    ids = np.arange(19).repeat(4).reshape(4, 19).astype(np.int64)
    ids[0, 0] = IGNORE
    found = images.load_layout(layout_png(ids), FACE)
    assert found.dtype == torch.long
    assert (found[0].numpy() == ids).all()
    grey = encoded(Image.fromarray(ids.astype(np.uint8)))
    assert (images.load_layout(grey, FACE) == found).all()


def test_layouts_that_are_refused():
    with pytest.raises(InputError, match=r"\[19\].*0 to 18"):
        images.load_layout(layout_png(np.full((8, 8), 19)), FACE)
    with pytest.raises(InputError, match="this is a JPEG"):
        images.load_layout(encoded(Image.new("L", (8, 8)), "JPEG"), FACE)
    with pytest.raises(InputError, match="cut off"):
        images.load_layout(layout_png(np.random.randint(0, 19, (64, 64)))[:900], FACE)
    with pytest.raises(InputError, match="16×16 pixels, but 8×8"):
        images.load_layout(layout_png(np.zeros((16, 16))), FACE, size=8)
    with pytest.raises(InputError, match="16×8 pixels, but 8×8"):
        images.load_layout(layout_png(np.zeros((8, 16))), FACE, size=8, resize=True)


EVERY = np.arange(19).repeat(4).reshape(4, 19)  # each class once in a row


CONTRAST = replace(FACE, colours=FACE.contrast)


def coloured(ids: np.ndarray, mode: str = "RGB", labels: LabelSet = FACE) -> Image.Image:
    return labels.to_pil(torch.from_numpy(ids)).convert(mode)


@pytest.mark.parametrize("labels", [FACE, CONTRAST], ids=["ordinary", "contrast"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_colour_picture_in_the_sets_colours_is_a_layout(mode, labels):
    ids = EVERY.copy()
    ids[0, 0] = IGNORE
    found, note = images.read_layout(encoded(coloured(ids, mode, labels)), FACE)
    assert (found[0].numpy() == ids).all()
    assert note == ""


def test_smoothed_edges_are_refused_with_how_many_they_are():
    sharp = coloured(EVERY.repeat(8, 1))  # 152 pixels wide; all edges are upright
    smooth = sharp.resize((100, 4), Image.Resampling.BILINEAR)
    colours = np.asarray(smooth).reshape(-1, 3).tolist()
    off = np.mean([tuple(colour) not in FACE.colours for colour in colours])
    assert 0.05 < off < 0.5
    for image in (smooth, smooth.quantize(128)):  # the second with a palette of blended colours
        with pytest.raises(InputError, match=r"% of its pixels.*without smoothing") as caught:
            images.load_layout(encoded(image), FACE)
        percent = float(re.search(r"([\d.]+) %", str(caught.value))[1])
        assert percent == pytest.approx(100 * off, rel=0.05)
    almost = np.array(coloured(np.zeros((500, 500), int)))
    almost[0, 0] += 1
    with pytest.raises(InputError, match=r" 0\.01 % of"):  # never "0 %"
        images.load_layout(encoded(Image.fromarray(almost)), FACE)


def test_a_photo_is_no_layout():
    with pytest.raises(InputError, match="100 % of its pixels have none of the colours of 'face'"):
        images.load_layout(encoded(Image.fromarray(BLOCKS)), FACE)


@pytest.mark.parametrize("colours", [FACE.colours, FACE.contrast], ids=["ordinary", "contrast"])
def test_a_palette_in_another_order_is_read_by_its_colours(colours):
    order = np.roll(np.arange(19), 7)  # the entry k of the file is the class order[k]
    image = Image.fromarray(np.argsort(order)[EVERY].astype(np.uint8), "P")
    image.putpalette([channel for k in order for channel in colours[k]])
    found, note = images.read_layout(encoded(image), FACE)
    assert (found[0].numpy() == EVERY).all()
    assert note == ""


@pytest.mark.parametrize("white", [0, 3])
def test_an_unknown_palette_is_read_by_its_values_and_says_so(white):
    image = Image.fromarray(EVERY.astype(np.uint8), "P")
    palette = [(9 * k, 255 - 5 * k, 3) for k in range(19)]
    palette[white] = (255, 255, 255)  # as IGNORE in the set's own
    image.putpalette([channel for colour in palette for channel in colour])
    found, note = images.read_layout(encoded(image), FACE)
    assert (found[0].numpy() == EVERY).all()
    assert "taken as class ids" in note
    image.putdata([19] * EVERY.size)
    with pytest.raises(InputError, match=r"\[19\].*0 to 18"):
        images.load_layout(encoded(image), FACE)


def test_a_palette_with_one_colour_changed_is_still_the_sets_own():
    image = FACE.to_pil(torch.from_numpy(EVERY))
    palette = image.getpalette()
    palette[:3] = 0, 0, 0
    image.putpalette(palette)
    found, note = images.read_layout(encoded(image), FACE)
    assert (found[0].numpy() == EVERY).all()
    assert note == ""


def test_sixteen_bits_of_grey_are_ids_where_they_can_be():
    found = images.load_layout(encoded(Image.fromarray(EVERY.astype(np.uint16))), FACE)
    assert (found[0].numpy() == EVERY).all()
    with pytest.raises(InputError, match=r"class ids \[257.*save it as a PNG"):
        images.load_layout(encoded(Image.fromarray((257 * EVERY).astype(np.uint16))), FACE)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_have_no_class(mode):
    opaque = coloured(EVERY, "RGBA")
    if mode == "LA":
        opaque = Image.merge("LA", (Image.fromarray(EVERY.astype(np.uint8)), opaque.split()[-1]))
    assert (images.load_layout(encoded(opaque), FACE)[0].numpy() == EVERY).all()
    opaque.putpixel((0, 0), (*opaque.getpixel((0, 0))[:-1], 254))
    with pytest.raises(InputError, match=r"1\.32 % of the layout's pixels are transparent"):
        images.load_layout(encoded(opaque), FACE)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_resizing_a_layout_invents_no_class(side, to, seed):
    ids = np.random.default_rng(seed).choice([0, 3, 17, IGNORE], (side, side))
    found = images.load_layout(layout_png(ids), FACE, size=to, resize=True)
    assert found.shape == (1, to, to)
    assert set(found.unique().tolist()) <= set(np.unique(ids).tolist())
    if to % side == 0:  # enlarged by a whole factor: every pixel repeated
        assert (found[0].numpy() == ids.repeat(to // side, 0).repeat(to // side, 1)).all()


# Tensors --------------------------------------------------------------------------------------


def test_pictures_survive_the_way_in_and_out():
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    tensor = images.to_tensor(Image.fromarray(every))
    assert tensor.shape == (1, 3, 16, 16)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert same(images.to_pil(tensor), every)
    assert np.asarray(images.to_pil(torch.full((3, 2, 2), 9.0))).min() == 255


def test_reducing_averages():
    stripes = torch.tensor([-1.0, 1.0]).repeat(32).expand(1, 3, 64, 64)
    small = images.resize(stripes, 16)
    assert small.shape == (1, 3, 16, 16)
    assert small[..., 2:-2, 2:-2].abs().max() < 0.2  # without anti-aliasing: ±1
    assert images.resize(stripes, (32, 16)).shape == (1, 3, 32, 16)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_saved_picture_says_that_it_is_synthetic(name, tmp_path):
    path = tmp_path / name
    record = {"model": "toy", "seed": 3, "operations": ["repaint “hair”"]}
    images.save_picture(Image.fromarray(BLOCKS), path, record)
    assert images.read_provenance(path) == record
    assert images.SYNTHETIC.encode() in path.read_bytes()
    assert b"trainedAlgorithmicMedia" in path.read_bytes()
    assert images.load_photo(path).size == (48, 32)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_picture_without_provenance_has_none(tmp_path):
    assert images.read_provenance(encoded(Image.fromarray(BLOCKS))) is None
    with pytest.raises(InputError, match=r"end in \.png"):
        images.save_picture(Image.fromarray(BLOCKS), tmp_path / "a.exe", {})


def test_a_history_too_long_for_a_jpeg_is_a_sentence(tmp_path):
    record = {"operations": [{"tool": "paint"}] * 4000}
    with pytest.raises(InputError, match=r"save it as a \.png"):
        images.save_picture(Image.fromarray(BLOCKS), tmp_path / "a.jpg", record)
    images.save_picture(Image.fromarray(BLOCKS), tmp_path / "a.png", record)
    assert images.read_provenance(tmp_path / "a.png") == record
