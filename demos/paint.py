"""Paint a face layout, get a photograph.

python demos/paint.py
"""

import secrets
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.editing.parts import PARTS, copy_part
from semedit_lite.errors import InputError
from semedit_lite.faces.align import NO_FACE, NoFaceError
from semedit_lite.faces.detect import Face, find_faces
from semedit_lite.images import load_photo, read_layout
from semedit_lite.labels import FACE, IGNORE
from semedit_lite.photo import Photo, read_photo
from semedit_lite.ui import app
from semedit_lite.ui.app import sentences
from semedit_lite.ui.chooser import chooser
from semedit_lite.ui.chooser import decode as decode_choice
from semedit_lite.ui.chooser import encode as encode_choice
from semedit_lite.ui.history import history_strip, remembered
from semedit_lite.ui.painter import decode_value, document_of, encode_value, painter
from semedit_lite.ui.scorecard import scorecard
from semedit_lite.ui.session import ClosedError, Codes, Desk, Session, Work
from semedit_lite.ui.store import GoneError

SIZE = 256
SEEDS = 1_000_000  # "New face" draws below this
STYLE_SEEDS = 10_000
# Layouts of generated faces, as `semedit faces` writes them: their names are the seeds.
EXAMPLES = sorted((Path(__file__).parent / "layouts").glob("*.png"))
FIRST = 24  # the face on the canvas when the page opens
DONOR = 12  # the face that parts are taken from, until another is chosen
STYLES = [("Its own", "own"), ("Random", "seed"), ("Another photo's", "photo")]
DONORS = [("A generated face", "seed"), ("A photo or layout", "photo")]
PICTURE = {"interactive": False, "format": "png", "buttons": [], "elem_classes": ["picture"]}
BUTTON = {"size": "md", "min_width": 110}

NO_CHOICE = "", gr.Column(visible=False)  # what hides the photo on which a face is chosen
UNTOUCHED = {"classes": {}, "change_inside": None, "change_outside": 0.0, "seconds": 0.0}
STORAGE = "semedit-paint"  # where a browser tab keeps the key of its work

arriving = threading.Lock()  # several visitors at once: what all of them see is made once


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


@cache
def first() -> Document:
    """The face that everybody sees who arrives."""
    return editor(MODELS[0]).generate(FIRST)


@lru_cache(maxsize=16)
def another(seed: int) -> Document:
    """Any other generated face."""
    return editor(MODELS[0]).generate(seed)


def face(seed: int | None = None) -> Document:
    """A generated face; made after the one that pages open with, which else would come late and
    cover it."""
    with arriving:
        shown = first()
    return shown if seed in (None, FIRST) else another(seed)


desk = Desk(face)


def whole(seed: float | None) -> int:
    """A seed as it comes from outside."""
    if seed is None or seed != seed or not 0 <= seed < 2**31 or seed != int(seed):
        raise InputError("The seed is a whole number from 0 to 2147483647.")
    return int(seed)


# Events. Each takes the session last and returns what changes on the page; the first line of its
# docstring is its description in the API.


def start(session, key=""):
    """The work that this tab had before it was reloaded, or the first face, unchanged; no network
    has to look at either, so nobody queues for it."""
    try:
        work, session = desk.resume(str(key))
        again = gr.Button(visible=work.uploaded is not None)
        return *restored(work.history), again, *laid_out(work.history, session), session
    except GoneError:
        session = replace(desk.arrive(), seed=FIRST)
        return *[gr.skip()] * 6, *laid_out(History.start(face()), session), session


def laid_out(history: History, session: Session):
    """Canvas value, face, result, scorecard."""
    opened, current = history.opened, history.current
    value = encode_value(current.layout, opened.picture, fresh=True, document=session.canvas)
    return value, served(opened), *result_of(current)


def result_of(step: Document):
    """Result, scorecard."""
    return served(step), step.scores or UNTOUCHED


def restored(history: History):
    """The settings as they were at the current step, and the face's number, if it has one."""
    return *settings_of(history.current), number(history.opened.operation.get("seed"))


def settings_of(step: Document):
    """Style, its seed, blend and model that a step was painted with, as far as they are known."""
    painted = step.operation if step.operation.get("tool") == "paint" else {}
    style = painted.get("style")
    kind, seed = (style.get("kind"), style.get("seed")) if isinstance(style, dict) else (None, None)
    return (
        kind if kind in dict(STYLES).values() else gr.skip(),
        gr.skip() if number(seed, STYLE_SEEDS) is None else seed,
        bool(painted["composite"]) if "composite" in painted else gr.skip(),
        painted["model"] if painted.get("model") in MODELS else gr.skip(),
    )


def number(seed: Any, limit: int = 2**31) -> int | None:
    """A seed that a file names, if it is one."""
    return seed if type(seed) is int and 0 <= seed < limit else None


def generate(seed, style, style_seed, blend, model, session):
    """A generated face, by its seed: canvas value, face, result, scorecard."""
    seed = whole(seed)
    return opened(face(seed), seed, style, style_seed, blend, model, session)


def random_face(style, style_seed, blend, model, session):
    """A generated face nobody has seen: as /generate, and its seed."""
    seed = secrets.randbelow(SEEDS)
    return *generate(seed, style, style_seed, blend, model, session), seed


def example(style, style_seed, blend, model, session, chosen: gr.SelectData):
    """The face of an example layout, and its seed."""
    seed = int(EXAMPLES[chosen.index].stem)
    return *generate(seed, style, style_seed, blend, model, session), seed


def upload(photo, style, style_seed, blend, model, session):
    """The largest face in a photo (PNG, JPEG, WebP, ...; 16 megapixels): as /generate, and, where
    there are several faces, the photo with all of them. /choose_face opens another."""
    face()  # a page that was just opened shows its own first, which would cover this one
    kept, upright = read_photo(photo)
    faces = find_faces(upright)
    if not faces:
        raise NoFaceError(f"{NO_FACE} Or lay the square over it yourself.")
    document = editor(MODELS[0]).open(kept.file, faces[0])
    *shown, session = opened(document, None, style, style_seed, blend, model, session)
    session = desk.change(session, uploaded=kept, faces=tuple(faces))
    choice = offered(kept, faces) if len(faces) > 1 else NO_CHOICE
    return *shown, session, *choice


def missed(photo, session):
    """The photo in which /open found no face, to lay a square over it; nothing for other files."""
    try:
        kept, upright = read_photo(photo)
    except InputError:
        return *NO_CHOICE, gr.skip(), session
    faces = find_faces(upright)
    if desk.peek(session) is None and session.seed is None:
        session = desk.arrive()  # the work before was forgotten; this begins another
    session = desk.change(session, uploaded=kept, faces=tuple(faces))
    return *offered(kept, faces), gr.Button(visible=True), session


def faces_again(session):
    """The photo of /open with its faces, to choose another or to lay a square over one."""
    work, session = with_photo(session)
    return *offered(work.uploaded, work.faces), session


def with_photo(session: Session) -> tuple[Work, Session]:
    """The visitor's work, in which a photo was uploaded."""
    work, session = desk.work(session)
    if work.uploaded is None:
        raise InputError("There is no photo whose face could be chosen; upload one first.")
    return work, session


def offered(photo: Photo, faces: Sequence[Face]):
    """What shows a photo on which a face may be chosen."""
    boxes = [{"box": face.box} for face in faces]
    return encode_choice(photo.upright, boxes), gr.Column(visible=True)


def choose_face(chosen, style, style_seed, blend, model, session):
    """Another face of the photo of /open: as /generate.

    `chosen` is {"face": 0}, counted from 0, the largest, or {"square": [cx, cy, side, degrees]}
    in pixels of the upright photo, or {"cancel": true}.
    """
    work, session = with_photo(session)
    choice = decode_choice(chosen, work.uploaded.size, len(work.faces))
    if choice is None:
        return *[gr.skip()] * 4, session, *NO_CHOICE
    face = work.faces[choice] if isinstance(choice, int) else choice
    document = editor(MODELS[0]).open(work.uploaded.file, face)
    return *opened(document, None, style, style_seed, blend, model, session), *NO_CHOICE


def opened(document: Document, seed: int | None, style, style_seed, blend, model, session):
    """A document on a fresh canvas, painted as the settings ask for."""
    mine, history = desk.peek(session), History.start(document)
    style = styled(mine and mine.photo, style, style_seed, model)
    operation = Repaint(document.layout, style, blend)
    if not editor(model).made(history, operation):
        history = history.push(editor(model).apply(document, operation))
    session = desk.open(history, seed, session)  # last: whatever failed before has cost nothing
    return *laid_out(history, session), session


def work(session):
    """Every step of the work as a file, to go on with it another time: see /open_work."""
    mine, session = desk.work(session)
    seed = number(mine.history.opened.operation.get("seed"))
    title = "photo" if seed is None else f"face-{seed}"
    path = app.saved(f"{title}.semedit", mine.history.save)
    if Path(path).stat().st_size > app.MAX_UPLOAD * 2**20:
        gr.Warning(f"The file is larger than {app.MAX_UPLOAD} MB, too large to be opened here.")
    return path, session


def open_work(file, session):
    """A work that was saved: canvas value, face, result, scorecard, and the settings it had."""
    face()  # as in `upload`
    history = History.open(file)
    if history.opened.layout.shape[1:] != (SIZE, SIZE):
        raise InputError(f"This work is not {SIZE} pixels wide and high; choose one saved here.")
    if any((step.layout == IGNORE).any() for step in history.steps):
        raise InputError("This work has pixels without a class; choose one that was saved here.")
    session = desk.open(history, None, session)
    return *laid_out(history, session), *restored(history), session


def visit(chosen, session):
    """Goes to a step of the work: its layout, picture, scorecard and settings."""
    step, session = desk.visit(chosen, session)
    value = encode_value(step.layout, document=session.canvas)
    return value, *result_of(step), *settings_of(step), session


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
    seed = int(EXAMPLES[chosen.index].stem)
    return seed, donor_face("seed", seed, session)


def giver(donor: str, seed: int, session: Session) -> Document:
    """The document of the face that parts are taken from."""
    if donor == "seed":
        return face(whole(seed))
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
    return value, *result_of(step), session


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
    return *result_of(step), session


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


def layout(canvas):
    """The layout as a file: a PNG with a palette, whose pixel values are class ids."""
    return app.saved("layout.png", FACE.to_pil(decode_value(canvas, FACE, SIZE)[0]).save)


def served(document: Document, *, whole: bool = False) -> str:
    """A PNG of a document, with its provenance, that the page may fetch."""
    return app.saved("picture.png", lambda path: document.save_picture(path, whole=whole))


# The page


def strip(name: str) -> gr.Gallery:
    """The example layouts, to choose one."""
    return gr.Gallery(
        [str(path) for path in EXAMPLES],
        show_label=False,
        elem_id=name,
        elem_classes=["strip"],
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
    )


def build(page: gr.Blocks) -> None:
    """Builds the tab inside `page`."""
    session = gr.State(Session())
    with gr.Row(elem_classes=["panels"]):
        with gr.Column(scale=8, min_width=330):
            with gr.Row(elem_classes=["tight"]):
                photo = gr.UploadButton(
                    "Upload a photo", variant="primary", elem_id="photo", **BUTTON
                )
                new = gr.Button("New face", **BUTTON)
                layout_in = gr.UploadButton("Open a layout", elem_id="open-layout", **BUTTON)
                seed = gr.Number(
                    FIRST, label="Face", precision=0, min_width=120, elem_classes=["inline"]
                )
            with gr.Column(visible=False) as choice:
                faces = chooser(elem_id="faces")
            canvas = painter(FACE, SIZE, label="Canvas", elem_id="canvas")
            history = history_strip(STORAGE, label="History", elem_id="history")
            with gr.Row(elem_classes=["tight"]):
                save_work_button = gr.Button("Save work", **BUTTON)
                work_in = gr.UploadButton("Open work", elem_id="open-work", **BUTTON)
            with gr.Accordion(
                "Take a part from another face", open=False, elem_id="parts"
            ) as parts:
                with gr.Row(elem_classes=["tight", "top"]):
                    with gr.Column(scale=3, min_width=200):
                        part = gr.Dropdown(
                            [(name.capitalize(), name) for name in PARTS], label="Part"
                        )
                        donor = gr.Radio(DONORS, value="seed", label="From")
                        donor_seed = gr.Number(
                            DONOR, label="Face", precision=0, min_width=120, elem_classes=["inline"]
                        )
                        donor_upload = gr.UploadButton(
                            "Choose the file", visible=False, elem_id="donor-photo", **BUTTON
                        )
                    donor_shown = gr.Image(
                        label="From", visible=False, elem_id="donor", min_width=120, **PICTURE
                    )
                donors = strip("donors")
                take = gr.Button("Take it", variant="primary", **BUTTON)
        with gr.Column(scale=5, min_width=300):
            result = gr.Image(label="Result", elem_id="result", **PICTURE)
            with gr.Row(elem_classes=["tight", "top"]):
                before = gr.Image(label="Before", elem_id="before", min_width=120, **PICTURE)
                scores = scorecard(FACE, min_height=120)
            again = gr.Button("Choose another face", visible=False, **BUTTON)
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
            # What a browser downloads has to lie behind a link: these are clicked by script.
            picture_file = gr.DownloadButton("Picture", visible="hidden", elem_id="picture-file")
            layout_file = gr.DownloadButton("Layout", visible="hidden", elem_id="layout-file")
            work_file = gr.DownloadButton("Work", visible="hidden", elem_id="work-file")
        with gr.Column(min_width=700):  # a row of its own, below
            gr.HTML("Layouts to begin with", elem_classes=["title"])
            examples = strip("examples")

    settings = [style, style_seed, blend, model, session]
    restored = [style, style_seed, blend, model, seed]
    face = [canvas, before, result, scores]
    shown = [*face, session]
    quiet = {"show_progress": "hidden", **app.MODEL}
    opening = {"show_progress": "minimal", "show_progress_on": result, **app.MODEL}
    private_now = {"api_visibility": "private", "show_progress": "hidden"}  # beside the models
    private = {"api_visibility": "private", **quiet}

    def step(trigger, handler, inputs, outputs, **options):
        """An event that may make a step; the strip then gets it, and nobody waits for that."""
        event = trigger(sentences(handler), inputs, outputs, **options)
        event.then(desk.strip, [history, session], history, queue=False, **private_now)
        return event

    step(
        page.load,
        lambda key, session: start(session, key),
        [history, session],
        [*restored, again, *shown],
        js=remembered(STORAGE),
        api_name="start",
        queue=False,
        **private_now,
    )
    step(seed.submit, generate, [seed, *settings], shown, api_name="generate", **opening)
    step(new.click, random_face, settings, [*shown, seed], api_name="random_face", **opening)
    step(examples.select, example, settings, [*shown, seed], **private)
    choosing = [faces, choice]
    own = step(
        photo.upload, upload, [photo, *settings], [*shown, *choosing], api_name="open", **opening
    )
    own.failure(missed, [photo, session], [*choosing, again, session], **private)
    own.success(  # no seed made this face
        lambda: (None, gr.Button(visible=True)), None, [seed, again], queue=False, **private_now
    )
    again.click(sentences(faces_again), session, [*choosing, session], queue=False, **private_now)
    step(
        faces.input,
        choose_face,
        [faces, *settings],
        [*shown, *choosing],
        api_name="choose_face",
        **opening,
    ).success(lambda: None, None, seed, queue=False, **private_now)
    step(
        work_in.upload,
        open_work,
        [work_in, session],
        [*face, *restored, session],
        api_name="open_work",
        **opening,
    )
    at_step = [canvas, result, scores, *settings]
    step(history.input, visit, [history, session], at_step, queue=False, **private_now)
    step(
        reference_photo.upload,
        reference,
        [reference_photo, canvas, style_seed, blend, model, session],
        [style, reference_shown, result, scores, session],
        api_name="reference",
        **quiet,
    )
    laid = [canvas, result, scores, session]
    step(
        layout_in.upload,
        open_layout,
        [layout_in, *settings],
        laid,
        api_name="open_layout",
        **opening,
    )
    chosen = [donor, donor_seed, session]
    step(
        take.click,
        take_part,
        [canvas, part, donor, donor_seed, *settings],
        laid,
        api_name="take_part",
        **opening,
    )
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
        chosen,
        donor_shown,
        **private,
    )
    donors.select(sentences(donor_example), session, [donor_seed, donor_shown], **private)
    asking = [canvas.input, style.input, style_seed.input, blend.input, model.input]
    step(
        partial(gr.on, asking),
        paint,
        [canvas, *settings],
        [result, scores, session],
        api_name="paint",
        trigger_mode="always_last",
        **quiet,
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
            **private_now,
        )
    for save, inputs, button, file, more in (
        (picture, [canvas, *settings], save_picture_button, picture_file, [session]),
        (layout, [canvas], save_layout_button, layout_file, []),
        (work, [session], save_work_button, work_file, [session]),
    ):
        made = button.click(sentences(save), inputs, [file, *more], api_name=save.__name__, **quiet)
        click = f"document.querySelector('#{file.elem_id}').click()"
        made.success(None, js=f"() => setTimeout(() => {click})")


def main(browser: bool = False) -> None:
    """Serves Paint alone until it is stopped."""
    with app.blocks("semedit Paint") as page:
        app.masthead("Paint", "Paint a face layout, get a photograph.")
        build(page)
    app.launch(page, browser=browser)


if __name__ == "__main__":
    try:
        main(browser=True)
    except InputError as error:
        sys.exit(f"semedit: {error}")
