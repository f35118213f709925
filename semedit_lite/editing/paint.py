"""The Paint editor: a face is painted as a layout, a painter such as GauGAN makes the picture.

editor = PaintEditor()
document = editor.open("me.jpg")
document = editor.apply(document, Repaint(layout, Style.own()))
document.save_picture("edited.png")
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.compositing import changed, composite, feather, match_colours
from semedit_lite.editing.document import Document, History
from semedit_lite.editing.editor import FaceEditor, weights_digest
from semedit_lite.editing.scorecard import scorecard
from semedit_lite.errors import InputError
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.parse import parse
from semedit_lite.images import load_photo, resize, resize_layout, to_tensor
from semedit_lite.labels import FACE, IGNORE
from semedit_lite.models.layers import Painter


@dataclass(frozen=True, eq=False)
class Style:
    """Where the style code comes from; made by `own`, `seed` or `photo`."""

    kind: str
    value: int | Image.Image | Tensor | None = None

    @classmethod
    def own(cls) -> Self:
        """The style of the document's photo as it was opened."""
        return cls("own")

    @classmethod
    def seed(cls, seed: int) -> Self:
        """A random style, always the same for a seed."""
        if not 0 <= seed < 2**63:
            raise InputError("The seed of a style is a whole number from 0 to 2^63 - 1.")
        return cls("seed", seed)

    @classmethod
    def photo(cls, photo: Image.Image | Tensor) -> Self:
        """The style of another photo, or its code (1, z_dim) that `PaintEditor.code` has found
        before; of the photo's face, where it shows one."""
        return cls("photo", photo)

    @property
    def record(self) -> dict[str, Any]:
        """What provenance says of it: a photo is named, not kept."""
        return {"kind": self.kind} | ({"seed": self.value} if self.kind == "seed" else {})


@dataclass(frozen=True, eq=False)
class Repaint:
    """Make the picture that this layout (1, H, W) asks for."""

    layout: Tensor  # of the document's size
    style: Style
    composite: bool = True  # laid into the opened picture where the layout was changed, or bare


class PaintEditor(FaceEditor):
    """Opens a photo or a generated face once (slow), repaints it many times (fast).

    `model`, `parser` and `generator` are names or folders of weights, `model` those of any painter;
    `size` is the side of the pictures that are edited, whatever the model's own.
    """

    def __init__(
        self,
        model: str | Path = "spade-faces-128",
        device: str = "cpu",
        *,
        parser: str | Path = "face-parser",
        generator: str | Path = "mobilestylegan-ffhq",
        size: int = 256,
    ) -> None:
        super().__init__(device, parser=parser, generator=generator, size=size)
        self.name = str(model)
        self.model = hub.network(hub.find(model)).to(device)
        if not isinstance(self.model, Painter):
            raise InputError(f"'{model}' paints no layouts; choose other weights.")
        self._weights = weights_digest(model)

    @torch.no_grad()
    def apply(self, document: Document, operation: Repaint) -> Document:
        """The child of `document` that shows the layout asked for, with its scorecard.

        With `composite` the picture is the opened one outside the region where the layout differs
        from the opened layout, and its halo, whatever was painted in between; in the photo's own
        style each class also takes on the colours that it has there.
        """
        start = time.perf_counter()
        opened = document.opened
        layout = self._checked(operation.layout, opened)
        mask = changed(opened.layout, layout)
        if operation.composite and not mask.any():
            image, found, same = opened.image, opened.layout, 1.0  # nothing to do for a network
        else:
            image = self._painted(layout, mask, operation, opened)
            found = parse(image.to(self.device), parser=self.parser).cpu()
            same = self.likeness(opened, image)
        seconds = time.perf_counter() - start
        return Document(
            image,
            layout,
            self._record(operation),
            parent=document,
            scores=scorecard(opened.image, image, layout, found, mask, seconds, identity=same),
        )

    def made(self, history: History, operation: Repaint) -> tuple[Document, ...]:
        """The steps of a history that show what `apply` would make: what was painted in between
        does not show, so they may be on any branch. Of the style of a photo no step tells whose it
        is; the caller knows."""
        opened = history.opened
        if operation.composite and torch.equal(operation.layout, opened.layout):
            return (opened,)
        return history.find(operation.layout, self._record(operation))

    def _record(self, operation: Repaint) -> dict[str, Any]:
        """What provenance says of an operation."""
        return {
            "tool": "paint",
            "model": Path(self.name).name,
            "weights": self._weights,
            "style": operation.style.record,
            "composite": operation.composite,
        }

    def _painted(
        self, layout: Tensor, mask: Tensor, operation: Repaint, opened: Document
    ) -> Tensor:
        """The picture (1, 3, H, W) of a layout (1, H, W) that differs from the opened one in
        `mask` (1, H, W)."""
        code = self.code(operation.style, opened)
        model_layout = resize_layout(layout, self.model.size).to(self.device)
        image = self.model(model_layout, code).cpu().clamp(-1, 1)  # (1, 3, S, S)
        image = resize(image, tuple(opened.image.shape[2:]))  # (1, 3, H, W)
        if not operation.composite:
            return image
        if operation.style.kind == "own":  # any other style brings its own colours
            image = match_colours(image, opened.image, opened.layout, layout).clamp(-1, 1)
        return composite(opened.image, image, feather(mask))

    @torch.no_grad()
    def code(self, style: Style, document: Document) -> Tensor:
        """The style code (1, z_dim) that `style` stands for."""
        if isinstance(style.value, Tensor):
            return style.value.to(self.device)
        if style.kind == "seed":
            generator = torch.Generator().manual_seed(style.value)
            return torch.randn(1, self.model.z_dim, generator=generator).to(self.device)
        image = document.opened.image if style.kind == "own" else self._style_image(style.value)
        return self.model.encode(image.to(self.device))[0]

    def _style_image(self, photo: Image.Image) -> Tensor:
        """The face of a photo (1, 3, S, S); the photo's middle where it shows none."""
        photo = load_photo(photo)
        try:
            return align(photo, self.parser, self.size).image
        except NoFaceError:
            width, height = photo.size
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            square = photo.crop((left, top, left + side, top + side))
            return resize(to_tensor(square), self.size)

    def _checked(self, layout: Tensor, opened: Document) -> Tensor:
        """The layout as long (1, H, W), with ids of the set and the picture's size."""
        wanted = tuple(opened.layout.shape)
        if tuple(layout.shape) != wanted:
            size = "×".join(str(n) for n in reversed(layout.shape[-2:]))
            raise InputError(
                f"The layout is {size} pixels, but the picture is {wanted[2]}×{wanted[1]}."
            )
        layout = FACE.check(layout).cpu()
        if not ((layout != FACE.id("background")) & (layout != IGNORE)).any():
            raise InputError("The layout is empty; paint a face or open a picture first.")
        return layout
