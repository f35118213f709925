"""The sliders that come with the package: of which edits each is the mean.

An edit is a generated face, by its seed, and a part map in place of its own. These part maps are
drawn by few rules: a part is moved or stretched, or is that of another generated face.
`semedit sliders --rederive NAME` makes a slider again from what its file records.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.data.labelled import labelled
from semedit_lite.editing.latent import FREE, STEPS, TRUNCATION, LatentSpace, region_of_edit
from semedit_lite.editing.parts import copy_part
from semedit_lite.editing.vectors import SIDE, Edit, EditingVector
from semedit_lite.errors import InputError
from semedit_lite.images import resize_layout
from semedit_lite.labels import FACE_FINE, IGNORE

Draw = Callable[[Tensor], Tensor]  # the part map (1, 256, 256) of a face -> the wanted
MOUTH, BROWS = FACE_FINE.groups["mouth"], FACE_FINE.groups["brows"]
EYES = tuple(FACE_FINE.id(name) for name in ("l_eye", "r_eye"))
SKIN, NOSE, GLASSES, HAIR, IRIS, BEARD = (
    FACE_FINE.id(name) for name in ("skin", "nose", "eye_g", "hair", "iris", "beard")
)


@dataclass(frozen=True)
class Slider:
    """How a slider is derived."""

    title: str
    draw: Draw
    classes: tuple[int, ...]  # that the edits change
    seeds: tuple[int, ...]  # of the faces that are edited
    high: float  # end of the slider, by looking at its sheet
    low: float | None = None  # the other end; as far on the other side unless given
    rows: tuple[int, ...] = FREE
    steps: int = STEPS

    @property
    def range(self) -> tuple[float, float]:
        """Both ends of the slider."""
        return (-self.high if self.low is None else float(self.low), self.high)


def face(space: LatentSpace, seed: int) -> Tensor:
    """W+ (1, 16, 512) of a generated face."""
    return space.generator.latents([seed], TRUNCATION)


def lent(
    seed: int,
    classes: tuple[int, ...],
    anchor: tuple[int, ...] | None = None,
    on: tuple[int, ...] | None = None,
) -> Draw:
    """The parts of a labelled face, moved so that the middle of `anchor` is where it was; laid on
    the parts `on` alone."""

    def draw(layout: Tensor) -> Tensor:
        donor = resize_layout(labelled([seed]), SIDE)  # (1, 256, 256)
        if anchor is not None:
            shift = middle(layout, anchor) - middle(donor, anchor)
            donor = stretched(donor, torch.zeros(2), (1.0, 1.0), tuple(shift.tolist()))
        drawn = copy_part(layout, donor, classes)
        return (
            drawn
            if on is None
            else torch.where(torch.isin(layout, torch.tensor(on)), drawn, layout)
        )

    return draw


def shaped(
    classes: tuple[int, ...],
    scale: tuple[float, float] = (1.0, 1.0),
    move: tuple[float, float] = (0.0, 0.0),
    together: bool = False,
) -> Draw:
    """Parts stretched about their middle, each its own or `together`, and moved: factors and
    shares of the side, across and down."""

    def draw(layout: Tensor) -> Tensor:
        donor = torch.where(torch.isin(layout, torch.tensor(classes)), IGNORE, layout)
        for group in [classes] if together else [(k,) for k in classes]:
            if not torch.isin(layout, torch.tensor(group)).any():
                continue
            source = stretched(layout, middle(layout, group), scale, move)
            part = torch.isin(source, torch.tensor(group))
            donor = torch.where(part, source, donor)
        return copy_part(layout, donor, classes)

    return draw


def gaze(share: float) -> Draw:
    """The irises moved across by a share of the side, within the eyes."""

    def draw(layout: Tensor) -> Tensor:
        eyes = torch.isin(layout, torch.tensor((*EYES, IRIS)))
        source = stretched(layout, torch.zeros(2), (1.0, 1.0), (share, 0.0))
        moved = eyes & (source == IRIS)
        centre = middle(layout, (*EYES, IRIS))[0]
        across = torch.arange(layout.shape[2]).view(1, 1, -1) / layout.shape[2]
        left, right = FACE_FINE.id("l_eye"), FACE_FINE.id("r_eye")
        white = torch.where(across > centre, left, right).expand_as(layout)
        return torch.where(moved, IRIS, torch.where(eyes & (layout == IRIS), white, layout))

    return draw


def jaw(factor: float) -> Draw:
    """The face below the mouth wider or narrower."""

    def draw(layout: Tensor) -> Tensor:
        side = layout.shape[2]
        centre = middle(layout, MOUTH)
        at = (torch.arange(side) + 0.5) / side
        y, x = torch.meshgrid(at, at, indexing="ij")
        # none at the nose, all from the mouth on
        share = ((y - (centre[1] - 0.09)) / 0.09).clamp(0, 1)
        x = centre[0] + (x - centre[0]) / (1 + (factor - 1) * share)
        grid = 2 * torch.stack([x, y], -1)[None] - 1
        source = F.grid_sample(layout[:, None].float(), grid, "nearest", "border", False)
        source = source[:, 0].long()
        keep = torch.isin(layout, torch.tensor((*MOUTH, NOSE)))
        skin = torch.isin(source, torch.tensor((SKIN, BEARD, *MOUTH)))
        was = torch.isin(layout, torch.tensor((SKIN, BEARD)))
        drawn = torch.where(skin & ~keep & ~was, SKIN, layout)  # wider
        narrower = was & ~skin & (source != NOSE)
        return torch.where(narrower & ~keep, source, drawn)

    return draw


def middle(layout: Tensor, classes: tuple[int, ...]) -> Tensor:
    """Where classes of a part map (1, S, S) have their middle: (2,), x and y in shares of the side.
    InputError where it shows none of them."""
    _, y, x = torch.isin(layout, torch.tensor(classes)).nonzero(as_tuple=True)
    if not len(x):
        names = ", ".join(FACE_FINE.classes[k] for k in classes)
        raise InputError(f"The part map shows no {names}; choose another face.")
    return torch.stack([x, y]).float().add(0.5).mean(1) / layout.shape[2]


def stretched(
    layout: Tensor, about: Tensor, scale: tuple[float, float], move: tuple[float, float]
) -> Tensor:
    """A part map (1, S, S) stretched about a point and then moved, across and down."""
    (sx, sy), (dx, dy) = scale, move
    cx, cy = (2 * about - 1).tolist()
    # output -> input, in coordinates from -1 to 1
    matrix = torch.tensor([
        [1 / sx, 0, cx - (cx + 2 * dx) / sx],
        [0, 1 / sy, cy - (cy + 2 * dy) / sy],
    ])  # fmt: skip
    grid = F.affine_grid(matrix[None], [1, 1, *layout.shape[1:]], align_corners=False)
    return F.grid_sample(layout[:, None].float(), grid, "nearest", "border", False)[:, 0].long()


def derive(space: LatentSpace, slider: Slider, report: Callable[[str], None] = print):
    """The vector of a slider: the mean of its edits."""
    edits, moves = [], []
    for seed in slider.seeds:
        before = space.parts(face(space, seed))[0]
        after = slider.draw(before)
        edit, move = one_edit(space, seed, before, after, slider.classes, slider.rows, slider.steps)
        edits.append(edit)
        moves.append(move)
        report(f"{slider.title}: face {seed}, loss {edit.loss[0]:.3f} to {edit.loss[1]:.3f}")
    return EditingVector(
        slider.title,
        tuple(FACE_FINE.classes[k] for k in slider.classes),
        torch.stack(moves).mean(0),
        slider.rows,
        slider.range,
        space.digest,
        tuple(edits),
    )


def one_edit(
    space: LatentSpace,
    seed: int,
    before: Tensor,
    after: Tensor,
    classes: tuple[int, ...],
    free: tuple[int, ...],
    steps: int,
) -> tuple[Edit, Tensor]:
    """The record of an edit of a face, part maps (1, 256, 256) before and after, and its move
    (16, 512)."""
    rows = face(space, seed)
    found = space.edit(rows, after, region_of_edit(before, after, classes), steps, free=free)
    loss = (found.losses[0], min(found.losses))
    edit = Edit(seed, before[0].byte().cpu(), after[0].byte().cpu(), steps, loss)
    return edit, (found.rows - rows)[0].cpu()


def rederive(space: LatentSpace, vector: EditingVector) -> EditingVector:
    """A vector made again from its own record: the same faces, part maps, rows and steps.
    InputError where an edit was of a face that has no seed."""
    moves = []
    for edit in vector.edits:
        if edit.seed is None:
            raise InputError(
                f"The slider '{vector.title}' was made of a face that has no seed; it cannot be "
                "derived again."
            )
        if edit.steps == 0:
            raise InputError(
                f"The slider '{vector.title}' is composed of others, and of no edit of its own."
            )
        before, after = (x.long()[None] for x in (edit.before, edit.after))
        made = one_edit(space, edit.seed, before, after, vector.ids, vector.rows, edit.steps)
        moves.append(made[1])
    return replace(vector, delta=torch.stack(moves).mean(0))


# Rows of W+ that say shape. With all of FREE, glasses came as thin rims on three of eight faces,
# with these on seven; wide eyes were half as wide, beards thin and grey, more hair made all duller.
SHAPE = tuple(range(1, 7))
NEUTRAL = (5, 25, 36)  # of 60 that were looked at: adults without a smile, glasses or a beard
LIBRARY = {
    "smile": Slider("Smile", lent(302, MOUTH, MOUTH), MOUTH, NEUTRAL, 1.5),
    "mouth-open": Slider("Mouth open", lent(865, MOUTH, MOUTH), MOUTH, NEUTRAL, 1.0),
    "lips-full": Slider("Full lips", shaped(MOUTH, (1.0, 1.5), together=True), MOUTH, NEUTRAL, 1.5),
    "eyes-wide": Slider(
        "Eyes wide", shaped(EYES, (1.1, 1.7)), (*EYES, IRIS), (*NEUTRAL, 29, 31), 2.0, rows=SHAPE
    ),
    "gaze": Slider("Gaze", gaze(0.02), (*EYES, IRIS), NEUTRAL, 2.0),
    "brows-up": Slider("Brows up", shaped(BROWS, move=(0.0, -0.03)), BROWS, NEUTRAL, 1.5),
    "glasses": Slider(
        "Glasses", lent(12, (GLASSES,), EYES), (GLASSES,), (*NEUTRAL, 29), 1.75, 0.0, SHAPE, 60
    ),
    "beard": Slider(
        "Beard", lent(402, (BEARD,), MOUTH, (SKIN,)), (BEARD,), (25, 36, 31), 2.0, -1, SHAPE
    ),
    "hair-long": Slider("Hair longer", lent(302, (HAIR,)), (HAIR,), (25, 36, 0), 1.0),
    "hair-volume": Slider("Hair volume", lent(865, (HAIR,)), (HAIR,), NEUTRAL, 1.0, rows=SHAPE),
    "fringe": Slider("Fringe", lent(656, (HAIR,)), (HAIR,), (0, 25, 36), 1.5),
    "nose": Slider("Nose", shaped((NOSE,), (1.35, 1.0)), (NOSE,), NEUTRAL, 1.5),
    "jaw": Slider("Jaw", jaw(1.2), (SKIN,), NEUTRAL, 2.0),
}
