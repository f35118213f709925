"""A visitor's work as the server keeps it, and the little that the page itself knows of it."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError
from semedit_lite.faces.detect import Face
from semedit_lite.photo import Photo
from semedit_lite.ui.history import chosen_step, encode_steps
from semedit_lite.ui.store import GoneError, Store

CANVASES = 100  # names of drawings that one work remembers: the latest


class ClosedError(InputError):
    """A drawing is on a picture that another has replaced."""


def _name() -> str:
    """A name that no other drawing or history has."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Session:
    """What is remembered of a page: where its work is kept, and how to begin anew."""

    key: str | None = None  # of its work in the store; None as long as nothing was done
    canvas: str | None = None  # the name of the drawing on the page
    seed: int | None = None  # of the generated face that was opened; None for any other picture


@dataclass(frozen=True)
class Work:
    """A history, and which page stands where in it. Immutable; a tab that keeps more has a work of
    its own, derived from this.

    Strokes and answers overtake one another. So each drawing that is laid on a canvas has a name,
    which comes back with every stroke, and here stands the step that it has come to: a stroke makes
    a child of that, wherever else the visitor has gone meanwhile.
    """

    history: History
    canvases: Mapping[str, Document]
    left: frozenset[str] = frozenset()  # those from which the page has gone to another step
    uploaded: Photo | None = None  # a photo whose face the visitor may choose ...
    faces: tuple[Face, ...] = ()  # ... among these
    name: str = field(default_factory=_name)  # of the history

    @classmethod
    def begin(cls, history: History, canvas: str) -> Self:
        """Nothing but a history, on a canvas of that name."""
        return cls(history, {canvas: history.current})

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return self.history.nbytes + (0 if self.uploaded is None else self.uploaded.nbytes)

    @property
    def along(self) -> dict[str, bytes]:
        """Files that are saved with the history."""
        return {}

    def at(self, canvas: str | None) -> Document:
        """The step that a drawing has come to; ClosedError where another picture replaced it."""
        if canvas not in self.canvases:
            raise ClosedError("The picture on this page is no longer open here; open it again.")
        return self.canvases[canvas]

    def shows(self, canvas: str | None) -> bool:
        """Whether a drawing is still on a page, which has gone nowhere else."""
        return canvas in self.canvases and canvas not in self.left

    def opened(self, history: History, canvas: str) -> Self:
        """Another history in place of this, on a fresh canvas."""
        return replace(
            self,
            history=history,
            canvases={canvas: history.current},
            left=frozenset(),
            name=_name(),
        )

    def visited(self, document: Document, canvas: str, left: str | None = None) -> Self:
        """Goes to a step, which a canvas then shows under a new name in place of the one `left`."""
        gone = self.left if left is None else self.left | {left}
        work = replace(self, history=self.history.visit(document), left=gone)
        return work._on(canvas, document)

    def landed(self, document: Document, canvas: str) -> Self:
        """A canvas has come to a step: a new one, or one that it was at before. Nothing is current
        but that, unless the visitor has gone elsewhere."""
        history, before = self.history, self.at(canvas)
        if document in history.steps:
            history = history.visit(document)
        else:
            history = history.visit(document.parent).push(document)
        if canvas in self.left or self.history.current is not before:
            history = history.visit(self.history.current)
        return replace(self, history=history)._on(canvas, document)

    def _on(self, canvas: str, document: Document) -> Self:
        others = {key: step for key, step in self.canvases.items() if key != canvas}
        latest = [*others.items(), (canvas, document)][-CANVASES:]
        return replace(self, canvases=dict(latest), left=self.left & dict(latest).keys())


class Desk:
    """Where the works of all visitors lie, and what the events of a page do with them.

    `face` makes the generated face of a seed, or the one that all see who arrive, for None; `work`
    is the kind of works that are kept.
    """

    def __init__(
        self,
        face: Callable[[int | None], Document],
        store: Store[Work] | None = None,
        work: type[Work] = Work,
    ):
        self._face, self._kind = face, work
        self.store: Store[Work] = Store() if store is None else store

    def arrive(self) -> Session:
        """The session of somebody who does nothing yet, for whom nothing is kept."""
        return Session(canvas=_name())

    def resume(self, key: str) -> tuple[Work, Session]:
        """The work of a page that was reloaded; GoneError where it is no longer kept."""
        canvas = _name()
        work = self.store.update(key, lambda work: work.visited(work.history.current, canvas))
        return work, Session(key, canvas)

    def work(self, session: Session) -> tuple[Work, Session]:
        """The visitor's work; begun where nothing was done yet, and anew where that of a generated
        face was forgotten. The session is another object only then."""
        if session.key is not None:
            try:
                return self.store.get(session.key), session
            except GoneError:
                if session.seed is None:
                    raise
        canvas = session.canvas or _name()
        work = self._kind.begin(History.start(self._face(session.seed)), canvas)
        if session.key is None:  # its strip shows that face already, under this name
            work = replace(work, name=canvas)
        return work, replace(session, key=self.store.put(work), canvas=canvas)

    def peek(self, session: Session) -> Work | None:
        """The visitor's work, if there is one."""
        try:
            return self.store.get(session.key)
        except GoneError:
            return None

    def open(self, history: History, seed: int | None, session: Session) -> Session:
        """Lays a history in the place of the visitor's own."""
        canvas = _name()
        try:
            self.store.update(session.key, lambda work: work.opened(history, canvas))
            return Session(session.key, canvas, seed)
        except GoneError:
            return Session(self.store.put(self._kind.begin(history, canvas)), canvas, seed)

    def keep(self, photo: Photo, faces: Sequence[Face], session: Session) -> Session:
        """Keeps a photo, to choose among its faces, with the visitor's work; with another one where
        that was forgotten and does not come back."""
        if self.peek(session) is None and session.seed is None:
            session = self.arrive()
        return self.change(session, uploaded=photo, faces=tuple(faces))

    def change(self, session: Session, **fields: Any) -> Session:
        """Changes fields of the visitor's work."""
        _, session = self.work(session)
        self.store.update(session.key, lambda work: replace(work, **fields))
        return session

    def visit(self, has: str, session: Session) -> tuple[Document, Session]:
        """Goes to the step that was chosen on a history strip, on a canvas of another name."""
        return self._go(session, lambda work: chosen_step(work.history, name=work.name, has=has))

    def travel(self, way: Literal["undo", "redo"], session: Session) -> tuple[Document, Session]:
        """Goes one step back, or towards the one that was visited last; InputError where there is
        none."""

        def there(work: Work) -> Document:
            at = work.at(session.canvas)
            step = getattr(work.history.visit(at), way).current
            if step is at:
                raise InputError(f"There is nothing to {way}.")
            return step

        return self._go(session, there)

    def _go(self, session: Session, there: Callable[[Work], Document]) -> tuple[Document, Session]:
        _, session = self.work(session)
        canvas = _name()
        work = self.store.update(
            session.key, lambda work: work.visited(there(work), canvas, session.canvas)
        )
        return work.at(canvas), replace(session, canvas=canvas)

    def strip(self, has: str, session: Session) -> str:
        """What a history strip lacks."""
        if (work := self.peek(session)) is None:
            face, name = self._face(session.seed), session.key or session.canvas
            return encode_steps(History.start(face), face, name=str(name), key=None)
        current = work.canvases.get(session.canvas, work.history.current)
        return encode_steps(work.history, current, name=work.name, key=session.key, has=has)
