"""The command line: `semedit VERB ...`, one verb a tool.

A file gives a file, a folder gives a folder with the same names, and no input is overwritten. What
cannot be used ends in one sentence and exit status 2. What a verb does stands in `verbs.py`.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

from semedit_lite import __version__, verbs
from semedit_lite.errors import InputError
from semedit_lite.verbs import SEEDS, complain

SKETCHER = "sketchedit-faces-64"
LARGEST = 4096  # side of a picture or a layout


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.verb(arguments) or 0
    except InputError as error:
        return complain(str(error))
    except OSError as error:  # a full disk, a folder that may not be written
        return complain(f"{error.strerror or error}: '{error.filename or 'the output'}'.")
    except KeyboardInterrupt:
        return 130


def _device(name: str) -> str:
    if name not in ("cpu", "cuda"):
        raise argparse.ArgumentTypeError("choose cpu or cuda")
    if name == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise argparse.ArgumentTypeError("PyTorch finds no GPU here; use --device cpu")
    return name


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def _at_most(most: int) -> Callable[[str], int]:
    """A type of whole numbers from 1 to `most`."""

    def number(text: str) -> int:
        if _positive(text) > most:
            raise argparse.ArgumentTypeError(f"'{text}' is above {most}")
        return int(text)

    return number


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of minutes above 0")
    return minutes


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 1")
    return share


def _slider(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not name or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a slider and a number, as smile=1")
    return name, value


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 2^63 - 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("semedit", description="Edit pictures by meaning.")
    parser.add_argument("--version", action="version", version=f"semedit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="VERB")

    def add(under, name: str, verb: Callable) -> argparse.ArgumentParser:
        text = verb.__doc__.split("\n")[0]
        own = under.add_parser(name, help=text, description=text)
        own.set_defaults(verb=verb)
        return own

    def shared(own: argparse.ArgumentParser, *, output: str | None = None) -> None:
        own.add_argument("--device", type=_device, default="cpu", help="cpu (default) or cuda")
        if output:
            own.add_argument("-o", "--output", type=Path, required=True, help=output)

    def chosen(own: argparse.ArgumentParser) -> None:
        face = "which one, as `semedit find` counts them from 0 (0, the largest)"
        own.add_argument("--face", type=_seed, default=0, help=face)

    own = add(commands, "faces", verbs.faces)
    own.add_argument("-n", "--count", type=_positive, default=8, help="how many (8)")
    own.add_argument("--seed", type=_seed, default=0, help="of the first; they count up (0)")
    own.add_argument("--size", type=_positive, default=256, help="side: up to 256, 512, 1024")
    shared(own, output="folder for NAME.png and layouts/NAME.png")

    own = add(commands, "parse", verbs.parse)
    own.add_argument("source", type=Path, metavar="PHOTO|DIR")
    own.add_argument(
        "--size", type=_at_most(LARGEST), default=512, help="the layout's longer side (512)"
    )
    own.add_argument(
        "--align",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="cut the face out first, as `paint` wants it; else the layout fits the whole photo",
    )
    chosen(own)
    shared(own, output="palette PNG whose pixel values are class ids, or a folder of them")

    own = add(commands, "paint", verbs.paint)
    own.add_argument("source", type=Path, metavar="LAYOUT|DIR")
    own.add_argument("--model", default="spade-faces-128", help="name or folder (spade-faces-128)")
    own.add_argument("--seed", type=_seed, default=0, help="of the style (0)")
    own.add_argument("--style", type=Path, metavar="PHOTO", help="takes the style of a photo")
    shared(own, output="PNG, or a folder of them")

    own = add(commands, "find", verbs.find)
    own.add_argument("source", type=Path, metavar="PHOTO|DIR")
    shared(own)

    own = add(commands, "align", verbs.align)
    own.add_argument("source", type=Path, metavar="PHOTO|DIR")
    chosen(own)
    own.add_argument("--size", type=_at_most(LARGEST), default=256, help="of the square (256)")
    shared(own, output="PNG of the face, or a folder of them")

    own = add(commands, "repaint", verbs.repaint)
    own.add_argument("source", type=Path, metavar="PHOTO")
    own.add_argument("layout", type=Path, metavar="LAYOUT", help="of the aligned face, changed")
    chosen(own)
    own.add_argument("--model", default="spade-faces-128", help="name or folder (spade-faces-128)")
    own.add_argument("--seed", type=_seed, help="of a random style (the face's own)")
    shared(own, output="the whole photo: PNG, which keeps every other pixel, or JPEG")

    own = add(commands, "sketch", verbs.sketch)
    own.add_argument("source", type=Path, metavar="PHOTO")
    drawn = "strokes that the Sketch tab saved, or white lines on black of the photo's size"
    own.add_argument("drawn", type=Path, metavar="STROKES.json|LINES.png", help=drawn)
    region = "white where to redraw, of the photo's size (found by the network)"
    own.add_argument("--region", type=Path, metavar="REGION.png", help=region)
    lower = "of the region that is found; a lower one makes it larger (0.5)"
    own.add_argument("--threshold", type=_share, default=0.5, help=lower)
    chosen(own)
    own.add_argument("--model", default=SKETCHER, help=f"name or folder ({SKETCHER})")
    shared(own, output="the whole photo; the region is written beside it, as OUTPUT-region.png")

    own = add(commands, "edit", verbs.edit)
    own.add_argument("source", type=Path, metavar="PHOTO|DIR")
    move = "how far a slider is moved, as smile=1; as often as there are sliders to move"
    own.add_argument(
        "--slider", type=_slider, action="append", required=True, metavar="NAME=X", help=move
    )
    own.add_argument("--load", type=Path, action="append", metavar="FILE", help="your own slider")
    own.add_argument("--refine", type=int, choices=(0, 10, 30), default=0, help="steps (0)")
    chosen(own)
    shared(own, output="the whole photo as PNG, or a folder of them")

    own = add(commands, "invert", verbs.invert)
    own.add_argument("source", type=Path, metavar="PHOTO")
    own.add_argument("--steps", type=_at_most(1000), default=40, help="after the encoder (40)")
    own.add_argument("--picture", type=Path, metavar="PNG", help="writes what the code paints")
    chosen(own)
    shared(own, output="safetensors with the code, (16, 512)")

    own = add(commands, "sliders", verbs.sliders)
    own.add_argument("--rederive", metavar="NAME", help="makes one again and says how alike it is")
    shared(own)

    own = add(commands, "identity", verbs.identity)
    own.add_argument("source", type=Path, metavar="A", help="a photo")
    own.add_argument("other", type=Path, metavar="B", help="another photo")
    shared(own)

    own = commands.add_parser("data", help="Data sets kept on disk.").add_subparsers(
        required=True, metavar="WHAT"
    )
    own = add(own, "faces", verbs.data_faces)
    own.add_argument("-n", "--count", type=_positive, required=True, help="how many")
    own.add_argument("--seed", type=_seed, default=0, help="of the first; 1000000 on evaluate (0)")
    own.add_argument("--size", type=_positive, default=64, help="side (64)")
    shared(own, output="folder of the cache; `semedit train --data` reads it")

    own = add(commands, "train", verbs.train)
    own.add_argument("name", metavar="NAME", help="of a recipe, such as spade-faces-64")
    own.add_argument("--minutes", type=_minutes, help="stop after so many")
    own.add_argument("--steps", type=_positive, help="stop after so many in all")
    own.add_argument("--resume", action="store_true", help="go on where the folder stands")
    own.add_argument("--start", type=Path, metavar="FILE", help="go on from a slim.safetensors")
    own.add_argument("--data", type=Path, help="folder of `semedit data faces`")
    own.add_argument("-n", "--count", type=_positive, help="faces, where they are generated")
    own.add_argument("--perceptual", metavar="SOURCE", help="auto, teachers, torchvision or none")
    own.add_argument("--out", dest="output", type=Path, help="folder of the run (runs/NAME)")
    shared(own)

    own = add(commands, "eval", verbs.evaluate)
    own.add_argument("name", metavar="NAME", help="of weights")
    own.add_argument("-n", "--count", type=_positive, help="faces, where it takes generated ones")
    own.add_argument("--data", type=Path, help="folder that keeps faces, or findings")
    shared(own)

    own = add(commands, "bench", verbs.bench)
    own.add_argument("names", metavar="NAME", nargs="*", help="of measurements (all)")
    shared(own)

    own = add(commands, "demo", verbs.demo)
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    own.add_argument("--port", type=_at_most(65535), default=port, help=f"({port})")
    own.add_argument("--no-browser", dest="browser", action="store_false", help="open none")

    own = add(commands, "weights", verbs.weights)
    own.add_argument("--full", action="store_true", help="whole digests (SHA-256 of the weights)")
    own.add_argument("--json", action="store_true", help="everything, as JSON")
    own.add_argument("--ask", action="store_true", help="also whether the Hub answers")
    own = own.add_subparsers(metavar="WHAT")
    add(own, "fetch", verbs.weights_fetch).add_argument("name", metavar="NAME")
    add(own, "where", verbs.weights_where)
    add(own, "pack", verbs.weights_pack).add_argument("folder", type=Path, metavar="DIR")

    own = add(commands, "push", verbs.push)
    own.add_argument("name", metavar="NAME|DIR", help="of weights; DIR holds a checkpoint")
    own.add_argument("--dry-run", action="store_true", help="upload nothing, say what it would be")
    return parser


if __name__ == "__main__":
    sys.exit(main())
