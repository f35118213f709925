"""Makes the weights `face-distance`: the face parser's encoder, and for its channels the weights
with which the distance follows LPIPS, by least squares under the condition that none is negative.

SEMEDIT_TEACHERS=... python scripts/fit_distance.py [--faces 100] [-o FOLDER]
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

RIDGE = 3e-4  # pull towards equal weights, which tells channels apart that say the same
FLOOR = 0.02  # LPIPS below which errors count by their size, and no longer as a share of it


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
    share = 1 / (wanted + FLOOR) / len(wanted) ** 0.5
    rows, goal = found * share[:, None], wanted * share
    channels = rows.shape[1]
    equal = rows.sum(1) @ goal / (rows.sum(1) @ rows.sum(1))  # the best single weight
    pull = (ridge / channels) ** 0.5
    weights, _ = nnls(
        np.concatenate([rows * equal, pull * np.eye(channels)]),
        np.concatenate([goal, np.full(channels, pull)]),
        maxiter=100 * channels,
    )
    return weights * equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--faces", type=int, default=100, help="training seeds (100)")
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
