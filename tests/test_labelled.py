"""The faces whose labels were corrected: that the files keep the rules of their README."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from semedit_lite.data import labelled as faces
from semedit_lite.data.labelled import CORRECTED, HERE, RAW, SIZE, labelled, labelled_seeds
from semedit_lite.faces.parse import parse
from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.ui.painter import decode_value, encode_value

ROOT = Path(__file__).parent.parent
SEEDS = labelled_seeds()
DARK = 378  # wears sunglasses


def parts(layout: torch.Tensor, *names: str) -> np.ndarray:
    """Where a layout (H, W) has one of these classes."""
    return np.isin(layout.numpy(), [FACE_FINE.id(name) for name in names])


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("gradio")
    sys.path.insert(0, str(ROOT / "scripts"))
    import label_faces

    yield label_faces
    sys.path.remove(str(ROOT / "scripts"))


def test_sixteen_faces_are_labelled_and_corrected():
    assert len(SEEDS) == 16
    assert {int(path.stem) for path in (HERE / RAW).iterdir()} == set(SEEDS)
    assert labelled(kind=RAW).max() < len(FACE)  # the parser knows no others
    assert labelled().shape == (16, SIZE, SIZE)
    assert len(labelled().unique()) == len(FACE_FINE)  # every class is seen
    for path in HERE.glob("*/*.png"):
        with Image.open(path) as image:
            assert image.mode == "P"
            assert image.getpalette()[: 3 * len(FACE_FINE)] == FACE_FINE.palette()[:63]


@pytest.mark.parametrize("seed", SEEDS)
def test_an_iris_lies_in_each_eye_that_is_seen(seed):
    raw, corrected = (labelled([seed], kind)[0] for kind in (RAW, CORRECTED))
    irises, count = ndimage.label(parts(corrected, "iris"))
    if seed == DARK:
        assert not parts(corrected, "iris", "l_eye", "r_eye").any()
        return
    assert count == 2
    found = ndimage.binary_dilation(parts(raw, "eye_g", "l_eye", "r_eye"), iterations=3)
    assert found[irises > 0].all()
    for k, (y, x) in enumerate(ndimage.center_of_mass(irises > 0, irises, [1, 2]), 1):
        size = (irises == k).sum()
        assert 150 < size < 700
        ring = ndimage.binary_dilation(irises == k, iterations=2) & (irises != k)
        side = "r_eye" if x < SIZE / 2 else "l_eye"  # the person's own right is left in the picture
        assert 0.15 < parts(corrected, side)[ring].mean() < 1, (y, x)


@pytest.mark.parametrize("seed", SEEDS)
def test_lips_run_around_an_open_mouth(seed):
    mouth = parts(labelled([seed])[0], "mouth")
    around = ndimage.binary_dilation(mouth) & ~mouth
    assert parts(labelled([seed])[0], "u_lip", "l_lip")[around].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_no_class_is_strewn_about(seed):
    """Specks of a few pixels are slips of the hand, or of the parser; jewellery may be as small."""
    layout = labelled([seed])[0]
    for name in set(FACE_FINE.classes) - {"ear_r", "neck_l", "eye_g", "iris"}:
        part = np.pad(parts(layout, name), 1, mode="edge")  # a corner of the picture may be cut off
        pieces, count = ndimage.label(part)
        sizes = ndimage.sum_labels(part, pieces, range(1, count + 1))
        assert all(size > 12 for size in sizes), name


def test_beards_are_labelled_where_there_are_some():
    with_beard = [seed for seed in SEEDS if parts(labelled([seed])[0], "beard").sum() > 2000]
    assert with_beard == [12, 152, 267, 285, 378, 402]
    assert parts(labelled()[:, :, :], "beard").any(axis=(1, 2)).sum() == len(with_beard)


def test_the_parser_said_what_is_kept_as_raw():
    """But for what rounding may do on another machine."""
    said = parse(faces.portrait(SEEDS[0]), SIZE)
    assert (said == labelled(SEEDS[:1], RAW)).float().mean() > 0.998


def test_a_face_is_opened_painted_and_kept(script, monkeypatch, tmp_path):
    monkeypatch.setattr(faces, "HERE", tmp_path)
    start = decode_value(script.begun(3), FACE_FINE, SIZE)
    assert torch.equal(start, labelled([3], RAW))
    assert labelled_seeds() == []
    painted = torch.where(start == FACE.id("nose"), FACE_FINE.id("beard"), start)
    script.keep(3, encode_value(painted))
    assert labelled_seeds() == [3]
    assert torch.equal(decode_value(script.begun(3), FACE_FINE, SIZE), painted)
    row = dict(zip(*[line.split(" | ") for line in script.counts().splitlines()[::2]], strict=True))
    assert row["all"] == row["beard |"].removesuffix(" |") == str((painted != start).sum().item())


def test_the_page_has_the_face_on_its_canvas(script, monkeypatch):
    monkeypatch.setattr(script, "begun", lambda seed: encode_value(labelled([seed])))
    values = [block.value for block in script.page(267).blocks.values() if hasattr(block, "value")]
    assert encode_value(labelled([267])) in values


def test_the_readme_counts_what_was_corrected(script):
    assert script.counts() in (HERE / "README.md").read_text(encoding="utf-8")


def test_the_package_holds_the_labels():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    globs = project["tool"]["setuptools"]["package-data"]["semedit_lite"]
    package = ROOT / "semedit_lite"
    packed = {path for pattern in globs for path in package.glob(pattern)}
    assert {path for path in HERE.rglob("*") if path.suffix in (".png", ".md")} <= packed
