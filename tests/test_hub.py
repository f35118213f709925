"""Weights: what is saved comes back, what does not fit is refused, and nothing is half written."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from semedit_lite import download, hub
from semedit_lite.errors import InputError


class Toy(nn.Module, hub.Pretrained):
    def __init__(self, *, width: int = 3, gain: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 2)
        self.gain = gain
        self.register_buffer("count", torch.tensor(7))


@pytest.fixture
def folder(tmp_path):
    """A saved Toy."""
    Toy(width=4).save_pretrained(tmp_path / "toy", card="# Toy\n")
    return tmp_path / "toy"


def rewrite(folder, change):
    """Applies `change` to the saved tensors."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_a_saved_network_comes_back(tmp_path):
    model = Toy(width=5, gain=2.0)
    model.save_pretrained(tmp_path, dtype=torch.float32)
    again = Toy.from_pretrained(tmp_path)
    assert all(torch.equal(a, again.state_dict()[key]) for key, a in model.state_dict().items())
    assert (again.gain, again.count.dtype) == (2.0, torch.long)
    assert not again.training
    assert not any(p.requires_grad for p in again.parameters())
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "class": "Toy",
        "width": 5,
        "gain": 2.0,
    }


def test_half_precision_on_disk_is_float_in_memory(folder):
    assert load_file(folder / "model.safetensors")["layer.weight"].dtype == torch.float16
    assert Toy.from_pretrained(folder).layer.weight.dtype == torch.float32
    assert (folder / "README.md").read_text() == "# Toy\n"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda w: w.pop("layer.bias"), id="missing key"),
        pytest.param(lambda w: w.update(extra=torch.zeros(1)), id="unexpected key"),
        pytest.param(lambda w: w.update({"layer.bias": torch.zeros(3)}), id="wrong shape"),
    ],
)
def test_loading_is_strict(folder, change):
    rewrite(folder, change)
    with pytest.raises(InputError, match="weights in 'toy' do not fit its config") as caught:
        Toy.from_pretrained(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "config",
    ["{", "[]", "null", '"x"', '{"depth": 3}', '{"width": "wide"}', '{"width": -4}', "\xff"],
)
def test_a_broken_config_is_refused(folder, config):
    (folder / "config.json").write_bytes(config.encode("latin1"))
    with pytest.raises(InputError, match=r"config\.json"):
        Toy.from_pretrained(folder)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_a_pickle_is_refused_and_not_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="pickles are refused"):
        Toy.from_pretrained(folder)
    torch.save(Toy(width=4).state_dict(), folder / "model.safetensors")
    with pytest.raises(InputError, match="pickles are refused"):
        Toy.from_pretrained(folder)
    torch.save(Toy(width=4).state_dict(), folder / "model.pt")
    with pytest.raises(InputError, match=r"not a \.safetensors file"):
        hub.read_weights(folder / "model.pt")
    assert not (tmp_path / "exploded").exists()


def test_a_cut_file_is_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="not a safetensors file"):
        Toy.from_pretrained(folder)


def test_unknown_weights_name_the_known_and_the_way_out(tmp_path):
    with pytest.raises(InputError, match=r"no weights 'nonsense'; there are .*semedit train"):
        Toy.from_pretrained("nonsense")
    with pytest.raises(InputError, match=r"no checkpoint: it needs model\.safetensors"):
        Toy.from_pretrained(tmp_path)


def test_offline_and_missing_names_the_command(monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setenv("OFFLINE", "1")
    monkeypatch.setitem(hub.PINS, "toy", hub.Pin("0" * 40, "0" * 64, "0" * 64))
    with pytest.raises(InputError, match="semedit weights fetch toy"):
        Toy.from_pretrained("toy")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OFFLINE": "1"}, True),
        ({"OFFLINE": "0"}, False),
        ({"OFFLINE": ""}, False),
        ({"HF_HUB_OFFLINE": "1"}, True),
    ],
)
def test_offline(variables, expected, monkeypatch):
    for key in ("OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(key, raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    assert download.offline() is expected


def test_a_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def write(beside):
        beside.write_bytes(b"half of the n")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        hub.write_beside(path, write)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_weights(folder, monkeypatch):
    before = load_file(folder / "model.safetensors")

    def save(weights, path):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "save_file", save)
    with pytest.raises(OSError, match="No space left"):
        Toy(width=4).save_pretrained(folder)
    after = Toy.from_pretrained(folder).state_dict()
    assert all(torch.equal(after[key], value.to(after[key])) for key, value in before.items())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.bin"
    path.write_bytes(b"old")
    code = f"""
        import os, signal
        from semedit_lite.hub import write_beside

        def write(beside):
            beside.write_bytes(b"half of the n")
            os.kill(os.getpid(), signal.SIGKILL)

        write_beside({str(path)!r}, write)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_who_may_read_a_written_file_is_the_users_choice(tmp_path, mask, mode):
    path = tmp_path / "deep" / "a.txt"
    path.parent.mkdir()
    before = os.umask(mask)
    try:
        hub.write_beside(path, lambda beside: beside.write_text("new"))
        Toy().save_pretrained(path.parent)
    finally:
        os.umask(before)
    assert path.read_text() == "new"
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {mode}


def test_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hub.digest(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_parameters():
    assert hub.parameters(Toy(width=4)) == 4 * 2 + 2
