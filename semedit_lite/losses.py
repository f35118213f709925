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


def _mean(values: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(values)).mean()
