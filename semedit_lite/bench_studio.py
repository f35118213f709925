"""What `semedit bench` measures of the Studio, which runs in a process of its own."""

import atexit
import importlib
import itertools
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semedit_lite.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def serving(
    command: list[str | Path], port: int, **options: Any
) -> Iterator[tuple[subprocess.Popen, str]]:
    """What `command` serves at a port, from when it answers until it is stopped: process and
    address. `options` are those of subprocess.Popen."""
    process = subprocess.Popen(command, **{"stdout": subprocess.DEVNULL} | options)
    address = f"http://127.0.0.1:{port}/"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(address, timeout=30).read()
                break
            except OSError:
                time.sleep(0.05)
        else:
            raise InputError(f"`{' '.join(map(str, command))}` did not start; run it to see why.")
        yield process, address
    finally:
        process.terminate()
        process.wait()


def _studio() -> AbstractContextManager[tuple[subprocess.Popen, str]]:
    """The Studio in a process of its own."""
    port = free_port()
    demo = ["-m", "semedit_lite.cli", "demo", "--no-browser", "--port", str(port)]
    return serving([sys.executable, *demo], port)


def studio_start(device: str) -> Callable[[], float]:
    """From the command to the page, in seconds."""

    def run() -> float:
        began = time.perf_counter()
        with _studio():
            return time.perf_counter() - began

    return run


def space(
    python: Path, folder: Path, start: Sequence[str] = ("app.py",), **variables: str
) -> AbstractContextManager[tuple[subprocess.Popen, str]]:
    """The Space that was built in `folder`, in the environment of `python`, with `variables` set
    and nothing of this checkout within its reach."""
    port = free_port()
    variables = {"SPACE_ID": f"semedit/{folder.name}", "GRADIO_SERVER_PORT": str(port)} | variables
    ours = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return serving([python, *start], port, cwd=folder, env=ours | variables)


def space_start(device: str) -> Callable[[], float]:
    """From the command to the page of Paint's Space, once its environment is there, in seconds."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
    maker = importlib.import_module("space")
    folder = Path(tempfile.mkdtemp(), "paint")
    atexit.register(shutil.rmtree, folder.parent)
    maker.build("paint", folder)
    python = maker.environment()

    def run() -> float:
        began = time.perf_counter()
        with space(python, folder):
            return time.perf_counter() - began

    return run


def studio_memory(device: str) -> Callable[[], float]:
    """The most that the Studio held over `work_with`, in MB."""

    def run() -> float:
        with _studio() as (process, address):
            work_with(address)
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            return float(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6

    return run


def work_with(address: str) -> tuple[int, int]:
    """What takes the Studio at `address` the most memory: a generated face, enlarged to the most
    pixels that are taken, is opened, gives the style, is painted on and saved; then it is inverted,
    a slider is moved and refined, and that is saved as well; at last it is sketched on and saved.
    Returns the size of the picture that was saved last."""
    from gradio_client import Client, handle_file
    from PIL import Image

    from semedit_lite.images import MAX_PIXELS
    from semedit_lite.labels import FACE
    from semedit_lite.ui.painter import decode_value, encode_value

    side = math.isqrt(MAX_PIXELS)
    with tempfile.TemporaryDirectory() as folder:
        client = Client(address, verbose=False, analytics_enabled=False, download_files=folder)
        _, face, *_ = client.predict(seed=1, api_name="/generate")
        photo = Path(folder) / "photo.jpg"
        Image.open(face).convert("RGB").resize((side, side)).save(photo)
        canvas, *_ = client.predict(handle_file(photo), api_name="/open")
        layout = decode_value(canvas, FACE, 256)
        layout[:, 60:100, 80:176] = FACE.id("hair")
        canvas = encode_value(layout)
        client.predict(handle_file(photo), canvas, api_name="/reference")
        client.predict(canvas, "photo", api_name="/paint")
        client.predict(canvas, "photo", api_name="/picture")
        client.predict(handle_file(photo), api_name="/sliders_open")
        moved = json.dumps({"values": {"smile": 1.0}, "refine": 10})
        client.predict(moved, api_name="/sliders_finish")
        client.predict(moved, api_name="/sliders_refine")
        client.predict(api_name="/sliders_picture")
        canvas, *_ = client.predict(handle_file(photo), api_name="/sketch_open")
        smile = {
            "kind": "line",
            "width": 3,
            "points": [[96, 180, 0], [128, 192, 90], [160, 180, 180]],
        }
        canvas = json.dumps(json.loads(canvas) | {"strokes": [smile], "fresh": False})
        client.predict(canvas, api_name="/sketch_redraw")
        with Image.open(client.predict(canvas, api_name="/sketch_picture")) as saved:
            return saved.size


def chromium(driver: "Playwright") -> "Browser":
    """A browser without a window, that asks nobody: the system's, or the one playwright brought."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    return driver.chromium.launch(executable_path=found, args=quiet)


@lru_cache(maxsize=1)
def _browser() -> "Browser":
    """One for all measurements: playwright drives no second one beside it."""
    from playwright.sync_api import sync_playwright

    driver = sync_playwright().start()
    atexit.register(driver.stop)
    return chromium(driver)


def studio_stroke(device: str) -> Callable[[], float]:
    """From the end of a stroke to the new picture on the page, in a real browser, in ms."""
    stack = ExitStack()
    atexit.register(stack.close)
    _, address = stack.enter_context(_studio())
    page = _browser().new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.wait_for_selector("#result img", timeout=120_000)
    canvas = page.locator("#canvas canvas").first
    classes = itertools.cycle("t1")  # hair and skin by their keys: each stroke changes the layout
    heights = itertools.cycle(k / 100 for k in range(15, 65))  # to one that there was not before

    def run() -> float:
        box = canvas.bounding_box()
        x, y = box["x"] + box["width"] / 3, box["y"] + box["height"] * next(heights)
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


def studio_canvas(device: str) -> Callable[[], float]:
    """The longest that a page with a canvas of 512 x 512 pixels was busy at a stretch while long
    strokes of the broadest brush were drawn on it, from the press to what follows the lift; in ms
    of processor time."""
    import torch

    from semedit_lite.labels import FACE
    from semedit_lite.ui import app
    from semedit_lite.ui.painter import encode_value, painter

    size = 512
    stripes = torch.arange(size) // 24 % len(FACE)  # (512,): of every class
    with app.blocks("Painter") as blocks:
        canvas = painter(FACE, size, value=encode_value(stripes.expand(1, size, size)))
        canvas.input(lambda value: None, canvas, show_progress="hidden")
    _, address, _ = app.launch(blocks, None, prevent_thread_lock=True, quiet=True)
    atexit.register(blocks.close)
    browser = _browser()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator(".swatch").first.wait_for()
    size_slider = page.locator('[data-part="size"]')
    size_slider.fill(size_slider.get_attribute("max"))
    box = page.locator("canvas").bounding_box()
    classes = itertools.cycle("t1")  # each stroke changes the layout

    def run() -> float:
        browser.start_tracing(page=page, categories=["disabled-by-default-devtools.timeline"])
        page.locator("canvas").press(next(classes))
        for k, (x, y) in enumerate([(0.1, 0.1), (0.9, 0.3), (0.1, 0.6), (0.9, 0.9)]):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=40)
            if k == 0:
                page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(500)  # the layout is written and sent
        return longest_task(browser.stop_tracing())

    return run


def longest_task(trace: bytes) -> float:
    """The longest task on the main thread of a page, in ms of processor time, from Chromium's own
    record: what other processes took meanwhile, browser and server above all, is not the page's."""
    events = json.loads(trace)["traceEvents"]
    pages = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event["tdur"]
        for event in events
        if event["name"] == "RunTask" and "tdur" in event and (event["pid"], event["tid"]) in pages
    ]
    return max(tasks) / 1000
