"""Does the embedding tell people apart? Judged by pairs of photos of people whom it never saw,
beside the network that taught it and another one."""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from semedit_lite.data.photos import data_folder
from semedit_lite.errors import InputError
from semedit_lite.faces.detect import Face, find_faces
from semedit_lite.faces.identity import crops, embed
from semedit_lite.images import load_photo, to_tensor
from semedit_lite.models.identity import FaceIdentity
from semedit_lite.teachers import MISSING, teachers
from semedit_lite.training.teachers import WIDTHS, MobileFaceNet

PHOTOS = "celeba_wild"


@torch.no_grad()
def score_identity(network: FaceIdentity) -> dict:
    """Scores on all pairs of the photos of `celeba_wild`; needs SEMEDIT_DATA and
    SEMEDIT_TEACHERS, whose networks also find the faces; ours is scored on the points of our own
    finder as well, where it finds the face."""
    if teachers() is None:
        raise InputError(f"{MISSING}: its networks find the faces.")
    device = next(network.parameters()).device
    people, own, seen, found = [], [], [], {}
    for who, picture, landmarks in portraits(data_folder() / PHOTOS):
        photo = to_tensor(picture)
        points = nearest(find_faces(picture), landmarks)
        if points is not None:
            found[len(people)] = embed(photo.to(device), points, network).cpu()
        people.append(who)
        own.append(embed(photo.to(device), landmarks, network).cpu())
        seen.append(crops(photo, landmarks))
    faces, who = torch.cat(seen), torch.tensor(people)
    scores = {"ours": verification(torch.cat(own), who)}
    name = f"ours, on the points of our finder ({len(found)} photos)"
    scores[name] = verification(torch.cat(list(found.values())), who[list(found)])
    for name, width in WIDTHS.items():
        cut = (faces.shape[-1] - width) // 2
        shown = faces[..., cut : faces.shape[-1] - cut]
        teacher = MobileFaceNet(name)
        embedded = torch.cat([teacher(part) for part in shown.split(32)])
        scores[f"mobilefacenet_{name}"] = verification(embedded, who)
    same = who[:, None] == who
    counts = {"photos": len(who), "people": len(who.unique())}
    counts["pairs_same"] = int(same.triu(1).sum())
    return {
        **counts,
        "pairs_different": len(who) * (len(who) - 1) // 2 - counts["pairs_same"],
        "verification": scores,
    }


def nearest(faces: list[Face], landmarks: Tensor) -> Tensor | None:
    """The points (1, 5, 2) of the face that landmarks (1, 5, 2) are of; None where none is."""
    points = [torch.tensor([face.landmarks]) for face in faces]
    off = [(five - landmarks).norm(dim=-1).mean().item() for five in points]
    apart = (landmarks[0, 1] - landmarks[0, 0]).norm().item()  # of the eyes
    return points[off.index(min(off))] if off and min(off) < apart else None


def portraits(folder: Path) -> Iterator[tuple[int, Image.Image, Tensor]]:
    """Who it is, the photo and the landmarks (1, 5, 2) for each photo of a pack with an
    `index.json`; of several faces the one that the pack means."""
    judge = teachers()
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for item in index["items"]:
        path = folder / item["file"]
        if not path.is_file():
            continue  # held back
        picture = load_photo(path)
        photo = to_tensor(picture)
        x, y, width, height = item["face_box"]
        centre = torch.tensor([x + width / 2, y + height / 2])
        found = judge.detect(photo, scales=(1.0, 1.5))[0]
        face = min(found, key=lambda f: (f["box"].view(2, 2).mean(0) - centre).norm())
        yield item["identity"], picture, judge.five_points(judge.mesh(photo, face))[None]


def verification(embedded: Tensor, who: Tensor) -> dict[str, float]:
    """Unit vectors (N, D) and whose they are (N,) -> how well the cosine of two tells whether they
    are of one person: area under the ROC curve; the threshold at which the mean of both rates of
    right answers is highest, and that mean."""
    n = len(who)
    pairs = torch.ones(n, n, dtype=torch.bool).triu(1)
    cosine, same = (embedded @ embedded.T)[pairs].double(), (who[:, None] == who)[pairs]
    yes, no = cosine[same], cosine[~same].sort().values
    below = torch.searchsorted(no, yes), torch.searchsorted(no, yes, right=True)
    auc = (below[0] + below[1]).double().mean() / (2 * len(no))  # ties count half
    # a threshold at each "yes": the "no" below it, the "yes" from it on
    order = yes.sort().values
    rates = torch.searchsorted(no, order) / len(no) + 1 - torch.arange(len(order)) / len(order)
    best = int(rates.argmax())
    return {
        "auc": auc.item(),
        "accuracy": rates[best].item() / 2,
        "threshold": order[best].item(),
        "cosine_same": yes.mean().item(),
        "cosine_different": no.mean().item(),
    }
