"""One module a model; `build` makes a recipe by the name that `semedit train` takes."""

from functools import partial
from typing import Any

from semedit_lite.errors import InputError


def _parser(device: str):
    from semedit_lite.training.recipes.parser import ParserRecipe

    return ParserRecipe(device)


def _face_heads(device: str, **options: Any):
    from semedit_lite.training.recipes.heads import HeadsRecipe

    return HeadsRecipe(device, **options)


def _face_finder(device: str, **options: Any):
    from semedit_lite.training.recipes.finder import FinderRecipe

    return FinderRecipe(device, **options)


def _identity(device: str, **options: Any):
    from semedit_lite.training.recipes.identity import IdentityRecipe

    return IdentityRecipe(device, **options)


def _encoder(device: str, **options: Any):
    from semedit_lite.training.recipes.encoder import EncoderRecipe

    return EncoderRecipe(device, **options)


def _face_branch(device: str):
    from semedit_lite.training.recipes.branch import BranchRecipe

    return BranchRecipe(device)


def _spade_faces(size: int, device: str, **options: Any):
    from semedit_lite.training.recipes.spade import spade_faces

    return spade_faces(size, device, **options)


def _sketchedit(size: int, device: str, **options: Any):
    from semedit_lite.training.recipes.sketchedit import SketchEditRecipe

    return SketchEditRecipe(size, device, **options)


TRAININGS = {  # name -> what makes the recipe on a device, and the options that it takes
    "parser": (_parser, ()),
    "face-heads": (_face_heads, ("count",)),
    "face-finder": (_face_finder, ("data", "count")),
    "face-branch": (_face_branch, ()),
    "face-identity": (_identity, ("data", "count")),
    "face-encoder": (_encoder, ("data",)),
    "spade-faces-64": (partial(_spade_faces, 64), ("data", "count", "perceptual")),
    "spade-faces-128": (partial(_spade_faces, 128), ("data", "count", "perceptual")),
    "sketchedit-faces-64": (partial(_sketchedit, 64), ("data", "count", "perceptual")),
    "sketchedit-faces-128": (partial(_sketchedit, 128), ("data", "count", "perceptual")),
}


def build(name: str, device: str = "cpu", **options: Any):
    """The recipe `name`, its networks on `device`; InputError for names and options unknown.

    `count` is how many generated faces are trained on, `data` a folder for their cache (see
    `semedit data faces`), `perceptual` one of `perceptual.SOURCES`. The recipe on photos finds
    them through SEMEDIT_DATA.
    """
    if name not in TRAININGS:
        raise InputError(f"There is no training '{name}'; choose from {', '.join(TRAININGS)}.")
    make, known = TRAININGS[name]
    for option in options:
        if option not in known:
            takes = ", ".join(f"--{each}" for each in known) or "none of them"
            raise InputError(f"The training '{name}' has no use for --{option}; it takes {takes}.")
    return make(device, **options)
