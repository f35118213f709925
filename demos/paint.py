"""Paint a face layout, get a photograph.

python demos/paint.py
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path

import gradio as gr
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.editing.parts import PARTS, copy_part
from semedit_lite.errors import InputError
from semedit_lite.images import load_photo, read_layout
from semedit_lite.labels import FACE
from semedit_lite.ui import app
from semedit_lite.ui.app import sentences
from semedit_lite.ui.page import BUTTON, NOW, PICTURE, PRIVATE, QUIET, Page, inline, strip
from semedit_lite.ui.painter import decode_value, document_of, encode_value
from semedit_lite.ui.session import ClosedError, Session, Work
from semedit_lite.ui.tab import Tab, number, served, whole

SIZE = 256
STYLE_SEEDS = 10_000
DONOR = 12  # the face that parts are taken from, until another is chosen
STYLES = [("Its own", "own"), ("Random", "seed"), ("Another photo's", "photo")]
DONORS = [("A generated face", "seed"), ("A photo or layout", "photo")]

Codes = Mapping[str, Tensor]  # the style code (1, z_dim) of a photo for each model


def side(model: str) -> int:
    """The pixels that a model paints along each side: the end of its name."""
    return int(model.rpartition("-")[2])


# The painters in the package, the finest first; all faces are opened by its editor. Where there is
# none, the name of one, for the sentence that says so.
BUNDLED = [path.parent.name for path in hub.BUNDLED.glob(f"spade-faces-*/{hub.FILES[0]}")]
MODELS = sorted(BUNDLED, key=side, reverse=True) or ["spade-faces-64"]


@cache
def editor(model: str) -> PaintEditor:
    """The networks, loaded when first needed."""
    return PaintEditor(model, size=SIZE)


@dataclass(frozen=True)
class PaintWork(Work):
    """A work with what it takes from other pictures."""

    photo: Codes | None = None  # the style of another photo that is in use ...
    photos: Mapping[Document, Codes] = field(default_factory=dict)  # ... and was, at those steps
    donor: Document | None = None  # the photo or layout that parts are taken from

    @property
    def nbytes(self):
        return super().nbytes + (0 if self.donor is None else self.donor.nbytes)

    def opened(self, history, canvas):
        return replace(super().opened(history, canvas), photos={})

    def visited(self, document, canvas, left=None):
        photo = self.photos.get(document, self.photo)
        return replace(super().visited(document, canvas, left), photo=photo)

    def landed(self, document, canvas, photo: Codes | None = None):
        """`photo` is the style that a new step was made in, where it is that of another photo."""
        work = super().landed(document, canvas)
        if photo is None or document in self.history.steps:
            return work
        return replace(work, photos={**self.photos, document: photo})


class PaintTab(Tab):
    """What is opened is painted in the style that is chosen."""

    name = "paint"
    size = SIZE
    settings = ("style", "style_seed", "blend", "model")
    kept = PaintWork
    # Layouts of generated faces, as `semedit faces` writes them.
    examples = sorted((Path(__file__).parent / "layouts").glob("*.png"))

    def make(self, seed):
        return editor(MODELS[0]).generate(seed)

    def read(self, photo, face):
        return editor(MODELS[0]).open(photo, face)

    def begin(self, document, work, style, style_seed, blend, model):
        history = History.start(document)
        style = styled(work and work.photo, style, style_seed, model)
        operation = Repaint(document.layout, style, blend)
        if editor(model).made(history, operation):
            return history
        return history.push(editor(model).apply(document, operation))

    def settings_of(self, step):
        """Style, its seed, blend and model."""
        painted = step.operation if step.operation.get("tool") == "paint" else {}
        style = painted.get("style")
        kind, seed = map(style.get, ("kind", "seed")) if isinstance(style, dict) else (None, None)
        return (
            kind if kind in dict(STYLES).values() else gr.skip(),
            gr.skip() if number(seed, STYLE_SEEDS) is None else seed,
            bool(painted["composite"]) if "composite" in painted else gr.skip(),
            painted["model"] if painted.get("model") in MODELS else gr.skip(),
        )


tab = PaintTab()
desk = tab.desk

# What is special to painting; as in `Tab`, each event takes the session last.


def open_layout(file, style, style_seed, blend, model, session):
    """A layout for the picture that is open, from a PNG: canvas value, result, scorecard.

    Pixel values are class ids, or all colours those of `semedit parse`; any square is resized.
    """
    layout, note = read_layout(file, FACE, SIZE, resize=True)
    if note:
        gr.Info(note, title="Opened as numbers")
    return laid(layout, None, style, style_seed, blend, model, session)


def donor_file(file, session):
    """The face in a head shot, or a layout, to take parts from: "photo", that face."""
    try:
        layout, _ = read_layout(file, FACE, SIZE, resize=True)
        document = Document(FACE.pictures(layout), layout, {"tool": "open"})
    except InputError:
        document = editor(MODELS[0]).open(load_photo(file))
        document = replace(document, photo=None, alignment=None)  # of these nothing is needed
    session = desk.change(session, donor=document)
    return "photo", donor_face("photo", None, session), session


def donor_face(donor, donor_seed, session):
    """The face that parts are taken from."""
    if donor == "photo" and kept_donor(session) is None:
        return gr.Image(visible=False)
    return gr.Image(served(giver(donor, donor_seed, session)), visible=True)


def donor_example(session, chosen: gr.SelectData):
    """The face of an example layout, to take parts from: its seed, that face."""
    seed = int(tab.examples[chosen.index].stem)
    return seed, donor_face("seed", seed, session)


def giver(donor: str, seed: int, session: Session) -> Document:
    """The document of the face that parts are taken from."""
    if donor == "seed":
        return tab.face(whole(seed))
    if (document := kept_donor(session)) is None:
        raise InputError("Choose the photo or layout that the part is taken from first.")
    return document


def kept_donor(session: Session) -> Document | None:
    """The photo or layout that parts are taken from."""
    mine = desk.peek(session)
    return mine and mine.donor


def take_part(canvas, part, donor, donor_seed, style, style_seed, blend, model, session):
    """Another face's hair, glasses, ... in the layout: canvas value, result, scorecard.

    `donor` is "seed", the generated face of `donor_seed`, or "photo", that of /donor.
    """
    layout = decode_value(canvas, FACE, SIZE)
    layout = copy_part(layout, giver(donor, donor_seed, session).layout, PARTS[part])
    return laid(layout, document_of(canvas), style, style_seed, blend, model, session)


def laid(layout: Tensor, canvas: str | None, *settings):
    """A layout as one step on the canvas, and its picture."""
    value = encode_value(layout)
    step, session = edited(decode_value(value, FACE, SIZE), canvas, *settings)
    return value, *tab.result_of(step), session


def reference(photo, canvas, style_seed, blend, model, session):
    """Takes the style of another photo: style, that photo, result, scorecard."""
    photo = load_photo(photo)
    mine, session = desk.work(session)
    style = Style.photo(photo)
    codes = {name: editor(name).code(style, mine.history.opened) for name in MODELS}
    session = desk.change(session, photo=codes)
    result, scores, _ = paint(canvas, "photo", style_seed, blend, model, session)
    photo.thumbnail((SIZE, SIZE))
    return "photo", gr.Image(photo, visible=True), result, scores, session


def paint(canvas, style, style_seed, blend, model, session):
    """The picture of a layout: result, scorecard.

    `canvas` is the data URL of a 256 x 256 PNG whose pixel values are class ids; `style` is "own",
    "seed" or "photo" (that of /reference; before, the face's own); `blend` keeps the opened picture
    outside the region that was changed.
    """
    try:
        step, begun = drawn(canvas, style, style_seed, blend, model, session)
    except ClosedError:
        if session.canvas is None:
            raise
        return gr.skip(), gr.skip(), gr.skip()  # a last stroke on a picture that was replaced
    session = gr.skip() if begun is session else begun  # it may have gone elsewhere meanwhile
    mine, canvas = desk.peek(begun), document_of(canvas)
    if canvas not in (None, begun.canvas) or (mine and begun.canvas in mine.left):
        return gr.skip(), gr.skip(), session  # the visitor has: the step is kept, and not shown
    return *tab.result_of(step), session


def picture(canvas, style, style_seed, blend, model, session):
    """The picture as a file that carries its provenance; all of an uploaded photo, if blended.

    The photo comes back at its full size, with its orientation tag and colour profile.
    """
    step, session = drawn(canvas, style, style_seed, blend, model, session)
    return served(step, whole=blend), session


def drawn(canvas: str, *settings) -> tuple[Document, Session]:
    """The step of what is on a canvas."""
    return edited(decode_value(canvas, FACE, SIZE), document_of(canvas), *settings)


def edited(layout, canvas, style, style_seed, blend, model, session) -> tuple[Document, Session]:
    """The step to which a layout and settings bring a drawing, that of the session where none is
    named: a new one, or one that is there already."""
    mine, session = desk.work(session)
    canvas = canvas or session.canvas
    at = mine.at(canvas)
    style = styled(mine.photo, style, style_seed, model)
    photo = mine.photo if style.kind == "photo" else None
    operation = Repaint(layout, style, blend)
    step = next(
        (
            step
            for step in editor(model).made(mine.history, operation)
            if step is mine.history.opened or mine.photos.get(step) is photo
        ),
        None,
    )
    if step is None:
        step = editor(model).apply(at, operation)
    desk.store.update(session.key, lambda work: work.landed(step, canvas, photo))
    return step, session


def styled(photo: Codes | None, kind: str, seed: int, model: str) -> Style:
    """The style that is asked for; `photo` is that of another photo, where one was chosen."""
    if kind == "seed":
        return Style.seed(whole(seed))
    if kind == "own" or photo is None:
        return Style.own()
    return Style.photo(photo[model])


# The page


def build(arrive: Callable) -> None:
    """Builds the tab; `arrive` is the event with which it is first seen."""
    part = Page(tab)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column(scale=8, min_width=330):
            layout_in = gr.UploadButton(
                "Open a layout", elem_id="open-layout", render=False, **BUTTON
            )
            with gr.Row(elem_classes=["tight"]):
                part.openers(layout_in)
            part.chooser()
            part.painter(label="Canvas")
            part.history()
            with gr.Accordion(
                "Take a part from another face", open=False, elem_id="parts"
            ) as parts:
                with gr.Row(elem_classes=["tight", "top"]):
                    with gr.Column(scale=3, min_width=200):
                        piece = gr.Dropdown(
                            [(name.capitalize(), name) for name in PARTS], label="Part"
                        )
                        donor = gr.Radio(DONORS, value="seed", label="From")
                        donor_seed = inline(DONOR, label="Face")
                        donor_upload = gr.UploadButton(
                            "Choose the file", visible=False, elem_id="donor-photo", **BUTTON
                        )
                    donor_shown = gr.Image(
                        label="From", visible=False, elem_id="donor", min_width=120, **PICTURE
                    )
                donors = strip(tab.examples, elem_id="donors")
                take = gr.Button("Take it", variant="primary", **BUTTON)
        with gr.Column(scale=5, min_width=300):
            part.picture()
            part.comparison("Paint on the layout. The picture follows each stroke.")
            part.another()
            style = gr.Radio(STYLES, value="own", label="Style", elem_id="style")
            style_seed = gr.Slider(0, STYLE_SEEDS - 1, 0, step=1, label="Style seed", visible=False)
            with gr.Row(visible=False, elem_classes=["tight"]) as other:
                reference_photo = gr.UploadButton(
                    "Choose the photo", elem_id="style-photo", **BUTTON
                )
                reference_shown = gr.Image(
                    label="Style from", visible=False, min_width=120, **PICTURE
                )
            model = gr.Radio(
                [(f"{side(name)}²", name) for name in MODELS],
                value=MODELS[0],
                label="Model",
                elem_id="model",
                visible=len(MODELS) > 1,
            )
            blend = gr.Checkbox(True, label="Keep the picture where the layout is unchanged")
            with gr.Row(elem_classes=["tight"]):
                save_picture_button = gr.Button("Save picture", **BUTTON)
                save_layout_button = gr.Button("Save layout", **BUTTON)
        with gr.Column(min_width=700):  # a row of its own, below
            part.examples("Layouts to begin with")

    part.connect(arrive, [style, style_seed, blend, model])
    canvas, result, scores, session = part.canvas, part.result, part.scores, part.session
    settings = [style, style_seed, blend, model, session]
    part.step(
        reference_photo.upload,
        reference,
        [reference_photo, canvas, style_seed, blend, model, session],
        [style, reference_shown, result, scores, session],
        api_name="reference",
        **QUIET,
    )
    laid = [canvas, result, scores, session]
    part.open(layout_in.upload, open_layout, [layout_in, *settings], laid)
    part.open(take.click, take_part, [canvas, piece, donor, donor_seed, *settings], laid)
    donor_upload.upload(
        sentences(donor_file),
        [donor_upload, session],
        [donor, donor_shown, session],
        api_name="donor",
        show_progress="minimal",
        show_progress_on=donor_shown,
        **app.MODEL,
    )
    gr.on(
        [parts.expand, donor.input, donor_seed.submit],
        sentences(donor_face),
        [donor, donor_seed, session],
        donor_shown,
        **PRIVATE,
    )
    donors.select(sentences(donor_example), session, [donor_seed, donor_shown], **PRIVATE)
    asking = [canvas.input, style.input, style_seed.input, blend.input, model.input]
    part.step(
        partial(gr.on, asking),
        paint,
        [canvas, *settings],
        [result, scores, session],
        api_name="paint",
        trigger_mode="always_last",
        **QUIET,
    )
    for choice, shows in (
        (style, {style_seed: "seed", other: "photo"}),
        (donor, {donor_seed: "seed", donors: "seed", donor_upload: "photo"}),
    ):
        choice.change(
            lambda kind, shows=shows: [gr.update(visible=kind == when) for when in shows.values()],
            choice,
            list(shows),
            queue=False,
            **NOW,
        )
    part.save(save_picture_button.click, picture, [canvas, *settings], "Picture", session)
    part.save(save_layout_button.click, tab.layout, [canvas], "Layout")


def main(browser: bool = False) -> None:
    """Serves Paint alone until it is stopped."""
    app.serve("Paint", "Paint a face layout, get a photograph.", build, browser=browser)


if __name__ == "__main__":
    try:
        main(browser=True)
    except InputError as error:
        sys.exit(f"semedit: {error}")
