"""Asks the original runtime (OpenVINO, float32) for eight faces and keeps parts of them for
`tests/parity/test_mobilestylegan.py`.

    pip install openvino
    python scripts/mobilestylegan_fixture.py random_face-2021.7.21.1-py3-none-any.whl OUT
"""

import argparse
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

CROPS = ((200, 300), (480, 500), (700, 420), (100, 80))  # (y, x): hair, eye and nose, chin, rest
SIDE = 24
FACES = 8


def originals(wheel: Path) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """FACES faces as the original runtime makes them: z (1, 512), w (1, 512) and the picture
    (1, 3, 1024, 1024), one after the other."""
    import openvino

    core, exact = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        data = Path(folder) / "random_face" / "data"
        mapping = core.compile_model(data / "MappingNetwork.xml", "CPU", exact)
        synthesis = core.compile_model(data / "SynthesisNetwork.xml", "CPU", exact)
        for z in torch.randn(FACES, 1, 512, generator=torch.Generator().manual_seed(0)):
            w = mapping({0: z.numpy()})[0]
            picture = synthesis({0: w})[0]
            yield z, torch.from_numpy(w.copy()), torch.from_numpy(picture.copy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    parts: dict[str, list[Tensor]] = {"z": [], "w": [], "crops": [], "means": []}
    for z, w, picture in originals(args.wheel):
        parts["z"].append(z)
        parts["w"].append(w)
        cuts = [picture[..., y : y + SIDE, x : x + SIDE] for y, x in CROPS]
        parts["crops"].append(torch.stack(cuts, 1))  # (1, 4, 3, SIDE, SIDE)
        parts["means"].append(torch.nn.functional.avg_pool2d(picture, 64))  # (1, 3, 16, 16)
    save_file({key: torch.cat(part).contiguous() for key, part in parts.items()}, args.out)


if __name__ == "__main__":
    main()
