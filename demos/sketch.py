"""Draw a few lines on a photo, and the part that they are about is redrawn.

python demos/sketch.py
"""

import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import gradio as gr

from semedit_lite import hub
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.sketch import Redraw, SketchEditor, ground
from semedit_lite.editing.strokes import Sketch
from semedit_lite.errors import InputError
from semedit_lite.ui import app
from semedit_lite.ui.page import BUTTON, QUIET, Page
from semedit_lite.ui.session import ClosedError, Session
from semedit_lite.ui.sketcher import decode_value, document_of, encode_value, sketcher
from semedit_lite.ui.tab import Tab, served

SIZE = 256
THRESHOLD = 0.5
STROKES = Path(__file__).parent / "strokes"  # that people drew on the faces of the examples

# The finest model in the package; where there is none, a name, for the sentence that says so.
BUNDLED = [path.parent.name for path in hub.BUNDLED.glob(f"sketchedit-faces-*/{hub.FILES[0]}")]
MODEL = max(BUNDLED, key=lambda name: int(name.rpartition("-")[2]), default="sketchedit-faces-64")


@cache
def editor() -> SketchEditor:
    """The networks, loaded when first needed."""
    return SketchEditor(MODEL, size=SIZE)


class SketchTab(Tab):
    """What is opened is drawn on; nothing changes before a line is drawn."""

    name = "sketch"
    prefix = "sketch-"
    size = SIZE
    settings = ("threshold",)
    examples = sorted((Path(__file__).parent / "faces").glob("*.jpg"))

    def make(self, seed):
        return editor().generate(seed)

    def read(self, photo, face):
        return editor().open(photo, face)

    def example(self, chosen: gr.SelectData, threshold, session):
        """The face of an example with what was drawn on it, and its seed."""
        picture = self.examples[chosen.index]
        seed = int(picture.stem)
        sketch = Sketch.read(STROKES / f"{picture.stem}.json")
        face = self.face(seed)
        step = editor().apply(face, Redraw(sketch, threshold))
        history = History.start(face).push(step)
        session = self.desk.open(history, seed, session)
        return *self._laid(history, session), seed

    def settings_of(self, step):
        """The threshold."""
        threshold = step.operation.get("threshold")
        return (
            threshold if type(threshold) in (int, float) and 0 <= threshold <= 1 else gr.skip(),
        )

    def on_canvas(self, step, session, *, fresh):
        sketch = step.sketch or Sketch(size=(SIZE, SIZE))
        base = ground(step)
        region = editor().region(step, Redraw(sketch, threshold_of(step)))
        return encode_value(
            base.picture,
            sketch=sketch,
            region=region,
            lines=editor().lines(step),
            fresh=fresh,
            document=session.canvas,
        )

    def check(self, history):
        super().check(history)
        if any(
            step.sketch is None and step.operation.get("tool") == "sketch" for step in history.steps
        ):
            raise InputError("This work has lost its strokes; choose one that was saved here.")


tab = SketchTab()
desk = tab.desk


def threshold_of(step: Document) -> float:
    """The threshold that a step was made with."""
    (threshold,) = tab.settings_of(step)
    return threshold if isinstance(threshold, float | int) else THRESHOLD


def redraw(canvas, threshold, session):
    """The picture that a sketch asks for: canvas value with the region, result, scorecard.

    `canvas` is {"strokes": [{"kind": "line", "width": 2, "points": [[x, y, milliseconds], ...]}]},
    in pixels of the 256 x 256 picture; kinds are "line", "colour" (with "colour": "#rrggbb"), "add"
    and "remove" (to and from the region). A lower `threshold`, 0 to 1, makes the region larger.
    """
    try:
        step, begun = drawn(canvas, threshold, session)
    except ClosedError:
        if session.canvas is None:
            raise
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()  # on a picture that was replaced
    session = gr.skip() if begun is session else begun
    mine, canvas = desk.peek(begun), document_of(canvas)
    if canvas not in (None, begun.canvas) or (mine and begun.canvas in mine.left):
        return gr.skip(), gr.skip(), gr.skip(), session  # the visitor has gone elsewhere meanwhile
    region = editor().region(step, Redraw(step.sketch or Sketch(), threshold_of(step)))
    value = encode_value(region=region, to=begun.canvas)
    return value, *tab.result_of(step), session


def drawn(canvas: str, threshold: float, session: Session) -> tuple[Document, Session]:
    """The step of what is on a canvas: a new one, or the ground it is drawn on where that is
    nothing."""
    sketch, canvas = decode_value(canvas, SIZE), document_of(canvas)
    mine, session = desk.work(session)
    canvas = canvas or session.canvas
    at = mine.at(canvas)
    same = at.sketch == sketch and threshold_of(at) == threshold
    if same or (not sketch and ground(at) is at):
        step = at
    else:
        step = editor().apply(at, Redraw(sketch, threshold))
    desk.store.update(session.key, lambda work: work.landed(step, canvas))
    return step, session


def keep(session):
    """The picture as it is now becomes the one that is drawn on: canvas value, result,
    scorecard."""
    mine, session = desk.work(session)
    at = mine.at(session.canvas)
    if ground(at) is at:
        raise InputError("There is nothing to keep yet; draw a line first.")
    step, canvas = editor().keep(at), session.canvas
    desk.store.update(session.key, lambda work: work.landed(step, canvas))
    return tab.on_canvas(step, session, fresh=True), *tab.result_of(step), session


def picture(canvas, threshold, session):
    """The picture as a file that carries its provenance; all of an uploaded photo.

    The photo comes back at its full size, with its orientation tag and colour profile.
    """
    step, session = drawn(canvas, threshold, session)
    return served(step, whole=True), session


def strokes(canvas):
    """The sketch as a file: JSON that `semedit sketch` reads."""
    sketch = decode_value(canvas, SIZE)
    if not sketch:
        raise InputError("There are no strokes yet; draw a line first.")
    text = sketch.to_json()
    return app.saved("strokes.json", lambda path: Path(path).write_text(text, encoding="utf-8"))


def open_strokes(file, threshold, session):
    """Strokes from a file, on the picture that is open: canvas value, result, scorecard."""
    sketch = Sketch.read(Path(file).read_bytes() if isinstance(file, str) else file)
    sketch = sketch.resized((SIZE, SIZE))
    mine, session = desk.work(session)
    canvas = session.canvas
    step = editor().apply(mine.at(canvas), Redraw(sketch, threshold))
    desk.store.update(session.key, lambda work: work.landed(step, canvas))
    return tab.on_canvas(step, session, fresh=False), *tab.result_of(step), session


# The page


def build(arrive: Callable) -> None:
    """Builds the tab; `arrive` is the event with which it is first seen."""
    part = Page(tab)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column(scale=7, min_width=330):
            with gr.Row(elem_classes=["tight"]):
                part.openers()
            part.chooser()
            part.canvas = sketcher(SIZE, elem_id=part.id("canvas"), label="Canvas")
            threshold = gr.Slider(
                0.05,
                0.95,
                THRESHOLD,
                step=0.05,
                label="Region: the lower, the larger",
                elem_id=part.id("threshold"),
                buttons=[],
            )
            part.history()
        with gr.Column(scale=5, min_width=300):
            part.picture()
            part.comparison(
                "Draw what shall be there: a wider smile, a higher brow, another hair line. The "
                "part that your lines are about shows in green, and is redrawn."
            )
            part.another()
            keep_button = gr.Button("Keep this, and go on drawing", **BUTTON)
            with gr.Row(elem_classes=["tight"]):
                save_picture_button = gr.Button("Save picture", **BUTTON)
                save_strokes_button = gr.Button("Save strokes", **BUTTON)
                strokes_in = gr.UploadButton(
                    "Open strokes", elem_id=part.id("open-strokes"), **BUTTON
                )
        with gr.Column(min_width=700):  # a row of its own, below
            part.examples("Faces to begin with, and what was drawn on them")

    part.connect(arrive, [threshold])
    canvas, result, scores, session = part.canvas, part.result, part.scores, part.session
    shown = [canvas, result, scores, session]
    part.step(
        partial(gr.on, [canvas.input, threshold.input]),
        redraw,
        [canvas, threshold, session],
        shown,
        trigger_mode="always_last",
        **QUIET,
    )
    part.step(keep_button.click, keep, [session], shown, **QUIET)
    part.open(strokes_in.upload, open_strokes, [strokes_in, threshold, session], shown)
    part.save(save_picture_button.click, picture, [canvas, threshold, session], "Picture", session)
    part.save(save_strokes_button.click, strokes, [canvas], "Strokes")


def main(browser: bool = False) -> None:
    """Serves Sketch alone until it is stopped."""
    app.serve("Sketch", "Draw a line, and the face follows.", build, browser=browser)


if __name__ == "__main__":
    try:
        main(browser=True)
    except InputError as error:
        sys.exit(f"semedit: {error}")
