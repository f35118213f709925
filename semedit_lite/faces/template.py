"""Where eyes, nose and mouth lie in generated faces: measures `align.TEMPLATE`.

python -m semedit_lite.faces.template 256
"""

import sys

import numpy as np

from semedit_lite.faces.align import landmarks
from semedit_lite.faces.parse import face_parser, parse
from semedit_lite.models.mobilestylegan import MobileStyleGAN

PARTS = ("l_eye", "r_eye", "nose", "mouth")


def measure(count: int) -> dict[str, complex]:
    """Mean centroids over the faces of the seeds 0 to count - 1, in the unit square, symmetric:
    each face counts with its mirror image."""
    generator, parser = MobileStyleGAN.from_pretrained("mobilestylegan-ffhq"), face_parser()
    found = []
    for seed in range(count):
        image, _ = generator.sample([seed], size=256)
        points = landmarks(parse(image, parser=parser)[0].numpy())
        if all(name in points for name in PARTS):
            found.append([points[name] for name in PARTS])
    l_eye, r_eye, nose, mouth = np.mean(found, 0)
    across = (l_eye - r_eye).real / 2
    height = (l_eye + r_eye).imag / 2
    return {
        "l_eye": complex(0.5 + across, height),
        "r_eye": complex(0.5 - across, height),
        "nose": complex(0.5, nose.imag),
        "mouth": complex(0.5, mouth.imag),
    }


if __name__ == "__main__":
    for name, point in measure(int(sys.argv[1])).items():
        print(f'"{name}": {point.real:.3f} + {point.imag:.3f}j,')
