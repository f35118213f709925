"""What the events of a page do, as far as all tabs have them: a face is opened, a photo and the
face in it, a work that was saved; a step is gone back to; all of it is saved.

`Tab` is to be derived from: a tab tells how a face becomes a document of its editor, and which
settings it has. `semedit_lite.ui.page` has the components that cause the events.
"""

import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError
from semedit_lite.faces.align import NO_FACE, NoFaceError
from semedit_lite.faces.detect import Face, find_faces
from semedit_lite.faces.frames import Frame
from semedit_lite.labels import FACE, LabelSet
from semedit_lite.photo import Photo, read_photo
from semedit_lite.ui import app
from semedit_lite.ui.chooser import decode as decode_choice
from semedit_lite.ui.chooser import encode as encode_choice
from semedit_lite.ui.painter import decode_value, encode_value
from semedit_lite.ui.session import Desk, Session, Work
from semedit_lite.ui.store import GoneError

SEEDS = 1_000_000  # "New face" draws below this
FIRST = 24  # the face that is shown when a page opens
NO_CHOICE = "", gr.Column(visible=False)  # what hides the photo on which a face is chosen
UNTOUCHED = {"classes": {}, "change_inside": None, "change_outside": 0.0, "seconds": 0.0}


def whole(seed: float | None) -> int:
    """A seed as it comes from outside."""
    if seed is None or seed != seed or not 0 <= seed < 2**31 or seed != int(seed):
        raise InputError("The seed is a whole number from 0 to 2147483647.")
    return int(seed)


def number(seed: Any, limit: int = 2**31) -> int | None:
    """A seed that a file names, if it is one."""
    return seed if type(seed) is int and 0 <= seed < limit else None


def served(document: Document, *, whole: bool = False) -> str:
    """A PNG of a document, with its provenance, that the page may fetch."""
    return app.saved("picture.png", lambda path: document.save_picture(path, whole=whole))


class Faces:
    """Generated faces by their seeds, the latest kept; for None the one that everybody sees who
    arrives."""

    def __init__(self, make: Callable[[int], Document]):
        self.first = cache(lambda: make(FIRST))
        self.another = lru_cache(maxsize=16)(make)
        self._arriving = threading.Lock()  # several visitors at once: what all see is made once

    def __call__(self, seed: int | None = None) -> Document:
        """Made after the one that pages open with, which else would come late and cover it."""
        with self._arriving:
            shown = self.first()
        return shown if seed in (None, FIRST) else self.another(seed)


class Tab(ABC):
    """The events of a tab. Each takes the session last and returns what changes on the page; the
    first line of its docstring is its description in the API.

    `settings` of a tab are those that it makes a step with: they come to an event as they stand on
    the page, in the order of their names here, and then the session.
    """

    name: str  # in the browser's storage
    prefix = ""  # of its elements and endpoints: a page may hold several tabs
    labels: LabelSet = FACE  # the classes of its layouts ...
    size = 256  # ... and their side
    settings: tuple[str, ...] = ()
    examples: Sequence[Path] = ()  # pictures of generated faces; their names are the seeds
    slow = False  # whether to open a photo takes seconds: it then has a queue of its own, and a bar
    more = 0  # components that show something of a step, beyond canvas, before, result and scores
    kept: type[Work] = Work  # what the server remembers of a visitor

    def __init__(self) -> None:
        self.face = Faces(self.make)
        self.desk = Desk(self.face, work=self.kept)

    # What tabs differ in

    @abstractmethod
    def make(self, seed: int) -> Document:
        """A generated face."""

    @abstractmethod
    def read(self, photo: bytes, face: Face | Frame) -> Document:
        """A face in a photo: one that was found, or a square laid by hand."""

    def begin(self, document: Document, work: Work | None, *settings: Any) -> History:
        """What a document that was just opened is shown as; `work` is what the visitor had
        before."""
        return History.start(document)

    def settings_of(self, step: Document) -> tuple:
        """The settings that a step was made with, as far as they are known."""
        return ()

    def on_canvas(self, step: Document, session: Session, *, fresh: bool) -> str:
        """What shows a step on the canvas, `fresh` on one that is new."""
        photo = step.opened.picture if fresh else None
        return encode_value(step.layout, photo, fresh=fresh, document=session.canvas)

    def seen(self, step: Document) -> str:
        """The file in which a page shows the picture of a step."""
        return served(step)

    def beside(self, step: Document, session: Session) -> tuple:
        """What else a page shows of a step: as many values as `more`."""
        return ()

    def check(self, history: History) -> None:
        """InputError where a work that was saved is none to go on with here."""
        if history.opened.layout.shape[1:] != (self.size, self.size):
            raise InputError(
                f"This work is not {self.size} pixels wide and high; choose one saved here."
            )
        if any(step.layout.max() >= len(self.labels) for step in history.steps):
            raise InputError(
                "This work has pixels without a class; choose one that was saved here."
            )

    def along(self, file: str, work: Work | None) -> dict[str, Any]:
        """What else a saved work gives to a visitor who had `work` before: fields of a work."""
        return {}

    # Opening

    def start(self, key, session):
        """The work that this tab had before it was reloaded, or the first face, unchanged; no
        network has to look at either, so nobody queues for it. Nothing where it was only left and
        seen again: `key` is None then."""
        if key is None:
            return [gr.skip()] * (len(self.settings) + 2 + 4 + self.more + 1)
        try:
            work, session = self.desk.resume(str(key))
            again = gr.Button(visible=work.uploaded is not None)
            return *self._restored(work.history), again, *self._laid(work.history, session)
        except GoneError:
            session = replace(self.desk.arrive(), seed=FIRST)
            return *[gr.skip()] * (len(self.settings) + 2), *self._laid(
                History.start(self.face()), session
            )

    def generate(self, seed, *settings):
        """A generated face, by its seed: canvas value, face, result, scorecard."""
        seed = whole(seed)
        return self.opened(self.face(seed), seed, *settings)

    def random_face(self, *settings):
        """A generated face nobody has seen: as /generate, and its seed."""
        seed = secrets.randbelow(SEEDS)
        return *self.generate(seed, *settings), seed

    def example(self, chosen: gr.SelectData, *settings):
        """The face of an example, and its seed."""
        seed = int(self.examples[chosen.index].stem)
        return *self.generate(seed, *settings), seed

    def upload(self, photo, *settings):
        """The largest face in a photo (PNG, JPEG, WebP, ...; 16 megapixels): as /generate, and,
        where there are several faces, the photo with all of them. /choose_face opens another."""
        self.face()  # a page that was just opened shows its own first, which would cover this one
        kept, upright = read_photo(photo)
        faces = find_faces(upright)
        if not faces:
            raise NoFaceError(f"{NO_FACE} Or lay the square over it yourself.")
        document = self.read(kept.file, faces[0])
        *shown, session = self.opened(document, None, *settings)
        session = self.desk.keep(kept, faces, session)
        choice = _offered(kept, faces) if len(faces) > 1 else NO_CHOICE
        return *shown, session, *choice

    def missed(self, photo, session):
        """The photo in which /open found no face, to lay a square over it; nothing for other
        files."""
        try:
            kept, upright = read_photo(photo)
        except InputError:
            return *NO_CHOICE, gr.skip(), session
        faces = find_faces(upright)
        session = self.desk.keep(kept, faces, session)
        return *_offered(kept, faces), gr.Button(visible=True), session

    def faces_again(self, session):
        """The photo of /open with its faces, to choose another or to lay a square over one."""
        work, session = self._with_photo(session)
        return *_offered(work.uploaded, work.faces), session

    def choose_face(self, chosen, *settings):
        """Another face of the photo of /open: as /generate.

        `chosen` is {"face": 0}, counted from 0, the largest, or {"square": [cx, cy, side, degrees]}
        in pixels of the upright photo, or {"cancel": true}.
        """
        *settings, session = settings
        work, session = self._with_photo(session)
        choice = decode_choice(chosen, work.uploaded.size, len(work.faces))
        if choice is None:
            return *[gr.skip()] * (4 + self.more), session, *NO_CHOICE
        face = work.faces[choice] if isinstance(choice, int) else choice
        document = self.read(work.uploaded.file, face)
        return *self.opened(document, None, *settings, session), *NO_CHOICE

    def _with_photo(self, session: Session) -> tuple[Work, Session]:
        """The visitor's work, in which a photo was uploaded."""
        work, session = self.desk.work(session)
        if work.uploaded is None:
            raise InputError("There is no photo whose face could be chosen; upload one first.")
        return work, session

    def opened(self, document: Document, seed: int | None, *settings):
        """A document on a fresh canvas, as the settings ask for."""
        *settings, session = settings
        history = self.begin(document, self.desk.peek(session), *settings)
        session = self.desk.open(history, seed, session)  # last: what failed before cost nothing
        return self._laid(history, session)

    def _laid(self, history: History, session: Session):
        """Canvas value, face, result, scorecard, what is beside, session."""
        opened, current = history.opened, history.current
        value = self.on_canvas(current, session, fresh=True)
        shown = self.seen(opened), *self.result_of(current), *self.beside(current, session)
        return value, *shown, session

    def result_of(self, step: Document):
        """Result, scorecard."""
        return self.seen(step), step.scores or UNTOUCHED

    def _restored(self, history: History):
        """The settings as they were at the current step, and the face's number, if it has one."""
        seed = number(history.opened.operation.get("seed"))
        return *self.settings_of(history.current), seed

    # Steps and files

    def visit(self, chosen, session):
        """Goes to a step of the work: its layout, picture, scorecard and settings."""
        return self._gone(*self.desk.visit(chosen, session))

    def undo(self, session):
        """One step back: layout, picture, scorecard and settings of that step."""
        return self._gone(*self.desk.travel("undo", session))

    def redo(self, session):
        """One step on, towards the one that was visited last: as /undo."""
        return self._gone(*self.desk.travel("redo", session))

    def _gone(self, step: Document, session: Session):
        """Canvas value, result, scorecard, what is beside, settings, session."""
        value = self.on_canvas(step, session, fresh=False)
        beside = *self.beside(step, session), *self.settings_of(step)
        return value, *self.result_of(step), *beside, session

    def layout(self, canvas):
        """The layout as a file: a PNG with a palette, whose pixel values are class ids."""
        layout = decode_value(canvas, self.labels, self.size)
        return app.saved("layout.png", self.labels.to_pil(layout[0]).save)

    def work(self, session):
        """Every step of the work as a file, to go on with it another time: see /open_work."""
        mine, session = self.desk.work(session)
        seed = number(mine.history.opened.operation.get("seed"))
        title = "photo" if seed is None else f"face-{seed}"
        path = app.saved(f"{title}.semedit", lambda path: mine.history.save(path, mine.along))
        if Path(path).stat().st_size > app.MAX_UPLOAD * 2**20:
            gr.Warning(f"The file is larger than {app.MAX_UPLOAD} MB, too large to be opened here.")
        return path, session

    def open_work(self, file, session):
        """A work that was saved: canvas value, face, result, scorecard, and the settings it had."""
        self.face()  # as in `upload`
        history = History.open(file)
        self.check(history)
        along = self.along(file, self.desk.peek(session))
        session = self.desk.change(self.desk.open(history, None, session), **along)
        *shown, session = self._laid(history, session)
        return *shown, *self._restored(history), session


def _offered(photo: Photo, faces: Sequence[Face]):
    """What shows a photo on which a face may be chosen."""
    boxes = [{"box": face.box} for face in faces]
    return encode_choice(photo.upright, boxes), gr.Column(visible=True)
