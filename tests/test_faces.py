"""The faces domain: by seed, in any order, from the cache or not; mirrored rightly."""

import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from semedit_lite.data import faces as generated
from semedit_lite.data import warps
from semedit_lite.data.faces import Bank, Faces, bank, cache_path, face_generator, faces, mixed_rows
from semedit_lite.errors import InputError
from semedit_lite.labels import FACE


def test_iterable_and_map_style_agree() -> None:
    dataset = Faces(3, 64, seed=40)
    assert len(dataset) == 3
    for one, two in zip(faces(3, 64, seed=40), (dataset[i] for i in range(3)), strict=True):
        assert one["image"].shape == (3, 64, 64)
        assert one["layout"].shape == (64, 64)
        assert one["latent"].shape == (16, 512)
        assert torch.allclose(one["image"], two["image"], atol=1e-3)
        assert (one["layout"] == two["layout"]).float().mean() > 0.99
        assert one["image"].abs().max() <= 1
    with pytest.raises(IndexError):
        dataset[3]


def test_generated_faces_look_like_faces_to_the_parser() -> None:
    for face in faces(4, 64, seed=1_000_000):
        share = {name: (face["layout"] == FACE.id(name)).float().mean() for name in FACE.classes}
        assert share["skin"] > 0.1
        assert min(share["nose"], share["l_eye"] + share["r_eye"] + share["eye_g"]) > 0.002
        left = (face["layout"] == FACE.id("l_eye")).nonzero()[:, 1].float()
        right = (face["layout"] == FACE.id("r_eye")).nonzero()[:, 1].float()
        if len(left) and len(right):
            assert left.mean() > right.mean()  # the person's left is the picture's right


def test_endless() -> None:
    stream = faces(None, 32, seed=7)
    seen = [next(stream)["latent"] for _ in range(10)]  # beyond one batch
    assert len({tuple(latent[0, :4].tolist()) for latent in seen}) == 10


def test_cache(tmp_path: Path) -> None:
    found = bank(3, 32, seed=5, folder=tmp_path)
    path = cache_path(tmp_path, 32, 5)
    written = path.stat().st_mtime_ns
    again = bank(2, 32, seed=5, folder=tmp_path)
    assert path.stat().st_mtime_ns == written  # read, not painted again
    assert torch.equal(again.images, found.images[:2])
    assert torch.equal(again.layouts, found.layouts[:2])
    with pytest.raises(InputError, match="fewer"):
        Bank.open(path, 4)
    more = bank(4, 32, seed=5, folder=tmp_path)
    assert len(more) == 4
    item = Faces(3, 32, seed=5, folder=tmp_path)[1]
    assert torch.equal(item["layout"], found.layouts[1].long())


@pytest.fixture
def painted(monkeypatch) -> list[int]:
    """The seeds of the faces that a bank paints, grey ones in this test."""
    seeds: list[int] = []

    def paint(some: list[int], size: int, device: str = "cpu") -> dict[str, torch.Tensor]:
        seeds.extend(some)
        n = len(some)
        return {
            "image": torch.zeros(n, 3, size, size),
            "layout": torch.ones(n, size, size, dtype=torch.long),
            "latent": torch.zeros(n, 512),
        }

    monkeypatch.setattr(generated, "paint", paint)
    return seeds


def test_cache_of_other_weights_is_painted_anew(tmp_path: Path, monkeypatch, painted) -> None:
    bank(2, 8, seed=5, folder=tmp_path)
    bank(2, 8, seed=5, folder=tmp_path)
    assert painted == [5, 6]
    monkeypatch.setattr(generated, "TRUNCATION", 0.5)
    bank(2, 8, seed=5, folder=tmp_path)
    assert painted == [5, 6] * 2
    monkeypatch.setattr(generated, "digest", lambda path: "another " + path.parent.name)
    with pytest.raises(InputError, match="other weights"):
        Bank.open(cache_path(tmp_path, 8, 5), 2)
    bank(2, 8, seed=5, folder=tmp_path)
    bank(2, 8, seed=5, folder=tmp_path)
    assert painted == [5, 6] * 3


def test_cache_without_origin_or_damaged_is_painted_anew(tmp_path: Path, painted) -> None:
    found = bank(2, 8, seed=0, folder=tmp_path)
    path = cache_path(tmp_path, 8, 0)
    save_file({key: getattr(found, key) for key in ("images", "layouts", "latents")}, path)
    bank(2, 8, seed=0, folder=tmp_path)
    assert painted == [0, 1] * 2
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        Bank.open(path, 2)
    bank(2, 8, seed=0, folder=tmp_path)
    assert painted == [0, 1] * 3
    assert len(Bank.open(path, 2)) == 2


def test_faces_are_painted_on_the_device(tmp_path: Path, monkeypatch) -> None:
    devices = []

    def paint(seeds: list[int], size: int, device: str) -> None:
        devices.append(device)
        raise KeyboardInterrupt

    monkeypatch.setattr(generated, "paint", paint)
    with pytest.raises(KeyboardInterrupt):
        Faces(1, 8, device="meta")[0]
    with pytest.raises(KeyboardInterrupt):
        Faces(1, 8, folder=tmp_path, device="meta")
    assert devices == ["meta", "meta"]


def test_mixed_rows() -> None:
    """One style for even seeds, two for odd ones; made where the network is."""
    rows = mixed_rows(face_generator(), [4, 5])
    styles = [len(row.unique(dim=0)) for row in rows]
    assert rows.shape == (2, 16, 512)
    assert styles == [1, 2]
    elsewhere = copy.deepcopy(face_generator()).to("meta")
    assert mixed_rows(elsewhere, [4, 5]).device.type == "meta"


def test_flip_swaps_left_and_right() -> None:
    layout = torch.zeros(2, 4, 4, dtype=torch.long)
    layout[:, 1, 0] = FACE.id("r_eye")  # the person's right: the picture's left
    image = torch.zeros(2, 3, 4, 4)
    image[:, :, 1, 0] = 1.0
    for seed in range(8):
        rng = torch.Generator().manual_seed(seed)
        images, layouts = warps.random_flip(image, layout, FACE, rng)
        for picture, ids in zip(images, layouts, strict=True):
            if picture[0, 1, 0] == 1:
                assert ids[1, 0] == FACE.id("r_eye")
            else:
                assert picture[0, 1, 3] == 1
                assert ids[1, 3] == FACE.id("l_eye")


def test_warp_moves_picture_and_layout_together() -> None:
    rng = torch.Generator().manual_seed(0)
    layout = torch.zeros(6, 64, 64, dtype=torch.long)
    layout[:, 20:44, 24:50] = 1
    image = layout[:, None].float().expand(-1, 3, -1, -1) * 2 - 1
    matrix = warps.random_affine(6, rng, (0.6, 1.6), 30, 0.2)
    images, layouts = warps.warp(image, layout, matrix, 48)
    assert images.shape == (6, 3, 48, 48)
    agree = ((images[:, 0] > 0) == (layouts == 1)).float().mean()
    assert agree > 0.99
