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
    assert install.install_torch()
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
    assert install.install_torch()
    assert [install.CPU_INDEX in call for call in install.calls] == [False, False]


def test_an_index_that_breaks_is_passed_over(install):
    install.works = lambda arguments: install.CPU_INDEX not in arguments
    assert install.install_torch()
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
