"""An app that holds nothing but a painter."""

import pytest
from PIL import Image

from semedit_lite.labels import FACE
from semedit_lite.ui.painter import decode_value, encode_value, painter

from .canvas import SIZE, opened, other_layout, start_layout


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
    canvas = opened(browser, app, viewport={"width": 1280, "height": 1200})
    yield canvas
    canvas.page.context.close()
