"""Page components of our own: a folder with html, css and js, shown through `gr.HTML`."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import gradio as gr


def component(
    folder: Path,
    scripts: Iterable[str | Path],
    value: str = "",
    *,
    shared: Path | None = None,
    **options: Any,
) -> "gr.HTML":
    """What NAME.html, NAME.css and the `scripts`, one after the other, of a folder NAME make, where
    a path may lead elsewhere. Of a folder SHARED, SHARED.css comes before NAME.css, and its other
    pages where NAME.html says <!-- PAGE -->. `options` are those of `gr.HTML` or reach the scripts
    as properties of `props`."""
    import gradio as gr

    def read(name: str | Path) -> str:
        return (folder / name).read_text(encoding="utf-8")

    styles = [Path(__file__).with_suffix(".css"), f"{folder.name}.css"]
    page = read(f"{folder.name}.html")
    if shared is not None:
        styles.insert(1, shared / f"{shared.name}.css")
        for piece in shared.glob("*.html"):
            page = page.replace(f"<!-- {piece.stem} -->", read(piece))
    return gr.HTML(
        value,
        html_template=page,
        css_template="".join(map(read, styles)),
        js_on_load="".join(map(read, scripts)),
        apply_default_css=False,
        **options,
    )


def data_url(image: Image.Image, kind: str) -> str:
    """The picture as a file of this kind, "PNG" or "JPEG", inside an address."""
    file = io.BytesIO()
    image.save(file, kind, quality=92)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(file.getvalue()).decode()
