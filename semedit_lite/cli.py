"""The command line: `semedit VERB ...`, one verb a tool.

A file gives a file, a folder gives a folder with the same names, and no input is overwritten. What
cannot be used ends in one sentence and exit status 2. Heavy imports stand inside the verbs, so that
`--help` and mistakes answer at once.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

from semedit_lite import __version__
from semedit_lite.errors import InputError

# What a folder is searched for. Those that `load_photo` refuses are named, not passed over.
PICTURES = (
    ".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".svg",
)  # fmt: skip
LAYOUTS = (".png",)
LARGEST = 4096  # side of a picture or a layout
SEEDS = 2**63

Work = Callable[[Path, Path], None]  # input file, output file


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.verb(arguments) or 0
    except InputError as error:
        return _complain(str(error))
    except OSError as error:  # a full disk, a folder that may not be written
        return _complain(f"{error.strerror or error}: '{error.filename or 'the output'}'.")
    except KeyboardInterrupt:
        return 130


def _complain(sentence: str) -> int:
    print(f"semedit: {sentence}", file=sys.stderr)
    return 2


# Verbs ----------------------------------------------------------------------------------------


def faces(arguments: argparse.Namespace) -> None:
    """Generated faces with their layouts."""
    from tqdm import tqdm

    from semedit_lite.data.faces import GENERATOR, TRUNCATION
    from semedit_lite.data.faces import faces as generate
    from semedit_lite.images import save_picture, to_pil

    operation = {"tool": "generate", "model": GENERATOR, "weights": _digest(GENERATOR)}
    operation["truncation"] = TRUNCATION
    first, count, folder = arguments.seed, arguments.count, arguments.output
    if first + count > SEEDS:
        raise InputError("The seeds count up beyond 2^63 - 1; begin with a smaller one.")
    made = generate(count, arguments.size, first, arguments.device)
    for seed, face in zip(range(first, first + count), tqdm(made, total=count), strict=True):
        stem = f"{seed:07d}"
        path = folder / f"{stem}.png"
        save_picture(to_pil(face["image"]), path, _provenance(operation | {"seed": seed}))
        _save_layout(face["layout"], folder / "layouts" / f"{stem}.png")


def parse(arguments: argparse.Namespace) -> int:
    """The layouts of photos."""
    from semedit_lite.faces.align import NoFaceError, align
    from semedit_lite.faces.parse import face_parser
    from semedit_lite.faces.parse import parse as find_parts
    from semedit_lite.images import load_photo, to_tensor
    from semedit_lite.labels import FACE

    device, side = arguments.device, arguments.size
    parser = face_parser(device)

    def work(source: Path, target: Path) -> None:
        photo = load_photo(source)
        if arguments.align:
            layout = align(photo, parser, side).layout
        else:
            scale = side / max(photo.size)
            width, height = (max(1, round(length * scale)) for length in photo.size)
            layout = find_parts(to_tensor(photo).to(device), (height, width), parser)
            if not sum((layout == part).any() for part in FACE.groups["face"][1:]):
                raise NoFaceError("No face was found in this picture; choose a head shot.")
        _save_layout(layout[0], target)

    return _each(arguments.source, arguments.output, PICTURES, work)


def paint(arguments: argparse.Namespace) -> int:
    """Photorealistic pictures of layouts."""
    from tqdm import tqdm

    from semedit_lite.editing.paint import PaintEditor, Style
    from semedit_lite.images import load_photo, read_layout, save_picture, to_pil
    from semedit_lite.labels import FACE, IGNORE

    editor = PaintEditor(arguments.model, arguments.device)
    photo = arguments.style
    style = Style.seed(arguments.seed) if photo is None else Style.photo(load_photo(photo))
    code = editor.code(style, None)  # (1, z_dim); no document: the style is never its own
    operation = {"tool": "paint", "model": Path(arguments.model).name, "style": style.record}
    operation["weights"] = _digest(arguments.model)

    def work(source: Path, target: Path) -> None:
        layout, note = read_layout(source, FACE, editor.model.size, resize=True)
        if note:
            tqdm.write(f"semedit: {source.name}: {note}", file=sys.stderr)
        if (layout == FACE.id("background")).logical_or(layout == IGNORE).all():
            raise InputError("The layout is empty; paint a face first.")
        image = editor.model(layout.to(arguments.device), code)
        save_picture(to_pil(image), target, _provenance(operation))

    return _each(arguments.source, arguments.output, LAYOUTS, work)


def data_faces(arguments: argparse.Namespace) -> None:
    """Fills the cache of generated faces that trainings read."""
    from semedit_lite.data.faces import bank

    bank(arguments.count, arguments.size, arguments.seed, arguments.device, arguments.output)


def train(arguments: argparse.Namespace) -> None:
    """One training, by its recipe."""
    if arguments.minutes is None and arguments.steps is None:
        raise InputError("Say how long to train: --minutes, --steps or both.")
    from semedit_lite.training import recipes
    from semedit_lite.training.checkpoints import prepare
    from semedit_lite.training.trainer import train as run

    folder = arguments.output or Path("runs") / arguments.name
    prepare(folder, arguments.resume)  # before faces are painted for minutes
    options = {key: getattr(arguments, key) for key in ("data", "count", "perceptual")}
    given = {key: value for key, value in options.items() if value is not None}
    recipe = recipes.build(arguments.name, arguments.device, **given)
    made = ", ".join(f"{key} {value}" for key, value in recipe.settings.items())
    print(f"{arguments.name}: {made}", file=sys.stderr)
    run(
        recipe,
        folder,
        minutes=arguments.minutes,
        steps=arguments.steps,
        resume=arguments.resume,
        start=arguments.start,
    )


def evaluate(arguments: argparse.Namespace) -> None:
    """Scores a model and writes weights/NAME/scores.json."""
    from semedit_lite.evaluation import report
    from semedit_lite.evaluation.run import evaluate as score

    score(arguments.name, arguments.count, arguments.data, device=arguments.device)
    report.update()


def bench(arguments: argparse.Namespace) -> None:
    """Measures the speed on this machine."""
    from semedit_lite.bench import bench as run

    run(arguments.names, arguments.device)


def demo(arguments: argparse.Namespace) -> None:
    """The Studio, in the browser."""
    import importlib

    studio = Path(__file__).parent.parent / "demos" / "studio.py"
    if not studio.is_file():
        raise InputError("The Studio is part of the repository; clone it and run `make demo`.")
    sys.path.insert(0, str(studio.parent))
    importlib.import_module("studio").main(arguments.port, arguments.browser)


def weights(arguments: argparse.Namespace) -> None:
    """Weights: what comes with the package, is cached, is on the Hub."""
    import json

    from semedit_lite import download, hub

    rows = []
    for copy in hub.copies():
        row = copy._asdict()
        if copy.place == "Hub":
            row["revision"] = hub.PINS[copy.name].revision
            if arguments.ask:
                try:
                    download.ask(copy.name, row["revision"])
                    row["answer"] = "the Hub offers it"
                except download.HubError as error:
                    row["answer"] = error.reason
        rows.append(row)
    if arguments.json:
        print(json.dumps(rows, indent=2, default=str))
        return
    digits = 64 if arguments.full else 12
    print(f"{'name':24}{'where':12}{'size':>9}  SHA-256")
    for row in rows:
        size = f"{row['size'] / 1e6:.1f} MB" if row["size"] else ""
        place = f"Hub {row['revision'][:7]}" if "revision" in row else row["place"]
        line = f"{row['name']:24}{place:12}{size:>9}  {row['weights'][:digits]}"
        print(f"{line}  {row.get('answer', '')}".rstrip())


def weights_fetch(arguments: argparse.Namespace) -> None:
    """Makes sure that weights are on this machine."""
    from semedit_lite import hub

    print(hub.find(arguments.name))


def weights_where(arguments: argparse.Namespace) -> None:
    """The folder of the bundled weights."""
    from semedit_lite import hub

    print(hub.BUNDLED)


def weights_pack(arguments: argparse.Namespace) -> None:
    """Copies the weights that the package lacks, for a machine without a network."""
    from semedit_lite import hub

    for name in hub.pack(arguments.folder):
        print(name)


def push(arguments: argparse.Namespace) -> None:
    """Publishes weights on the Hub, or says what it would publish."""
    import hashlib

    from huggingface_hub import constants, get_token

    from semedit_lite import publish

    repository, files = publish.parcel(arguments.name)
    for file, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        print(f"{file:24}{len(content) / 1e3:10,.1f} kB  {digest}")
    where = f"{constants.ENDPOINT}/{repository}"
    if arguments.dry_run or get_token() is None:
        why = "a dry run" if arguments.dry_run else "nobody is logged in; `hf auth login` does it"
        print(f"Nothing was uploaded to {where}: {why}.")
        revision = "COMMIT"
    else:
        revision = publish.push(repository, files)
        print(f"Uploaded to {where}.")
    print(f'For PINS in semedit_lite/hub.py:\n"{Path(repository).name}": ', end="")
    print(publish.pin(files, revision) + ",")


# What the verbs share -------------------------------------------------------------------------


def _each(source: Path, output: Path, suffixes: tuple[str, ...], work: Work) -> int:
    """Calls `work` for a file, or for each file of a folder; returns the exit status. In a folder
    what cannot be used is named and the rest still done."""
    if not source.is_dir():
        target = output / f"{source.stem}.png" if output.is_dir() else output
        if target.suffix.lower() != ".png":
            raise InputError(f"'{target}' cannot be written; let its name end in .png.")
        if target.exists() and target.samefile(source):
            raise InputError(f"'{source}' would be overwritten; choose another output.")
        work(source, target)
        return 0
    from tqdm import tqdm

    if output.is_dir() and output.samefile(source):
        raise InputError(f"What '{source}' holds would be overwritten; choose another output.")
    files = sorted(
        path
        for path in source.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )
    if not files:
        raise InputError(f"'{source}' holds no files that end in {', '.join(suffixes)}.")
    if output.exists() and not output.is_dir():
        raise InputError(f"'{output}' is a file; a folder of inputs needs a folder for the output.")
    stems = [file.stem for file in files]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise InputError(f"'{source}' holds several files named '{twice[0]}'; rename all but one.")
    status = 0
    for file in tqdm(files):
        try:
            work(file, output / f"{file.stem}.png")
        except InputError as error:
            with tqdm.external_write_mode(file=sys.stderr):
                status = _complain(f"{file.name}: {error}")
    return status


def _digest(weights: str) -> str:
    from semedit_lite import hub

    return hub.digest(hub.find(weights) / hub.FILES[0])


def _provenance(operation: dict) -> dict:
    """As `Document.provenance`, of a picture that one operation made."""
    return {"synthetic": True, "operations": [operation]}


def _save_layout(layout, path: Path) -> None:
    """Layout (H, W) -> palette PNG whose pixel values are the class ids."""
    from semedit_lite.hub import write_beside
    from semedit_lite.labels import FACE

    write_beside(path, lambda beside: FACE.to_pil(layout).save(beside, "PNG"))


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


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) >= SEEDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to 2^63 - 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("semedit", description="Edit pictures by meaning.")
    parser.add_argument("--version", action="version", version=f"semedit {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(under, name: str, verb: Callable) -> argparse.ArgumentParser:
        text = verb.__doc__.split("\n")[0]
        own = under.add_parser(name, help=text, description=text)
        own.set_defaults(verb=verb)
        return own

    def shared(own: argparse.ArgumentParser, *, output: str | None = None) -> None:
        own.add_argument("--device", type=_device, default="cpu", help="cpu (default) or cuda")
        if output:
            own.add_argument("-o", "--output", type=Path, required=True, help=output)

    own = add(verbs, "faces", faces)
    own.add_argument("-n", "--count", type=_positive, default=8, help="how many (8)")
    own.add_argument("--seed", type=_seed, default=0, help="of the first; they count up (0)")
    own.add_argument("--size", type=_positive, default=256, help="side: up to 256, 512, 1024")
    shared(own, output="folder for NAME.png and layouts/NAME.png")

    own = add(verbs, "parse", parse)
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
    shared(own, output="palette PNG whose pixel values are class ids, or a folder of them")

    own = add(verbs, "paint", paint)
    own.add_argument("source", type=Path, metavar="LAYOUT|DIR")
    own.add_argument("--model", default="spade-faces-128", help="name or folder (spade-faces-128)")
    own.add_argument("--seed", type=_seed, default=0, help="of the style (0)")
    own.add_argument("--style", type=Path, metavar="PHOTO", help="takes the style of a photo")
    shared(own, output="PNG, or a folder of them")

    own = verbs.add_parser("data", help="Data sets kept on disk.").add_subparsers(
        required=True, metavar="WHAT"
    )
    own = add(own, "faces", data_faces)
    own.add_argument("-n", "--count", type=_positive, required=True, help="how many")
    own.add_argument("--seed", type=_seed, default=0, help="of the first; 1000000 on evaluate (0)")
    own.add_argument("--size", type=_positive, default=64, help="side (64)")
    shared(own, output="folder of the cache; `semedit train --data` reads it")

    own = add(verbs, "train", train)
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

    own = add(verbs, "eval", evaluate)
    own.add_argument("name", metavar="NAME", help="of weights")
    own.add_argument("-n", "--count", type=_positive, help="faces, where it takes generated ones")
    own.add_argument("--data", type=Path, help="folder that keeps these faces")
    shared(own)

    own = add(verbs, "bench", bench)
    own.add_argument("names", metavar="NAME", nargs="*", help="of measurements (all)")
    shared(own)

    own = add(verbs, "demo", demo)
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    own.add_argument("--port", type=_at_most(65535), default=port, help=f"({port})")
    own.add_argument("--no-browser", dest="browser", action="store_false", help="open none")

    own = add(verbs, "weights", weights)
    own.add_argument("--full", action="store_true", help="whole digests (SHA-256 of the weights)")
    own.add_argument("--json", action="store_true", help="everything, as JSON")
    own.add_argument("--ask", action="store_true", help="also whether the Hub answers")
    own = own.add_subparsers(metavar="WHAT")
    add(own, "fetch", weights_fetch).add_argument("name", metavar="NAME")
    add(own, "where", weights_where)
    add(own, "pack", weights_pack).add_argument("folder", type=Path, metavar="DIR")

    own = add(verbs, "push", push)
    own.add_argument("name", metavar="NAME|DIR", help="of weights; DIR holds a checkpoint")
    own.add_argument("--dry-run", action="store_true", help="upload nothing, say what it would be")
    return parser


if __name__ == "__main__":
    sys.exit(main())
