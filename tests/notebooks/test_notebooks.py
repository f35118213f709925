"""The notebooks as they are stored, and their exercises. `make test` also runs them, by nbmake."""

import io
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ipywidgets import FloatSlider
from PIL import Image

from semedit_lite.notebook import live

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def sources(path: Path, tag: str) -> list[str]:
    """The code of the cells with a tag, in order."""
    return ["".join(c["source"]) for c in cells(path) if tag in c["metadata"].get("tags", ())]


def solutions(path: Path) -> list[str]:
    """The code in the folded-up solutions, in order."""
    folded = [text for c in cells(path) if "<details>" in (text := "".join(c["source"]))]
    return [re.search(r"```python\n(.*?)```", text, re.DOTALL)[1] for text in folded]


EXERCISES = [(p, i) for p in NOTEBOOKS for i in range(len(sources(p, "exercise")))]


def test_all_are_there():
    names = {"00_tour", "01_data", "02_photos", "03_spade", "07_sketchedit", "10_editgan"}
    assert names <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_exercise_has_its_check_and_its_solution(path):
    """In this order, so that a reader meets the check before the answer."""
    order = [c["id"] for c in cells(path) if re.match("(exercise|check|solution)-", c["id"])]
    count = len(sources(path, "exercise"))
    assert count >= 2
    wanted = [(f"exercise-{i}", f"check-{i}", f"solution-{i}") for i in range(1, count + 1)]
    assert order == [name for triple in wanted for name in triple]
    assert len(solutions(path)) == len(sources(path, "check")) == count


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_stored_without_outputs(path):
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_installs_this_version_from_the_one_address(path):
    tidy = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))
    repository, tag = tidy["address"]().values()
    badge, install = ("".join(c["source"]) for c in cells(path) if c["id"] in ("badge", "install"))
    assert f"github/{repository}/blob/{tag}/notebooks/{path.name}" in badge
    assert f"github.com/{repository}@{tag}" in install
    first = next(cell for cell in cells(path) if cell["cell_type"] == "code")
    assert first["id"] == "install"
    assert tidy["tidy"](path) == path.read_text(encoding="utf-8"), "run scripts/notebooks.py"


def test_tidying_removes_outputs(tmp_path):
    cell = {"cell_type": "code", "id": "x", "metadata": {}, "source": ["1 + 1"]}
    cell |= {"outputs": [{"output_type": "stream"}], "execution_count": 7}
    path = tmp_path / "dirty.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {"widgets": {}}, "nbformat": 4}))
    tidied = json.loads(runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))["tidy"](path))
    assert tidied["cells"][0]["outputs"] == []
    assert tidied["cells"][0]["execution_count"] is None
    assert "widgets" not in tidied["metadata"]


def test_code_is_formatted():
    ruff = [sys.executable, "-m", "ruff", "format", "--check", *map(str, NOTEBOOKS)]
    assert subprocess.run(ruff, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("path", "index"), EXERCISES, ids=lambda value: getattr(value, "stem", None)
)
def test_exercise(path, index, capsys):
    """The check waits for an answer, refuses a wrong one, and takes the hidden solution."""
    stub, check = sources(path, "exercise")[index], sources(path, "check")[index]
    name = re.search(r"def (\w+)", stub)[1]
    space = {}
    for source in sources(path, "setup"):
        exec(source, space)

    exec(stub, space)
    exec(check, space)
    assert "is waiting" in capsys.readouterr().out

    space[name] = lambda *arguments: torch.zeros(1)
    with pytest.raises(AssertionError):
        exec(check, space)

    exec(solutions(path)[index], space)
    exec(check, space)
    assert "right" in capsys.readouterr().out


def test_a_picture_follows_its_controls():
    slider = FloatSlider(-1.0, min=-1, max=1, step=0.1)
    box = live(lambda share: torch.full((2, 3, 4, 4), share), share=slider)
    controls, view = box.children
    assert controls.children == (slider,)

    def shown() -> np.ndarray:
        return np.array(Image.open(io.BytesIO(view.value)))

    assert shown().shape == (4, 8, 3)  # both pictures in a row
    assert (shown() == 0).all()
    slider.value = 1.0
    assert (shown() == 255).all()
