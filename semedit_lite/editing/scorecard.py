"""What an edit did: was the layout obeyed, and was the rest left alone?"""

from typing import Any

from torch import Tensor

from semedit_lite.labels import FACE, IGNORE, LabelSet


def scorecard(
    before: Tensor,
    after: Tensor,
    asked: Tensor,
    found: Tensor,
    mask: Tensor,
    seconds: float,
    labels: LabelSet = FACE,
) -> dict[str, Any]:
    """Figures of one edit, ready for JSON.

    before, after: images (1, 3, H, W) in [-1, 1]. asked, found: layouts (1, H, W), what was
    painted and what a parser sees in `after`. mask: bool (1, H, W), the edited region.

    "classes" gives for each class asked for in the region the intersection over union with what
    was found there, 0 to 1; "change_inside" and "change_outside" are mean absolute differences of
    the two images in levels of 255 (None where there are no such pixels). How far the person
    stayed the same is not scored: that takes an identity network, and none is bundled.
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
        "seconds": round(seconds, 3),
    }


def _mean(values: Tensor) -> float | None:
    return round(values.mean().item(), 3) if values.numel() else None
