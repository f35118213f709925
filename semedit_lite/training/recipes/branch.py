"""The segmentation branch of the face generator, trained on sixteen faces with corrected labels.

Cost: about two minutes of two CPU cores and 1.5 GB of memory for 1,000 steps.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.data.faces import EVALUATION_SEED, PAINTED, TRUNCATION, face_generator
from semedit_lite.data.labelled import labelled, labelled_seeds
from semedit_lite.faces.parse import parse
from semedit_lite.labels import FACE, FACE_FINE, IGNORE
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.editgan import (
    SegmentationBranch,
    features_at,
    js_uncertainty,
    layout_of,
    without_specks,
)

LEVELS = 5  # blocks of the generator that are read, to 128 pixels
PLACES = 4096  # drawn of each face a round
BALANCE = 0.5  # 0: pixels are drawn alike; 1: classes are
HELD_OUT = 16
DOUBT = 0.25  # nats of disagreement that are shown as white
# Officially (128, 32): four times the file and the time of an edit, and no better on unseen faces.
HIDDEN = (32, 32)


@torch.no_grad()
def painted(seed: int, device: str = "cpu") -> tuple[Tensor, list[Tensor]]:
    """A generated face: its picture (1, 3, 256, 256) in [-1, 1], and what the branch sees of it,
    maps (1, c, s, s) of 4, 8 ... 128 pixels."""
    generator = face_generator(device)
    rows = generator.latents([seed], TRUNCATION)
    maps = generator.levels(rows, LEVELS)
    return generator.picture(maps[-1], rows, PAINTED).clamp(-1, 1), maps


def parser_layout(logits: Tensor) -> Tensor:
    """The branch's part map (B, H, W) by the parser's classes alone: what it would say of iris and
    beard if it did not know them."""
    return layout_of(logits[:, :, : len(FACE)])


@torch.no_grad()
def shown(branch: SegmentationBranch, seeds: Sequence[int]) -> Tensor:
    """Three pictures (3 N, 3, 256, 256) for each face: itself, its part map, and how far the
    members disagree."""
    device, pictures = str(next(branch.parameters()).device), []
    for seed in seeds:
        image, maps = painted(seed, device)
        logits = branch(maps)
        doubt = (js_uncertainty(logits) / DOUBT).clamp(max=1)[:, None].expand(-1, 3, -1, -1)
        pictures += [image.cpu(), FACE_FINE.pictures(layout_of(logits)), 2 * doubt.cpu() - 1]
    return torch.cat(pictures)


class BranchRecipe:
    """`semedit train face-branch`: cross-entropy on single pixels, others for each member."""

    name = "face-branch"
    averaged = ("branch",)

    def __init__(
        self,
        device: str = "cpu",
        batch_size: int = 256,  # pixels a member
        rate: float = 1e-3,
        seeds: Sequence[int] | None = None,  # all that are labelled
        members: int = 5,
    ) -> None:
        seeds = labelled_seeds() if seeds is None else list(seeds)
        self.device, self.batch_size = device, batch_size
        self.settings = {"faces": len(seeds), "members": members}
        self.layouts = without_specks(labelled(seeds), fill=IGNORE)  # (N, 512, 512)
        # The maps stay as they are, 28 MB a face; enlarged to the labels' size it would be 3 GB.
        faces = [painted(seed, device)[1] for seed in seeds]
        self.maps = [torch.cat([maps.pop(0) for maps in faces]) for _ in range(LEVELS + 1)]
        channels = [level.shape[1] for level in self.maps]
        branch = SegmentationBranch(
            channels=channels, classes=len(FACE_FINE), members=members, hidden=HIDDEN
        )
        self.networks: dict[str, nn.Module] = {"branch": branch.to(device)}
        self.optimisers = {"branch": torch.optim.AdamW(branch.parameters(), rate)}
        self.losses = {"branch": self.loss}
        self.round = lru_cache(maxsize=1)(self.draw)

    def rate(self, progress: float) -> float:
        return min(1.0, progress / 0.02 + 0.02) * (1 - progress) ** 0.9

    def draw(self, number: int) -> tuple[Tensor, Tensor]:
        """PLACES pixels of each face, rare classes more often than their area: places (N, PLACES,
        2) from -1 to 1, and labels (N, PLACES)."""
        rng = Generator().manual_seed(number)
        side = self.layouts.shape[-1]
        places, labels = [], []
        for layout in self.layouts.flatten(1):
            counts = torch.bincount(layout, minlength=IGNORE + 1).float()
            weight = counts.clamp(min=1) ** -BALANCE
            weight[IGNORE] = 0
            chosen = torch.multinomial(weight[layout], PLACES, generator=rng)
            labels.append(layout[chosen])
            y, x = chosen // side, chosen % side
            places.append((2 * torch.stack([x, y], 1) + 1) / side - 1)
        return torch.stack(places), torch.stack(labels)

    def batch(self, step: int) -> dict[str, Tensor]:
        """ "features" (M, N, C) and "label" (M, N) of each member's own pixels, of all faces."""
        members, faces = self.settings["members"], self.settings["faces"]
        each = min(max(1, self.batch_size // faces), PLACES // members)  # of a face, for a member
        number, turn = divmod(step, PLACES // (members * each))
        here = slice(turn * members * each, (turn + 1) * members * each)
        places, labels = (part[:, here] for part in self.round(number))
        features = features_at(self.maps, places.to(self.device))  # (faces, members * each, C)

        def shared(x: Tensor) -> Tensor:  # (faces, members * each, ...) -> (members, N, ...)
            return x.unflatten(1, (members, each)).transpose(0, 1).flatten(1, 2)

        return {"features": shared(features), "label": shared(labels)}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        logits = self.networks["branch"].rows(batch["features"]).float()  # (M, N, K)
        cross = F.cross_entropy(logits.flatten(0, 1), batch["label"].flatten())
        right = (logits.argmax(2) == batch["label"]).float().mean()
        return cross, {"cross_entropy": cross.item(), "pixels_right": right.item()}

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        return shown(networks["branch"], range(EVALUATION_SEED, EVALUATION_SEED + 12))

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Agreement with the face parser on held-out faces, by the parser's classes."""
        counts = torch.zeros(len(FACE), len(FACE), dtype=torch.long, device=self.device)
        for seed in range(EVALUATION_SEED, EVALUATION_SEED + HELD_OUT):
            image, maps = painted(seed, self.device)
            found = parser_layout(networks["branch"](maps))
            counts += confusion(found, parse(image), len(FACE))
        result = scores(counts, FACE)
        return {"accuracy": result["accuracy"], "miou": result["miou"]}

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["branch"].save_pretrained(folder / self.name)
