"""Frozen networks that judge ours; they are not shipped (the terms of several forbid it).

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
NETS = {  # what they are, for those who read the figures and cannot have them
    "independent judge": "a 19-class face parser of 2.9 M parameters, trained apart from ours but "
    "on the same photos (by its own description accuracy .922, mIoU .676 on 120 others); "
    "not public",
    "LPIPS": "version 0.1 on SqueezeNet: not to be compared with published values, which are on "
    "AlexNet or VGG",
    "Fréchet and kernel distance": "1280 features of an ImageNet MobileNetV2: neither FID nor KID",
}


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
