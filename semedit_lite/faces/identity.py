"""Who is it? A face as a point on a sphere: near for one person, apart for two.

For editors that must keep a person recognisable, and for their losses. It is no means of finding
out who somebody is, and must not be used as one (WEIGHTS.md).
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from semedit_lite.errors import InputError
from semedit_lite.faces.frames import Frame, fit, warp
from semedit_lite.faces.framing import TEMPLATE as POINTS
from semedit_lite.models.identity import FaceIdentity

NAME = "face-identity"
SIDE = 112  # of the crop that the network sees
# Where eyes, nose tip and mouth corners lie in that crop (ArcFace, arXiv 1801.07698), in its unit
# square: the viewer's left eye and right eye, nose, left and right corner.
TEMPLATE = torch.tensor(
    [[38.79, 52.20], [74.03, 52.00], [56.53, 72.24], [42.05, 92.87], [71.23, 92.70]]
).div(SIDE)

MOUTH = 0.095  # half of a mouth's width, in the generator's framing


@lru_cache(maxsize=2)
def face_identity(device: str = "cpu") -> FaceIdentity:
    """The bundled network, loaded once."""
    return FaceIdentity.from_pretrained(NAME, device)


def frame(landmarks: Tensor) -> Frame:
    """The square of a photo in which landmarks (5, 2), in pixels, lie as in the template: as near
    as a similarity can bring them, measured in the crop, as the teachers were trained."""
    points = torch.view_as_complex(landmarks.detach().double().cpu().contiguous()).numpy()
    into = fit(points, torch.view_as_complex(TEMPLATE.double()).numpy())  # photo -> crop
    return Frame(1 / into.a, -into.b / into.a)


def crops(images: Tensor, landmarks: Tensor, margin: int = 0) -> Tensor:
    """Images (B, 3, H, W) and landmarks (B, 5, 2) in their pixels -> upright faces
    (B, 3, SIDE + 2 margin, SIDE + 2 margin); beyond the picture its border goes on.

    Differentiable with respect to the images. InputError for other shapes and for landmarks that
    lie on one point or are no numbers.
    """
    if images.ndim != 4 or images.shape[1] != 3:
        raise InputError(f"Faces are pictures (B, 3, H, W), not {tuple(images.shape)}.")
    if landmarks.shape != (len(images), 5, 2):
        raise InputError(
            f"{len(images)} pictures need landmarks ({len(images)}, 5, 2), not "
            f"{tuple(landmarks.shape)}."
        )
    spread = landmarks - landmarks.mean(1, keepdim=True)
    if not (spread.isfinite().all() and (spread.abs().amax((1, 2)) > 1).all()):
        raise InputError("The five landmarks of a face must be numbers, and lie apart.")
    side = SIDE + 2 * margin
    grown = Frame.square(0.5 + 0.5j, side / SIDE)
    return torch.cat([
        _cut(image[None], grown.within(frame(points)).matrix(side), side)
        for image, points in zip(images, landmarks, strict=True)
    ])  # fmt: skip


def _cut(image: Tensor, matrix: Tensor, side: int) -> Tensor:
    """As `warp`, but of a large photo only the part around the face is reduced."""
    corners = matrix.new_tensor([[0, side, 0, side], [0, 0, side, side], [1, 1, 1, 1]])
    reach = 2 * matrix[:, :2].det().abs().sqrt().clamp(min=1)  # what smoothing takes in
    low, high = (matrix @ corners).aminmax(dim=1)  # (2,), (2,)
    limits = matrix.new_tensor([image.shape[3], image.shape[2]])
    low = (low - reach).floor().clamp(min=0).minimum(limits - 1)
    high = (high + reach).ceil().maximum(low + 1).minimum(limits)
    (left, top), (right, bottom) = low.long().tolist(), high.long().tolist()
    moved = torch.cat([matrix[:, :2], matrix[:, 2:] - low[:, None]], 1)
    part = image[..., top:bottom, left:right]
    return warp(part, moved, (side, side), "bilinear", "border")


def framed(images: Tensor) -> Tensor:
    """Faces (B, 3, S, S) in the generator's framing -> upright faces (B, 3, SIDE, SIDE), by where
    such faces have eyes, nose and mouth; differentiable, and no finder has to look."""
    points = [POINTS[key] for key in ("r_eye", "l_eye", "nose")]
    points += [POINTS["mouth"] - MOUTH, POINTS["mouth"] + MOUTH]
    square = frame(torch.tensor([[z.real, z.imag] for z in points]))  # in the unit square
    middle, size = 2 * (square.b + square.a * (0.5 + 0.5j)) - (1 + 1j), square.a.real
    matrix = images.new_tensor([[size, 0, middle.real], [0, size, middle.imag]])
    shape = [len(images), 3, SIDE, SIDE]
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def embed(
    images: Tensor, landmarks: Tensor, network: FaceIdentity | None = None, mirrored: bool = True
) -> Tensor:
    """Images (B, 3, H, W) in [-1, 1] and the landmarks (B, 5, 2) of one face in each, in pixels
    -> unit vectors (B, 128).

    The landmarks are those of `TEMPLATE`, as `faces.detect` finds them. `mirrored` adds the mirror
    image's vector, which is a little better and takes twice as long. Differentiable with respect
    to the images. InputError as in `crops`.
    """
    network = network or face_identity(str(images.device))
    seen = crops(images, landmarks)
    if not mirrored:
        return network(seen)
    return F.normalize(network(seen) + network(seen.flip(-1)), dim=1)


def similarity(a: Tensor, b: Tensor) -> Tensor:
    """Cosines of embeddings (B, 128) and (B, 128), or of one (1, 128) with many: (B,) in [-1, 1].
    InputError where the shapes do not fit."""
    counts = {len(a), len(b)} - {1}
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or len(counts) > 1:
        raise InputError(
            f"Embeddings (B, D) of as many faces can be compared, or one with many, not "
            f"{tuple(a.shape)} and {tuple(b.shape)}."
        )
    return F.cosine_similarity(a, b, dim=1)
