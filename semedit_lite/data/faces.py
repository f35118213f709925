"""The main domain: endless photorealistic faces with their layouts and latents, by seed.

The generator paints seed s, the parser labels the picture. Seeds below 1,000,000 are for training,
those from 1,000,000 on for evaluation. Nothing is downloaded and nothing needs to be stored; a
cache on disk only saves the time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count as count_up
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor
from torch.utils.data import Dataset

from semedit_lite.data.folder import unpack
from semedit_lite.errors import InputError
from semedit_lite.faces.parse import NAME as PARSER
from semedit_lite.faces.parse import face_parser, parse
from semedit_lite.hub import FILES, digest, find, write_beside
from semedit_lite.images import resize, to_bytes
from semedit_lite.models.mobilestylegan import ROWS, MobileStyleGAN

GENERATOR = "mobilestylegan-ffhq"
EVALUATION_SEED = 1_000_000
PAINTED = 256  # smaller pictures are painted at this side, parsed, and then reduced
TRUNCATION = 0.7


@lru_cache(maxsize=2)
def face_generator(device: str = "cpu") -> MobileStyleGAN:
    """The bundled generator, loaded once."""
    return MobileStyleGAN.from_pretrained(GENERATOR, device)


def batch_size(device: str) -> int:
    """How many faces are painted at once: on a CPU one by one, which takes less than half of the
    time (what a batch needs no longer fits the memory that the allocator keeps)."""
    return 1 if torch.device(device).type == "cpu" else 64


@torch.no_grad()
def paint(seeds: list[int], size: int, device: str = "cpu") -> dict[str, Tensor]:
    """The faces of some seeds: image (B, 3, size, size) in [-1, 1], layout (B, size, size) long,
    latent w (B, 512). `size` is any up to 256, or 512 or 1024."""
    painted = max(PAINTED, size)
    image, rows = face_generator(device).sample(seeds, painted, TRUNCATION)
    image = image.clamp(-1, 1)
    layout = parse(image, size, face_parser(device))
    return {"image": resize(image, size).clamp(-1, 1), "layout": layout, "latent": rows[:, 0]}


def faces(
    count: int | None = None, size: int = 256, seed: int = 0, device: str = "cpu"
) -> Iterator[dict[str, Tensor]]:
    """Samples of the seeds from `seed` on, without end where `count` is None.

    A sample is {"image" (3, size, size), "layout" (size, size), "latent" W+ (16, 512)}."""
    step = batch_size(device)
    for start in count_up(seed, step):
        left = step if count is None else min(step, seed + count - start)
        if left <= 0:
            return
        batch = paint(list(range(start, start + left)), size, device)
        for i in range(left):
            yield _sample(batch["image"][i], batch["layout"][i], batch["latent"][i])


def _sample(image: Tensor, layout: Tensor, w: Tensor) -> dict[str, Tensor]:
    return {"image": image, "layout": layout, "latent": w.float().expand(ROWS, -1)}


def mixed_rows(model: MobileStyleGAN, seeds: list[int]) -> Tensor:
    """W+ (B, 16, 512) of random faces; every second one changes style at a random row, so that
    heads also learn latents whose rows differ (style mixing, StyleGAN section 3.1)."""
    rows = []
    for seed in seeds:
        rng = Generator().manual_seed(seed)
        w = model.mapping(torch.randn(2, 512, generator=rng).to(model.mean_w))
        w = model.truncate(w, 0.5 + 0.5 * torch.rand((), generator=rng).item())
        change = int(torch.randint(1, ROWS, (), generator=rng)) if seed % 2 else ROWS
        first = (torch.arange(ROWS, device=w.device) < change)[:, None]
        rows.append(torch.where(first, w[0], w[1]))
    return torch.stack(rows)


@dataclass
class Bank:
    """Many faces in memory, as bytes."""

    images: Tensor  # (N, 3, S, S) uint8; `unpack` makes floats of it
    layouts: Tensor  # (N, S, S) uint8
    latents: Tensor  # (N, 512) fp16

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def paint(cls, count: int, size: int, seed: int, device: str = "cpu", show: bool = False):
        """Paints and labels `count` faces."""
        from tqdm import tqdm

        batch = batch_size(device)
        parts = []
        starts = range(seed, seed + count, batch)
        for start in tqdm(starts, "faces", disable=not show, mininterval=1.0):
            seeds = list(range(start, min(start + batch, seed + count)))
            painted = paint(seeds, size, device)
            parts.append((
                to_bytes(painted["image"]).cpu(),
                painted["layout"].to(torch.uint8).cpu(),
                painted["latent"].half().cpu(),
            ))  # fmt: skip
        return cls(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def save(self, path: str | Path) -> None:
        tensors = {"images": self.images, "layouts": self.layouts, "latents": self.latents}
        write_beside(path, lambda file: save_file(tensors, file, made_with()))

    @classmethod
    def open(cls, path: str | Path, count: int) -> "Bank":
        """The first `count` faces of a saved bank; InputError where it holds fewer, is damaged or
        was not made with the weights that are bundled now."""
        try:
            with safe_open(path, "pt") as file:
                if file.metadata() != made_with():
                    raise InputError(f"'{path}' was made with other weights; make it again.")
                parts = [file.get_slice(key) for key in ("images", "layouts", "latents")]
                if parts[0].get_shape()[0] < count:
                    raise InputError(f"'{path}' holds fewer than {count} faces; make it again.")
                return cls(*(part[:count] for part in parts))
        except SafetensorError:
            raise InputError(f"'{path}' is damaged; make it again.") from None


def made_with() -> dict[str, str]:
    """What the faces of all seeds depend on, which a cache keeps as its metadata: digests of both
    networks' weights, and the truncation."""
    weights = {name: digest(find(name) / FILES[0]) for name in (GENERATOR, PARSER)}
    return weights | {"truncation": str(TRUNCATION)}


def bank(
    count: int, size: int, seed: int, device: str = "cpu", folder: str | Path | None = None
) -> Bank:
    """`count` faces from `seed` on; read from the cache `folder` (see `cache_path`) where they
    are there and up to date, painted and, given a folder, kept there where they are not."""
    if folder is None:
        return Bank.paint(count, size, seed, device, show=True)
    path = cache_path(folder, size, seed)
    if path.is_file():
        try:
            return Bank.open(path, count)
        except InputError:
            pass  # too few, out of date or damaged: paint them all
    found = Bank.paint(count, size, seed, device, show=True)
    found.save(path)
    return found


def cache_path(folder: str | Path, size: int, seed: int) -> Path:
    """Where `semedit data faces` keeps the faces of this size from this seed on."""
    return Path(folder) / f"faces-{size}-from-{seed}.safetensors"


class Faces(Dataset):
    """`count` faces from `seed` on as a map-style dataset; items as those of `faces`.

    With `folder`, from the cache there; without, each item is painted when it is asked for.
    `device` is where faces are painted; those from a cache are on the CPU."""

    def __init__(
        self,
        count: int,
        size: int = 256,
        seed: int = 0,
        folder: str | Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.count, self.size, self.seed, self.device = count, size, seed, device
        self.bank = bank(count, size, seed, device, folder) if folder is not None else None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < self.count:
            raise IndexError(index)
        if self.bank is None:
            return next(faces(1, self.size, self.seed + index, self.device))
        at = self.bank
        return _sample(unpack(at.images[index]), at.layouts[index].long(), at.latents[index])
