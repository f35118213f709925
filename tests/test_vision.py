"""torchvision is imported also where its compiled operators do not load, and only then helped."""

import importlib.util
import subprocess
import sys

import pytest

# A package that fails as torchvision does, until the operator's schema is known.
HALF_BUILT = """
import torch
try:
    torch._C._get_schema("torchvision::nms", "")
except RuntimeError:
    raise RuntimeError("operator torchvision::nms does not exist") from None
"""
IMPORT = "from semedit_lite.vision import import_torchvision as load; "


def run(code, folder="."):
    """What a fresh Python prints; `folder` is searched first."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {IMPORT}{code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_models_work():
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    done = run("print(load().models.squeezenet1_1(weights=None).num_classes, load() is load())")
    assert done.stdout.split() == ["1000", "True"], done.stderr


def test_missing_operators_are_declared(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(HALF_BUILT + "name = 'helped'")
    done = run("print(load().name)", tmp_path)
    assert done.stdout.strip() == "helped", done.stderr


def test_other_errors_stay(tmp_path):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "print('imported')\nraise RuntimeError('disk on fire')"
    )
    done = run("load()", tmp_path)
    assert done.returncode != 0
    assert done.stdout.split() == ["imported"]  # and not a second time
    assert "disk on fire" in done.stderr
