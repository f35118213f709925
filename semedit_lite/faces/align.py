"""First alignment: an uploaded head shot, turned, scaled and cropped to the generator's framing.

There is no landmark network: the parser's own eye, nose and mouth regions are the landmarks. Their
centroids are fitted to where they lie on average in generated faces, by a similarity. A first fit
on coarse squares of the photo is refined on the crops that it gives.

Points are complex numbers x + iy, y downwards, in continuous coordinates: pixel i covers
[i, i + 1). A frame (a, b) is a square in the photo: the point z of the unit square lies at a z + b.
A similarity without mirroring is just this, and its least-squares fit one line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.faces.parse import parse
from semedit_lite.images import load_photo, resize, to_pil, to_tensor
from semedit_lite.labels import FACE
from semedit_lite.models.parser import FaceParser

# Mean centroids in the unit square: `python -m semedit_lite.faces.template 256` measured them.
TEMPLATE = {
    "l_eye": 0.626 + 0.474j,
    "r_eye": 0.374 + 0.474j,
    "nose": 0.500 + 0.573j,
    "mouth": 0.500 + 0.746j,
}
TEMPLATE["eyes"] = (TEMPLATE["l_eye"] + TEMPLATE["r_eye"]) / 2  # one eye of a profile

SEARCHED = 768  # longer side of the reduced photo in which the face is looked for
LONGEST = 6  # sides of a photo may differ that much
PARSED = 256  # side of the squares that are parsed there
SMALLEST = 12  # pixels of such a square: regions below are noise
ONE_EYE = 0.3  # eyes closer than this, relative to the template, are one eye of a profile
CANDIDATES = 4  # sightings of a round that are looked at again
REFINEMENTS = 2  # how often: once is enough unless the first square was far off
OUTSIDE = 0.05  # beyond the photo's border the crop blurs within this much of its side

# A square that holds an aligned face must look like one. Measured on refined crops: misfit and
# drift sum up to .04 at most for faces seen from the front and to .08 for turned ones; what the
# parser imagines in buildings has .10 or more.
SURE, STRANGE = 0.05, 0.09
FILLED = 0.6
OVAL_CENTRE, OVAL_RADII = 0.5 + 0.6j, (0.18, 0.22)  # holds eyes, nose, mouth and skin only

NO_FACE = (
    "No face was found in this picture; choose a head shot that shows both eyes, nose and mouth, "
    "larger and less turned."
)


class NoFaceError(InputError):
    """The parser sees no face in the picture."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """A face in the generator's framing, and where in the photo it was."""

    image: Tensor  # (1, 3, S, S) in [-1, 1]
    layout: Tensor  # (1, S, S) class ids
    matrix: Tensor  # (2, 3) float64: crop (x, y, 1) -> photo (x, y), in pixels

    @property
    def inverse(self) -> Tensor:
        """(2, 3): photo (x, y, 1) -> crop (x, y)."""
        linear = torch.linalg.inv(self.matrix[:, :2])
        return torch.cat([linear, -linear @ self.matrix[:, 2:]], 1)

    def paste(self, photo: Image.Image, edited: Tensor, alpha: Tensor) -> Image.Image:
        """The photo with the edited crop laid back into it.

        edited: (1, 3, S, S) in [-1, 1]; alpha: (1, S, S) in [0, 1], 0 where the photo stays. The
        photo's pixels farther than one from any crop pixel with alpha > 0 stay as they are.
        """
        side = edited.shape[-1]
        corners = torch.tensor([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]]).double()
        limits = torch.tensor(photo.size).double()
        low, high = (self.matrix @ corners).aminmax(dim=1)  # (2,), (2,)
        left, top = (int(v) for v in low.floor().clamp(min=0).minimum(limits))
        right, bottom = (int(v) for v in high.ceil().clamp(min=0).minimum(limits))
        if right == left or bottom == top:
            return photo.copy()
        inverse = self.inverse
        inverse[:, 2] += inverse[:, :2] @ torch.tensor([left, top]).double()
        size = (bottom - top, right - left)
        box = (left, top, right, bottom)
        base = to_tensor(photo.crop(box))  # (1, 3, h, w)
        picture = warp(edited, inverse, size)
        alpha = warp(alpha[:, None], inverse, size, "bilinear", "zeros")
        result = photo.copy()
        result.paste(to_pil(torch.lerp(base, picture, alpha.clamp(0, 1))), box)
        return result


def align(photo: Image.Image, parser: FaceParser, size: int = 256) -> Alignment:
    """Finds the face of a head shot and cuts it out, `size` pixels wide.

    Beyond the photo's border the crop mirrors it, blurred. NoFaceError, an InputError, where the
    parser sees no face.
    """
    image = to_tensor(load_photo(photo))  # (1, 3, H, W)
    height, width = image.shape[2:]
    if max(height, width) > LONGEST * min(height, width):
        raise NoFaceError(NO_FACE)  # a strip would have to be searched in thousands of squares
    shrink = max(1.0, max(height, width) / SEARCHED)
    small = resize(image, (max(1, round(height / shrink)), max(1, round(width / shrink))))
    found = find(small, parser)
    frame = Frame(found.a * shrink, found.b * shrink)
    crop = cut(image, frame, size)
    layout = _parse(crop, parser)
    seen = sight(layout[0].numpy())
    if seen is None or not seen.aligned:  # something that looked like a face when it was small
        raise NoFaceError(NO_FACE)
    return Alignment(crop, layout, frame.matrix(size))


class Frame(NamedTuple):
    """The square that holds a z + b for every z of the unit square."""

    a: complex  # |a| is its side in pixels, its angle the turn
    b: complex  # its upper left corner

    def matrix(self, size: int) -> Tensor:
        """(2, 3) float64: pixels of the square sampled `size` wide -> pixels of the photo."""
        a, b = self.a / size, self.b
        return torch.tensor([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]).double()

    def within(self, outer: "Frame") -> "Frame":
        """This frame, given in the coordinates of the square `outer`, in the photo's."""
        return Frame(outer.a * self.a, outer.a * self.b + outer.b)

    @classmethod
    def square(cls, centre: complex, side: float, degrees: float = 0.0) -> "Frame":
        a = side * np.exp(1j * np.radians(degrees))
        return cls(a, centre - a * (0.5 + 0.5j))


class Sighting(NamedTuple):
    """A face that the parser sees in a square, in the unit coordinates of that square."""

    frame: Frame
    misfit: float  # root mean square distance of the landmarks to the template, in frame sides
    filled: float  # how much of the oval around eyes, nose and mouth is face, 0 to 1

    @property
    def drift(self) -> float:
        """How far the frame is from the square itself: 0 where the square was aligned already."""
        corners = np.array([0, 1, 1j, 1 + 1j])
        return float(np.abs(self.frame.a * corners + self.frame.b - corners).mean())

    @property
    def strangeness(self) -> float:
        return self.misfit + self.drift

    @property
    def aligned(self) -> bool:
        """Whether the square holds a face, and in the generator's framing."""
        return self.strangeness < STRANGE and self.filled > FILLED


def find(image: Tensor, parser: FaceParser) -> Frame:
    """The frame of the face in the photo (1, 3, H, W); NoFaceError where there is none.

    The rounds of the search end at the first sure sighting; otherwise the best of all is taken.
    """
    faces: list[tuple[float, Frame]] = []
    for squares in _searches(*image.shape[2:]):
        seen = look(image, squares, parser)
        candidates = sorted(seen, key=lambda pair: pair[1].misfit)[:CANDIDATES]
        for _ in range(REFINEMENTS):
            candidates = look(image, [frame for frame, _ in candidates], parser)
            faces += [(s.strangeness, frame) for frame, s in candidates if s.aligned]
            best = min(faces, key=lambda pair: pair[0], default=None)
            if best is not None and best[0] < SURE:
                return best[1]
    if best is None:
        raise NoFaceError(NO_FACE)
    return best[1]


def _searches(height: int, width: int) -> Iterator[list[Frame]]:
    """Squares to look at, one round after the other, until a face is found."""
    short, long = sorted((height, width))
    middle = complex(width, height) / 2
    along = 1 if width > height else 1j
    steps = np.linspace(-0.5, 0.5, 3) * (long - short) if long > short else [0.0]
    squares = [(middle, long), *((middle + step * along, short) for step in steps)]
    yield [Frame.square(centre, side) for centre, side in squares]
    side = 0.5 * short
    yield [
        Frame.square(complex(x, y), side)
        for x in np.linspace(side / 2, width - side / 2, round(2 * width / short) + 1)
        for y in np.linspace(side / 2, height - side / 2, round(2 * height / short) + 1)
    ]
    yield [
        Frame.square(middle, side, turn)
        for turn in (-90, -60, -30, 30, 60, 90, 180)
        for side in (short, long)
    ]


def look(image: Tensor, squares: list[Frame], parser: FaceParser) -> list[tuple[Frame, Sighting]]:
    """Parses squares of the photo (1, 3, H, W): the better frame that each sighting of a face
    suggests, and the sighting."""
    found = []
    for square in squares:  # one by one: some photos have dozens, and a batch is no faster on a CPU
        crop = warp(image, square.matrix(PARSED), (PARSED, PARSED), padding="border").clamp(-1, 1)
        seen = sight(_parse(crop, parser)[0].numpy())
        if seen is not None:
            found.append((seen.frame.within(square), seen))
    return found


def _parse(crops: Tensor, parser: FaceParser) -> Tensor:
    device = next(parser.parameters()).device
    return parse(crops.to(device), parser=parser).cpu()


def sight(layout: np.ndarray) -> Sighting | None:
    """The face in a layout (S, S); None unless both eyes and nose or mouth, or at least one eye,
    nose and mouth are seen."""
    face = _largest(np.isin(layout, FACE.groups["face"]), reach=2)
    points = landmarks(np.where(face, layout, 0))
    if len(points) < 3:
        return None
    guesses = [points]
    if "eye" in points:  # the left one, the right one, or in a profile both: which fits best?
        eye = points.pop("eye")
        guesses = [{name: eye} | points for name in ("l_eye", "r_eye", "eyes")]
    return min((_fitted(guess, face) for guess in guesses), key=lambda seen: seen.misfit)


def _fitted(points: dict[str, complex], face: np.ndarray) -> Sighting:
    """Fits the template to landmarks; `face` is the bool (S, S) region that they lie in."""
    found = np.array(list(points.values()))
    wanted = np.array([TEMPLATE[name] for name in points])
    frame = fit(wanted, found)
    miss = np.abs(frame.a * wanted + frame.b - found) / abs(frame.a)
    z = (_centres(face.shape[0]) - frame.b) / frame.a - OVAL_CENTRE
    oval = (z.real / OVAL_RADII[0]) ** 2 + (z.imag / OVAL_RADII[1]) ** 2 < 1
    filled = face[oval].mean() if oval.any() else 0.0
    return Sighting(frame, float(np.sqrt((miss**2).mean())), float(filled))


def _centres(side: int) -> np.ndarray:
    """Pixel centres of a square of this side, in unit coordinates."""
    at = (np.arange(side) + 0.5) / side
    return at[None, :] + 1j * at[:, None]


def landmarks(layout: np.ndarray) -> dict[str, complex]:
    """Centroids of l_eye and r_eye (or of "eye" where one is seen), nose and mouth, as far as
    they are seen, in unit coordinates; none without eyes.

    The parser's left and right are not trusted, since it confuses them in turned faces; the two
    eyes are told apart by where they lie about the line down to the mouth. Glasses count as eyes.
    """

    def pixels(mask: np.ndarray) -> np.ndarray:
        y, x = np.nonzero(mask)
        return (x + 0.5 + 1j * (y + 0.5)) / layout.shape[0]

    eyes = pixels(np.isin(layout, (FACE.id("eye_g"), *FACE.groups["eyes"])))
    nose = pixels(_largest(layout == FACE.id("nose")))
    mouth = pixels(_largest(np.isin(layout, FACE.groups["mouth"])))
    parts = {"nose": nose, "mouth": mouth}
    enough = SMALLEST * (layout.shape[0] / PARSED) ** 2
    points = {name: p.mean() for name, p in parts.items() if len(p) >= enough}
    if len(eyes) < enough or not points:
        return {}
    lower = "mouth" if "mouth" in points else "nose"
    down = points[lower] - eyes.mean()
    across = (1j * (eyes - eyes.mean()) / down).real  # towards the person's left, in |down|
    middle = 0.0
    for _ in range(5):  # two means along one line
        left, right = across > middle, across <= middle
        if left.all() or right.all():
            break
        middle = (across[left].mean() + across[right].mean()) / 2
    apart = abs((TEMPLATE["l_eye"] - TEMPLATE["r_eye"]) / (TEMPLATE[lower] - TEMPLATE["eyes"]))
    if across[left].mean() - across[right].mean() > ONE_EYE * apart:
        return points | {"l_eye": eyes[left].mean(), "r_eye": eyes[right].mean()}
    return points | {"eye": eyes.mean()}


def _largest(mask: np.ndarray, reach: int = 1) -> np.ndarray:
    """The largest connected piece of a bool mask; gaps up to twice `reach` do not part it."""
    from scipy import ndimage

    pieces, _ = ndimage.label(ndimage.binary_dilation(mask, iterations=reach))
    return mask & (pieces == np.bincount(pieces[mask], minlength=1).argmax())


def fit(wanted: np.ndarray, found: np.ndarray) -> Frame:
    """The similarity a z + b that brings the complex points `wanted` closest to `found`."""
    z, p = wanted - wanted.mean(), found - found.mean()
    a = (z.conj() * p).sum() / (np.abs(z) ** 2).sum()
    return Frame(complex(a), complex(found.mean() - a * wanted.mean()))


def cut(image: Tensor, frame: Frame, size: int) -> Tensor:
    """The frame's part of a photo (1, 3, H, W) as (1, 3, size, size); beyond the photo's border
    it is mirrored and blurs away, as in FFHQ."""
    matrix = frame.matrix(size)
    crop = warp(image, matrix, (size, size)).clamp(-1, 1)
    y, x = _pixel_centres(size, size)
    at = matrix.to(crop) @ torch.stack([x, y, torch.ones_like(x)]).reshape(3, -1)  # (2, S * S)
    limit = torch.tensor([[image.shape[3]], [image.shape[2]]]).to(crop)
    outside = torch.maximum(-at, at - limit).amax(0).clamp(min=0).view(1, 1, size, size)
    blend = (outside / (OUTSIDE * abs(frame.a))).clamp(max=1)
    if not blend.any():
        return crop
    radius = max(1, round(size / 40))
    soft = crop
    for _ in range(3):  # three box filters are nearly a Gaussian
        soft = F.avg_pool2d(soft, 2 * radius + 1, 1, radius, count_include_pad=False)
    return torch.lerp(crop, soft, blend)


def warp(
    image: Tensor,
    matrix: Tensor,
    size: tuple[int, int],
    mode: str = "bicubic",
    padding: str = "reflection",
) -> Tensor:
    """image (1, C, H, W) -> (1, C, *size): output pixel (x, y, 1) shows the image at `matrix`
    (2, 3) @ it. Where the output is coarser the image is reduced first, without aliasing."""
    height, width = image.shape[2:]
    step = matrix[:, :2].det().abs().sqrt().item()
    if step > 1:
        image = resize(image, (max(1, round(height / step)), max(1, round(width / step))))
    y, x = _pixel_centres(*size)
    at = torch.stack([x, y, torch.ones_like(x)], -1) @ matrix.to(x).T  # (h, w, 2)
    at = at / at.new_tensor([width, height]) * 2 - 1
    return F.grid_sample(image, at[None], mode, padding, align_corners=False)


def _pixel_centres(height: int, width: int) -> tuple[Tensor, Tensor]:
    y, x = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return torch.meshgrid(y, x, indexing="ij")
