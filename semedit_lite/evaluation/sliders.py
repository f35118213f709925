"""Do the sliders do what they say to faces that they were not made of, and does the person stay?

The judges are networks that no loss has seen: an expression classifier, MediaPipe's mesh and iris,
an independent parser, MobileFaceNet "b". Smile is compared as in EditGAN (table 1): with steps of
refinement, and with other ways to a smile.
"""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite import hub
from semedit_lite.data.faces import EVALUATION_SEED, TRUNCATION
from semedit_lite.data.labelled import labelled, labelled_seeds
from semedit_lite.data.photos import data_folder
from semedit_lite.editing.document import Document
from semedit_lite.editing.latent import FREE
from semedit_lite.editing.library import MOUTH, lent
from semedit_lite.editing.paint import PaintEditor, Repaint, Style
from semedit_lite.editing.sliders import SliderEditor
from semedit_lite.editing.vectors import SIDE, Edit, EditingVector, bundled
from semedit_lite.errors import InputError
from semedit_lite.evaluation.frechet import frechet_distance
from semedit_lite.evaluation.inversion import PHOTOS, alike
from semedit_lite.evaluation.processes import spread
from semedit_lite.faces.align import NoFaceError, align
from semedit_lite.faces.parse import face_parser, parse
from semedit_lite.images import load_photo, reduce, to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.models.mobilestylegan import FULL
from semedit_lite.teachers import MISSING, NETS, teachers
from semedit_lite.training.teachers import MobileFaceNet

FIRST = EVALUATION_SEED + 5_000
GENERATED, PHOTOGRAPHED, MOVED = 100, 60, 32  # faces and photos for smile, faces for all sliders
HAPPY = 0.5  # probability from which a face smiles
# Title of a way to smile -> where its sliders stand, and steps of refinement.
WAYS: dict[str, tuple[dict[str, float], int]] = {
    "slider at 1": ({"smile": 1.0}, 0),
    "slider at 1, refined 10 steps": ({"smile": 1.0}, 10),
    "slider at 1, refined 30 steps": ({"smile": 1.0}, 30),
    "slider at 1.5": ({"smile": 1.5}, 0),
    "linear direction, as long as the slider at 1": ({"linear": 1.0}, 0),
    "linear direction, twice as long": ({"linear": 2.0}, 0),
}
BEFORE, REPAINT = "before", "mouth repainted by SPADE"
Seen = dict[str, float]  # name of a measure -> value

# What a slider should raise, and how it is measured. Lengths are in distances of the eyes.
MEASURES = {
    "smile": "width of the mouth",
    "mouth-open": "gap of the lips",
    "lips-full": "height of both lips",
    "eyes-wide": "gap of the lids",
    "gaze": "irises from the middle between the corners, in widths of the eye",
    "brows-up": "brows above the upper lids",
    "glasses": "glasses, % of the picture",
    "beard": "chin darker than the cheeks, of 2",
    "hair-long": "hair below the mouth, % of the picture",
    "hair-volume": "hair, % of the picture",
    "fringe": "hair on the forehead, % of the picture",
    "nose": "width of the nose",
    "jaw": "width of the jaw",
}


def score_sliders(count: int | None = None, data: str | Path | None = None) -> dict[str, Any]:
    """Scores of the sliders that come with the package, on the CPU: of all on MOVED generated faces
    that no edit has seen, and of smile on GENERATED more and PHOTOGRAPHED photos of `celeba_wild`
    that do not smile, or on `count` of each. Needs SEMEDIT_TEACHERS; without SEMEDIT_DATA it leaves
    the photos out. In the folder `data` it keeps what was found of each face, so that it may be
    broken off."""
    if teachers() is None:
        raise InputError(f"{MISSING}: its networks judge the sliders.")
    folder = None if data is None else Path(data) / version()
    moved = spread(all_moved, range(FIRST, FIRST + (count or MOVED)), folder)
    moved = [each for each in moved if each is not None]
    more = range(FIRST + MOVED, FIRST + MOVED + 5 * GENERATED)
    sets: dict[str, tuple] = {"generated faces": (more, GENERATED)}
    left_out = {}
    try:
        wild = sorted(map(str, (data_folder() / PHOTOS).glob("*.jpg")))
        sets["photos"] = wild, PHOTOGRAPHED
    except InputError as why:
        left_out["photos"] = str(why)
    smile = {}
    for name, (candidates, wanted) in sets.items():
        smiles = dict(zip(candidates, spread(smiling, candidates, folder), strict=True))
        taken, *others = chosen(smiles, count or wanted)
        reference, floor = (torch.tensor(spread(features_of, some, folder)) for some in others)
        faces = spread(ways_to_smile, taken, folder)
        for face, painted in zip(faces, spread(repainted, taken, folder), strict=True):
            face.update({} if painted is None else {REPAINT: painted})
        smile[name] = summarised(faces, reference, floor)
    return {
        "sliders_sha256": {name: hub.digest(path) for name, path in bundled().items()},
        "smile": smile,
        "moved": {name: gathered(name, [each[name] for each in moved]) for name in bundled()},
        "nets": {name: NETS[name] for name in ("independent judge", "Fréchet and kernel distance")},
        "left_out": left_out,
    }


def version() -> str:
    """Names what the findings depend on: all weights, and this file."""
    weights = [hub.digest(path) for path in sorted(hub.BUNDLED.glob("*/*.safetensors"))]
    return sha256(repr(weights).encode() + Path(__file__).read_bytes()).hexdigest()[:12]


def chosen(smiles: dict[Any, float | None], wanted: int) -> tuple[list, list, list]:
    """Of faces with the probability that they smile: `wanted` that do not; and as many others, and
    as many again, whether they smile or not. All are taken from the whole of them, since of photos
    many in a row are of one person."""

    def evenly(faces: list, count: int) -> list:
        return faces[:: max(1, len(faces) // count)][:count]

    found = [one for one, happy in smiles.items() if happy is not None]
    taken = evenly([one for one in found if smiles[one] < HAPPY], wanted)
    rest = evenly([one for one in found if one not in taken], 2 * wanted)
    return taken, rest[::2], rest[1::2]


# Judging ------------------------------------------------------------------------------------------


@torch.no_grad()
def look(image: Tensor) -> Seen | None:
    """What the judges measure of a face (1, 3, S, S); None where they find none."""
    judge = teachers()
    faces = judge.detect(image)[0]
    if not faces:
        return None
    mesh = judge.mesh(image, faces[0])[:, :2]  # (468, 2)
    happy = judge.EXPRESSIONS.index("happy")
    parts = judge.parse(image)[0]  # (256, 256)
    z = torch.view_as_complex(mesh.contiguous())
    eyes = torch.view_as_complex(judge.five_points(mesh)[:2].contiguous())
    irises = torch.view_as_complex(judge.iris(image, mesh)[:, 0].contiguous())
    z, irises = ((x - eyes.mean()) / (eyes[1] - eyes[0]) for x in (z, irises))  # level, in eyes

    def apart(*pairs: tuple[int, int]) -> float:
        return torch.stack([(z[a] - z[b]).abs() for a, b in pairs]).mean().item()

    def above(*pairs: tuple[int, int]) -> float:
        return torch.stack([(z[b] - z[a]).imag for a, b in pairs]).mean().item()

    def light(points: tuple[int, ...]) -> float:
        at = (mesh[list(points)] / image.shape[-1] * 2 - 1)[None, None]  # (1, 1, N, 2)
        soft = F.avg_pool2d(image, 5, 1, 2)
        return F.grid_sample(soft, at, align_corners=False).mean().item()

    rows = torch.arange(256)[:, None] + 0.5
    columns = torch.arange(256)[None] + 0.5
    x, y = (mesh * 256 / image.shape[-1]).T
    hair = parts == FACE.id("hair")
    brows, top = y[[105, 334]].mean(), y[10]
    forehead = (rows < brows) & (rows > top) & (columns > x[54]) & (columns < x[284])
    eye = [(irises[k] - z[a]) / (z[b] - z[a]) for k, (a, b) in enumerate([(33, 133), (362, 263)])]
    return {
        "happy": judge.expression(judge.crop_face(image, faces[0])[0])[0, happy].item(),
        "smile": apart((61, 291)),
        "mouth-open": apart((13, 14)),
        "lips-full": apart((0, 13)) + apart((14, 17)),
        "eyes-wide": apart((159, 145), (386, 374)),
        "gaze": torch.stack(eye).real.mean().item() - 0.5,
        "brows-up": above((105, 159), (334, 386)),
        "glasses": 100 * (parts == FACE.id("eye_g")).float().mean().item(),
        "beard": light((50, 280, 101, 330)) - light((32, 262, 194, 418, 200)),
        "hair-long": 100 * (hair & (rows > y[[61, 291]].mean())).float().mean().item(),
        "hair-volume": 100 * hair.float().mean().item(),
        "fringe": 100 * (hair & forehead).float().mean().item(),
        "nose": apart((129, 358)),
        "jaw": apart((172, 397)),
    }


@lru_cache(maxsize=1)
def editors() -> tuple[SliderEditor, PaintEditor]:
    """Of a process."""
    return SliderEditor(), PaintEditor()


@lru_cache(maxsize=1)
def person() -> MobileFaceNet:
    return MobileFaceNet("b")


@torch.no_grad()
def plain(one: int | str) -> Tensor | None:
    """A generated face or that of a photo, as the editor opens it: (1, 3, 256, 256)."""
    if isinstance(one, int):
        return small(editors()[0].space.generator.sample([one], FULL, TRUNCATION)[0])
    try:
        return small(align(load_photo(one), face_parser("cpu"), FULL).image)
    except NoFaceError:
        return None


def small(image: Tensor) -> Tensor:
    """A picture of 1024 pixels at 256, of eight bits as it is seen and saved."""
    return eight_bits(reduce(eight_bits(image), SIDE))


def eight_bits(image: Tensor) -> Tensor:
    return to_tensor(to_pil(image.clamp(-1, 1)))


def smiling(one: int | str) -> float | None:
    """The probability that a face smiles; None where there is none."""
    image = plain(one)
    seen = None if image is None else look(image)
    return None if seen is None else seen["happy"]


@torch.no_grad()
def features_of(one: int | str) -> list[float]:
    """What the Fréchet distance is computed of: 1280 numbers."""
    return teachers().frechet_features(plain(one))[0].tolist()


# Smile --------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def linear() -> EditingVector:
    """A direction in W+ from the same labels (as InterFaceGAN's, whose plane is fitted to
    attributes): from the mean of the labelled faces with the narrower mouths to that of those with
    the wider ones; as long as the slider Smile."""
    space, smile = editors()[0].space, editors()[0].vectors["smile"]
    width = []
    for layout in labelled(labelled_seeds()):
        _, x = torch.isin(layout, torch.tensor(MOUTH)).nonzero(as_tuple=True)
        width.append((x.max() - x.min()).item())
    ranks = torch.tensor(width).argsort()
    rows = space.generator.latents(labelled_seeds(), TRUNCATION)
    half = len(ranks) // 2
    delta = torch.zeros_like(smile.delta)
    delta[list(FREE)] = (rows[ranks[half:]].mean(0) - rows[ranks[:half]].mean(0))[list(FREE)]
    delta *= smile.delta.norm() / delta.norm()
    made = [Edit(None, edit.before, edit.after, 0, (0.0, 0.0)) for edit in smile.edits]
    return EditingVector(
        "Linear", smile.classes, delta, FREE, (-2.0, 2.0), space.digest, tuple(made)
    )


def judged(image: Tensor, before: Tensor) -> dict[str, Any]:
    """What the judges see in a picture, who it is beside the one before, features."""
    return {
        "seen": look(image),
        "identity": alike(person(), image, before),
        "features": teachers().frechet_features(image)[0].tolist(),
    }


def ways_to_smile(one: int | str) -> dict[str, dict[str, Any]]:
    """BEFORE and each of WAYS -> how it is judged."""
    editor = editors()[0]
    opened = editor.open(one)
    before = small(opened.image)
    found = {BEFORE: judged(before, before)}
    for way, (values, refine) in WAYS.items():
        made = editor.finish(opened, values, {"linear": linear()}, refine)
        found[way] = judged(small(made.image), before)
    return found


def repainted(one: int | str) -> dict[str, Any] | None:
    """How the mouth of a smile, painted by SPADE into the same picture, is judged; None where the
    parser sees no mouth."""
    before, painter = plain(one), editors()[1]
    opened = Document(before, parse(before), {"tool": "open"})
    try:
        layout = lent(302, MOUTH, MOUTH)(opened.layout)
    except InputError:
        return None
    made = painter.apply(opened, Repaint(layout, Style.own()))
    return judged(eight_bits(made.image), before)


def summarised(
    faces: list[dict[str, dict[str, Any]]], reference: Tensor, floor: Tensor
) -> dict[str, Any]:
    """Means over faces, by way. The Fréchet distance is to `reference` (N, 1280), as is that of
    `floor`, of other pictures which nobody edited. Who is no longer found does not smile."""
    table = {}
    for way in (BEFORE, *WAYS, REPAINT):
        found = [(each[BEFORE]["seen"], each[way]) for each in faces if way in each]
        seen = [(before, now["seen"]) for before, now in found if now["seen"] is not None]
        features = torch.tensor([now["features"] for _, now in found])
        table[way] = {
            "faces": len(found),
            "smiling": sum(now["happy"] >= HAPPY for _, now in seen) / len(found),
            "happy": mean(now["happy"] for _, now in seen),
            "wider": mean(now["smile"] - before["smile"] for before, now in seen),
            "identity": mean(now["identity"] for _, now in found),
            "frechet": frechet_distance(features, reference),
            "lost": len(found) - len(seen),
        }
    return {
        "reference": len(reference),
        "floor": frechet_distance(floor, reference),
        "ways": table,
    }


# Every slider -------------------------------------------------------------------------------------


def all_moved(seed: int) -> dict[str, dict[str, tuple[Seen | None, float]]] | None:
    """Slider -> as it is, at both ends and half way up: what the judges see, and how much the
    person is the same; None where the judges find no face to begin with."""
    editor = editors()[0]
    opened = editor.open(seed)
    before = to_tensor(editor.slide(opened, {}))  # (1, 3, 256, 256)
    if (seen := look(before)) is None:
        return None
    found = {}
    for name, vector in editor.vectors.items():
        low, high = vector.range
        found[name] = {"before": (seen, 1.0)}
        for stand, value in (("low", low), ("half", high / 2), ("high", high)):
            if value:
                image = to_tensor(editor.slide(opened, {name: value}))
                found[name][stand] = (look(image), alike(person(), image, before))
    return found


def gathered(name: str, faces: list[dict[str, tuple[Seen | None, float]]]) -> dict[str, Any]:
    """Of a slider, over faces: its measure before, how that changes where the slider stands, who is
    left there, and in which share of the faces the measure falls at the low end and rises at the
    high one. Who is no longer found counts as one in whom nothing changed."""
    stands = [stand for stand in faces[0] if stand != "before"]
    change = {
        stand: [
            each[stand][0][name] - each["before"][0][name]
            for each in faces
            if each[stand][0] is not None
        ]
        for stand in stands
    }
    return {
        "measure": MEASURES[name],
        "faces": len(faces),
        "before": mean(each["before"][0][name] for each in faces),
        "change": {stand: mean(values) for stand, values in change.items()},
        "falls": sum(v < 0 for v in change["low"]) / len(faces) if "low" in change else None,
        "rises": sum(v > 0 for v in change["high"]) / len(faces),
        "identity": {stand: mean(each[stand][1] for each in faces) for stand in stands},
        "lost": sum(each[stand][0] is None for each in faces for stand in stands),
    }
