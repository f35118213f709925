"""Launching an app with everything closed that Gradio leaves open."""

import functools
import html
import inspect
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semedit_lite import hub
from semedit_lite.errors import InputError
from semedit_lite.ui.theme import STYLE, theme

if TYPE_CHECKING:
    import gradio as gr

# Gradio's own variables, which Spaces and containers set; without them nobody else is served.
HOST = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
PORT = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
MODEL = {"concurrency_id": "model", "concurrency_limit": 1}  # one picture at a time, for all events
# What takes seconds, one at a time as well; pictures of other visitors do not wait for it.
LONG = {"concurrency_id": "long", "concurrency_limit": 1}
MAX_UPLOAD = 32  # MB
CACHE = (600, 3600)  # every ten minutes, files that were served and are older than an hour go

SYNTHETIC = (
    "Pictures made here are synthetic and say so in their metadata. Photos stay on the machine "
    "that serves this page and are forgotten after an hour. Use only photos of people who agree."
)

NO_LINK = "Files are uploaded here, not linked to; send the file itself."


@functools.lru_cache(maxsize=1)
def private_folder() -> tempfile.TemporaryDirectory:
    """Where uploads and pictures lie while the process lives, for this user alone to read."""
    return tempfile.TemporaryDirectory(prefix="semedit-", ignore_cleanup_errors=True)


def saved(name: str, write: Callable[[Path], None]) -> str:
    """Puts a file where Gradio serves it from and, after an hour, deletes it; returns its path."""
    import gradio as gr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return gr.processing_utils.save_file_to_cache(path, gr.utils.get_upload_folder())


def blocks(title: str) -> "gr.Blocks":
    """An empty page; build the app within it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = private_folder().name  # read when components are made
    import gradio as gr

    return gr.Blocks(title=title, analytics_enabled=False, delete_cache=CACHE)


def masthead(title: str, line: str) -> None:
    """The head of a page: name, purpose, that its pictures are synthetic, and the notes on its
    weights, as they are when a visitor opens it."""
    import gradio as gr

    def head() -> str:
        quiet = [SYNTHETIC, *map(html.escape, hub.notes())]
        return (
            f'<header class="masthead"><h1>semedit <em>{title}</em></h1><p>{line}</p></header>'
            f'<p class="synthetic">{"<br>".join(quiet)}</p>'
        )

    shown = gr.HTML(head())
    gr.on(None, head, None, shown, api_visibility="private", show_progress="hidden", queue=False)


def serve(title: str, line: str, build: Callable, *, browser: bool = False) -> None:
    """Serves one tab alone until it is stopped; `build` takes the event with which it is seen."""
    with blocks(f"semedit {title}") as page:
        masthead(title, line)
        build(page.load)
    launch(page, browser=browser)


def launch(app: "gr.Blocks", port: int | None = PORT, *, browser: bool = False, **options: Any):
    """Serves `app`, unless HOST says otherwise on this machine alone. `port` None takes any that is
    free; `browser` opens a page; `options` are those of `gr.Blocks.launch`. InputError where the
    port is taken."""
    _refuse_links()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)
    app.queue(max_size=16, api_open=False)  # no way around the queue
    settings = {
        "server_name": HOST,
        "server_port": port,
        "inbrowser": browser,
        "share": False,  # None would mean yes on Colab
        "max_file_size": f"{MAX_UPLOAD}mb",
        "enable_monitoring": False,
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
        raise InputError(
            f"Port {port} is taken; choose another with --port or GRADIO_SERVER_PORT."
        ) from None


def _leave(*_: Any) -> None:
    """Ends the process in order, so that `private_folder` is deleted; a second signal, as `timeout`
    sends, does not disturb that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit()


def _refuse_links() -> None:
    """Gradio fetches the address of a file that an API client sends in place of one, and relays
    any that is asked for as a file. Neither has an option; tests/test_api.py would notice a new
    name."""
    import gradio as gr
    from fastapi import HTTPException

    async def no_download(*_: Any, **__: Any) -> str:
        raise gr.Error(NO_LINK, print_exception=False)

    async def no_relay(*_: Any, **__: Any) -> None:
        raise HTTPException(403, NO_LINK)

    gr.processing_utils.async_ssrf_protected_download = no_download
    gr.routes.secure_url_stream_response = no_relay


def sentences(handler: Callable) -> Callable:
    """Shows an InputError of an event's handler, which may be a generator, as it is; the app stays
    up, the page unchanged."""

    @functools.wraps(handler)
    def answer(*args: Any) -> Any:
        with _shown():
            return handler(*args)

    @functools.wraps(handler)
    def answers(*args: Any) -> Any:
        with _shown():
            yield from handler(*args)

    return answers if inspect.isgeneratorfunction(handler) else answer


@contextmanager
def _shown() -> Iterator[None]:
    import gradio as gr

    try:
        yield
    except InputError as error:
        raise gr.Error(str(error), title="That did not work", print_exception=False) from None
