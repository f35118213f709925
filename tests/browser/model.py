"""What the painter's core should do, said again in numpy: whole arrays, a snapshot for each step.

Points lie on quarters of a pixel, so that every comparison here and there is exact.
"""

import math
from typing import Any

import numpy as np
from scipy import ndimage

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two outside
Point = tuple[float, float]
STEPS = 100  # that can be undone
TOOLS = ["brush", "eraser", "rectangle", "ellipse", "lasso", "fill", "pick", "select", "hand"]


def rounded(value: float) -> int:
    """Halves go up, as in JavaScript."""
    return math.floor(value + 0.5)


def far(a: Point, b: Point) -> float:
    return math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)


def between(a: Point, b: Point) -> Box:
    """All pixels from that of one point to that of the other."""
    (left, right), (top, bottom) = (
        sorted(map(math.floor, pair)) for pair in zip(a, b, strict=True)
    )
    return left, top, right + 1, bottom + 1


class Part:
    """A selected part of a layout, and where it stands."""

    def __init__(self, ids: np.ndarray, mask: np.ndarray):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        self.mask = mask  # (S, S) where it was taken from
        left, right = int(columns[0]), int(columns[-1]) + 1
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        self.box: Box = (left, top, right, bottom)
        self.ids, self.held = ids[top:bottom, left:right], mask[top:bottom, left:right]  # (h, w)
        self.below: np.ndarray | None = None  # the layout without it, once it was moved

    def grip(self, point: Point, reach: float) -> str | None:
        left, top, right, bottom = self.box
        inside = left <= point[0] < right and top <= point[1] < bottom
        for name, corner in {
            "nw": (left, top),
            "ne": (right, top),
            "sw": (left, bottom),
            "se": (right, bottom),
        }.items():
            dx, dy = abs(corner[0] - point[0]), abs(corner[1] - point[1])
            small = dx <= (right - left) / 3 and dy <= (bottom - top) / 3
            if far(corner, point) <= reach and (small or not inside):
                return name
        return "inside" if inside else None


class Model:
    """The state of a painting, (S, S) ids, and every call that its core takes."""

    def __init__(self, size: int, classes: int, pairs: tuple[tuple[int, int], ...]):
        self.size, self.classes, self.pairs = size, classes, pairs
        self.ids = np.zeros((size, size), dtype=int)
        self.x, self.y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)  # centres
        self.tool = self.previous = "brush"
        self.ink, self.erase_to = 1, 0
        self.widths = dict.fromkeys(["brush", "eraser"], max(1, rounded(size / 16)))
        self.states, self.now = [self.ids.copy()], 0  # snapshots, and which is the present one
        self.step: dict[str, Any] | None = None
        self.pressed: Point | None = None
        self.last: Point | None = None

    # Sets of pixels, bool (S, S)

    def inside(self, box: Box) -> np.ndarray:
        left, top, right, bottom = box
        return (self.x > left) & (self.x < right) & (self.y > top) & (self.y < bottom)

    def stroke(self, a: Point, b: Point, width: int) -> np.ndarray:
        u, v, dx, dy = self.x - a[0], self.y - a[1], b[0] - a[0], b[1] - a[1]
        along, length = u * dx + v * dy, dx * dx + dy * dy
        ends = np.minimum(u**2 + v**2, (u - dx) ** 2 + (v - dy) ** 2) <= (width / 2) ** 2
        beside = (along > 0) & (along < length)
        near = np.where(beside, (u * dy - v * dx) ** 2 <= (width / 2) ** 2 * length, ends)
        return near | self.inside(between(b, b))

    def ellipse(self, a: Point, b: Point) -> np.ndarray:
        left, top, right, bottom = between(a, b)
        w, h = right - left, bottom - top
        u, v = (2 * self.x - left - right) * h, (2 * self.y - top - bottom) * w
        return u**2 + v**2 <= (w * h) ** 2

    def polygon(self, points: list[Point]) -> np.ndarray:
        turns = np.zeros_like(self.ids)
        if len(points) < 3:
            return turns > 0
        for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
            side = (self.x - ax) * (by - ay) - (self.y - ay) * (bx - ax)
            turns += (ay <= self.y) & (self.y < by) & (side >= 0)
            turns -= (by <= self.y) & (self.y < ay) & (side <= 0)
        return turns != 0

    def region(self, point: Point) -> np.ndarray:
        if self.under(point) is None:
            return np.zeros_like(self.ids, dtype=bool)
        found, _ = ndimage.label(self.ids == self.under(point))
        return found == found[math.floor(point[1]), math.floor(point[0])]

    def under(self, point: Point) -> int | None:
        x, y = map(math.floor, point)
        return int(self.ids[y, x]) if 0 <= x < self.size and 0 <= y < self.size else None

    def square(self, a: Point, b: Point) -> Point:
        dx, dy = (math.floor(v) - math.floor(u) for u, v in zip(a, b, strict=True))
        side = max(abs(dx), abs(dy))
        return a[0] + math.copysign(side, dx), a[1] + math.copysign(side, dy)

    # The selected part

    def without(self, mask: np.ndarray) -> np.ndarray:
        """The layout with the pixels of `mask` taken over from those around, ring by ring."""
        ids, open_ = np.where(mask, 0, self.ids), mask.copy()
        while True:
            known = np.pad(np.where(open_, -1, ids), 1, constant_values=-1)
            around = np.stack(
                [
                    known[1 + dy : known.shape[0] - 1 + dy, 1 + dx : known.shape[1] - 1 + dx]
                    for dy in (-1, 0, 1)
                    for dx in (-1, 0, 1)
                    if dx or dy
                ]
            )
            counts = np.stack([(around == k).sum(0) for k in range(self.classes)])  # (K, S, S)
            ring = open_ & (counts.sum(0) > 0)
            if not ring.any():
                return ids
            commonest = self.classes - 1 - counts[::-1].argmax(0)  # of equals the last
            ids, open_ = np.where(ring, commonest, ids), open_ & ~ring

    def lift_off(self, part: Part) -> None:
        if part.below is None:
            part.below = self.without(part.mask)
        self.ids = part.below.copy()

    def stand(self, part: Part, box: Box) -> None:
        self.lift_off(part)
        part.box = box
        left, top, right, bottom = box
        h, w = part.ids.shape
        for y in range(max(0, top), min(self.size, bottom)):
            row = (2 * (y - top) + 1) * h // (2 * (bottom - top))
            for x in range(max(0, left), min(self.size, right)):
                column = (2 * (x - left) + 1) * w // (2 * (right - left))
                if part.held[row, column]:
                    self.ids[y, x] = part.ids[row, column]

    def shifted(self, box: Box, dx: int, dy: int) -> Box:
        """At least one row and column stay on the canvas."""
        left, top, right, bottom = box
        x = min(self.size - 1, max(left - right + 1, left + dx))
        y = min(self.size - 1, max(top - bottom + 1, top + dy))
        return x, y, x + right - left, y + bottom - top

    def pulled(self, box: Box, corner: str, dx: int, dy: int, even: bool) -> Box:
        left, top, right, bottom = box
        west, north = corner[1] == "w", corner[0] == "n"
        x = min(2 * self.size, max(-self.size, (left if west else right) + dx))
        y = min(2 * self.size, max(-self.size, (top if north else bottom) + dy))
        w, h = right - left, bottom - top
        width, height = (
            max(1, right - x if west else x - left),
            max(1, bottom - y if north else y - top),
        )
        if even and width * h >= height * w:
            height = max(1, rounded(width * h / w))
        elif even:
            width = max(1, rounded(height * w / h))
        x, y = (right - width if west else left), (bottom - height if north else top)
        return x, y, x + width, y + height

    # Gestures

    def press(self, x: float, y: float, reach: float, shift: bool, tool: str | None = None) -> None:
        if self.pressed is not None:
            return
        tool = tool or self.tool
        if self.step and self.step["tool"] != tool:
            self.settle()
        if not self.step:
            self.step = {"tool": tool, "before": self.ids.copy()}
        at, step = (x, y), self.step
        if tool in self.widths:
            self.stamp(self.stroke(at, at, self.widths[tool]))
        elif tool == "rectangle":
            self.stamp(self.inside(between(at, at)))
        elif tool == "ellipse":
            self.stamp(self.ellipse(at, at))
        elif tool == "fill":
            self.stamp(self.region(at))
        elif tool == "pick":
            self.pick(at)
        elif tool == "lasso":
            points = step.setdefault("points", [])
            step.setdefault("pieces", []).append(len(points))
            step["closing"] = len(points) > 2 and far(points[0], at) <= reach
            step["freehand"] = False
            if not step["closing"]:
                points.append(at)
        elif tool == "select":
            self.seize(at, reach, shift)
        self.pressed = self.last = at

    def seize(self, at: Point, reach: float, shift: bool) -> None:
        part = self.step.get("part")
        grip = part.grip(at, reach) if part else None
        if grip and not (shift and grip == "inside"):
            self.step["grip"] = (grip, part.box)
            return
        if part and not (shift and part.below is None):
            self.finish()
            self.step = {"tool": "select", "before": self.ids.copy()}
        self.step |= {"grip": None, "frame": None, "idle": bool(part and not shift)}

    def drag(self, x: float, y: float, reach: float, shift: bool) -> None:
        if self.pressed is None:
            return
        to, step, start = (x, y), self.step, self.pressed
        tool = step["tool"]
        if tool in self.widths:
            self.stamp(self.stroke(self.last, to, self.widths[tool]))
        elif tool in ("rectangle", "ellipse"):
            self.ids = step["before"].copy()
            to_ = self.square(start, to) if shift else to
            rectangle = tool == "rectangle"
            self.stamp(self.inside(between(start, to_)) if rectangle else self.ellipse(start, to_))
        elif tool == "pick":
            self.pick(to)
        elif tool == "lasso":
            if not step["closing"] and (step["freehand"] or far(start, to) > reach / 2):
                step["freehand"] = True
                step["points"].append(to)
        elif tool == "select":
            if step["grip"]:
                (grip, box), part = step["grip"], step["part"]
                dx, dy = rounded(to[0] - start[0]), rounded(to[1] - start[1])
                inside = grip == "inside"
                new = self.shifted(box, dx, dy) if inside else self.pulled(box, grip, dx, dy, shift)
                if part.below is not None or new != box:
                    self.stand(part, new)
            elif step["frame"] or far(start, to) > reach / 2:
                step["frame"] = between(start, to)
        self.last = to

    def lift(self) -> None:
        if self.pressed is None:
            return
        step, start = self.step, self.pressed
        self.pressed = None
        stays = False
        if step["tool"] == "lasso":
            stays = not step["closing"] and not (step["freehand"] and len(step["pieces"]) == 1)
        elif step["tool"] == "select":
            if not step["grip"] and (step["frame"] or not step["idle"]):
                mask = self.inside(step["frame"]) if step["frame"] else self.region(start)
                if step.get("part"):
                    mask |= step["part"].mask
                if mask.any():
                    step["part"] = Part(self.ids, mask)
            step["grip"] = step["frame"] = None
            stays = bool(step.get("part"))
        if not stays:
            self.finish()

    # Steps

    def stamp(self, mask: np.ndarray) -> None:
        self.ids = np.where(
            mask, self.erase_to if self.step["tool"] == "eraser" else self.ink, self.ids
        )

    def pick(self, at: Point) -> None:
        if self.under(at) is not None:
            self.ink = self.under(at)

    def record(self) -> None:
        """The present layout becomes a snapshot, unless it is the last one."""
        if np.array_equal(self.ids, self.states[self.now]):
            return
        self.states = [*self.states[: self.now + 1], self.ids.copy()][-STEPS - 1 :]
        self.now = len(self.states) - 1

    def finish(self) -> None:
        if not self.step:
            return
        if self.step["tool"] == "lasso":
            self.stamp(self.polygon(self.step["points"]))
        if self.step["tool"] == "pick":
            self.tool = self.previous
        self.step = self.pressed = None
        self.record()

    def give_up(self) -> None:
        if self.step:
            self.ids = self.step["before"]
        self.step = self.pressed = None

    def back(self) -> None:
        self.pressed, step = None, self.step
        if step and step["tool"] == "lasso":
            del step["points"][step["pieces"].pop() :]
            step["closing"] = False
            if step["points"]:
                return
        if step and step.get("part"):
            if step["grip"] and step["part"].box != step["grip"][1]:
                self.stand(step["part"], step["grip"][1])
            step["grip"] = step["frame"] = None
            return
        self.give_up()

    def settle(self) -> None:
        self.lift()
        if self.step:
            self.give_up() if self.step["tool"] == "lasso" else self.finish()

    def use(self, tool: str) -> None:
        self.settle()
        self.previous = self.previous if tool == "pick" else tool
        self.tool = tool

    def choose(self, ink: int) -> None:
        self.ink = ink
        if self.tool in ("eraser", "pick", "select", "hand"):
            self.use("brush")

    def erase_with(self, ink: int) -> None:
        self.erase_to = ink

    def resize(self, pixels: int) -> None:
        if self.tool in self.widths:
            self.widths[self.tool] = min(rounded(self.size / 4), max(1, pixels))

    def undo(self) -> None:
        if self.pressed is None and self.step:
            self.give_up()
        elif self.pressed is None and self.now:
            self.now -= 1
            self.ids = self.states[self.now].copy()

    def redo(self) -> None:
        if not self.step and self.now + 1 < len(self.states):
            self.now += 1
            self.ids = self.states[self.now].copy()

    def clear(self) -> None:
        self.settle()
        self.ids = np.zeros_like(self.ids)
        self.record()

    def receive(self, blocks: list[list[int]], fresh: bool) -> None:
        """Another layout: blocks (left, top, right, bottom, id) on background."""
        ids = np.zeros_like(self.ids)
        for left, top, right, bottom, id_ in blocks:
            ids[top:bottom, left:right] = id_
        if np.array_equal(ids, self.ids) and not fresh:
            return
        self.give_up()
        self.ids = ids
        self.record()
        if fresh:
            self.states, self.now = [ids.copy()], 0

    # What keys do to the selected part

    def part(self) -> Part | None:
        return self.step.get("part") if self.step and self.pressed is None else None

    def nudge(self, dx: int, dy: int) -> None:
        if part := self.part():
            self.stand(part, self.shifted(part.box, dx, dy))

    def grow(self, by: int) -> None:
        if part := self.part():
            left, top, right, bottom = part.box
            w, h = right - left, bottom - top
            longer = max(1, max(w, h) + 2 * by)
            width, height = (max(1, rounded(longer * side / max(w, h))) for side in (w, h))
            x, y = left + (w - width) // 2, top + (h - height) // 2
            self.stand(part, (x, y, x + width, y + height))

    def mirror(self, across: bool) -> None:
        if part := self.part():
            present = set(part.ids[part.held].tolist())
            part.ids, part.held = (np.flip(each, int(across)) for each in (part.ids, part.held))
            for a, b in self.pairs if across else ():
                if {a, b} <= present:
                    part.ids = np.where(part.ids == a, b, np.where(part.ids == b, a, part.ids))
            self.stand(part, part.box)

    def remove(self) -> None:
        if part := self.part():
            self.lift_off(part)
            self.finish()
