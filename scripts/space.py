"""Builds a Space: a folder with a demo, what it needs of the package, and its weights.

python scripts/space.py paint             # builds dist/spaces/paint and lists what it holds
python scripts/space.py paint --install   # and an environment for it, with what a Space installs
python scripts/space.py paint --check     # only says whether hf_space/paint is up to date

A Space's own files lie in hf_space/NAME; README.md says which weights it has. What follows from the
rest of the repository is written there by this script: requirements.txt, and in README.md the
version of Gradio and what is fetched from the Hub when the Space is built.
"""

import argparse
import ast
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from huggingface_hub import SpaceCard
from install import CPU_INDEX, answers
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from semedit_lite import hub
from semedit_lite.download import OWNER
from semedit_lite.errors import InputError

ROOT = Path(__file__).resolve().parent.parent
SPACES, DEMOS = ROOT / "hf_space", ROOT / "demos"
TERMS = ("LICENSE", "NOTICE", "WEIGHTS.md")
SHOWN = (".jpg", ".png", ".json")
PAGE = (".css", ".html", ".js")  # what modules serve to browsers lies beside them


def tested() -> dict[str, str]:
    """The version of each package that is tested, from constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def requirements() -> str:
    """requirements.txt: what the package and the app need, as tested. Gradio is not in it, since a
    Space takes that from `sdk_version`, nor what those need in turn: a Space brings packages of its
    own, with which it would collide."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["app"]]
    names = [Requirement(line).name for line in wanted]
    pins = [f"{name}=={tested()[canonicalize_name(name)]}" for name in names if name != "gradio"]
    return "\n".join(["# Written by scripts/space.py", f"--extra-index-url {CPU_INDEX}", *pins, ""])


def needed(demo: Path) -> set[Path]:
    """The package's modules that a script imports, also within functions and through others."""
    found = set((ROOT / "semedit_lite" / "models").glob("*.py"))  # hub.network looks through them
    todo = [demo, *found]
    while todo:
        imported = set()
        for node in ast.walk(ast.parse(todo.pop().read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    imported |= {alias.name for alias in names}
                case ast.ImportFrom(module=str(module), names=names):
                    imported |= {f"{module}.{alias.name}" for alias in names}
        for name in imported:
            parts = name.split(".")
            for path in (ROOT.joinpath(*parts[:k]) for k in range(1, len(parts) + 1)):
                for file in (path / "__init__.py", path.with_suffix(".py")):
                    if parts[0] == "semedit_lite" and file.is_file() and file not in found:
                        found.add(file)
                        todo.append(file)
    return found


def pictures(demo: Path) -> set[Path]:
    """The pictures and strokes in the folders beside a script that it names."""
    text = demo.read_text(encoding="utf-8")
    folders = (path for path in demo.parent.iterdir() if path.is_dir() and f'"{path.name}"' in text)
    return {file for folder in folders for file in folder.iterdir() if file.suffix in SHOWN}


def models(card: SpaceCard) -> list[str]:
    """The names of a Space's weights."""
    return [model.removeprefix(f"{OWNER}/") for model in card.data.models]


def own_files(name: str) -> dict[str, str]:
    """The files in hf_space/NAME as they should be, by name."""
    own = (SPACES / name / file for file in ("README.md", "app.py"))
    files = {path.name: path.read_text(encoding="utf-8") for path in own}
    card = SpaceCard(files["README.md"])
    card.data["sdk_version"] = tested()["gradio"]
    card.data["preload_from_hub"] = [
        f"{OWNER}/{model} {','.join(hub.FILES)} {hub.PINS[model].revision}"
        for model in models(card)
        if model in hub.PINS
    ] or None  # leaves the line out
    return files | {"README.md": str(card), "requirements.txt": requirements()}


def stale(name: str) -> list[str]:
    """The files in hf_space/NAME that are not as they should be."""
    folder = SPACES / name
    return [
        file
        for file, text in sorted(own_files(name).items())
        if not (folder / file).is_file() or (folder / file).read_text(encoding="utf-8") != text
    ]


def build(name: str, folder: Path) -> None:
    """Puts the Space NAME, all of it, into an empty folder."""
    own = own_files(name)
    modules = needed(DEMOS / f"{name}.py")
    package = {
        *modules,
        *(file for module in modules for file in module.parent.iterdir() if file.suffix in PAGE),
        *(
            file
            for model in models(SpaceCard(own["README.md"]))
            for file in (hub.BUNDLED / model).glob("*")
            if file.name in (*hub.FILES, "README.md") or file.suffix == ".safetensors"
        ),
    }
    demo = {DEMOS / f"{name}.py", *pictures(DEMOS / f"{name}.py")}
    files = {path.relative_to(ROOT): path for path in package | {ROOT / term for term in TERMS}}
    files |= {path.relative_to(DEMOS): path for path in demo}
    for target, source in files.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / target)
    for target, text in own.items():
        (folder / target).write_text(text, encoding="utf-8")


def environment() -> Path:
    """The Python of an environment with what a Space would install; made anew where that has
    changed. InputError where it cannot be made."""
    text, gradio = requirements(), f"gradio=={tested()['gradio']}"
    folder, constraints = ROOT / ".cache" / "space", ROOT / "constraints.txt"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made_of = (text, constraints.read_text(encoding="utf-8"), sys.version, str(folder))
    state, stamp = hashlib.sha256("".join(made_of).encode()).hexdigest(), folder / "ready"
    if stamp.is_file() and stamp.read_text() == state:
        return python
    if os.environ.get("OFFLINE", "0") not in ("", "0"):
        raise InputError("OFFLINE=1 refuses the network, which the Space's environment needs.")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    if not answers(f"{CPU_INDEX}/torch/"):  # as in install.py: pip may find a CPU build elsewhere
        text = text.replace(f"--extra-index-url {CPU_INDEX}\n", "")
    (folder / "requirements.txt").write_text(text, encoding="utf-8")
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["-c", constraints, "-r", folder / "requirements.txt", gradio]
    if subprocess.run(command, check=False).returncode != 0:
        raise InputError("The Space's environment could not be made; pip says above why.")
    stamp.write_text(state)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(path.name for path in SPACES.iterdir()))
    parser.add_argument("-o", "--output", type=Path, help="a new folder (dist/spaces/NAME)")
    parser.add_argument("--install", action="store_true", help="also an environment to try it in")
    parser.add_argument("--check", action="store_true", help="build nothing; is all up to date?")
    arguments = parser.parse_args()
    name = arguments.name
    if arguments.check:
        if files := stale(name):
            raise InputError(
                f"In hf_space/{name}, {' and '.join(files)} must be written anew: "
                f"`python scripts/space.py {name}` does it."
            )
        return
    folder = arguments.output or ROOT / "dist" / "spaces" / name
    if arguments.output is None:
        shutil.rmtree(folder, ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"'{folder}' is not an empty folder; choose a new one.")
    for file, text in own_files(name).items():
        (SPACES / name / file).write_text(text, encoding="utf-8")
    build(name, folder)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in files:
        print(f"{path.stat().st_size:>12,}  {path.relative_to(folder)}")
    print(f"{sum(path.stat().st_size for path in files):>12,}  bytes in {len(files)} files")
    print(f"\nhf upload {OWNER}/{name} {folder} . --repo-type space --delete '*'")
    if arguments.install:
        print(f"cd {folder} && {environment()} app.py")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"space.py: {error}")
