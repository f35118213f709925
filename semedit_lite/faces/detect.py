"""Where faces are in a photo, and where their eyes, nose and mouth.

for face in find_faces(load_photo("group.jpg")):
    print(face.box, face.score, face.landmarks)

The finder is ours (`models/finder.py`), trained on generated faces. It looks at a pyramid of
reduced photos; what it proposes is looked at closely, twice: the second time in a square that the
first look has centred and levelled. Where a photo as it is shows no face, it is turned.

Points are continuous (x, y), y downwards: pixel i covers [i, i + 1). In calculations they are
complex numbers x + iy (`faces/frames.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from semedit_lite.faces.frames import Frame, Pyramid, fit
from semedit_lite.faces.framing import ENOUGH, agreed, framing
from semedit_lite.faces.parse import SIDE, parse
from semedit_lite.images import load_photo, to_tensor
from semedit_lite.models.finder import CLOSE, MIRRORED, ROOM, STRIDE, UNIT, FaceFinder
from semedit_lite.models.parser import FaceParser

NAME = "face-finder"
SEEN = 1024  # longer side of the reduced photo, in which faces are looked at closely
SEARCHED = (384, 192, 96, 48)  # longer sides of the pyramid, in which they are searched
PROPOSED, MOST = 0.1, 24  # first-stage score from which a place is looked at, and how many of them
FOUND = 0.8  # second-stage score of a face
CERTAIN = 0.9995  # second-stage score of a face that the parser need not see
SAME, INSIDE = 0.4, 0.7  # overlap (IoU) of boxes that are one face; share of one within another
SMALLEST = 24  # pixels of the photo across a face's box; of smaller ones nothing can be told
CUT_OFF = 1  # percent of the pixels that may become black, and white
LONGEST = 8  # the sides of a photo may differ that much
TURNS = (45, -45, 90, -90, 180)  # degrees, tried where the photo as it is shows no face ...
SIZES = (0.92, 1.08)  # of the squares from which a face's points are taken in the end
TURNED = 0.98  # ... and the score of a face there: so many looks find more that is none

# Mean points in the square of a face's box: `python scripts/face_template.py 3500`.
SHAPE = np.array([-0.189 - 0.1743j, 0.189 - 0.1743j, 0.0763j, -0.1754 + 0.2176j, 0.1754 + 0.2176j])


# The same square in the generator's framing: middle and side.
FRAMED = 0.4976 + 0.5877j, 0.6416


@dataclass(frozen=True)
class Face:
    """One face, in pixels of the upright photo."""

    box: tuple[float, float, float, float]  # x0, y0, x1, y1: brows to chin, ear to ear
    score: float  # 0 to 1
    landmarks: tuple[tuple[float, float], ...]  # (x, y) of `models.finder.POINTS`

    @property
    def points(self) -> np.ndarray:
        """The landmarks as complex numbers (5,)."""
        return np.array([complex(x, y) for x, y in self.landmarks])


@lru_cache(maxsize=2)
def face_finder(device: str = "cpu") -> FaceFinder:
    """The bundled finder, loaded once."""
    return FaceFinder.from_pretrained(NAME, device)


@torch.no_grad()
def find_faces(
    photo: Image.Image, finder: FaceFinder | None = None, parser: FaceParser | None = None
) -> list[Face]:
    """All faces of an upright photo, the largest first; an empty list where there is none. Of
    those that the finder is less sure of the parser has to see one, too.

    Found are faces from about a twentieth of the photo's longer side, and from SMALLEST pixels.
    InputError for what is no photo (see `load_photo`).
    """
    finder = finder or face_finder()
    photo = load_photo(photo)
    width, height = photo.size
    if max(width, height) > LONGEST * min(width, height):
        return []
    shrink = max(1.0, max(width, height) / SEEN)
    if shrink > 1:
        small = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        photo = photo.resize(small, Image.Resampling.BILINEAR, reducing_gap=2.0)
    # Dark and pale photos: as light as others are, and grey where those are grey.
    light = ImageOps.autocontrast(photo, CUT_OFF, preserve_tone=True)
    image = Pyramid(to_tensor(light).to(next(finder.parameters()).device))
    scale = width / photo.size[0], height / photo.size[1]
    smallest = SMALLEST / min(scale)

    def faces(turn: float) -> list[tuple[float, np.ndarray]]:
        return [
            (score, points)
            for score, points in _search(image, finder, turn)
            if posture(points)[1] >= smallest
            and (not turn or score > TURNED)
            and (score > CERTAIN or _parts(image, points, parser) >= ENOUGH)
        ]

    def confirmed(found: list[tuple[float, np.ndarray]]) -> tuple[int, float]:
        if not found:
            return 0, 0.0
        score, points = max(found, key=lambda face: face[0])
        return _parts(image, points, parser), score

    found = faces(0) or max(map(faces, TURNS), key=confirmed)
    return [_in_photo(score, settled(image, points, finder), scale) for score, points in found]


def _parts(image: Pyramid, points: np.ndarray, parser: FaceParser | None) -> int:
    """How many parts of a face the parser sees at these points, 0 to 4."""
    frame = framing(points)
    crop = image.sample(Frame(frame.a / SIDE, frame.b), (SIDE, SIDE))
    return agreed(parse(crop, parser=parser)[0].cpu().numpy())


@torch.no_grad()
def face_points(image: Tensor, finder: FaceFinder | None = None) -> Tensor | None:
    """The points (1, 5, 2) of an aligned face, an image (1, 3, S, S) in the generator's framing, in
    pixels; None where the finder sees none in the middle."""
    finder = finder or face_finder(str(image.device))
    size, seen = image.shape[-1], Pyramid(image)
    middle, side = FRAMED
    square = size * middle, size * side, 1 + 0j
    for _ in range(2):
        ((score, points),) = look(seen, [square], finder)
        if score < FOUND:
            return None
        square = posture(points)
    points = settled(seen, points, finder)
    return torch.from_numpy(np.stack([points.real, points.imag], 1))[None].float()


def _in_photo(score: float, points: np.ndarray, scale: tuple[float, float]) -> Face:
    centre, side, _ = posture(points)
    corner = (0.5 + 0.5j) * side
    low, high = centre - corner, centre + corner
    box = tuple(float(v) for v in (low.real * scale[0], low.imag * scale[1]))
    box += tuple(float(v) for v in (high.real * scale[0], high.imag * scale[1]))
    landmarks = tuple((float(p.real * scale[0]), float(p.imag * scale[1])) for p in points)
    return Face(box, score, landmarks)


def _search(image: Pyramid, finder: FaceFinder, turn: float) -> list[tuple[float, np.ndarray]]:
    """The faces of an image that is seen turned by `turn` degrees: scores and points (5,) in the
    image as it is, the largest first."""
    proposals = _distinct(_proposals(image, finder, turn))[:MOST]
    level = np.exp(1j * np.radians(turn))
    squares = [(middle, side, level) for _, middle, side in proposals]
    found: list[tuple[float, np.ndarray]] = []
    for least in (PROPOSED, FOUND):  # a look, and another one at what it has centred and levelled
        if not squares:
            return []
        found = [face for face in look(image, squares, finder) if face[0] > least]
        squares = [posture(points) for _, points in found]
    faces = _distinct((score, *posture(points)[:2], points) for score, points in found)
    faces.sort(key=lambda face: -face[2])
    return [(score, points) for score, _, _, points in faces]


def _proposals(image: Pyramid, finder: FaceFinder, turn: float) -> list[tuple]:
    """What the first stage proposes: (logit, middle, side), in the image as it is."""
    height, width = image.size
    middle, unturn = complex(width, height) / 2, np.exp(1j * np.radians(turn))
    corners = np.array([0, width, 1j * height, width + 1j * height]) / unturn
    wide, high = np.ptp(corners.real), np.ptp(corners.imag)  # of the turned picture
    found = []
    for longest in SEARCHED:
        scale = max(width, height) / longest  # pixels of the image in one that is seen
        w, h = (STRIDE * max(1, round(side / scale / STRIDE)) for side in (wide, high))
        frame = Frame(scale * unturn, middle - scale * unturn * complex(w, h) / 2)  # of one pixel
        places = squares(finder.proposals(image.sample(frame, (h, w))))[0]
        for logit, x, y, side in places[places[:, 0].sigmoid() > PROPOSED].tolist():
            found.append((logit, frame.a * complex(x, y) + frame.b, side * scale))
    return found


def look(
    image: Pyramid,
    squares: list[tuple[complex, float, complex]],
    finder: FaceFinder,
    mirrored: bool = False,
) -> list[tuple[float, np.ndarray]]:
    """A close look at squares (middle, side of the face's box, direction of its eyes' line), or at
    their mirror images: the score of each, 0 to 1, and the points (5,), in pixels of the image."""
    frames = [
        Frame(ROOM * side * level, middle - ROOM * side * level * (0.5 + 0.5j))
        for middle, side, level in squares
    ]
    pixels = [Frame(frame.a / CLOSE, frame.b) for frame in frames]
    crops = torch.cat([image.sample(pixel, (CLOSE, CLOSE)) for pixel in pixels])
    if mirrored:
        crops = crops.flip(-1)
    logits, points = finder.closer(crops.contiguous(memory_format=torch.channels_last))
    if mirrored:  # back to where they are
        points = points[:, MIRRORED] * points.new_tensor([-1, 1]) + points.new_tensor([1, 0])
    unit = torch.view_as_complex(points.double()).cpu().numpy()  # (n, 5)
    return [
        (score, frame.a * five + frame.b)
        for score, frame, five in zip(logits.sigmoid().tolist(), frames, unit, strict=True)
    ]


def settled(image: Pyramid, points: np.ndarray, finder: FaceFinder) -> np.ndarray:
    """The points (5,) of a face that was found, as the mean of four looks, which miss less than
    one: at two sizes, and at the mirror images of both."""
    middle, side, level = posture(points)
    squares = [(middle, size * side, level) for size in SIZES]
    looks = look(image, squares, finder) + look(image, squares, finder, mirrored=True)
    return np.mean([points for _, points in looks], axis=0)


def posture(points: np.ndarray) -> tuple[complex, float, complex]:
    """Five points -> middle and side of the box, and the direction (unit length) of the eyes'
    line, from the similarity that brings SHAPE closest to them."""
    frame = fit(SHAPE, points)
    side = max(abs(frame.a), 1e-6)  # all points may lie in one place
    return frame.b, side, frame.a / side if frame.a else 1 + 0j


def _distinct(faces: Iterable[tuple]) -> list[tuple]:
    """Of (score, middle, side, ...) that are the same face, or of which one lies in the other, only
    the best, best first."""
    kept: list[tuple] = []
    for face in sorted(faces, key=lambda face: -face[0]):
        if all(overlap(face, other) < SAME and shared(face, other) < INSIDE for other in kept):
            kept.append(face)
    return kept


def shared(one: tuple, other: tuple) -> float:
    """Intersection of two squares (score, middle, side, ...) over the smaller one."""
    apart, reach = one[1] - other[1], (one[2] + other[2]) / 2
    least = min(one[2], other[2])
    wide, high = (max(0.0, min(reach - abs(d), least)) for d in (apart.real, apart.imag))
    return wide * high / least**2


def overlap(one: tuple, other: tuple) -> float:
    """Intersection over union of two squares (score, middle, side, ...)."""
    both = shared(one, other) * min(one[2], other[2]) ** 2
    return both / (one[2] ** 2 + other[2] ** 2 - both)


def squares(maps: Tensor) -> Tensor:
    """The first stage's maps (B, 4, h, w) -> (B, h * w, 4): for each place the logit, and the
    middle (x, y) and side of the box, in pixels of the picture."""
    h, w = maps.shape[2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    at = (torch.stack([x, y], -1).to(maps) + 0.5).view(-1, 2) * STRIDE  # (h * w, 2)
    logit, offset, side = maps.flatten(2).mT.split((1, 2, 1), 2)
    return torch.cat([logit, at + UNIT * offset, UNIT * side.clamp(-4, 4).exp()], 2)
