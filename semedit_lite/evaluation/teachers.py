"""Frozen public networks that judge ours; they are not shipped (their terms forbid it).

SEMEDIT_TEACHERS names the folder of their weights; `tools/teachers.py` beside that folder runs
them. Without it, evaluation reports what our own networks can say and names what it left out.
"""

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from semedit_lite.errors import InputError

MISSING = "SEMEDIT_TEACHERS is not set"


@lru_cache(maxsize=1)
def teachers() -> ModuleType | None:
    """The module that runs the teachers, or None where SEMEDIT_TEACHERS is not set."""
    folder = os.environ.get("SEMEDIT_TEACHERS")
    if not folder:
        return None
    path = Path(folder).resolve().parent / "tools" / "teachers.py"
    if not path.is_file():
        raise InputError(f"SEMEDIT_TEACHERS is set, but '{path}' is not there to run them.")
    spec = importlib.util.spec_from_file_location("semedit_teachers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
