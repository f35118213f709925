"""The generator's heads for 128, 256 and 512 pixels, trained to paint what the whole network
paints, reduced to that size by averaging. The generator itself stays as it is.

Cost: on two CPU cores about 3 minutes for the default pool of 120 faces, which takes 30 MB of
memory a face, then about 5 steps of 4 crops a second.
"""

from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from semedit_lite.data.faces import EVALUATION_SEED, GENERATOR, mixed_rows
from semedit_lite.images import reduce
from semedit_lite.metrics import psnr
from semedit_lite.models.mobilestylegan import MobileStyleGAN

CROP = 24  # pixels of the 64-pixel level; the same part is cut from the finer levels
RIM = 4  # pixels of a cropped picture that the cut's zero padding reaches
SIZES = (128, 256, 512)


class HeadsRecipe:
    """`semedit train face-heads`: mean squared error on crops from a pool of `count` faces."""

    name = GENERATOR
    averaged = ("heads",)

    def __init__(
        self, device: str = "cpu", batch_size: int = 4, rate: float = 3e-3, count: int = 120
    ) -> None:
        self.batch_size, self.settings = batch_size, {"faces": count}
        self.model = MobileStyleGAN.from_pretrained(self.name, device)
        heads = self.model.heads.requires_grad_(True)
        self.networks: dict[str, nn.Module] = {"heads": heads}
        many = (".narrow.", ".linear.")  # inputs: Adam moves them all at once, so in shorter steps
        wide = [p for key, p in heads.named_parameters() if any(m in key for m in many)]
        rest = [p for key, p in heads.named_parameters() if not any(m in key for m in many)]
        groups = [{"params": wide, "lr": rate / 3}, {"params": rest, "lr": rate}]
        self.optimisers = {"heads": torch.optim.Adam(groups, betas=(0.9, 0.99))}
        self.losses = {"heads": self.loss}
        self.rows = mixed_rows(self.model, list(range(count)))
        self.pool = [self.render(row[None]) for row in self.rows]
        self.held_rows = mixed_rows(self.model, list(range(EVALUATION_SEED, EVALUATION_SEED + 8)))
        self.held = [self.render(row[None]) for row in self.held_rows]
        self.normalise()

    @torch.no_grad()
    def render(self, rows: Tensor) -> dict[int, Tensor]:
        """The inputs of the heads by picture size, and the picture at 512 under 0, in fp16."""
        rows = rows.to(self.model.mean_w)
        maps = self.model.levels(rows)
        picture = self.model.to_rgb(maps[-1], rows[:, -1])
        wanted = {128: maps[4], 256: maps[5], 512: maps[6], 0: reduce(picture, 512)}
        return {size: value[0].half() for size, value in wanted.items()}

    @torch.no_grad()
    def normalise(self) -> None:
        """Sets the heads' buffers by the pool: root mean squares of the features, mean and
        deviation of the styles."""
        styles = self.model.to_rgb.modulation.scale(self.rows[:, -1].to(self.model.mean_w))
        for size in SIZES:
            squares = [face[size].float().pow(2).mean((1, 2)) for face in self.pool]
            head = self.model.heads[str(size)]
            head.feature_scale.copy_(1 / torch.stack(squares).mean(0).sqrt())
            head.style_mean.copy_(styles.mean(0))
            head.style_scale.copy_(1 / (styles.std(0) + 1e-3))

    def rate(self, progress: float) -> float:
        return min(1.0, 50 * progress + 0.02) * (1 - progress) ** 0.7

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator().manual_seed(step)
        chosen = torch.randint(len(self.pool), (self.batch_size,), generator=rng)
        corner = torch.randint(64 - CROP + 1, (self.batch_size, 2), generator=rng)
        batch: dict[str, Tensor] = {"rows": self.rows[chosen]}
        for size in (*SIZES, 0):
            scale = max(1, (size or 1024) // 128)  # the target at 512 lies on the 8 x 64 grid
            parts = []
            for i, (y, x) in zip(chosen.tolist(), (corner * scale).tolist(), strict=True):
                side = CROP * scale
                parts.append(self.pool[i][size][:, y : y + side, x : x + side])
            batch[str(size)] = torch.stack(parts).float()
        return batch

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        total, terms = torch.zeros((), device=batch["rows"].device), {}
        for size in SIZES:
            # in full precision: the linear part is a small sum of large terms
            with torch.autocast(total.device.type, enabled=False):
                picture = self.model.picture(batch[str(size)], batch["rows"], size)
            wanted = reduce(batch["0"], picture.shape[-1])
            error = (picture - wanted)[..., RIM:-RIM, RIM:-RIM].pow(2).mean()
            total = total + error
            terms[f"psnr_{size}"] = psnr(error)
        return total, terms

    @torch.no_grad()
    def compare(self, heads: nn.ModuleDict, size: int) -> tuple[Tensor, Tensor]:
        """Pictures of eight held-out faces by a head, and what they should be."""
        maps = torch.stack([face[size].float() for face in self.held])
        wanted = torch.stack([face[0].float() for face in self.held])
        trained, self.model.heads = self.model.heads, heads
        made = self.model.picture(maps, self.held_rows, size)
        self.model.heads = trained
        return made, reduce(wanted, size)

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        return torch.cat(self.compare(networks["heads"], 256))

    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """PSNR on eight held-out faces, half of them with mixed styles: mean over faces, in dB."""
        result = {}
        for size in SIZES:
            made, wanted = self.compare(networks["heads"], size)
            each = (made - wanted).pow(2).mean((1, 2, 3))
            result[f"psnr_{size}"] = sum(map(psnr, each)) / len(each)
        return result

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        model = MobileStyleGAN.from_pretrained(self.name)
        model.heads.load_state_dict(networks["heads"].state_dict())
        model.save_pretrained(folder / self.name)
