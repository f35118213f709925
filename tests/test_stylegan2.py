import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d
from torch import nn

from semedit_lite import losses
from semedit_lite.errors import InputError
from semedit_lite.hub import parameters
from semedit_lite.models.stylegan2 import (
    EqualLinear,
    ModulatedConv,
    StyleGAN2,
    StyleGAN2Discriminator,
    downsample,
    minibatch_deviation,
    official_channels,
    resampling_conv,
    upfirdn,
    upsample,
)

CHANNELS = (8, 8, 6, 4)  # of the maps of 4 to 32 pixels


def tiny(**settings) -> StyleGAN2:
    """A generator whose noise and biases have something to say, as after a training."""
    network = StyleGAN2(**({"channels": CHANNELS, "latent": 8, "depth": 2} | settings))
    for name, weight in network.named_parameters():
        if name.endswith(("strength", "bias")) and "affine" not in name:
            nn.init.normal_(weight, std=0.1)
    network.measure_mean()
    return network


def judge() -> StyleGAN2Discriminator:
    return StyleGAN2Discriminator(channels=CHANNELS)


# --- resampling -----------------------------------------------------------------------------------
@given(
    h=st.integers(3, 7),
    w=st.integers(3, 7),
    side=st.integers(1, 4),
    up=st.integers(1, 3),
    down=st.integers(1, 3),
    pad=st.tuples(st.integers(-1, 4), st.integers(-1, 4)),
)
@settings(deadline=None, max_examples=40)
def test_upfirdn_is_what_its_name_says(h, w, side, up, down, pad):
    assume(min(h, w) * up + sum(pad) >= side)  # something is left
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((h, w)), rng.standard_normal((side, side))
    margin = 4  # zeros on all sides, of which `pad` leaves some
    zeros = np.zeros((h * up + 2 * margin, w * up + 2 * margin))
    zeros[margin : margin + h * up : up, margin : margin + w * up : up] = x
    inside = slice(margin - pad[0], pad[1] - margin or None)
    expected = convolve2d(zeros[inside, inside], kernel, mode="valid")[::down, ::down]
    found = upfirdn(torch.tensor(x)[None, None], torch.tensor(kernel), up, down, pad)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-10)


def test_resampling_keeps_what_is_smooth():
    """Away from the border a slope stays one, and stays where it is."""
    slope = torch.arange(16.0).expand(1, 1, 16, 16)
    centres = torch.arange(32.0) / 2 - 0.25  # of the new pixels, in old ones
    torch.testing.assert_close(upsample(slope)[0, 0, 8, 4:-4], centres[4:-4])
    torch.testing.assert_close(downsample(slope)[0, 0, 4, 2:-2], 2 * torch.arange(2.0, 6) + 0.5)


# --- layers ---------------------------------------------------------------------------------------
@torch.no_grad()
@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_an_equalised_layer_starts_at_unit_variance_and_learns_at_its_rate(rate):
    x, layer = torch.randn(256, 300), EqualLinear(300, 200, rate=rate)
    before = layer(x)
    assert layer.weight.std().item() == pytest.approx(1 / rate, rel=0.02)
    assert before.std().item() == pytest.approx(1, rel=0.05)
    layer.bias += 0.1  # what a step of Adam does to a parameter, however large its gradient
    torch.testing.assert_close(layer(x) - before, torch.full_like(before, 0.1 * rate))


@torch.no_grad()
@pytest.mark.parametrize("resample", [None, "up", "down"])
def test_modulation_scales_the_weights_of_each_sample(resample):
    """Eq. 1 and 3 as they are printed, sample by sample."""
    conv = ModulatedConv(5, 4, 3, 6, resample)
    x, w = torch.randn(3, 5, 8, 8), torch.randn(3, 6)
    together = conv(x, w)
    for i, s in enumerate(conv.affine(w)):
        weight = s[None, :, None, None] * conv.weight / math.sqrt(5 * 9)
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        alone = resampling_conv(x[i : i + 1], weight, resample)
        torch.testing.assert_close(together[i : i + 1], alone)


@torch.no_grad()
def test_demodulation_gives_unit_variance_whatever_the_style():
    """Under the assumption of section 2.2: inputs that are independent and of unit variance."""
    x, w = torch.randn(2, 32, 64, 64), torch.randn(2, 8)
    for factor in (0.01, 1, 100):
        conv = ModulatedConv(32, 3, 3, 8)
        conv.affine.weight *= factor
        conv.affine.bias *= factor
        std = conv(x, w)[..., 1:-1, 1:-1].std((2, 3))
        torch.testing.assert_close(std, torch.ones(2, 3), rtol=0.06, atol=0)


# --- generator ------------------------------------------------------------------------------------
@torch.no_grad()
def test_equal_rows_give_the_picture_of_one_w():
    network = tiny()
    w = torch.randn(2, 8)
    rows = w[:, None].repeat(1, 8, 1)
    assert torch.equal(network.rows(w), rows)
    assert torch.equal(network.synthesis(w), network.synthesis(rows))
    for wrong in (torch.zeros(2, 7), torch.zeros(2, 7, 8), torch.zeros(8)):
        with pytest.raises(InputError, match=r"\(B, 8\) or \(B, 8, 8\)"):
            network.synthesis(wrong)


def test_a_row_reaches_the_maps_from_its_own_on():
    network = tiny()
    rows = torch.randn(1, 8, 8, requires_grad=True)
    maps = network.activations(rows)
    assert [x.shape for x in maps] == [
        (1, c, side, side) for c, side in zip(CHANNELS, (4, 8, 16, 32), strict=True) for _ in "ab"
    ]
    for i, x in enumerate(maps[1:]):
        (gradient,) = torch.autograd.grad(x.square().sum(), rows, retain_graph=True)
        assert (gradient[0].abs().sum(1) > 0).tolist() == [row <= i for row in range(8)]
    (gradient,) = torch.autograd.grad(network.picture(maps, rows).square().sum(), rows)
    assert (gradient[0].abs().sum(1) > 0).all()


@torch.no_grad()
def test_mixed_rows_change_what_comes_after_the_crossover():
    network = tiny()
    one, other = network.rows(torch.randn(1, 8)), network.rows(torch.randn(1, 8))
    mixed = torch.cat([one[:, :3], other[:, 3:]], 1)
    pairs = zip(network.activations(one), network.activations(mixed), strict=True)
    assert [torch.equal(a, b) for a, b in pairs] == [True] * 4 + [False] * 4


@torch.no_grad()
def test_a_picture_does_not_depend_on_the_others_of_its_batch():
    network, z = tiny(), torch.randn(3, 8)
    torch.testing.assert_close(network(z)[1:2], network(z[1:2]))


@torch.no_grad()
def test_truncation_moves_towards_the_mean():
    network, z = tiny(), torch.randn(4, 8)
    w = network.mapping(z)
    torch.testing.assert_close(network.truncate(w, 1.0), w)
    assert torch.equal(network.truncate(w, 0.0), network.mean_w.expand(4, -1))
    torch.testing.assert_close(network(z, 0.0), network.synthesis(network.mean_w.expand(4, -1)))
    other = network.mapping(torch.randn(20_000, 8)).mean(0)
    assert other.abs().max() > 0.1
    torch.testing.assert_close(network.mean_w, other, atol=0.05, rtol=0)


@torch.no_grad()
def test_only_the_length_of_z_is_lost():
    mapping, z = tiny().mapping, torch.randn(2, 8)
    torch.testing.assert_close(mapping(z), mapping(7 * z))
    assert not torch.allclose(mapping(z), mapping(-z), atol=1e-2)


@torch.no_grad()
def test_noise_is_fixed_unless_it_is_given():
    network, w = tiny(), torch.randn(2, 8)
    fixed = [conv.noise for conv in network.convs]
    assert torch.equal(network.synthesis(w, fixed), network.synthesis(w))
    drawn = [network.draw_noise(2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    pictures = [network.synthesis(w, noise) for noise in drawn]
    assert torch.equal(pictures[0], pictures[1])
    assert (pictures[0] - pictures[2]).abs().mean() > 1e-3
    with pytest.raises(ValueError, match="zip"):
        network.synthesis(w, fixed[:-1])


@torch.no_grad()
def test_noise_adds_the_same_to_every_channel():
    (conv,) = tiny(channels=(8,)).convs
    x, w = torch.randn(1, 8, 4, 4), torch.randn(1, 8)
    conv.bias += 100  # all of it on the steep side of the activation
    change = conv(x, w, torch.ones(1, 1, 4, 4)) - conv(x, w, torch.zeros(1, 1, 4, 4))
    expected = (conv.strength * 2**0.5).expand_as(change)
    torch.testing.assert_close(change, expected, atol=1e-4, rtol=0)


# --- discriminator --------------------------------------------------------------------------------
@torch.no_grad()
def test_the_extra_channel_tells_how_much_a_group_differs():
    alike = torch.randn(1, 5, 4, 4).expand(4, -1, -1, -1)
    torch.testing.assert_close(minibatch_deviation(alike)[:, :5], alike)
    torch.testing.assert_close(minibatch_deviation(alike)[:, 5], torch.full((4, 4, 4), 1e-4))
    x = torch.randn(4, 5, 4, 4)
    expected = x.numpy().std(0).mean()
    assert minibatch_deviation(x)[:, 5].numpy() == pytest.approx(expected, rel=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("batch", "groups"), [(1, 1), (2, 1), (3, 1), (6, 2), (8, 2), (5, 5)])
def test_groups_are_interleaved_and_fit_any_batch(batch, groups):
    x = torch.randn(batch, 5, 4, 4)
    extra = minibatch_deviation(x)[:, 5, 0, 0]
    for i in range(groups):  # of 8 pictures 0, 2, 4, 6 and 1, 3, 5, 7
        alone = minibatch_deviation(x[i::groups])[:, 5, 0, 0]
        torch.testing.assert_close(extra[i::groups], alone)
        assert (alone > 0.1).all() == (batch > groups)  # one picture differs from nothing
    assert judge()(torch.randn(batch, 3, 32, 32)).shape == (batch, 1)


def test_another_size_is_refused():
    with pytest.raises(InputError, match=r"\(B, 3, 32, 32\), not \(2, 3, 16, 16\)"):
        judge()(torch.zeros(2, 3, 16, 16))
    for size in (48, 2):
        with pytest.raises(InputError, match="power of 2"):
            official_channels(size)


# --- the two together -----------------------------------------------------------------------------
def test_every_parameter_gets_a_gradient():
    g, d = tiny(), judge()
    losses.logistic_generator(d(g(torch.randn(4, 8)))).backward()
    for network in (g, d):
        for name, weight in network.named_parameters():
            assert weight.grad.isfinite().all(), name
            assert weight.grad.abs().sum() > 0, name


def test_penalties_reach_every_weight():
    """Both are gradients of gradients, through all that lies on the way, resampling included."""
    g, d = tiny(), judge()
    real = torch.randn(4, 3, 32, 32, requires_grad=True)
    losses.r1_penalty(d(real), real).mean().backward()
    rows = g.rows(g.mapping(torch.randn(4, 8)))
    image = g.synthesis(rows)
    lengths = losses.path_lengths(image, rows, torch.randn_like(image))
    losses.path_penalty(lengths, 0.0)[0].backward()
    for network in (g, d):
        for name, weight in network.named_parameters():
            if name.endswith("weight"):  # a bias may only shift what the gradient is taken of
                assert weight.grad.abs().sum() > 0, name


def test_a_few_steps_learn_a_colour():
    """Both networks and all the losses at work: grey pictures turn orange."""
    orange = torch.tensor([0.8, 0.2, -0.6]).view(1, 3, 1, 1)
    g, d = StyleGAN2(channels=(16, 8), latent=8, depth=2), StyleGAN2Discriminator(channels=(16, 8))
    every, mean = 4, 0.0
    adam_g, adam_d = (
        torch.optim.Adam(x.parameters(), **losses.lazy_adam(every, lr=0.01)) for x in (g, d)
    )

    def distance() -> float:
        with torch.no_grad():
            return (g(torch.randn(64, 8)) - orange).mean((0, 2, 3)).abs().mean().item()

    before = distance()
    for step in range(60):
        lazy = step % every == 0
        real = (orange + 0.1 * torch.randn(8, 3, 8, 8)).requires_grad_(lazy)
        rows = g.rows(g.mapping(torch.randn(8, 8)))
        fake = g.synthesis(rows, g.draw_noise(8))
        logits = d(real)
        loss, _ = losses.logistic_discriminator(d(fake.detach()), logits)
        if lazy:
            loss = loss + every * 0.05 * losses.r1_penalty(logits, real).mean()
        adam_d.zero_grad()
        loss.backward()
        adam_d.step()
        loss = losses.logistic_generator(d(fake))
        if lazy:
            lengths = losses.path_lengths(fake, rows, torch.randn_like(fake))
            penalty, mean = losses.path_penalty(lengths, mean)
            loss = loss + every * 2 * penalty
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
    assert distance() < 0.5 * before


# --- sizes, weights -------------------------------------------------------------------------------
def test_official_sizes_are_those_of_the_released_networks():
    with torch.device("meta"):
        g, d = StyleGAN2(), StyleGAN2Discriminator()
        small = official_channels(64, 16384)
        others = StyleGAN2(channels=small), StyleGAN2Discriminator(channels=small)
    assert (parameters(g), parameters(d)) == (30_370_060, 29_012_513)  # NVIDIA's for FFHQ
    assert [round(parameters(x) / 1e6, 1) for x in others] == [23.8, 23.4]  # rosinality's for 64
    assert len(g.convs) + 1 == 18  # rows of W+
    assert g.start.shape[1] + sum(len(conv.bias) for conv in g.convs) == 6080  # DatasetGAN's


def test_saved_and_loaded_it_paints_the_same(tmp_path):
    network, w = tiny(), torch.randn(2, 8, 8)
    network.save_pretrained(tmp_path / "net", dtype=torch.float32)
    again = StyleGAN2.from_pretrained(tmp_path / "net")
    assert (again.size, again.latent) == (32, 8)
    assert torch.equal(again.mean_w, network.mean_w)
    with torch.no_grad():
        torch.testing.assert_close(network.synthesis(w), again.synthesis(w))
