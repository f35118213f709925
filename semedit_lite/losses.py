"""Losses of the papers, as pure functions. Those that combine several terms return
(loss, named terms); terms carry their gradient, detach them to log."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# What a multi-scale discriminator returns: for each scale its features, then its logits.
Outputs = Sequence[Sequence[Tensor]]
Terms = dict[str, Tensor]


def hinge_discriminator(fake: Outputs, real: Outputs) -> tuple[Tensor, Terms]:
    """Hinge loss (Lim & Ye 2017): E max(0, 1 + D(fake)) + E max(0, 1 - D(real)), each the mean over
    patches and scales; the two are added, without the factor 1/2 of pix2pix."""
    terms = {
        "d_fake": _mean([F.relu(1 + scale[-1].float()).mean() for scale in fake]),
        "d_real": _mean([F.relu(1 - scale[-1].float()).mean() for scale in real]),
    }
    return terms["d_fake"] + terms["d_real"], terms


def hinge_generator(fake: Outputs) -> Tensor:
    """-E D(fake), the mean over patches and scales."""
    return _mean([-scale[-1].float().mean() for scale in fake])


def feature_matching(fake: Outputs, real: Outputs) -> Tensor:
    """L1 between the discriminator's features of fake and real (pix2pixHD, eq. 4), summed over
    layers and averaged over scales. The logits are no feature; the real's are the goal and get no
    gradient. SPADE weighs it with 10."""
    layers = [
        [F.l1_loss(f, r.detach()) for f, r in zip(fakes[:-1], reals[:-1], strict=True)]
        for fakes, reals in zip(fake, real, strict=True)
    ]
    return _mean([sum(scale) for scale in layers])


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each sample: two (B, D) -> (B,).

    SPADE's official code sums this over the batch, so that its weight (0.05) grows with the batch
    size; take the mean to be free of that.
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)


def perceptual(
    features: Callable[[Tensor], Sequence[Tensor]],
    fake: Tensor,
    real: Tensor,
    weights: Sequence[float] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1),
) -> Tensor:
    """Weighted L1 between a frozen net's feature maps (Johnson et al. 2016; pix2pixHD's weights for
    VGG-19's relu1_1 to relu5_1): pictures (B, 3, H, W) -> (B,). SPADE weighs it with 10."""
    with torch.no_grad():
        goals = features(real.detach())
    parts = [
        weight * (found - goal).abs().flatten(1).mean(1)
        for weight, found, goal in zip(weights, features(fake), goals, strict=True)
    ]
    return torch.stack(parts).sum(0)


def logistic_discriminator(fake: Tensor, real: Tensor) -> tuple[Tensor, Terms]:
    """Logistic loss of two sets of logits (Goodfellow et al. 2014, as StyleGAN2 has it):
    E softplus(D(fake)) + E softplus(-D(real))."""
    terms = {
        "d_fake": F.softplus(fake.float()).mean(),
        "d_real": F.softplus(-real.float()).mean(),
    }
    return terms["d_fake"] + terms["d_real"], terms


def logistic_generator(fake: Tensor) -> Tensor:
    """E softplus(-D(fake)), the non-saturating loss: as long as the discriminator is sure of its
    judgement the gradient is large, where that of -E softplus(D(fake)) vanishes."""
    return F.softplus(-fake.float()).mean()


def r1_penalty(logits: Tensor, real: Tensor) -> Tensor:
    """Squared norm of the discriminator's gradient at real pictures (Mescheder et al. 2018, R1):
    logits (B, 1) of pictures (B, 3, H, W) that ask for a gradient -> (B,).

    Its weight is gamma / 2, in StyleGAN2 with gamma 10. It is lazy (section 3.1): taken at every
    16th step only, with 16 times the weight, and `lazy_adam` to go with it."""
    (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def path_lengths(image: Tensor, wp: Tensor, noise: Tensor) -> Tensor:
    """How far a step in the latent moves the picture (StyleGAN2, section 3.2): pictures
    (B, 3, H, W) made of W+ (B, rows, latent), noise N(0, 1) of the pictures' shape -> (B,).

    The length of J_w^T y in eq. 4. As in the official codes y is the noise over the square root of
    H W, and the squares are averaged over the rows of W+ (the paper has one w)."""
    y = noise / (image.shape[2] * image.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((image * y).sum(), wp, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def path_penalty(
    lengths: Tensor, mean: Tensor | float, decay: float = 0.01
) -> tuple[Tensor, Tensor]:
    """E (length - a)^2, a the moving average of all lengths so far (StyleGAN2, eq. 4): lengths (B,)
    and a before -> penalty, and a for the next time. StyleGAN2 weighs it with 2; it is lazy like
    `r1_penalty`, at every 4th step. As in the official codes the penalty's gradient goes through
    what these lengths add to a."""
    mean = mean + decay * (lengths.mean() - mean)
    return (lengths - mean).square().mean(), mean.detach()


def lazy_adam(
    every: int, lr: float = 0.002, betas: tuple[float, float] = (0.0, 0.99)
) -> dict[str, float | tuple[float, float]]:
    """Adam's settings where a penalty is taken at every `every`-th step (StyleGAN2, section 3.1):
    a step of its own each, so that `every` steps are `every` + 1; with c = every / (every + 1),
    c lr and betas^c move and remember as much as before."""
    c = every / (every + 1)
    return {"lr": c * lr, "betas": (betas[0] ** c, betas[1] ** c)}


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
