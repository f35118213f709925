"""Makes the sliders of the package, and the sheets on which they are looked at.

python scripts/sliders.py derive [NAME ...]    # editing/library.py says of which edits
python scripts/sliders.py sheet [NAME ...]     # eight faces that no edit has seen, five strengths
"""

import argparse

import torch

from semedit_lite.data.faces import EVALUATION_SEED
from semedit_lite.editing.latent import LatentSpace
from semedit_lite.editing.library import LIBRARY, derive, face
from semedit_lite.editing.vectors import FOLDER, EditingVector
from semedit_lite.hub import write_beside
from semedit_lite.images import reduce
from semedit_lite.training.trainer import save_grid

FACES = 8
SHOWN = 128  # side on a sheet


def write(name: str, space: LatentSpace) -> None:
    """Derives a slider."""
    data = derive(space, LIBRARY[name]).to_bytes()
    write_beside(FOLDER / f"{name}.safetensors", lambda path: path.write_bytes(data))


@torch.no_grad()
def sheet(name: str, space: LatentSpace) -> None:
    """A row for each face: at both ends of the slider's range, half way, and as it is."""
    data = (FOLDER / f"{name}.safetensors").read_bytes()
    vector = EditingVector.from_bytes(data, space.digest)
    low, high = vector.range
    rows = []
    for seed in range(EVALUATION_SEED, EVALUATION_SEED + FACES):
        for strength in (low, low / 2, 0.0, high / 2, high):
            moved = face(space, seed) + strength * vector.delta
            rows.append(reduce(space.generator.synthesis(moved, 256).clamp(-1, 1), SHOWN))
    save_grid(torch.cat(rows), FOLDER / f"{name}.jpg", columns=10)


def main() -> None:
    torch.use_deterministic_algorithms(True)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("derive", "sheet"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="all where none is given")
    given = parser.parse_args()
    space = LatentSpace()
    for name in given.names or LIBRARY:
        {"derive": write, "sheet": sheet}[given.what](name, space)


if __name__ == "__main__":
    main()
