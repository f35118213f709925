"""The Sketch editor: a few lines on a photo, and the part that they are about is redrawn.

editor = SketchEditor()
document = editor.open("me.jpg")
document = editor.apply(document, Redraw(Sketch.read(Path("smile.json"))))
document.save_picture("smiling.png")
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.data.sketches import borders, canny, grown, ridges
from semedit_lite.editing.compositing import composite, feather, transferred
from semedit_lite.editing.document import Document
from semedit_lite.editing.editor import FaceEditor, weights_digest
from semedit_lite.editing.scorecard import scorecard
from semedit_lite.editing.strokes import Sketch
from semedit_lite.editing.tracing import Chain, chains
from semedit_lite.errors import InputError
from semedit_lite.faces.parse import parse
from semedit_lite.images import resize
from semedit_lite.labels import IGNORE
from semedit_lite.models.sketchedit import SketchEdit

TOO_MUCH = 0.25  # share of the picture that lines may cover
NEAR = 1 / 64  # of the side: a line counts as drawn that is as near as this
# Threshold and sigma, at 256 pixels: the lines of a face, not those of its skin.
EDGES, RIDGES = (0.025, 3.0), (0.02, 2.4)
KEPT = "keep"  # the tool of a step from which on strokes begin anew


@dataclass(frozen=True, eq=False)
class Redraw:
    """Make what these lines ask for, in the region that they are about."""

    sketch: Sketch
    threshold: float = 0.5  # of the region: the lower, the larger
    lines: Tensor | None = None  # bool (1, 1, H, W), of the document's size: lines beside strokes
    region: Tensor | None = None  # bool (1, 1, H, W): instead of the one that is found


class SketchEditor(FaceEditor):
    """Opens a photo or a generated face once, redraws parts of it many times.

    `model` is the name or folder of weights, `size` the side of the pictures that are edited,
    whatever the model's own.
    """

    def __init__(
        self,
        model: str | Path = "sketchedit-faces-64",
        device: str = "cpu",
        *,
        parser: str | Path = "face-parser",
        generator: str | Path = "mobilestylegan-ffhq",
        size: int = 256,
    ) -> None:
        super().__init__(device, parser=parser, generator=generator, size=size)
        self.name = str(model)
        self.model = SketchEdit.from_pretrained(model, device)
        self._weights = weights_digest(model)

    @torch.no_grad()
    def apply(self, document: Document, operation: Redraw) -> Document:
        """The child of `document` in which the region is redrawn, with its scorecard.

        All strokes since the picture was opened, or `keep` was called, are one sketch on that
        picture, however many steps they took. Outside the region and its halo it stays bit for bit.
        """
        start = time.perf_counter()
        base, opened = ground(document), document.opened
        region = self.region(document, operation)
        if region.any():
            image = self._redrawn(base.image, operation, region)
            found = parse(image.to(self.device), parser=self.parser).cpu()
            same = self.likeness(opened, image)
        else:
            image, found, same = base.image, base.layout, None
        drawn = self._lines(operation, self.size) & region
        seconds = time.perf_counter() - start
        nothing = torch.full_like(found, IGNORE)  # no layout was asked for
        scores = scorecard(base.image, image, nothing, found, region[:, 0], seconds, identity=same)
        return Document(
            image,
            found,
            self._record(operation),
            parent=document,
            region=region[:, 0] if base.region is None else region[:, 0] | base.region,
            sketch=operation.sketch,
            scores=scores | {"lines": agreement(drawn, own_lines(image, found))},
        )

    @torch.no_grad()
    def region(self, document: Document, operation: Redraw) -> Tensor:
        """The region that would be redrawn, bool (1, 1, H, W): found by the network unless the
        operation brings one, and corrected by the sketch. Fast, for a look after each stroke.
        InputError where so much is drawn that it is no sketch."""
        base, sketch = ground(document), operation.sketch
        if not 0 <= operation.threshold <= 1:
            raise InputError("The threshold of the region is a number from 0 to 1.")
        region = operation.region
        if region is None:
            drawn = self._seen(operation)
            if drawn[:, :2].amax(1).mean() > TOO_MUCH:
                raise InputError(
                    "That is more than a sketch: most of the picture is covered; draw a few lines."
                )
            region = torch.zeros((1, 1, self.size, self.size), dtype=torch.bool)
            if drawn.any():
                soft = self.model.find(self._small(base.image), drawn)  # (1, 1, S, S)
                region = resize(soft, self.size).cpu() > operation.threshold
        return sketch.corrected(region)

    def keep(self, document: Document) -> Document:
        """The same picture, as the ground of the sketches that follow."""
        return Document(
            document.image,
            document.layout,
            {"tool": KEPT},
            parent=document,
            region=document.region,
        )

    def lines(self, document: Document) -> list[Chain]:
        """The own lines of the picture that is drawn on, to draw beside or to pull at."""
        base = ground(document)
        return chains(borders(base.layout)) + chains(ridges(base.image, *RIDGES))

    def _redrawn(self, image: Tensor, operation: Redraw, region: Tensor) -> Tensor:
        """The picture (1, 3, H, W) with the region redrawn at the model's size."""
        small, drawn = self._small(image), self._seen(operation)
        hole = F.interpolate(region.float(), drawn.shape[2:], mode="area") > 0.3
        hole = hole.to(small)  # (1, 1, S, S)
        fine = self.model.redraw(small, drawn, hole)
        laid = fine * hole + small * (1 - hole)
        # What changes is the network's, finer detail stays the picture's own where it can.
        before, after = (resize(x.clamp(-1, 1).cpu(), image.shape[-1]) for x in (small, laid))
        picture = transferred(image, before, after, region[:, 0]).clamp(-1, 1)
        return composite(image, picture, feather(region[:, 0]))

    def _seen(self, operation: Redraw) -> Tensor:
        """The sketch as the model sees it, (1, S channels, side, side)."""
        side = self.model.size
        drawn = operation.sketch.tensor(side)
        drawn[:, :1] = self._lines(operation, side).float()
        return drawn[:, : self.model.strokes].to(self.device)

    def _lines(self, operation: Redraw, side: int) -> Tensor:
        """bool (1, 1, side, side)"""
        lines = operation.sketch.mask(("line",), side)
        if operation.lines is not None:
            lines = lines | (F.adaptive_max_pool2d(operation.lines.float(), side) > 0)
        return lines

    def _small(self, image: Tensor) -> Tensor:
        return resize(image, self.model.size).to(self.device)

    def _record(self, operation: Redraw) -> dict[str, Any]:
        """What provenance says of an operation; the strokes themselves are the document's."""
        return {
            "tool": "sketch",
            "model": Path(self.name).name,
            "weights": self._weights,
            "strokes": len(operation.sketch.strokes),
            "threshold": operation.threshold,
        }


def ground(document: Document) -> Document:
    """The step on whose picture strokes are drawn: the latest that was not itself sketched."""
    while document.operation.get("tool") == "sketch" and document.parent is not None:
        document = document.parent
    return document


def own_lines(image: Tensor, layout: Tensor) -> Tensor:
    """The lines of a picture (1, 3, H, W) and its layout (1, H, W): bool (1, 1, H, W)."""
    return borders(layout) | canny(image, *EDGES) | ridges(image, *RIDGES)


def agreement(drawn: Tensor, found: Tensor) -> float | None:
    """The part of the lines drawn, bool (1, 1, H, W), beside which there are lines in the result;
    None where none were drawn."""
    if not drawn.any():
        return None
    near = grown(found, max(1, round(NEAR * drawn.shape[-1])))
    return round(near[drawn].float().mean().item(), 4)
