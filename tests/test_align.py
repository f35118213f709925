"""Alignment: a known similarity is found again, and the way back is the way there."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from semedit_lite import hub
from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment, NoFaceError, align
from semedit_lite.faces.detect import Face
from semedit_lite.faces.frames import Frame, cut, warp
from semedit_lite.faces.framing import TEMPLATE, filled, framing
from semedit_lite.images import to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.models.parser import FaceParser
from semedit_lite.photo import read_photo

SKIN = FACE.id("skin")
# viewer's left eye, right eye, nose, corners of the mouth
POINTS = np.array([
    TEMPLATE["r_eye"], TEMPLATE["l_eye"], TEMPLATE["nose"],
    TEMPLATE["mouth"] - 0.11, TEMPLATE["mouth"] + 0.11,
])  # fmt: skip

turns = st.floats(-179, 179)


class Blind(nn.Module):
    """A parser that sees one class everywhere: (B, 3, H, W) -> (B, 19, H, W)."""

    def __init__(self, sees):
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(19, 1, 1), requires_grad=False)
        self.scores[sees] = 1

    def forward(self, x):
        return self.scores.expand(len(x), -1, *x.shape[2:])


def picture_of(photo):
    """The same as a `Photo`, which `paste` takes."""
    return read_photo(photo)[0]


def a_face(frame):
    points = frame.a * POINTS + frame.b
    return Face((0, 0, 1, 1), 1.0, tuple((p.real, p.imag) for p in points))


@settings(max_examples=50, deadline=None)
@given(turns, st.floats(20, 2000), st.complex_numbers(max_magnitude=3000))
def test_points_where_generated_faces_have_them_give_their_frame(turn, side, corner):
    frame = Frame(side * np.exp(1j * np.radians(turn)), corner)
    found = framing(frame.a * POINTS + frame.b)
    assert abs(found.a - frame.a) < 1e-3 * side
    assert abs(found.b - frame.b) < 1e-3 * side


@given(st.complex_numbers(max_magnitude=100))
def test_points_in_one_place_give_no_nonsense(place):
    frame = framing(np.full(5, place))
    assert np.isfinite([frame.a, frame.b]).all()


@pytest.mark.parametrize("sees", ["background", "hair"])
def test_what_the_parser_takes_for_no_face_is_refused(sees):
    photo = Image.new("RGB", (200, 150), "white")
    face = a_face(Frame.square(100 + 75j, 100))
    with pytest.raises(NoFaceError, match="No face was found"):
        align(photo, Blind(FACE.id(sees)), face=face)
    assert align(photo, Blind(SKIN), face=face).layout.unique().tolist() == [SKIN]
    assert issubclass(NoFaceError, InputError)


def test_a_square_chosen_by_hand_is_taken_as_it_is():
    frame = Frame.square(90 + 70j, 80, 12)
    found = align(Image.new("RGB", (200, 150), "white"), Blind(0), 64, frame)
    assert torch.equal(found.matrix, frame.matrix(64))
    assert found.image.shape == (1, 3, 64, 64)


def test_how_much_of_the_middle_is_face():
    layout = np.zeros((64, 64), int)
    assert filled(layout) == 0
    layout[:] = SKIN
    assert filled(layout) == 1
    layout[:, :32] = FACE.id("hair")
    assert filled(layout) == pytest.approx(0.5, abs=0.02)


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
    result = there.paste(picture_of(photo), torch.full((1, 3, 64, 64), -1.0), alpha)
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
    result = there.paste(picture_of(photo), crop, torch.ones(1, 256, 256))
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
        for name in ("face-finder", "face-parser", "mobilestylegan-ffhq")
    ),
    reason="the weights face-finder, face-parser or mobilestylegan-ffhq are not there",
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
    there_on_wall = picture_of(wall)
    photo = there.paste(there_on_wall, generated[face : face + 1], torch.ones(1, 256, 256))
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
def test_no_face_is_seen_in_a_wall_of_windows():
    wall = np.full((256, 256, 3), (190, 160, 130), np.uint8)
    for top in range(20, 230, 60):
        for left in range(16, 230, 48):
            wall[top : top + 36, left : left + 22] = (40, 50, 70)
    with pytest.raises(NoFaceError):
        align(Image.fromarray(wall), FaceParser.from_pretrained("face-parser"))
