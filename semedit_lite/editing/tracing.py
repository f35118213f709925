"""Thin lines of a raster as chains of points."""

import numpy as np
from torch import Tensor

Chain = list[tuple[float, float]]  # points (x, y), in pixels

SHORTEST = 6  # pixels; what is shorter is noise
STEP = 3  # of its pixels a chain keeps every third


def chains(lines: Tensor) -> list[Chain]:
    """Lines, bool (1, 1, H, W), one pixel wide -> chains. A chain ends
    where the line does, or where it meets one that is a chain already."""
    left = {(int(x), int(y)) for y, x in np.argwhere(lines[0, 0].cpu().numpy())}

    def beside(at: tuple[int, int]) -> list[tuple[int, int]]:
        x, y = at
        near = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)]
        near += [(x + 1, y + 1), (x - 1, y + 1), (x + 1, y - 1), (x - 1, y - 1)]
        return [pixel for pixel in near if pixel in left]

    def walk(at: tuple[int, int]) -> list[tuple[int, int]]:
        chain = [at]
        while near := beside(chain[-1]):
            chain.append(near[0])
            left.remove(near[0])
            left.difference_update(set(near) & set(beside(near[0])))  # thicker there than a pixel
        return chain

    found = []
    while left:
        at = left.pop()
        chain = walk(at)[::-1]
        chain += walk(at)[1:]
        if len(chain) >= SHORTEST:
            kept = [*chain[::STEP], chain[-1]]
            found.append([(x + 0.5, y + 0.5) for x, y in kept])
    return found
