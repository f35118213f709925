"""A photo on which people choose the face: a `gr.HTML` component and the values it exchanges.

Where several faces were found, each is a button over the photo; where none was, or none is the
right one, people lay a square over it, with marks where the generator has eyes, nose and mouth.
What comes back is a face's index or the square, in pixels of the photo (`encode`, `decode`).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from semedit_lite.errors import InputError
from semedit_lite.faces.frames import Frame
from semedit_lite.faces.framing import TEMPLATE
from semedit_lite.ui.component import component, data_url

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
SCRIPTS = ("geometry.js", "chooser.js", "square.js")  # the first knows of no page
SHOWN = 1024  # longer side of the photo on the page
SMALLEST = 16  # pixels of the photo that a square has along each side, at least
LARGEST = 3  # longer sides of the photo that it has at most: there are photos of half a face
NO_CHOICE = (
    'A choice is sent as {"face": 0}, {"square": [cx, cy, side, degrees]} or {"cancel": true}.'
)


def chooser(label: str = "Face", *, value: str = "", **options: Any) -> "gr.HTML":
    """A photo with its faces; the event `input` follows when one is chosen. Empty, it shows
    nothing. `options` are those of gr.HTML: elem_id, visible, ...

    Set its value with `encode`, read it with `decode`.
    """
    marks = {name: [at.real, at.imag] for name, at in TEMPLATE.items()}
    return component(HERE, SCRIPTS, value, label=label, title=label, marks=marks, **options)


def encode(photo: Image.Image, faces: Sequence[Mapping[str, Any]] = ()) -> str:
    """What shows an upright photo and the faces that were found in it, each a mapping with its
    "box" (x0, y0, x1, y1) in pixels of the photo; other keys stay behind."""
    small = photo.convert("RGB")
    small.thumbnail((SHOWN, SHOWN))
    return json.dumps(
        {
            "photo": data_url(small, "JPEG"),
            "size": photo.size,
            "faces": [[float(v) for v in face["box"]] for face in faces],
            "sides": _sides(photo.size),
        }
    )


def decode(value: Any, size: tuple[int, int], faces: int) -> int | Frame | None:
    """What was chosen in a photo of `size` (width, height) in which so many faces were found: the
    index of one, a square in pixels of the photo, or None where the choice was cancelled.

    `value` is the component's, or what an API client sends in its place; InputError where that is
    no choice, the face does not exist or the square cannot be cut out.
    """
    try:
        choice = json.loads(value) if isinstance(value, str) else value
        [(kind, chosen)] = choice.items()
    except (AttributeError, RecursionError, TypeError, ValueError):
        raise InputError(NO_CHOICE) from None
    if kind == "face":
        return _face(chosen, faces)
    if kind == "square":
        return _square(chosen, size)
    if kind == "cancel" and chosen is True:
        return None
    raise InputError(NO_CHOICE)


def _face(index: Any, faces: int) -> int:
    if type(index) is int and 0 <= index < faces:  # True is no index
        return index
    if not faces:
        raise InputError("No face was found in this photo; lay a square over it instead.")
    raise InputError(
        f"The face is a whole number from 0 to {faces - 1}: so many were found in this photo."
    )


def _square(numbers: Any, size: tuple[int, int]) -> Frame:
    (width, height), (low, high) = size, _sides(size)
    limits = [(0, width), (0, height), (low, high), (-180, 180)]
    if isinstance(numbers, list | tuple) and len(numbers) == 4:
        within = (least <= v <= most for v, (least, most) in zip(numbers, limits, strict=True))
        if all(type(v) in (int, float) for v in numbers) and all(within):
            x, y, side, degrees = numbers
            return Frame.square(complex(x, y), side, degrees)
    raise InputError(
        "The square is [cx, cy, side, degrees] in pixels of the photo: its centre lies in it, "
        f"from 0, 0 to {width}, {height}, its side is from {low} to {high} pixels, and it is "
        "turned by -180 to 180 degrees."
    )


def _sides(size: tuple[int, int]) -> tuple[int, int]:
    """The shortest and the longest side of a square on a photo of this size."""
    return min(SMALLEST, *size), LARGEST * max(size)
