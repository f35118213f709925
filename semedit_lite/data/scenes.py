"""Pictures in which it is known where the faces are: generated faces laid into other pictures.

Points are continuous (x, y), y downwards: pixel i covers [i, i + 1)."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor

from semedit_lite.data import warps
from semedit_lite.data.faces import face_generator, made_with, mixed_rows
from semedit_lite.data.folder import unpack
from semedit_lite.data.textures import textures
from semedit_lite.data.warps import uniform
from semedit_lite.errors import InputError
from semedit_lite.faces.parse import parse
from semedit_lite.hub import write_beside
from semedit_lite.images import resize, to_bytes
from semedit_lite.labels import FACE
from semedit_lite.models.finder import MIRRORED
from semedit_lite.teachers import MISSING, teachers

SIZE = 128  # of the faces: what they are pasted as is smaller
TEXTURES = 512


@dataclass
class KnownFaces:
    """Generated faces and where the teachers' face mesh sees them, in the unit square."""

    images: Tensor  # (N, 3, SIZE, SIZE) uint8
    layouts: Tensor  # (N, SIZE, SIZE) uint8
    points: Tensor  # (N, 5, 2): eyes, nose, corners of the mouth, from the viewer's left
    boxes: Tensor  # (N, 3): centre (x, y) and side of the square around the mesh

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    @torch.no_grad()
    def make(cls, count: int, seed: int = 0, device: str = "cpu") -> Self:
        """The faces of `count` seeds, of many styles, and the mesh of each. InputError without the
        teachers."""
        from tqdm import tqdm

        teacher = teachers()
        if teacher is None:
            raise InputError(f"Where the points of a face are, teachers know; {MISSING}.")
        model = face_generator(device)
        # In the generator's framing a mesh finds the face from here.
        start = {
            "box": torch.tensor([0.25, 0.32, 0.75, 0.82]) * SIZE,
            "points5": torch.tensor([[0.38, 0.47], [0.62, 0.47]]) * SIZE,
        }
        rows = []
        for number in tqdm(range(seed, seed + count), "faces", mininterval=1.0):
            image = model.synthesis(mixed_rows(model, [number]), SIZE).clamp(-1, 1)
            mesh = teacher.mesh(image, start)  # (468, 3)
            low, high = mesh[:, :2].aminmax(dim=0)
            box = torch.cat([(low + high) / 2, (high - low).max()[None]])
            layout = parse(resize(image, 2 * SIZE), SIZE)[0]
            found = (to_bytes(image[0]), layout.byte(), teacher.five_points(mesh) / SIZE)
            rows.append([part.cpu() for part in (*found, box / SIZE)])
        return cls(*(torch.stack(column) for column in zip(*rows, strict=True)))

    @classmethod
    def load(cls, count: int, folder: str | Path | None, device: str = "cpu") -> Self:
        """`make`, kept in `folder` where one is given."""
        path = Path(folder) / "known-faces.safetensors" if folder is not None else None
        if path is not None and path.is_file():
            try:
                with safe_open(path, "pt") as file:
                    parts = [file.get_tensor(key) for key in cls.__dataclass_fields__]
                    if file.metadata() == made_with() and len(parts[0]) >= count:
                        return cls(*(part[:count] for part in parts))
            except SafetensorError:
                pass  # damaged: make it again
        made = cls.make(count, device=device)
        if path is not None:
            write_beside(path, lambda beside: save_file(vars(made), beside, made_with()))
        return made

    def pyramid(self) -> list[Tensor]:
        """Pictures and masks of the heads (N, 4, s, s) uint8 at SIZE, a half, a quarter of it: a
        face is pasted from the one that is a little larger, without aliasing."""
        head = 255 * (self.layouts[:, None] != FACE.id("background"))
        full = torch.cat([self.images, head.byte()], 1)
        return [
            torch.cat([F.avg_pool2d(part.float(), step).byte() for part in full.split(256)])
            for step in (1, 2, 4)
        ]


class Scenes:
    """Draws scenes and single faces with a `torch.Generator`."""

    def __init__(
        self, faces: KnownFaces, photos: Tensor | None = None, faceless: Tensor | None = None
    ) -> None:
        """Backgrounds are pieces of `photos` (N, 3, S, S) uint8 which a face fills to a half at
        least, too small to be a face (of the generated faces unless given), and `faceless`
        pictures (N, 3, S, S) uint8, beside coloured layouts and textures."""
        self.faces, self.levels = faces, faces.pyramid()
        self.photos = faces.images if photos is None else photos
        self.faceless = faceless
        self.textures = to_bytes(textures(TEXTURES, SIZE, Generator().manual_seed(0)))

    def backgrounds(self, count: int, size: int, rng: Generator) -> Tensor:
        """(count, 3, size, size): pieces of photos, pictures without a face, coloured layouts,
        textures."""
        kind = torch.rand(count, generator=rng)
        pictures = torch.empty(count, 3, size, size)
        textured = self.textures if self.faceless is None else self.faceless
        for source, low, high, zoom in (
            (self.photos, 0.0, 0.5, (2.2, 6.0)),
            (textured, 0.5, 0.75, (0.7, 5.0)),
            (self.faces.layouts, 0.75, 0.87, (0.8, 4.0)),
            (self.textures, 0.87, 1.0, (0.8, 4.0)),
        ):
            here = (kind >= low) & (kind < high)
            n = int(here.sum())
            chosen = source[self._chosen(n, len(source), rng)]
            chosen = FACE.pictures(chosen.long()) if source.ndim == 3 else unpack(chosen)
            matrix = warps.random_affine(n, rng, zoom, 45, 0.8)
            if n:
                grid = F.affine_grid(matrix, [n, 3, size, size], align_corners=False)
                near = {"padding_mode": "reflection", "align_corners": False}
                pictures[here] = F.grid_sample(chosen, grid, **near)
        return pictures

    def _chosen(self, count: int, among: int, rng: Generator) -> Tensor:
        return torch.randint(among, (count,), generator=rng)

    def paste(
        self,
        canvas: Tensor,
        centre: Tensor,
        side: Tensor,
        degrees: Tensor,
        rng: Generator,
        drawn: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Lays a random face on each canvas (B, 3, S, S): the middle of its box at `centre` (B, 2),
        the box `side` (B,) pixels wide, turned by `degrees` (B,). Returns the pictures and the
        points (B, 5, 2) in pixels. `drawn` lays its layout in colours instead, which is no face."""
        count, size = len(canvas), canvas.shape[-1]
        if not count:
            return canvas, torch.zeros(0, 5, 2)
        chosen = self._chosen(count, len(self.faces), rng)
        boxes, points = self.faces.boxes[chosen], self.faces.points[chosen]
        scale = side / boxes[:, 2]  # of the whole face picture, in pixels of the canvas
        angle = degrees.deg2rad()
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
        flip = torch.where(torch.rand(count, generator=rng) < 0.5, -1.0, 1.0)
        mirror = torch.diag_embed(torch.stack([flip, torch.ones(count)], 1))
        to_canvas = scale[:, None, None] * turn @ mirror  # (B, 2, 2): from the box's middle
        there = (points - boxes[:, None, :2]) @ to_canvas.mT + centre[:, None]  # (B, 5, 2)
        there = torch.where(flip[:, None, None] < 0, there[:, MIRRORED], there)
        # The way back, in the coordinates of affine_grid and grid_sample: -1 to 1 across.
        back = torch.linalg.inv(to_canvas)
        shift = boxes[:, :2, None] - back @ centre[:, :, None]
        middle = back @ torch.full((count, 2, 1), size / 2) + shift
        matrix = torch.cat([back * size, 2 * middle - 1], 2)  # (B, 2, 3)
        grid = F.affine_grid(matrix, [count, 4, size, size], align_corners=False)
        level = (SIZE / scale).log2().floor().clamp(0, 2)
        layer = torch.zeros(count, 5, size, size)
        for i, pictures in enumerate(self.levels):
            here = (level == i).nonzero()[:, 0]
            if len(here):
                source = pictures[chosen[here]].float() / 127.5 - 1
                if drawn:
                    colours = FACE.pictures(self.faces.layouts[chosen[here]])
                    source[:, :3] = resize(colours, source.shape[-1])
                source = torch.cat([source, torch.ones_like(source[:, :1])], 1)
                source[:, 3:] += 1  # masks from 0 on: outside is 0
                source[:, 4:] -= 1
                layer[here] = F.grid_sample(source, grid[here], align_corners=False)
        face, head, whole = layer[:, :3], layer[:, 3:4] / 2, layer[:, 4:]
        cut = (torch.rand(count, generator=rng) < 0.5).view(-1, 1, 1, 1)
        face = torch.where(whole > 0, face / whole.clamp(min=1e-3), face).clamp(-1, 1)
        lit = torch.rand(count, generator=rng) < 0.3
        face[lit] = warps.random_colour(face[lit], rng, 0.25)
        return torch.lerp(canvas, face, torch.where(cut, head, whole)), there

    def cover(self, pictures: Tensor, centre: Tensor, side: Tensor, share: float, rng: Generator):
        """Lays something over a part of the faces: hands, hair and microphones do."""
        covered = (torch.rand(len(pictures), generator=rng) < share).nonzero()[:, 0]
        centre, side, under = centre[covered], side[covered], pictures[covered]
        count, size = len(covered), pictures.shape[-1]
        if not count:
            return pictures
        away = uniform(count, 0, 2 * math.pi, rng)
        far, width, height = (
            uniform(count, *r, rng) * side for r in ((0.3, 0.6), (0.15, 0.4), (0.15, 0.4))
        )
        at = centre + far[:, None] * torch.stack([away.cos(), away.sin()], 1)
        y, x = torch.meshgrid(*[torch.arange(size) + 0.5] * 2, indexing="ij")
        across = (x - at[:, 0, None, None]) / width[:, None, None]
        down = (y - at[:, 1, None, None]) / height[:, None, None]
        inside = (across**2 + down**2 < 1)[:, None]  # (n, 1, S, S)
        pictures = pictures.clone()
        pictures[covered] = torch.where(inside, self.backgrounds(count, size, rng), under)
        return pictures

    def finish(self, pictures: Tensor, rng: Generator) -> Tensor:
        """What cameras do: light, softness, grain."""
        small = tuple(pictures.shape[-1] * k // 12 for k in (4, 5, 6, 8))
        pictures = warps.random_blur(warps.random_colour(pictures, rng), rng, small, 0.3)
        return warps.random_noise(pictures, rng).clamp(-1, 1)
