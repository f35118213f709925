"""One module a model; `build` makes a recipe by the name that `semedit train` takes."""

from typing import Any

from semedit_lite.errors import InputError

OPTIONS = {  # training -> what can be set
    "parser": (),
    "face-heads": ("count",),
    "spade-faces-64": ("data", "count", "perceptual"),
    "spade-faces-128": ("data", "count", "perceptual"),
}


def build(name: str, device: str = "cpu", **options: Any):
    """The recipe `name`, its networks on `device`; InputError for names and options unknown.

    `count` is how many generated faces are trained on, `data` a folder for their cache (see
    `semedit data faces`), `perceptual` one of `perceptual.SOURCES`. The recipe on photos finds
    them through SEMEDIT_DATA.
    """
    if name not in OPTIONS:
        raise InputError(f"There is no training '{name}'; choose from {', '.join(OPTIONS)}.")
    for option in options:
        if option not in OPTIONS[name]:
            takes = ", ".join(f"--{known}" for known in OPTIONS[name]) or "none of them"
            raise InputError(f"The training '{name}' has no use for --{option}; it takes {takes}.")
    match name:
        case "parser":
            from semedit_lite.training.recipes.parser import ParserRecipe

            return ParserRecipe(device)
        case "face-heads":
            from semedit_lite.training.recipes.heads import HeadsRecipe

            return HeadsRecipe(device, **options)
        case _:
            from semedit_lite.training.recipes.spade import spade_faces

            return spade_faces(int(name.rsplit("-", 1)[1]), device, **options)
