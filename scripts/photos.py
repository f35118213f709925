"""Real photos through the whole editor: found, aligned, parsed, their hair painted, laid back.

python scripts/photos.py FOLDER

Needs SEMEDIT_DATA. Writes contact sheets to FOLDER (they show real people: keep them to yourself)
and the failures, counted by cause, to the folder of the face finder's weights.
"""

import argparse
import json
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tqdm import tqdm

from semedit_lite.editing.compositing import changed, feather
from semedit_lite.editing.document import Document
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.evaluation import report
from semedit_lite.evaluation.finding import celeba_wild, fasseg, matched
from semedit_lite.faces.align import NoFaceError
from semedit_lite.faces.detect import NAME, find_faces
from semedit_lite.faces.frames import warp
from semedit_lite.hub import BUNDLED, write_beside
from semedit_lite.labels import FACE

FASSEG = 100  # of its photos: all seen from the front, then those turned least
GROWN = 10  # pixels of 256 that the hair grows into what lies behind it
TILE, COLUMNS, ROWS = 160, 12, 6  # of a contact sheet: photo, face, painted photo, side by side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="for the contact sheets")
    parser.add_argument("-n", "--count", type=int, help="photos (all)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    editor, causes, scores, tiles = PaintEditor(), Counter(), [], []
    turned = sorted(fasseg(), key=lambda sample: _yaw(sample[0]))[:FASSEG]
    samples = list(chain(celeba_wild(), turned))[: arguments.count]
    for group, photo, boxes in tqdm(samples):
        cause, document = edit(editor, photo, boxes)
        causes[f"{group.split()[0]}: {cause}"] += 1
        if document is not None:
            scores.append(document.scores)
        tiles += row(photo, document, cause)
    for k in range(0, len(tiles), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * TILE, ROWS * TILE), "white")
        for i, tile in enumerate(tiles[k : k + COLUMNS * ROWS]):
            sheet.paste(tile, (i % COLUMNS * TILE, i // COLUMNS * TILE))
        sheet.save(arguments.folder / f"{k // COLUMNS // ROWS:02d}.png")
    hair = [score["classes"]["hair"] for score in scores if "hair" in score["classes"]]
    found = {
        "photos": len(samples),
        "causes": dict(sorted(causes.items())),
        "hair found where it was painted (mean IoU)": round(float(np.mean(hair)), 4),
        "change in the halo (largest mean beside the painted region, levels of 255)": max(
            s["change_outside"] for s in scores
        ),
    }
    text = json.dumps(found, indent=2) + "\n"
    print(text)
    if arguments.count is None:
        path = BUNDLED / NAME / "photos.json"
        write_beside(path, lambda file: file.write_text(text, encoding="utf-8"))
        report.update()


def _yaw(group: str) -> int:
    return int("".join(filter(str.isdigit, group)) or 0)


def edit(editor: PaintEditor, photo: Image.Image, boxes: list) -> tuple[str, Document | None]:
    """What became of a photo, and its painted document unless it failed before."""
    faces = find_faces(photo)
    if not faces:
        return "no face found", None
    right = [face for face in faces if matched([face.box], boxes)[0]]
    try:
        document = editor.open(photo, (right or faces)[0])
    except NoFaceError:
        return "the parser sees no face", None
    layout = grown(document.layout)
    if torch.equal(layout, document.layout):
        return "no hair to grow", None
    document = editor.apply(document, Repaint(layout, Style.own()))
    if not kept(document):
        return "more than the region has changed", document
    if not right:
        return "another place taken for the face", document
    return ("well" if len(faces) == 1 else "well, and more faces found"), document


def kept(document: Document) -> bool:
    """Whether the photo is what it was, bit for bit, but for the painted region, its halo and one
    pixel of the crop around."""
    before, after = np.array(document.opened.photo.upright), np.array(document.whole)
    region = feather(changed(document.opened.layout, document.layout)) > 0  # (1, S, S)
    inverse = document.opened.alignment.inverse
    near = F.max_pool2d(region[:, None].float(), 3, 1, 1)
    share = warp(near, inverse, before.shape[:2], "bilinear", "zeros")[0, 0].numpy()
    return before.shape == after.shape and not (before != after)[share == 0].any()


def grown(layout: torch.Tensor) -> torch.Tensor:
    """A layout (1, H, W) whose hair reaches farther over the background."""
    hair = (layout == FACE.id("hair"))[:, None].float()
    near = F.max_pool2d(hair, 2 * GROWN + 1, 1, GROWN)[:, 0] > 0
    return torch.where(near & (layout == FACE.id("background")), FACE.id("hair"), layout)


def row(photo: Image.Image, document: Document | None, cause: str) -> list[Image.Image]:
    """The photo, the face's layout over it, and the painted photo, as tiles."""
    from PIL import ImageDraw

    pictures = [photo]
    if document is not None:
        layout = Image.fromarray(FACE.colourise(document.opened.layout[0]))
        pictures += [Image.blend(document.opened.picture, layout, 0.4), document.whole]
    tiles = []
    for k in range(3):
        tile = Image.new("RGB", (TILE, TILE), "white")
        if k < len(pictures):
            picture = pictures[k].copy()
            picture.thumbnail((TILE, TILE))
            tile.paste(picture)
        elif k == 1:
            ImageDraw.Draw(tile).text((4, 70), cause, fill="red")
        tiles.append(tile)
    return tiles


if __name__ == "__main__":
    main()
