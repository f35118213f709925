"""Where eyes, nose and mouth lie in generated faces: measures the constants of `align` and
`detect`, by the teachers' face mesh.

python scripts/face_template.py 256
"""

import sys

from semedit_lite.data.scenes import KnownFaces
from semedit_lite.models.finder import MIRRORED


def measure(count: int) -> None:
    """Prints the mean points of the faces of the seeds 0 to count - 1, in the unit square and in
    that of their box, symmetric: each face counts with its mirror image."""
    known = KnownFaces.make(count)
    middle = known.boxes[:, None, :2]
    for name, points, centre in (
        ("picture", known.points, 0.5),
        ("box", (known.points - middle) / known.boxes[:, None, 2:], 0.0),
    ):
        mirrored = points[:, MIRRORED].clone()
        mirrored[..., 0] = 2 * centre - mirrored[..., 0]
        for x, y in ((points + mirrored) / 2).mean(0).tolist():
            print(f"{name}: {x:.4f} + {y:.4f}j")


if __name__ == "__main__":
    measure(int(sys.argv[1]))
