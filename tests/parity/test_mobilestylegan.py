"""The bundled face generator against the original runtime (OpenVINO in float32) on eight latents.

It is stored in fp16; the conversion in float32, for which one needs the original wheel, is held
much tighter by `tests/test_conversion.py`.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import avg_pool2d

from semedit_lite.models.mobilestylegan import MobileStyleGAN

FIXTURE = load_file(Path(__file__).parent / "fixtures" / "mobilestylegan.safetensors")
CROPS, SIDE = ((200, 300), (480, 500), (700, 420), (100, 80)), 24  # as the script cut them


@pytest.fixture(scope="module")
def bundled() -> MobileStyleGAN:
    return MobileStyleGAN.from_pretrained("mobilestylegan-ffhq")


def pictures(model: MobileStyleGAN) -> tuple[torch.Tensor, torch.Tensor]:
    """What the fixture holds, as our network has it."""
    crops, means = [], []
    with torch.no_grad():
        for w in FIXTURE["w"]:
            picture = model.synthesis(w[None])
            parts = [picture[..., y : y + SIDE, x : x + SIDE] for y, x in CROPS]
            crops.append(torch.stack(parts, 1))
            means.append(avg_pool2d(picture, 64))
    return torch.cat(crops), torch.cat(means)


def psnr(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return (10 * torch.log10(4 / (ours - theirs).pow(2).mean())).item()


def test_bundled_file(bundled: MobileStyleGAN) -> None:
    with torch.no_grad():
        assert psnr(bundled.mapping(FIXTURE["z"]), FIXTURE["w"]) > 60
    crops, means = pictures(bundled)
    for i in range(8):
        assert psnr(crops[i], FIXTURE["crops"][i]) > 55
        assert psnr(means[i], FIXTURE["means"][i]) > 60
