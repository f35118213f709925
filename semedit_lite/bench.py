"""`semedit bench`: how fast it is on this machine, written to benchmarks/{cpu,cuda}.json.

Each measurement is repeated after a warm-up; the median and the range of the middle 80 % of the
runs are kept. Speed does not depend on what was learned, so that painters and trainings are
measured with random weights.
"""

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from semedit_lite.bench_studio import (
    space_start,
    studio_canvas,
    studio_memory,
    studio_start,
    studio_stroke,
)
from semedit_lite.errors import InputError
from semedit_lite.hub import write_beside

BRANCH_STEPS = 4000  # about as many as the shipped branch had
SECONDS, FEWEST, MOST = 6.0, 5, 50  # of repeats: as long as this takes, but within these counts


@dataclass(frozen=True)
class Measurement:
    """`prepare(device)` returns a run. A run that returns a float has measured by itself, any
    other is timed, in ms."""

    what: str
    prepare: Callable[[str], Callable[[], Any]]
    unit: str = "ms"
    aim: float | None = None
    gpu: bool = True  # whether it differs with a GPU
    needs: str | None = None  # an environment variable; unless it is set, only measured by name


def paint(size: int) -> Callable[[str], Callable[[], Any]]:
    """A layout becomes a picture."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.models.spade import GauGAN

        model = GauGAN.from_pretrained(f"spade-faces-{size}", device)
        layout, code = _layout(size).to(device), torch.randn(1, model.z_dim, device=device)
        return lambda: model(layout, code).cpu()

    return prepare


def _layout(size: int) -> torch.Tensor:
    """A face of ellipses: SPADE's cost does not depend on the layout. (1, size, size)"""
    from semedit_lite.labels import FACE

    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    layout = torch.zeros(size, size, dtype=torch.long)
    layout[x**2 + y**2 < 0.6] = FACE.id("hair")
    layout[(1.4 * x) ** 2 + (y - 0.1) ** 2 < 0.4] = FACE.id("skin")
    layout[(3 * x) ** 2 + (9 * (y - 0.45)) ** 2 < 0.4] = FACE.id("u_lip")
    return layout[None]


def sketch(size: int) -> Callable[[str], Callable[[], Any]]:
    """Lines on a picture become the edited picture."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.models.sketchedit import PRESETS, SketchEdit

        model = SketchEdit(**PRESETS["lite"], size=size).to(device).eval()
        image = torch.rand(1, 3, size, size, device=device) * 2 - 1
        drawn = torch.zeros(1, model.strokes, size, size, device=device)
        drawn[:, 0, size // 2, size // 4 : size // 2] = 1
        return torch.no_grad()(lambda: model(image, drawn)[0].cpu())

    return prepare


def sketched_region(device: str) -> Callable[[], Any]:
    """Strokes on an opened face become the region that would be redrawn."""
    from semedit_lite.editing.sketch import Redraw, SketchEditor
    from semedit_lite.editing.strokes import Sketch, Stroke

    editor = SketchEditor("sketchedit-faces-64", device)
    document = editor.generate(0)
    smile = tuple((92.0 + x, 190.0 - (x - 36) ** 2 / 100, 8.0 * x) for x in range(72))
    operation = Redraw(Sketch((Stroke("line", 2.0, smile),)))
    return lambda: editor.region(document, operation)


def parse_face(device: str) -> Callable[[], Any]:
    """A picture of 256 pixels becomes a layout."""
    from semedit_lite.faces.parse import face_parser, parse

    parser, image = face_parser(device), torch.rand(1, 3, 256, 256, device=device) * 2 - 1
    return lambda: parse(image, parser=parser).cpu()


def _photo(width: int, height: int, face: int) -> bytes:
    """A JPEG of this size with a generated face in its middle, the head shot `face` pixels wide."""
    import io

    from semedit_lite.data.faces import face_generator
    from semedit_lite.data.textures import textures
    from semedit_lite.images import to_pil

    ground = to_pil(textures(1, 256, torch.Generator().manual_seed(0))[0]).resize((width, height))
    head = to_pil(face_generator().sample([1], 256)[0].clamp(-1, 1)).resize((face, face))
    ground.paste(head, ((width - face) // 2, (height - face) // 2))
    file = io.BytesIO()
    ground.save(file, "JPEG", quality=92)
    return file.getvalue()


def find(device: str) -> Callable[[], Any]:
    """A photo of 640 pixels becomes its faces."""
    from semedit_lite.faces.detect import face_finder, find_faces
    from semedit_lite.images import load_photo

    finder, photo = face_finder(device), load_photo(_photo(640, 480, 300))
    return lambda: find_faces(photo, finder)


def who(device: str) -> Callable[[], Any]:
    """A face of 256 pixels, its points known, becomes an embedding."""
    from semedit_lite.faces.identity import embed, face_identity

    network, image = face_identity(device), torch.rand(1, 3, 256, 256, device=device) * 2 - 1
    points = torch.tensor([[[97.0, 122], [159, 122], [128, 163], [99, 186], [157, 186]]])
    return lambda: embed(image, points.to(device), network).cpu()


def open_photo(device: str) -> Callable[[], Any]:
    """The file of a photo of 12 megapixels becomes what the painter's canvas shows."""
    from semedit_lite.editing.paint import PaintEditor
    from semedit_lite.ui.painter import encode_value

    editor, file = PaintEditor(device=device), _photo(4000, 3000, 2000)

    def run() -> None:
        document = editor.open(file)
        encode_value(document.layout, document.picture, fresh=True, document="bench")

    return run


def paste_back(device: str) -> Callable[[], Any]:
    """Painted hair goes back into a photo of 12 megapixels."""
    from semedit_lite.editing.paint import PaintEditor, Repaint, Style
    from semedit_lite.labels import FACE

    editor = PaintEditor(device=device)
    document = editor.open(_photo(4000, 3000, 2000))
    layout = document.layout.clone()
    layout[:, :90][layout[:, :90] == FACE.id("background")] = FACE.id("hair")
    painted = editor.apply(document, Repaint(layout, Style.own()))
    return lambda: painted.whole


def face(size: int) -> Callable[[str], Callable[[], Any]]:
    """A seed becomes a face."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.data.faces import face_generator

        generator = face_generator(device)
        return lambda: generator.sample([1], size)[0].cpu()

    return prepare


def invert(device: str) -> Callable[[], Any]:
    """A photo of 256 pixels becomes the encoder's guess of its code, and that a picture."""
    from semedit_lite.editing.latent import LatentSpace

    space, photo = LatentSpace(device), torch.rand(1, 3, 256, 256) * 2 - 1
    return lambda: space.invert(photo, 0).image.cpu()


def slide(size: int) -> Callable[[str], Callable[[], Any]]:
    """A slider of an open photo is moved: the preview, or at full size the step of the history."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.editing.sliders import SliderEditor

        editor = SliderEditor(device)
        photo = editor.open(_photo(640, 640, 512), steps=0)
        if size == 1024:
            return lambda: editor.finish(photo, {"smile": 1.0})
        return lambda: editor.slide(photo, {"smile": 1.0})

    return prepare


def repaint_parts(device: str) -> Callable[[], float]:
    """30 steps of an edit by part map, in seconds."""
    from semedit_lite.editing.sliders import SliderEditor
    from semedit_lite.editing.vectors import bundled

    editor = SliderEditor(device)
    face = editor.open(25)
    wanted = editor.load(bundled()["smile"].read_bytes()).edits[1].after[None].long()

    def run() -> float:
        began = time.perf_counter()
        editor.repaint(face, wanted, steps=30)
        return time.perf_counter() - began

    return run


def train_branch(device: str) -> Callable[[], float]:
    """The training of `face-branch`, in seconds, without its evaluations: its sixteen faces are
    painted, and a fiftieth of BRANCH_STEPS steps is done, in float32, and taken for all."""
    from semedit_lite.training.recipes.branch import BranchRecipe

    some = BRANCH_STEPS // 50

    def run() -> float:
        began = time.perf_counter()
        recipe = BranchRecipe(device)
        painted = time.perf_counter()
        for step in range(some):
            recipe.optimisers["branch"].zero_grad()
            recipe.loss(recipe.batch(step))[0].backward()
            recipe.optimisers["branch"].step()
        return painted - began + BRANCH_STEPS / some * (time.perf_counter() - painted)

    return run


def train_step(perceptual: str) -> Callable[[str], Callable[[], Any]]:
    """One step of the SPADE recipe at 64 pixels, on pictures that are there already, with the
    perceptual loss from the given source."""

    def prepare(device: str) -> Callable[[], float]:
        from semedit_lite.labels import FACE
        from semedit_lite.models.layers import MultiScaleDiscriminator
        from semedit_lite.models.spade import PRESETS, GauGAN
        from semedit_lite.training.perceptual import perceptual_loss
        from semedit_lite.training.recipes.spade import SpadeRecipe
        from semedit_lite.training.trainer import has_fast_bfloat16

        some = torch.zeros(16, 3, 64, 64, dtype=torch.uint8), _layout(64).expand(16, -1, -1).byte()
        recipe = SpadeRecipe(
            name="bench",
            network=GauGAN(classes=len(FACE), size=64, **PRESETS["lite"]),
            discriminator=MultiScaleDiscriminator(classes=len(FACE), width=32, max_width=256),
            labels=FACE,
            train=some,
            held_out=some,
            device=device,
            perceptual=perceptual_loss(perceptual, device),
        )

        def step() -> float:
            began = time.perf_counter()
            batch = {key: value.to(device) for key, value in recipe.batch(0).items()}
            fast = has_fast_bfloat16(torch.device(device))
            for name, loss_of in recipe.losses.items():
                recipe.optimisers[name].zero_grad(set_to_none=True)
                with torch.autocast(device, torch.bfloat16, enabled=fast):
                    loss, _ = loss_of(batch)
                loss.backward()
                recipe.optimisers[name].step()
            loss.item()  # waits for a GPU
            return recipe.batch_size / (time.perf_counter() - began)

        return step

    return prepare


def import_time(device: str) -> Callable[[], float]:
    """What `import semedit_lite` and its everyday modules cost once torch is imported."""
    code = (
        "import time, torch; began = time.perf_counter(); "
        "import semedit_lite, semedit_lite.images, semedit_lite.hub; "
        "print(time.perf_counter() - began)"
    )

    def run() -> float:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return 1000 * float(done.stdout)

    return run


MEASUREMENTS = {
    "paint-64": Measurement("Paint, 64²: layout to picture", paint(64), aim=60),
    "paint-128": Measurement("Paint, 128²: layout to picture", paint(128), aim=150),
    "sketch-128": Measurement(
        "Sketch, 128²: picture and lines to the new picture", sketch(128), aim=300
    ),
    "sketch-256": Measurement(
        "Sketch, 256²: picture and lines to the new picture", sketch(256), aim=1000
    ),
    "sketch-region": Measurement(
        "Sketch: strokes on an opened face to the region shown", sketched_region, aim=150
    ),
    "parse-256": Measurement("Parser, 256²: picture to layout", parse_face, aim=60),
    "find-640": Measurement("Face finder, a photo of 640 pixels", find, aim=80),
    "identity": Measurement("Identity of a face", who, aim=40),
    "open-photo": Measurement(
        "Photo of 12 megapixels: file to layout on the canvas", open_photo, aim=800
    ),
    "paste-back": Measurement("Painted hair back into 12 megapixels", paste_back, aim=1000),
    "face-256": Measurement("Generated face, 256²", face(256), aim=150),
    "face-1024": Measurement("Generated face, 1024²", face(1024), aim=900),
    "invert": Measurement("Encoder, 256²: photo to code and picture", invert, aim=400),
    "slide-256": Measurement("Slider of a photo moved: preview, 256²", slide(256), aim=300),
    "slide-1024": Measurement("Slider of a photo let go: 1024²", slide(1024), aim=1200),
    "edit-30": Measurement("Edit by part map, 30 steps", repaint_parts, unit="s", aim=15),
    "train-branch": Measurement(
        f"Training `face-branch`: sixteen faces, {BRANCH_STEPS:,} steps",
        train_branch,
        unit="s",
        aim=300,
    ),
    "train-64": Measurement(
        "Training `spade-faces-64`, batches of 16, no perceptual loss",
        train_step("none"),
        unit="images/s",
    ),
    "train-64-perceptual": Measurement(
        "Training `spade-faces-64`, batches of 16, perceptual loss of the teachers",
        train_step("teachers"),
        unit="images/s",
        needs="SEMEDIT_TEACHERS",
    ),
    "import": Measurement("`import semedit_lite` above torch", import_time, aim=300, gpu=False),
    "studio-start": Measurement(
        "Studio: from command to page", studio_start, unit="s", aim=10, gpu=False
    ),
    "space-start": Measurement(
        "Space of Paint: from command to page, its networks loaded",
        space_start,
        unit="s",
        aim=20,
        gpu=False,
        needs="SEMEDIT_SPACE",  # its environment takes minutes, and the network
    ),
    "studio-stroke": Measurement(
        "Studio: end of a stroke to the new picture", studio_stroke, aim=350, gpu=False
    ),
    "studio-canvas": Measurement(
        "Painter, 512²: longest task of the page around long strokes (processor time)",
        studio_canvas,
        aim=16,
        gpu=False,
    ),
}
if sys.platform == "linux":  # elsewhere the peak of another process is not to be had
    MEASUREMENTS["studio-memory"] = Measurement(
        "Studio: peak memory; 16-megapixel photo opened, style taken, painted on, saved; inverted, "
        "smiled, refined, saved; sketched on, saved",
        studio_memory,
        unit="MB",
        aim=2000,
        gpu=False,
    )


def _timed(run: Callable[[], Any]) -> float:
    """One run: the figure that it gives, or how long it took, in ms."""
    began = time.perf_counter()
    given = run()
    return given if isinstance(given, float) else 1000 * (time.perf_counter() - began)


def measure(measurement: Measurement, device: str) -> dict[str, Any]:
    """Median, 10th and 90th percentile over repeated runs, as JSON keeps them."""
    run = measurement.prepare(device)
    began = time.perf_counter()
    for _ in range(2):
        _timed(run)
    once = (time.perf_counter() - began) / 2
    values = [_timed(run) for _ in range(min(MOST, max(FEWEST, round(SECONDS / once))))]
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return {
        "what": measurement.what,
        "unit": measurement.unit,
        "median": round(statistics.median(values), 2),
        "low": round(tenths[0], 2),
        "high": round(tenths[-1], 2),
        "aim": measurement.aim,
        "runs": len(values),
    }


def machine(device: str) -> dict[str, Any]:
    """What the figures hold for."""
    if device == "cuda":
        name = torch.cuda.get_device_name()
    else:
        name = platform.processor() or platform.machine()
        about = Path("/proc/cpuinfo")
        if about.is_file():
            found = re.search(r"model name\s*: (.+)", about.read_text(encoding="utf-8"))
            name = found[1] if found else name
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": name,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def bench(names: list[str], device: str = "cpu") -> Path:
    """Measures `names` (where none is given, all that this machine can) and writes
    benchmarks/DEVICE.json, in which the figures that were not measured again stay. Returns the
    path."""
    from tqdm import tqdm

    from semedit_lite.evaluation import report

    for name in names:
        if name not in MEASUREMENTS:
            known = ", ".join(MEASUREMENTS)
            raise InputError(f"There is no measurement '{name}'; choose from {known}.")
    if not names:
        names = [
            name
            for name, one in MEASUREMENTS.items()
            if (device == "cpu" or one.gpu) and (one.needs is None or os.environ.get(one.needs))
        ]
    path = report.BENCHMARKS / f"{device}.json"
    old = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    about = machine(device)
    results = old.get("results", {}) if old.get("machine") == about else {}
    for name in (bar := tqdm(names)):
        bar.set_description(name)
        results[name] = measure(MEASUREMENTS[name], device)
    in_order = {name: results[name] for name in MEASUREMENTS if name in results}
    found = {"date": str(datetime.date.today()), "machine": about, "results": in_order}
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    write_beside(path, lambda file: file.write_text(text, encoding="utf-8"))
    report.update()
    return path
