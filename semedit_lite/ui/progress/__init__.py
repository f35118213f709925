"""How far an edit that takes a while has come, how it looks by now, and a button that ends it: a
`gr.HTML` component, whose event `click` follows when that is pressed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from semedit_lite.ui.component import component, data_url

if TYPE_CHECKING:
    import gradio as gr

HERE = Path(__file__).parent
NONE = ""  # the value that shows nothing


def progress(label: str = "Progress", **options: Any) -> "gr.HTML":
    """Shows nothing at first; `options` are those of gr.HTML: elem_id, visible, ..."""
    return component(HERE, ["progress.js"], label=label, title=label, **options)


def encode_progress(done: float, words: str, picture: Image.Image | None = None) -> str:
    """What shows that an edit is done from 0 to 1, a few words, and a picture of how it looks by
    now, where that is another one."""
    value: dict[str, Any] = {"done": done, "words": words}
    if picture is not None:
        value["picture"] = data_url(picture, "JPEG")
    return json.dumps(value)
