"""The face parser: shapes, any size, the split of the photos, what the shipped weights see."""

import pytest
import torch

from semedit_lite.data.photos import AT_LEAST, HELD_OUT, right_sides, split
from semedit_lite.faces.parse import parse
from semedit_lite.labels import FACE
from semedit_lite.models.parser import Encoder, FaceParser


def test_sizes() -> None:
    parser = FaceParser().eval()
    with torch.no_grad():
        assert parser(torch.zeros(1, 3, 64, 96)).shape == (1, len(FACE), 64, 96)
    layout = parse(torch.rand(2, 3, 50, 70) * 2 - 1, parser=parser)
    assert layout.shape == (2, 50, 70)
    assert layout.dtype == torch.long
    assert parse(torch.zeros(1, 3, 50, 70), 33, parser).shape == (1, 33, 33)
    assert parse(torch.zeros(1, 3, 50, 70), (20, 300), parser).shape == (1, 20, 300)


def test_imagenet_weights_fit_strictly() -> None:
    encoder = Encoder()
    names = {"stem": 0, "quarter.0": 3, "quarter.1": 4, "eighth.0": 6, "eighth.1": 7}
    names |= {f"deep.{i}": 9 + i for i in range(4)}
    theirs = {}
    for key, value in encoder.state_dict().items():
        ours = next(name for name in names if key.startswith(name + "."))
        theirs[f"features.{names[ours]}{key[len(ours) :]}"] = torch.full_like(value, 0.5)
    encoder.load_imagenet(theirs | {"classifier.1.weight": torch.zeros(1)})
    assert all((value == 0.5).all() for value in encoder.state_dict().values())
    del theirs["features.12.squeeze.bias"]
    with pytest.raises(RuntimeError, match="squeeze"):
        encoder.load_imagenet(theirs)


def test_split_holds_out_rare_parts_whatever_the_order() -> None:
    names = [f"photo{i}" for i in range(700)]
    holds = {
        "eye_g": set(names[:42]),
        "hat": set(names[30:65]),
        "neck_l": set(names[60:87]),
        "ear_r": set(names[100:264]),
    }
    train, held_out = split(names, holds)
    assert len(held_out) == HELD_OUT
    assert sorted(train + held_out) == sorted(names)
    for part, least in AT_LEAST.items():
        assert sum(name in holds[part] for name in held_out) >= least
    assert split(names[::-1], holds) == (train, held_out)


def test_flipped_face_gives_flipped_layout() -> None:
    """Left and right are the person's own, also for the shipped weights."""
    from semedit_lite.data.faces import face_generator

    with torch.no_grad():
        image = face_generator().sample([1_000_003], 256)[0].clamp(-1, 1)
    agree = (FACE.flip(parse(image)) == parse(image.flip(-1))).float().mean()
    assert agree > 0.95


def test_exchanged_sides_are_put_right() -> None:
    left, right, ear = FACE.id("l_eye"), FACE.id("r_eye"), FACE.id("l_ear")
    layouts = torch.zeros(3, 4, 8, dtype=torch.uint8)
    layouts[0, 1, 5], layouts[0, 1, 2] = left, right  # as it should be
    layouts[1, 1, 2], layouts[1, 1, 5], layouts[1, 2, 0] = left, right, ear  # exchanged
    layouts[2, 1, 2] = left  # one eye: nothing can be said
    fixed = right_sides(layouts)
    assert torch.equal(fixed[0], layouts[0])
    assert torch.equal(fixed[2], layouts[2])
    assert fixed[1, 1, 5] == left
    assert fixed[1, 1, 2] == right
    assert fixed[1, 2, 0] == FACE.id("r_ear")
