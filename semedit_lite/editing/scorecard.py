"""What an edit did: was the layout obeyed, and was the rest left alone?"""

from math import isfinite
from typing import Any

from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.labels import FACE, IGNORE, LabelSet

FIGURES = ("change_inside", "change_outside", "identity", "lines", "seconds")  # numbers, or None


def scorecard(
    before: Tensor,
    after: Tensor,
    asked: Tensor,
    found: Tensor,
    mask: Tensor,
    seconds: float,
    labels: LabelSet = FACE,
    identity: float | None = None,
) -> dict[str, Any]:
    """Figures of one edit, ready for JSON.

    before, after: images (1, 3, H, W) in [-1, 1]. asked, found: layouts (1, H, W), what was
    painted and what a parser sees in `after`. mask: bool (1, H, W), the edited region.

    "classes" gives for each class asked for in the region the intersection over union with what
    was found there, 0 to 1; "change_inside" and "change_outside" are mean absolute differences of
    the two images in levels of 255 (None where there are no such pixels); "identity" is how far
    the person stayed the same, a cosine (None where no face is seen). An editor may add "lines",
    the part of those drawn that the picture shows.
    """
    classes = {}
    for k in asked[mask].unique().tolist():
        if k != IGNORE:
            wanted, got = (asked == k) & mask, (found == k) & mask
            union = (wanted | got).sum().item()
            classes[labels.classes[k]] = round((wanted & got).sum().item() / union, 4)
    change = (after - before).abs().mean(1) * 127.5  # (1, H, W)
    return {
        "classes": classes,
        "change_inside": _mean(change[mask]),
        "change_outside": _mean(change[~mask]),
        "identity": None if identity is None else round(identity, 4),
        "seconds": round(seconds, 3),
    }


def checked(scores: Any, labels: LabelSet = FACE) -> dict[str, Any] | None:
    """A scorecard, or None, as a file holds it; InputError where it is no such thing."""
    if scores is None:
        return None
    if not isinstance(scores, dict) or not isinstance(scores.get("classes", {}), dict):
        raise InputError("no scorecard")
    classes = scores.get("classes", {})
    figures = [scores.get(name) for name in FIGURES]
    known = all(name in labels.classes for name in classes)
    numbers = [*classes.values(), *(figure for figure in figures if figure is not None)]
    if not known or not all(type(n) in (int, float) and isfinite(n) for n in numbers):
        raise InputError("no scorecard")
    return scores


def _mean(values: Tensor) -> float | None:
    return round(values.mean().item(), 3) if values.numel() else None
