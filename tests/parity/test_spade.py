"""Our SPADE, given the official weights, gives the official numbers."""

import pytest
import torch

from semedit_lite import losses
from semedit_lite.labels import one_hot
from semedit_lite.models.layers import MultiScaleDiscriminator
from semedit_lite.models.spade import (
    Spade,
    SpadeGenerator,
    SpadeResBlock,
    StyleEncoder,
    import_official,
    reparametrise,
)

from .official import Fixture, gradient_norm, read

pytestmark = pytest.mark.parity


def spade(channels: int) -> Spade:
    return Spade(channels=channels, classes=5, hidden=128, norm="batch")


def generator(config: dict) -> SpadeGenerator:
    return SpadeGenerator(
        classes=config["semantic_nc"],
        size=config["crop_size"],
        aspect=config["aspect_ratio"],
        upsampling=config["num_upsampling_layers"],
        z_dim=config["z_dim"] if config["use_vae"] else None,
        width=config["ngf"],
    )


def discriminator(config: dict) -> MultiScaleDiscriminator:
    assert config["n_layers_D"] == 4
    return MultiScaleDiscriminator(
        classes=config["label_nc"], scales=config["num_D"], width=config["ndf"]
    )


def hot(fixture: Fixture, classes: int) -> torch.Tensor:
    return one_hot(fixture.inputs["label"][:, 0], classes)


@torch.no_grad()
def test_norm():
    case = read("spade_norm")
    norm = spade(case.config["norm_nc"])
    import_official(norm, case.state)
    x, layout = case.inputs["x"], hot(case, case.config["label_nc"])
    case.check("y_eval", norm.eval()(x, layout))
    case.check("y_train", norm.train()(x, layout))
    case.check("running_mean_after_train", norm.norm.running_mean)
    case.check("running_var_after_train", norm.norm.running_var)


@torch.no_grad()
def test_residual_block():
    case = read("spade_resblock")
    config = case.config
    block = SpadeResBlock(inputs=config["fin"], outputs=config["fout"], modulation=spade)
    import_official(block, case.state)
    x, layout = case.inputs["x"], hot(case, config["semantic_nc"])
    case.check("y_eval", block.eval()(x, layout))
    case.check("y_train", block.train()(x, layout))


@torch.no_grad()
@pytest.mark.parametrize("name", ["spade_generator", "spade_generator_most", "spade_generator_vae"])
def test_generator(name):
    case = read(name)
    network = generator(case.config)
    import_official(network, case.state)
    image = network.eval()(case.inputs["label"][:, 0], case.inputs.get("z"))
    case.check("image", image)


@torch.no_grad()
def test_encoder():
    case = read("spade_encoder")
    config = case.config
    encoder = StyleEncoder(size=config["crop_size"], z_dim=config["z_dim"], width=config["ngf"])
    import_official(encoder, case.state)
    mean, log_variance = encoder.eval()(case.inputs["image"])
    case.check("mu", mean)
    case.check("logvar", log_variance)
    case.check("z", reparametrise(mean, log_variance, case.inputs["eps"]))
    # officially summed over the batch
    case.check("kld_unweighted", losses.kl_divergence(mean, log_variance).sum())


@torch.no_grad()
def test_discriminator():
    case = read("spade_discriminator")
    network = discriminator(case.config)
    import_official(network, case.state)
    outputs = network.eval()(case.inputs["label"][:, 0], case.inputs["image"])
    compared = set()
    for i, scale in enumerate(outputs):
        for j, found in enumerate(scale):
            name = f"d{i}_f{j}"
            if name in case.outputs:
                case.check(name, found)
                compared.add(name)
            else:  # the two largest maps are stored as means only
                case.check(f"{name}_mean_per_channel", found.mean((2, 3)))
                case.check(f"{name}_abs_mean_per_channel", found.abs().mean((2, 3)))
                compared |= {f"{name}_mean_per_channel", f"{name}_abs_mean_per_channel"}
    assert compared == set(case.outputs)


def test_train_step():
    case = read("spade_train_step")
    label, real = case.inputs["label"][:, 0], case.inputs["real"]
    g, d = generator(case.config["generator"]), discriminator(case.config["discriminator"])

    import_official(g, case.part("netG."))
    import_official(d, case.part("netD."))
    g.train()
    d.train()
    fake = g(label)
    case.check("fake_mean_std", torch.stack([fake.mean(), fake.std()]))
    fakes, reals = d.pair(label, fake, real)
    adversarial = losses.hinge_generator(fakes)
    matching = 10 * losses.feature_matching(fakes, reals)
    case.check("G_GAN", adversarial)
    case.check("G_GAN_Feat", matching)
    case.check("G_total", adversarial + matching)
    (adversarial + matching).backward()
    case.check_relative("grad_norm_G", gradient_norm(g))
    case.check_relative("grad_norm_D_from_generator_loss", gradient_norm(d))
    last = g.blocks[-1]
    single = {
        "fc.weight": g.start.weight,
        "up_0.conv_0.weight_orig": g.blocks[3].conv_0.parametrizations.weight.original,
        "up_3.norm_1.mlp_gamma.weight": last.norm_1.gamma.weight,
        "conv_img.weight": g.to_image.weight,
    }
    for name, weight in single.items():
        case.check_relative(f"grad_norm_G.{name}", weight.grad.norm())

    import_official(g, case.part("netG."))
    import_official(d, case.part("netD."))
    d.zero_grad()
    with torch.no_grad():
        fake = g(label)
    loss, terms = losses.hinge_discriminator(*d.pair(label, fake, real))
    case.check("D_Fake", terms["d_fake"])
    case.check("D_real", terms["d_real"])
    case.check("D_total", loss)
    loss.backward()
    case.check_relative("grad_norm_D", gradient_norm(d))


def test_import_is_strict():
    case = read("spade_resblock")
    block = SpadeResBlock(inputs=12, outputs=8, modulation=spade)
    with pytest.raises(RuntimeError, match="Unexpected"):
        import_official(block, case.state | {"conv_2.bias": torch.zeros(8)})
    del case.state["conv_s.weight_orig"]
    with pytest.raises(RuntimeError, match="Missing"):
        import_official(block, case.state)
