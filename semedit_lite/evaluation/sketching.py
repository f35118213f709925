"""How well a sketch is obeyed: is its region found, and is what is redrawn there what was wanted?

Everything is measured on made-up edits (`data/edits.py`), of which both are known, at the network's
own size and on its raw output.
"""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from semedit_lite.data.edits import Edits, made_up
from semedit_lite.data.faces import EVALUATION_SEED, bank
from semedit_lite.data.folder import unpack
from semedit_lite.data.photos import data_folder
from semedit_lite.data.sketches import borders, canny, grown, ridges, slopes, thinned
from semedit_lite.errors import InputError
from semedit_lite.evaluation.frechet import frechet_distance
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.parse import face_parser
from semedit_lite.images import load_photo
from semedit_lite.labels import FACE
from semedit_lite.metrics import overlap, psnr, ssim
from semedit_lite.models.sketchedit import SketchEdit
from semedit_lite.teachers import MISSING, NETS, teachers

PHOTOS = "celeba_wild"
THRESHOLDS = (0.3, 0.5, 0.7, 0.95)
SEAM = 1 / 32  # of the side: how wide the band around a region's border is, 8 of 256 pixels
LINES = {  # the sources of lines, each alone
    "borders of parts": lambda images, layouts, _: borders(layouts),
    "Canny": lambda images, layouts, _: canny(images),
    "dark ridges": lambda images, layouts, _: ridges(images),
}


def score_sketcher(model: SketchEdit, count: int = 512, folder: str | Path | None = None) -> dict:
    """Scores on the edits of `count` evaluation seeds, and on those of photos where SEMEDIT_DATA
    leads to some. `folder` caches the faces."""
    device = str(next(model.parameters()).device)
    found = bank(count, 2 * model.size, EVALUATION_SEED, device, folder)
    sets = {"generated faces": (unpack(found.images), found.layouts.long())}
    result: dict = {"size": model.size, "left_out": {}}
    try:
        sets["photos"] = photographed(2 * model.size)
    except InputError as error:
        result["left_out"]["photos"] = str(error)
    if teachers() is None:
        result["left_out"]["LPIPS, Fréchet distance, lines by PiDiNet"] = MISSING
    else:
        result["nets"] = {key: NETS[key] for key in ("LPIPS", "Fréchet and kernel distance")}
    result["sketched"] = {
        name: judged(model, images.to(device), layouts.to(device))
        for name, (images, layouts) in sets.items()
    }
    return result


def photographed(size: int) -> tuple[Tensor, Tensor]:
    """The faces of all photos of `celeba_wild`, cut out, and what our parser sees in them."""
    found = []
    for file in sorted((data_folder() / PHOTOS).glob("*.jpg")):
        try:
            found.append(align(load_photo(file), face_parser(), size))
        except NoFaceError:
            continue
    return torch.cat([one.image for one in found]), torch.cat([one.layout for one in found])


@torch.no_grad()
def judged(model: SketchEdit, images: Tensor, layouts: Tensor) -> dict:
    """Scores on one edit of each picture (N, 3, 2S, 2S) with its layout (N, 2S, 2S)."""
    edits = edited(images, layouts)
    soft = found(model, edits)
    change = edits.region.flatten(1).any(1)
    some = Edits(*(x[change] for x in edits))
    result = {
        "edits": len(images),
        "changing": int(change.sum()),
        "region": {
            "iou": {
                str(threshold): overlap(soft > threshold, edits.region)[change].mean().item()
                for threshold in THRESHOLDS
            },
            "share": edits.region[change].float().mean().item(),
            "idle_share": (soft > 0.5)[~change].float().mean().item(),
        },
    }
    hard = (soft[change] > 0.5).float()
    ways = {
        "the region it finds": redrawn(model, some, hard),
        "the true region": redrawn(model, some, some.region.float()),
        "a box around the true region": redrawn(model, some, box(some.region)),
        "the region it finds, style vector zeroed": redrawn(model, some, hard, styled=False),
        "left as it was": some.image,
    }
    result["pictures"] = {name: compared(made, some) for name, made in ways.items()}
    result["lines"] = by_lines(model, images, layouts)
    return result


def edited(images: Tensor, layouts: Tensor, **options: object) -> Edits:
    """The edits by which networks are judged: always the same for the same pictures."""
    rng = Generator(images.device).manual_seed(EVALUATION_SEED)
    parts = zip(images.split(32), layouts.split(32), strict=True)
    made = [made_up(a, b, len(FACE), rng, **options) for a, b in parts]
    return Edits(*(torch.cat(column) for column in zip(*made, strict=True)))


def found(model: SketchEdit, edits: Edits) -> Tensor:
    """The soft regions, (N, 1, S, S)."""
    parts = zip(edits.image.split(32), edits.sketch.split(32), strict=True)
    return torch.cat([model.find(image, sketch[:, : model.strokes]) for image, sketch in parts])


def redrawn(model: SketchEdit, edits: Edits, region: Tensor, styled: bool = True) -> Tensor:
    """What is made of edits in a region (N, 1, S, S), laid into what was there."""
    parts = zip(*(x.split(32) for x in (edits.image, edits.sketch, region)), strict=True)
    with nullified(model.generator.style, not styled):
        fine = torch.cat([model.redraw(a, b[:, : model.strokes], c) for a, b, c in parts])
    return fine * region + edits.image * (1 - region)


@contextmanager
def nullified(layer: torch.nn.Module, whether: bool):
    """The output of a layer is zero meanwhile."""
    if not whether:
        yield
        return
    hook = layer.register_forward_hook(lambda _, __, output: torch.zeros_like(output))
    try:
        yield
    finally:
        hook.remove()


def box(region: Tensor) -> Tensor:
    """The smallest boxes around bool (N, 1, S, S), as floats."""
    rows, columns = region.any(3, keepdim=True), region.any(2, keepdim=True)

    def between(line: Tensor, dim: int) -> Tensor:
        return (line.float().cumsum(dim) > 0) & (line.float().flip(dim).cumsum(dim).flip(dim) > 0)

    return (between(rows, 2) & between(columns, 3)).float()


def compared(made: Tensor, edits: Edits) -> dict[str, dict[str, float] | float]:
    """Pictures (N, 3, S, S) beside those that were wanted: inside the true region, in the band
    around its border, and beyond. LPIPS is of pictures that are the wanted one elsewhere."""
    made, judge = made.clamp(-1, 1), teachers()
    reach = max(1, round(SEAM * made.shape[-1] / 2))
    wide, narrow = grown(edits.region, reach), ~grown(~edits.region, reach)
    places = {"inside": edits.region, "seam": wide & ~narrow, "outside": ~wide}
    error, alike = (made - edits.target).square().mean(1, keepdim=True), ssim(made, edits.target)
    result: dict = {}
    for name, place in places.items():
        result[name] = {"psnr": psnr(error[place].mean()), "ssim": alike[place].mean().item()}
        if judge is not None:
            here = torch.where(place, made, edits.target)
            result[name]["lpips"] = batched(lambda a, b: judge.lpips(a, b), here, edits.target)
    if judge is not None:
        features = [
            torch.cat([judge.frechet_features(part) for part in pictures.cpu().split(64)])
            for pictures in (made, edits.target)
        ]
        result["frechet"] = frechet_distance(*features)
    return result


def batched(distance: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    parts = zip(a.cpu().split(64), b.cpu().split(64), strict=True)
    return torch.cat([distance(x, y).flatten() for x, y in parts]).mean().item()


def by_lines(model: SketchEdit, images: Tensor, layouts: Tensor) -> dict[str, float]:
    """The mean overlap of the regions found, by where the lines come from."""
    sources, judge = dict(LINES), teachers()
    if judge is not None:
        sources["PiDiNet"] = lambda pictures, *_: pidinet(judge, pictures)
    scores = {}
    for name, liner in sources.items():
        edits = edited(images, layouts, liner=liner)
        change = edits.region.flatten(1).any(1)
        scores[name] = overlap(found(model, edits) > 0.5, edits.region)[change].mean().item()
    return scores


def pidinet(judge, pictures: Tensor) -> Tensor:
    """The lines of the teacher, thinned as Canny's are: bool (N, 1, H, W)."""
    strength = torch.cat([judge.edges(part) for part in pictures.cpu().split(8)])
    strength = F.interpolate(strength, pictures.shape[2:], mode="bilinear").to(pictures)
    (xx, xy), (_, yy) = (slopes(d) for d in slopes(strength))
    across = 0.5 * torch.atan2(2 * xy, xx - yy) + torch.pi / 2  # along which it curves downwards
    return thinned(strength, across.cos(), across.sin()) & (strength > 0.3)
