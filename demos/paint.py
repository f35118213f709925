"""Paint a face layout, get a photograph.

python demos/paint.py
"""

import secrets
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.document import Document
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.editing.parts import PARTS, copy_part
from semedit_lite.errors import InputError
from semedit_lite.images import load_photo, read_layout
from semedit_lite.labels import FACE
from semedit_lite.ui import app
from semedit_lite.ui.app import sentences
from semedit_lite.ui.painter import decode_value, document_of, encode_value, painter
from semedit_lite.ui.store import Store

SIZE = 256
SEEDS = 1_000_000  # "New face" draws below this
# Layouts of generated faces, as `semedit faces` writes them: their names are the seeds.
EXAMPLES = sorted((Path(__file__).parent / "layouts").glob("*.png"))
FIRST = 24  # the face on the canvas when the page opens
DONOR = 12  # the face that parts are taken from, until another is chosen
STYLES = [("Its own", "own"), ("Random", "seed"), ("Another photo's", "photo")]
DONORS = [("A generated face", "seed"), ("A photo or layout", "photo")]
PICTURE = {"interactive": False, "format": "png", "buttons": [], "elem_classes": ["picture"]}
BUTTON = {"size": "md", "min_width": 110}

photos = Store()
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


def face(seed: int) -> Document:
    """A generated face."""
    if seed != FIRST:
        return another(seed)
    with arriving:
        return first()


@dataclass(frozen=True)
class Session:
    """What is remembered of a visitor: less than a kilobyte and style codes."""

    key: str | None = None  # of the document on the canvas; None before anything was opened
    seed: int = FIRST  # of the generated face that is edited ...
    photo: str | None = None  # ... or the key of an uploaded one in `photos`
    reference: dict[str, list[float]] | None = None  # the other photo's style code for each model
    donor: str | None = None  # key in `photos` of the photo or layout that parts are taken from

    @property
    def document(self) -> Document:
        return face(self.seed) if self.photo is None else photos.get(self.photo)

    def style(self, kind: str, seed: int, model: str) -> Style:
        if kind == "seed":
            return Style.seed(whole(seed))
        if kind == "own" or self.reference is None:
            return Style.own()
        return Style.photo(torch.tensor(self.reference[model])[None])


def whole(seed: float | None) -> int:
    """A seed as it comes from outside."""
    if seed is None or seed != seed or not 0 <= seed < 2**31 or seed != int(seed):
        raise InputError("The seed is a whole number from 0 to 2147483647.")
    return int(seed)


# Events. Each takes the session last and returns what changes on the page; the first line of its
# docstring is its description in the API.


def start(session):
    """The first face, unchanged; no network has to look at it, so nobody queues for it."""
    return opened(replace(session, seed=FIRST, photo=None), "own", 0, True, MODELS[0])


def generate(seed, style, style_seed, blend, model, session):
    """A generated face, by its seed: canvas value, face, result, scorecard."""
    session = replace(session, seed=whole(seed), photo=None)
    return opened(session, style, style_seed, blend, model)


def random_face(style, style_seed, blend, model, session):
    """A generated face nobody has seen: as /generate, and its seed."""
    seed = secrets.randbelow(SEEDS)
    return *generate(seed, style, style_seed, blend, model, session), seed


def example(style, style_seed, blend, model, session, chosen: gr.SelectData):
    """The face of an example layout, and its seed."""
    seed = int(EXAMPLES[chosen.index].stem)
    return *generate(seed, style, style_seed, blend, model, session), seed


def upload(photo, style, style_seed, blend, model, session):
    """The face in a head shot (PNG, JPEG, WebP, ...; 16 megapixels): as /generate."""
    document = editor(MODELS[0]).open(load_photo(photo))
    return opened(replace(session, photo=photos.put(document)), style, style_seed, blend, model)


def opened(session: Session, style: str, style_seed: int, blend: bool, model: str):
    document = session.document
    session = replace(session, key=secrets.token_hex(8))
    canvas = encode_value(document.layout, document.picture, fresh=True, document=session.key)
    repaint = Repaint(document.layout, session.style(style, style_seed, model), blend)
    result = editor(model).apply(document, repaint)
    return canvas, served(document), served(result), result.scores, session


def open_layout(file, style, style_seed, blend, model, session):
    """A layout for the picture that is open, from a PNG: canvas value, result, scorecard.

    Pixel values are class ids, or all colours those of `semedit parse`; any square is resized.
    """
    layout, note = read_layout(file, FACE, SIZE, resize=True)
    if note:
        gr.Info(note, title="Opened as numbers")
    return laid(layout, style, style_seed, blend, model, session)


def donor_file(file, session):
    """The face in a head shot, or a layout, to take parts from: "photo", that face."""
    try:
        layout, _ = read_layout(file, FACE, SIZE, resize=True)
        document = Document(FACE.pictures(layout), layout, {"tool": "open"})
    except InputError:
        document = editor(MODELS[0]).open(load_photo(file))
        document = replace(document, photo=None, alignment=None)  # of these nothing is needed
    key = photos.put(document)
    session = replace(session, donor=key)
    return "photo", donor_face("photo", None, session), session


def donor_face(donor, donor_seed, session):
    """The face that parts are taken from."""
    if donor == "photo" and session.donor is None:
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
    if session.donor is None:
        raise InputError("Choose the photo or layout that the part is taken from first.")
    return photos.get(session.donor)


def take_part(canvas, part, donor, donor_seed, style, style_seed, blend, model, session):
    """Another face's hair, glasses, ... in the layout: canvas value, result, scorecard.

    `donor` is "seed", the generated face of `donor_seed`, or "photo", that of /donor.
    """
    layout = drawn(canvas, session)
    layout = copy_part(layout, giver(donor, donor_seed, session).layout, PARTS[part])
    return laid(layout, style, style_seed, blend, model, session)


def laid(layout: Tensor, style: str, style_seed: int, blend: bool, model: str, session: Session):
    """A layout as one step on the canvas, and its picture."""
    canvas = encode_value(layout)
    return canvas, *paint(canvas, style, style_seed, blend, model, session)


def reference(photo, canvas, style_seed, blend, model, session):
    """Takes the style of another photo: style, that photo, result, scorecard."""
    photo = load_photo(photo)
    style = Style.photo(photo)
    codes = {name: editor(name).code(style, session.document)[0].tolist() for name in MODELS}
    session = replace(session, reference=codes)
    photo.thumbnail((SIZE, SIZE))
    photo = gr.Image(photo, visible=True)
    return "photo", photo, *paint(canvas, "photo", style_seed, blend, model, session), session


def paint(canvas, style, style_seed, blend, model, session):
    """The picture of a layout: result, scorecard.

    `canvas` is the data URL of a 256 x 256 PNG whose pixel values are class ids; `style` is "own",
    "seed" or "photo" (that of /reference; before, the face's own); `blend` keeps the opened picture
    outside the region that was changed.
    """
    if session.key is not None and document_of(canvas) not in (None, session.key):
        return gr.skip(), gr.skip()  # a last stroke on a picture that another has replaced
    result = repainted(canvas, style, style_seed, blend, model, session)
    return served(result), result.scores


def picture(canvas, style, style_seed, blend, model, session):
    """The picture as a file that carries its provenance; all of an uploaded photo, if blended.

    The photo comes back at most 2048 pixels wide or high.
    """
    return served(repainted(canvas, style, style_seed, blend, model, session), whole=blend)


def layout(canvas):
    """The layout as a file: a PNG with a palette, whose pixel values are class ids."""
    return kept("layout.png", FACE.to_pil(decode_value(canvas, FACE, SIZE)[0]).save)


def repainted(canvas, style, style_seed, blend, model, session) -> Document:
    """The session's document with this canvas."""
    layout, style = drawn(canvas, session), session.style(style, style_seed, model)
    return editor(model).apply(session.document, Repaint(layout, style, blend))


def drawn(canvas: str, session: Session) -> Tensor:
    """The layout on the canvas; InputError where it is another document's than the session's."""
    if document_of(canvas) not in (None, session.key):
        raise InputError("The picture on this page is no longer open here; open it again.")
    return decode_value(canvas, FACE, SIZE)


def served(document: Document, *, whole: bool = False) -> str:
    """A PNG of a document, with its provenance, that the page may fetch."""
    return kept("picture.png", lambda path: document.save_picture(path, whole=whole))


def kept(name: str, write: Callable[[Path], None]) -> str:
    """Puts a file where Gradio serves it from and, after an hour, deletes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return gr.processing_utils.save_file_to_cache(path, gr.utils.get_upload_folder())


# The page

TITLES = dict(zip(FACE.classes, FACE.titles, strict=True))
SCORES = """
<div class="scores">
  ${Object.keys(value?.classes ?? {}).length ? `
    <p>Found where it was asked for</p>
    <dl>${Object.entries(value.classes).map(([name, overlap]) => `
      <div>
        <dt>${titles[name]}</dt>
        <dd><i><b style="width: ${100 * overlap}%"></b></i>${Math.round(100 * overlap)} %</dd>
      </div>`).join("")}
    </dl>
    <p>Mean change ${value.change_inside.toFixed(1)} inside,
      ${(value.change_outside ?? 0).toFixed(1)} outside, of 255
      · ${Math.round(1000 * value.seconds)} ms</p>`
  : `<p>Paint on the layout. The picture follows each stroke.</p>`}
</div>"""
SCORES_STYLE = """
.scores { color: var(--body-text-color-subdued); font-size: 13px; line-height: 1.45; }
.scores p, .scores dl, .scores dd { margin: 0; }
.scores dl { margin: 6px 0; max-height: 132px; overflow-y: auto; }
.scores dl div { display: flex; justify-content: space-between; gap: 8px; }
.scores dt { color: var(--body-text-color); }
.scores dd { display: flex; align-items: center; gap: 8px; font-variant-numeric: tabular-nums; }
.scores i { width: 56px; height: 5px; border-radius: 3px; background: var(--border-color-primary); }
.scores b { display: block; height: 5px; border-radius: 3px; background: var(--color-accent); }
"""


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
            canvas = painter(FACE, SIZE, label="Canvas", elem_id="canvas")
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
                scores = gr.HTML(
                    html_template=SCORES,
                    css_template=SCORES_STYLE,
                    apply_default_css=False,
                    titles=TITLES,
                    label="Scorecard",
                    min_height=120,
                )
            style = gr.Radio(STYLES, value="own", label="Style", elem_id="style")
            style_seed = gr.Slider(0, 9999, 0, step=1, label="Style seed", visible=False)
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
        with gr.Column(min_width=700):  # a row of its own, below
            gr.HTML("Layouts to begin with", elem_classes=["title"])
            examples = strip("examples")

    settings = [style, style_seed, blend, model, session]
    shown = [canvas, before, result, scores, session]
    quiet = {"show_progress": "hidden", **app.MODEL}
    opening = {**quiet, "show_progress": "minimal", "show_progress_on": result}
    private_now = {"api_visibility": "private", "show_progress": "hidden"}  # beside the models
    private = {"api_visibility": "private", **quiet}

    page.load(sentences(start), session, shown, api_name="start", queue=False, **private_now)
    seed.submit(sentences(generate), [seed, *settings], shown, api_name="generate", **opening)
    new.click(sentences(random_face), settings, [*shown, seed], api_name="random_face", **opening)
    own = photo.upload(sentences(upload), [photo, *settings], shown, api_name="open", **opening)
    own.success(lambda: None, None, seed, queue=False, **private_now)  # no seed made this face
    reference_photo.upload(
        sentences(reference),
        [reference_photo, canvas, style_seed, blend, model, session],
        [style, reference_shown, result, scores, session],
        api_name="reference",
        **quiet,
    )
    layout_in.upload(
        sentences(open_layout),
        [layout_in, *settings],
        [canvas, result, scores],
        api_name="open_layout",
        **opening,
    )
    chosen = [donor, donor_seed, session]
    take.click(
        sentences(take_part),
        [canvas, part, donor, donor_seed, *settings],
        [canvas, result, scores],
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
    gr.on(
        [canvas.input, style.input, style_seed.input, blend.input, model.input],
        sentences(paint),
        [canvas, *settings],
        [result, scores],
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
    for save, inputs, button, file in (
        (picture, [canvas, *settings], save_picture_button, picture_file),
        (layout, canvas, save_layout_button, layout_file),
    ):
        made = button.click(sentences(save), inputs, file, api_name=save.__name__, **quiet)
        click = f"document.querySelector('#{file.elem_id}').click()"
        made.success(None, js=f"() => setTimeout(() => {click})")
    examples.select(sentences(example), settings, [*shown, seed], **private)


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
