"""The canvas on which people paint layouts: a `gr.HTML` component and the values it exchanges.

What the canvas sends holds the layout as the data URL of a PNG whose pixel values are class ids,
and any such PNG, grey or with a palette, may be sent in its place through the API. What it is given
may also carry the photo that shows through, and a name, which then comes back with every stroke
(`encode_value`, `document_of`): strokes and answers overtake one another, and no stroke must land
on a picture that it was not painted on. The drawing, its history and its exactness
live in the files of `CORE`, which know of no page; all code is served by the app itself.
"""

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.images import Source, load_layout
from semedit_lite.labels import IGNORE, LabelSet
from semedit_lite.ui import canvas
from semedit_lite.ui.component import component, data_url

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
# The painting, apart from any page.
CORE = (canvas.MARKS, canvas.DRAWER, "drawing.js", "selection.js", "tools.js")
SCRIPTS = (  # in the order in which they are loaded
    *CORE,
    "png.js",
    "painter.js",
    canvas.VIEW,
    "screen.js",
    canvas.CONTROLS,
    "controls.js",
    canvas.GESTURES,
    "begin.js",
)
PREFIX = "data:image/png;base64,"
NO_LAYOUT = f"A layout is sent as '{PREFIX}…', a PNG whose pixel values are class ids."


def painter(
    labels: LabelSet,
    size: int = 256,
    *,
    value: str = "",
    overlay: str = "Show what lies above the layout",
    **options: Any,  # of gr.HTML: elem_id, visible, ...
) -> "gr.HTML":
    """A canvas of size x size pixels for a layout of `labels`; its event `input` follows a stroke.

    Read its value with `decode_value`, set it with `encode_value`; `overlay` says what the button
    does that is there while one lies above the layout.
    """
    classes = [
        {"name": title, "colour": colour, "contrast": contrast}
        for title, colour, contrast in zip(
            labels.titles, labels.colours, labels.contrast or [None] * len(labels), strict=True
        )
    ]
    props = {"size": size, "classes": classes, "pairs": labels.pairs, "overlay": overlay}
    return component(HERE, SCRIPTS, value, shared=canvas.HERE, **props, **options)


def encode_value(
    layout: Tensor,
    photo: Image.Image | None = None,
    *,
    fresh: bool = False,
    document: str | None = None,
    over: Tensor | None = None,
    overlay: Image.Image | None = None,
) -> str:
    """What shows `layout` (1, H, W) or (H, W) on the canvas.

    `photo`, stretched over the same square, replaces the one below it, and `overlay`, an RGBA
    picture, the one that a button lays above it. `document` is the name that comes back with every
    stroke from now on. `fresh` starts with an empty history and no photo, overlay or name but
    these; otherwise a layout that differs from the one on the canvas is a step that can be undone,
    and one that does not changes nothing. With `over`, a layout as `layout`, whatever differs from
    that on the canvas of the same document stays: it was painted meanwhile.
    """
    value = {"layout": _ids(layout), "fresh": fresh}
    if over is not None:
        value["over"] = _ids(over)
    if document is not None:
        value["document"] = document
    if photo is not None:
        value["photo"] = data_url(photo.convert("RGB"), "JPEG")
    if overlay is not None:
        value["overlay"] = data_url(overlay, "PNG")
    return json.dumps(value)


def _ids(layout: Tensor) -> str:
    """(1, H, W) or (H, W) as the data URL of a PNG of class ids."""
    ids = layout.reshape(layout.shape[-2:]).to(torch.uint8).cpu().numpy()
    return data_url(Image.fromarray(ids, "L"), "PNG")


def decode_value(value: str, labels: LabelSet, size: int) -> Tensor:
    """The layout (1, size, size) of a canvas' value or of a plain PNG data URL.

    InputError where it is neither, of another size, has ids outside `labels`, or is one class only.
    """
    layout = load_layout(_png(value, size), labels, size)  # (1, size, size)
    if (layout == IGNORE).any():
        raise InputError(
            f"The layout has pixels without a class (value {IGNORE}); give each of them one of the "
            f"ids 0 to {len(labels) - 1}."
        )
    first = layout[0, 0, 0]
    if (layout == first).all():
        raise InputError(
            f"The canvas is empty: all of it is '{labels.titles[first]}'; paint another class "
            "somewhere."
        )
    return layout


def document_of(value: str) -> str | None:
    """The document that a canvas' value was painted on; None for a plain PNG."""
    return _parts(value)[1]


def _png(value: str, size: int) -> Source:
    """The PNG file inside a value; a blank picture where nothing was ever painted."""
    layout, _ = _parts(value)
    if not layout:
        return Image.new("L", (size, size))
    try:
        if not layout.startswith(PREFIX):
            raise ValueError(layout[:30])
        return base64.b64decode(layout.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise InputError(NO_LAYOUT) from None


def _parts(value: str) -> tuple[str, str | None]:
    """Layout and document of a value: JSON, or the layout alone."""
    try:
        parts = json.loads(value) if value.startswith("{") else {"layout": value}
        layout, document = parts["layout"], parts.get("document")
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise InputError(NO_LAYOUT) from None
    if not isinstance(layout, str) or not isinstance(document, str | None):
        raise InputError(NO_LAYOUT)
    return layout, document
