"""The project's own files agree with each other, and the README's script runs."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import semedit_lite
from semedit_lite import hub
from semedit_lite.evaluation.report import ROOT
from semedit_lite.images import read_provenance
from semedit_lite.labels import FACE
from semedit_lite.ui.painter import painter


def requirements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_requirements_are_those_of_the_package():
    extras = project()["optional-dependencies"]
    wanted = [*project()["dependencies"], *extras["app"], *extras["notebooks"]]
    found = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert sorted(found) == sorted(wanted)


def test_the_tested_set_lies_within_the_ranges():
    lines = requirements((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    pins = dict(line.split("==") for line in lines)
    pins = {name.lower().replace("_", "-"): Version(version) for name, version in pins.items()}
    extras = project()["optional-dependencies"].values()
    for line in [*project()["dependencies"], *(line for extra in extras for line in extra)]:
        need = Requirement(line)
        assert pins[need.name.lower().replace("_", "-")] in need.specifier, line


def test_the_core_needs_four_packages():
    names = {Requirement(line).name for line in project()["dependencies"]}
    assert names == {"torch", "numpy", "Pillow", "safetensors"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", semedit_lite.__version__)


def test_the_readmes_script_runs(tmp_path, monkeypatch):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(script.splitlines()) == 3
    for name in re.findall(r"spade-faces-\d+", script):
        if not (hub.BUNDLED / name).is_dir():
            pytest.skip(f"{name} is not trained yet")
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "README.md", "exec"), {})
    assert [path.name for path in tmp_path.iterdir()] == ["painted.png"]
    assert read_provenance(tmp_path / "painted.png")["synthetic"]


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *hub.BUNDLED.glob("*/README.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_guide_names_the_painters_keys():
    pytest.importorskip("gradio")
    guide = (ROOT / "docs" / "paint.md").read_text(encoding="utf-8")
    page = painter(FACE).html_template
    rows = re.findall(r"^\| ([A-Z][\w, ]+) \| ([A-Z, ]+) \|", guide, re.MULTILINE)
    told = {
        name: key
        for names, keys in rows
        for name, key in zip(names.split(", "), keys.split(", "), strict=True)
    }
    tools = re.findall(r'type="radio" .*?aria-label="(\w+).*?" aria-keyshortcuts="(\w)"', page)
    assert told == dict(tools)


ROOMS = ("models", "faces", "data", "training", "editing", "evaluation", "ui")  # lowest first


def rooms_above(path: Path) -> set[str]:
    """What a module imports from rooms above its own, also within functions."""
    package = hub.BUNDLED.parent
    room = path.relative_to(package).parts[0]
    above = ROOMS[ROOMS.index(room) + 1 :] if room in ROOMS else ROOMS
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = {node.module for node in tree if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.startswith(tuple(f"semedit_lite.{r}" for r in above))}


TOPMOST = ("cli.py", "verbs.py", "bench.py", "bench_studio.py", "notebook.py")


@pytest.mark.parametrize(
    "path",
    [path for path in hub.BUNDLED.parent.rglob("*.py") if path.name not in TOPMOST],
    ids=lambda path: str(path.relative_to(hub.BUNDLED.parent)),
)
def test_a_room_imports_from_rooms_below_it_alone(path):
    assert rooms_above(path) == set()
