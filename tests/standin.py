"""An editor with sliders whose faces are a few ellipses: fast, exact, and held up as a test asks.

It stands in for `editing.sliders.SliderEditor` where a test is about the page.
"""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from PIL import Image, ImageDraw
from safetensors import SafetensorError
from safetensors import torch as safetensors

from semedit_lite.editing.compositing import changed
from semedit_lite.editing.document import Document
from semedit_lite.editing.scorecard import scorecard
from semedit_lite.errors import InputError
from semedit_lite.faces.align import align
from semedit_lite.images import to_pil
from semedit_lite.labels import FACE, FACE_FINE
from semedit_lite.photo import read_photo

SIZE = 256
MOUTH, BROWS, HAIR, TONE = range(4)  # what the first numbers of a latent say


def drawn(latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A latent (1, 16, 512) -> picture (1, 3, 256, 256), layout (1, 256, 256)."""
    mouth, brows, hair, tone = (float(v) for v in latent[0, 0, :4])
    canvas = Image.new("L", (SIZE, SIZE))
    draw = ImageDraw.Draw(canvas)

    def ellipse(name, x, y, rx, ry):
        draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=FACE.id(name))

    ellipse("hair", 128, 120 + 8 * hair, 92, 100 + 8 * hair)
    ellipse("skin", 128, 136, 70, 88)
    for side, x in (("r", 98), ("l", 158)):
        ellipse(f"{side}_brow", x, 96 - 6 * brows, 20, 4)
        ellipse(f"{side}_eye", x, 114, 14, 7)
    ellipse("nose", 128, 140, 12, 20)
    ellipse("u_lip", 128, 180, 24 + 8 * mouth, 10)
    ellipse("mouth", 128, 182, 18 + 8 * mouth, 5)
    layout = torch.tensor(canvas.get_flattened_data()).view(1, SIZE, SIZE)
    picture = FACE.pictures(layout) * 0.8 + 0.1 * tone
    return picture.clamp(-1, 1), layout


@dataclass(frozen=True, eq=False)
class Vector:
    """A move of the latent, 1 of one number."""

    title: str
    delta: torch.Tensor  # (1, 16, 512)
    classes: tuple[str, ...]
    range: tuple[float, float] = (-2.0, 2.0)
    generator: str = "ellipses"

    @property
    def nbytes(self):
        return self.delta.nbytes

    def to_bytes(self):
        about = {"title": self.title, "classes": self.classes, "generator": self.generator}
        return safetensors.save({"delta": self.delta}, {"slider": json.dumps(about)})


def vector(title, number, *classes):
    delta = torch.zeros(1, 16, 512)
    delta[0, 0, number] = 1
    return Vector(title, delta, classes)


class StandIn:
    """The editor. Each step of what takes long waits until `let_go` is set."""

    def __init__(self):
        self.vectors = {
            "smile": vector("Smile", MOUTH, "mouth", "u_lip", "l_lip"),
            "brows-up": vector("Brows up", BROWS, "l_brow", "r_brow"),
            "hair-longer": vector("Hair longer", HAIR, "hair"),
            "glasses": vector("Glasses", TONE, "eye_g"),
        }
        self.let_go = threading.Event()
        self.let_go.set()
        self.stepped = threading.Event()  # what takes long has made a step
        self.asked = []  # what sliders were looked at

    def document(self, latent, operation, **options):
        image, layout = drawn(latent)
        return Document(image, layout, operation, latent=latent, **options)

    def open(self, photo, face=None, progress=None):
        if isinstance(photo, int):
            generator = torch.Generator().manual_seed(photo)
            latent = torch.zeros(1, 16, 512)
            latent[0, 0, :4] = torch.rand(4, generator=generator)
            return self.document(latent, {"tool": "generate", "seed": photo})
        photo, upright = read_photo(photo)
        found = align(upright, self.parser(), SIZE, face)
        latent = torch.zeros(1, 16, 512)
        progress(1.0)
        return self._found(found, photo, latent, start=0)

    @staticmethod
    def parser():
        from semedit_lite.models.parser import FaceParser

        return FaceParser.from_pretrained("face-parser")

    @staticmethod
    def _found(alignment, photo, latent, start):
        return Document(
            alignment.image,
            alignment.layout,
            {"tool": "invert", "start": start},
            latent=latent,
            photo=photo,
            alignment=alignment,
        )

    def retry(self, document, progress=None):
        start = document.operation["start"] + 1
        latent = document.latent.clone()
        latent[0, 0, TONE] = start
        return self._found(document.alignment, document.photo, latent, start)

    def inversion(self, document):
        picture = to_pil(drawn(document.latent)[0])
        return SimpleNamespace(picture=picture, poor=document.operation["start"] == 0)

    def _moved(self, document, values, own):
        there, was = {**self.vectors, **own}, document.operation.get("values", {})
        moves = ((name, values.get(name, 0) - was.get(name, 0)) for name in {**values, **was})
        return document.latent + sum(by * there[name].delta for name, by in moves if by)

    def slide(self, document, values, *, own):
        self.asked.append(values)
        return to_pil(drawn(self._moved(document, values, own))[0])

    def _edited(self, document, latent, operation, classes):
        image, layout = drawn(latent)
        mask = changed(document.layout, layout)
        card = scorecard(document.image, image, layout, layout, mask, 0.1, FACE_FINE, 0.9)
        card["classes"] = {
            name: score for name, score in card["classes"].items() if name in classes
        }
        return self.document(latent, operation, parent=document, scores=card)

    def _steps(self, count, document, latent, on_step, stop):
        """How far it came: the part of the way from the document to a latent."""
        for k in range(count):
            if stop():
                return k / count
            assert self.let_go.wait(60)
            done = (k + 1) / count
            on_step(k + 1, 1 - done, to_pil(drawn(document.latent.lerp(latent, done))[0]))
            self.stepped.set()
        return 1.0

    def finish(self, document, values, *, own, refine=0, on_step=None, stop=None):
        latent = self._moved(document, values, own)
        self._steps(refine, document, latent, on_step, stop)
        record = {"tool": "sliders", "values": values, "refine": refine}
        return self._edited(document, latent, record, [])

    def repaint(self, document, parts, *, steps, on_step, stop):
        painted = parts[changed(document.layout, parts)]
        classes = [FACE_FINE.classes[k] for k in painted.unique()]
        latent = document.latent.clone()
        latent[0, 0, BROWS] += 1
        latent = document.latent.lerp(latent, self._steps(steps, document, latent, on_step, stop))
        record = {"tool": "repaint parts", "classes": classes, "steps": steps}
        return self._edited(
            document, latent, record | {"values": document.operation.get("values", {})}, classes
        )

    def uncertainty(self, document):
        edge = document.layout[0] != document.layout[0].roll(1, 0)
        return edge.float() * 0.5

    def vector_of(self, document, title):
        if document.operation["tool"] != "repaint parts":
            raise InputError("This step was not made by painting parts; apply a part map first.")
        return Vector(title, document.latent - document.parent.latent, ("skin",))

    def load(self, data):
        try:
            delta, about = safetensors.load(data)["delta"], _about(data)
        except (SafetensorError, KeyError, ValueError):
            raise InputError(
                "This is not a slider, or it is damaged; choose another file."
            ) from None
        if about["generator"] != "ellipses":
            raise InputError(
                f"This slider was made for the generator '{about['generator']}', not for ours."
            )
        return Vector(about["title"], delta, tuple(about["classes"]))


def _about(data: bytes) -> dict:
    length = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["slider"])


def write(vector: Vector, path: Path) -> Path:
    path.write_bytes(vector.to_bytes())
    return path
