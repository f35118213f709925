"""Searching W+: which code paints this photo, and which one paints this face as edited?

EditGAN (Ling et al. 2021, arXiv 2111.03186), section 3. The generator is frozen; an edit looks for
the move in W+ with which the part map becomes the painted one while all else stays. The official
tool keeps the last iterate as its best, and a region once brushed for ever: here the best is kept,
and each edit has its own region.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from semedit_lite import hub
from semedit_lite.editing.vectors import SIDE
from semedit_lite.faces.identity import face_identity, framed
from semedit_lite.images import to_pil
from semedit_lite.labels import FACE_FINE, IGNORE
from semedit_lite.memory import give_back_memory
from semedit_lite.models.editgan import (
    SegmentationBranch,
    edit_loss,
    js_uncertainty,
    layout_of,
    region,
)
from semedit_lite.models.encoder import FaceEncoder, encode
from semedit_lite.models.mobilestylegan import ROWS, MobileStyleGAN, blocks_for
from semedit_lite.models.perceptual import PerceptualDistance

GENERATOR, BRANCH, ENCODER = "mobilestylegan-ffhq", "face-branch", "face-encoder"
TRUNCATION = 0.7
FREE = tuple(range(11))  # rows of W+ that a picture of 256 pixels shows, and no colour alone
GROW = 5  # pixels at 256, by which a region is grown (EditGAN, section 3.2)
# Of these only what was repainted is the region, of other parts all.
GROUND = tuple(FACE_FINE.id(name) for name in ("background", "skin", "hair", "neck", "cloth"))
RATE, STEPS = 0.02, 30  # of an edit, as in the official tool
EDITING = 2  # members of the branch that say in which direction an edit goes
FLAT, WAIT = 0.003, 10  # an edit ends when so many steps bring less than this share
# A tenth of the official tool's weights on what stays: our distances are smaller outside, and with
# the tool's the part map is reached late or not at all within STEPS.
WEIGHTS = MappingProxyType({"perceptual": 15.0, "l2": 7.5, "cross_entropy": 1.0, "identity": 1.0})
EMBED_RATE, EMBED_STEPS = 0.05, 40
POOR = 0.25  # distance to the photo from which an inversion is called poor

OnStep = Callable[[int, float, Image.Image | None], None]
Stop = Callable[[], bool]
Loss = Callable[[Tensor], tuple[Tensor, Tensor]]  # W+ -> loss (), the picture that it is of


@dataclass(frozen=True, eq=False)
class Descent:
    """What a search in W+ came to."""

    rows: Tensor  # (1, 16, 512): the best iterate
    losses: tuple[float, ...]  # of all iterates, the start's first

    @property
    def best(self) -> int:
        """The number of the best iterate."""
        return min(range(len(self.losses)), key=self.losses.__getitem__)


@torch.enable_grad()
def descend(
    loss_of: Loss,
    start: Tensor,
    steps: int,
    rate: Callable[[float], float],
    free: Sequence[int] = range(ROWS),
    on_step: OnStep | None = None,
    stop: Stop | None = None,
    shown: int = 5,
) -> Descent:
    """Adam on W+ (1, 16, 512) from `start`, on the rows `free`; returns the best iterate.

    `rate` gives the learning rate when a share of the steps is done. `on_step` is told number and
    loss of each iterate, and of each `shown`-th the picture. Ends early where `stop` says so, where
    the loss is no number any more, and where it has become flat.
    """
    mask = torch.zeros(1, ROWS, 1).to(start)
    mask[:, list(free)] = 1
    move = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.Adam([move], betas=(0.9, 0.999))
    best, losses = start.clone(), []
    for step in range(steps + 1):
        rows = start + mask * move
        loss, picture = loss_of(rows)
        value = loss.item()
        if not math.isfinite(value):
            break
        if not losses or value < min(losses):
            best = rows.detach().clone()  # a copy: Adam changes `move` in place
        losses.append(value)
        if on_step is not None:
            seen = step % shown == 0 or step == steps
            on_step(step, value, to_pil(picture.detach().clamp(-1, 1)) if seen else None)
        if step == steps or (stop is not None and stop()) or flat(losses):
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.param_groups[0]["lr"] = rate(step / steps)
        optimiser.step()
    give_back_memory()  # before a picture of full size is made of it
    return Descent(best, tuple(losses))


def flat(losses: Sequence[float]) -> bool:
    """Whether the last WAIT losses are hardly below the best before."""
    if len(losses) < 2 * WAIT:
        return False
    return min(losses[-WAIT:]) > (1 - FLAT) * min(losses[:-WAIT])


def ramped(peak: float, up: float = 0.05, down: float = 0.25) -> Callable[[float], float]:
    """The rate of StyleGAN2's projector (1912.04958, appendix D): up for the first 5 %, down along
    a cosine for the last 25 %."""

    def rate(done: float) -> float:
        fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - done) / down))
        return peak * fall * min(1.0, (done + 0.01) / up)

    return rate


@dataclass(frozen=True, eq=False)
class Inversion:
    """A photo's face as the generator paints it."""

    rows: Tensor  # (1, 16, 512)
    image: Tensor  # (1, 3, 256, 256)
    distance: float  # to the photo, by `models/perceptual.py`

    @property
    def picture(self) -> Image.Image:
        return to_pil(self.image.clamp(-1, 1))

    @property
    def poor(self) -> bool:
        """Whether another start is worth a try."""
        return self.distance > POOR


class LatentSpace:
    """The frozen networks, and the searches in W+ that use them. No documents."""

    def __init__(
        self,
        device: str = "cpu",
        *,
        generator: str | Path = GENERATOR,
        branch: str | Path = BRANCH,
        encoder: str | Path = ENCODER,
    ) -> None:
        self.device, self._branch, self._encoder = device, branch, encoder
        self.generator = MobileStyleGAN.from_pretrained(generator, device).requires_grad_(False)
        self.digest = hub.digest(hub.find(generator) / "model.safetensors")

    @cached_property
    def branch(self) -> SegmentationBranch:
        return SegmentationBranch.from_pretrained(self._branch, self.device).requires_grad_(False)

    @cached_property
    def editing_branch(self) -> SegmentationBranch:
        """The branch with two of its members, which is enough for a gradient."""
        branch = copy.copy(self.branch)
        branch._modules = {**branch._modules, "members": self.branch.members[:EDITING]}
        return branch

    @cached_property
    def encoder(self) -> FaceEncoder:
        return FaceEncoder.from_pretrained(self._encoder, self.device)

    @cached_property
    def mean(self) -> Tensor:
        """The mean face (1, 3, 256, 256)."""
        return self.generator.synthesis(self.generator.mean_w[None], SIDE)

    @cached_property
    def distance(self) -> PerceptualDistance:
        distance = PerceptualDistance.from_pretrained("face-distance", self.device)
        return distance.requires_grad_(False)

    def person(self, image: Tensor) -> Tensor:
        """Who a face in the generator's framing (B, 3, S, S) is: (B, 128)."""
        return face_identity(self.device)(framed(image))

    def look(
        self, rows: Tensor, branch: SegmentationBranch, size: int = SIDE
    ) -> tuple[Tensor, Tensor]:
        """W+ (B, 16, 512) -> picture (B, 3, size, size), here and there beyond [-1, 1], and logits
        (M, B, K, 256, 256) of a branch, both of the same maps; size 256, 512 or 1024, since the
        branch looks as far."""
        maps = self.generator.levels(rows, blocks_for(size))
        return self.generator.picture(maps[-1], rows, size), branch(maps[: len(branch.channels)])

    @torch.no_grad()
    def parts(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """W+ (B, 16, 512) -> part map (B, 256, 256), how unsure it is (B, 256, 256)."""
        logits = self.branch(self.generator.levels(rows, blocks_for(SIDE)))
        return layout_of(logits), js_uncertainty(logits)

    @torch.no_grad()
    def invert(
        self,
        photo: Tensor,
        steps: int = EMBED_STEPS,
        start: Tensor | None = None,
        on_step: OnStep | None = None,
        stop: Stop | None = None,
    ) -> Inversion:
        """A face (1, 3, 256, 256) in the generator's framing -> the code that paints it best.

        From the encoder's guess, or from `start`; EditGAN, section 3.1: 10 LPIPS, squared error,
        nearness to the encoder's guess, and here also the same person."""
        photo = photo.to(self.device)
        guess, image = encode(self.encoder, self.generator, photo, self.mean)
        if steps == 0 and start is None:
            return Inversion(guess, image, self.distance(image, photo).item())
        person, distance = self.person(photo), self.distance.against(photo)

        def loss_of(rows: Tensor) -> tuple[Tensor, Tensor]:
            image = self.generator.synthesis(rows, SIDE)
            alike = F.cosine_similarity(self.person(image), person).mean()
            near = (rows - guess).pow(2).mean()
            loss = 10 * distance(image).mean() + F.mse_loss(image, photo)
            return loss + 1 - alike + near, image

        start = guess if start is None else start
        found = descend(loss_of, start, steps, ramped(EMBED_RATE), on_step=on_step, stop=stop)
        image = self.generator.synthesis(found.rows, SIDE)
        return Inversion(found.rows, image, self.distance(image, photo).item())

    def edit(
        self,
        rows: Tensor,
        layout: Tensor,
        inside: Tensor,
        steps: int = STEPS,
        start: Tensor | None = None,
        free: Sequence[int] = FREE,
        on_step: OnStep | None = None,
        stop: Stop | None = None,
    ) -> Descent:
        """The W+ near `rows` (1, 16, 512), or on from `start`, whose part map is `layout`
        (1, 256, 256) inside the region `inside` (1, 256, 256) and whose picture is that of `rows`
        outside (EditGAN, section 3.2)."""
        with torch.no_grad():
            goal = self.generator.synthesis(rows, SIDE)
            person = self.person(goal)
        distance = self.distance.against(goal)

        def loss_of(moved: Tensor) -> tuple[Tensor, Tensor]:
            image, logits = self.look(moved, self.editing_branch)
            total, _ = edit_loss(
                image,
                goal,
                logits,
                layout,
                inside,
                lambda image, _: distance(image),
                lambda image, _: 1 - F.cosine_similarity(self.person(image), person),
                WEIGHTS,
            )
            return total.mean(), image

        return descend(
            loss_of,
            rows if start is None else start,
            steps,
            lambda done: RATE,
            free,
            on_step,
            stop,
        )


def region_of_edit(
    before: Tensor, after: Tensor, classes: Sequence[int], brush: Tensor | None = None
) -> Tensor:
    """The region of an edit (1, 256, 256), part maps before and after: all of the edited parts, and
    of ground, such as skin and hair, what was repainted; grown by GROW pixels."""
    edited = torch.tensor([k for k in classes if k != IGNORE], device=before.device)
    touched = torch.isin(before, edited) | torch.isin(after, edited)
    repainted = (before != after) & touched
    if brush is not None:
        repainted = repainted | brush.to(before.device)
    parts = [k for k in classes if k not in GROUND]
    return region(before, after, parts, repainted, GROW)
