"""Our EditGAN, given the official weights, gives the official numbers."""

import pytest
import torch
import torch.nn.functional as F

from semedit_lite.models.editgan import (
    WEIGHTS,
    Encoder,
    PixelClassifier,
    SegmentationBranch,
    edit_loss,
    entropy,
    image_uncertainty,
    import_official_encoder,
    js_uncertainty,
    layout_of,
    region,
    vote,
)
from semedit_lite.models.stylegan2 import import_official

from .official import read
from .test_stylegan2 import generator

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


def test_edit_steps():
    """The tool's optimisation, whose features are the nearest ones, and its part maps, whose
    features are bilinear."""
    case = read("editgan_edit_step")
    config = case.config
    model = generator(config)
    import_official(model, case.part("g."))
    start, layout = case.inputs["wplus"], case.inputs["y_edit"][None]
    maps = model.activations(start)
    branch = SegmentationBranch(
        channels=[x.shape[1] for x in maps],
        classes=config["classes"],
        members=config["members"],
        size=config["size"],
        grid=config["size"],
    ).eval()
    for i, member in enumerate(branch.members):
        member.load_state_dict(case.part(f"c{i}."))
    model.requires_grad_(False)
    branch.requires_grad_(False)

    def same(output, found):  # ties may fall either way
        assert (found.squeeze() == case.outputs[output]).float().mean() >= 0.995

    same("mask_before", layout_of(branch(maps)))
    moved = start + 0.8 * case.inputs["delta"]
    same("mask_after", layout_of(branch(model.activations(moved))))
    case.check("image_after", model.synthesis(moved))

    def official(latent):
        """Picture, and logits of nearest features."""
        maps = model.activations(latent)
        wide = [F.interpolate(x, (config["size"],) * 2, mode="nearest") for x in maps]
        rows = torch.cat(wide, 1).flatten(2)[0].T.expand(config["members"], -1, -1)
        logits = branch.rows(rows).transpose(1, 2)[:, None]
        return model.picture(maps, latent), logits.unflatten(-1, (config["size"],) * 2)

    before, _ = official(start)
    nowhere = torch.zeros_like(layout)
    inside = region(nowhere, nowhere, (), case.inputs["roi"][None], grow=3)
    case.check("roi_d", inside)
    share = 1 - inside.float().mean()  # officially the mean goes over the region as well
    weights = dict(WEIGHTS) | {"l2": WEIGHTS["l2"] * share}
    latent = (start + case.inputs["offset"]).requires_grad_()
    optimiser = torch.optim.Adam([latent], config["lr"], config["adam"][:2], config["adam"][2])
    losses, squares, crosses, iterates = [], [], [], []
    for _ in range(config["steps"] - 1):
        image, logits = official(latent)
        total, terms = edit_loss(image, before, logits, layout, inside, weights=weights)
        optimiser.zero_grad()
        total.sum().backward()
        if not losses:
            case.check("grad0", latent.grad)
        iterates.append(latent.detach().clone())
        optimiser.step()
        losses.append(total)
        squares.append(terms["l2"] * share)
        crosses.append(terms["cross_entropy"])
    case.check("loss", torch.cat(losses))
    case.check("mse", torch.cat(squares))
    case.check("ce", torch.cat(crosses))
    case.check("w_last", latent)
    case.check("w_best", iterates[torch.cat(losses).argmin()])

    masks = [layout_of(official(w)[1]) for w in (start, moved)]
    refined = region(*masks, (0,), grow=0)
    same("roi_refine", refined)
    same("roi_refine_d", region(*masks, (0,), grow=3))
