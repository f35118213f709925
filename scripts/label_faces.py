"""Opens a generated face in the painter, to correct its labels; each stroke is saved.

python scripts/label_faces.py SEED
python scripts/label_faces.py         # a table of what was corrected so far

The first opening of a face labels it by the bundled parser. See semedit_lite/data/labelled.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from semedit_lite.data.labelled import (
    CORRECTED,
    RAW,
    SIZE,
    labelled,
    labelled_seeds,
    layout_path,
    portrait,
)
from semedit_lite.faces.parse import parse
from semedit_lite.hub import write_beside
from semedit_lite.images import resize, to_pil
from semedit_lite.labels import FACE_FINE
from semedit_lite.ui import app
from semedit_lite.ui.painter import decode_value, encode_value, painter


def save(layout: Tensor, path: Path) -> None:
    """Writes a layout (H, W) as a palette PNG."""
    image = FACE_FINE.to_pil(layout)
    write_beside(path, lambda file: image.save(file, "PNG", optimize=True))


def begun(seed: int) -> str:
    """What the canvas of a face begins with: its labels so far, above the picture."""
    picture = portrait(seed)
    if not layout_path(seed, RAW).is_file():
        save(parse(picture, SIZE)[0], layout_path(seed, RAW))
    done = CORRECTED if layout_path(seed).is_file() else RAW
    return encode_value(labelled([seed], done), to_pil(resize(picture, SIZE)[0]), fresh=True)


def keep(seed: int, value: str) -> None:
    """Saves what was painted."""
    save(decode_value(value, FACE_FINE, SIZE)[0], layout_path(seed))


def page(seed: int) -> gr.Blocks:
    """A painter with a face."""
    with app.blocks(f"Labels of face {seed}") as blocks:
        app.masthead(f"Face {seed}", "Correct its labels; each stroke is saved.")
        canvas = painter(FACE_FINE, SIZE, value=begun(seed))
        canvas.input(
            partial(keep, seed), canvas, trigger_mode="always_last", show_progress="hidden"
        )
    return blocks


def counts() -> str:
    """How many pixels of each face differ from what the parser said, by their class now, as a
    Markdown table."""
    seeds = labelled_seeds()
    changed = torch.stack(
        [
            torch.bincount(new[new != raw], minlength=len(FACE_FINE))
            for raw, new in zip(labelled(seeds, RAW), labelled(seeds), strict=True)
        ]
    )  # (N, K)
    changed = torch.cat([changed.sum(1, keepdim=True), changed], 1)  # (N, 1 + K)
    changed = torch.cat([changed, changed.sum(0, keepdim=True)])  # (N + 1, 1 + K)
    lines = [["face", "all", *FACE_FINE.titles], ["---:"] * (len(FACE_FINE) + 2)]
    lines += [[name, *row] for name, row in zip([*seeds, "all"], changed.tolist(), strict=True)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("seed", nargs="?", type=int, help="none: the table of corrections")
    chosen = parser.parse_args().seed
    if chosen is None:
        sys.exit(print(counts()))
    app.launch(page(chosen), None, browser=True)
