"""The face finder: faces that were pasted somewhere are found there."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from semedit_lite import hub
from semedit_lite.data.textures import textures
from semedit_lite.errors import InputError
from semedit_lite.faces.detect import (
    SHAPE,
    Face,
    face_finder,
    find_faces,
    look,
    overlap,
    posture,
    settled,
    squares,
)
from semedit_lite.faces.frames import Frame, Pyramid
from semedit_lite.images import to_pil, to_tensor
from semedit_lite.models.finder import MIRRORED, FaceFinder

weights = (hub.BUNDLED / "face-finder" / "model.safetensors").is_file()
needs_weights = pytest.mark.skipif(not weights, reason="the weights face-finder are not there")
turns = st.floats(-179, 179)


@given(turns, st.floats(5, 500), st.complex_numbers(max_magnitude=1000))
def test_the_posture_of_points_is_that_of_their_shape(turn, side, middle):
    level = np.exp(1j * np.radians(turn))
    found_middle, found_side, found_level = posture(middle + side * level * SHAPE)
    assert abs(found_middle - middle) < 1e-6 * (side + abs(middle))
    assert found_side == pytest.approx(side)
    assert abs(found_level - level) < 1e-6


def test_points_in_one_place_have_a_posture():
    middle, side, level = posture(np.full(5, 3 + 4j))
    assert middle == 3 + 4j
    assert side > 0
    assert abs(level) == 1


boxes = st.tuples(st.just(0), st.complex_numbers(max_magnitude=20), st.floats(1, 20))


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_1(one, other):
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert 0 <= overlap(one, other) <= 1 + 1e-9
    assert overlap(one, one) == pytest.approx(1)
    assert overlap(one, (0, one[1] + 1.01 * one[2], one[2])) == 0


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0j, 2.0), (0, 1 + 0j, 2.0)) == pytest.approx(1 / 3)
    assert overlap((0, 0j, 4.0), (0, 0.5 + 0j, 2.0)) == pytest.approx(1 / 4)


def test_places_of_the_first_stage_in_pixels():
    maps = torch.zeros(1, 4, 2, 3)
    maps[0, :, 1, 2] = torch.tensor([5.0, 0.5, -0.25, np.log(2.0)])
    places = squares(maps)[0]  # (6, 4)
    assert places[5].tolist() == pytest.approx([5.0, 20 + 16, 12 - 8, 64])
    assert places[0].tolist() == pytest.approx([0.0, 4, 4, 32])


@settings(max_examples=30, deadline=None)
@given(turns, st.floats(0.2, 6), st.complex_numbers(max_magnitude=20))
def test_a_pyramid_shows_what_the_frame_says(turn, pixel, shift):
    """Of a linear ramp each level is one, too."""
    y, x = torch.meshgrid(torch.arange(256.0) + 0.5, torch.arange(192.0) + 0.5, indexing="ij")
    ramp = torch.stack([x, y])[None]  # (1, 2, 256, 192)
    a = pixel * np.exp(1j * np.radians(turn))
    frame = Frame(a, 96 + 128j + shift - a * (4 + 4j))
    at = Pyramid(ramp).sample(frame, (8, 8))[0]
    v, u = np.mgrid[:8, :8] + 0.5
    wanted = frame.a * (u + 1j * v) + frame.b
    assert np.abs(at[0].numpy() - wanted.real).max() < 0.01
    assert np.abs(at[1].numpy() - wanted.imag).max() < 0.01


@pytest.mark.parametrize("size", [(8000, 10), (1, 700), (1, 1), (30, 7)])
def test_strips_and_specks_hold_no_face(size):
    assert find_faces(Image.new("RGB", size, "white"), FaceFinder().eval()) == []


def test_what_is_no_picture_is_refused():
    with pytest.raises(InputError):
        find_faces(b"no picture", FaceFinder().eval())


@pytest.fixture(scope="module")
def heads():
    """Four generated faces as pictures of 256 pixels."""
    from semedit_lite.data.faces import paint

    return [to_pil(paint([seed], 256)["image"]) for seed in range(1_000_010, 1_000_014)]


def near(face: Face, middle: complex, side: float) -> bool:
    """Whether a face is that of a head pasted here, `side` pixels wide."""
    x0, y0, x1, y1 = face.box
    found = complex(x0 + x1, y0 + y1) / 2
    return abs(found - middle) < 0.15 * side and 0.45 * side < x1 - x0 < 0.85 * side


@needs_weights
def test_all_heads_of_a_group_are_found_and_nothing_else(heads):
    page = to_pil(textures(1, 128, torch.Generator().manual_seed(5))[0]).resize((800, 600))
    places = [(20, 30, 256), (330, 40, 200), (600, 60, 140), (200, 400, 90)]
    for head, (x, y, side) in zip(heads, places, strict=True):
        page.paste(head.resize((side, side)), (x, y))
    found = find_faces(page)
    assert len(found) == len(places)
    for face, (x, y, side) in zip(found, places, strict=True):  # the largest first
        assert near(face, complex(x + 0.5 * side, y + 0.59 * side), side)
        assert face.score > 0.5
        assert len(face.landmarks) == 5


@needs_weights
@pytest.mark.parametrize("turn", [30, 90, 180, 270])
def test_a_turned_photo_shows_its_face(heads, turn):
    page = Image.new("RGB", (400, 300), (120, 130, 120))
    page.paste(heads[0], (70, 20))
    upright = find_faces(page)[0]
    turned = page.rotate(turn, expand=True, resample=Image.Resampling.BICUBIC)
    found = find_faces(turned)
    assert len(found) == 1
    z = np.exp(-1j * np.radians(turn))
    wanted = (upright.points - (200 + 150j)) * z + complex(*turned.size) / 2
    assert np.abs(found[0].points - wanted).max() < 8


@needs_weights
def test_points_are_in_pixels_of_the_whole_photo(heads):
    small = find_faces(heads[1])[0]
    large = find_faces(heads[1].resize((2560, 2560)))[0]
    assert np.abs(np.array(large.landmarks) / 10 - np.array(small.landmarks)).max() < 3
    eyes = small.points[1] - small.points[0]
    assert eyes.real > 0  # the viewer's left eye comes first
    assert abs(eyes.imag) < eyes.real


@needs_weights
@torch.no_grad()
def test_a_mirrored_face_has_the_mirrored_points(heads):
    """To within the rounding of the pyramid; a single look is farther off."""
    image, finder = to_tensor(heads[0]), face_finder()
    (face,) = find_faces(heads[0])

    def mirror(points):
        return (image.shape[-1] - points.conj())[list(MIRRORED)]

    one, other = Pyramid(image), Pyramid(image.flip(-1))
    found = settled(one, face.points, finder)
    again = mirror(settled(other, mirror(face.points), finder))
    assert abs(found - again).max() < 0.05
    ((_, once),) = look(one, [posture(face.points)], finder)
    ((_, twice),) = look(other, [posture(mirror(face.points))], finder)
    assert abs(once - mirror(twice)).max() > 0.1


@needs_weights
def test_textures_hold_no_face():
    for picture in textures(8, 256, torch.Generator().manual_seed(77)):
        assert find_faces(to_pil(picture)) == []
