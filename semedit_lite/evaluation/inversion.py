"""How well does a code paint a photo? The encoder's guess, and what steps of search make of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.data.faces import EVALUATION_SEED, TRUNCATION
from semedit_lite.data.photos import data_folder
from semedit_lite.editing.latent import EMBED_STEPS, LatentSpace
from semedit_lite.errors import InputError
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.identity import framed
from semedit_lite.faces.parse import face_parser
from semedit_lite.images import load_photo, reduce
from semedit_lite.metrics import psnr
from semedit_lite.models.encoder import SIDE, FaceEncoder
from semedit_lite.teachers import MISSING, teachers
from semedit_lite.training.teachers import WIDTHS, MobileFaceNet, lpips

PHOTOS = "celeba_wild"
FACES = 64
STEPS = (0, EMBED_STEPS)


@torch.no_grad()
def score_encoder(encoder: FaceEncoder, count: int) -> dict:
    """Scores on `count` photos of `celeba_wild`, evenly taken, and on generated faces whose code is
    known; needs SEMEDIT_DATA and SEMEDIT_TEACHERS. LPIPS and MobileFaceNet "b" are the teachers',
    PSNR is of 256² pictures. LPIPS, unlike the other two, has also trained the encoder."""
    if teachers() is None:
        raise InputError(f"{MISSING}: its networks judge the inversions.")
    device = str(next(encoder.parameters()).device)
    space = LatentSpace(device)
    space.encoder = encoder
    seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + FACES))
    rows = space.generator.latents(seeds, TRUNCATION)
    faces = torch.cat([reduce(space.generator.synthesis(row[None]), SIDE) for row in rows])
    scores = {"generated faces, by the encoder alone": judged(space, faces, 0)}
    everything = sorted((data_folder() / PHOTOS).glob("*.jpg"))
    photos = []
    for file in everything[:: max(1, len(everything) // count)][:count]:
        try:
            photos.append(align(load_photo(file), face_parser(device), SIDE).image)
        except NoFaceError:
            continue
    for steps in STEPS:
        how = f"and {steps} steps of search" if steps else "alone"
        scores[f"photos, by the encoder {how}"] = judged(space, torch.cat(photos), steps)
    return {"inversion": scores}


def judged(space: LatentSpace, images: Tensor, steps: int) -> dict[str, float]:
    """Means over images (B, 3, 256, 256)."""
    distance, judge = lpips(space.device), MobileFaceNet("b", space.device)
    found = {"pictures": len(images), "lpips": 0.0, "psnr": 0.0, "identity": 0.0, "poor": 0.0}
    for image in images.to(space.device).clamp(-1, 1).split(1):
        inversion = space.invert(image, steps)
        painted = inversion.image.clamp(-1, 1)
        found["lpips"] += distance(painted, image).item()
        found["psnr"] += psnr((painted - image).pow(2).mean())
        found["identity"] += alike(judge, painted, image)
        found["poor"] += inversion.poor
    return {k: v if k == "pictures" else v / len(images) for k, v in found.items()}


def alike(judge: MobileFaceNet, one: Tensor, two: Tensor) -> float:
    """Cosine of two faces in the generator's framing (1, 3, S, S), by MobileFaceNet "b"."""
    crops = [framed(image) for image in (one, two)]
    cut = (crops[0].shape[-1] - WIDTHS["b"]) // 2
    return F.cosine_similarity(
        *(judge(crop[..., cut : cut + WIDTHS["b"]]) for crop in crops)
    ).item()
