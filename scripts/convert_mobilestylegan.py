"""Makes `mobilestylegan-ffhq` of the weights in the wheel `random-face` (Apache-2.0).

    pip download --no-deps random-face==2021.7.21.1
    python scripts/convert_mobilestylegan.py random_face-2021.7.21.1-py3-none-any.whl OUT
    python scripts/convert_mobilestylegan.py random_face-2021.7.21.1-py3-none-any.whl OUT --check

The wheel holds two networks as OpenVINO's intermediate representation: an XML file with the
layers in order, and a file of constants. The constants are read by their names, or in the order
of their use where they have none. The heads for small pictures are not in the wheel: they are
trained by `semedit train face-heads`; OUT's are kept when OUT is already there.

With `--check` nothing is converted for keeps: the conversion and the weights in OUT are measured
against the original runtime (`pip install openvino`), and OUT/conversion.json says how far off
they are. `python -m semedit_lite.evaluation.report` shows that on the card.
"""

import argparse
import json
import math
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.hub import digest, write_beside
from semedit_lite.models.mobilestylegan import CHANNELS, MobileStyleGAN


def constants(wheel: Path, network: str) -> list[tuple[str, Tensor]]:
    """(name, value) of every float32 constant of a network, in the order of the file."""
    with zipfile.ZipFile(wheel) as archive:
        root = ElementTree.fromstring(archive.read(f"random_face/data/{network}.xml"))
        data = archive.read(f"random_face/data/{network}.bin")
    found = []
    for layer in root.find("layers"):
        attributes = layer.find("data")
        if layer.get("type") == "Const" and attributes.get("element_type") == "f32":
            shape = [int(n) for n in attributes.get("shape").split(",") if n.strip()]
            start, count = int(attributes.get("offset")), math.prod(shape)
            values = np.frombuffer(data, np.float32, count, start).reshape(shape)
            found.append((layer.get("name"), torch.from_numpy(values.copy())))
    return found


def mapping_weights(wheel: Path) -> dict[str, Tensor]:
    """The mapping's matrices and biases, unnamed but in order; scales are folded in already."""
    values = [value for _, value in constants(wheel, "MappingNetwork")]
    matrices = [v for v in values if v.shape == (512, 512)]
    biases = [v for v in values if v.shape == (512,)]
    weights = {f"layers.{i}.weight": matrix for i, matrix in enumerate(matrices)}
    return weights | {f"layers.{i}.bias": bias for i, bias in enumerate(biases)}


def synthesis_weights(wheel: Path) -> dict[str, Tensor]:
    """The synthesis under our names. Modulated convolutions scale by 1 / sqrt(9 fan-in), the last
    one by 1 / sqrt(fan-in): folded into the weights here."""
    named = constants(wheel, "SynthesisNetwork")
    value = dict(named)
    # demodulated weights and noise have generated names; both come in the order of the layers
    pointwise = [v for name, v in named if name.startswith("Mul_") and name.endswith("_copy")]
    noise = [v for _, v in named if v.ndim == 4 and v.shape[:2] == (1, 1) and v.shape[2] > 1]
    out = {"start": value["m.input.input"]}

    def modulation(ours: str, theirs: str) -> None:
        out[f"{ours}.scale.weight"] = value[f"{theirs}.modulation.weight"]
        out[f"{ours}.scale.bias"] = value[f"{theirs}.modulation.bias"][0]

    convs = [("conv1", "m.conv1")]
    for i in range(len(CHANNELS)):
        convs += [(f"blocks.{i}.conv{k}", f"m.layers.{i}.conv{k}") for k in (1, 2)]
        modulation(f"blocks.{i}.up", f"m.layers.{i}.up")
    for (ours, theirs), weight, grain in zip(convs, pointwise, noise, strict=True):
        modulation(f"{ours}.modulation", f"{theirs}.conv")
        bias = value[f"{theirs}.bias"].flatten()
        scale = 1 / math.sqrt(9 * weight.shape[1])
        depthwise = value.get(f"{theirs}.conv.weight_dw")
        if depthwise is None:
            out |= {f"{ours}.conv.0.weight": weight * scale, f"{ours}.conv.0.bias": bias}
        else:
            out |= {f"{ours}.conv.0.weight": depthwise[:, 0] * scale}
            out |= {f"{ours}.conv.1.weight": weight, f"{ours}.conv.1.bias": bias}
        out[f"{ours}.noise"] = grain
    modulation("to_rgb.modulation", "m.layers.6.to_img.conv")
    out["to_rgb.bands.weight"] = value["m.layers.6.to_img.conv.weight"] / math.sqrt(CHANNELS[-1])
    out["to_rgb.bands.bias"] = value["m.layers.6.to_img.bias"].flatten()
    return out


@torch.no_grad()
def convert(wheel: Path) -> MobileStyleGAN:
    """The network with the wheel's weights in float32; its heads are untrained."""
    model = MobileStyleGAN().eval()
    theirs = {f"mapping.{key}": value for key, value in mapping_weights(wheel).items()}
    theirs |= synthesis_weights(wheel)
    missing, unexpected = model.load_state_dict(theirs, strict=False)
    wrong = [key for key in missing if not key.startswith("heads.") and key != "mean_w"]
    if wrong or unexpected:
        raise InputError(f"The wheel does not fit: {wrong + unexpected}.")
    z = torch.randn(2000, 512, generator=torch.Generator().manual_seed(0))
    model.mean_w.copy_(model.mapping(z).mean(0))
    return model


@torch.no_grad()
def check(wheel: Path, folder: Path) -> dict:
    """How far the whole 1024 x 1024 pictures of the conversion in float32 and of the weights in
    `folder` lie from those of the original runtime, in [-1, 1]; written to conversion.json."""
    import openvino
    from mobilestylegan_fixture import originals

    models = {"float32": convert(wheel), "stored": MobileStyleGAN.from_pretrained(folder)}
    errors: dict[str, list[Tensor]] = {key: [] for key in models}
    for z, _, picture in originals(wheel):
        for key, model in models.items():
            error = model(z) - picture  # (1, 3, 1024, 1024)
            errors[key].append(torch.stack([error.abs().max(), error.pow(2).mean()]))
    far = {}
    for key, each in errors.items():
        largest, squares = torch.stack(each).unbind(1)  # (faces,) each
        far[key] = {
            "largest": largest.max().item(),
            "root_mean_square": squares.mean().sqrt().item(),
        }
    about = {
        "weights_sha256": digest(folder / "model.safetensors"),
        "runtime": f"OpenVINO {openvino.__version__.split('-')[0]}, float32",
        "faces": len(errors["stored"]),
    }
    text = json.dumps(about | far, indent=2) + "\n"
    write_beside(folder / "conversion.json", lambda path: path.write_text(text, encoding="utf-8"))
    return far


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--check", action="store_true", help="measure instead of converting")
    args = parser.parse_args()
    if args.check:
        print(json.dumps(check(args.wheel, args.out), indent=2))
        return
    model = convert(args.wheel)
    if (args.out / "model.safetensors").is_file():
        model.heads.load_state_dict(MobileStyleGAN.from_pretrained(args.out).heads.state_dict())
    model.save_pretrained(args.out)


if __name__ == "__main__":
    main()
