"""The Studio on a page, for tests that use it as a person does."""

import io
import time
from pathlib import Path

import numpy as np
from PIL import Image


class Studio:
    """The page, and what it shows."""

    prefix = ""  # of a tab's elements

    def __init__(self, page):
        self.page = page

    def picture(self, name: str) -> np.ndarray:
        """A picture on the page, (H, W, 3)."""
        address = self.page.locator(f"#{self.prefix}{name} img").get_attribute("src")
        body = self.page.request.get(address).body()
        return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)

    def changed(self, act, name: str = "result") -> np.ndarray:
        """Does something that changes a picture; returns the new one."""
        image = self.page.locator(f"#{self.prefix}{name} img")
        old = image.get_attribute("src") if image.count() else None
        act()
        deadline = time.monotonic() + 60
        while image.count() == 0 or image.get_attribute("src") == old:
            assert time.monotonic() < deadline, f"'{name}' does not change"
            self.page.wait_for_timeout(20)
        self.page.wait_for_timeout(300)  # nothing newer is under way
        return self.picture(name)

    def layout(self) -> np.ndarray:
        """The layout as the page saves it, (256, 256)."""
        return np.asarray(Image.open(self.saved("Save layout")))

    def saved(self, name: str) -> Path:
        with self.page.expect_download() as download:
            self.button(name).click()
        return download.value.path()

    def upload(self, name: str):
        """Where files for the upload button of that id are put."""
        return self.page.locator(f'input[type="file"]:has(+ #{name})')

    def stroke(self, *points: tuple[float, float]) -> None:
        """Paints along points of the 256 x 256 layout."""
        box = self.page.locator(f"#{self.prefix}canvas canvas").bounding_box()
        scale = box["width"] / 256
        for k, (x, y) in enumerate(points):
            self.page.mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=5)
            if k == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def choose(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).check()
