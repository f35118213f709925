"""Alignment: a known similarity is found again, and the way back is the way there.

Faces are drawn as layouts; a picture of one shows each class in its colour, and a toy parser reads
the colours. What real faces and the real parser make of it stands at the end.
"""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from semedit_lite import hub
from semedit_lite.errors import InputError
from semedit_lite.faces.align import (
    TEMPLATE,
    Alignment,
    Frame,
    NoFaceError,
    align,
    cut,
    sight,
    warp,
)
from semedit_lite.images import to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.models.parser import FaceParser

SKIN, NOSE, GLASSES, L_EYE, R_EYE, MOUTH = 1, 2, 3, 4, 5, 10
COLOURS = torch.tensor(FACE.colours).float() / 127.5 - 1  # (19, 3)

turns = st.floats(-179, 179)
sides = st.floats(0.6, 1.1)
shifts = st.complex_numbers(max_magnitude=0.1)


class ColourParser(nn.Module):
    """Reads the class from the colour: (B, 3, H, W) -> (B, 19, H, W)."""

    def __init__(self):
        super().__init__()
        self.colours = nn.Parameter(COLOURS, requires_grad=False)

    def forward(self, x):
        return -(x[:, None] - self.colours.view(1, 19, 3, 1, 1)).square().sum(2)


def draw(frame, size=256, shape=None, l_eye=L_EYE, r_eye=R_EYE, parts=("l_eye", "r_eye", "mouth")):
    """A face layout (H, W) as ellipses, at `frame` of a square picture or of one of this shape."""
    height, width = shape or (size, size)
    y, x = np.mgrid[:height, :width] + 0.5
    z = ((x + 1j * y) / size - frame.b) / frame.a
    layout = np.zeros((height, width), np.uint8)

    def ellipse(centre, rx, ry, part):
        at = z - centre
        layout[(at.real / rx) ** 2 + (at.imag / ry) ** 2 < 1] = part

    ellipse(0.5 + 0.58j, 0.25, 0.33, SKIN)
    ellipse(TEMPLATE["nose"], 0.04, 0.06, NOSE)
    for name, part, radii in (
        ("l_eye", l_eye, (0.045, 0.02)),
        ("r_eye", r_eye, (0.045, 0.02)),
        ("mouth", MOUTH, (0.08, 0.035)),
    ):
        if name in parts:
            ellipse(TEMPLATE[name], *radii, part)
    return layout


def picture(layout):
    """The layout in its colours, as a photo."""
    return Image.fromarray(FACE.colourise(torch.from_numpy(layout)))


def distance(one, two):
    """Mean distance of the corners of two frames, in sides of the second."""
    corners = np.array([0, 1, 1j, 1 + 1j])
    return np.abs(one.a * corners + one.b - two.a * corners - two.b).mean() / abs(two.a)


@settings(max_examples=40, deadline=None)
@given(turns, sides, shifts, st.booleans())
def test_a_drawn_face_gives_its_frame(turn, side, shift, swapped):
    frame = Frame.square(0.5 + 0.5j + shift, side, turn)
    eyes = {"l_eye": R_EYE, "r_eye": L_EYE} if swapped else {}  # the parser may confuse them
    seen = sight(draw(frame, **eyes))
    assert distance(seen.frame, frame) < 0.02
    assert seen.misfit < 0.02
    assert seen.filled > 0.9


@pytest.mark.parametrize(
    "face",
    [
        {"l_eye": GLASSES, "r_eye": GLASSES},
        {"l_eye": GLASSES},
        {"parts": ("l_eye", "r_eye")},  # the mouth is covered
    ],
    ids=["glasses", "one lens", "no mouth"],
)
def test_a_face_partly_covered_gives_its_frame(face):
    frame = Frame.square(0.5 + 0.5j, 0.9, 20)
    assert distance(sight(draw(frame, **face)).frame, frame) < 0.03


@pytest.mark.parametrize("eye", ["l_eye", "r_eye"])
def test_a_face_with_one_eye_covered_gives_its_frame(eye):
    frame = Frame.square(0.5 + 0.5j, 0.9, 20)
    assert distance(sight(draw(frame, parts=(eye, "mouth"))).frame, frame) < 0.03


def test_a_ring_taken_for_a_second_mouth_changes_nothing():
    frame = Frame.square(0.5 + 0.5j, 0.9, 20)
    layout = draw(frame)
    layout[200:208, 120:130] = MOUTH
    assert distance(sight(layout).frame, frame) < 0.02


@pytest.mark.parametrize("parts", [("mouth",), ()])
def test_a_layout_without_eyes_is_no_face(parts):
    assert sight(draw(Frame.square(0.5 + 0.5j, 1), parts=parts)) is None


@settings(max_examples=10, deadline=None)
@given(st.floats(-40, 40), st.floats(0.4, 0.8), st.booleans())
def test_a_photo_is_aligned_and_pasted_back(turn, side, upright):
    shape = (320, 260) if upright else (260, 320)
    size = 260
    frame = Frame.square(complex(*shape[::-1]) / 2 / size, side, turn)
    photo = picture(draw(frame, size, shape))
    found = align(photo, ColourParser(), 128)
    expected = Frame(frame.a * size, frame.b * size)
    corners = torch.tensor([[0, 128, 0, 128], [0, 0, 128, 128], [1, 1, 1, 1]]).double()
    error = found.matrix @ corners - expected.matrix(128) @ corners
    assert error.norm(dim=0).mean() < 0.03 * abs(expected.a)
    wanted = torch.from_numpy(draw(Frame(1 + 0j, 0j), 128))
    assert (found.layout[0] == wanted).float().mean() > 0.95


def test_a_small_face_in_a_corner_is_found():
    frame = Frame.square(0.25 + 0.3j, 0.3)
    found = align(picture(draw(frame, 600)), ColourParser())
    corner = found.matrix[:, 2]
    assert corner.tolist() == pytest.approx([60, 90], abs=8)


@pytest.mark.parametrize("kind", ["blank", "noise", "skin only"])
def test_a_picture_without_a_face_is_refused(kind):
    pictures = {
        "blank": Image.new("RGB", (200, 150), "white"),
        "noise": Image.effect_noise((200, 150), 80).convert("RGB"),
        "skin only": Image.new("RGB", (200, 150), FACE.colours[SKIN]),
    }
    with pytest.raises(NoFaceError, match="No face was found"):
        align(pictures[kind], ColourParser())
    assert issubclass(NoFaceError, InputError)


@pytest.mark.parametrize("size", [(8000, 10), (1, 700)])
def test_a_strip_is_refused_without_a_search(size):
    class Searched(nn.Module):
        def forward(self, x):
            raise AssertionError("a strip was parsed")

    with pytest.raises(NoFaceError):
        align(Image.new("RGB", size, "white"), Searched())


@settings(max_examples=50, deadline=None)
@given(turns, st.floats(20, 2000), st.complex_numbers(max_magnitude=3000))
def test_there_and_back_is_the_identity(turn, side, corner):
    matrix = Frame(side * np.exp(1j * np.radians(turn)), corner).matrix(256)
    there = Alignment(torch.zeros(1), torch.zeros(1), matrix)
    back = Alignment(torch.zeros(1), torch.zeros(1), there.inverse)
    assert torch.allclose(back.inverse, matrix, atol=1e-6)
    points = torch.rand(2, 7).double() * 256
    ones = torch.ones(1, 7).double()
    photo = matrix @ torch.cat([points, ones])
    assert torch.allclose(there.inverse @ torch.cat([photo, ones]), points, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(turns, st.floats(30, 150), st.complex_numbers(max_magnitude=90))
def test_pasting_touches_only_what_the_alpha_covers(turn, side, corner):
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 256, (90, 120, 3), np.uint8))
    matrix = Frame(side * np.exp(1j * np.radians(turn)), corner + 20 + 20j).matrix(64)
    there = Alignment(torch.zeros(1), torch.zeros(1), matrix)
    alpha = torch.zeros(1, 64, 64)
    alpha[:, 20:30, 30:50] = 1
    result = there.paste(photo, torch.full((1, 3, 64, 64), -1.0), alpha)
    y, x = np.mgrid[:90, :120] + 0.5
    at = there.inverse.numpy() @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    u, v = at.reshape(2, 90, 120)
    margin = 1 + 128 / side  # a pixel of the crop and, where it is the finer one, of the photo
    outside = (u < 30 - margin) | (u > 50 + margin) | (v < 20 - margin) | (v > 30 + margin)
    inside = (u > 30 + margin) & (u < 50 - margin) & (v > 20 + margin) & (v < 30 - margin)
    assert np.array_equal(np.array(result)[outside], np.array(photo)[outside])
    assert (np.array(result)[inside] == 0).all()


def test_a_crop_pasted_back_unchanged_is_the_photo():
    y, x = np.mgrid[:200, :240]
    smooth = np.stack([128 + 60 * np.sin(x / 30), 128 + 60 * np.cos(y / 25), x * 0.8], 2)
    photo = Image.fromarray(smooth.astype(np.uint8))
    frame = Frame(150 * np.exp(0.4j), 70 + 10j)
    crop = cut(to_tensor(photo), frame, 256)
    there = Alignment(crop, torch.zeros(1), frame.matrix(256))
    result = there.paste(photo, crop, torch.ones(1, 256, 256))
    difference = np.abs(np.array(result).astype(int) - np.array(photo))
    assert difference.max() <= 3


def test_the_whole_picture_as_frame_is_the_picture():
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    assert torch.allclose(cut(image, Frame(32 + 0j, 0j), 32), image, atol=1e-5)


def test_shrinking_does_not_alias():
    board = (torch.arange(256)[:, None] + torch.arange(256)[None]) % 2 * 2.0 - 1
    small = cut(board.expand(1, 3, -1, -1), Frame(256 + 0j, 0j), 48)
    assert small.abs().max() < 0.05


def test_beyond_the_border_the_crop_is_mirrored_and_blurred():
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    crop = cut(image, Frame(128 + 0j, -32 - 32j), 128)
    assert torch.allclose(crop[:, :, 32:96, 32:96], image, atol=1e-5)
    assert (crop[:, :, :16].std() < image.std() / 2).item()
    assert crop.isfinite().all()


@settings(max_examples=25, deadline=None)
@given(turns, st.floats(10, 60), st.complex_numbers(max_magnitude=20))
def test_warp_samples_where_the_matrix_says(turn, side, corner):
    """A linear ramp is reproduced exactly by any interpolation that is worth the name."""
    y, x = torch.meshgrid(torch.arange(80.0) + 0.5, torch.arange(100.0) + 0.5, indexing="ij")
    ramp = torch.stack([x, y])[None]  # (1, 2, 80, 100)
    frame = Frame(side * np.exp(1j * np.radians(turn)), corner + 40 + 40j)
    matrix = frame.matrix(64)
    at = warp(ramp, matrix, (64, 64), "bilinear")[0]
    v, u = torch.meshgrid(torch.arange(64.0) + 0.5, torch.arange(64.0) + 0.5, indexing="ij")
    wanted = (matrix.float() @ torch.stack([u, v, torch.ones_like(u)]).view(3, -1)).view(2, 64, 64)
    inside = ((wanted > 1) & (wanted < torch.tensor([[[99.0]], [[79.0]]]))).all(0)
    assume(inside.any())
    assert torch.allclose(at[:, inside], wanted[:, inside], atol=1e-3)


needs_weights = pytest.mark.skipif(
    not all(
        (hub.BUNDLED / name / "model.safetensors").is_file()
        for name in ("face-parser", "mobilestylegan-ffhq")
    ),
    reason="the weights face-parser and mobilestylegan-ffhq are not there",
)


@pytest.fixture(scope="module")
def generated():
    """Two generated faces (2, 3, 256, 256)."""
    from semedit_lite.models.mobilestylegan import MobileStyleGAN

    generator = MobileStyleGAN.from_pretrained("mobilestylegan-ffhq")
    return generator.sample([1_000_001, 1_000_002], size=256)[0]


@needs_weights
@pytest.mark.parametrize(
    ("face", "turn", "side", "corner"), [(0, 25, 150, 90 + 40j), (1, 0, 250, 20 + 30j)]
)
def test_a_generated_face_in_a_photo_is_found_where_it_was_put(generated, face, turn, side, corner):
    parser = FaceParser.from_pretrained("face-parser")
    frame = Frame(side * np.exp(1j * np.radians(turn)), corner)
    there = Alignment(torch.zeros(1), torch.zeros(1), frame.matrix(256))
    wall = Image.new("RGB", (320, 280), (150, 140, 130))
    photo = there.paste(wall, generated[face : face + 1], torch.ones(1, 256, 256))
    found = align(photo, parser)
    corners = torch.tensor([[0, 256, 0, 256], [0, 0, 256, 256], [1, 1, 1, 1]]).double()
    error = found.matrix @ corners - there.matrix @ corners
    assert error.norm(dim=0).mean() < 0.08 * side  # faces differ from the mean face by as much


@needs_weights
def test_an_aligned_face_stays_where_it_is(generated):
    """Aligning a generated face changes little, aligning the result again hardly anything."""
    parser = FaceParser.from_pretrained("face-parser")
    first = align(to_pil(generated[:1]), parser)
    again = align(to_pil(first.image), parser)
    identity = torch.eye(3)[:2].double()
    corners = torch.tensor([[0, 256, 0, 256], [0, 0, 256, 256], [1, 1, 1, 1]]).double()
    moved = [((m - identity) @ corners).norm(dim=0).mean() for m in (first.matrix, again.matrix)]
    assert moved[0] < 0.08 * 256
    assert moved[1] < 0.02 * 256


@needs_weights
def test_the_parser_sees_no_face_in_a_wall_of_windows():
    wall = np.full((256, 256, 3), (190, 160, 130), np.uint8)
    for top in range(20, 230, 60):
        for left in range(16, 230, 48):
            wall[top : top + 36, left : left + 22] = (40, 50, 70)
    with pytest.raises(NoFaceError):
        align(Image.fromarray(wall), FaceParser.from_pretrained("face-parser"))
