"""Weights: saving, finding and loading them, strictly and without pickle.

A checkpoint is a folder with `model.safetensors`, `config.json` (the constructor's arguments) and
a card. `from_pretrained(NAME)` looks for it as a path, among the bundled weights, in the Hub's
cache, on the Hub (`semedit/NAME` as pinned below), in this order. With SEMEDIT_WEIGHTS=hub, which
Spaces set, the cache and the Hub come before the bundled weights; `notes()` says where these had to
stand in.
"""

import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import secrets
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semedit_lite import download
from semedit_lite.download import OWNER, HubError
from semedit_lite.errors import InputError

BUNDLED = Path(__file__).parent / "weights"
FILES = ("model.safetensors", "config.json")


class Pin(NamedTuple):
    """What was published: the commit on the Hub, and the SHA-256 of each of FILES."""

    revision: str
    weights: str
    config: str


PINS: dict[str, Pin] = {}  # NAME -> what `semedit push NAME` printed

_fallbacks: dict[str, HubError] = {}  # NAME -> why the bundled weights stand in for the Hub's
_one_at_a_time = threading.Lock()


def write_beside(path: str | Path, write: Callable[[Path], None]) -> None:
    """Calls `write(temporary)` beside `path`, then renames: a kill or a full disk leaves the old
    file as it was and no rubbish that anyone could take for the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}-{secrets.token_hex(8)}{path.suffix}")
    try:
        beside.touch()
        mode = beside.stat().st_mode  # the user's umask; safetensors would keep its files private
        write(beside)
        beside.chmod(mode)
        with open(beside, "r+b") as file:  # Windows flushes only what may be written
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def find(name: str | Path) -> Path:
    """The folder that holds the checkpoint NAME; InputError says how to get it where it is not."""
    if Path(name).is_dir():
        return _whole(Path(name))
    name, bundled = str(name), BUNDLED / name
    if bundled.is_dir():
        hub_first = os.environ.get("SEMEDIT_WEIGHTS") == "hub"
        return (_before_bundled(name) if hub_first else None) or _whole(bundled)
    if name in PINS:
        return cached(name) or _fetch(name)
    known = sorted({f.parent.name for f in BUNDLED.glob(f"*/{FILES[0]}")} | set(PINS))
    raise InputError(
        f"There are no weights '{name}'; there are {', '.join(known) or 'none'}. "
        f"`semedit train` makes your own; pass the folder it wrote."
    )


def notes() -> list[str]:
    """Which weights SEMEDIT_WEIGHTS=hub wanted and the package had to give: one sentence for each
    reason."""
    names: dict[str, list[str]] = {}
    for name, error in list(_fallbacks.items()):
        names.setdefault(error.reason, []).append(f"'{name}'")
    return [
        f"The weights {', '.join(those)} come with the app: {reason}."
        for reason, those in names.items()
    ]


def _whole(folder: Path) -> Path:
    if all((folder / file).is_file() for file in FILES):
        return folder
    raise InputError(f"'{folder}' is no checkpoint: it needs {' and '.join(FILES)}.")


def _before_bundled(name: str) -> Path | None:
    """The Hub's weights NAME, or None where they cannot be had. That is found out once in the life
    of the process, for all weights where the Hub is silent: an app must start in time."""
    with _one_at_a_time:
        if name in _fallbacks:
            return None
        silent = next((error for error in _fallbacks.values() if error.silent), None)
        try:
            if name not in PINS:
                raise HubError(
                    name, "they are not on the Hub yet", "`semedit push` puts them there"
                )
            folder = cached(name)
            if folder is None and silent:
                raise silent
            return folder or _fetch(name)
        except HubError as error:
            _fallbacks[name] = error
            return None


# The Hub --------------------------------------------------------------------------------------


def cached(name: str) -> Path | None:
    """The folder in the Hub's cache that holds the pinned weights NAME; None where there is none.
    Files that are not the pinned ones are deleted."""
    folder = _cache(name)
    with suppress(OSError):  # a file that is missing, a cache that may not be read or written
        for file, pinned in zip(FILES, PINS[name][1:], strict=True):
            if digest(folder / file) != pinned:
                (folder / file).unlink()
                return None
        return folder
    return None


def pack(target: Path) -> list[str]:
    """Copies the pinned weights that the package lacks to `target`/NAME; returns their names."""
    names = [name for name in sorted(PINS) if not (BUNDLED / name).is_dir()]
    for name in names:
        folder = find(name)
        (target / name).mkdir(parents=True, exist_ok=True)
        for file in FILES:
            shutil.copyfile(folder / file, target / name / file)
    return names


class Copy(NamedTuple):
    """One copy of weights. `place` is "bundled", "cached" or, for what is pinned, "Hub"; `size` is
    that of the weights in bytes; `weights` and `config` are SHA-256."""

    name: str
    place: str
    folder: Path | None
    size: int | None
    weights: str
    config: str


def copies() -> list[Copy]:
    """All weights there are, by name: in the package, in the Hub's cache, on the Hub."""

    def here(name: str, place: str, folder: Path) -> Copy:
        size = (folder / FILES[0]).stat().st_size
        return Copy(name, place, folder, size, *(digest(folder / file) for file in FILES))

    bundled = {path.parent.name for path in BUNDLED.glob(f"*/{FILES[0]}")}
    found = []
    for name in sorted(bundled | set(PINS)):
        if name in bundled:
            found.append(here(name, "bundled", _whole(BUNDLED / name)))
        if name in PINS:
            if folder := cached(name):
                found.append(here(name, "cached", folder))
            found.append(Copy(name, "Hub", None, None, PINS[name].weights, PINS[name].config))
    return found


def _cache(name: str) -> Path:
    try:
        from huggingface_hub import constants
    except ImportError:
        raise HubError(
            name, "huggingface_hub is not installed", "`pip install huggingface_hub`"
        ) from None
    return Path(
        constants.HF_HUB_CACHE, f"models--{OWNER}--{name}", "snapshots", PINS[name].revision
    )


def _fetch(name: str) -> Path:
    """Downloads the pinned weights NAME into the Hub's cache: FILES and nothing else, each kept
    only if its digest is the pinned one."""
    folder = _cache(name)
    for file, pinned in zip(FILES, PINS[name][1:], strict=True):
        content = download.get(name, PINS[name].revision, file)
        if hashlib.sha256(content).hexdigest() != pinned:
            raise HubError(
                name,
                f"{file} on the Hub is not the one that was published",
                "update semedit, and report it if that does not help",
            )
        try:
            write_beside(folder / file, lambda path, content=content: path.write_bytes(content))
        except OSError as error:
            raise HubError(
                name,
                f"they could not be kept ({error.strerror}: '{error.filename}')",
                "make room, or let HF_HOME name another folder",
            ) from None
    return folder


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; InputError for anything else, a pickle above all."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"'{path.name}' is not a .safetensors file; no other kind is read.")
    try:
        return load_file(path)
    except FileNotFoundError:
        raise InputError(f"There is no file '{path}'.") from None
    except SafetensorError:
        raise InputError(
            f"'{path.name}' is not a safetensors file (pickles are refused); download or train it "
            "again."
        ) from None


def digest(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Pretrained:
    """Mixin for an nn.Module whose constructor takes JSON-able keyword arguments only.

    The arguments are kept in `self.config`, so that a checkpoint can build its network again.
    """

    config: dict[str, Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        init = cls.__init__

        def remember(self, **arguments: Any) -> None:
            if type(self) is cls:
                defaults = {
                    key: p.default
                    for key, p in inspect.signature(init).parameters.items()
                    if p.default is not p.empty
                }
                config = defaults | arguments
            init(self, **arguments)
            if type(self) is cls:
                self.config = config

        remember.__wrapped__ = init
        remember.__doc__ = init.__doc__
        cls.__init__ = remember

    @classmethod
    def from_pretrained(cls, name: str | Path, device: str | torch.device = "cpu") -> Self:
        """The network with the weights NAME (bundled, or on the Hub) or of a folder, in eval mode
        and float32. InputError where they are missing or do not fit."""
        folder = find(name)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            kind = config.get("class", cls.__name__)
            if kind not in [known.__name__ for known in cls.__mro__]:
                raise TypeError(f"but a {kind}")
            model = cls(**{key: value for key, value in config.items() if key != "class"})
        except (ValueError, TypeError, AttributeError, LookupError, RuntimeError) as error:
            why = " ".join(str(error).split())[:200]
            raise InputError(
                f"'{folder.name}/config.json' does not describe a {cls.__name__} ({why})."
            ) from None
        weights = read_weights(folder / "model.safetensors")
        try:
            model.load_state_dict({key: value.float() for key, value in weights.items()})
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise InputError(
                f"The weights in '{folder.name}' do not fit its config.json: {first}"
            ) from None
        for weight in model.parameters():
            if weight.dim() == 4:  # convolutions on a CPU take half to two thirds of the time
                weight.data = weight.data.to(memory_format=torch.channels_last)
        return model.to(device).eval().requires_grad_(False)

    def save_pretrained(
        self, folder: str | Path, dtype: torch.dtype = torch.float16, card: str | None = None
    ) -> None:
        """Writes model.safetensors (floats as `dtype`), config.json and, if given, the card."""
        folder = Path(folder)
        weights = {
            key: (value.to(dtype) if value.is_floating_point() else value).cpu().contiguous()
            for key, value in self.state_dict().items()
        }
        config = {"class": type(self).__name__, **self.config}
        write_beside(folder / "model.safetensors", lambda path: save_file(weights, path))
        text = json.dumps(config, indent=2) + "\n"
        write_beside(folder / "config.json", lambda path: path.write_text(text, encoding="utf-8"))
        if card is not None:
            write_beside(folder / "README.md", lambda path: path.write_text(card, encoding="utf-8"))


def network(folder: Path) -> nn.Module:
    """The network of a checkpoint, loaded, of whichever class in `models/` its config.json names.
    InputError where anything does not fit."""
    from semedit_lite import models

    text = (_whole(folder) / "config.json").read_bytes()
    try:
        name = json.loads(text).get("class")
    except (ValueError, AttributeError) as error:  # no JSON, or no object
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"'{folder.name}/config.json' does not describe a network ({why})."
        ) from None
    for module in pkgutil.iter_modules(models.__path__):
        found = getattr(
            importlib.import_module(f"{models.__name__}.{module.name}"), str(name), None
        )
        if inspect.isclass(found) and issubclass(found, Pretrained):
            return found.from_pretrained(folder)
    raise InputError(f"'{folder.name}/config.json' names '{name}', which is no network of models/.")


def parameters(model: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(p.numel() for p in model.parameters())
