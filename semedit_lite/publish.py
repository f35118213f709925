"""Weights go to the Hub: checked first, and nothing but what a visitor needs.

`parcel(NAME)` is what `semedit push NAME --dry-run` shows, `push` uploads it to `semedit/NAME`.
"""

import hashlib
import re
from importlib.metadata import metadata
from pathlib import Path

from semedit_lite import __version__, hub
from semedit_lite.download import LARGEST, OWNER, offline
from semedit_lite.errors import InputError

CARD = "README.md"
PATIENCE = 60  # seconds that the Hub may be silent for while something is published
PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)([^)\s]+)")
OUTSIDE = re.compile(
    r"\]\((?:\.\./)+"
)  # a link to the rest of the repository: it leads there still


def parcel(name: str | Path) -> tuple[str, dict[str, bytes]]:
    """The repository (OWNER/NAME) and the files of the bundled weights NAME, or of a folder, as
    they are published: card, config, weights and the card's pictures. InputError where these are
    not in order."""
    folder = next((f for f in (Path(name), hub.BUNDLED / name) if f.is_dir()), None)
    if folder is None:
        raise InputError(f"There are no weights '{name}' to publish; pass the folder they are in.")
    hub.network(folder)  # builds and loads it
    card = _card(folder)
    away = f"]({_repository()}/blob/v{__version__}/"
    files = {CARD: OUTSIDE.sub(away, card).encode("utf-8")}
    for file in (*reversed(hub.FILES), *dict.fromkeys(PICTURE.findall(card))):
        path = folder / file
        if Path(file).name != file or not path.is_file():
            raise InputError(f"'{folder.name}/{CARD}' shows '{file}', which is not beside it.")
        files[file] = path.read_bytes()
    for file, content in files.items():
        if len(content) > LARGEST:
            raise InputError(
                f"'{folder.name}/{file}' is larger than {LARGEST / 1e6:g} MB; make it smaller."
            )
    return f"{OWNER}/{folder.resolve().name}", files


def _card(folder: Path) -> str:
    """The card; InputError where the Hub or its readers would miss something."""
    import yaml
    from huggingface_hub import metadata_load

    try:
        text = (folder / CARD).read_text(encoding="utf-8")
        about = metadata_load(folder / CARD) or {}
    except FileNotFoundError:
        raise InputError(f"'{folder}' has no card; write one into its {CARD}.") from None
    except (ValueError, yaml.YAMLError):
        raise InputError(
            f"The front matter of '{folder.name}/{CARD}' cannot be read; it is YAML between two "
            "lines of ---."
        ) from None
    if not isinstance(about.get("license"), str):
        raise InputError(f"'{folder.name}/{CARD}' names no licence; its front matter has to.")
    return text


def _repository() -> str:
    urls = dict(line.split(", ", 1) for line in metadata("semedit-lite").get_all("Project-URL"))
    return urls["Repository"]


def pin(files: dict[str, bytes], revision: str) -> str:
    """The lines for `hub.PINS`."""
    weights, config = (hashlib.sha256(files[file]).hexdigest() for file in hub.FILES)
    return f'Pin(\n    revision="{revision}",\n    weights="{weights}",\n    config="{config}",\n)'


def push(repository: str, files: dict[str, bytes]) -> str:
    """Uploads a parcel in one commit, whose hash comes back. InputError where the Hub refuses."""
    if offline():
        raise InputError("OFFLINE=1 refuses the network; --dry-run says what would be published.")
    from huggingface_hub import CommitOperationAdd, HfApi, get_session
    from huggingface_hub.errors import HTTPError

    api = HfApi()
    get_session().timeout = PATIENCE  # of itself the library waits for ever
    try:
        api.create_repo(repository, exist_ok=True)
        return api.create_commit(
            repository,
            [CommitOperationAdd(file, content) for file, content in files.items()],
            commit_message=f"{repository} of semedit {__version__}",
        ).oid
    except (HTTPError, OSError, ValueError) as error:  # ValueError: the Hub does not like the card
        code = getattr(getattr(error, "response", None), "status_code", None)
        if code in (401, 403):
            raise InputError(
                f"Your login may not write to '{repository}'; log in with `hf auth login` as one "
                "who may."
            ) from None
        why = " ".join(str(error).split())[:200]
        raise InputError(f"'{repository}' could not be published: {why}") from None
