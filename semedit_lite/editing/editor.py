"""What all editors have in common, so that pages, commands and notebooks can drive any of them."""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from semedit_lite.editing.document import Document
from semedit_lite.faces.detect import Face
from semedit_lite.faces.frames import Frame
from semedit_lite.images import Source

Operation = TypeVar("Operation", contravariant=True)
Progress = Callable[[float], None]  # takes what is done, 0 to 1; what it raises ends the operation


@runtime_checkable
class Editor(Protocol[Operation]):
    """Opens a picture once, which may be slow, and edits it many times, which is fast.

    Where an operation takes longer than a second, `apply` also takes `progress`, a `Progress` or
    None, as a keyword.
    """

    def open(self, photo: Source, face: Face | Frame | None = None) -> Document:
        """A document of a face in a photo: of `face`, one that was found or a square chosen by
        hand, or else of the largest. InputError where it cannot be edited."""
        ...

    def apply(self, document: Document, operation: Operation) -> Document:
        """A child of `document`, which stays as it is, with its scorecard; InputError where the
        operation asks for what cannot be done."""
        ...
