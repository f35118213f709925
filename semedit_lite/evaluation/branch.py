"""Does the segmentation branch see what a face parser sees, how many labelled faces does it take,
and do its members know where they err?

The branch learned from faces with corrected labels; here it meets generated faces of seeds that
nobody labelled, where two parsers say what there is: ours, and an independent one.
"""

import gc
import random
from collections import defaultdict
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from types import ModuleType

import torch
from torch import Tensor

from semedit_lite.data.faces import EVALUATION_SEED
from semedit_lite.data.labelled import RAW, SIZE, labelled, labelled_seeds
from semedit_lite.faces.parse import parse
from semedit_lite.images import resize_layout
from semedit_lite.labels import FACE, FACE_FINE, LabelSet
from semedit_lite.metrics import confusion, scores
from semedit_lite.models.editgan import (
    SegmentationBranch,
    image_uncertainty,
    js_uncertainty,
    layout_of,
    vote,
)
from semedit_lite.teachers import MISSING, NETS, teachers
from semedit_lite.training.recipes.branch import BranchRecipe, painted, parser_layout
from semedit_lite.training.trainer import train

FIRST = EVALUATION_SEED + 3_000
LABELLED = (1, 2, 4, 8, 16)  # faces to learn from
DRAWS = 3  # choices of so many faces
MEMBERS = (1, 3, 5, 10)
FOLDS = 4
STEPS = 1500  # of each training here


class Tally(defaultdict):
    """Name -> what confusion there was between the layouts found and true."""

    def __init__(self, labels: LabelSet = FACE) -> None:
        super().__init__(lambda: torch.zeros(len(labels), len(labels), dtype=torch.long))
        self.labels = labels

    def add(self, name: str, found: Tensor, true: Tensor) -> None:
        self[name] += confusion(found, true, len(self.labels)).cpu()

    def scores(self, name: str) -> dict:
        return scores(self[name], self.labels)


def score_branch(branch: SegmentationBranch, count: int = 64) -> dict:
    """Scores of the branch on `count` evaluation seeds; and of branches that are trained here: on
    fewer faces, with other numbers of members, and on three quarters of the labelled faces, whose
    part maps of the last quarter are held to the labels."""
    device, known = str(next(branch.parameters()).device), labelled_seeds()
    branches = {"shipped": branch}
    for n in LABELLED:
        for draw in range(DRAWS):
            some = random.Random(draw).sample(known, n)
            branches[f"{n} faces, draw {draw}"] = learn(some, device, seed=draw)
    many = learn(known, device, max(MEMBERS))
    seeds = range(FIRST, FIRST + count)
    tallies, doubt, irises = meet(branches, many, seeds, device)
    found = {
        judge: {name: tally.scores(name) for name in tally} for judge, tally in tallies.items()
    }

    def brief(name: str) -> dict:
        return {
            judge: {key: of[name][key] for key in ("accuracy", "miou")}
            for judge, of in found.items()
        }

    result = {
        "seeds": count,
        "unseen": {judge: of["shipped"] for judge, of in found.items()},
        "labelled": {
            str(n): [brief(f"{n} faces, draw {draw}") for draw in range(DRAWS)] for n in LABELLED
        },
        "members": {name: brief(name) for name in (*map(str, MEMBERS), "majority")},
        "doubt": doubt,
        "left_out_faces": crosswise(known, device),
    }
    if "judge" not in found:
        return result | {"left_out": {"what": ["judge"], "why": MISSING}}
    misses = torch.tensor(irises)
    seen = misses.isfinite()
    median = misses[seen].median().item() if seen.any() else None
    return result | {
        "parser": found["judge"]["parser"],
        "irises": {"eyes": len(seen), "found": seen.float().mean().item(), "median": median},
        "nets": {"independent judge": NETS["independent judge"]},
    }


def learn(seeds: Sequence[int], device: str, members: int = 5, seed: int = 0) -> SegmentationBranch:
    """A branch trained on some labelled faces."""
    torch.manual_seed(seed)  # of the members' first weights
    recipe = BranchRecipe(device, seeds=seeds, members=members)
    with TemporaryDirectory() as folder:
        branch = train(recipe, folder, steps=STEPS, seed=seed, show=False)["branch"]
    del recipe
    gc.collect()  # its losses are its own methods, and its maps half a gigabyte
    return branch


@torch.no_grad()
def meet(
    branches: dict[str, SegmentationBranch],
    many: SegmentationBranch,
    seeds: Sequence[int],
    device: str,
) -> tuple[dict[str, Tally], dict[str, dict[str, float]], list[float]]:
    """Tallies by judge, of all branches, of the first members of `many`, and of their majority;
    what the doubt of the first members is worth, by their number; and `iris_misses` of the first
    branch, where there is a judge."""
    judge = teachers()
    tallies = {"own_parser": Tally()} | ({"judge": Tally()} if judge else {})
    doubts, errors, irises = defaultdict(list), defaultdict(list), []
    for seed in seeds:
        image, maps = painted(seed, device)
        truth = {"own_parser": parse(image)}
        said = {name: branch(maps) for name, branch in branches.items()}
        layouts = {name: parser_layout(logits) for name, logits in said.items()}
        logits = many(maps)
        for m in MEMBERS:
            layouts[str(m)] = parser_layout(logits[:m])
            if m > 1:
                doubts[m].append(js_uncertainty(logits[:m]))
                errors[m].append((layouts[str(m)] != truth["own_parser"]).float())
        layouts["majority"] = vote(logits[:, :, : len(FACE)])
        if judge:
            truth["judge"] = resize_layout(judge.parse(image), image.shape[-1])
            layouts["parser"] = truth["own_parser"]
            first = next(iter(said.values()))
            irises += iris_misses(layout_of(first)[0] == FACE_FINE.id("iris"), image, judge)
        for name, layout in layouts.items():
            for who, tally in tallies.items():
                tally.add(name, layout, truth[who])
    found = {str(m): worth(torch.cat(doubts[m]), torch.cat(errors[m])) for m in doubts}
    return tallies, found, irises


def iris_misses(mask: Tensor, image: Tensor, judge: ModuleType) -> list[float]:
    """How far the irises of a mask (H, W) are off those that the judge finds in the picture
    (1, 3, H, W): for each eye the distance of their middles in the judge's diameters, infinite
    where the mask has none."""
    faces = judge.detect(image)[0]
    if not faces:
        return []
    rims = judge.iris(image, judge.mesh(image, faces[0]))  # (2, 5, 2): middle, and four of the rim
    middles, diameters = rims[:, 0], (rims[:, 1] - rims[:, 3]).norm(dim=1)
    pixels = mask.nonzero().flip(1) + 0.5  # (N, 2) x, y
    eye = torch.cdist(pixels, middles).argmin(1)
    found = torch.stack([pixels[eye == k].mean(0) for k in range(2)])  # NaN where there is none
    return ((found - middles).norm(dim=1) / diameters).nan_to_num(float("inf")).tolist()


def worth(doubt: Tensor, error: Tensor) -> dict[str, float | None]:
    """Does doubt (N, H, W) tell error (N, H, W), 0 or 1? `pixels`, `pictures`: their correlation,
    of pictures by DatasetGAN's score. The error of all, of all but the tenth of the pixels, and of
    the pictures, that are most in doubt."""
    picture, each = image_uncertainty(doubt), error.mean((1, 2))
    sure = doubt.flatten().argsort()[: int(0.9 * doubt.numel())]
    kept = picture.argsort()[: max(1, int(0.9 * len(picture)))]
    return {
        "pixels": correlation(doubt, error),
        "pictures": correlation(picture, each),
        "error": error.mean().item(),
        "error_without_pixels": error.flatten()[sure].mean().item(),
        "error_without_pictures": each[kept].mean().item(),
    }


def correlation(a: Tensor, b: Tensor) -> float | None:
    """Pearson's; None where either is the same everywhere."""
    found = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1]
    return found.item() if found.isfinite() else None


def crosswise(known: list[int], device: str) -> dict:
    """Each labelled face by a branch that has not seen it, against its labels; also by the
    parser's classes, beside the parser, whose word the labels are where they are finer."""
    fine, plain = Tally(FACE_FINE), Tally()
    for fold in range(FOLDS):
        out = known[fold::FOLDS]
        branch = learn([seed for seed in known if seed not in out], device)
        for seed in out:
            with torch.no_grad():
                logits = branch(painted(seed, device)[1], SIZE)
            true, parsers = labelled([seed]).to(device), labelled([seed], RAW).to(device)
            fine.add("branch", layout_of(logits), true)
            true = torch.where(true < len(FACE), true, parsers)
            plain.add("branch", parser_layout(logits), true)
            plain.add("parser", parsers, true)
    return {
        "faces": len(known),
        "branch": fine.scores("branch"),
        "by_parser_classes": {name: plain.scores(name) for name in plain},
    }
