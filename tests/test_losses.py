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


# --- StyleGAN2 ------------------------------------------------------------------------------------
def test_logistic_losses_are_cross_entropies():
    fake, real = torch.randn(5, 1), torch.randn(5, 1)
    loss, terms = losses.logistic_discriminator(fake, real)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(terms["d_fake"], entropy(fake, torch.zeros(5, 1)))
    torch.testing.assert_close(terms["d_real"], entropy(real, torch.ones(5, 1)))
    torch.testing.assert_close(loss, terms["d_fake"] + terms["d_real"])
    torch.testing.assert_close(losses.logistic_generator(fake), entropy(fake, torch.ones(5, 1)))


def test_the_generators_loss_does_not_saturate():
    sure = torch.full((1, 1), -20.0, requires_grad=True)  # of a fake
    losses.logistic_generator(sure).backward()
    assert sure.grad.item() == pytest.approx(-1)


def test_r1_is_the_squared_slope_of_each_picture():
    slope = torch.randn(3, 4, 4, requires_grad=True)
    real = torch.randn(2, 3, 4, 4, requires_grad=True)
    penalty = losses.r1_penalty((slope * real).sum((1, 2, 3))[:, None], real)
    torch.testing.assert_close(penalty, slope.square().sum().expand(2))
    penalty.mean().backward()
    torch.testing.assert_close(slope.grad, 2 * slope)  # a gradient of a gradient


def test_r1_agrees_with_differences():
    weight = torch.randn(12, dtype=torch.float64)
    real = torch.randn(3, 3, 2, 2, dtype=torch.float64, requires_grad=True)

    def judge(x):
        return torch.tanh(x.flatten(1) @ weight)[:, None] ** 3

    steps = 1e-6 * torch.eye(12, dtype=torch.float64).view(12, 1, 3, 2, 2)
    slopes = torch.stack([(judge(real + h) - judge(real - h)) / 2e-6 for h in steps])
    penalty = losses.r1_penalty(judge(real), real)
    torch.testing.assert_close(penalty, slopes.square().sum(0)[:, 0], rtol=1e-5, atol=1e-9)


def test_path_lengths_of_a_linear_generator():
    """Picture = sum over rows of J w: each row's gradient is J^T y, and so the length is its norm,
    however many rows there are."""
    jacobian, noise = torch.randn(3 * 16, 5), torch.randn(2, 3, 4, 4)
    expected = (noise.flatten(1) / 4 @ jacobian).norm(dim=1)  # y is the noise over sqrt(16)
    for rows in (1, 6):
        wp = torch.randn(2, rows, 5, requires_grad=True)
        image = (wp.sum(1) @ jacobian.T).view(2, 3, 4, 4)
        torch.testing.assert_close(losses.path_lengths(image, wp, noise), expected)


def test_path_penalty_follows_a_moving_average():
    mean = 0.0
    for _ in range(1000):
        penalty, mean = losses.path_penalty(torch.tensor([2.0, 4.0]), mean)
    assert mean.item() == pytest.approx(3, abs=1e-3)
    assert penalty.item() == pytest.approx(1, abs=1e-3)
    penalty, after = losses.path_penalty(torch.tensor([13.0, 13.0]), mean)
    assert after.item() == pytest.approx(3 + 0.01 * 10, abs=1e-3)
    assert penalty.item() == pytest.approx(9.9**2, rel=1e-3)  # from the new average


def test_path_penalty_pulls_lengths_together_and_keeps_no_graph():
    lengths = torch.tensor([2.0, 4.0], requires_grad=True)
    penalty, mean = losses.path_penalty(lengths, torch.tensor(3.0))
    assert not mean.requires_grad
    penalty.backward()
    assert lengths.grad[0] < 0 < lengths.grad[1]


def test_lazy_adam_moves_and_remembers_as_much_in_more_steps():
    for every in (4, 16):
        lazy = losses.lazy_adam(every, lr=0.01, betas=(0.5, 0.99))
        assert (every + 1) * lazy["lr"] == pytest.approx(every * 0.01)
        for beta, shrunk in zip((0.5, 0.99), lazy["betas"], strict=True):
            assert shrunk ** (every + 1) == pytest.approx(beta**every)
    assert losses.lazy_adam(16)["betas"][0] == 0
