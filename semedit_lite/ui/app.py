"""Launching an app with everything closed that Gradio leaves open."""

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from semedit_lite.errors import InputError
from semedit_lite.ui.theme import STYLE, theme

if TYPE_CHECKING:
    import gradio as gr

PORT = 7860
MODEL = {"concurrency_id": "model", "concurrency_limit": 1}  # one picture at a time, for all events
CACHE = (600, 3600)  # every ten minutes, files that were served and are older than an hour go

SYNTHETIC = (
    "Pictures made here are synthetic and say so in their metadata. Photos stay on this machine "
    "and are forgotten after an hour. Use only photos of people who agree."
)


def blocks(title: str) -> "gr.Blocks":
    """An empty page; build the app within it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio reads it
    import gradio as gr

    return gr.Blocks(title=title, analytics_enabled=False, delete_cache=CACHE)


def masthead(title: str, line: str) -> None:
    """The head of a page: name, purpose, and that its pictures are synthetic."""
    import gradio as gr

    gr.HTML(
        f'<header class="masthead"><h1>semedit <em>{title}</em></h1><p>{line}</p></header>'
        f'<p class="synthetic">{SYNTHETIC}</p>'
    )


def launch(app: "gr.Blocks", port: int | None = PORT, *, browser: bool = False, **options: Any):
    """Serves `app` on this machine alone. `port` None takes any that is free; `browser` opens a
    page; `options` are those of `gr.Blocks.launch`. InputError where the port is taken."""
    app.queue(max_size=16)
    settings = {
        "server_name": "127.0.0.1",
        "server_port": port,
        "inbrowser": browser,
        "share": False,  # None would mean yes on Colab
        "max_file_size": "32mb",
        "allowed_paths": [],
        "run_history": False,  # else every layout and photo stays in the browser's storage
        "footer_links": ["api", "settings"],
        "ssr_mode": False,
        "theme": theme(),
        "css_paths": [STYLE],
    }
    try:
        return app.launch(**settings | options)
    except OSError:
        if port is None:
            raise
        raise InputError(f"Port {port} is taken; choose another with --port.") from None


def sentences(handler: Callable) -> Callable:
    """Shows an InputError of an event's handler as it is; the app stays up, the page unchanged."""
    import gradio as gr

    @functools.wraps(handler)
    def answer(*args: Any) -> Any:
        try:
            return handler(*args)
        except InputError as error:
            raise gr.Error(str(error), title="That did not work", print_exception=False) from None

    return answer
