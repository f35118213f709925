"""Makes the pictures of the cards and the README, each by one command.

python scripts/figures.py NAME ...    # the names: see FIGURES
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from PIL import ImageDraw
from torch import Generator, Tensor

from semedit_lite.data.faces import EVALUATION_SEED, bank, face_generator, faces
from semedit_lite.data.folder import unpack
from semedit_lite.data.labelled import CORRECTED, RAW, labelled, labelled_seeds, portrait
from semedit_lite.data.textures import textures
from semedit_lite.evaluation import sketching
from semedit_lite.evaluation.painting import paint_all
from semedit_lite.evaluation.perceptual import pairs
from semedit_lite.evaluation.report import ABLATION
from semedit_lite.faces.detect import find_faces
from semedit_lite.hub import BUNDLED
from semedit_lite.images import resize, resize_layout, to_pil
from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.models.editgan import SegmentationBranch
from semedit_lite.models.perceptual import PerceptualDistance
from semedit_lite.models.sketchedit import SketchEdit
from semedit_lite.models.spade import GauGAN, draw_style
from semedit_lite.training import log
from semedit_lite.training.recipes.branch import shown
from semedit_lite.training.recipes.sketchedit import grey
from semedit_lite.training.recipes.sketchedit import shown as drawn
from semedit_lite.training.trainer import save_grid

SKETCHER = "sketchedit-faces-64"
PAINTERS = ("spade-faces-64", "spade-faces-128")
EDITED = 1_005_002  # evaluation seed whose edits are shown; of 256 pixels, shown at 128
DOCS = Path(__file__).parent.parent / "docs"
SAMPLES = 64  # of a painter, in random styles


def samples(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Images and layouts of the first evaluation seeds."""
    found = list(faces(count, size, EVALUATION_SEED))
    return tuple(torch.stack([face[key] for face in found]) for key in ("image", "layout"))


def parser_faces() -> None:
    """32 generated faces, each beside what the parser sees."""
    images, layouts = samples(32, 128)
    pairs = torch.stack([images, FACE.pictures(layouts)], 1).flatten(0, 1)
    save_grid(pairs, BUNDLED / "face-parser" / "faces.jpg", columns=8)


def branch_faces() -> None:
    """16 generated faces that nobody labelled, each beside its parts and where the branch's members
    disagree about them."""
    branch = SegmentationBranch.from_pretrained("face-branch")
    pictures = shown(branch, range(EVALUATION_SEED, EVALUATION_SEED + 16))
    save_grid(resize(pictures, 160), BUNDLED / "face-branch" / "faces.jpg", columns=12)


def curves(name: str) -> None:
    """The training log of a bundled network as curves."""
    folder = BUNDLED / name
    log.plot(log.read(folder / "log.jsonl"), folder / "curves.png")


def finder_faces() -> None:
    """Six evaluation faces of all sizes on a texture, and what the finder makes of it."""
    page = to_pil(textures(1, 128, Generator().manual_seed(3))[0]).resize((960, 640))
    heads, _ = samples(6, 256)
    for k, (head, side) in enumerate(zip(heads, (300, 220, 160, 110, 250, 70), strict=True)):
        turned = to_pil(head).resize((side, side)).rotate((0, 12, -20, 5, 30, 0)[k], expand=True)
        page.paste(turned, (20 + k % 3 * 310, 10 + k // 3 * 310))
    draw = ImageDraw.Draw(page)
    for face in find_faces(page):
        draw.rectangle(face.box, outline="white", width=3)
        for x, y in face.landmarks:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill="lime")
        draw.text((face.box[0] + 6, face.box[1] + 4), f"{face.score:.3f}", fill="white")
    page.save(BUNDLED / "face-finder" / "faces.jpg", quality=88)


@torch.no_grad()
def distance_edits() -> None:
    """A face and ten edits of it, the nearest first."""
    distance = PerceptualDistance.from_pretrained("face-distance")
    edits = list(pairs(EDITED))
    edits.sort(key=lambda pair: distance(*pair[1:]).item())
    sheet = torch.cat([edits[0][1], *(after for _, _, after in edits)])
    save_grid(resize(sheet, 128), BUNDLED / "face-distance" / "edits.jpg", columns=6)
    print(", ".join(f"{distance(*pair[1:]).item():.3f}" for pair in edits))


@torch.no_grad()
def heads() -> None:
    """Eight evaluation faces by each head and by the whole network, at 128."""
    generator = face_generator()
    seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + 8))
    rows = [generator.sample(seeds, size)[0] for size in (128, 256, 512, 1024)]
    sheet = torch.cat([resize(row, 192) for row in rows])
    save_grid(sheet, BUNDLED / "mobilestylegan-ffhq" / "heads.jpg", columns=8)


@torch.no_grad()
def painter_styles(name: str) -> None:
    """Eight layouts a row each: layout, reference, style of the reference, of the next one, and
    four random styles that are the same down each column."""
    model = GauGAN.from_pretrained(name)
    images, layouts = samples(8, model.size)
    own, _ = model.encode(images)
    seeded = draw_style(4, model.z_dim, "cpu", Generator().manual_seed(0))
    columns = [FACE.pictures(layouts), images]
    columns += [model(layouts, z) for z in (own, own.roll(-1, 0))]
    columns += [model(layouts, z.expand(8, -1)) for z in seeded]
    sheet = torch.stack(columns, 1).flatten(0, 1)
    pixel = 128 // model.size  # how wide one is shown
    sheet = sheet.repeat_interleave(pixel, 2).repeat_interleave(pixel, 3)
    save_grid(sheet, BUNDLED / name / "styles.jpg", columns=8)


@torch.no_grad()
def painter_samples(name: str) -> None:
    """The layouts of the first evaluation seeds, each in a random style: what a person counts the
    plainly broken ones of. In rows of eight, in the order of the seeds."""
    model = GauGAN.from_pretrained(name)
    _, layouts = samples(SAMPLES, model.size)
    z = draw_style(SAMPLES, model.z_dim, "cpu", Generator().manual_seed(EVALUATION_SEED))
    save_grid(paint_all(model, layouts, z), BUNDLED / name / "samples.jpg", columns=8)


@torch.no_grad()
def sketched() -> None:
    """Sixteen edits of evaluation faces, a row each: what is there, what is drawn, the region that
    is found and the true one, what is made in each of the two, and what was wanted."""
    model = SketchEdit.from_pretrained(SKETCHER)
    found = bank(16, 2 * model.size, EVALUATION_SEED + 1000)
    edits = sketching.edited(unpack(found.images), found.layouts.long())
    soft, true = sketching.found(model, edits), edits.region.float()
    made = [sketching.redrawn(model, edits, region) for region in ((soft > 0.5).float(), true)]
    columns = [edits.image, drawn(edits.sketch), grey(soft), grey(true), *made, edits.target]
    sheet = torch.stack(columns, 1).flatten(0, 1)
    sheet = sheet.repeat_interleave(2, 2).repeat_interleave(2, 3)
    save_grid(sheet, BUNDLED / SKETCHER / "edits.jpg", columns=2 * len(columns))


def labelled_faces() -> None:
    """The labelled faces, two a row: picture, what the parser says of it, the same corrected, and
    what differs."""
    tiles = []
    for seed in labelled_seeds():
        picture = resize(portrait(seed), 160)
        raw, new = (resize_layout(labelled([seed], kind), 160) for kind in (RAW, CORRECTED))
        coloured = FACE_FINE.pictures(new)
        faint = 0.7 + 0.3 * picture.mean(1, keepdim=True)  # (1, 1, 160, 160)
        changed = torch.where((raw != new)[:, None], coloured, faint)
        tiles += [picture, FACE_FINE.pictures(raw), coloured, changed]
    save_grid(torch.cat(tiles), DOCS / "labelled.jpg", columns=8)


FIGURES = {
    "sketched": sketched,
    "sketch-curves": lambda: curves(SKETCHER),
    "sketch-curves-128": lambda: log.plot(
        log.read(ABLATION.parent / "sketchedit-faces-128.jsonl"),
        BUNDLED / SKETCHER / "curves-128.png",
    ),
    "branch-faces": branch_faces,
    "branch-curves": lambda: curves("face-branch"),
    "parser-faces": parser_faces,
    "parser-curves": lambda: curves("face-parser"),
    "finder-faces": finder_faces,
    "finder-curves": lambda: curves("face-finder"),
    "distance-edits": distance_edits,
    "encoder-curves": lambda: curves("face-encoder"),
    "identity-curves": lambda: curves("face-identity"),
    "heads": heads,
    "labelled-faces": labelled_faces,
    "head-curves": lambda: curves("mobilestylegan-ffhq"),
}
for painter in PAINTERS:
    FIGURES |= {
        f"{painter}-styles": partial(painter_styles, painter),
        f"{painter}-samples": partial(painter_samples, painter),
        f"{painter}-curves": partial(curves, painter),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("figure", nargs="+", choices=FIGURES)
    for figure in parser.parse_args().figure:
        FIGURES[figure]()


if __name__ == "__main__":
    main()
