"""What all editors have in common, so that pages, commands and notebooks can drive any of them."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.document import Document
from semedit_lite.faces.align import align
from semedit_lite.faces.detect import Face, face_finder, face_points
from semedit_lite.faces.frames import Frame
from semedit_lite.faces.identity import embed, face_identity, similarity
from semedit_lite.faces.parse import parse
from semedit_lite.images import Source
from semedit_lite.models.mobilestylegan import MobileStyleGAN
from semedit_lite.models.parser import FaceParser
from semedit_lite.photo import read_photo

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


class FaceEditor:
    """What editors of a face's picture have in common, whatever they do to it: they open a photo or
    a generated face, and know how alike two pictures are.

    `parser` and `generator` are names or folders of weights; `size` is the side of the pictures
    that are edited.
    """

    def __init__(
        self,
        device: str = "cpu",
        *,
        parser: str | Path = "face-parser",
        generator: str | Path = "mobilestylegan-ffhq",
        size: int = 256,
    ) -> None:
        self.device, self.size = device, size
        self._parser, self._generator = parser, generator
        # Of documents that were opened: the points of the face (None if there is none), who it is.
        self._known: WeakKeyDictionary[Document, tuple] = WeakKeyDictionary()

    @cached_property
    def parser(self) -> FaceParser:
        return FaceParser.from_pretrained(self._parser, self.device)

    @cached_property
    def generator(self) -> MobileStyleGAN:
        return MobileStyleGAN.from_pretrained(self._generator, self.device)

    @torch.no_grad()
    def generate(self, seed: int, truncation: float = 0.7) -> Document:
        """A document of a face that nobody has; always the same for a seed."""
        image, latent = self.generator.sample([seed], size=self.size, truncation=truncation)
        operation = {"tool": "generate", "seed": seed, "truncation": truncation}
        operation["model"] = Path(self._generator).name
        operation["weights"] = weights_digest(self._generator)
        layout = parse(image, parser=self.parser)
        return Document(image.cpu(), layout.cpu(), operation, latent=latent.cpu())

    @torch.no_grad()
    def open(self, photo: Source, face: Face | Frame | None = None) -> Document:
        """A document of a face in a photo, a file or a picture: of `face`, one of `find_faces` or a
        square chosen by hand, or else of the largest. NoFaceError, an InputError, where none is
        found."""
        photo, upright = read_photo(photo)
        found = align(upright, self.parser, self.size, face)
        return Document(found.image, found.layout, {"tool": "open"}, photo=photo, alignment=found)

    def likeness(self, opened: Document, image: Tensor) -> float | None:
        """How far an edit of a document left the person: the cosine of the two embeddings."""
        if opened not in self._known:
            before = opened.image.to(self.device)
            points = face_points(before, face_finder(self.device))
            seen = None if points is None else embed(before, points, face_identity(self.device))
            self._known[opened] = points, seen
        points, before = self._known[opened]
        if points is None:
            return None
        # The points of the opened face: an edit that moves them shows in the cosine.
        after = embed(image.to(self.device), points, face_identity(self.device))
        return similarity(before, after).item()


def weights_digest(weights: str | Path) -> str:
    """SHA-256 of weights, by name or folder."""
    return hub.digest(hub.find(weights) / "model.safetensors")
