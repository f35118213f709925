"""What an editor works on: immutable documents, linked to the one they were made from.

An operation makes a child of a document; applied to an earlier one, it makes a second child, a
branch. A history holds all that was made, and which of it is current. It is saved as one file,
every branch of it, and opened again bit for bit.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import groupby
from math import isfinite
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from semedit_lite.editing.compositing import changed, feather, halo
from semedit_lite.editing.scorecard import checked
from semedit_lite.editing.strokes import Sketch
from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment
from semedit_lite.hub import write_beside
from semedit_lite.images import load_layout, load_photo, save_picture, to_bytes, to_tensor
from semedit_lite.labels import FACE_FINE
from semedit_lite.photo import Photo, read_photo

FORMAT = "semedit document {}"
VERSION = 2  # 1, of one chain and with whole pictures, is still opened
MAX_BYTES = 256 * 2**20  # of all that a file unpacks to, and of what then is in memory
MAX_RECORDS = 4 * 2**20  # of its JSON
MAX_STEPS = 500  # of a history
LATENT = (1, 16, 512)
MIN_SCALE = 1e-3  # of a crop's pixel, in pixels of the photo
ALONG = "along/"  # in a file, what is no step


class _Packed:
    """A field of a dataclass that is given as a tensor of floats, ids or truths and held smaller;
    what is got is new each time, so nobody can change what is held."""

    def __init__(
        self, pack: Callable[[Tensor], Any], unpack: Callable[[Any], Tensor], optional: bool = False
    ) -> None:
        self._pack, self._unpack, self._optional = pack, unpack, optional

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Tensor | None:
        if instance is None:  # a dataclass asks for the default
            if self._optional:
                return None
            raise AttributeError(self._name)
        held = instance.__dict__[self._name]
        return None if held is None else self._unpack(held)

    def __set__(self, instance: Any, value: Tensor | None) -> None:
        instance.__dict__[self._name] = None if value is None else self._pack(value)


class _Map(NamedTuple):
    """Ids or truths (1, H, W) of a few large areas, in some hundredths of their bytes."""

    shape: torch.Size
    deflated: bytes

    @classmethod
    def of(cls, values: Tensor) -> Self:
        return cls(values.shape, zlib.compress(values.byte().cpu().numpy().tobytes(), 1))

    @property
    def values(self) -> Tensor:
        """uint8 (1, H, W)."""
        flat = torch.frombuffer(bytearray(zlib.decompress(self.deflated)), dtype=torch.uint8)
        return flat.view(self.shape)

    @property
    def nbytes(self) -> int:
        return len(self.deflated)


@dataclass(frozen=True, eq=False)
class Document:
    """A picture, its layout, and how it came to be.

    The picture is held on the grid of 8 bits a channel, so what is saved is what was seen.
    """

    image: Tensor = _Packed(  # (1, 3, H, W)
        lambda image: to_bytes(image).cpu(), lambda held: held.float() / 127.5 - 1
    )
    layout: Tensor = _Packed(  # (1, H, W) ids
        lambda ids: _Map.of(FACE_FINE.check(ids)), lambda held: held.values.long()
    )
    operation: dict[str, Any]  # what made it, JSON-able; "tool" names the kind
    latent: Tensor | None = None  # (1, 16, 512) W+, where the generator made the picture
    parent: Self | None = field(default=None, repr=False)  # the chain may be long
    photo: Photo | None = None  # the whole photo that `image` was cut from ...
    alignment: Alignment | None = None  # ... and where; of an opened photo only
    scores: dict[str, Any] | None = None  # the scorecard of the operation
    # bool (1, H, W): where the picture is another than the opened one; where the layout is, if None
    region: Tensor | None = _Packed(_Map.of, lambda held: held.values.bool(), optional=True)
    sketch: Sketch | None = None  # what was drawn on it

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
        return Image.fromarray(self.__dict__["_image"][0].permute(1, 2, 0).contiguous().numpy())

    @property
    def whole(self) -> Image.Image:
        """The whole photo at its full size, with this picture in it in its region and its halo (see
        `Photo.lay`), without an edge at the crop's border; the picture itself where there is no
        photo around it."""
        opened = self.opened
        if opened.photo is None or opened.alignment is None:
            return self.picture
        region = self.region
        region = feather(changed(opened.layout, self.layout) if region is None else region)
        region = region * _fading(opened.alignment.matrix, region.shape[-1], opened.photo.size)
        return opened.alignment.paste(opened.photo, self.image, region)

    @property
    def provenance(self) -> dict[str, Any]:
        """What a picture that leaves the tool says of itself; an operation that was repeated, as
        from stroke to stroke, stands there once."""
        operations = [operation for operation, _ in groupby(each.operation for each in self.chain)]
        return {"synthetic": True, "operations": operations}

    @cached_property
    def nbytes(self) -> int:
        """What this document takes in memory, its parent not counted; about."""
        held = [self.latent, *(self.__dict__[name] for name in ("_image", "_layout", "_region"))]
        if self.alignment is not None:
            held += [self.alignment.image, self.alignment.layout]
        records = len(json.dumps([self.operation, self.scores]))
        photo = 0 if self.photo is None else self.photo.nbytes
        sketch = 0 if self.sketch is None else self.sketch.nbytes
        return sum(x.nbytes for x in held if x is not None) + photo + sketch + 4 * records

    def save_picture(self, path: str | Path, *, whole: bool = True) -> None:
        """Writes a PNG or JPEG that carries its provenance: `whole`, or `picture` alone."""
        save_picture(self.whole if whole else self.picture, path, self.provenance)

    def save(self, path: str | Path) -> None:
        """Writes this document and the chain that led to it into one file."""
        History.start(self).save(path)

    @classmethod
    def open(cls, source: str | Path | BinaryIO) -> Self:
        """The current document of a history that was saved; InputError for anything else."""
        return History.open(source).current


@dataclass(frozen=True)
class History:
    """All documents that were made from an opened one, and which of them is current. Immutable, as
    they are.

    `steps` are in the order in which they were made. `tips` are the last documents of the branches,
    the most recently visited one at the end: the current document is on its chain, and redo goes
    towards it.
    """

    current: Document
    steps: tuple[Document, ...]
    tips: tuple[Document, ...]

    @classmethod
    def start(cls, document: Document) -> Self:
        """A history whose only branch is the chain of `document`."""
        return cls(document, document.chain, (document,))

    @property
    def opened(self) -> Document:
        """The photo or the generated face with which all began."""
        return self.steps[0]

    @cached_property
    def nbytes(self) -> int:
        """What all its documents take in memory, about."""
        return sum(document.nbytes for document in self.steps)

    def push(self, document: Document) -> Self:
        """After an operation on `current`: its child becomes current. Where `current` had a child
        already, a new branch begins and the old one is kept. InputError at more than 500 steps."""
        if document.parent is not self.current:
            raise ValueError("the document was not made from the current one")
        if len(self.steps) >= MAX_STEPS:
            raise InputError(
                f"This work has {MAX_STEPS} steps, which is the most that is kept; save it, and "
                "the picture, and begin anew with that."
            )
        others = tuple(tip for tip in self.tips if tip is not self.current)
        return History(document, (*self.steps, document), (*others, document))

    @property
    def undo(self) -> Self:
        """One step back; the same history where there is none."""
        return self if self.current.parent is None else replace(self, current=self.current.parent)

    @property
    def redo(self) -> Self:
        """One step towards the most recently visited tip; the same history where there is none."""
        chain = self.tips[-1].chain
        after = chain[chain.index(self.current) + 1 :]
        return replace(self, current=after[0]) if after else self

    def visit(self, document: Document) -> Self:
        """Goes to any step; redo then goes on along the branch on which one was there last."""
        if document not in self.steps:
            raise ValueError("no branch has this step")
        tip = next(tip for tip in reversed(self.tips) if document in tip.chain)
        return replace(
            self, current=document, tips=(*(other for other in self.tips if other is not tip), tip)
        )

    def find(self, layout: Tensor, operation: dict[str, Any]) -> tuple[Document, ...]:
        """The steps that have this layout (1, H, W) and were made by an equal operation."""
        held = _Map.of(layout)
        return tuple(
            document
            for document in self.steps
            if document.operation == operation and document.__dict__["_layout"] == held
        )

    def save(self, path: str | Path, along: Mapping[str, bytes] | None = None) -> None:
        """Writes every step of every branch into one file, and what shall go `along` under its
        names; see `saved_along`."""
        try:
            write_beside(path, partial(self._write, along=along or {}))
        except OSError as error:
            raise InputError(f"'{path}' cannot be written ({error.strerror}).") from None

    def _write(self, path: Path, along: Mapping[str, bytes]) -> None:
        numbers = {document: number for number, document in enumerate(self.steps)}
        opened = self.opened
        about = {
            "format": FORMAT.format(VERSION),
            "matrix": None if opened.alignment is None else opened.alignment.matrix.tolist(),
            "steps": [
                {
                    "parent": None if document.parent is None else numbers[document.parent],
                    "operation": document.operation,
                    "scores": document.scores,
                }
                for document in self.steps
            ],
            "tips": [numbers[tip] for tip in self.tips],
            "current": numbers[self.current],
        }
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
            text = json.dumps(about, indent=2, allow_nan=False)
            file.writestr("document.json", text, zipfile.ZIP_DEFLATED)
            if opened.photo is not None:
                file.writestr("photo", opened.photo.file)
            for i, document in enumerate(self.steps):
                pixels = _pixels(document.picture)
                if document.parent is not None:  # mostly nothing, which takes no room
                    pixels = pixels - _pixels(document.parent.picture)  # modulo 256
                file.writestr(f"{i}/image.png", _png(Image.fromarray(pixels)))
                file.writestr(f"{i}/layout.png", _png(FACE_FINE.to_pil(document.layout[0])))
                if document.region is not None:
                    region = Image.fromarray(document.region[0].numpy())
                    file.writestr(f"{i}/region.png", _png(region))
                if document.sketch is not None:
                    text = document.sketch.to_json()
                    file.writestr(f"{i}/sketch.json", text, zipfile.ZIP_DEFLATED)
                if document.latent is not None:
                    latent = safetensors.save({"latent": document.latent.contiguous()})
                    file.writestr(f"{i}/latent.safetensors", latent)
            for name, content in along.items():
                file.writestr(ALONG + name, content)

    @classmethod
    def open(cls, source: str | Path | BinaryIO) -> Self:
        """Reads what `save` wrote; InputError for anything else."""
        with _unzipped(source) as file:
            return cls._read(file)

    @classmethod
    def _read(cls, file: zipfile.ZipFile) -> Self:
        if file.getinfo("document.json").file_size > MAX_RECORDS:
            raise InputError(f"its records are larger than {MAX_RECORDS // 2**20} MB")
        records = _unpacked(file, "document.json")
        about = json.loads(records, parse_constant=_number, parse_float=_number)
        steps, count, version = about["steps"], len(about["steps"]), _version(about["format"])
        if not 1 <= count <= MAX_STEPS:
            raise InputError(f"it has {count} steps")
        if version == 1:
            parents, tips, current = [None, *range(count - 1)], [count - 1], count - 1
        else:
            parents = [step["parent"] for step in steps]
            tips, current = about["tips"], about["current"]
        if parents[0] is not None or not all(_below(k, i) for i, k in enumerate(parents) if i):
            raise InputError("its steps do not follow from one another")
        documents: list[Document] = []
        for i, step in enumerate(steps):
            parent = None if i == 0 else documents[parents[i]]
            document = _step(file, i, step, parent, whole=version == 1)
            if i == 0:
                document = _opened(file, document, about["matrix"])
                if count * 4 * document.layout.numel() > MAX_BYTES:
                    raise InputError(f"its pictures take more than {MAX_BYTES // 2**20} MB")
            documents.append(document)
        leaves = sorted(set(range(count)) - set(parents))
        if not all(_below(tip, count) for tip in tips) or sorted(tips) != leaves:
            raise InputError("its branches do not end where its steps do")
        if not _below(current, count):
            raise InputError("none of its steps is the current one")
        history = cls(documents[current], tuple(documents), tuple(documents[tip] for tip in tips))
        if history.current not in history.tips[-1].chain:
            raise InputError("its current step is not on the last branch")
        return history


def saved_along(source: str | Path | BinaryIO) -> dict[str, bytes]:
    """What went along with a history that was saved; InputError for any other file."""
    with _unzipped(source) as file:
        names = [name for name in file.namelist() if name.startswith(ALONG)]
        return {name.removeprefix(ALONG): _unpacked(file, name) for name in names}


@contextmanager
def _unzipped(source: str | Path | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """A saved document, to be read; InputError for whatever is wrong with it."""
    try:
        with zipfile.ZipFile(source) as file:
            if sum(entry.file_size for entry in file.infolist()) > MAX_BYTES:
                raise InputError(f"it unpacks to more than {MAX_BYTES // 2**20} MB")
            yield file
    except FileNotFoundError:
        raise InputError(f"There is no file '{source}'.") from None
    except (
        *(zipfile.BadZipFile, zlib.error, SafetensorError, InputError, OSError, EOFError),
        *(ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError),
    ) as error:
        raise InputError(
            f"This file is not a semedit document or is damaged ({error}); choose one that was "
            "saved here."
        ) from None


def _step(
    file: zipfile.ZipFile, number: int, record: Any, parent: Document | None, *, whole: bool
) -> Document:
    """The step of that number, its picture `whole` or as the difference from its parent's."""
    pixels = _pixels(load_photo(_unpacked(file, f"{number}/image.png")))  # (H, W, 3)
    if parent is not None:
        before = _pixels(parent.picture)
        if pixels.shape != before.shape:
            raise InputError("pictures of several sizes")
        pixels = pixels if whole else pixels + before
    latent = None
    if (entry := _entry(file, f"{number}/latent.safetensors")) is not None:
        latent = safetensors.load(entry)["latent"]
        if latent.shape != LATENT or latent.dtype != torch.float32 or not latent.isfinite().all():
            raise InputError("no latent code")
    region = None
    if (entry := _entry(file, f"{number}/region.png")) is not None:
        region = torch.from_numpy(_pixels(load_photo(entry))[None, ..., 0] > 127)  # (1, H, W)
        if region.shape[1:] != pixels.shape[:2]:
            raise InputError("a region of another size")
    entry = _entry(file, f"{number}/sketch.json")
    return Document(
        image=to_tensor(Image.fromarray(pixels)),
        layout=load_layout(_unpacked(file, f"{number}/layout.png"), FACE_FINE, pixels.shape[:2]),
        operation=dict(record["operation"]),
        latent=latent,
        parent=parent,
        scores=checked(record["scores"], FACE_FINE),
        region=region,
        sketch=None if entry is None else Sketch.read(entry),
    )


def _opened(file: zipfile.ZipFile, document: Document, matrix: Any) -> Document:
    """The first step, with the photo around it and where it lies there."""
    for name in ("photo", "photo.png"):  # the second one of version 1
        if (entry := _entry(file, name)) is not None:
            document = replace(document, photo=read_photo(entry)[0])
    if matrix is None:
        return document
    alignment = Alignment(document.image, document.layout, _matrix(matrix))
    return replace(document, alignment=alignment)


def _entry(file: zipfile.ZipFile, name: str) -> bytes | None:
    return _unpacked(file, name) if name in file.NameToInfo else None


def _unpacked(file: zipfile.ZipFile, name: str) -> bytes:
    """A file out of a document. Its header says how long it is, and may lie: `file.read` would
    unpack all there is before it looks."""
    entry = file.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError(f"{name} is packed in an unknown way")  # others unpack without a limit
    with file.open(entry) as packed:
        return packed.read(entry.file_size)


def _pixels(image: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3), whose sums and differences are modulo 256."""
    return np.asarray(image)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)  # a third of the time of 6, for some percent
    return buffer.getvalue()


def _version(name: str) -> int:
    for version in range(1, VERSION + 1):
        if name == FORMAT.format(version):
            return version
    raise InputError("another version of semedit wrote it")


def _number(text: str) -> float:
    """A number of JSON, which knows neither NaN nor infinity."""
    number = float(text)
    if not isfinite(number):
        raise InputError(f"{text} is no number")
    return number


def _fading(matrix: Tensor, side: int, photo: tuple[int, int]) -> Tensor:
    """(1, side, side) in [0, 1]: what is painted up to the border of a crop fades into the photo
    there, unless that is the photo's border as well. `matrix` leads from the crop to the photo."""
    reach = halo(side, side)
    at = torch.arange(-reach, side + reach) + 0.5
    y, x = torch.meshgrid(at, at, indexing="ij")
    there = torch.stack([x, y, torch.ones_like(x)], -1).double() @ matrix.T  # (n, n, 2)
    around = ((there > 0) & (there < torch.tensor(photo))).all(-1)[None]
    inner = (..., slice(reach, -reach), slice(reach, -reach))
    around[inner] = False
    return 1 - feather(around, reach)[inner]


def _below(value: Any, limit: int) -> bool:
    """Whether something out of a file numbers one of so many."""
    return type(value) is int and 0 <= value < limit


def _matrix(rows: Any) -> Tensor:
    matrix = torch.tensor(rows, dtype=torch.float64)
    if matrix.shape != (2, 3) or not matrix.isfinite().all() or matrix[:, :2].det() < MIN_SCALE**2:
        raise InputError("no alignment")
    return matrix
