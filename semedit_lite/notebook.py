"""What the notebooks share: drawing rows of pictures and layouts, legends and tables, controls."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from semedit_lite.images import to_bytes
from semedit_lite.labels import FACE, LabelSet

SIDE = 1.4  # inches of a picture on the screen


def show(*rows: tuple[str, Tensor], labels: LabelSet = FACE) -> None:
    """Draws rows of (title, batch), one below the other.

    A batch is pictures (N, 3, H, W) in [-1, 1], or layouts (N, H, W), shown in their colours.
    """
    import matplotlib.pyplot as plt

    columns = max(len(batch) for _, batch in rows)
    size = (SIDE * columns, (SIDE + 0.25) * len(rows))
    _, axes = plt.subplots(len(rows), squeeze=False, figsize=size, layout="constrained")
    for axis, (title, batch) in zip(axes[:, 0], rows, strict=True):
        axis.imshow(np.concatenate(_pixels(batch, labels), axis=1))
        axis.set_title(title, loc="left", fontsize=9)
        axis.axis("off")
    plt.show()


def legend(labels: LabelSet, notes: Sequence[str] = ()) -> None:
    """Draws the colours of a label set with ids and titles, and a note behind each where given."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    notes = [f" ({note})" for note in notes] or [""] * len(labels)
    patches = [
        Patch(color=[channel / 255 for channel in colour], label=f"{i} {title}{note}")
        for i, (title, colour, note) in enumerate(
            zip(labels.titles, labels.colours, notes, strict=True)
        )
    ]
    plt.figure(figsize=(9, 0.2 + 0.28 * -(-len(patches) // 4)))
    plt.axis("off")
    plt.legend(handles=patches, ncols=4, loc="center", frameon=False, fontsize=9)
    plt.show()


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """A table for `display`, as Markdown."""
    from IPython.display import Markdown

    lines = (" | ".join(map(str, row)) for row in [head, ["---"] * len(head), *rows])
    return Markdown("\n".join(f"| {line} |" for line in lines))


def live(draw: Callable[..., Tensor], **controls: Any) -> Any:
    """Controls of ipywidgets, and beside them the picture that `draw` makes of their values, called
    by their names; a widget for `display`. `draw` returns pictures (N, 3, H, W) in [-1, 1].

    The picture is a widget, too: output that `interact` captures now and then never arrives where
    no browser asks for it.
    """
    from ipywidgets import HBox, Image, Layout, VBox
    from PIL import Image as Pictures

    view = Image(format="png", layout=Layout(width="256px", object_fit="contain"))

    def follow(change: Any = None) -> None:
        batch = draw(**{name: control.value for name, control in controls.items()})
        file = io.BytesIO()
        Pictures.fromarray(np.concatenate(_pixels(batch, FACE), axis=1)).save(file, "PNG")
        view.value = file.getvalue()

    for control in controls.values():
        control.observe(follow, "value")
    follow()
    return HBox([VBox(list(controls.values())), view])


def _pixels(batch: Tensor, labels: LabelSet) -> list[np.ndarray]:
    """Pictures or layouts -> uint8 (H, W, 3) each."""
    if batch.ndim == 3:
        return [labels.colourise(layout) for layout in batch]
    return list(to_bytes(batch.cpu()).permute(0, 2, 3, 1).numpy())
