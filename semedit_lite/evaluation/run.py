"""`semedit eval NAME`: scores a checkpoint and writes scores.json beside its weights."""

import json
from pathlib import Path

from semedit_lite.editing.vectors import FOLDER
from semedit_lite.errors import InputError
from semedit_lite.hub import digest, find, network, write_beside
from semedit_lite.models.editgan import SegmentationBranch
from semedit_lite.models.encoder import FaceEncoder
from semedit_lite.models.finder import FaceFinder
from semedit_lite.models.identity import FaceIdentity
from semedit_lite.models.layers import Painter
from semedit_lite.models.mobilestylegan import MobileStyleGAN
from semedit_lite.models.parser import FaceParser
from semedit_lite.models.perceptual import PerceptualDistance
from semedit_lite.models.sketchedit import SketchEdit


def evaluate(
    name: str,
    count: int | None = None,
    data: str | Path | None = None,
    write: bool = True,
    device: str = "cpu",
) -> dict:
    """Scores of the weights NAME (or of a folder). `count` says how many evaluation seeds where
    seeds are used, `data` is a folder that caches their faces, or what was found of each.
    InputError for unknown weights and for fewer than 2 seeds, of which no spread is to be had."""
    if count is not None and count < 2:
        raise InputError(f"{count} seeds are too few to score; give 2 or more.")
    if name == FOLDER.name:
        from semedit_lite.evaluation.sliders import score_sliders

        if device != "cpu":
            raise InputError("The sliders are scored on the CPU; leave the device out.")
        return written(FOLDER, rounded(score_sliders(count, data)), write)
    folder = find(name)
    model = network(folder).to(device)
    match model:
        case FaceParser():
            from semedit_lite.evaluation.parsing import score_parser

            result = score_parser(model)
        case MobileStyleGAN():
            from semedit_lite.evaluation.generator import score_generator

            result = score_generator(model, count or 32)
        case FaceFinder():
            from semedit_lite.evaluation.finding import score_finder

            result = score_finder(model)
        case FaceIdentity():
            from semedit_lite.evaluation.identity import score_identity

            result = score_identity(model)
        case SegmentationBranch():
            from semedit_lite.evaluation.branch import score_branch

            result = score_branch(model, count or 64)
        case FaceEncoder():
            from semedit_lite.evaluation.inversion import score_encoder

            result = score_encoder(model, count or 60)
        case PerceptualDistance():
            from semedit_lite.evaluation.perceptual import score_distance

            result = score_distance(model, count or 40)
        case SketchEdit():
            from semedit_lite.evaluation.sketching import score_sketcher

            result = score_sketcher(model, count or 512, data)
        case Painter():
            from semedit_lite.evaluation.painting import score_painter

            result = score_painter(model, count or 512, data)
        case _:
            raise InputError(f"There is no evaluation for '{name}' ({type(model).__name__}).")
    result = {"weights_sha256": digest(folder / "model.safetensors"), **rounded(result)}
    return written(folder, result, write)


def written(folder: Path, result: dict, write: bool) -> dict:
    """The result, which unless told otherwise also becomes scores.json of a folder."""
    if write:
        text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
        write_beside(folder / "scores.json", lambda path: path.write_text(text, encoding="utf-8"))
    return result


def rounded(value):
    """Floats to four places, all the way down."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return round(value, 4) if isinstance(value, float) else value
