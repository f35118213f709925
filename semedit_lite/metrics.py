"""Figures that trainings and evaluations share: does a picture show the layout (pixel accuracy and
intersection over union), and how far is it from another (PSNR, SSIM)?"""

from functools import partial

import torch
from torch import Tensor

from semedit_lite.images import blurred
from semedit_lite.labels import LabelSet


def confusion(predicted: Tensor, true: Tensor, classes: int) -> Tensor:
    """Two layouts of one shape -> counts (classes, classes), rows true, columns predicted; pixels
    whose true id lies outside the classes (IGNORE) do not count."""
    true, predicted = true.flatten().long(), predicted.flatten().long()
    keep = true < classes
    cells = true[keep] * classes + predicted[keep]
    return torch.bincount(cells, minlength=classes * classes).view(classes, classes)


def scores(counts: Tensor, labels: LabelSet) -> dict:
    """Counts of `confusion` -> accuracy, mIoU and each class's IoU, all in [0, 1].

    A class that neither layout has gives None and stays out of the mean; where no pixel counts at
    all, so do accuracy and mIoU."""
    counts = counts.double()
    hit = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - hit
    iou = {
        name: (hit[i] / union[i]).item() if union[i] > 0 else None
        for i, name in enumerate(labels.classes)
    }
    present = [value for value in iou.values() if value is not None]
    return {
        "accuracy": (hit.sum() / counts.sum()).item() if present else None,
        "miou": sum(present) / len(present) if present else None,
        "iou": iou,
    }


def psnr(error: Tensor) -> float:
    """Mean squared error of pictures in [-1, 1] -> peak signal-to-noise ratio in dB."""
    return (10 * torch.log10(4 / error.clamp(min=1e-10))).item()


def overlap(found: Tensor, true: Tensor) -> Tensor:
    """Intersection over union of two bool regions (B, 1, H, W) -> (B,); 1 where both are empty."""
    both, either = ((found & true).sum((1, 2, 3)), (found | true).sum((1, 2, 3)))
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of pictures (B, 3, H, W) in [-1, 1] around each
    pixel, in a Gaussian window of 1.5 pixels -> (B, 1, H, W), 1 where they are the same."""
    near = partial(blurred, sigma=1.5)
    mean_a, mean_b = near(one), near(other)
    var_a, var_b = near(one * one) - mean_a**2, near(other * other) - mean_b**2
    both = near(one * other) - mean_a * mean_b
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # the range of the pictures is 2
    found = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    found = found / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return found.mean(1, keepdim=True)
