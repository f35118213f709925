"""Weights: saving, finding and loading them, strictly and without pickle.

A checkpoint is a folder with `model.safetensors`, `config.json` (the constructor's arguments) and
a card. `from_pretrained(NAME)` looks for it as a path, among the bundled weights, in the Hub's
cache, on the Hub (`semedit/NAME` at the revision pinned below), in this order.
"""

import hashlib
import inspect
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from semedit_lite.errors import InputError

BUNDLED = Path(__file__).parent / "weights"
FILES = ("model.safetensors", "config.json")
REVISIONS: dict[str, str] = {}  # NAME -> commit on the Hub, once it is published


def offline() -> bool:
    """True where the user refused the network, by OFFLINE=1 or the Hub's own HF_HUB_OFFLINE=1."""
    return any(os.environ.get(key, "0") not in ("", "0") for key in ("OFFLINE", "HF_HUB_OFFLINE"))


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
    for folder in (Path(name), BUNDLED / str(name)):
        if folder.is_dir():
            if all((folder / file).is_file() for file in FILES):
                return folder
            raise InputError(f"'{folder}' is no checkpoint: it needs {' and '.join(FILES)}.")
    if str(name) in REVISIONS:
        return _from_hub(str(name))
    known = sorted(f.name for f in BUNDLED.glob("*") if (f / FILES[0]).is_file())
    raise InputError(
        f"There are no weights '{name}'; bundled are {', '.join(known) or 'none'}. "
        f"`semedit train` makes your own; pass the folder it wrote."
    )


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise InputError("To fetch weights, `pip install huggingface_hub`.") from None
    try:
        folder = snapshot_download(
            f"semedit/{name}",
            revision=REVISIONS[name],
            allow_patterns=list(FILES),
            local_files_only=offline(),
        )
    except LocalEntryNotFoundError:
        raise InputError(
            f"The weights '{name}' are not on this machine and the network is off; "
            f"run `semedit weights fetch {name}` where there is one."
        ) from None
    except HfHubHTTPError as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"The weights '{name}' could not be fetched ({why}).") from None
    return Path(folder)


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

    def push_to_hub(self, name: str, folder: str | Path, token: str | None = None) -> str:
        """Uploads a saved folder as `semedit/NAME`; returns the commit to pin in REVISIONS."""
        if offline():
            raise InputError("OFFLINE=1 refuses the network; unset it to publish weights.")
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        api.create_repo(f"semedit/{name}", exist_ok=True)
        return api.upload_folder(repo_id=f"semedit/{name}", folder_path=folder).oid


def parameters(model: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(p.numel() for p in model.parameters())
