"""The encoder of faces into W+, trained on generated pairs whose latents are known and, where a
folder of them is given, on photos, of which only the picture is.

Cost: made for a GPU. On two CPU cores a step of 4 pictures takes about 8 seconds.
"""

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from semedit_lite.data.faces import EVALUATION_SEED, GENERATOR, batch_size, mixed_rows
from semedit_lite.data.folder import SUFFIXES, unpack
from semedit_lite.data.warps import uniform
from semedit_lite.errors import InputError
from semedit_lite.faces.identity import framed
from semedit_lite.images import load_photo, reduce, resize, to_bytes, to_tensor
from semedit_lite.metrics import psnr
from semedit_lite.models.encoder import PASSES, SIDE, FaceEncoder, encode
from semedit_lite.models.layers import full_precision
from semedit_lite.models.mobilestylegan import ROWS, MobileStyleGAN
from semedit_lite.training.teachers import MobileFaceNet, lpips

NAME = "face-encoder"
LPIPS, MSE, IDENTITY, LATENT, APART = 1.0, 1.0, 0.4, 0.4, 0.04  # weights of the terms
HELD = 48  # held-out faces, and as many photos where there are some
PHOTOS = 0.3  # share of a batch
MOVED = 0.25  # share of the generated faces that are moved and tinted, so that no latent is theirs


class EncoderRecipe:
    """`semedit train face-encoder`: at both looks the guess should be like the photo, by LPIPS,
    squared error and identity, and its W+ like the true one where that is known.

    EditGAN (section 3.1) weighs 10 LPIPS, 1 squared error and 5 of that of the latents. Ours is
    measured in units of W's variance. Photos and moved faces have no latent; their rows are held
    together instead (`APART`). What the encoder sees is blurred, grainy or covered in part, what
    it should paint is not.
    """

    name = NAME
    averaged = ("encoder",)

    def __init__(
        self,
        device: str = "cpu",
        batch_size: int | None = None,  # 4 on a CPU, 32 on a GPU
        rate: float = 7e-4,
        data: str | Path | None = None,  # a folder of photos, as `semedit align` makes them
    ) -> None:
        self.identity = MobileFaceNet("a", device)  # first: what is missing shows before the wait
        self.distance = lpips(device)
        self.device = torch.device(device)
        self.batch_size = batch_size or (4 if self.device.type == "cpu" else 32)
        self.generator = MobileStyleGAN.from_pretrained(GENERATOR, device).requires_grad_(False)
        network = FaceEncoder().to(device, memory_format=torch.channels_last)
        self.networks: dict[str, nn.Module] = {"encoder": network}
        self.optimisers = {
            "encoder": torch.optim.AdamW(
                network.parameters(), rate, betas=(0.9, 0.98), weight_decay=1e-2
            )
        }
        self.losses = {"encoder": self.loss}
        with torch.no_grad():
            z = torch.randn(4096, 512, generator=Generator().manual_seed(0)).to(device)
            self.variance = self.generator.mapping(z).var(0).mean()
            self.mean = self.generator.synthesis(self.generator.mean_w[None], SIDE)
            seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + HELD))
            self.held_rows = mixed_rows(self.generator, seeds)
            self.held = self.paint(self.held_rows)
        photos = read_photos(data) if data is not None else torch.empty(0, 3, SIDE, SIDE)
        self.held_photos = unpack(photos[:HELD]).to(device)
        self.photos = photos[HELD:].to(device)
        self.settings = {"photos": len(self.photos)}

    def rate(self, progress: float) -> float:
        return min(1.0, 30 * progress + 0.02) * 0.5 * (1 + math.cos(math.pi * progress))

    @torch.no_grad()
    def paint(self, rows: Tensor) -> Tensor:
        """W+ (B, 16, 512) -> whole pictures, reduced to (B, 3, 256, 256)."""
        step = min(16, batch_size(str(self.device)))
        return torch.cat([reduce(self.generator.synthesis(x), SIDE) for x in rows.split(step)])

    @torch.no_grad()
    def batch(self, step: int) -> dict[str, Tensor]:
        rng = Generator(self.device).manual_seed(step)
        real = round(PHOTOS * self.batch_size) if len(self.photos) else 0
        rows = latents(self.generator, self.batch_size - real, rng)
        wanted, known = self.paint(rows), torch.ones(len(rows), device=self.device)
        known[: round(MOVED * len(rows))] = 0
        if real:
            chosen = torch.randint(len(self.photos), (real,), generator=rng, device=self.device)
            wanted = torch.cat([wanted, unpack(self.photos[chosen])])
            known = torch.cat([known, known.new_zeros(real)])
            rows = torch.cat([rows, rows.new_zeros(real, ROWS, 512)])
        free = (known == 0).view(-1, 1, 1, 1)
        wanted = torch.where(free, tint(move(wanted, rng), rng), wanted)
        wanted = wanted.contiguous(memory_format=torch.channels_last)
        return {"wanted": wanted, "seen": spoil(wanted, rng), "rows": rows, "known": known}

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        wanted, known = batch["wanted"], batch["known"]
        with torch.no_grad():
            person = self.person(wanted)
        rows = self.generator.rows(self.generator.mean_w[None]).expand(len(wanted), -1, -1)
        guess = self.mean.expand(len(wanted), -1, -1, -1)
        total, named = torch.zeros((), device=self.device), {}
        for look in range(1, PASSES + 1):
            added = self.networks["encoder"](batch["seen"], guess.detach())
            with full_precision(self.device):
                rows = rows.detach() + added.float()
                # far from W the generator paints what is no picture
                guess = self.generator.synthesis(rows, SIDE).clamp(-1.5, 1.5)
                off = (rows - batch["rows"]).pow(2).mean((1, 2)) / self.variance
                apart = (rows - rows.mean(1, keepdim=True)).pow(2).mean((1, 2)) / self.variance
                terms = {
                    "mse": (guess - wanted).pow(2).mean(),
                    "latent": (off * known).sum() / known.sum().clamp(min=1),
                    "apart": (apart * (1 - known)).mean(),
                }
            terms["lpips"] = self.distance(guess, wanted).float().mean()
            terms["identity"] = 1 - (self.person(guess) * person).sum(1).mean()
            weights = {"mse": MSE, "latent": LATENT, "apart": APART}
            weights |= {"lpips": LPIPS, "identity": IDENTITY}
            total = total + sum(weights[key] * value for key, value in terms.items())
            named |= {f"{key}{look}": value.detach() for key, value in terms.items()}
        return total, {key: value.item() for key, value in named.items()}

    def person(self, image: Tensor) -> Tensor:
        """Faces in the generator's framing (B, 3, 256, 256) -> unit vectors (B, 128)."""
        return F.normalize(self.identity.end(self.identity.maps(framed(image))[-1]).float(), dim=1)

    @torch.no_grad()
    def guesses(self, networks: dict[str, nn.Module], wanted: Tensor) -> tuple[Tensor, Tensor]:
        parts = [encode(networks["encoder"], self.generator, x) for x in wanted.split(16)]
        return torch.cat([rows for rows, _ in parts]), torch.cat([guess for _, guess in parts])

    def preview(self, networks: dict[str, nn.Module]) -> Tensor:
        """Columns of a picture and its guess, eight generated faces and eight photos."""
        wanted = torch.cat([self.held[:8], self.held_photos[:8]])
        return torch.cat([wanted, self.guesses(networks, wanted)[1]])

    @torch.no_grad()
    def evaluate(self, networks: dict[str, nn.Module]) -> dict[str, float]:
        """LPIPS, PSNR and identity on held-out faces and on held-out photos, and how far the known
        latents are off, in W's variance."""
        result = {}
        for name, wanted in (("faces", self.held), ("photos", self.held_photos)):
            if not len(wanted):
                continue
            rows, guess = self.guesses(networks, wanted)
            parts = list(zip(guess.split(16), wanted.split(16), strict=True))
            far = torch.cat([self.distance(a, b) for a, b in parts]).mean().item()
            alike = [(self.person(a) * self.person(b)).sum(1) for a, b in parts]
            errors = (guess - wanted).pow(2).mean((1, 2, 3))
            result |= {
                f"{name}_lpips": far,
                f"{name}_psnr": sum(map(psnr, errors)) / len(errors),
                f"{name}_identity": torch.cat(alike).mean().item(),
            }
            if name == "faces":
                off = (rows - self.held_rows).pow(2).mean() / self.variance
                result["faces_latent"] = off.item()
        return result

    def export(self, networks: dict[str, nn.Module], folder: Path) -> None:
        networks["encoder"].save_pretrained(folder / self.name)


def read_photos(folder: str | Path) -> Tensor:
    """The pictures of a folder as bytes (N, 3, 256, 256); InputError where there are too few."""
    files = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in SUFFIXES)
    if len(files) <= HELD:
        raise InputError(
            f"'{folder}' holds {len(files)} pictures, and {HELD} are held out; `semedit align "
            "PHOTOS -o FOLDER` makes more."
        )
    read = (resize(to_tensor(load_photo(path)), SIDE) for path in files)
    return torch.cat([to_bytes(image.clamp(-1, 1)) for image in read])


def latents(model: MobileStyleGAN, count: int, rng: Generator) -> Tensor:
    """W+ (count, 16, 512) of random faces: a third of one w, a third that changes to another at
    some row (style mixing), a third whose rows each lie a little towards another."""
    device = rng.device
    w = model.mapping(torch.randn(2 * count, 512, generator=rng, device=device))
    truncation = 0.5 + 0.5 * torch.rand(2 * count, 1, generator=rng, device=device)
    first, second = (model.mean_w + truncation * (w - model.mean_w)).chunk(2)
    kind = torch.randint(3, (count, 1, 1), generator=rng, device=device)
    change = torch.randint(1, ROWS, (count, 1, 1), generator=rng, device=device)
    crossed = torch.arange(ROWS, device=device).view(1, ROWS, 1) >= change
    shares = 0.5 * torch.rand(count, ROWS, 1, generator=rng, device=device)
    share = torch.where(kind == 1, crossed.float(), torch.where(kind == 2, shares, 0.0))
    return torch.lerp(first[:, None], second[:, None], share)


def move(images: Tensor, rng: Generator) -> Tensor:
    """Images (B, 3, S, S), half of them mirrored, all shifted, turned and scaled a little: as a
    finder's framing may be off."""
    b = len(images)
    scale, angle = uniform((b,), 0.95, 1.05, rng), uniform((b,), -0.07, 0.07, rng)
    mirror = torch.where(uniform((b,), 0, 1, rng) < 0.5, -1.0, 1.0)
    shift = uniform((2, b), -0.04, 0.04, rng)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([cos * mirror, -sin, shift[0], sin * mirror, cos, shift[1]], 1)
    grid = F.affine_grid(matrix.view(b, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def tint(images: Tensor, rng: Generator) -> Tensor:
    """Images (B, 3, S, S) in another light: contrast, brightness and a colour."""
    b = len(images)
    gain = uniform((b, 1, 1, 1), 0.8, 1.15, rng) * uniform((b, 3, 1, 1), 0.94, 1.06, rng)
    return (images * gain + uniform((b, 1, 1, 1), -0.12, 0.12, rng)).clamp(-1, 1)


def spoil(images: Tensor, rng: Generator) -> Tensor:
    """Images (B, 3, S, S) as a poor photo shows them: a third soft, all grainy, a fifth with a
    rectangle of some colour before the face."""
    b, _, side, _ = images.shape
    small = side // int(torch.randint(2, 5, (), generator=rng, device=rng.device))
    soft = F.interpolate(images, (small, small), mode="bilinear", antialias=True)
    soft = F.interpolate(soft, (side, side), mode="bilinear")
    images = torch.where(uniform((b, 1, 1, 1), 0, 1, rng) < 0.33, soft, images)
    grain = torch.randn(images.shape, generator=rng, device=rng.device)
    images = images + uniform((b, 1, 1, 1), 0, 0.06, rng) * grain
    at = torch.linspace(0, 1, side, device=rng.device)
    centre, half = uniform((2, b, 1), 0.05, 0.95, rng), uniform((2, b, 1), 0.03, 0.15, rng)
    down, across = ((at - centre).abs() < half).unbind(0)  # (B, S) each
    covered = down[:, None, :, None] & across[:, None, None, :]
    covered = covered & (uniform((b, 1, 1, 1), 0, 1, rng) < 0.2)
    return torch.where(covered, uniform((b, 3, 1, 1), -1, 1, rng), images)
