"""Our StyleGAN2, given the weights of either official code, gives that code's numbers."""

import pytest
import torch
import torch.nn.functional as F

from semedit_lite import losses
from semedit_lite.errors import InputError
from semedit_lite.images import to_bytes
from semedit_lite.models.stylegan2 import (
    FIR,
    Mapping,
    ModulatedConv,
    StyledConv,
    StyleGAN2,
    StyleGAN2Discriminator,
    ToRGB,
    downsample,
    import_official,
    official_channels,
    official_key,
    upfirdn,
    upsample,
)

from .official import Fixture, gradient_norm, read

pytestmark = pytest.mark.parity


def channels(config: dict) -> tuple[int, ...]:
    """Of the fixtures' nets, coarse to fine."""
    if "channel_base" in (wide := config.get("synthesis_kwargs", config)):
        return official_channels(
            config["img_resolution"], wide["channel_base"], wide["channel_max"]
        )
    return tuple(config["channels"].values())


def generator(config: dict) -> StyleGAN2:
    depth = config["n_mlp"] if "n_mlp" in config else config["mapping_kwargs"]["num_layers"]
    latent = config.get("style_dim", config.get("w_dim"))
    return StyleGAN2(channels=channels(config), latent=latent, depth=depth)


def loaded(case: Fixture, **extra: torch.Tensor) -> StyleGAN2:
    network = generator(case.config)
    import_official(network, case.state | extra)
    return network


def test_resampling():
    case = read("stylegan2_upfirdn")
    x = case.inputs["x"]
    odd = torch.tensor(case.config["asym_kernel"], dtype=torch.float32)
    case.check("up", upsample(x))
    case.check("down", downsample(x))
    case.check("blur_up", upfirdn(x, 4 * FIR, pad=(1, 1)))
    case.check("blur_down3", upfirdn(x, FIR, pad=(2, 2)))
    case.check("blur_down1", upfirdn(x, FIR, pad=(1, 1)))
    case.check("asym", upfirdn(x, odd, up=3, down=2, pad=(2, -1)))


@torch.no_grad()
def test_mapping():
    case = read("stylegan2_mapping")
    network = StyleGAN2(channels=(4,), latent=16, depth=case.config["n_mlp"])
    mapping = Mapping(latent=case.config["style_dim"], depth=case.config["n_mlp"])
    state = {official_key(key, 4): value for key, value in case.state.items()}
    mapping.load_state_dict({key.removeprefix("mapping."): value for key, value in state.items()})
    w = mapping(case.inputs["z"])
    case.check("w", w)
    network.mean_w.copy_(case.inputs["w_mean"][0])
    case.check("w_trunc", network.truncate(w, 0.7))


@torch.no_grad()
def test_modulated_convolution():
    case = read("stylegan2_modulated_conv")
    sizes = (case.config["in"], case.config["out"])
    latent = case.config["style_dim"]
    x, w = case.inputs["x"], case.inputs["style"]
    for name, resample in (("plain", None), ("up", "up"), ("down", "down")):
        conv = ModulatedConv(*sizes, 3, latent, resample)
        import_official(conv, case.part(f"{name}."))
        case.check(name, conv(x, w))
    conv = ModulatedConv(sizes[0], 3, 1, latent, demodulate=False)
    import_official(conv, case.part("rgb."))
    case.check("rgb", conv(x, w))
    styled = StyledConv(*sizes, 16, latent, up=True)
    import_official(styled, case.part("styled.") | {"noise": torch.zeros(16, 16)})
    case.check("styled", styled(x, w, case.inputs["noise"]))
    to_rgb = ToRGB(sizes[0], latent)
    import_official(to_rgb, case.part("torgb."))
    case.check("torgb", to_rgb(x, w) + upsample(case.inputs["skip"]))


@torch.no_grad()
def test_generator_of_rosinality():
    case = read("stylegan2_generator")
    network = loaded(case, latent_avg=case.inputs["w_mean"])
    z, other, wplus = case.inputs["z"], case.inputs["z2"], case.inputs["wplus"]
    assert network.rows(wplus).shape[1] == case.config["n_latent"]
    case.check("img_z", network(z))
    case.check("img_trunc", network(z, truncation=0.7))
    one, two = (network.rows(network.mapping(code)) for code in (z, other))
    case.check("img_mix", network.synthesis(torch.cat([one[:, :3], two[:, 3:]], 1)))
    case.check("img_wplus", network.synthesis(wplus))
    noise = [case.inputs[f"noise_{i}"] for i in range(7)]
    case.check("img_noise", network.synthesis(wplus, noise))


@torch.no_grad()
def test_generator_of_nvidia():
    case = read("stylegan2_generator_nvlabs")
    network = loaded(case)
    z, wplus = case.inputs["z"], case.inputs["wplus"]
    assert channels(case.config) == tuple(case.config["channels"].values())
    assert network.rows(wplus).shape[1] == case.config["num_ws"]
    w = network.mapping(z)
    case.check("w", w)
    case.check("img", network(z))
    case.check("img_trunc", network(z, truncation=0.7))
    rows = network.rows(w)
    cut = torch.cat([network.truncate(rows[:, :3], 0.5), rows[:, 3:]], 1)
    case.check("img_cut", network.synthesis(cut))
    case.check("img_wplus", network.synthesis(wplus))
    silence = [torch.zeros(())] * 7
    case.check("img_nonoise", network.synthesis(wplus, silence))


@torch.no_grad()
def test_generator_of_editgan():
    case = read("editgan_generator")
    network = loaded(case, latent_avg=case.inputs["w_mean"])
    wplus = case.inputs["wplus"]
    maps = network.activations(wplus)
    assert [x.shape[1] for x in maps] == case.config["feature_channels"]
    for i, x in enumerate(maps):
        case.check(f"feat_{i}", x)
    image = network.picture(maps, wplus)
    case.check("image", image)
    rows = network.rows(network.truncate(network.mapping(case.inputs["z"]), 0.7))
    case.check("wplus_from_z", rows)
    i = torch.arange(0, 32, 2)
    for mode in ("bilinear", "nearest"):
        pixels = [
            F.interpolate(x, (case.config["out_res"],) * 2, mode=mode)[:, :, i, (7 * i) % 32]
            for x in maps
        ]
        case.check(f"feat_{mode}_px", torch.cat(pixels, 1))
    apart = (to_bytes(image).float() - case.outputs["image_uint8"]).abs()
    assert apart.max() <= 1  # where rounding falls on an edge
    assert apart.mean() < 1e-3


@torch.no_grad()
def test_discriminator_of_rosinality():
    case = read("stylegan2_discriminator")
    network = StyleGAN2Discriminator(channels=channels(case.config))
    import_official(network, case.state)
    case.check("logits2", network(case.inputs["x2"]))
    case.check("logits8", network(case.inputs["x8"]))


@torch.no_grad()
def test_discriminator_of_nvidia():
    case = read("stylegan2_discriminator_nvlabs")
    network = StyleGAN2Discriminator(channels=channels(case.config))
    import_official(network, case.state)
    case.check("logits", network(case.inputs["x"]))


def test_train_step():
    case = read("stylegan2_train_step")
    config = case.config
    g, d = generator(config), StyleGAN2Discriminator(channels=channels(config))
    import_official(g, case.part("g."))
    import_official(d, case.part("d."))
    rows = g.rows(g.mapping(case.inputs["z"]))
    fake = g.synthesis(rows)
    case.check("fake", fake)

    real = case.inputs["real"].requires_grad_()
    loss, _ = losses.logistic_discriminator(d(fake.detach()), d(real.detach()))
    case.check("d_loss", loss)
    loss.backward()
    case.check("grad_norm_d", gradient_norm(d))
    d.zero_grad()

    r1 = losses.r1_penalty(d(real), real).mean()
    case.check("r1", r1)
    (config["r1"] / 2 * r1 * config["d_reg_every"]).backward()
    case.check("grad_norm_d_reg", gradient_norm(d))

    loss = losses.logistic_generator(d(fake))
    case.check("g_loss", loss)
    loss.backward(retain_graph=True)
    case.check("grad_norm_g", gradient_norm(g))
    g.zero_grad()

    side = fake.shape[-1]  # the fixture's noise is already divided by it
    lengths = losses.path_lengths(fake, rows, case.inputs["pl_noise"] * side)
    case.check("path_lengths", lengths)
    penalty, mean = losses.path_penalty(lengths, 0.0)
    case.check("path_mean", mean)
    case.check("path_penalty", penalty)
    (config["path_regularize"] * config["g_reg_every"] * penalty).backward()
    case.check("grad_norm_path", gradient_norm(g))


@pytest.mark.parametrize("name", ["stylegan2_generator", "stylegan2_generator_nvlabs"])
def test_import_is_strict(name):
    case = read(name)
    network = generator(case.config)
    with pytest.raises(RuntimeError, match="Unexpected"):
        import_official(network, case.state | {"convs.9.conv.weight": torch.zeros(8)})
    (transposed,) = (
        key for key in case.state if key.endswith(("convs.4.conv.weight", "b32.conv0.weight"))
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        import_official(network, case.state | {transposed: torch.zeros(12, 8, 3, 3)})
    (filtered,) = (
        key
        for key in case.state
        if key.endswith(("to_rgbs.2.upsample.kernel", "b32.conv0.resample_filter"))
    )
    with pytest.raises(InputError, match="another filter"):
        import_official(network, case.state | {filtered: torch.ones(4, 4)})
    del case.state[transposed]
    with pytest.raises(RuntimeError, match="Missing"):
        import_official(network, case.state)
