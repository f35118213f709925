"""Label sets: ids, mirrors, one-hot maps, and the way through a PNG."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from semedit_lite.errors import InputError
from semedit_lite.images import to_bytes
from semedit_lite.labels import FACADES, FACE, FACE_FINE, IGNORE, LabelSet, one_hot

SHAPES = arrays.array_shapes(min_dims=3, max_dims=3, max_side=9)
IDS = st.one_of(st.integers(0, len(FACE) - 1), st.just(IGNORE))
LAYOUTS = arrays.arrays(np.int64, SHAPES, elements=IDS).map(torch.from_numpy)


@given(LAYOUTS)
def test_flipping_twice_changes_nothing(layout):
    assert (FACE.flip(FACE.flip(layout)) == layout).all()


def test_a_flip_exchanges_left_and_right():
    row = torch.tensor([[FACE.id("l_eye"), FACE.id("hair"), IGNORE]])
    assert FACE.flip(row).tolist() == [[IGNORE, FACE.id("hair"), FACE.id("r_eye")]]
    exchanged = {FACE.classes[a]: FACE.classes[b] for a, b in FACE.pairs}
    assert exchanged == {"l_eye": "r_eye", "l_brow": "r_brow", "l_ear": "r_ear"}
    assert (FACADES.flip(torch.arange(12)[None]) == torch.arange(11, -1, -1)[None]).all()


@given(LAYOUTS)
def test_one_hot_says_the_same(layout):
    hot = one_hot(layout, len(FACE))
    b, h, w = layout.shape
    assert hot.shape == (b, len(FACE), h, w)
    known = layout != IGNORE
    assert (hot.sum(1) == known).all()  # one class a pixel, none where it is IGNORE
    assert (hot.argmax(1)[known] == layout[known]).all()


@given(LAYOUTS)
def test_ids_survive_a_palette_png(layout):
    file = io.BytesIO()
    FACE.to_pil(layout[0]).save(file, "PNG")
    image = Image.open(file)
    assert image.mode == "P"
    assert (np.array(image) == layout[0].numpy()).all()
    assert (np.array(image.convert("RGB")) == FACE.colourise(layout[0])).all()


@pytest.mark.parametrize("labels", [FACE, FACE_FINE, FACADES])
def test_names_and_colours_tell_the_classes_apart(labels):
    assert len(set(labels.classes)) == len(set(labels.colours)) == len(labels)
    assert [labels.id(name) for name in labels.classes] == list(range(len(labels)))
    assert all(0 <= i < len(labels) for group in labels.groups.values() for i in group)


def test_the_fine_classes_follow_those_of_a_face():
    assert FACE_FINE.classes == (*FACE.classes, "iris", "beard")
    assert FACE_FINE.pairs == FACE.pairs  # one iris class serves both eyes
    for group, ids in FACE.groups.items():  # layouts of FACE mean the same in both
        assert FACE_FINE.groups[group][: len(ids)] == ids


def test_ids_outside_the_set_are_refused():
    assert FACE.check(torch.tensor([[[0, 18, IGNORE]]], dtype=torch.uint8)).dtype == torch.long
    for wrong in (19, -1, 254, 256):
        with pytest.raises(InputError, match="0 to 18"):
            FACE.check(torch.tensor([[[0, wrong]]]))
    with pytest.raises(InputError, match="no class 'nostril'; choose from background, skin"):
        FACE.id("nostril")


def test_a_set_needs_a_colour_a_class():
    with pytest.raises(ValueError, match="2 classes but 1 colours"):
        LabelSet(name="toy", classes=("a", "b"), colours=((0, 0, 0),))


def test_pictures_have_the_colours_of_the_classes() -> None:
    layouts = torch.tensor([[[0, 1, 18]], [[13, 7, 255]]])
    pictures = FACE.pictures(layouts)
    assert pictures.shape == (2, 3, 1, 3)
    for picture, layout in zip(pictures, layouts, strict=True):
        assert (to_bytes(picture).permute(1, 2, 0).numpy() == FACE.colourise(layout)).all()
