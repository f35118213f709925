"""One module a model; `build` makes a recipe by the name that `semedit train` takes."""

from semedit_lite.errors import InputError

NAMES = ("parser", "face-heads", "spade-faces-64", "spade-faces-128")


def build(name: str, device: str = "cpu", data: str | None = None):
    """The recipe `name`, its networks on `device`. `data` is a folder for the cache of generated
    faces (see `semedit data faces`); recipes on photos find theirs through SEMEDIT_DATA."""
    match name:
        case "parser":
            from semedit_lite.training.recipes.parser import ParserRecipe

            return ParserRecipe(device)
        case "face-heads":
            from semedit_lite.training.recipes.heads import HeadsRecipe

            return HeadsRecipe(device)
        case "spade-faces-64" | "spade-faces-128":
            from semedit_lite.training.recipes.spade import spade_faces

            return spade_faces(int(name.rsplit("-", 1)[1]), device, data)
    raise InputError(f"There is no training '{name}'; choose from {', '.join(NAMES)}.")
