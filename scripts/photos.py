"""Real photos through a whole editor: found, aligned, edited, laid back.

python scripts/photos.py paint FOLDER      # their hair is painted
python scripts/photos.py sliders FOLDER    # inverted; a smile, glasses, longer hair
python scripts/photos.py sketch FOLDER     # drawn on, with strokes that a person made for each
python scripts/photos.py artists FOLDER    # drawn on, with mouth or eyes of an artist's sketch

Needs SEMEDIT_DATA. Writes contact sheets to FOLDER (they show real people: keep them to yourself)
and the failures, counted by cause, to the folder of the weights that they are about.
"""

import argparse
import json
from collections import Counter
from functools import lru_cache
from itertools import chain
from pathlib import Path
from statistics import mean

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from semedit_lite.data.photos import data_folder
from semedit_lite.data.sketches import grown as widened
from semedit_lite.data.sketches import ridges
from semedit_lite.editing import vectors
from semedit_lite.editing.compositing import changed, feather
from semedit_lite.editing.document import Document
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.editing.sketch import Redraw, SketchEditor, agreement, own_lines
from semedit_lite.editing.sliders import SliderEditor
from semedit_lite.editing.strokes import Sketch
from semedit_lite.evaluation import report
from semedit_lite.evaluation.finding import Sample, celeba_wild, fasseg, matched
from semedit_lite.evaluation.processes import spread
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.detect import NAME, find_faces
from semedit_lite.faces.frames import warp
from semedit_lite.faces.parse import face_parser
from semedit_lite.hub import BUNDLED, write_beside
from semedit_lite.images import load_photo, to_pil
from semedit_lite.labels import FACE

FASSEG = 100  # of its photos, for paint: all seen from the front, then those turned least
SLID = 100  # photos for the sliders: all of fasseg seen from the front, then head shots
GROWN = 10  # pixels of 256 that the hair grows into what lies behind it
SLIDES = ("smile", "glasses", "hair-long")  # each put to 1
SKETCHER = "sketchedit-faces-64"
STROKES = Path(__file__).parent.parent / "tests" / "strokes"  # NAME.json, drawn on NAME.jpg
PARTS = {  # what is taken of an artist's sketch, each by itself
    "mouth": ("mouth", "u_lip", "l_lip"),
    "eyes": ("l_brow", "r_brow", "l_eye", "r_eye", "eye_g"),
}
AROUND = 10  # pixels of 256 around the parts in which an artist's lines are taken
TILE, ROWS = 160, 6  # of a contact sheet

Row = tuple[str, list[Image.Image], dict[str, float]]  # cause, tiles, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("editor", choices=("paint", "sliders", "sketch", "artists"))
    parser.add_argument("folder", type=Path, help="for the contact sheets")
    parser.add_argument("-n", "--count", type=int, help="photos (all)")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    work, samples, file = {
        "paint": (painted, paint_samples, BUNDLED / NAME / "photos.json"),
        "sliders": (slid, slider_samples, vectors.FOLDER / "photos.json"),
        "sketch": (sketched, sketch_samples, BUNDLED / SKETCHER / "photos.json"),
        "artists": (redrawn, artist_samples, BUNDLED / SKETCHER / "artists.json"),
    }[arguments.editor]
    rows: list[Row] = spread(work, samples()[: arguments.count])
    sheets([tiles for _, tiles, _ in rows], arguments.folder)
    figures = {key: None for _, _, found in rows for key in found}
    result = {
        "edits" if work is redrawn else "photos": len(rows),
        "causes": dict(sorted(Counter(cause for cause, _, _ in rows).items())),
        **{
            key: round((max if "largest" in key else mean)(f[key] for *_, f in rows if key in f), 4)
            for key in figures
        },
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text)
    if arguments.count is None:
        write_beside(file, lambda beside: beside.write_text(text, encoding="utf-8"))
        report.update()


def paint_samples() -> list[Sample]:
    turned = sorted(fasseg(), key=lambda sample: _yaw(sample[0]))[:FASSEG]
    return list(chain(celeba_wild(), turned))


def slider_samples() -> list[Sample]:
    frontal = [sample for sample in fasseg() if _yaw(sample[0]) == 0]
    wild = list(celeba_wild())
    count = SLID - len(frontal)
    return frontal + wild[:: len(wild) // count][:count]


def sketch_samples() -> list[Path]:
    return sorted(STROKES.glob("*.json"))


def artist_samples() -> list[tuple[str, str]]:
    index = json.loads((data_folder() / "fs2k" / "index.json").read_text(encoding="utf-8"))
    return [(item["name"], part) for item in index["items"] for part in PARTS]


def _yaw(group: str) -> int:
    return int("".join(filter(str.isdigit, group)) or 0)


def opened(editor: PaintEditor | SliderEditor, sample: Sample) -> tuple[Document | None, str]:
    """The face of a photo that its boxes mean, and what is to be said of it."""
    _, photo, boxes = sample
    faces = find_faces(photo)
    if not faces:
        return None, "no face found"
    right = [face for face in faces if matched([face.box], boxes)[0]]
    try:
        document = editor.open(photo, (right or faces)[0])
    except NoFaceError:
        return None, "the parser sees no face"
    if not right:
        return document, "another place taken for the face"
    return document, "well" if len(faces) == 1 else "well, and more faces found"


@lru_cache(maxsize=1)
def painter() -> PaintEditor:
    return PaintEditor()


def painted(sample: Sample) -> Row:
    """The photo, the face's layout over it, and the photo with more hair."""
    group, photo, _ = sample
    face, cause = opened(painter(), sample)
    pictures, figures = [photo], {}
    if face is not None:
        layout = grown(face.layout)
        if torch.equal(layout, face.layout):
            cause = "no hair to grow"
        else:
            document = painter().apply(face, Repaint(layout, Style.own()))
            if not kept(document):
                cause = "more than the region has changed"
            shown = Image.fromarray(FACE.colourise(face.layout[0]))
            pictures += [Image.blend(face.picture, shown, 0.4), document.whole]
            halo = "change in the halo (largest mean beside the painted region, levels of 255)"
            figures[halo] = document.scores["change_outside"]
            if (hair := document.scores["classes"].get("hair")) is not None:
                figures["hair found where it was painted (mean IoU)"] = hair
    return f"{group.split()[0]}: {cause}", tiles(pictures, 3, cause), figures


@lru_cache(maxsize=1)
def slider_editor() -> SliderEditor:
    return SliderEditor()


def slid(sample: Sample) -> Row:
    """The photo, its face as the generator paints it, the whole photo with the first slider at 1,
    and the face with each slider at 1."""
    group, photo, _ = sample
    face, cause = opened(slider_editor(), sample)
    pictures, figures = [photo], {}
    if face is not None:
        inversion = slider_editor().inversion(face)
        pictures.append(inversion.picture)
        figures["distance of the inversion (mean)"] = inversion.distance
        if inversion.poor and cause.startswith("well"):
            cause = "inverted poorly"
        edited = [slider_editor().finish(face, {name: 1.0}) for name in SLIDES]
        pictures += [edited[0].whole, *(document.picture for document in edited)]
        for name, document in zip(SLIDES, edited, strict=True):
            figures[f"identity after {name}, by `face-identity` (mean)"] = document.scores[
                "identity"
            ]
        if not all(map(kept, edited)):
            cause = "more than the region has changed"
    return f"{group.split()[0]}: {cause}", tiles(pictures, 3 + len(SLIDES), cause), figures


@lru_cache(maxsize=1)
def sketcher() -> SketchEditor:
    return SketchEditor(SKETCHER)


def sketched(strokes: Path) -> Row:
    """What becomes of a photo with the strokes that were drawn on it."""
    face = sketcher().open(data_folder() / "celeba_wild" / f"{strokes.stem}.jpg")
    return sketched_on(face, Redraw(Sketch.read(strokes)))


def redrawn(sample: tuple[str, str]) -> Row:
    """What becomes of a photo with a part of the sketch that an artist made after it. The two are
    not aligned: photo and sketch are each framed by the face that is found in them."""
    name, part = sample
    folder = data_folder() / "fs2k"
    try:
        face = sketcher().open(folder / "photos" / f"{name}.jpg")
        sketch = align(load_photo(folder / "sketches" / f"{name}.jpg"), face_parser())
    except NoFaceError:
        return f"{part}: no face found in photo or sketch", tiles([], 3, "no face"), {}
    layout = torch.stack([face.layout == FACE.id(one) for one in PARTS[part]]).any(0)
    near = widened(layout[:, None], AROUND)
    cause, pictures, figures = sketched_on(
        face, Redraw(Sketch(), lines=ridges(sketch.image) & near)
    )
    return f"{part}: {cause}", pictures, figures


def sketched_on(face: Document, operation: Redraw) -> Row:
    """The face with what was drawn on it and the region found; redrawn; the whole photo."""
    region = sketcher().region(face, operation)
    document = sketcher().apply(face, operation)
    side = face.layout.shape[-1]
    lines, ink = (operation.sketch.mask((kind,), side) for kind in ("line", "colour"))
    if operation.lines is not None:
        lines = lines | operation.lines
    green = face.image.new_tensor([-0.7, 0.6, 0.3]).view(1, 3, 1, 1)
    shown = torch.where(region, 0.55 * face.image + 0.45 * green, face.image)
    shown = torch.where(lines | ink, 1.0, shown)
    cause = "region found" if region.any() else "no region found"
    if not kept(document):
        cause = "more than the region has changed"
    figures = {
        "lines followed before (mean)": agreement(
            lines & region, own_lines(face.image, face.layout)
        ),
        "lines followed (mean)": document.scores["lines"],
        "identity, by `face-identity` (mean)": document.scores["identity"],
        "share of the face (mean)": region.float().mean().item(),
        "share of the face (largest)": region.float().mean().item(),
    }
    if lines.any():
        figures["lines within the region (mean)"] = region[lines].float().mean().item()
    figures = {key: value for key, value in figures.items() if value is not None}
    pictures = [to_pil(shown), document.picture, document.whole]
    return cause, tiles(pictures, 3, cause), figures


def kept(document: Document) -> bool:
    """Whether the photo is what it was, bit for bit, but for the edited region, its halo and one
    pixel of the crop around."""
    before, after = np.array(document.opened.photo.upright), np.array(document.whole)
    region = document.region
    if region is None:
        region = changed(document.opened.layout, document.layout)
    region = feather(region) > 0  # (1, S, S)
    inverse = document.opened.alignment.inverse
    near = F.max_pool2d(region[:, None].float(), 3, 1, 1)
    share = warp(near, inverse, before.shape[:2], "bilinear", "zeros")[0, 0].numpy()
    return before.shape == after.shape and not (before != after)[share == 0].any()


def grown(layout: torch.Tensor) -> torch.Tensor:
    """A layout (1, H, W) whose hair reaches farther over the background."""
    hair = (layout == FACE.id("hair"))[:, None].float()
    near = F.max_pool2d(hair, 2 * GROWN + 1, 1, GROWN)[:, 0] > 0
    return torch.where(near & (layout == FACE.id("background")), FACE.id("hair"), layout)


def tiles(pictures: list[Image.Image], count: int, cause: str) -> list[Image.Image]:
    """`count` of one size; where there are fewer pictures, the cause."""
    made = []
    for k in range(count):
        tile = Image.new("RGB", (TILE, TILE), "white")
        if k < len(pictures):
            picture = pictures[k].copy()
            picture.thumbnail((TILE, TILE))
            tile.paste(picture)
        elif k == len(pictures):
            ImageDraw.Draw(tile).text((4, 70), cause, fill="red")
        made.append(tile)
    return made


def sheets(rows: list[list[Image.Image]], folder: Path) -> None:
    """Writes rows of tiles as sheets of twelve columns."""
    columns = 12 // len(rows[0]) * len(rows[0])
    flat = [tile for row in rows for tile in row]
    for k in range(0, len(flat), columns * ROWS):
        sheet = Image.new("RGB", (columns * TILE, ROWS * TILE), "white")
        for i, tile in enumerate(flat[k : k + columns * ROWS]):
            sheet.paste(tile, (i % columns * TILE, i // columns * TILE))
        sheet.save(folder / f"{k // columns // ROWS:02d}.png")


if __name__ == "__main__":
    main()
