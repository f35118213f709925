"""Makes the weights `face-distance`: the face parser's encoder, and for its channels the weights
with which the distance follows LPIPS, by least squares under the condition that none is negative.

SEMEDIT_TEACHERS=... python scripts/fit_distance.py [--faces 150] [-o FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import nnls

from semedit_lite.evaluation.perceptual import pairs
from semedit_lite.faces.parse import face_parser
from semedit_lite.hub import BUNDLED
from semedit_lite.models.perceptual import PerceptualDistance
from semedit_lite.training.teachers import lpips

RIDGE = 1e-3  # keeps channels apart that say the same


@torch.no_grad()
def table(model: PerceptualDistance, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The differences (N, channels) of all pairs of `count` training seeds, and LPIPS (N,)."""
    from tqdm import tqdm

    teacher, rows, wanted = lpips(), [], []
    for seed in tqdm(range(count), "faces"):
        for _, a, b in pairs(seed):
            wanted.append(teacher(a, b).item())
            rows.append(torch.cat(model.differences(a, b), 1)[0].double().numpy())
    return np.stack(rows), np.array(wanted)


def fit(found: np.ndarray, wanted: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """Weights (channels,) from 0 up that bring `found` @ weights near `wanted`, as a share of it:
    small distances count as much as large ones."""
    some = wanted > 1e-3  # an edit that changed next to nothing says nothing
    found, wanted = found[some], wanted[some]
    scale = found.mean(0) + 1e-12
    rows = found / scale / wanted[:, None]
    smooth = np.sqrt(ridge * len(rows)) * np.eye(rows.shape[1])
    # towards equal shares for all channels, not towards none
    equal = np.full(rows.shape[1], wanted.mean() / rows.shape[1])
    weights, _ = nnls(
        np.concatenate([rows, smooth * rows.shape[1]]),
        np.concatenate([np.ones(len(rows)), smooth @ equal * rows.shape[1]]),
        maxiter=50 * rows.shape[1],
    )
    return weights / scale


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=int, default=150, help="training seeds (150)")
    parser.add_argument("-o", "--output", type=Path, default=BUNDLED / "face-distance")
    arguments = parser.parse_args()
    model = PerceptualDistance().eval()
    model.encoder.load_state_dict(face_parser().encoder.state_dict())
    weights = torch.from_numpy(fit(*table(model, arguments.faces))).float()
    for own, part in zip(
        model.weights, weights.split([len(w) for w in model.weights]), strict=True
    ):
        own.data = part
    model.save_pretrained(arguments.output)


if __name__ == "__main__":
    main()
