import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrize

from semedit_lite.errors import InputError
from semedit_lite.hub import parameters
from semedit_lite.labels import IGNORE, one_hot
from semedit_lite.models.layers import MultiScaleDiscriminator, initialise, spectral_norm
from semedit_lite.models.spade import (
    PRESETS,
    GauGAN,
    Spade,
    SpadeGenerator,
    StyleEncoder,
    official_key,
)

TINY = {"width": 2, "max_width": 8, "hidden": 4, "z_dim": 3, "encoder_width": 2}


def tiny(**settings) -> GauGAN:
    network = GauGAN(classes=5, size=32, **(TINY | settings))
    for module in network.modules():  # a gain that lets an untrained network say something
        if isinstance(module, Spade):
            initialise(module, gain=1.0)
    return network.eval()


def halves(size: int) -> torch.Tensor:
    """A layout of two classes, left and right."""
    layout = torch.zeros(1, size, size, dtype=torch.long)
    layout[..., size // 2 :] = 1
    return layout


# --- what the paper says of the norm --------------------------------------------------------------
def test_modulation_keeps_apart_what_normalisation_washes_out():
    """Section 3, figure 3: a picture of one class is constant; instance norm makes zeros of it,
    whatever the class, but SPADE's shift still tells the classes apart."""
    norm = Spade(channels=4, classes=2, hidden=8, norm="instance").eval()
    initialise(norm, gain=1.0)
    answers = []
    for label in (0, 1):
        layout = one_hot(torch.full((1, 16, 16), label), 2)
        x = torch.full((1, 4, 16, 16), 3.0 + label)  # what a first convolution makes of it
        assert norm.norm(x).abs().max() < 1e-3
        answers.append(norm(x, layout)[0, :, 8, 8])
    assert (answers[0] - answers[1]).abs().max() > 0.1


def test_norm_is_exactly_scaled_by_one_plus_gamma():
    norm = Spade(channels=2, classes=3, hidden=4)
    for conv in (norm.gamma, norm.beta):
        nn.init.zeros_(conv.weight)
    nn.init.constant_(norm.gamma.bias, 0.5)
    nn.init.constant_(norm.beta.bias, -2.0)
    x, layout = torch.randn(2, 2, 8, 8), one_hot(torch.zeros(2, 4, 4), 3)
    torch.testing.assert_close(norm(x, layout), 1.5 * norm.norm(x) - 2)


def test_instance_norm_treats_pictures_apart_and_batch_norm_in_training_does_not():
    x, layout = torch.randn(3, 2, 8, 8), one_hot(torch.zeros(3, 8, 8), 2)
    for kind, apart in (("instance", True), ("batch", False)):
        norm = Spade(channels=2, classes=2, hidden=4, norm=kind).train()
        together, alone = norm(x, layout)[:1], norm(x[:1], layout[:1])
        assert torch.allclose(together, alone, atol=1e-5) == apart


def test_unknown_norm_is_refused():
    with pytest.raises(InputError, match="'batch' or 'instance'"):
        Spade(channels=2, classes=2, norm="layer")


# --- spectral norm --------------------------------------------------------------------------------
def test_spectral_norm_divides_by_the_largest_singular_value():
    conv = nn.Conv2d(6, 10, 3)
    weight = conv.weight.detach().clone()
    sigma = torch.linalg.svdvals(weight.flatten(1))[0]
    spectral_norm(conv).train()
    for _ in range(60):
        made = conv.weight
    torch.testing.assert_close(made, weight / sigma, rtol=1e-4, atol=1e-6)


def test_spectral_norm_iterates_in_training_only_and_survives_two_forwards():
    conv = spectral_norm(nn.Conv2d(3, 4, 3))
    u = conv.parametrizations.weight[0].u
    before = u.clone()
    conv.eval()(torch.randn(1, 3, 5, 5))
    assert torch.equal(u, before)
    conv.train()
    (conv(torch.randn(1, 3, 5, 5)).sum() + conv(torch.randn(1, 3, 5, 5)).sum()).backward()
    assert not torch.equal(u, before)
    assert conv.parametrizations.weight.original.grad.abs().sum() > 0


def test_spectral_norm_stays_in_float32_under_autocast():
    conv = spectral_norm(nn.Conv2d(8, 8, 3)).eval()
    with torch.autocast("cpu", torch.bfloat16):
        inside = conv.weight
    assert inside.dtype == torch.float32
    assert torch.equal(inside, conv.weight)


def test_initialisation_reaches_weights_under_spectral_norm():
    """torch's own parametrisation lets the official loop over `.weight` change a temporary."""
    network = nn.Sequential(spectral_norm(nn.Conv2d(64, 64, 3)), nn.Conv2d(64, 64, 3))
    initialise(network)
    original = network[0].parametrizations.weight.original
    assert original.std().item() == pytest.approx(network[1].weight.std().item(), rel=0.05)
    assert original.std().item() == pytest.approx(0.02 * (2 / (2 * 64 * 9)) ** 0.5, rel=0.05)
    assert torch.linalg.svdvals(network[0].weight.flatten(1))[0].item() < 1.2  # u, v found anew
    assert network[0].bias.abs().sum() == 0


def test_a_network_with_spectral_norm_can_be_copied():
    network = tiny()
    twin = copy.deepcopy(network)
    layout, z = halves(32), torch.randn(1, 3)
    assert torch.equal(network(layout, z), twin(layout, z))


# --- sizes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("upsampling", "size", "aspect", "start"),
    [("normal", 64, 1.0, (2, 2)), ("more", 128, 2.0, (1, 2)), ("most", 128, 1.0, (1, 1))],
)
def test_picture_size_and_start_size(upsampling, size, aspect, start):
    network = SpadeGenerator(
        classes=4, size=size, aspect=aspect, upsampling=upsampling, width=2, hidden=4
    ).eval()
    assert network.start_size == start
    with torch.no_grad():
        picture = network(torch.zeros(2, size, size, dtype=torch.long))
    assert picture.shape == (2, 3, round(size / aspect), size)
    assert picture.abs().max() <= 1


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(InputError, match="multiple of 32"):
        SpadeGenerator(classes=4, size=80, width=2)
    with pytest.raises(InputError, match="power of 2"):
        StyleEncoder(size=96)
    with pytest.raises(InputError, match="normal, more, most"):
        SpadeGenerator(classes=4, upsampling="less")


@given(height=st.integers(1, 70), width=st.integers(1, 70))
@settings(deadline=None, max_examples=12)
@torch.no_grad()
def test_any_layout_size_is_taken(height, width):
    layout = torch.randint(0, 5, (1, height, width))
    assert tiny()(layout, torch.zeros(1, 3)).shape == (1, 3, 32, 32)


@torch.no_grad()
def test_an_enlarged_layout_gives_the_same_picture():
    network, layout, z = tiny(), torch.randint(0, 5, (1, 32, 32)), torch.randn(1, 3)
    large = layout.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(network(layout, z), network(large, z))


@torch.no_grad()
@pytest.mark.parametrize("size", [32, 64, 256])
def test_the_encoder_works_at_any_size(size):
    encoder = StyleEncoder(size=size, z_dim=7, width=2, max_width=8)
    for side in (16, size, 2 * size):
        mean, log_variance = encoder.eval()(torch.rand(2, 3, side, side + 3))
        assert mean.shape == log_variance.shape == (2, 7)


@torch.no_grad()
def test_the_lite_encoder_sees_a_tint_that_instance_norm_removes():
    picture = torch.randn(1, 3, 32, 32) / 4
    tinted = picture + torch.tensor([0.3, 0.0, -0.3]).view(1, 3, 1, 1)

    def inside(norm: str) -> float:  # away from the border, where padding betrays the mean
        layer = StyleEncoder(size=32, width=4, norm=norm).train().layers[0]
        one, other = layer(torch.cat([picture, tinted]))[..., 2:-2, 2:-2]
        return F.l1_loss(one, other).item()

    assert inside("batch") > 3 * inside("instance")


# --- layouts and styles ---------------------------------------------------------------------------
@torch.no_grad()
def test_layout_and_style_both_change_the_picture():
    network, layout, z = tiny(), halves(32), torch.randn(1, 3)
    picture = network(layout, z)
    assert (network(layout.flip(-1), z) - picture).abs().mean() > 1e-3
    assert (network(layout, -z) - picture).abs().mean() > 1e-4


@torch.no_grad()
def test_batch_norm_lets_a_style_change_the_mean_colour():
    layout, z = halves(32).expand(8, -1, -1), torch.randn(8, 16)
    spread = {}
    for norm in ("batch", "instance"):
        torch.manual_seed(0)
        settings = {"width": 8, "max_width": 32, "hidden": 8, "z_dim": 16, "norm": norm}
        network = SpadeGenerator(classes=5, size=64, **settings).train()
        spread[norm] = network(layout, z).mean((2, 3)).std(0).mean().item()
    assert spread["batch"] > 2 * spread["instance"]


@torch.no_grad()
def test_ignored_pixels_are_no_class():
    norm = Spade(channels=2, classes=3, hidden=4).eval()
    initialise(norm, gain=1.0)
    layout = one_hot(torch.full((1, 8, 8), IGNORE), 3)
    assert layout.sum() == 0
    x = torch.randn(1, 2, 8, 8)
    torch.testing.assert_close(norm(x, layout), norm.norm(x))  # no class: neither scale nor shift
    assert tiny()(torch.full((1, 32, 32), IGNORE), torch.zeros(1, 3)).isfinite().all()


@torch.no_grad()
def test_random_styles_come_from_the_given_generator():
    network, layout = tiny(), halves(32).expand(2, -1, -1)
    made = [network(layout, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
    assert not torch.equal(made[0][0], made[0][1])  # each sample its own style
    assert network(layout).shape == (2, 3, 32, 32)


def test_every_parameter_gets_a_gradient():
    network = tiny().train()
    discriminator = MultiScaleDiscriminator(classes=5, width=2)
    layout, real = torch.randint(0, 5, (2, 32, 32)), torch.rand(2, 3, 32, 32)
    mean, log_variance = network.encode(real)
    fake = network(layout, mean + log_variance)
    fakes, reals = discriminator.pair(layout, fake, real)
    sum(x.square().mean() for scale in (*fakes, *reals) for x in scale).backward()
    for whole in (network, discriminator):
        for name, weight in whole.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            if ".bias" not in name:  # a bias before a norm has none by design
                assert weight.grad.abs().sum() > 0, name


# --- discriminator --------------------------------------------------------------------------------
@torch.no_grad()
def test_a_pair_is_judged_as_its_halves():
    network = MultiScaleDiscriminator(classes=5, width=2).eval()
    layout = torch.randint(0, 5, (2, 32, 32))
    fake, real = torch.rand(2, 2, 3, 32, 32)
    for both, alone in zip(
        network.pair(layout, fake, real),
        (network(layout, fake), network(layout, real)),
        strict=True,
    ):
        assert [len(scale) for scale in both] == [5, 5]  # four features and the logits
        for ours, theirs in zip(both, alone, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_strides_make_the_layers():
    network = MultiScaleDiscriminator(classes=2, scales=3, width=2, strides=(2, 2, 2))
    outputs = network(torch.zeros(1, 32, 32), torch.zeros(1, 3, 32, 32))
    assert [[x.shape[-1] for x in scale] for scale in outputs] == [
        [17, 9, 5, 6], [9, 5, 3, 4], [5, 3, 2, 3],
    ]  # fmt: skip


# --- presets, weights -----------------------------------------------------------------------------
def test_official_sizes_are_those_of_the_released_networks():
    with torch.device("meta"):
        sizes = {
            "ADE20K": (SpadeGenerator(classes=151), 96.49),
            "COCO-Stuff": (SpadeGenerator(classes=184), 97.48),
            "Cityscapes": (
                SpadeGenerator(classes=36, size=512, aspect=2, upsampling="more"),
                93.05,
            ),
            "ADE20K with style": (SpadeGenerator(classes=151, z_dim=256), 111.94),
            "discriminator": (MultiScaleDiscriminator(classes=151), 5.84),
            "encoder": (StyleEncoder(), 10.46),
        }
    for name, (network, millions) in sizes.items():
        assert parameters(network) / 1e6 == pytest.approx(millions, abs=0.011), name


@pytest.mark.parametrize(("size", "upsampling"), [(64, "normal"), (128, "more")])
def test_lite_fits_into_five_megabytes(size, upsampling):
    with torch.device("meta"):
        network = GauGAN(classes=19, size=size, upsampling=upsampling, **PRESETS["lite"])
    assert sum(x.numel() for x in network.state_dict().values()) <= 2_500_000


def test_the_larger_lite_painter_can_start_from_the_smaller_ones_weights():
    with torch.device("meta"):
        shapes = [
            {
                key: value.shape
                for key, value in GauGAN(
                    classes=19, size=size, upsampling=upsampling, **PRESETS["lite"]
                )
                .state_dict()
                .items()
            }
            for size, upsampling in ((64, "normal"), (128, "more"))
        ]
    assert shapes[0] == shapes[1]


def test_saved_and_loaded_it_paints_the_same(tmp_path):
    network, layout, z = tiny(), halves(32), torch.randn(1, 3)
    network.save_pretrained(tmp_path / "net", dtype=torch.float32)
    again = GauGAN.from_pretrained(tmp_path / "net")
    assert (again.classes, again.size, again.z_dim) == (5, 32, 3)
    network.to(memory_format=torch.channels_last)  # as what is loaded
    with torch.no_grad():
        assert torch.equal(network(layout, z), again(layout, z))


def test_official_names_are_all_known_and_distinct():
    network = SpadeGenerator(classes=4, size=64, width=2, hidden=4)
    ours = set(network.state_dict())
    theirs = {
        "fc.weight",
        "up_3.conv_s.weight_orig",
        "up_0.norm_s.mlp_shared.0.bias",
        "G_middle_1.conv_0.weight_u",
        "head_0.norm_1.param_free_norm.running_var",
    }
    assert len({official_key(key) for key in theirs} & ours) == len(theirs)
    assert parametrize.is_parametrized(network.blocks[0].conv_0, "weight")
