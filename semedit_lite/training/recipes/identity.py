"""The face embedding, distilled from a teacher on generated faces, their edits and their blends.

Cost: about 9 pictures a second for the pool, then about 45 a second, on one CPU core with bf16.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn

from semedit_lite.data import warps
from semedit_lite.data.faces import EVALUATION_SEED, GENERATOR, batch_size, face_generator
from semedit_lite.data.folder import unpack
from semedit_lite.faces.identity import NAME, SIDE, crops
from semedit_lite.hub import FILES, digest, find, write_beside
from semedit_lite.images import to_bytes
from semedit_lite.models.identity import FaceIdentity
from semedit_lite.models.layers import full_precision
from semedit_lite.models.mobilestylegan import ROWS, MobileStyleGAN
from semedit_lite.teachers import teachers
from semedit_lite.training.teachers import MobileFaceNet

PAINTED = 128  # side at which a face is about as sharp as in a photo of head and shoulders
MARGIN = 16  # pixels around a stored face, into which crops shift
PART = 200  # seeds of one file of the pool
EACH = 3  # pictures a seed: the face and two edits of it
HELD = 300  # held-out faces that are compared while it trains
LED = 540  # steps in which stages are taught apart
LIT = 0.3  # share of the faces that the embedding sees in another light
PAIRS = 10.0  # weight of the cosines of pairs


def family(model: MobileStyleGAN, seed: int) -> Tensor:
    """W+ (3, 16, 512) of a face and of two edits of it: a step towards another face, and some rows
    of a third."""
    rng = Generator().manual_seed(seed)
    w = model.mapping(torch.randn(EACH, 512, generator=rng).to(model.mean_w))
    w = model.truncate(w, 0.5 + 0.5 * torch.rand((), generator=rng).item())
    share = 0.2 + 0.6 * torch.rand((), generator=rng).item()
    rows = w[:1, None].repeat(EACH, ROWS, 1)
    rows[1] = torch.lerp(w[0], w[1], share)
    rows[2, torch.rand(ROWS, generator=rng) < 0.5] = w[2]
    return rows


def points(image: Tensor) -> Tensor:
    """The five landmarks (1, 5, 2), in pixels, of a generated face (1, 3, S, S), found by a
    teacher: such faces all lie in much the same place."""
    judge, side = teachers(), image.shape[-1]
    place = {"box": torch.tensor([0.21, 0.29, 0.84, 0.92]) * side}
    place["points6"] = torch.tensor([[0.376, 0.48], [0.624, 0.48]]) * side
    return judge.five_points(judge.mesh(image, place))[None]


@torch.no_grad()
def paint(seeds: list[int], device: str = "cpu") -> Tensor:
    """The families of some seeds as bytes (EACH N, 3, SIDE + 2 MARGIN, SIDE + 2 MARGIN)."""
    model = face_generator(device)
    found = []
    for seed in seeds:
        for rows in family(model, seed).split(batch_size(device)):
            for image in model.synthesis(rows, PAINTED).clamp(-1, 1).cpu().split(1):
                found.append(to_bytes(crops(image, points(image), MARGIN)))
    return torch.cat(found)


def pool(count: int, seed: int, device: str, folder: str | Path | None) -> Tensor:
    """At least `count` crops of faces from `seed` on, in files of PART seeds; those that `folder`
    holds and that the bundled generator made are read, the others painted and kept."""
    from tqdm import tqdm

    made_with = {GENERATOR: digest(find(GENERATOR) / FILES[0])}
    parts = []
    starts = range(seed, seed + -(-count // EACH), PART)
    for start in tqdm(starts, "faces", disable=folder is None and len(starts) < 2):
        path = Path(folder) / f"identity-from-{start}.safetensors" if folder else None
        if path and path.is_file():
            try:
                with safe_open(path, "pt") as file:
                    if file.metadata() == made_with:
                        parts.append(file.get_tensor("faces"))
                        continue
            except SafetensorError:
                pass  # damaged: painted again
        faces = paint(list(range(start, start + PART)), device)
        if path:
            write_beside(path, lambda p, faces=faces: save_file({"faces": faces}, p, made_with))
        parts.append(faces)
    return torch.cat(parts)


class IdentityRecipe:
    """`semedit train face-identity`: teacher and embedding see the same face, some of them the
    embedding in another light, and should see the same in it: at the end of each of three
    stages, and as a vector; and so should the cosines of all pairs in a batch.

    In the first LED steps, half of each batch enters a stage as what the teacher saw, not as what
    the stage before it gives, so that all learn from the first step on. Later none does: batch norm
    would else get used to both.

    The faces never come to an end: half of those in the pool are blended with another, place by
    place, half are bent a little, which to the teacher is somebody else again, half are in a light
    that generated faces never are in, and all are turned and shifted.
    """

    name = NAME
    averaged = ("identity",)

    def __init__(
        self,
        device: str = "cpu",
        batch_size: int = 32,
        rate: float = 2e-3,
        data: str | Path | None = None,
        count: int = 1_800,
    ) -> None:
        self.teacher = MobileFaceNet("a", device)  # first: what is missing shows before the wait
        self.device, self.batch_size = device, batch_size
        self.settings = {"faces": count}
        network = FaceIdentity().to(device, memory_format=torch.channels_last)
        self.networks: dict[str, nn.Module] = {"identity": network}
        self.optimisers = {
            "identity": torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
        }
        self.losses = {"identity": self.loss}
        self.faces = pool(count, 0, device, data)
        self.held = middle(unpack(pool(HELD, EVALUATION_SEED, device, data)[:HELD])).to(device)
        parts = [self.teacher.explain(x)[0] for x in self.held.split(64)]
        # each stage is taught maps of unit size
        self.sizes = [torch.cat(maps).std().item() for maps in zip(*parts, strict=True)]
        self.held_teacher = torch.cat([self.teacher(x) for x in self.held.split(64)])

    def rate(self, progress: float) -> float:
        return min(1.0, 50 * progress + 0.02) * (1 - progress) ** 0.9

    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator().manual_seed(step)
        chosen = torch.randint(len(self.faces), (2, self.batch_size), generator=rng)
        first, second = unpack(self.faces[chosen])
        faces = bend(blend(first, second, rng), rng)
        mirrored = (torch.rand(self.batch_size, generator=rng) < 0.5).view(-1, 1, 1, 1)
        faces = torch.where(mirrored, faces.flip(-1), faces)
        moves = warps.random_affine(len(faces), rng, (0.92, 1.09), 7, 0.05)
        grid = F.affine_grid(moves, [len(faces), 3, SIDE, SIDE], align_corners=False)
        faces = F.grid_sample(faces, grid * (SIDE / faces.shape[-1]), align_corners=False)
        faces = shade(faces, rng)
        views = warps.random_blur(faces, rng, (36, 48, 64, 80), 0.2)
        views = warps.random_noise(warps.random_colour(views, rng, 0.25), rng, 0.04)
        other = (torch.rand(self.batch_size, generator=rng) < LIT).view(-1, 1, 1, 1)
        views = torch.where(other, views, faces)
        layout = {"memory_format": torch.channels_last}
        led = torch.tensor(self.batch_size // 2 if step < LED else 0)
        faces, views = faces.contiguous(**layout), views.contiguous(**layout)
        return {"face": faces, "view": views, "led": led}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        goals, wanted = self.teacher.explain(batch["face"])
        network, x = self.networks["identity"], batch["view"]
        led = int(batch["led"])  # so many go on from what the teacher saw
        hints = []
        for i, (goal, size) in enumerate(zip(goals, self.sizes, strict=True)):
            goal, x = goal / size, network.stage(i, x)
            hints.append(relative(x.float(), goal.float()))
            x = torch.cat([goal[:led].to(x), x[led:]])
        found = network.vectors(x)
        with full_precision(found.device):
            cosines = (found * wanted).sum(1)
            pairs = (found @ found.T - wanted @ wanted.T).pow(2).mean()
        terms = {"cosine": cosines[led:].mean(), "pairs": pairs}
        terms |= {f"stage{i}": hint for i, hint in enumerate(hints, 1)}
        loss = 1 - cosines.mean() + PAIRS * pairs + sum(hints)
        return loss, {name: value.item() for name, value in terms.items()}

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """Faces as the teacher sees them, and below each how the embedding sees it."""
        batch = self.batch(0)
        return torch.cat([batch["face"][:8], batch["view"][:8]])

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """On held-out faces: the mean cosine to the teacher's vectors, and how far the cosines of
        pairs are off (root mean square)."""
        network = networks["identity"]
        parts = [network(torch.cat([x, x.flip(-1)])) for x in self.held.split(64)]
        found = torch.cat([F.normalize(sum(x.chunk(2)), dim=1) for x in parts])
        off = found @ found.T - self.held_teacher @ self.held_teacher.T
        cosine = (found * self.held_teacher).sum(1).mean()
        return {"cosine": cosine.item(), "pairs_off": off.pow(2).mean().sqrt().item()}

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["identity"].save_pretrained(folder / self.name)


def relative(found: Tensor, goal: Tensor) -> Tensor:
    """Mean squared error of maps (B, C, h, w), each channel measured by how much it varies."""
    varies = goal.var((0, 2, 3), keepdim=True)
    return ((found - goal).pow(2) / (varies + 0.1 * varies.mean())).mean()


def middle(faces: Tensor) -> Tensor:
    """Stored faces without their margin, as the teacher sees them."""
    return faces[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def blend(first: Tensor, second: Tensor, rng: Generator, share: float = 0.5) -> Tensor:
    """Faces (B, 3, S, S), a share of them mixed with another by weights that vary over the face."""
    weight = warps.uniform(9 * len(first), -0.5, 1.5, rng).view(-1, 1, 3, 3)
    weight = weight * (torch.rand(len(first), generator=rng) < share).view(-1, 1, 1, 1)
    weight = F.interpolate(weight, first.shape[2:], mode="bilinear", align_corners=True)
    return torch.lerp(first, second, weight.clamp(0, 1))


def shade(faces: Tensor, rng: Generator, most: float = 0.4, share: float = 0.5) -> Tensor:
    """Faces (B, 3, S, S), a share of them in uneven light that has a colour."""
    light = most * torch.randn(len(faces), 1, 3, 3, generator=rng)
    # (B, 1, 3, 3) -> (B, 1, S, S): factors of brightness
    light = F.interpolate(light, faces.shape[2:], mode="bicubic", align_corners=True).exp()
    shaded = warps.random_colour((faces + 1) * light - 1, rng, 0.3)
    chosen = (torch.rand(len(faces), generator=rng) < share).view(-1, 1, 1, 1)
    return torch.where(chosen, shaded, faces)


def bend(faces: Tensor, rng: Generator, most: float = 0.04) -> Tensor:
    """Faces (B, 3, S, S), half of them with their parts moved by about `most` of half the side."""
    b, _, h, w = faces.shape
    moves = most * torch.randn(b, 2, 5, 5, generator=rng)
    moves = moves * (torch.rand(b, generator=rng) < 0.5).view(-1, 1, 1, 1)
    moves = F.interpolate(moves, (h, w), mode="bicubic", align_corners=True)
    still = F.affine_grid(torch.eye(2, 3).expand(b, 2, 3), [b, 3, h, w], align_corners=False)
    grid = still + moves.permute(0, 2, 3, 1)
    return F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
