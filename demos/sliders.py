"""Move sliders, or the parts of a face, and a photorealistic edit follows.

python demos/sliders.py
"""

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from PIL import Image
from torch import Tensor

from semedit_lite.editing.document import Document, saved_along
from semedit_lite.editing.sliders import SliderEditor, standing
from semedit_lite.editing.vectors import EditingVector
from semedit_lite.errors import InputError
from semedit_lite.images import resize_layout, save_picture
from semedit_lite.labels import FACE_FINE
from semedit_lite.ui import app
from semedit_lite.ui.app import sentences
from semedit_lite.ui.jobs import BUSY, Done, Jobs, watched
from semedit_lite.ui.page import BUTTON, NOW, PICTURE, QUIET, Page
from semedit_lite.ui.painter import decode_value, document_of, encode_value
from semedit_lite.ui.progress import NONE, encode_progress, progress
from semedit_lite.ui.session import ClosedError, Session, Work
from semedit_lite.ui.sliders import (
    Slider,
    decode_sliders,
    encode_sliders,
    sliders,
    wanted_slider,
)
from semedit_lite.ui.tab import Tab, served

SIZE = 256  # of the part map, and of the pictures that follow a slider
STEPS = (30, 100)  # of an edit by part map
FARTHEST = 100  # that a slider stands from 0, in a file from anywhere
OWN = 20  # sliders that a visitor may have
LETTERS = 40  # of a slider's title
NAME = re.compile(r"[a-z0-9-]{1,50}")  # of a slider, and of its file
UNSURE = (255, 0, 160)  # the colour of what the part map is unsure about
EXTRAS = "Extras"
# Where the slider of a vector stands: by the classes that it changes.
GROUPS = {
    "Mouth": FACE_FINE.groups["mouth"],
    "Eyes": FACE_FINE.groups["eyes"],
    "Brows": FACE_FINE.groups["brows"],
    "Hair": FACE_FINE.groups["hair"],
    "Face": tuple(map(FACE_FINE.id, ("skin", "nose", "l_ear", "r_ear", "neck"))),
}
YOURS = "Yours"
GONE = (gr.skip(),) * 3  # what changes on a page that shows something else by now
POOR = (
    "The generator found this face only roughly, so edits may look like somebody else. Try again "
    "from another start, or choose a photo that shows the face from the front."
)


HOW = (
    "<b>Paint the part map</b><p>Raise a brow, widen an eye, add a beard: paint where the parts "
    "shall be, then apply it. What you save as a slider works on other faces.</p>"
)

# Takes what is to be called after each step, and what says whether to stop.
Edit = Callable[[Callable[..., None], Callable[[], bool]], Document]


@cache
def editor() -> "SliderEditor":
    """The networks, loaded when first needed."""
    return SliderEditor()


@dataclass(frozen=True)
class SliderWork(Work):
    """A work with the visitor's own sliders, which go along to other faces."""

    vectors: Mapping[str, "EditingVector"] = field(default_factory=dict)

    @property
    def nbytes(self):
        return super().nbytes + sum(vector.nbytes for vector in self.vectors.values())

    @property
    def along(self):
        return {name: vector.to_bytes() for name, vector in self.vectors.items()}


class SliderTab(Tab):
    """What is opened becomes a code of the generator, which sliders and part maps move."""

    name = "sliders"
    prefix = "sliders-"
    labels = FACE_FINE
    size = SIZE
    examples = sorted((Path(__file__).parent / "faces").glob("*.jpg"))
    slow = True
    more = 3
    kept = SliderWork

    def make(self, seed):
        return editor().open(seed)

    def read(self, photo, face):
        return editor().open(photo, face, progress=gr.Progress())

    def on_canvas(self, step, session, *, fresh):
        return on_canvas(step, session)

    def seen(self, step):
        return looked_at(step.picture)

    def beside(self, step, session):
        """Sliders, what the generator made of a photo, the way to another."""
        work = self.desk.peek(session)
        return (
            encode_sliders(groups(work), standing(step), busy=""),
            *inversion_of(step.opened),
        )

    def check(self, history):
        if any(step.latent is None for step in history.steps):
            raise InputError("This work was not made with sliders; open it where it was made.")

    def along(self, file, work):
        """The sliders of the work, which its steps know by their names, and the visitor's own under
        names that are free."""
        files = saved_along(file)
        if not all(NAME.fullmatch(name) for name in files):
            raise InputError("This work has a slider without a name; choose one saved here.")
        vectors = {name: editor().load(data) for name, data in files.items()}
        there = {vector.to_bytes() for vector in vectors.values()}
        own = {} if work is None else work.vectors
        for vector in own.values():
            if vector.to_bytes() not in there:
                vectors[free_name(vector.title, {**editor().vectors, **vectors})] = vector
        if len(vectors) > OWN:
            raise InputError(
                f"The sliders of this work and your own are more than {OWN}, the most that are "
                "kept here; open it in a private window."
            )
        return {"vectors": vectors}


tab = SliderTab()
desk = tab.desk
jobs = Jobs()


# What steps and vectors are on the page


def parts_of(step: Document) -> Tensor:
    """The part map of a step (1, SIZE, SIZE), as it is painted on."""
    return resize_layout(step.layout, SIZE)


def on_canvas(step: Document, session: Session, over: Tensor | None = None) -> str:
    """What shows the part map of a step over its picture. What was painted on the page since it
    showed `over` (1, SIZE, SIZE) stays; the steps of that are forgotten: to undo is to go back in
    the history."""
    below = step.picture.resize((SIZE, SIZE), Image.Resampling.BOX)
    return encode_value(
        parts_of(step),
        below,
        fresh=True,
        document=session.canvas,
        over=over,
        overlay=unsure(step),
    )


def known(work: Work | None) -> dict[str, Slider]:
    """The sliders of a visitor by their names, those that come with the editor first."""
    own = {} if work is None else work.vectors
    return {
        name: Slider(name, vector.title, *vector.range, own=name in own)
        for name, vector in {**editor().vectors, **own}.items()
    }


def groups(work: Work | None) -> dict[str, list[Slider]]:
    """The same, as they stand on the page."""
    shown: dict[str, list[Slider]] = {title: [] for title in (*GROUPS, EXTRAS, YOURS)}
    for name, slider in known(work).items():
        shown[YOURS if slider.own else group_of(editor().vectors[name])].append(slider)
    return shown


def group_of(vector: "EditingVector") -> str:
    """The first group that has all classes which a vector changes."""
    classes = {FACE_FINE.id(name) for name in vector.classes}
    return next((title for title, those in GROUPS.items() if classes <= {*those}), EXTRAS)


def unsure(step: Document) -> Image.Image:
    """Where the part map of a step is unsure, as a picture to lay over it."""
    doubt = editor().uncertainty(step)  # (H, W)
    alpha = 255 * doubt / max(0.2 * math.log(2), doubt.quantile(0.995).item())
    alpha = Image.fromarray(alpha.clamp(0, 230).byte().numpy()).resize((SIZE, SIZE))
    overlay = Image.new("RGBA", (SIZE, SIZE), UNSURE)
    overlay.putalpha(alpha)
    return overlay


def inversion_of(opened: Document):
    """What the generator made of a photo; whether to try again is offered."""
    if opened.photo is None:
        return gr.Image(None, visible=False), gr.Row(visible=False)
    found = editor().inversion(opened)
    return gr.Image(looked_at(found.picture), visible=True), gr.Row(visible=found.poor)


def looked_at(picture: Image.Image) -> str:
    """A picture that is only to be looked at, as a file that the page may fetch."""
    return app.saved("preview.jpg", lambda path: save_picture(picture, path, {"synthetic": True}))


# What is special to this tab; as in `Tab`, each event takes the session last. It gives the session
# back only where it began a work: the page may have another by then.


def slide(sliders, session):
    """A face with its sliders moved, 256 pixels, at once and only to be looked at: picture.

    `sliders` is {"values": {"smile": 1.0}}; those that it does not name stand at 0.
    """
    mine, begun = desk.work(session)
    at, values, _ = asked(sliders, mine, begun)
    if (job := jobs.on(begun.canvas)) is not None:
        if job.asked == values:  # a move from before the slider was let go
            return gr.skip(), gr.skip()
        raise InputError(BUSY)
    if values == standing(at):
        return tab.seen(at), only(begun, session)
    shown = editor().slide(at, values, own=mine.vectors)
    return looked_at(shown), only(begun, session)


def finish(sliders, session):
    """A face with its sliders moved, at full size, as a step: part map, picture to look at,
    scorecard. /sliders_picture then gives it as a file.

    `sliders` is as for /sliders_slide.
    """
    mine, begun = desk.work(session)
    at, values, _ = asked(sliders, mine, begun)
    if jobs.on(begun.canvas) is not None:
        raise InputError(BUSY)
    if values == standing(at):
        return gr.skip(), *tab.result_of(at), only(begun, session)
    step = editor().finish(at, values, own=mine.vectors)
    return *landed(step, parts_of(at), begun), only(begun, session)


def refine(sliders, session):
    """As /sliders_finish, then refined so that the rest of the face stays as it was: part map,
    picture, scorecard, sliders, progress.

    `sliders` is {"values": {"smile": 1.0}, "refine": 10}, steps of refinement: 10 or 30.
    """
    mine, begun = desk.work(session)
    at, values, steps = asked(sliders, mine, begun)
    if not steps or not (values or standing(at)):
        raise InputError("Move a slider and choose 10 or 30 steps; only an edit can be refined.")
    # What the same sliders made already is refined from where that began.
    start = at.parent if at.parent and values == standing(at) != standing(at.parent) else at

    def edit(on_step, stop):
        options = {"refine": steps, "on_step": on_step, "stop": stop}
        return editor().finish(start, values, own=mine.vectors, **options)

    yield from worked_out(edit, parts_of(at), values, steps, session, begun)


def apply(canvas, steps, session):
    """The face that has the parts which were painted: part map, picture, scorecard, sliders,
    progress.

    `canvas` is the data URL of a 256 x 256 PNG whose pixel values are class ids of the part map, or
    what the page's canvas holds; `steps` are 30 to 100.
    """
    painted = decode_value(canvas, FACE_FINE, SIZE)
    low, high = STEPS
    if steps is None or steps != steps or not low <= steps <= high:
        raise InputError(f"An edit takes {low} to {high} steps.")
    mine, begun = desk.work(session)
    at = mine.at(document_of(canvas) or begun.canvas)
    if torch.equal(painted, parts_of(at)):
        raise InputError("The part map is as it was; paint what shall change, then apply it.")

    def edit(on_step, stop):
        return editor().repaint(at, painted, steps=int(steps), on_step=on_step, stop=stop)

    yield from worked_out(edit, painted, None, int(steps), session, begun)


def asked(sliders: Any, mine: SliderWork, session: Session) -> tuple[Document, dict, int]:
    """The step that a page is at, how its sliders are to stand, steps of refinement. Sliders that
    are known no longer stay as they are."""
    at, there = mine.at(session.canvas), known(mine)
    values, steps = decode_sliders(sliders, there)
    others = {name: value for name, value in standing(at).items() if name not in there}
    return at, others | values, steps


def only(begun: Session, session: Session):
    """The session of a work that was begun just now."""
    return gr.skip() if begun is session else begun


def worked_out(
    edit: Edit,
    over: Tensor,
    values: dict | None,
    steps: int,
    session: Session,
    begun: Session,
) -> Iterator[tuple]:
    """Runs an edit of what a page is at and shows how it goes on; who goes elsewhere stops it. Part
    map (see `landed`), picture, scorecard, sliders, progress, session."""
    skipped = gr.skip()
    with jobs.begin(begun.canvas, values) as job:
        words = encode_progress(0, "Begins …")
        yield *[skipped] * 3, encode_sliders(busy=BUSY), words, only(begun, session)

        def stopped() -> bool:
            mine = desk.peek(begun)
            return job() or mine is None or not mine.shows(begun.canvas)

        for seen in watched(lambda report: edit(report, stopped), job):
            if isinstance(seen, Done):
                step = seen.result
                break
            number, loss, picture = seen
            words = f"Step {number} of {steps} · loss {loss:.3f}"
            shown = skipped if picture is None else looked_at(picture)
            seen = encode_progress(number / steps, words, picture)
            yield skipped, shown, *[skipped] * 2, seen, skipped
        shown = landed(step, over, begun)
    free = skipped if shown == GONE else encode_sliders(at=standing(step), busy="")
    yield *shown, free, NONE, skipped


def landed(step: Document, over: Tensor, session: Session):
    """Part map, picture, scorecard of a step that a page has come to; nothing where the visitor has
    gone elsewhere meanwhile. What was painted since the canvas showed `over` stays there."""
    try:
        mine = desk.store.update(session.key, lambda work: work.landed(step, session.canvas))
    except ClosedError:
        return GONE
    if not mine.shows(session.canvas):
        return GONE  # the step is kept
    return on_canvas(step, session, over), *tab.result_of(step)


def stop(session):
    """Ends the edit that is being worked out, at the best that has come so far."""
    if (job := jobs.on(session.canvas)) is None:
        raise InputError("Nothing is being worked out.")
    job.stopped.set()


def as_it_is(session):
    """Picture, sliders, progress of the step that a page is at."""
    mine = desk.peek(session)
    if mine is not None and not mine.shows(session.canvas):
        return GONE
    at = tab.face(session.seed) if mine is None else mine.at(session.canvas)
    if jobs.on(session.canvas) is not None:
        return gr.skip(), encode_sliders(at=standing(at)), gr.skip()
    return tab.seen(at), encode_sliders(at=standing(at), busy=""), NONE


def discard(session):
    """The part map of the step that a page is at, without what was painted: part map."""
    mine, begun = desk.work(session)
    return on_canvas(mine.at(begun.canvas), begun), only(begun, session)


def retry(session):
    """The face of the photo that is open, found by the generator from another start: as
    /sliders_open."""
    mine, session = desk.work(session)
    opened = mine.history.opened
    if opened.photo is None:
        raise InputError("No photo is open whose face could be found anew; upload one first.")
    return tab.opened(editor().retry(opened, progress=gr.Progress()), None, session)


# Sliders of the visitor's own


def save_slider(name, session):
    """Makes a slider of the edit that led to the step that a page is at: sliders, empty name."""
    mine, begun = desk.work(session)
    name = " ".join(str(name or "").split())
    if not name:
        raise InputError("Give the slider a name first.")
    if len(name) > LETTERS or not name.isprintable():
        raise InputError(f"The name of a slider has at most {LETTERS} letters, signs or digits.")
    vector = editor().vector_of(mine.at(begun.canvas), name)
    return with_slider(vector, begun), "", only(begun, session)


def load_slider(file, session):
    """A slider from a file that was saved here: sliders."""
    vector = editor().load(Path(file).read_bytes())
    _, begun = desk.work(session)
    return with_slider(vector, begun), only(begun, session)


def with_slider(vector: "EditingVector", session: Session) -> str:
    """Puts a vector among the visitor's sliders; returns all of these."""

    def add(work: SliderWork) -> SliderWork:
        if len(work.vectors) >= OWN:
            raise InputError(f"{OWN} sliders of your own are the most that are kept here.")
        return replace(work, vectors={**work.vectors, free_name(vector.title, known(work)): vector})

    return encode_sliders(groups(desk.store.update(session.key, add)))


def free_name(title: str, taken: Mapping[str, Any]) -> str:
    """What a slider is called that has this title, when others have their names already."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "slider"
    numbers = (f"{name}-{k}" for k in range(2, len(taken) + 3))
    return next(free for free in (name, *numbers) if free not in taken)


def slider_file(sliders, session):
    """A slider as a file, to load it another time. `sliders` is {"wanted": "smile"}."""
    mine, begun = desk.work(session)
    vectors, name = {**editor().vectors, **mine.vectors}, wanted_slider(sliders)
    if name not in vectors:
        raise InputError("There is no such slider here.")
    path = app.saved(f"{name}.safetensors", lambda path: path.write_bytes(vectors[name].to_bytes()))
    return path, only(begun, session)


def picture(session):
    """The picture as a file that carries its provenance; all of an uploaded photo, at its full
    size, with its orientation tag and colour profile."""
    mine, begun = desk.work(session)
    return served(mine.at(begun.canvas), whole=True), only(begun, session)


# The page


def build(arrive: Callable) -> None:
    """Builds the tab; `arrive` is the event with which it is first seen."""
    part = Page(tab)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column():
            with gr.Row(elem_classes=["tight"]):
                part.openers()
            part.chooser()
            with gr.Row(visible=False, elem_classes=["tight"]) as poor:
                gr.HTML(POOR)
                again = gr.Button("Try again", variant="primary", scale=0, **BUTTON)
            with gr.Row(elem_classes=["beside"]):
                with gr.Column(scale=5, min_width=300, elem_classes=["stays"]):
                    part.picture()
                    bar = progress(elem_id=part.id("progress"))
                with gr.Column(scale=6, min_width=300):
                    handles = sliders(elem_id=part.id("handles"))
                    load = gr.UploadButton("Load a slider", elem_id=part.id("load"), **BUTTON)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column(scale=5, min_width=300):
            inverted = gr.Image(
                label="Generator",
                visible=False,
                elem_id=part.id("inverted"),
                min_width=120,
                render=False,
                **PICTURE,
            )
            part.comparison("Move a slider, or paint on the part map below.", inverted)
            part.another()
            save_picture_button = gr.Button("Save picture", **BUTTON)
        with gr.Column(scale=6, min_width=300):
            back = gr.Button("Undo", render=False, **BUTTON)
            forth = gr.Button("Redo", render=False, **BUTTON)
            part.history(back, forth)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column(scale=8, min_width=330):
            part.painter(label="Part map", overlay="Show where the part map is unsure")
        with gr.Column(scale=4, min_width=280):
            gr.HTML(HOW)
            steps = gr.Slider(*STEPS, STEPS[0], step=10, label="Steps")
            with gr.Row(elem_classes=["tight"]):
                go = gr.Button("Apply", variant="primary", **BUTTON)
                clear = gr.Button("Discard painting", **BUTTON)
            name = gr.Textbox(label="Make a slider of this edit", placeholder="Its name")
            with gr.Row(elem_classes=["tight"]):
                keep = gr.Button("Save as slider", **BUTTON)
                save_layout_button = gr.Button("Save part map", **BUTTON)
    with gr.Row(elem_classes=["panels"]):
        with gr.Column():
            part.examples("Faces to begin with")

    beside = [handles, inverted, poor]
    part.connect(arrive, [], beside)
    canvas, result, scores, session = part.canvas, part.result, part.scores, part.session
    long = {"show_progress": "hidden", **app.LONG}
    edited = [canvas, result, scores, handles, bar, session]

    def restoring(event):
        """Sets right what an event that failed has left on the page."""
        event.failure(sentences(as_it_is), session, [result, handles, bar], queue=False, **NOW)

    restoring(
        handles.input(
            sentences(slide),
            [handles, session],
            [result, session],
            api_name=part.api("slide"),
            trigger_mode="always_last",
            **QUIET,
        )
    )
    made = [canvas, result, scores, session]
    restoring(part.step(handles.release, finish, [handles, session], made, **QUIET))
    restoring(part.step(handles.submit, refine, [handles, session], edited, **long))
    restoring(part.step(go.click, apply, [canvas, steps, session], edited, **long))
    bar.click(
        sentences(stop),
        session,
        None,
        api_name=part.api("stop"),
        queue=False,
        show_progress="hidden",
    )
    clear.click(sentences(discard), session, [canvas, session], **NOW)
    part.open(
        again.click,
        retry,
        session,
        [canvas, part.before, result, scores, *beside, session],
        **long | {"show_progress": "full"},
    )
    for button, way in ((back, tab.undo), (forth, tab.redo)):
        part.step(button.click, way, session, part.at_step, queue=False, show_progress="hidden")
    gr.on(
        [keep.click, name.submit],
        sentences(save_slider),
        [name, session],
        [handles, name, session],
        api_name=part.api("save_slider"),
        **QUIET,
    )
    load.upload(
        sentences(load_slider),
        [load, session],
        [handles, session],
        api_name=part.api("load_slider"),
        **QUIET,
    )
    part.save(handles.download, slider_file, [handles, session], "Slider", session)
    part.save(save_picture_button.click, picture, [session], "Picture", session)
    part.save(save_layout_button.click, tab.layout, [canvas], "Part map")


def main(browser: bool = False) -> None:
    """Serves Sliders alone until it is stopped."""
    app.serve("Sliders", "Move a slider, and the face follows.", build, browser=browser)


if __name__ == "__main__":
    try:
        main(browser=True)
    except InputError as error:
        sys.exit(f"semedit: {error}")
