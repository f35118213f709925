"""The face parser, trained on photos with human part masks (CelebAMask-HQ's format).

Cost: about 14 pictures a second on two CPU cores with bf16; an hour there is 50,000 pictures.
"""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from semedit_lite.data import warps
from semedit_lite.data.folder import unpack
from semedit_lite.data.photos import AT_LEAST, SIZE, held_out, photos, right_sides
from semedit_lite.faces.parse import parse
from semedit_lite.hub import read_weights
from semedit_lite.labels import FACE
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.parser import FaceParser

RARE = {"eye_g": 3.0, "hat": 4.0, "neck_l": 4.0, "ear_r": 1.0}  # drawn that much more often


class ParserRecipe:
    """`semedit train parser`: cross-entropy and Dice on strongly varied photos."""

    name = "face-parser"
    averaged = ("parser",)

    def __init__(self, device: str = "cpu", batch_size: int = 8, rate: float = 1e-3) -> None:
        self.images, layouts = photos()["train"]
        self.layouts = right_sides(layouts)
        self.held_images, self.held_layouts = held_out()
        self.device, self.batch_size = device, batch_size
        parser = FaceParser()
        teachers = os.environ.get("SEMEDIT_TEACHERS")
        self.settings = {
            "photos": len(self.images),
            "encoder": "from ImageNet weights" if teachers else "from scratch",
        }
        if teachers:
            weights = read_weights(Path(teachers) / "lpips_squeeze.safetensors")
            weights = {key: value.float() for key, value in weights.items()}
            parser.encoder.load_imagenet(weights)
        parser = parser.to(device, memory_format=torch.channels_last)
        self.networks: dict[str, nn.Module] = {"parser": parser}
        encoder = list(parser.encoder.parameters())
        inside = {id(p) for p in encoder}
        rest = [p for p in parser.parameters() if id(p) not in inside]
        groups = [{"params": encoder, "lr": rate / 3}, {"params": rest, "lr": rate}]
        self.optimisers = {"parser": torch.optim.AdamW(groups, weight_decay=1e-2)}
        self.losses = {"parser": self.loss}
        counts = torch.bincount(self.layouts.flatten().long(), minlength=len(FACE)).double()
        share = counts.clamp(min=1) / counts.sum()
        weight = share**-0.25  # gentle: Dice already evens out the classes
        self.class_weight = (weight / weight.mean()).float().to(device)
        draw = torch.ones(len(self.images))
        for part, more in RARE.items():
            draw += more * (self.layouts == FACE.id(part)).flatten(1).any(1)
        self.draw = draw

    def rate(self, progress: float) -> float:
        warm = min(1.0, progress / 0.02 + 0.02)
        return warm * (1 - progress) ** 0.9

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = torch.Generator().manual_seed(step)
        chosen = torch.multinomial(self.draw, self.batch_size, generator=rng)
        images, layouts = unpack(self.images[chosen]), self.layouts[chosen]
        far = max(1, self.batch_size // 4)  # a quarter as loose head shots, for photos not aligned
        near = self.batch_size - far
        matrix = torch.cat([
            warps.random_affine(near, rng, (0.8, 1.5), 20, 0.15),
            warps.random_affine(far, rng, (0.4, 0.8), 45, 0.4),
        ])  # fmt: skip
        images, layouts = warps.warp(images, layouts, matrix, SIZE)
        images, layouts = warps.random_flip(images, layouts, FACE, rng)
        images = warps.random_blur(images, rng, (64, 96, 128), 0.25)
        images = warps.random_noise(warps.random_colour(images, rng), rng)
        return {"image": images.to(memory_format=torch.channels_last), "layout": layouts}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        logits = self.networks["parser"](batch["image"]).float()  # (B, K, S, S)
        layout = batch["layout"]
        score = logits.log_softmax(1)
        true = score.gather(1, layout[:, None])[:, 0]  # (B, S, S): of the class that is there
        weight = self.class_weight[layout]
        cross = -(weight * true).sum() / weight.sum()
        # Dice = 2 |A and B| / (|A| + |B|) for each class that the batch shows, A being the shares
        flat = layout.flatten()
        both = torch.zeros_like(self.class_weight).index_add(0, flat, true.exp().flatten())
        count = torch.bincount(flat, minlength=len(FACE))
        each = score.exp().sum((0, 2, 3)) + count
        dice = 1 - ((2 * both + 1) / (each + 1))[count > 0].mean()
        return cross + dice, {"cross_entropy": cross.item(), "dice": dice.item()}

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        images = self.held_images[:12]
        coloured = FACE.pictures(self.predict(networks, images))
        return torch.stack([images, coloured], 1).flatten(0, 1)

    def predict(self, networks: dict[str, nn.Module], images: Tensor) -> Tensor:
        return parse(images.to(self.device), parser=networks["parser"]).cpu()

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        found = self.predict(networks, self.held_images)
        result = scores(confusion(found, self.held_layouts, len(FACE)), FACE)
        rare = {part: result["iou"][part] or 0.0 for part in AT_LEAST}
        return {"accuracy": result["accuracy"], "miou": result["miou"], **rare}

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["parser"].save_pretrained(folder / self.name)
