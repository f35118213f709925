"""Any folder of pictures with a folder of label PNGs beside it, for any `LabelSet`."""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from semedit_lite.errors import InputError
from semedit_lite.images import load_layout, load_photo, resize, resize_layout, to_bytes, to_tensor
from semedit_lite.labels import LabelSet

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Folder(Dataset):
    """Pairs `images/NAME.jpg` with `labels/NAME.png`, whose pixel values are class ids.

    An item is {"image" (3, size, size) in [-1, 1], "layout" (size, size) long}; `names` holds the
    stems in order. Pictures that are not square are squeezed to a square. `names` may also be
    given, to choose some. InputError where a label is missing or does not fit the label set, a
    name is unknown, or two pictures share a stem and so a label.
    """

    def __init__(
        self,
        images: str | Path,
        labels: str | Path,
        label_set: LabelSet,
        size: int,
        names: list[str] | None = None,
    ) -> None:
        self.images, self.labels = Path(images), Path(labels)
        if not self.images.is_dir():
            raise InputError(f"There is no folder '{self.images}'.")
        files: dict[str, Path] = {}
        for path in sorted(self.images.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                other = files.setdefault(path.stem, path)
                if other != path:
                    raise InputError(
                        f"'{other.name}' and '{path.name}' in '{self.images}' would share one "
                        "layout; rename one of them."
                    )
        self.names = list(files) if names is None else list(names)
        for name in self.names:
            if name not in files:
                raise InputError(f"'{self.images}' holds no picture named '{name}'.")
        self.files = [files[name] for name in self.names]
        if not self.files:
            raise InputError(f"'{self.images}' holds no pictures ({', '.join(SUFFIXES)}).")
        for name in self.names:
            if not (self.labels / f"{name}.png").is_file():
                raise InputError(f"'{name}' has no layout: '{self.labels}' needs '{name}.png'.")
        self.label_set, self.size = label_set, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        path = self.files[index]
        image = resize(to_tensor(load_photo(path)), self.size)[0].clamp(-1, 1)
        layout = load_layout(self.labels / f"{path.stem}.png", self.label_set)
        return {"image": image, "layout": resize_layout(layout, self.size)[0]}


def in_memory(dataset: Dataset, count: int | None = None) -> tuple[Tensor, Tensor]:
    """A whole dataset as bytes: images (N, 3, S, S) and layouts (N, S, S), both uint8. Image
    bytes are 0 to 255; `unpack` turns them back."""
    items = (dataset[i] for i in range(len(dataset) if count is None else count))
    pairs = [(to_bytes(item["image"]), item["layout"].to(torch.uint8)) for item in items]
    images, layouts = zip(*pairs, strict=True)
    return torch.stack(images), torch.stack(layouts)


def unpack(image: Tensor) -> Tensor:
    """uint8 -> float in [-1, 1]."""
    return image.float() / 127.5 - 1
