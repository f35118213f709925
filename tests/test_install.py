"""Set-up: it picks the right PyTorch, never hangs, respects OFFLINE=1, and is quick when done."""

import importlib.util
import socket
import subprocess
import sys

import pytest

from semedit_lite.evaluation.report import ROOT


@pytest.fixture
def install(tmp_path, monkeypatch):
    """The script as a module that works on a repository of its own and runs no pip."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "scripts" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml", "scripts/install.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "PYTHON", tmp_path / ".venv" / "python")
    monkeypatch.setattr(module, "BUNDLE", tmp_path / "bundle")
    monkeypatch.setattr(sys, "argv", ["install.py"])
    monkeypatch.setattr(sys, "platform", "linux")
    module.calls = []
    module.works = lambda arguments: True
    monkeypatch.setattr(module, "pip", lambda *a: (module.calls.append(a), module.works(a))[1])
    monkeypatch.setattr(module, "has_gpu", lambda: False)
    monkeypatch.setattr(module, "answers", lambda url: True)
    return module


def made(install) -> None:
    """What `python -m venv` would have done."""
    install.VENV.mkdir()
    install.PYTHON.symlink_to(sys.executable)


def test_no_gpu_takes_the_cpu_build(install):
    assert install.get_torch("install")
    assert [install.CPU_INDEX in call for call in install.calls] == [True, True]
    assert "torchvision" in install.calls[1]
    assert "--no-deps" in install.calls[1]


@pytest.mark.parametrize(
    ("platform", "gpu", "answers"),
    [("linux", True, True), ("linux", False, False), ("darwin", False, True)],
)
def test_else_pip_finds_torch_by_itself(install, monkeypatch, platform, gpu, answers):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(install, "has_gpu", lambda: gpu)
    monkeypatch.setattr(install, "answers", lambda url: answers)
    assert install.get_torch("install")
    assert [install.CPU_INDEX in call for call in install.calls] == [False, False]


def test_an_index_that_breaks_is_passed_over(install):
    install.works = lambda arguments: install.CPU_INDEX not in arguments
    assert install.get_torch("install")
    assert install.CPU_INDEX not in install.calls[-1]


def test_an_index_that_does_not_answer_is_given_up(install, monkeypatch):
    monkeypatch.undo()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not install.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/", seconds=0.5)


def test_the_second_time_nothing_is_done(install):
    made(install)
    install.main()
    assert any("requirements.txt" in call for call in install.calls)
    install.calls.clear()
    install.main()
    assert install.calls == []
    (install.ROOT / "requirements.txt").write_text("torch\n")
    install.main()
    assert install.calls != []


def test_dev_includes_what_users_need_but_not_the_reverse(install, monkeypatch):
    made(install)
    install.main()
    install.calls.clear()
    monkeypatch.setattr(sys, "argv", ["install.py", "--dev"])
    install.main()
    assert any(".[dev]" in call for call in install.calls)
    install.calls.clear()
    monkeypatch.setattr(sys, "argv", ["install.py"])
    install.main()
    assert install.calls == []


def test_a_failure_is_not_taken_for_ready(install):
    made(install)
    install.works = lambda arguments: "requirements.txt" not in arguments
    for _ in range(2):
        with pytest.raises(SystemExit, match="could not be installed"):
            install.main()


def test_offline_installs_nothing_and_names_what_is_missing(install, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(SystemExit, match=r"OFFLINE=1 refuses the network.*lacks everything"):
        install.main()
    assert not install.VENV.exists()
    made(install)
    monkeypatch.setattr(install, "MISSING", "print('torch'); print('scipy')")
    with pytest.raises(SystemExit, match=r"lacks torch, scipy; run the same command"):
        install.main()
    monkeypatch.setattr(install, "MISSING", "")
    install.main()
    assert install.calls == []


def test_a_half_made_environment_is_removed(install, monkeypatch):
    """Debian's Python without venv makes one that lacks pip, and fails."""

    def venv(*_, **__):
        made(install)
        return subprocess.CompletedProcess([], 1)

    monkeypatch.setattr(install.subprocess, "run", venv)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        install.main()
    assert not install.VENV.exists()


def test_offline_installs_from_a_bundle_alone(install, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    made(install)
    monkeypatch.setattr(install, "MISSING", "print('torch')")
    monkeypatch.setattr(install, "answers", None)  # would fail
    (install.BUNDLE / "wheels").mkdir(parents=True)
    (install.BUNDLE / "weights" / "toy").mkdir(parents=True)
    (install.BUNDLE / "weights" / "toy" / "config.json").write_text("{}")
    install.main()
    assert len(install.calls) == 3
    for call in install.calls:
        assert call[:4] == ("install", "--no-index", "--find-links", str(install.BUNDLE / "wheels"))
    assert (install.ROOT / "semedit_lite" / "weights" / "toy" / "config.json").is_file()
    install.calls.clear()
    install.main()
    assert install.calls == []


@pytest.fixture
def bundling(install, monkeypatch):
    """A finished .venv, in which every wheel comes to hand and the weights are packed."""
    made(install)
    install.main()
    install.calls.clear()
    monkeypatch.setattr(sys, "argv", ["install.py", "--bundle"])
    install.ran = []

    def works(arguments):
        wheels = install.BUNDLE / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        (wheels / f"{len(install.calls)}.whl").write_bytes(bytes(1_000_000))
        return True

    def run(command, **_):
        install.ran.append(command[1:])
        return subprocess.CompletedProcess(command, 0)

    install.works = works
    monkeypatch.setattr(install.subprocess, "run", run)
    return install


def test_a_bundle_takes_what_an_install_takes(bundling, capsys):
    (bundling.BUNDLE / "wheels").mkdir(parents=True)
    (bundling.BUNDLE / "wheels" / "old.whl").touch()
    bundling.main()
    wheels = str(bundling.BUNDLE / "wheels")
    assert [call[:3] for call in bundling.calls] == [("wheel", "--wheel-dir", wheels)] * 3
    assert [bundling.CPU_INDEX in call for call in bundling.calls] == [True, True, False]
    assert {"requirements.txt", "setuptools>=77"} < set(bundling.calls[-1])
    assert bundling.ran == [
        ["-m", "semedit_lite.cli", "weights", "pack", bundling.BUNDLE / "weights"]
    ]
    assert not (bundling.BUNDLE / "wheels" / "old.whl").exists()
    assert " holds 3 MB. Copy " in capsys.readouterr().out


def test_half_a_bundle_is_not_kept(bundling, monkeypatch):
    whole = bundling.works
    bundling.works = lambda call: whole(call) and "requirements.txt" not in call
    with pytest.raises(SystemExit, match="could not be made"):
        bundling.main()
    assert not bundling.BUNDLE.exists()
    bundling.works = whole
    failed = subprocess.CompletedProcess([], 2)
    monkeypatch.setattr(bundling.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(SystemExit, match="could not be made"):
        bundling.main()
    assert not bundling.BUNDLE.exists()


def test_no_bundle_is_made_offline(bundling, monkeypatch):
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(SystemExit, match="OFFLINE=1 refuses the network, which a bundle"):
        bundling.main()
    assert bundling.calls == []
