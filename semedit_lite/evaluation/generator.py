"""How close the generator's early pictures come to the whole network's, reduced."""

import torch

from semedit_lite.data.faces import EVALUATION_SEED, mixed_rows
from semedit_lite.images import reduce
from semedit_lite.metrics import psnr
from semedit_lite.models.mobilestylegan import FULL, ROWS, MobileStyleGAN


@torch.no_grad()
def score_generator(model: MobileStyleGAN, count: int = 32) -> dict:
    """Mean and lowest PSNR in dB of each head on `count` evaluation seeds, at least 2: half are
    faces of one style, half of two mixed ones (W+)."""
    kinds = {"one_style": [], "mixed_styles": []}
    for seed in range(EVALUATION_SEED + 1000, EVALUATION_SEED + 1000 + count):
        rows = mixed_rows(model, [seed])
        full = model.synthesis(rows, FULL)
        one = bool((rows == rows[:, :1]).all())
        row = {}
        for size in model.sizes[:-1]:
            error = (model.synthesis(rows, size) - reduce(full, size)).pow(2).mean()
            row[size] = psnr(error)
        kinds["one_style" if one else "mixed_styles"].append(row)
    result: dict = {"faces": count, "rows": ROWS}
    for kind, rows in kinds.items():
        for size in model.sizes[:-1]:
            values = [row[size] for row in rows]
            mean = sum(values) / len(values)
            result.setdefault(kind, {})[f"psnr_{size}"] = {"mean": mean, "lowest": min(values)}
    return result
