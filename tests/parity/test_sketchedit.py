"""Our SketchEdit, given the official weights, gives the official numbers."""

import pytest
import torch

from semedit_lite import losses
from semedit_lite.models.sketchedit import (
    MaskEstimator,
    SketchDiscriminator,
    SketchEdit,
    SketchGenerator,
    attention,
    copy_losses,
    import_official,
    paste,
    smooth,
)

from .official import Fixture, read

pytestmark = pytest.mark.parity


def shape(case: Fixture) -> dict:
    return {"width": case.config["cnum"], "strokes": 1}


@torch.no_grad()
def test_mask_estimator():
    case = read("sketchedit_mask_estimator")
    network = MaskEstimator(**shape(case))
    import_official(network, case.state)
    region, picture = network(case.inputs["image"], case.inputs["sketch"])
    case.check("mask", region)
    case.check("mask_image", picture)


@torch.no_grad()
def test_generator():
    case = read("sketchedit_generator")
    assert case.config["joint_train_inp"]  # no sketch in the style branch
    network = SketchGenerator(**shape(case), pool=case.config["pool_type"])
    import_official(network, case.state)
    given = case.inputs
    coarse, fine = network(given["x"], given["sketch"], given["mask"], given["mask2"], given["x2"])
    case.check("stage1", coarse)
    case.check("stage2", fine)


@torch.no_grad()
def test_contextual_attention():
    case = read("sketchedit_contextual_attention")
    features, region = case.inputs["f"], case.inputs["mask"]
    weights = attention(features, region)
    case.check("similar", weights.unflatten(2, case.outputs["similar"].shape[2:]))
    case.check("out", paste(weights, features))
    overlaps = paste(weights, torch.ones_like(region))  # weights are of sum 1
    case.check("hole", paste(weights, region) / overlaps)


@torch.no_grad()
def test_inference():
    case = read("sketchedit_inference")
    network = SketchEdit(**shape(case))
    import_official(network.estimator, case.part("netM."))
    import_official(network.generator, case.part("netG."))
    image, sketch = case.inputs["image"], case.inputs["sketch"]
    composed, soft = network.eval()(image, sketch)
    hard = (soft > 0.5).float()
    case.check("soft_mask", soft)
    case.check("hard_mask", hard)
    case.check("hard_count", hard.sum((1, 2, 3)))
    case.check("min_margin", (soft - 0.5).abs().min())
    coarse, fine = network.generator(image, sketch, hard)
    case.check("coarse", coarse)
    case.check("fine", fine)
    torch.testing.assert_close(network.redraw(image, sketch, hard), fine)
    case.check("composed", composed)
    grey = ((composed.clamp(-1, 1) + 1) / 2 * 255).floor()
    expected = case.outputs["uint8"].float()
    assert (grey - expected).abs().max() <= 1  # where rounding falls on an edge
    assert (grey == expected).float().mean() > 0.999


def test_losses():
    case = read("sketchedit_losses")
    given = case.inputs
    coarse = (given["coarse"] - given["real"]).abs().mean()
    image, target = given["inputs"], given["real"]
    for name, (a, b) in {
        "L1c": (image, target),
        "L1c_blur": (smooth(image), smooth(target)),
    }.items():
        case.check(name, coarse + sum(copy_losses(given["mask_image"], given["mask"], a, b)))
    for name in ("L1f", "L1f_blur"):
        case.check(name, (given["fake"] - given["real"]).abs().mean())


@torch.no_grad()
def test_discriminator():
    case = read("sketchedit_discriminator")
    network = SketchDiscriminator(inputs=case.config["in"], width=case.config["cnum"])
    import_official(network, case.state)
    network.eval()
    real, fake = (
        network(torch.cat([case.inputs[name], case.inputs["sketch"]], 1))
        for name in ("real", "fake")
    )
    case.check("out_real", real[-1])
    case.check("out_fake", fake[-1])
    _, terms = losses.hinge_discriminator([fake], [real])
    case.check("d_real", terms["d_real"])
    case.check("d_fake", terms["d_fake"])
    case.check("g", losses.hinge_generator([fake]))


def test_import_is_strict():
    case = read("sketchedit_mask_estimator")
    network = MaskEstimator(**shape(case))
    with pytest.raises(RuntimeError, match="Unexpected"):
        import_official(network, case.state | {"conv18.bias": torch.zeros(3)})
    del case.state["conv_mask_17.bias"]
    with pytest.raises(RuntimeError, match="Missing"):
        import_official(network, case.state)
