"""A visitor's work as the server keeps it, and the little that the page itself knows of it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from torch import Tensor

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError

CANVASES = 100  # names of drawings that one work remembers: the latest
CLOSED = "The picture on this page is no longer open here; open it again."

Codes = Mapping[str, Tensor]  # the style code (1, z_dim) of a photo for each model


def name() -> str:
    """A name that nobody can guess, for a drawing or a history."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Session:
    """What is remembered of a page: where its work is kept, and how to begin anew."""

    key: str | None = None  # of its work in the store; None as long as nothing was done
    canvas: str | None = None  # the name of the drawing on the page
    seed: int | None = None  # of the generated face that was opened; None for any other picture


@dataclass(frozen=True)
class Work:
    """A history, and which page stands where in it. Immutable.

    Strokes and answers overtake one another. So each drawing that is laid on a canvas has a name,
    which comes back with every stroke, and here stands the step that it has come to: a stroke makes
    a child of that, wherever else the visitor has gone meanwhile.
    """

    history: History
    canvases: Mapping[str, Document]
    photo: Codes | None = None  # the style of another photo that is in use ...
    photos: Mapping[Document, Codes] = field(default_factory=dict)  # ... and was, at those steps
    donor: Document | None = None  # the photo or layout that parts are taken from
    name: str = field(default_factory=name)  # of the history

    @classmethod
    def begin(cls, history: History, canvas: str) -> Self:
        """Nothing but a history, on a canvas of that name."""
        return cls(history, {canvas: history.current})

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return self.history.nbytes + (0 if self.donor is None else self.donor.nbytes)

    def at(self, canvas: str | None) -> Document:
        """The step that a drawing has come to; InputError where another picture replaced it."""
        if canvas not in self.canvases:
            raise InputError(CLOSED)
        return self.canvases[canvas]

    def opened(self, history: History, canvas: str) -> Self:
        """Another history in place of this, on a fresh canvas."""
        return replace(
            self, history=history, canvases={canvas: history.current}, photos={}, name=name()
        )

    def visited(self, document: Document, canvas: str) -> Self:
        """Goes to a step, which a canvas then shows under a new name."""
        photo = self.photos.get(document, self.photo)
        work = replace(self, history=self.history.visit(document), photo=photo)
        return work._on(canvas, document)

    def landed(self, document: Document, canvas: str, photo: Codes | None = None) -> Self:
        """A canvas has come to a step: a new one, made in the style of a photo or not, or one that
        it was at before. Nothing is current but that, unless the visitor has gone elsewhere."""
        history, left = self.history, self.at(canvas)
        if document in history.steps:
            history, photos = history.visit(document), self.photos
        else:
            history = history.visit(document.parent).push(document)
            photos = self.photos if photo is None else {**self.photos, document: photo}
        if self.history.current is not left:
            history = history.visit(self.history.current)
        return replace(self, history=history, photos=photos)._on(canvas, document)

    def _on(self, canvas: str, document: Document) -> Self:
        others = {key: step for key, step in self.canvases.items() if key != canvas}
        latest = [*others.items(), (canvas, document)][-CANVASES:]
        return replace(self, canvases=dict(latest))
