"""What an editor works on: immutable documents, linked to the one they were made from.

Undo walks to the parent; an operation applied to an earlier document makes a second child, a
branch. A document is saved with its whole chain as one file and opened again bit for bit.
"""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Self

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from semedit_lite.editing.compositing import changed, feather
from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment
from semedit_lite.hub import write_beside
from semedit_lite.images import load_layout, load_photo, save_picture, to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.photo import Photo, read_photo

FORMAT = "semedit document 1"
MAX_BYTES = 256 * 2**20  # of all that a file unpacks to
MAX_STEPS = 500
MIN_SCALE = 1e-3  # of a crop's pixel, in pixels of the photo


@dataclass(frozen=True, eq=False)
class Document:
    """A picture, its layout, and how it came to be.

    The picture is held on the grid of 8 bits a channel, so what is saved is what was seen.
    """

    image: Tensor  # (1, 3, H, W) in [-1, 1]
    layout: Tensor  # (1, H, W) class ids
    operation: dict[str, Any]  # what made it, JSON-able; "tool" names the kind
    latent: Tensor | None = None  # (1, 16, 512) W+, where the generator made the picture
    parent: Self | None = None
    photo: Photo | None = None  # the whole photo that `image` was cut from ...
    alignment: Alignment | None = None  # ... and where; of an opened photo only
    scores: dict[str, Any] | None = None  # the scorecard of the operation

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", to_tensor(to_pil(self.image)))
        object.__setattr__(self, "layout", FACE.check(self.layout))

    @property
    def chain(self) -> tuple[Self, ...]:
        """All documents from the opened one to this."""
        chain = [self]
        while chain[-1].parent is not None:
            chain.append(chain[-1].parent)
        return tuple(reversed(chain))

    @property
    def opened(self) -> Self:
        """The photo or the generated face with which the chain begins."""
        return self.chain[0]

    @property
    def picture(self) -> Image.Image:
        """The picture as it is edited."""
        return to_pil(self.image)

    @property
    def whole(self) -> Image.Image:
        """The whole photo at its full size, with this picture in it where the layout was changed
        (see `Photo.lay`); the picture itself where there is no photo around it."""
        opened = self.opened
        if opened.photo is None or opened.alignment is None:
            return self.picture
        region = feather(changed(opened.layout, self.layout))
        return opened.alignment.paste(opened.photo, self.image, region)

    @property
    def provenance(self) -> dict[str, Any]:
        """What a picture that leaves the tool says of itself."""
        operations = [document.operation for document in self.chain]
        return {"synthetic": True, "operations": operations}

    def save_picture(self, path: str | Path, *, whole: bool = True) -> None:
        """Writes a PNG or JPEG that carries its provenance: `whole`, or `picture` alone."""
        save_picture(self.whole if whole else self.picture, path, self.provenance)

    def save(self, path: str | Path) -> None:
        """Writes this document and the chain that led to it into one file."""
        try:
            write_beside(path, self._write)
        except OSError as error:
            raise InputError(f"'{path}' cannot be written ({error.strerror}).") from None

    def _write(self, path: Path) -> None:
        chain = self.chain
        alignment = chain[0].alignment
        about = {
            "format": FORMAT,
            "matrix": None if alignment is None else alignment.matrix.tolist(),
            "steps": [{"operation": d.operation, "scores": d.scores} for d in chain],
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            text = json.dumps(about, indent=2)
            file.writestr("document.json", text, zipfile.ZIP_DEFLATED)
            if chain[0].photo is not None:
                file.writestr("photo", chain[0].photo.file)
            for i, document in enumerate(chain):
                file.writestr(f"{i}/image.png", _png(document.picture))
                file.writestr(f"{i}/layout.png", _png(FACE.to_pil(document.layout[0])))
                if document.latent is not None:
                    latent = safetensors.save({"latent": document.latent.contiguous()})
                    file.writestr(f"{i}/latent.safetensors", latent)

    @classmethod
    def open(cls, source: str | Path | BinaryIO) -> Self:
        """Reads what `save` wrote; InputError for anything else."""
        try:
            with zipfile.ZipFile(source) as file:
                return cls._read(file)
        except FileNotFoundError:
            raise InputError(f"There is no file '{source}'.") from None
        except (
            *(zipfile.BadZipFile, zlib.error, SafetensorError, InputError, OSError, EOFError),
            *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
        ) as error:
            raise InputError(
                f"This file is not a semedit document or is damaged ({error}); choose one that "
                "was saved here."
            ) from None

    @classmethod
    def _read(cls, file: zipfile.ZipFile) -> Self:
        if sum(entry.file_size for entry in file.infolist()) > MAX_BYTES:
            raise InputError(f"it unpacks to more than {MAX_BYTES // 2**20} MB")
        about = json.loads(file.read("document.json"))
        steps, names = about["steps"], set(file.namelist())
        if about["format"] != FORMAT or not 1 <= len(steps) <= MAX_STEPS:
            raise InputError("another format")
        given = next((name for name in ("photo", "photo.png") if name in names), None)
        photo = read_photo(file.read(given))[0] if given else None
        document = None
        for i, step in enumerate(steps):
            image = to_tensor(load_photo(file.read(f"{i}/image.png")))
            size = tuple(image.shape[2:])
            if document is not None and size != tuple(document.image.shape[2:]):
                raise InputError("pictures of several sizes")
            latent = None
            if f"{i}/latent.safetensors" in names:
                latent = safetensors.load(file.read(f"{i}/latent.safetensors"))["latent"]
            document = cls(
                image=image,
                layout=load_layout(file.read(f"{i}/layout.png"), FACE, size),
                operation=dict(step["operation"]),
                latent=latent,
                parent=document,
                photo=photo if i == 0 else None,
                scores=step["scores"],
            )
            if i == 0 and about["matrix"] is not None:
                matrix = _matrix(about["matrix"])
                document = replace(
                    document, alignment=Alignment(document.image, document.layout, matrix)
                )
        return document


@dataclass(frozen=True)
class History:
    """All documents of a session, seen from the current one. Immutable, as they are.

    `tips` are the last documents of the branches, the most recently visited one at the end; redo
    goes towards it.
    """

    current: Document
    tips: tuple[Document, ...]

    @classmethod
    def start(cls, document: Document) -> Self:
        """A history whose only branch is the chain of `document`."""
        return cls(document, (document,))

    def push(self, document: Document) -> Self:
        """After an operation on `current`: its child becomes current. Where `current` had a child
        already, a new branch begins and the old one is kept."""
        if document.parent is not self.current:
            raise ValueError("the document was not made from the current one")
        others = tuple(tip for tip in self.tips if tip is not self.current)
        return History(document, (*others, document))

    @property
    def undo(self) -> Self:
        """One step back; the same history where there is none."""
        return self if self.current.parent is None else replace(self, current=self.current.parent)

    @property
    def redo(self) -> Self:
        """One step towards the most recently visited tip; the same history where there is none."""
        for tip in reversed(self.tips):
            for document, child in pairwise(tip.chain):
                if document is self.current:
                    return replace(self, current=child)
        return self

    def visit(self, tip: Document) -> Self:
        """Goes to the end of another branch."""
        if all(tip is not other for other in self.tips):
            raise ValueError("no such branch")
        return History(tip, (*(other for other in self.tips if other is not tip), tip))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _matrix(rows: Any) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float64)
    if matrix.shape != (2, 3) or not matrix.isfinite().all() or matrix[:, :2].det() < MIN_SCALE**2:
        raise InputError("no alignment")
    return matrix
