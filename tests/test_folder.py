"""Any folder of pictures and labels, for any label set."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semedit_lite.data.folder import Folder, in_memory, unpack
from semedit_lite.errors import InputError
from semedit_lite.images import to_bytes
from semedit_lite.labels import FACADES


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Path, Path]:
    """Three pairs of different shapes; the picture's red says the class."""
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.mkdir()
    labels.mkdir()
    for i, (w, h) in enumerate(((40, 40), (64, 32), (30, 50))):
        ids = np.zeros((h, w), np.uint8)
        ids[h // 2 :] = i + 1
        Image.fromarray(np.stack([ids * 60] * 3, 2)).save(images / f"house{i}.png")
        FACADES.to_pil(torch.from_numpy(ids)).save(labels / f"house{i}.png")
    return images, labels


def test_pairs_stay_together(pairs: tuple[Path, Path]) -> None:
    dataset = Folder(*pairs, FACADES, 16)
    assert dataset.names == ["house0", "house1", "house2"]
    for i in range(len(dataset)):
        item = dataset[i]
        assert item["image"].shape == (3, 16, 16)
        assert item["layout"].dtype == torch.long
        lower = item["layout"][10:]
        assert (lower == i + 1).all()
        assert torch.allclose(item["image"][0, 10:], torch.tensor((i + 1) * 60 / 127.5 - 1))


def test_chosen_names_and_bytes(pairs: tuple[Path, Path]) -> None:
    dataset = Folder(*pairs, FACADES, 16, names=["house2", "house0"])
    images, layouts = in_memory(dataset)
    assert images.dtype == layouts.dtype == torch.uint8
    assert layouts[0].max() == 3
    assert torch.equal(to_bytes(unpack(images)), images)


def test_what_is_missing_or_wrong_is_named(pairs: tuple[Path, Path], tmp_path: Path) -> None:
    images, labels = pairs
    with pytest.raises(InputError, match="no folder"):
        Folder(tmp_path / "nowhere", labels, FACADES, 16)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        Folder(tmp_path / "empty", labels, FACADES, 16)
    with pytest.raises(InputError, match="no picture named 'tower'"):
        Folder(images, labels, FACADES, 16, names=["house0", "tower"])
    Image.new("RGB", (40, 40)).save(images / "house2.jpg")
    with pytest.raises(InputError, match=r"'house2.jpg' and 'house2.png'"):
        Folder(images, labels, FACADES, 16)
    (images / "house2.jpg").unlink()
    (labels / "house1.png").unlink()
    with pytest.raises(InputError, match="house1"):
        Folder(images, labels, FACADES, 16)
    Image.new("L", (40, 40), 77).save(labels / "house1.png")
    with pytest.raises(InputError, match="77"):
        Folder(images, labels, FACADES, 16)[1]


@pytest.mark.skipif("SEMEDIT_DATA" not in os.environ, reason="needs the photos of SEMEDIT_DATA")
def test_facades() -> None:
    folder = Path(os.environ["SEMEDIT_DATA"]) / "facades"
    dataset = Folder(folder / "images", folder / "labels", FACADES, 64)
    assert len(dataset) >= 100
    item = dataset[0]
    assert len(item["layout"].unique()) > 3
    assert item["image"].std() > 0.1
