"""Makes the pictures of the cards and the README, each by one command.

python scripts/figures.py NAME ...    # the names: see FIGURES
"""

import argparse

import torch
from torch import Generator, Tensor

from semedit_lite.data.faces import EVALUATION_SEED, face_generator, faces
from semedit_lite.hub import BUNDLED
from semedit_lite.images import resize
from semedit_lite.labels import FACE
from semedit_lite.training import log
from semedit_lite.training.trainer import save_grid

PAINTER = "spade-faces-64"


def samples(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Images and layouts of the first evaluation seeds."""
    found = list(faces(count, size, EVALUATION_SEED))
    return tuple(torch.stack([face[key] for face in found]) for key in ("image", "layout"))


def parser_faces() -> None:
    """32 generated faces, each beside what the parser sees."""
    images, layouts = samples(32, 128)
    pairs = torch.stack([images, FACE.pictures(layouts)], 1).flatten(0, 1)
    save_grid(pairs, BUNDLED / "face-parser" / "faces.jpg", columns=8)


def curves(name: str) -> None:
    """The training log of a bundled network as curves."""
    folder = BUNDLED / name
    log.plot(log.read(folder / "log.jsonl"), folder / "curves.png")


@torch.no_grad()
def heads() -> None:
    """Eight evaluation faces by each head and by the whole network, at 128."""
    generator = face_generator()
    seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + 8))
    rows = [generator.sample(seeds, size)[0] for size in (128, 256, 512, 1024)]
    sheet = torch.cat([resize(row, 192) for row in rows])
    save_grid(sheet, BUNDLED / "mobilestylegan-ffhq" / "heads.jpg", columns=8)


@torch.no_grad()
def painter_styles() -> None:
    """Eight layouts a row each: layout, reference, style of the reference, of the next one, and
    four random styles that are the same down each column."""
    from semedit_lite.models.spade import GauGAN, draw_style

    model = GauGAN.from_pretrained(PAINTER)
    images, layouts = samples(8, model.size)
    own, _ = model.encode(images)
    seeded = draw_style(4, model.z_dim, "cpu", Generator().manual_seed(0))
    columns = [FACE.pictures(layouts), images]
    columns += [model(layouts, z) for z in (own, own.roll(-1, 0))]
    columns += [model(layouts, z.expand(8, -1)) for z in seeded]
    sheet = torch.stack(columns, 1).flatten(0, 1)
    sheet = sheet.repeat_interleave(2, 2).repeat_interleave(2, 3)  # pixels shown as 2 x 2
    save_grid(sheet, BUNDLED / PAINTER / "styles.jpg", columns=8)


FIGURES = {
    "parser-faces": parser_faces,
    "parser-curves": lambda: curves("face-parser"),
    "heads": heads,
    "head-curves": lambda: curves("mobilestylegan-ffhq"),
    "painter-styles": painter_styles,
    "painter-curves": lambda: curves(PAINTER),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("figure", nargs="+", choices=FIGURES)
    for figure in parser.parse_args().figure:
        FIGURES[figure]()


if __name__ == "__main__":
    main()
