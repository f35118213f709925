"""An app that holds nothing but a painter, and the Studio."""

import pytest
from PIL import Image

from semedit_lite.labels import FACE
from semedit_lite.ui.painter import decode_value, encode_value, painter

from . import canvas as painting
from .canvas import SIZE, other_layout, start_layout
from .studio import Studio


@pytest.fixture(scope="module")
def app():
    gradio = pytest.importorskip("gradio")
    received: list[str] = []
    with gradio.Blocks() as blocks:
        canvas = painter(FACE, SIZE, value=encode_value(start_layout()))
        canvas.input(received.append, canvas, trigger_mode="always_last", show_progress="hidden")
        answers = {
            "echo": lambda value: encode_value(decode_value(value, FACE, SIZE)),
            "other": lambda _: encode_value(other_layout()),
            "fresh": lambda _: encode_value(start_layout(), fresh=True),
            "photo": lambda _: encode_value(
                start_layout(), Image.new("RGB", (9, 9)), fresh=True, document="a face"
            ),
        }
        for name, answer in answers.items():
            gradio.Button(name).click(answer, canvas, canvas, show_progress="hidden")
    _, url, _ = blocks.launch(prevent_thread_lock=True, quiet=True, run_history=False)
    yield url, received
    blocks.close()


@pytest.fixture
def canvas(browser, app):
    canvas = painting.opened(browser, app, viewport={"width": 1280, "height": 1200})
    yield canvas
    canvas.page.context.close()


@pytest.fixture
def pages(browser):
    """Opens pages, each in a browser of its own as far as sites can tell."""
    contexts = []

    def new():
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 1100}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        return page

    yield new
    for context in contexts:
        context.close()


@pytest.fixture
def page(pages):
    return pages()


@pytest.fixture
def opened(page, studio):
    """The Studio with the face of the first seed on its canvas."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(studio)
    page.locator("#result img").wait_for()
    view = Studio(page)
    view.asked = asked
    return view
