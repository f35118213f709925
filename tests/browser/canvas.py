"""A painter on a page, for tests that paint on it."""

import time

import numpy as np
import torch

from semedit_lite.labels import FACE
from semedit_lite.ui.painter import decode_value

SIZE = 64
HAIR, HAT, SKIN = FACE.id("hair"), FACE.id("hat"), FACE.id("skin")


def start_layout() -> torch.Tensor:
    """Background with a block of skin on the left and one of hair on the right."""
    layout = torch.zeros(1, SIZE, SIZE, dtype=torch.long)
    layout[:, 16:48, 8:28] = SKIN
    layout[:, 16:48, 36:56] = HAIR
    return layout


def other_layout() -> torch.Tensor:
    return torch.where(start_layout() == HAIR, HAT, start_layout())


class Canvas:
    """A painter on a page, and the layouts that its app has received."""

    def __init__(self, page, received: list[str]):
        self.page, self.received = page, received
        self.element = page.locator("canvas")
        self.box = self.element.bounding_box()

    def client(self, x: float, y: float) -> tuple[int, int]:
        """Whole CSS pixels near a point of the drawing."""
        scale = self.box["width"] / SIZE
        return round(self.box["x"] + x * scale), round(self.box["y"] + y * scale)

    def drawn(self, x: float, y: float) -> np.ndarray:
        """Where on the drawing the pointer is, when it is sent to (x, y)."""
        scale = self.box["width"] / SIZE
        left, top = self.client(x, y)
        return np.array([(left - self.box["x"]) / scale, (top - self.box["y"]) / scale])

    def drag(self, *points: tuple[float, float]) -> np.ndarray:
        """Presses at the first point, jumps from each to the next, and lifts."""
        return self.sent(lambda: self.press(*points))

    def press(self, *points: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.client(*points[0]))
        mouse.down()
        for point in points[1:]:
            mouse.move(*self.client(*point))
        mouse.up()

    def sent(self, act) -> np.ndarray:
        """Does something that changes the drawing; returns the layout that Python then receives."""
        before = len(self.received)
        act()
        deadline = time.monotonic() + 60
        while len(self.received) == before:
            assert time.monotonic() < deadline, "no layout reached Python"
            self.page.wait_for_timeout(5)
        return self.layout()

    def settles(self, expected: np.ndarray) -> None:
        """Waits until the layout that Python received last is the expected one."""
        deadline = time.monotonic() + 60
        while not self.received or not np.array_equal(self.layout(), expected):
            assert time.monotonic() < deadline, "another layout reached Python"
            self.page.wait_for_timeout(20)

    def layout(self) -> np.ndarray:
        return decode_value(self.received[-1], FACE, SIZE)[0].numpy()

    def key(self, name: str) -> None:
        self.page.keyboard.press(name)

    def tool(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check()

    def brush(self, pixels: int) -> None:
        self.page.locator('[data-part="size"]').fill(str(pixels))


def near(a: np.ndarray, b: np.ndarray, radius: float) -> np.ndarray:
    """Pixels whose centre lies within `radius` of the segment from a to b: bool (SIZE, SIZE)."""
    grid = np.stack(np.meshgrid(*[np.arange(SIZE) + 0.5] * 2), -1)  # (SIZE, SIZE, 2), x first
    along = b - a
    t = ((grid - a) @ along / max(along @ along, 1e-9)).clip(0, 1)  # (SIZE, SIZE)
    return np.linalg.norm(grid - a - t[..., None] * along, axis=-1) <= radius


def uncovered(page) -> None:
    """Waits until the canvas takes a pointer: as a page opens, Gradio's own veil fades from it."""
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector("canvas"), box = canvas.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            return document.elementFromPoint(x, y) === canvas;
        }"""
    )


def opened(browser, app, **context):
    url, received = app
    received.clear()
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(20_000)
    page.goto(url)
    page.locator("canvas").wait_for()
    page.wait_for_function("!document.querySelector('[data-part=palette]').matches(':empty')")
    uncovered(page)
    return Canvas(page, received)
