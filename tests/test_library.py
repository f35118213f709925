"""The sliders of the package come from edits, and their files say from which."""

from dataclasses import replace

import pytest
import torch

from semedit_lite.editing.latent import LatentSpace
from semedit_lite.editing.library import LIBRARY, derive, face, middle, rederive, stretched
from semedit_lite.editing.vectors import EditingVector, bundled
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE_FINE


@pytest.fixture(scope="module")
def space():
    return LatentSpace()


def vectors(space):
    return {
        name: EditingVector.from_bytes(path.read_bytes(), space.digest)
        for name, path in bundled().items()
    }


def test_each_slider_has_a_file_and_each_file_a_slider(space):
    found = vectors(space)
    assert set(found) == set(LIBRARY)
    assert len(found) >= 12
    for name, vector in found.items():
        slider = LIBRARY[name]
        assert vector.title == slider.title
        assert vector.ids == slider.classes
        assert vector.rows == slider.rows
        assert vector.range == slider.range
        assert tuple(edit.seed for edit in vector.edits) == slider.seeds
        for edit in vector.edits:
            assert edit.steps == slider.steps
            assert edit.loss[1] <= edit.loss[0]
            assert (edit.before != edit.after).any()


def test_files_hold_the_part_maps_that_the_library_draws(space):
    for name in ("smile", "jaw", "gaze"):
        vector = vectors(space)[name]
        edit = vector.edits[0]
        before = space.parts(face(space, edit.seed))[0]
        # of another machine's arithmetic a pixel may be of another class
        assert (before[0] != edit.before).float().mean() < 2e-3
        drawn = LIBRARY[name].draw(edit.before[None].long())
        assert torch.equal(drawn[0].byte(), edit.after)


def test_a_vector_is_made_again_from_its_record(space):
    slider = replace(LIBRARY["smile"], seeds=(25,), steps=2)
    vector = derive(space, slider, report=lambda text: None)
    again = rederive(space, EditingVector.from_bytes(vector.to_bytes()))
    assert torch.cosine_similarity(vector.delta.flatten(), again.delta.flatten(), 0) > 0.98
    if vector.edits[0].loss[1] < vector.edits[0].loss[0]:
        assert vector.delta.norm() > 0
    nameless = replace(vector, edits=(replace(vector.edits[0], seed=None),))
    with pytest.raises(InputError, match="cannot be derived again"):
        rederive(space, nameless)


def test_parts_are_stretched_about_their_middle_and_moved():
    layout = torch.zeros(1, 64, 64, dtype=torch.long)
    nose = FACE_FINE.id("nose")
    layout[:, 20:30, 20:40] = nose
    centre = middle(layout, (nose,))
    assert centre.tolist() == pytest.approx([30 / 64, 25 / 64])
    wide = stretched(layout, centre, (1.5, 1.0), (0.0, 0.0)) == nose
    assert wide.any(1).sum() == 30
    assert wide.any(2).sum() == 10
    assert middle(wide.long() * nose, (nose,)).tolist() == pytest.approx(centre.tolist(), abs=0.01)
    moved = stretched(layout, centre, (1.0, 1.0), (0.0, -0.125)) == nose
    assert torch.equal(moved, (layout == nose).roll(-8, 1))
    with pytest.raises(InputError, match="shows no hat"):
        middle(layout, (FACE_FINE.id("hat"),))


def test_a_gaze_moves_the_irises_and_nothing_else(space):
    edit = vectors(space)["gaze"].edits[0]
    eyes = [FACE_FINE.id(name) for name in ("l_eye", "r_eye", "iris")]
    differs = edit.before != edit.after
    assert differs.any()
    assert set(edit.before[differs].tolist()) <= set(eyes)
    assert set(edit.after[differs].tolist()) <= set(eyes)
    iris = FACE_FINE.id("iris")
    before, after = (middle(x[None].long(), (iris,)) for x in (edit.before, edit.after))
    assert after[0] - before[0] > 0.004
