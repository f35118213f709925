import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semedit_lite import losses


def outputs(*logits: float, features: float = 0.0):
    """Two features and constant logits at each scale, as a discriminator returns them."""
    maps = [torch.full((2, 3, 4, 4), features), torch.full((2, 5, 2, 2), features)]
    return [[*maps, torch.full((2, 1, 3, 3), value)] for value in logits]


def test_hinge_discriminator_adds_without_half_and_averages_scales():
    loss, terms = losses.hinge_discriminator(fake=outputs(0.5, -3.0), real=outputs(0.25, 2.0))
    assert terms["d_fake"].item() == pytest.approx((1.5 + 0.0) / 2)
    assert terms["d_real"].item() == pytest.approx((0.75 + 0.0) / 2)
    assert loss.item() == pytest.approx(1.125)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=3))
@settings(deadline=None, max_examples=30)
def test_hinge_generator_is_minus_the_mean(values):
    loss = losses.hinge_generator(outputs(*values))
    assert loss.item() == pytest.approx(-sum(values) / len(values), abs=1e-5)


def test_feature_matching_leaves_out_logits_and_the_reals_gradient():
    fake, real = outputs(1.0, 2.0, features=0.5), outputs(-9.0, 9.0, features=0.0)
    for scale in (*fake, *real):
        for x in scale:
            x.requires_grad_()
    loss = losses.feature_matching(fake, real)
    assert loss.item() == pytest.approx(2 * 0.5)  # two layers, mean of two scales
    loss.backward()
    assert all(x.grad is None for scale in real for x in scale)
    assert all(scale[-1].grad is None for scale in fake)
    assert all(x.grad.abs().sum() > 0 for scale in fake for x in scale[:-1])


def test_kl_divergence_agrees_with_torch_and_is_per_sample():
    mean, log_variance = torch.randn(4, 7), torch.randn(4, 7)
    own = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    expected = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(losses.kl_divergence(mean, log_variance), expected)
    assert losses.kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0, 0]


def test_perceptual_weighs_levels_and_pulls_only_the_fake():
    fake = torch.zeros(3, 3, 4, 4, requires_grad=True)
    real = torch.ones(3, 3, 4, 4, requires_grad=True)
    loss = losses.perceptual(lambda x: (x, 2 * x), fake, real, weights=(0.25, 1))
    assert loss.shape == (3,)
    assert loss.tolist() == pytest.approx([2.25] * 3)
    loss.sum().backward()
    assert real.grad is None
    assert (fake.grad < 0).all()


def test_perceptual_refuses_another_number_of_levels():
    x = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match="zip"):
        losses.perceptual(lambda x: (x,), x, x)
