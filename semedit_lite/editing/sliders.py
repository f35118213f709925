"""The Sliders editor: a face as a code of the generator, moved by sliders and by its part map.

editor = SliderEditor()
document = editor.open("me.jpg")
document = editor.finish(document, {"smile": 1.0})
document.save_picture("edited.png")

A generated face is shown as the generator paints it. A photo is not: what its code paints is only
like it. So a photo stays as it is, and gets, inside the region of its edits, what the edit changes
between two paintings.
"""

import math
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from semedit_lite.editing.compositing import composite, feather, transferred
from semedit_lite.editing.document import Document
from semedit_lite.editing.editor import Progress
from semedit_lite.editing.latent import (
    EMBED_STEPS,
    FREE,
    STEPS,
    TRUNCATION,
    Inversion,
    LatentSpace,
    OnStep,
    Stop,
    region_of_edit,
)
from semedit_lite.editing.scorecard import scorecard
from semedit_lite.editing.vectors import SIDE, Edit, EditingVector, bundled
from semedit_lite.errors import InputError
from semedit_lite.faces.align import align
from semedit_lite.faces.detect import Face
from semedit_lite.faces.frames import Frame
from semedit_lite.faces.parse import face_parser, parse
from semedit_lite.images import Source, reduce, resize, resize_layout, to_pil
from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.memory import give_back_memory
from semedit_lite.models.editgan import js_uncertainty, layout_of
from semedit_lite.models.mobilestylegan import FULL
from semedit_lite.photo import read_photo

Values = Mapping[str, float]  # name of a slider -> where it stands
Vectors = Mapping[str, EditingVector]
LIMIT = 10.0  # where a slider may stand
TOO_MUCH = 0.6  # share of the picture that an edit may repaint


class SliderEditor:
    """Opens a photo or a generated face once (slow), moves it many times (fast)."""

    def __init__(self, device: str = "cpu", space: LatentSpace | None = None) -> None:
        self.device, self.space = device, space or LatentSpace(device)
        # What has been computed of a document, for as long as that lives.
        self._known: WeakKeyDictionary[Document, dict[Any, Any]] = WeakKeyDictionary()

    @cached_property
    def vectors(self) -> dict[str, EditingVector]:
        """The sliders that come with the editor, by name."""
        return {name: self.load(path.read_bytes()) for name, path in bundled().items()}

    def load(self, data: bytes) -> EditingVector:
        """A slider from its file; InputError where it is none or not for this generator."""
        return EditingVector.from_bytes(data, self.space.digest)

    def check(self, values: Values, own: Vectors | None = None) -> dict[str, EditingVector]:
        """All vectors by their names; InputError where a slider is unknown or stands nowhere."""
        vectors = {**self.vectors, **(own or {})}
        for name, value in values.items():
            if name not in vectors:
                known = ", ".join(vectors) or "none"
                raise InputError(f"There is no slider '{name}'; there are {known}.")
            if not abs(value) <= LIMIT:
                raise InputError(f"The slider '{name}' stands from -{LIMIT:g} to {LIMIT:g}.")
        return vectors

    # Opening ----------------------------------------------------------------------------------

    @torch.no_grad()
    def generate(self, seed: int, truncation: float = TRUNCATION) -> Document:
        """A document of a face that nobody has; always the same for a seed."""
        image, rows = self.space.generator.sample([seed], FULL, truncation)
        operation = {"tool": "generate", "seed": seed, "truncation": truncation}
        return self._opened(image, rows, operation)

    @torch.no_grad()
    def open(
        self,
        photo: Source | int,
        face: Face | Frame | None = None,
        progress: Progress | None = None,
        steps: int = EMBED_STEPS,
    ) -> Document:
        """A document of a face in a photo: of `face`, one of `find_faces` or a square chosen by
        hand, or else of the largest; or of the generated face of a seed. NoFaceError, an
        InputError, where none is found. `steps` improve the encoder's guess of its code."""
        if isinstance(photo, int):
            return self.generate(photo)
        photo, upright = read_photo(photo)
        found = align(upright, face_parser(self.device), FULL, face)
        told = telling(progress, steps)
        inversion = self.space.invert(reduce(found.image, SIDE), steps, on_step=told)
        return self._opened(
            found.image, inversion.rows, {"tool": "open"}, photo=photo, alignment=found
        )

    @torch.no_grad()
    def retry(self, opened: Document, progress: Progress | None = None) -> Document:
        """The same photo, whose code is searched for from the mean face, and for longer; the better
        one of the two."""
        if opened.photo is None:
            raise InputError("A generated face has its code; only that of a photo is searched for.")
        steps = 2 * EMBED_STEPS
        mean = self.space.generator.rows(self.space.generator.mean_w[None])
        told = telling(progress, steps)
        found = self.space.invert(reduce(opened.image, SIDE), steps, mean, told)
        before = self.inversion(opened)
        rows = found.rows if found.distance < before.distance else before.rows
        return self._opened(
            opened.image, rows, {"tool": "open"}, photo=opened.photo, alignment=opened.alignment
        )

    @torch.no_grad()
    def inversion(self, opened: Document) -> Inversion:
        """What the generator makes of an opened photo, and how far that is from it."""
        known = self._known.setdefault(opened, {})
        if "inversion" not in known:  # a page asks at every step
            image, photo = self._painted(opened, SIDE), reduce(opened.image, SIDE).to(self.device)
            distance = self.space.distance(image, photo).item()
            known["inversion"] = Inversion(opened.latent, image, distance)
        return known["inversion"]

    def _opened(self, image: Tensor, rows: Tensor, operation: dict, **more: Any) -> Document:
        layout = resize_layout(self.space.parts(rows)[0], FULL)
        operation = {**operation, "generator": self.space.digest}
        return Document(
            image.clamp(-1, 1).cpu(), layout.cpu(), operation, latent=rows.cpu(), **more
        )

    # Looking ----------------------------------------------------------------------------------

    def uncertainty(self, document: Document) -> Tensor:
        """How unsure its part map is (256, 256), in nats."""
        return self._parts(document)[1][0]

    @torch.no_grad()
    def slide(self, at: Document, values: Values, own: Vectors | None = None) -> Image.Image:
        """The picture with the sliders at `values`, 256 pixels wide, to be looked at while they
        move; `own` are vectors beside the editor's."""
        rows, classes = self._moved(at, values, own)
        if at.opened.photo is None:
            return to_pil(self.space.generator.synthesis(rows, SIDE).clamp(-1, 1))
        image, logits = self.space.look(rows, self.space.editing_branch)
        inside = region_of_edit(self._parts(at)[0], layout_of(logits), classes)
        return to_pil(self._shown(at, image, inside)[0])

    # Editing ----------------------------------------------------------------------------------

    @torch.no_grad()
    def finish(
        self,
        at: Document,
        values: Values,
        own: Vectors | None = None,
        refine: int = 0,
        on_step: OnStep | None = None,
        stop: Stop | None = None,
    ) -> Document:
        """A child of `at` with the sliders at `values`, at full size.

        `refine` steps of self-supervised refinement (EditGAN, section 3.3): the part map that the
        sliders gave is the goal, and all outside the region stays.
        """
        start = time.perf_counter()
        rows, classes = self._moved(at, values, own)
        losses = ()
        if refine:
            wanted = self.space.parts(rows)[0]
            inside = region_of_edit(self._parts(at)[0], wanted, classes)
            found = self.space.edit(
                at.latent.to(self.device), wanted, inside, refine, rows, FREE, on_step=on_step,
                stop=stop,
            )  # fmt: skip
            rows, losses = found.rows, found.losses
        operation = {"tool": "sliders", "values": {k: v for k, v in values.items() if v}}
        operation |= {"refine": refine} if refine else {}
        return self._child(at, rows, classes, None, operation, losses, start)

    @torch.no_grad()
    def repaint(
        self,
        at: Document,
        part_map: Tensor,
        brush: Tensor | None = None,
        steps: int = STEPS,
        on_step: OnStep | None = None,
        stop: Stop | None = None,
    ) -> Document:
        """A child of `at` whose part map is `part_map` (1, 256, 256) where that was changed or the
        `brush` (1, 256, 256), bool, has been."""
        start = time.perf_counter()
        asked = self._checked(part_map)
        shown = resize_layout(at.layout, SIDE)
        painted = asked != shown
        if brush is not None:
            painted = painted | brush.cpu()
        if not painted.any():
            raise InputError("The part map is as it was; paint what shall change, then apply it.")
        if painted.float().mean() > TOO_MUCH:
            raise InputError("This asks for another face altogether; change some parts only.")
        classes = torch.cat([asked[painted], shown[painted]]).unique().tolist()
        before = self._parts(at)[0]
        inside = region_of_edit(before, asked.to(self.device), classes, painted)
        found = self.space.edit(
            at.latent.to(self.device), asked.to(self.device), inside, steps, on_step=on_step,
            stop=stop,
        )  # fmt: skip
        # the sliders stay where they are: what they did is still in the code
        operation = {"tool": "repaint parts", "values": standing(at), "steps": steps}
        return self._child(at, found.rows, classes, asked, operation, found.losses, start, inside)

    def vector_of(self, document: Document, title: str) -> EditingVector:
        """The edit that made `document` as a slider of that title."""
        at = document.parent
        if at is None or not torch.any(document.latent != at.latent):
            raise InputError("Nothing was edited yet; a slider is made of an edit.")
        record = document.operation
        if not isinstance(record.get("classes"), list):  # a work that was made elsewhere
            raise InputError("How this step came about is not known; a slider is made of an edit.")
        asked = resize_layout(document.layout, SIDE)[0].byte()
        losses = record.get("losses", [0.0, 0.0])
        # of the edit of a generated face anyone can make it again
        made = at.operation if at is document.opened else {}
        seed = made.get("seed") if made.get("truncation") == TRUNCATION else None
        edit = Edit(seed, self._parts(at)[0][0].byte().cpu(), asked, record.get("steps", 0), losses)
        return EditingVector(
            title,
            tuple(record["classes"]),
            (document.latent - at.latent)[0].float().cpu(),
            FREE,
            (-2.0, 2.0),
            self.space.digest,
            (edit,),
        )

    # What the above have in common --------------------------------------------------------------

    def _moved(self, at: Document, values: Values, own: Vectors | None) -> tuple[Tensor, list[int]]:
        """W+ (1, 16, 512) with the sliders at `values`, and the classes that this changes."""
        stand = standing(at)
        moves = {name: values.get(name, 0.0) - stand.get(name, 0.0) for name in {**stand, **values}}
        moves = {name: move for name, move in moves.items() if move}
        vectors = self.check({name: values.get(name, 0.0) for name in moves}, own)
        rows, classes = at.latent.clone(), set()
        for name, move in moves.items():
            rows += move * vectors[name].delta
            classes.update(vectors[name].ids)
        return rows.to(self.device), sorted(classes)

    def _child(
        self,
        at: Document,
        rows: Tensor,
        classes: list[int],
        layout: Tensor | None,
        operation: dict[str, Any],
        losses: tuple[float, ...],
        start: float,
        inside: Tensor | None = None,
    ) -> Document:
        """The child of `at` with this code, and the part map that was asked for, or that it has."""
        image, logits = self.space.look(rows, self.space.branch, FULL)
        parts = layout_of(logits), js_uncertainty(logits)
        if inside is None:
            inside = region_of_edit(self._parts(at)[0], parts[0], classes)
        image, region = self._shown(at, image, inside)
        opened = at.opened
        operation = {**operation, "classes": [FACE_FINE.classes[k] for k in classes]}
        operation["generator"] = self.space.digest
        if losses:
            operation["losses"] = [round(losses[0], 4), round(min(losses), 4)]
        small = reduce(image, SIDE)
        fine = parts[0]
        layout = fine if layout is None else layout
        # what the parser does not tell, the branch does
        seen = torch.where(fine >= len(FACE), fine, parse(small, parser=face_parser(self.device)))
        before = reduce(opened.image, SIDE)
        people = [self.space.person(x.to(self.device)) for x in (before, small)]
        scores = scorecard(
            before,
            small.cpu(),
            layout.cpu(),
            seen.cpu(),
            region_at(region, SIDE).cpu(),
            time.perf_counter() - start,
            FACE_FINE,
            F.cosine_similarity(*people).item(),
        )
        document = Document(
            image.cpu(),
            resize_layout(layout, FULL).cpu(),
            operation,
            latent=rows.cpu(),
            parent=at,
            scores=scores,
            region=region.cpu(),
        )
        self._known[document] = {"parts": parts}
        give_back_memory()
        return document

    def _shown(self, at: Document, image: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """The picture of an edit of `at` which the generator paints as image (1, 3, S, S) and whose
        region is `inside` (1, 256, 256), and the region (1, S, S) of all edits that led to it:
        outside it and its halo a photo is as it was opened."""
        opened, size = at.opened, image.shape[-1]
        image = image.clamp(-1, 1)
        region = region_at(inside, size)
        if at.region is not None:
            region = region | region_at(at.region.to(self.device), size)
        if opened.photo is None:
            return image, region
        photo = resize(opened.image.to(self.device), size)
        edited = transferred(photo, self._painted(opened, size), image, region)
        return composite(photo, edited.clamp(-1, 1), feather(region)), region

    def _painted(self, opened: Document, size: int) -> Tensor:
        """What the generator makes of an opened document (1, 3, size, size)."""
        known = self._known.setdefault(opened, {})
        if size not in known:
            rows = opened.latent.to(self.device)
            known[size] = self.space.generator.synthesis(rows, size).clamp(-1, 1)
        return known[size]

    def _parts(self, document: Document) -> tuple[Tensor, Tensor]:
        """Part map and uncertainty of a document's code, each (1, 256, 256)."""
        known = self._known.setdefault(document, {})
        if "parts" not in known:
            known["parts"] = self.space.parts(document.latent.to(self.device))
        return known["parts"]

    def _checked(self, part_map: Tensor) -> Tensor:
        """A part map as long (1, 256, 256)."""
        if part_map.shape != (1, SIDE, SIDE):
            size = "×".join(str(n) for n in reversed(part_map.shape[-2:]))
            raise InputError(f"The part map is {size} pixels; it is to be {SIDE}×{SIDE}.")
        return FACE_FINE.check(part_map).cpu()


def standing(document: Document) -> dict[str, float]:
    """Where the sliders stand at a document; its operation may be out of a file."""
    values = document.operation.get("values")
    values = values if isinstance(values, dict) else {}
    return {
        str(name): float(value)
        for name, value in values.items()
        if type(value) in (int, float) and math.isfinite(value)
    }


def telling(progress: Progress | None, steps: int) -> OnStep | None:
    """Says of a search how much of it is done."""
    return None if progress is None else lambda step, *_: progress(step / max(1, steps))


def region_at(region: Tensor, size: int) -> Tensor:
    """A region (1, S, S) at another side, as large or larger in what it covers."""
    if region.shape[-1] == size:
        return region
    if size > region.shape[-1]:
        return F.interpolate(region[:, None].float(), size, mode="nearest")[:, 0] > 0
    return F.adaptive_max_pool2d(region[:, None].float(), size)[:, 0] > 0
