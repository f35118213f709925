"""`semedit bench`: how fast it is on this machine, written to benchmarks/{cpu,cuda}.json.

Each measurement is repeated after a warm-up; the median and the range of the middle 80 % of the
runs are kept. Speed does not depend on what was learned, so that networks without bundled weights
are measured with random ones.
"""

import atexit
import datetime
import itertools
import json
import os
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from semedit_lite.errors import InputError
from semedit_lite.hub import write_beside

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


def paint(size: int) -> Callable[[str], Callable[[], Any]]:
    """A layout becomes a picture."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.labels import FACE
        from semedit_lite.models.spade import PRESETS, GauGAN

        upsampling = {64: "normal", 128: "more"}[size]
        model = GauGAN(classes=len(FACE), size=size, upsampling=upsampling, **PRESETS["lite"])
        model = model.to(device).eval().requires_grad_(False)
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


def parse_face(device: str) -> Callable[[], Any]:
    """A picture of 256 pixels becomes a layout."""
    from semedit_lite.faces.parse import face_parser, parse

    parser, image = face_parser(device), torch.rand(1, 3, 256, 256, device=device) * 2 - 1
    return lambda: parse(image, parser=parser).cpu()


def face(size: int) -> Callable[[str], Callable[[], Any]]:
    """A seed becomes a face."""

    def prepare(device: str) -> Callable[[], Any]:
        from semedit_lite.data.faces import face_generator

        generator = face_generator(device)
        return lambda: generator.sample([1], size)[0].cpu()

    return prepare


def train_step(device: str) -> Callable[[], Any]:
    """One step of the SPADE recipe at 64 pixels, on pictures that are there already."""
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
        perceptual=perceptual_loss("auto", device),
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


@contextmanager
def _studio() -> Iterator[tuple[subprocess.Popen, str]]:
    """The Studio in a process of its own, from when it answers: process and address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "semedit_lite.cli",
        "demo",
        "--no-browser",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=30).read()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise InputError("The Studio did not start; `semedit demo` says why.")
        yield process, address
    finally:
        process.terminate()
        process.wait()


def studio_start(device: str) -> Callable[[], float]:
    """From the command to the page, in seconds."""

    def run() -> float:
        began = time.perf_counter()
        with _studio():
            return time.perf_counter() - began

    return run


def studio_memory(device: str) -> Callable[[], float]:
    """The most that the Studio held while it made and painted three faces, in MB."""
    from gradio_client import Client

    def run() -> float:
        with _studio() as (process, address):
            client = Client(address, verbose=False)
            for seed in range(3):
                client.predict(seed=seed, api_name="/generate")
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            return float(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024

    return run


def studio_stroke(device: str) -> Callable[[], float]:
    """From the end of a stroke to the new picture on the page, in a real browser, in ms."""
    from playwright.sync_api import sync_playwright

    stack = ExitStack()
    atexit.register(stack.close)
    _, address = stack.enter_context(_studio())
    driver = stack.enter_context(sync_playwright())
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=quiet)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector("#result img", timeout=120_000)
    canvas = page.locator("#canvas canvas").first
    classes = itertools.cycle("t1")  # hair and skin by their keys: each stroke changes the layout

    def run() -> float:
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] / 5
        before = page.locator("#result img").get_attribute("src")
        page.mouse.move(x, y)
        canvas.focus()
        page.keyboard.press(next(classes))
        page.mouse.down()
        page.mouse.move(x + box["width"] / 3, y, steps=8)
        page.mouse.up()
        began = time.perf_counter()
        page.wait_for_function(
            "old => { const i = document.querySelector('#result img');"
            "         return i && i.getAttribute('src') !== old && i.complete }",
            arg=before,
        )
        return 1000 * (time.perf_counter() - began)

    return run


MEASUREMENTS = {
    "paint-64": Measurement("Paint, 64²: layout to picture", paint(64), aim=60),
    "paint-128": Measurement("Paint, 128²: layout to picture", paint(128), aim=200),
    "parse-256": Measurement("Parser, 256²: picture to layout", parse_face, aim=60),
    "face-256": Measurement("Generated face, 256²", face(256), aim=150),
    "face-1024": Measurement("Generated face, 1024²", face(1024), aim=900),
    "train-64": Measurement(
        "Training `spade-faces-64`, batches of 16", train_step, unit="images/s"
    ),
    "import": Measurement("`import semedit_lite` above torch", import_time, aim=300, gpu=False),
    "studio-start": Measurement(
        "Studio: from command to page", studio_start, unit="s", aim=10, gpu=False
    ),
    "studio-stroke": Measurement(
        "Studio: end of a stroke to the new picture", studio_stroke, aim=400, gpu=False
    ),
}
if sys.platform == "linux":  # elsewhere the peak of another process is not to be had
    MEASUREMENTS["studio-memory"] = Measurement(
        "Studio: peak memory", studio_memory, unit="MB", aim=1500, gpu=False
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
    """Measures `names` (all where none is given) and writes benchmarks/DEVICE.json, in which the
    figures that were not measured again stay. Returns the path."""
    from tqdm import tqdm

    from semedit_lite.evaluation import report

    for name in names:
        if name not in MEASUREMENTS:
            known = ", ".join(MEASUREMENTS)
            raise InputError(f"There is no measurement '{name}'; choose from {known}.")
    if not names:
        names = [name for name, one in MEASUREMENTS.items() if device == "cpu" or one.gpu]
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
