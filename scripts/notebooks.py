"""Puts the notebooks into the state in which they are stored; run it after editing one.

    python scripts/notebooks.py           tidies notebooks/*.ipynb
    python scripts/notebooks.py --check   changes nothing, fails where it would

Stored are no outputs and no execution counts. The badge and the install cell, known by their ids,
get the repository's address from pyproject.toml and the version from the package.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

BADGE = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]\
(https://colab.research.google.com/github/{repository}/blob/{tag}/notebooks/{name})"""

INSTALL = """\
import importlib.util

if importlib.util.find_spec("semedit_lite") is None:  # as on Colab, whose torch stays as it is
    import torch

    package = "semedit-lite[app] @ git+https://github.com/{repository}@{tag}"
    %pip install --quiet "{{package}}" torch=={{torch.__version__}}"""


def address() -> dict[str, str]:
    """The repository on GitHub (OWNER/NAME) and the tag of this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = (ROOT / "semedit_lite" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "(.+)"', about)[1]
    repository = project["urls"]["Repository"].removeprefix("https://github.com/")
    return {"repository": repository, "tag": f"v{version}"}


def tidy(path: Path) -> str:
    """The text of a notebook as it is stored."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    fixed = {"badge": BADGE, "install": INSTALL}
    for cell in notebook["cells"]:
        if cell["id"] in fixed:
            text = fixed[cell["id"]].format(name=path.name, **address())
            cell["source"] = text.splitlines(keepends=True)
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    notebook["metadata"] = METADATA
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Tidies the notebooks.")
    parser.add_argument("--check", action="store_true", help="only say which are untidy")
    check = parser.parse_args().check
    untidy = [p for p in sorted(NOTEBOOKS.glob("*.ipynb")) if tidy(p) != p.read_text("utf-8")]
    for path in untidy:
        print(path.relative_to(ROOT))
        if not check:
            path.write_text(tidy(path), encoding="utf-8")
    sys.exit(check and bool(untidy))


if __name__ == "__main__":
    main()
