"""Our EditGAN, given the official weights, gives the official numbers."""

import pytest
import torch
import torch.nn.functional as F

from semedit_lite.models.editgan import (
    Encoder,
    PixelClassifier,
    entropy,
    image_uncertainty,
    import_official_encoder,
    js_uncertainty,
    layout_of,
    vote,
)

from .official import read

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("kind", ["small", "large"])
def test_pixel_classifier(kind):
    case = read("datasetgan_pixel_classifier")
    config = case.config[kind]
    network = PixelClassifier(
        channels=(case.config["dim"],), classes=config["classes"], hidden=config["hidden"]
    )
    network.load_state_dict(case.part(f"{kind}."))
    case.check(f"{kind}_eval", network.eval()(case.inputs["x"]))
    logits = network.train()(case.inputs["x"])
    case.check(f"{kind}_train", logits)
    case.check(f"{kind}_ce", F.cross_entropy(logits, case.inputs[f"y_{kind}"]))


def test_uncertainty():
    case = read("datasetgan_ensemble_uncertainty")
    logits = case.inputs["logits"].transpose(1, 2)[:, None, :, :, None]  # (10, 1, 7, 200, 1)
    each = logits.softmax(2)
    case.check("mean_prob", each.mean(0).transpose(1, 2))
    case.check("entropy_mean", entropy(each.mean(0), 1))
    case.check("mean_entropy", entropy(each, 2).mean(0))
    found = js_uncertainty(logits)
    case.check("js", found)
    case.check("uncertainty", image_uncertainty(found))
    case.check("label_meanlogit", layout_of(logits))
    case.check("label_vote", vote(logits))


@torch.no_grad()
def test_encoder():
    case = read("editgan_encoder")
    config = case.config
    encoder = Encoder(
        size=case.inputs["x"].shape[-1],
        rows=config["n_latent"],
        style=config["style_dim"],
        width=config["feature_dim"],
        stem=config["stem"],
        planes=config["planes"],
        blocks=config["num_blocks"],
    )
    import_official_encoder(encoder, case.state)
    case.check("w_eval", encoder.eval()(case.inputs["x"]))
    for name, found in zip(("p2", "p3", "p4"), encoder.pyramid(case.inputs["x"]), strict=True):
        case.check(name, found)
    case.check("w_train", encoder.train()(case.inputs["x"]))
