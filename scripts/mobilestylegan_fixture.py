"""Asks the original runtime (OpenVINO, float32) for eight faces and keeps parts of them for
`tests/parity/test_mobilestylegan.py`.

    pip install openvino
    python scripts/mobilestylegan_fixture.py random_face-2021.7.21.1-py3-none-any.whl OUT
"""

import argparse
import tempfile
import zipfile
from pathlib import Path

import openvino
import torch
from safetensors.torch import save_file

CROPS = ((200, 300), (480, 500), (700, 420), (100, 80))  # (y, x): hair, eye and nose, chin, rest
SIDE = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    core, exact = openvino.Core(), {"INFERENCE_PRECISION_HINT": "f32"}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(args.wheel) as archive:
            archive.extractall(folder)
        data = Path(folder) / "random_face" / "data"
        mapping = core.compile_model(data / "MappingNetwork.xml", "CPU", exact)
        synthesis = core.compile_model(data / "SynthesisNetwork.xml", "CPU", exact)
        z = torch.randn(8, 512, generator=torch.Generator().manual_seed(0))
        w, crops, means = [], [], []
        for one in z:
            style = mapping({0: one[None].numpy()})[0]
            picture = torch.from_numpy(synthesis({0: style})[0].copy())  # (1, 3, 1024, 1024)
            w.append(torch.from_numpy(style.copy()))
            parts = [picture[..., y : y + SIDE, x : x + SIDE] for y, x in CROPS]
            crops.append(torch.stack(parts, 1))  # (1, 4, 3, SIDE, SIDE)
            means.append(torch.nn.functional.avg_pool2d(picture, 64))  # (1, 3, 16, 16): the whole
    tensors = {"z": z, "w": torch.cat(w), "crops": torch.cat(crops), "means": torch.cat(means)}
    save_file({key: value.contiguous() for key, value in tensors.items()}, args.out)


if __name__ == "__main__":
    main()
