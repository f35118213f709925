"""What the verbs of the command line do. Heavy imports stand inside them, so that `--help` and
mistakes answer at once."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from semedit_lite.errors import InputError

# What a folder is searched for. Those that `load_photo` refuses are named, not passed over.
PICTURES = (
    ".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".svg",
)  # fmt: skip
LAYOUTS = (".png",)
REPAINTED = (64, 1024)  # sides of the layouts with which a photo is painted anew
SEEDS = 2**63
SAME_VECTOR = 0.98  # cosine of a slider and what its own edits give again

Work = Callable[[Path, Path], None]  # input file, output file


def complain(sentence: str) -> int:
    """Says what went wrong; the exit status of it."""
    print(f"semedit: {sentence}", file=sys.stderr)
    return 2


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
            layout = align(photo, parser, side, _chosen(photo, arguments.face)).layout
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


def find(arguments: argparse.Namespace) -> int:
    """Faces in photos, as JSON."""
    import json

    from semedit_lite.faces.detect import face_finder, find_faces
    from semedit_lite.images import load_photo

    source, status, rows = arguments.source, 0, []
    finder = face_finder(arguments.device)
    for file in _files(source, PICTURES) if source.is_dir() else [source]:
        try:
            found = find_faces(load_photo(file), finder)
        except InputError as error:
            if not source.is_dir():
                raise
            status = complain(f"{file.name}: {error}")
            continue
        faces = [
            {
                "box": [round(value, 2) for value in face.box],
                "score": round(face.score, 4),
                "landmarks": [[round(value, 2) for value in point] for point in face.landmarks],
            }
            for face in found
        ]
        rows.append({"file": file.name, "faces": faces})
    print(json.dumps(rows, indent=1))
    return status


def align(arguments: argparse.Namespace) -> int:
    """Faces cut out of photos, as the models want them."""
    from semedit_lite.faces.align import align as cut_out
    from semedit_lite.faces.parse import face_parser
    from semedit_lite.hub import write_beside
    from semedit_lite.images import load_photo, to_pil

    parser = face_parser(arguments.device)

    def work(source: Path, target: Path) -> None:
        photo = load_photo(source)
        found = cut_out(photo, parser, arguments.size, _chosen(photo, arguments.face))
        write_beside(target, lambda beside: to_pil(found.image).save(beside, "PNG"))

    return _each(arguments.source, arguments.output, PICTURES, work)


def repaint(arguments: argparse.Namespace) -> None:
    """A photo with its face painted anew where a layout differs."""
    import json

    from semedit_lite.editing.paint import PaintEditor, Repaint, Style
    from semedit_lite.images import load_photo, read_layout
    from semedit_lite.labels import FACE

    photo, output = arguments.source, arguments.output
    for given in (photo, arguments.layout):
        if output.exists() and output.samefile(given):
            raise InputError(f"'{given}' would be overwritten; choose another output.")
    layout, note = read_layout(arguments.layout, FACE)
    if note:
        print(f"semedit: {arguments.layout.name}: {note}", file=sys.stderr)
    height, width = layout.shape[1:]
    if height != width or not REPAINTED[0] <= width <= REPAINTED[1]:
        raise InputError(
            f"The layout is {width}×{height} pixels; that of a face is a square of {REPAINTED[0]} "
            f"to {REPAINTED[1]}, as `semedit parse --align` makes it."
        )
    editor = PaintEditor(arguments.model, arguments.device, size=width)
    style = Style.own() if arguments.seed is None else Style.seed(arguments.seed)
    document = editor.open(photo, _chosen(load_photo(photo), arguments.face))
    result = editor.apply(document, Repaint(layout, style))
    result.save_picture(output)
    print(json.dumps(result.scores))


def sketch(arguments: argparse.Namespace) -> None:
    """A photo, part of whose face is redrawn after lines."""
    import json

    from PIL import Image

    from semedit_lite.editing.sketch import Redraw, SketchEditor
    from semedit_lite.editing.strokes import Sketch
    from semedit_lite.hub import write_beside
    from semedit_lite.images import load_photo

    photo, output = arguments.source, arguments.output
    beside = output.with_name(f"{output.stem}-region.png")
    for given in filter(None, (photo, arguments.drawn, arguments.region)):
        for written in (output, beside):
            if written.exists() and written.samefile(given):
                raise InputError(f"'{given}' would be overwritten; choose another output.")
    upright = load_photo(photo)
    strokes = arguments.drawn.suffix.lower() == ".json"
    sketch = Sketch.read(arguments.drawn) if strokes else Sketch()
    lines = None if strokes else _white(arguments.drawn, upright.size)
    region = arguments.region and _white(arguments.region, upright.size)
    editor = SketchEditor(arguments.model, arguments.device)
    document = editor.open(photo, _chosen(upright, arguments.face))
    found, size = document.alignment, (editor.size, editor.size)
    if sketch.frame == "photo":
        sketch = sketch.resized(upright.size).through(found.inverse, size)
    operation = Redraw(
        sketch.resized(size),
        arguments.threshold,
        lines if lines is None else found.cut(lines, editor.size) > 0.1,  # thin lines fade
        region if region is None else found.cut(region, editor.size) > 0.5,
    )
    redrawn = editor.region(document, operation)
    if not redrawn.any():
        raise InputError(
            "These lines change nothing here; draw what shall look different, on the face, or say "
            "where with --region."
        )
    result = editor.apply(document, operation)
    result.save_picture(output)
    mask = Image.fromarray((found.back(redrawn.float(), upright.size) > 0.5)[0, 0].numpy())
    write_beside(beside, lambda path: mask.save(path))
    print(json.dumps(result.scores))


def _white(source: Path, size: tuple[int, int]):
    """Where a picture of the size of the photo is white: (1, 1, H, W), 1 on 0."""
    from semedit_lite.images import load_photo, to_tensor

    image = load_photo(source)
    if image.size != size:
        here, there = ("×".join(map(str, each)) for each in (image.size, size))
        raise InputError(f"'{source}' is {here} pixels, but the photo is {there}.")
    return (to_tensor(image).mean(1, keepdim=True) > 0).float()


def identity(arguments: argparse.Namespace) -> None:
    """How alike the largest faces of two photos are, as JSON."""
    import json

    import torch

    from semedit_lite.faces.detect import face_finder, find_faces
    from semedit_lite.faces.identity import embed, face_identity, similarity
    from semedit_lite.images import load_photo, to_tensor

    device, embeddings = arguments.device, []
    for source in (arguments.source, arguments.other):
        photo = load_photo(source)
        faces = find_faces(photo, face_finder(device))
        if not faces:
            raise InputError(f"No face was found in '{source}'; choose a head shot.")
        points = torch.tensor([faces[0].landmarks])  # (1, 5, 2)
        image = to_tensor(photo).to(device)
        with torch.no_grad():
            embeddings.append(embed(image, points.to(device), face_identity(device)))
    print(json.dumps({"similarity": round(similarity(*embeddings).item(), 4)}))


def edit(arguments: argparse.Namespace) -> int:
    """Photos whose faces have their sliders moved, at full size."""
    from semedit_lite.editing.sliders import SliderEditor
    from semedit_lite.images import load_photo

    editor = SliderEditor(arguments.device)
    own = {path.stem: editor.load(_read(path)) for path in arguments.load or ()}
    values = dict(arguments.slider)
    editor.check(values, own)

    def work(source: Path, target: Path) -> None:
        document = editor.open(source, _chosen(load_photo(source), arguments.face))
        document = editor.finish(document, values, own, arguments.refine)
        document.save_picture(target)

    return _each(arguments.source, arguments.output, PICTURES, work)


def invert(arguments: argparse.Namespace) -> None:
    """The code of a face, with which the generator paints it."""
    import json

    from safetensors.torch import save_file

    from semedit_lite.editing.sliders import SliderEditor
    from semedit_lite.hub import write_beside
    from semedit_lite.images import load_photo

    source, output = arguments.source, arguments.output
    if output.suffix != ".safetensors":
        raise InputError(f"'{output}' cannot be written; let its name end in .safetensors.")
    editor = SliderEditor(arguments.device)
    face = _chosen(load_photo(source), arguments.face)
    document = editor.open(source, face, steps=arguments.steps)
    latent, about = document.latent[0].contiguous(), {"generator": editor.space.digest}
    write_beside(output, lambda path: save_file({"latent": latent}, path, about))
    found = editor.inversion(document)
    if arguments.picture is not None:
        found.picture.save(arguments.picture)
    print(json.dumps({"distance": round(found.distance, 4), "poor": found.poor}))


def sliders(arguments: argparse.Namespace) -> int:
    """The sliders that there are; or one made again from its own record."""
    from semedit_lite.editing.library import rederive
    from semedit_lite.editing.sliders import SliderEditor

    editor = SliderEditor(arguments.device)
    if arguments.rederive is None:
        for name, vector in editor.vectors.items():
            low, high = vector.range
            print(f"{name:14}{low:5g} to {high:<6g}{', '.join(vector.classes)}")
        return 0
    name = arguments.rederive
    editor.check({name: 1.0})
    vector = editor.vectors[name]
    again = rederive(editor.space, vector)
    cosine = (vector.delta * again.delta).sum() / vector.delta.norm() / again.delta.norm()
    print(f"{name}: {len(vector.edits)} edits, cosine {cosine:.4f}")
    return 0 if cosine >= SAME_VECTOR else complain(f"'{name}' is not what its edits give here.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise InputError(f"There is no file '{path}'.") from None


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


# What they share ------------------------------------------------------------------------------


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
    files = _files(source, suffixes)
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
                status = complain(f"{file.name}: {error}")
    return status


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder that end in one of `suffixes`; InputError where there are none."""
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )
    if not files:
        raise InputError(f"'{folder}' holds no files that end in {', '.join(suffixes)}.")
    return files


def _chosen(photo, number: int):
    """The face of this number in an upright photo, counted from 0 as `semedit find` lists them."""
    from semedit_lite.faces.align import NO_FACE, NoFaceError
    from semedit_lite.faces.detect import find_faces

    faces = find_faces(photo)
    if not faces:
        raise NoFaceError(NO_FACE)
    if number >= len(faces):
        raise InputError(
            f"There is no face {number} in this photo; `semedit find` lists {len(faces)}, counted "
            "from 0."
        )
    return faces[number]


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
