"""Takes the README's picture of the Studio: a face whose fringe was just painted.

python scripts/screenshot.py [docs/studio.png]
"""

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


def paint(page: Page, key: str, strokes) -> None:
    """Paints strokes over the 256 x 256 layout with the class of this key."""
    canvas = page.locator("#canvas canvas")
    box = canvas.bounding_box()
    canvas.focus()
    page.keyboard.press(key)
    for _ in range(4):
        page.keyboard.press("]")
    for points in strokes:
        for k, (x, y) in enumerate(points):
            at = box["x"] + x * box["width"] / 256, box["y"] + y * box["height"] / 256
            page.mouse.move(*at, steps=6)
            if k == 0:
                page.mouse.down()
        page.mouse.up()


def main(target: Path) -> None:
    sys.path.insert(0, str(ROOT / "demos"))
    studio = importlib.import_module("studio").build()
    _, url, _ = app.launch(studio, None, prevent_thread_lock=True, quiet=True)
    with sync_playwright() as driver:
        browser = chromium(driver)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.locator("#result img").wait_for(timeout=120_000)
        paint(page, "t", FRINGE)
        page.get_by_text("Mean change").wait_for()
        page.wait_for_load_state("load")
        page.wait_for_timeout(5000)
        shot = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        browser.close()
    studio.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    shot.save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "studio.png")
