"""Takes the pictures of the Studio for README and guide, from a real browser.

python scripts/screenshot.py [NAME ...]    # such as studio, sliders, paint-part; default: all
"""

import argparse
import importlib
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from semedit_lite.bench_studio import chromium
from semedit_lite.ui import app

ROOT = Path(__file__).parent.parent
FRINGE = (
    [(80, 92), (92, 70), (128, 56), (164, 70), (178, 96)],
    [(84, 94), (104, 76), (128, 72), (156, 78), (174, 98)],
    [(90, 94), (128, 86), (166, 96)],
)
Box = dict[str, float]


def at(page: Page, x: float, y: float, canvas: str = "#canvas") -> tuple[float, float]:
    """Where a pixel of the 256 x 256 layout is on the page."""
    box = page.locator(f"{canvas} canvas").bounding_box()
    return box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256


def place(page: Page, selector: str) -> Box:
    """Where an element is on the page, wherever that is scrolled to."""
    box = page.locator(selector).bounding_box()
    return box | {"y": box["y"] + page.evaluate("scrollY")}


def drag(page: Page, *points: tuple[float, float], canvas: str = "#canvas") -> None:
    """Presses at the first of some pixels of the layout, moves to the others, and lifts."""
    for k, point in enumerate(points):
        page.mouse.move(*at(page, *point, canvas), steps=6)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def studio(page: Page) -> None:
    """A fringe was just painted."""
    page.locator("#canvas canvas").focus()
    for key in "t]]]]":
        page.keyboard.press(key)
    for stroke in FRINGE:
        drag(page, *stroke)
    page.get_by_text("Mean change").wait_for()


def select(page: Page) -> Box:
    """Both brows are selected and were moved up."""
    page.locator("#canvas canvas").focus()
    page.keyboard.press("v")
    drag(page, (90, 103))
    page.keyboard.down("Shift")
    drag(page, (163, 103))
    page.keyboard.up("Shift")
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    page.mouse.move(*at(page, 128, 20))
    return place(page, "#canvas .painter") | {"height": 560}


def part(page: Page) -> Box:
    """The hair of another face was taken."""
    page.get_by_text("Take a part from another face").click()
    page.locator("#donors img").last.click()
    page.wait_for_timeout(4000)  # its picture is a while in coming
    page.get_by_role("button", name="Take it").click()
    page.get_by_text("Mean change").wait_for()
    top, end = place(page, "#canvas .painter"), place(page, "#parts")
    return top | {"height": end["y"] + end["height"] - top["y"] + 8}


def legend(page: Page) -> Box:
    """Hair and skin are hidden, and the colours are those for contrast."""
    page.get_by_role("button", name="Colours that are easier to tell apart").click()
    for name in ("hair", "skin"):
        page.get_by_role("button", name=f"Hide {name}", exact=True).click()
    page.mouse.move(*at(page, 128, 20))
    return place(page, "#canvas .painter") | {"height": 560}


def sketched(page: Page) -> Box:
    """A brow is pulled up, and a line drawn."""
    page.get_by_role("tab", name="Sketch").click()
    page.locator("#sketch-result img").wait_for(timeout=120_000)
    page.wait_for_timeout(3000)
    canvas = page.locator("#sketch-canvas")
    canvas.get_by_role("radio", name="Pull at the photo's lines").check()
    for start in ((92, 100), (166, 108)):
        drag(page, start, (start[0], start[1] - 9), canvas="#sketch-canvas")
        page.wait_for_timeout(1500)
    page.mouse.move(0, 0)
    top, end = place(page, "#sketch-canvas .sketcher"), place(page, "#sketch-threshold")
    bottom = end["y"] + end["height"]
    return {"x": 0, "y": top["y"] - 60, "width": 1280, "height": bottom - top["y"] + 70}


def slid(page: Page) -> Box:
    """A face smiles, has raised its brows, and wears glasses."""
    page.get_by_role("tab", name="Sliders").click()
    page.locator("#sliders-result img").wait_for(timeout=120_000)
    page.wait_for_timeout(5000)
    for name, end in (("Smile", 0.85), ("Brows up", 0.7), ("Glasses", 0.75)):
        box = page.get_by_role("slider", name=name, exact=True).bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + end * box["width"], middle, steps=3)
        page.mouse.up()
        page.wait_for_timeout(8000)
    top, end = place(page, "#sliders-handles"), place(page, "#sliders-result")
    bottom = max(box["y"] + box["height"] for box in (top, end))
    return {"x": 0, "y": top["y"] - 60, "width": 1280, "height": bottom - top["y"] + 80}


def parts(page: Page) -> Box:
    """A brow is painted higher; where the part map is unsure is shown."""
    page.get_by_role("tab", name="Sliders").click()
    page.locator("#sliders-canvas canvas").wait_for(timeout=120_000)
    page.wait_for_timeout(5000)
    canvas = page.locator("#sliders-canvas")
    canvas.get_by_role("radio", name="left brow", exact=True).check()
    box = canvas.locator("canvas").bounding_box()
    for k, (x, y) in enumerate(((86, 98), (96, 92), (108, 92), (116, 96))):
        page.mouse.move(box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256)
        if k == 0:
            page.mouse.down()
    page.mouse.up()
    canvas.get_by_role("button", name="Show where the part map is unsure").click()
    page.mouse.move(0, 0)
    return place(page, "#sliders-canvas .painter") | {"x": 0, "width": 1280, "height": 612}


SHOTS = {
    "studio": studio,
    "paint-select": select,
    "paint-part": part,
    "paint-legend": legend,
    "sketch": sketched,
    "sliders": slid,
    "sliders-parts": parts,
}


def main(names: list[str]) -> None:
    sys.path.insert(0, str(ROOT / "demos"))
    page_of = importlib.import_module("studio").build()
    _, url, _ = app.launch(page_of, None, prevent_thread_lock=True, quiet=True)
    with sync_playwright() as driver:
        browser = chromium(driver)
        for name in names:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url)
            page.locator("#result img").wait_for(timeout=120_000)
            page.wait_for_timeout(2000)
            box = SHOTS[name](page)
            page.wait_for_load_state("load")
            page.wait_for_timeout(5000)
            shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
            page.close()
            if box is None:
                shot.save(ROOT / "docs" / f"{name}.png", optimize=True)
            else:
                left, top = box["x"], box["y"]
                shot = shot.crop((left, top, left + box["width"], top + box["height"]))
                shot.save(ROOT / "docs" / f"{name}.jpg", quality=88)
        browser.close()
    page_of.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", nargs="*", choices=[*SHOTS, []], help="default: all")
    main(parser.parse_args().name or list(SHOTS))
