"""The face finder, trained on generated faces laid into other pictures; the teachers' face mesh
says where their points are.

Cost: 11 minutes of one CPU core for the 3,500 faces, which `--data` keeps; then about 3 steps a
second.
"""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.data.folder import unpack
from semedit_lite.data.photos import JUDGED_FACADES, data_folder, photos
from semedit_lite.data.scenes import KnownFaces, Scenes
from semedit_lite.data.warps import uniform
from semedit_lite.faces.detect import squares
from semedit_lite.images import load_photo, resize, to_bytes, to_tensor
from semedit_lite.models.finder import CLOSE, ROOM, SIDES, STRIDE, UNIT, FaceFinder

SCENE = 128  # pixels
MIDDLE, VAGUE = 0.2, 0.45  # of the box's side: nearer to its middle is the face, farther is not
CROWD = 2  # faces pasted into a scene, at most
HELD_OUT = 200


def negatives() -> tuple[Tensor, Tensor]:
    """Real pictures (N, 3, 256, 256) uint8: photos that a face fills, and those facades that no
    score is taken on."""
    images, _ = photos()["train"]
    facades = sorted((data_folder() / "facades" / "images").iterdir())[JUDGED_FACADES:]
    faceless = [to_bytes(to_tensor(load_photo(path)))[0] for path in facades]
    return to_bytes(resize(unpack(images), 256)), torch.stack(faceless)


class FinderRecipe:
    """`semedit train face-finder`: both stages, the second also on what the first proposes."""

    name = "face-finder"
    averaged = ("finder",)

    def __init__(
        self,
        device: str = "cpu",
        batch_size: int = 16,
        rate: float = 2e-3,
        count: int = 3500,
        data: Path | None = None,
    ) -> None:
        around = negatives() if os.environ.get("SEMEDIT_DATA") else ()
        self.device, self.batch_size = device, batch_size
        self.settings = {"faces": count, "photos around": sum(map(len, around))}
        known = KnownFaces.load(count, data, device)
        parts = vars(known)
        held = min(HELD_OUT, count // 8)
        known = KnownFaces(**{key: part[held:] for key, part in parts.items()})
        self.scenes = Scenes(known, *around)
        self.held = Scenes(KnownFaces(**{key: part[:held] for key, part in parts.items()}))
        finder = FaceFinder().to(device, memory_format=torch.channels_last)
        self.networks: dict[str, nn.Module] = {"finder": finder}
        optimiser = torch.optim.AdamW(finder.parameters(), rate, weight_decay=1e-2)
        self.optimisers = {"finder": optimiser}
        self.losses = {"finder": self.loss}

    def rate(self, progress: float) -> float:
        return min(1.0, progress / 0.02 + 0.02) * (1 - progress) ** 0.9

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator().manual_seed(step)
        close = self.close(2 * self.batch_size, self.scenes, rng)
        batch = self.scene(self.batch_size, self.scenes, rng) | close
        for key in ("scene", "close"):
            batch[key] = batch[key].contiguous(memory_format=torch.channels_last)
        return batch

    def scene(self, count: int, scenes: Scenes, rng: Generator) -> dict[str, Tensor]:
        """Pictures (B, 3, SCENE, SCENE) with up to CROWD faces, of all sizes: "faces" (B, CROWD, 3)
        holds the middle and side of each box, side 0 where there is none, "points" their points."""
        image = scenes.backgrounds(count, SCENE, rng)
        faces, points = [], []
        for k in range(CROWD):
            side = uniform(count, *torch.tensor(SIDES).log().tolist(), rng).exp()
            other = torch.rand(count, generator=rng)
            side = torch.where(other < 0.08, uniform(count, 6, 14, rng), side)
            side = torch.where(other > 0.85, uniform(count, 60, 160, rng), side)
            centre = uniform(2 * count, 0, 1, rng).view(count, 2)
            margin = (0.4 * side[:, None]).clamp(max=SCENE / 2)
            centre = margin + (SCENE - 2 * margin) * centre
            degrees = (torch.randn(count, generator=rng) * 14).clamp(-40, 40)
            drawn = torch.rand(count, generator=rng) < 0.1
            pasted, there = scenes.paste(image, centre, side, degrees, rng)
            args = (part[drawn] for part in (image, centre, side, degrees))
            pasted[drawn], _ = scenes.paste(*args, rng, drawn=True)
            wanted = torch.rand(count, generator=rng) < (0.8 if k == 0 else 0.4)
            for earlier in faces:  # not over another one
                apart = (centre - earlier[:, :2]).norm(dim=1)
                wanted &= (earlier[:, 2] == 0) | (apart > 0.8 * (side + earlier[:, 2]))
            image = torch.where(wanted[:, None, None, None], pasted, image)
            faces.append(torch.cat([centre, (side * (wanted & ~drawn))[:, None]], 1))
            points.append(there)
        image = scenes.cover(image, faces[0][:, :2], faces[0][:, 2].clamp(min=1), 0.15, rng)
        return {
            "scene": scenes.finish(image, rng),
            "faces": torch.stack(faces, 1),  # (B, CROWD, 3)
            "points": torch.stack(points, 1),  # (B, CROWD, 5, 2)
        }

    def close(self, count: int, scenes: Scenes, rng: Generator) -> dict[str, Tensor]:
        """Squares as the second stage sees them: two thirds with a face, some hold one that lies
        off the middle or has another size, which counts as none, or a drawing, or nothing."""
        image = scenes.backgrounds(count, CLOSE, rng)
        kind = torch.arange(count) / count
        face = kind < 2 / 3
        off = ~face & (kind < 5 / 6)
        side = CLOSE / ROOM * uniform(count, -0.25, 0.25, rng).exp()
        shrunk = torch.rand(count, generator=rng) < 0.5
        side = torch.where(off & shrunk, side * uniform(count, 0.3, 0.55, rng), side)
        moved = uniform(2 * count, -0.15, 0.15, rng).view(count, 2)
        away = uniform(count, 0, 6.28, rng)
        far = uniform(count, 0.45, 0.9, rng)[:, None] * torch.stack([away.cos(), away.sin()], 1)
        moved = torch.where((off & ~shrunk)[:, None], far, moved)
        centre = CLOSE / 2 + moved * side[:, None]
        degrees = (torch.randn(count, generator=rng) * 16).clamp(-40, 40)
        drawn = ~face & ~off & (torch.rand(count, generator=rng) < 0.5)
        image[drawn], _ = scenes.paste(
            image[drawn], *(part[drawn] for part in (centre, side, degrees)), rng, drawn=True
        )
        pasted, points = scenes.paste(image, centre, side, degrees, rng)
        image = torch.where((face | off)[:, None, None, None], pasted, image)
        image = scenes.cover(image, centre, side, 0.25, rng)
        image = scenes.finish(image, rng)
        return {"close": image, "is_face": face.float(), "close_points": points / CLOSE}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        finder = self.networks["finder"]
        maps = finder.proposals(batch["scene"]).float()  # (B, 4, h, w)
        found, place = self.proposal_losses(maps, batch["faces"])
        crops, is_face, points = self.proposed(maps.detach(), batch)
        crops = torch.cat([batch["close"], crops])
        is_face = torch.cat([batch["is_face"], is_face])
        points = torch.cat([batch["close_points"], points])
        logits, guess = finder.closer(crops)
        verdict = F.binary_cross_entropy_with_logits(logits.float(), is_face)
        apart = (points[:, :2].diff(dim=1)).norm(dim=-1)[..., None]  # (B, 1, 1) of the eyes
        miss = (guess.float() - points).norm(dim=-1, keepdim=True) / apart.clamp(min=0.05)
        # Near the goal the distance itself, far away less than it: outliers are labels gone wrong.
        miss = (1 + miss * 10).log().mean((1, 2))
        points_loss = (miss * is_face).sum() / is_face.sum().clamp(min=1)
        terms = {"found": found, "place": place, "verdict": verdict, "points": points_loss}
        total = found + 0.5 * place + verdict + points_loss
        return total, {key: value.item() for key, value in terms.items()}

    def proposal_losses(self, maps: Tensor, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Focal loss (Lin et al. 2017) of the logits, distance of middles and sides."""
        b, _, h, w = maps.shape
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        at = (torch.stack([x, y], -1).to(maps) + 0.5) * STRIDE  # (h, w, 2)
        side = faces[:, :, 2, None, None]  # (B, CROWD, 1, 1)
        towards = faces[:, :, None, None, :2] - at  # (B, CROWD, h, w, 2)
        far = towards.abs().amax(-1) / side.clamp(min=1e-3)
        far = torch.where(side > 0, far, 99.0)
        nearest, which = far.min(1)  # (B, h, w)
        which = which[:, None]
        side = side.expand_as(far).gather(1, which)[:, 0]
        towards = towards.gather(1, which[..., None].expand(b, 1, h, w, 2))[:, 0]
        fits = (side >= SIDES[0]) & (side <= SIDES[1])
        yes = fits & (nearest < MIDDLE)
        low, high = SIDES
        nearly = ~fits & (side > 0.6 * low) & (side < 1.5 * high)  # another level's faces
        vague = (fits & (nearest < VAGUE)) | (nearly & (nearest < VAGUE))
        sure = yes | ~vague
        logit = maps[:, 0]
        cross = F.binary_cross_entropy_with_logits(logit, yes.float(), reduction="none")
        wrong = torch.where(yes, 1 - logit.sigmoid(), logit.sigmoid())
        count = yes.sum().clamp(min=1)
        focal = (wrong**2 * cross * sure).sum() / count
        wanted = torch.cat([towards / UNIT, (side.clamp(min=1) / UNIT).log()[..., None]], -1)
        distance = (maps[:, 1:].permute(0, 2, 3, 1) - wanted).abs().sum(-1)
        return focal, (distance * yes).sum() / count

    @torch.no_grad()
    def proposed(self, maps: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The best place of each scene, and the best one away from its faces, as squares for the
        second stage: pictures, whether they hold a face, and its points."""
        b = len(maps)
        boxes = squares(maps)  # (B, h * w, 4): logit, middle, side
        faces = batch["faces"]
        scale = (boxes[:, :, None, 3] / faces[:, None, :, 2].clamp(min=1)).log().abs()
        apart = (boxes[:, :, None, 1:3] - faces[:, None, :, :2]).abs().amax(-1)
        apart = apart / faces[:, None, :, 2].clamp(min=1)
        there = faces[:, None, :, 2] > 0
        hit = there & (apart < 0.25) & (scale < 0.3)  # (B, h * w, CROWD)
        near = there & (apart < 0.6)
        score = boxes[..., 0]
        good = torch.where(hit.any(2), score, -99.0).max(1)
        bad = torch.where(near.any(2), -99.0, score).max(1)
        rows = torch.arange(b, device=maps.device)
        chosen = torch.cat([good.indices, bad.indices])
        rows = torch.cat([rows, rows])
        is_face = torch.cat([torch.ones(b), torch.zeros(b)]).to(maps)
        usable = torch.cat([good.values, bad.values]) > -50
        which = hit[rows, chosen].float().argmax(1)  # (2B,)
        rows, chosen, which, is_face = (part[usable] for part in (rows, chosen, which, is_face))
        box = boxes[rows, chosen]
        half = box[:, 3] * ROOM / 2
        matrix = torch.zeros(len(rows), 2, 3).to(maps)
        matrix[:, 0, 0] = matrix[:, 1, 1] = 2 * half / SCENE
        matrix[:, :, 2] = 2 * box[:, 1:3] / SCENE - 1
        grid = F.affine_grid(matrix, [len(rows), 3, CLOSE, CLOSE], align_corners=False)
        crops = F.grid_sample(
            batch["scene"][rows].float(), grid, padding_mode="border", align_corners=False
        )
        points = batch["points"][rows, which]
        points = (points - box[:, None, 1:3]) / (2 * half[:, None, None]) + 0.5
        return crops, is_face, points

    def held_out(self) -> dict[str, Tensor]:
        rng = Generator().manual_seed(1)
        return self.scene(192, self.held, rng) | self.close(192, self.held, rng)

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """Held-out squares with the points found in them."""
        shown = self.close(24, self.held, Generator().manual_seed(2))
        _, points = networks["finder"].closer(shown["close"][:16].to(self.device))
        pictures, green = shown["close"][:16].clone(), torch.tensor([-1.0, 1, -1])[:, None, None]
        for picture, five in zip(pictures, (points.cpu() * CLOSE).long(), strict=True):
            for x, y in five.clamp(1, CLOSE - 2).tolist():
                picture[:, y - 1 : y + 2, x - 1 : x + 2] = green
        return pictures

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """Of held-out generated faces: the share of scenes' faces whose place scores above .5,
        places away from faces that do (per scene), squares judged rightly, and the points' mean
        distance relative to that of the eyes."""
        finder, batch = networks["finder"], self.held_out()
        batch = {key: value.to(self.device) for key, value in batch.items()}
        boxes = squares(finder.proposals(batch["scene"]).float())
        faces = batch["faces"]
        fits = (faces[..., 2] >= SIDES[0]) & (faces[..., 2] <= SIDES[1])
        apart = (boxes[:, :, None, 1:3] - faces[:, None, :, :2]).norm(dim=-1)
        seen = boxes[:, :, None, 0] > 0
        hit = (seen & (apart < 0.3 * faces[:, None, :, 2])).any(1)
        near = (apart < 0.7 * faces[:, None, :, 2]).any(2)
        logits, points = finder.closer(batch["close"])
        face = batch["is_face"] > 0
        right = (logits > 0) == face
        miss = (points - batch["close_points"]).norm(dim=-1)[face].mean(1)
        eyes = batch["close_points"][face, :2].diff(dim=1).norm(dim=-1)[:, 0]
        return {
            "recall": (hit & fits).sum().item() / fits.sum().item(),
            "false_places": (seen[..., 0] & ~near).sum().item() / len(faces),
            "right": right.float().mean().item(),
            "points": (miss / eyes).mean().item(),
        }

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["finder"].save_pretrained(folder / self.name)
