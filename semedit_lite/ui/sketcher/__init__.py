"""The canvas on which people sketch on a photo: a `gr.HTML` component and the values it exchanges.

What the canvas sends is JSON {"strokes": [...], "document": name}: strokes as
`semedit_lite.editing.strokes` has them, in pixels of the picture below, and the name of the picture
that they were drawn on (`encode_value`). All code is served by the app itself.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from semedit_lite.editing.strokes import MAX_BYTES, Sketch
from semedit_lite.errors import InputError
from semedit_lite.ui import canvas
from semedit_lite.ui.component import component, data_url

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
CORE = (canvas.MARKS, canvas.DRAWER, "sketch.js")  # the sketch, apart from any page
SCRIPTS = (  # in the order in which they are loaded
    *CORE,
    "sketcher.js",
    canvas.VIEW,
    "screen.js",
    canvas.CONTROLS,
    "controls.js",
    canvas.GESTURES,
    "begin.js",
)
NO_SKETCH = (
    'A sketch is sent as {"strokes": [{"kind": "line", "width": 2, "points": [[x, y, ms]]}]}.'
)


def sketcher(size: int = 256, *, value: str = "", **options: Any) -> "gr.HTML":
    """A canvas to sketch on a picture of size x size pixels; its event `input` follows a stroke.

    Read its value with `decode_value`, set it with `encode_value`."""
    return component(HERE, SCRIPTS, value, shared=canvas.HERE, size=size, **options)


def encode_value(
    photo: Image.Image | None = None,
    *,
    sketch: Sketch | None = None,
    region: Tensor | None = None,
    lines: Sequence[Sequence[tuple[float, float]]] | None = None,
    fresh: bool = False,
    document: str | None = None,
    to: str | None = None,
) -> str:
    """What changes on a canvas; what is not given stays.

    `photo` is what is drawn on, `sketch` the strokes, a step that can be undone, `region` bool
    (1, 1, H, W) the part that is redrawn, `lines` the photo's own, as lists of points. `document`
    is the name that comes back with every stroke from now on; `fresh` begins anew. An answer `to`
    strokes on a document is dropped where the canvas shows another by now."""
    value: dict[str, Any] = {"fresh": fresh}
    if photo is not None:
        value["photo"] = data_url(photo.convert("RGB"), "JPEG")
    if sketch is not None:
        value["strokes"] = sketch.records
    if region is not None:
        grey = region[0, 0].to(torch.uint8).mul(255).cpu().numpy()
        value["region"] = data_url(Image.fromarray(grey), "PNG") if region.any() else ""
    if lines is not None:
        value["lines"] = [[[round(x, 1), round(y, 1)] for x, y in line] for line in lines]
    names = {"document": document, "to": to}
    return json.dumps(value | {key: name for key, name in names.items() if name is not None})


def decode_value(value: str, size: int) -> Sketch:
    """The sketch of a canvas' value; an empty one where nothing was ever drawn. InputError where it
    is none."""
    strokes = _parts(value).get("strokes", [])
    if not isinstance(strokes, list):
        raise InputError(NO_SKETCH)
    return Sketch.of(strokes, (size, size))


def document_of(value: str) -> str | None:
    """The document that a canvas' value was drawn on."""
    document = _parts(value).get("document")
    if not isinstance(document, str | None):
        raise InputError(NO_SKETCH)
    return document


def _parts(value: str | None) -> dict[str, Any]:
    if not value:
        return {}
    try:
        parts = json.loads(value) if len(value) <= MAX_BYTES else None
    except (RecursionError, ValueError):
        parts = None
    if not isinstance(parts, dict):
        raise InputError(NO_SKETCH)
    return parts
