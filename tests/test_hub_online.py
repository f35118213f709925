"""Weights from the Hub, by a small server that stands in for it: what is fetched, kept, refused."""

import contextlib
import hashlib
import json
import os
import pickle
import socket
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_hub import Toy

from semedit_lite import cli, download, hub
from semedit_lite.errors import InputError

constants = pytest.importorskip("huggingface_hub.constants")
REVISION = "5ca1ab1e" * 5


class StandIn(ThreadingHTTPServer):
    """Serves `files` (path after the revision -> content) as the Hub does: a HEAD or GET of
    /OWNER/NAME/resolve/REVISION/FILE. `mood` says in which way it fails, if it does."""

    daemon_threads = True

    def __init__(self, answer: type | None = None) -> None:
        super().__init__(("127.0.0.1", 0), answer or Answer)
        self.files: dict[str, bytes] = {}
        self.mood: str | int = "well"
        self.asked: list[str] = []  # METHOD PATH, in order
        self.logins: list[str | None] = []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_) -> None:
        """A client that hangs up is what the tests are about."""


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        mood = self.server.mood
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.logins.append(self.headers["Authorization"])
        content = self.server.files.get(self.path.removeprefix(f"/semedit/toy/resolve/{REVISION}/"))
        if mood == "silent" or (mood == "silent once" and len(self.server.asked) == 1):
            self.server.over.wait()
            return
        if isinstance(mood, int) or content is None:
            self.send_error(mood if isinstance(mood, int) else 404)
            return
        if mood == "elsewhere":
            self.send_response(302)  # as the Hub does with large files
            self.send_header("Location", self.server.elsewhere + self.path)
            self.end_headers()
            return
        if mood == "page":
            content = b"<!doctype html><title>Welcome to our hotel</title>"
        if mood == "wrong":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if mood == "page" else "binary/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        if self.command == "GET":
            whole = mood not in ("half", "stalls", "drips")
            self.wfile.write(content if whole else content[: len(content) // 2])
            if mood == "stalls":
                self.server.over.wait()
            while mood == "drips" and not self.server.over.wait(0.05):
                self.wfile.write(b"\0")


@contextlib.contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def point_to(url, folder, monkeypatch):
    """As if huggingface_hub had been imported with these variables, and nobody were logged in."""
    for key in ("OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN", "SEMEDIT_WEIGHTS"):
        monkeypatch.delenv(key, raising=False)
    for key, value in {
        "ENDPOINT": url,
        "HUGGINGFACE_CO_URL_TEMPLATE": url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_OFFLINE": False,
        "HF_HUB_CACHE": str(folder / "cache"),
        "HF_TOKEN_PATH": str(folder / "token"),
    }.items():
        monkeypatch.setattr(constants, key, value)
    patience(30, 30, monkeypatch)


def patience(answer, silence, monkeypatch):
    """Seconds: little where the Hub is silent, much where a busy machine must not fail a test."""
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", answer)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", silence)


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A Hub that has a Toy, pinned, beside a pickle and a card; a cache of its own."""
    Toy(width=4, gain=2.0).save_pretrained(tmp_path / "published")
    with running(StandIn()) as server:
        server.files = {
            path.name: path.read_bytes() for path in (tmp_path / "published").iterdir()
        } | {"pytorch_model.bin": pickle.dumps("bomb"), "README.md": b"# Toy"}
        digests = [hub.digest(tmp_path / "published" / file) for file in hub.FILES]
        monkeypatch.setitem(hub.PINS, "toy", hub.Pin(REVISION, *digests))
        monkeypatch.setattr(hub, "_fallbacks", {})
        point_to(server.url, tmp_path, monkeypatch)
        yield server


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """Another Toy of the same name comes with the package."""
    monkeypatch.setattr(hub, "BUNDLED", tmp_path / "bundled")
    Toy(width=4, gain=1.0).save_pretrained(hub.BUNDLED / "toy")


def kept():
    """The files in the Hub's cache."""
    return sorted(path.name for path in Path(constants.HF_HUB_CACHE).rglob("*") if path.is_file())


def address(file):
    return f"/semedit/toy/resolve/{REVISION}/{file}"


def test_the_first_pull_asks_for_weights_and_config_only(there):
    assert Toy.from_pretrained("toy").gain == 2.0
    assert there.asked == [f"GET {address(file)}" for file in hub.FILES]
    assert kept() == sorted(hub.FILES)


def test_what_is_cached_needs_no_hub(there, monkeypatch):
    folder = hub.find("toy")
    there.asked.clear()
    assert hub.find("toy") == hub.cached("toy") == folder
    monkeypatch.setenv("OFFLINE", "1")
    assert Toy.from_pretrained("toy").gain == 2.0
    assert there.asked == []


def test_the_librarys_own_cache_is_used(there, monkeypatch):
    """As filled by `preload_from_hub` of a Space or by `hf download`."""
    from huggingface_hub import hf_hub_download

    for file in hub.FILES:
        hf_hub_download("semedit/toy", file, revision=REVISION, endpoint=there.url)
    monkeypatch.setenv("OFFLINE", "1")
    assert Toy.from_pretrained("toy").gain == 2.0


@pytest.mark.parametrize("variable", ["OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_nothing_is_asked(there, monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(InputError, match=r"OFFLINE=1.* refuses.*`semedit weights fetch toy` once"):
        hub.find("toy")
    assert there.asked == []


@pytest.mark.parametrize(
    ("mood", "sentence"),
    [
        ("wrong", "model.safetensors on the Hub is not the one that was published; update semedit"),
        ("silent", "the Hub did not answer within 0.4 s; try again later"),
        ("stalls", "the Hub fell silent for 0.3 s; try again later"),
        ("drips", "the Hub sends too slowly; try again later"),
        ("half", "the connection broke; try again later"),
        ("page", "a web page came in place of a file; log in to the network, if it asks"),
        (401, "the Hub does not show 'semedit/toy' to everyone; log in with `hf auth login`"),
        (403, "the Hub does not show 'semedit/toy' to everyone; log in with `hf auth login`"),
        (404, "the Hub has no 'semedit/toy' as pinned any more; update semedit"),
        (429, "the Hub answered with error 429; try again later"),
        (500, "the Hub answered with error 500; try again later"),
    ],
)
def test_a_hub_that_fails(there, monkeypatch, mood, sentence):
    if mood == "silent":
        patience(0.4, 30, monkeypatch)
    if mood == "stalls":
        patience(30, 0.3, monkeypatch)
    if mood == "drips":
        monkeypatch.setattr(download, "GRACE", 0)
    there.mood = mood
    with pytest.raises(download.HubError) as caught:
        hub.find("toy")
    assert f"The weights 'toy' could not be fetched: {sentence}" in str(caught.value)
    assert caught.value.silent == (mood in ("silent", "stalls", "drips"))
    assert len(there.asked) == 1  # no second try, no other file
    assert kept() == []
    there.mood = "well"
    monkeypatch.setattr(download, "GRACE", 30)
    patience(30, 30, monkeypatch)
    assert Toy.from_pretrained("toy").gain == 2.0


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:{port}", "http://[::", "nonsense", ""])
def test_no_hub_at_the_address(there, monkeypatch, endpoint):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        endpoint = endpoint.format(port=nobody.getsockname()[1])
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        with pytest.raises(InputError, match=r"cannot be reached; check the connection and HF_END"):
            hub.find("toy")


def test_a_file_without_end_is_given_up(there, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 100)
    with pytest.raises(InputError, match=r"model\.safetensors on the Hub is too large"):
        hub.find("toy")
    assert kept() == []


def test_a_damaged_cache_is_never_used(there, monkeypatch):
    path = hub.find("toy") / "config.json"
    path.write_text(path.read_text().replace("2.0", "3.0"))
    there.asked.clear()
    assert Toy.from_pretrained("toy").gain == 2.0
    assert f"GET {address('config.json')}" in there.asked
    path.write_text("{}")
    monkeypatch.setenv("OFFLINE", "1")
    with pytest.raises(InputError, match="OFFLINE=1"):
        hub.find("toy")
    assert not path.exists()


def test_a_cache_that_cannot_be_written_is_named(there, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file in place of the folder")
    with pytest.raises(InputError, match=r"could not be kept \(.+cache.*HF_HOME"):
        hub.find("toy")


def test_a_login_goes_to_the_hub_but_not_where_it_points(there, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with running(StandIn()) as elsewhere:
        elsewhere.files = there.files
        there.mood, there.elsewhere = "elsewhere", elsewhere.url
        assert Toy.from_pretrained("toy").gain == 2.0
        assert set(there.logins) == {"Bearer hf_secret"}
        assert elsewhere.logins == [None, None]


def test_bundled_weights_come_first(there, bundled):
    assert Toy.from_pretrained("toy").gain == 1.0
    assert (there.asked, hub.notes()) == ([], [])


def test_a_space_takes_the_hubs_weights(there, bundled, monkeypatch):
    monkeypatch.setenv("SEMEDIT_WEIGHTS", "hub")
    with ThreadPoolExecutor(4) as pool:
        assert {model.gain for model in pool.map(Toy.from_pretrained, ["toy"] * 4)} == {2.0}
    assert there.asked == [f"GET {address(file)}" for file in hub.FILES]
    assert hub.notes() == []


def test_a_space_says_why_it_takes_its_own(there, bundled, monkeypatch):
    monkeypatch.setenv("SEMEDIT_WEIGHTS", "hub")
    there.mood = 500
    for _ in range(2):
        assert Toy.from_pretrained("toy").gain == 1.0
    there.mood = "well"  # too late: an app keeps the weights that it began with
    assert Toy.from_pretrained("toy").gain == 1.0
    Toy(width=4, gain=4.0).save_pretrained(hub.BUNDLED / "new")
    assert Toy.from_pretrained("new").gain == 4.0
    assert len(there.asked) == 1
    assert hub.notes() == [
        "The weights 'toy' come with the app: the Hub answered with error 500.",
        "The weights 'new' come with the app: they are not on the Hub yet.",
    ]


def test_a_space_waits_once_for_a_silent_hub(there, bundled, monkeypatch):
    monkeypatch.setenv("SEMEDIT_WEIGHTS", "hub")
    monkeypatch.setitem(hub.PINS, "other", hub.PINS["toy"])
    Toy(width=4, gain=1.0).save_pretrained(hub.BUNDLED / "other")
    there.mood = "silent"
    patience(0.4, 30, monkeypatch)
    for name in ("toy", "other"):
        assert Toy.from_pretrained(name).gain == 1.0
    assert len(there.asked) == 1
    assert hub.notes() == [
        "The weights 'toy', 'other' come with the app: the Hub did not answer within 0.4 s."
    ]


def test_weights_are_listed_with_where_they_are(there, bundled, monkeypatch, capsys):
    def lines(*flags):
        assert cli.main(["weights", *flags]) == 0
        return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]

    own = hub.digest(hub.BUNDLED / "toy" / "config.json")
    pin = hub.PINS["toy"]
    assert pin.config != own
    weights = hub.digest(hub.BUNDLED / "toy" / "model.safetensors")
    assert lines() == [
        ["toy", "bundled", "0.0", "MB", weights[:12]],
        ["toy", "Hub", REVISION[:7], pin.weights[:12]],
    ]
    assert there.asked == []
    monkeypatch.setattr(hub, "BUNDLED", hub.BUNDLED / "none")
    assert cli.main(["weights", "fetch", "toy"]) == 0
    assert capsys.readouterr().out == f"{hub.cached('toy')}\n"
    there.asked.clear()
    assert lines("--full", "--ask") == [
        ["toy", "cached", "0.0", "MB", pin.weights],
        ["toy", "Hub", REVISION[:7], pin.weights, "the", "Hub", "offers", "it"],
    ]
    assert there.asked == [f"HEAD {address('config.json')}"]
    there.mood = 404
    assert cli.main(["weights", "--json", "--ask"]) == 0
    here, pinned = json.loads(capsys.readouterr().out)
    assert here == {
        "name": "toy",
        "place": "cached",
        "folder": str(hub.cached("toy")),
        "size": (hub.cached("toy") / "model.safetensors").stat().st_size,
        "weights": pin.weights,
        "config": pin.config,
    }
    assert (pinned["revision"], pinned["folder"]) == (REVISION, None)
    assert pinned["answer"] == "the Hub has no 'semedit/toy' as pinned any more"


def test_what_the_package_lacks_is_packed(there, bundled, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(hub.PINS, "other", hub.PINS["toy"])
    monkeypatch.setattr(download, "get", lambda name, *_, get=download.get: get("toy", *_))
    assert cli.main(["weights", "pack", str(tmp_path / "pack")]) == 0
    assert capsys.readouterr().out == "other\n"  # toy is bundled
    assert Toy.from_pretrained(tmp_path / "pack" / "other").gain == 2.0
    assert len(list((tmp_path / "pack").rglob("*.*"))) == len(hub.FILES)


def test_the_environment_names_the_hub_and_the_patience_with_it(there, tmp_path):
    """In a process of its own, since huggingface_hub reads its variables when it is imported."""
    code = f"""
        import sys
        from semedit_lite import cli, hub

        hub.PINS["toy"] = hub.Pin{tuple(hub.PINS["toy"])!r}
        sys.exit([cli.main(["weights", "fetch", "toy"]) for _ in range(2)] != [2, 0])
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")} | {
        "HF_ENDPOINT": there.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_ETAG_TIMEOUT": "3",
    }

    there.mood = "silent once"
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (
        0,
        "semedit: The weights 'toy' could not be fetched: the Hub did not answer within 3 s; "
        "try again later.\n",
    )
    folder = Path(run.stdout.strip())
    assert folder.is_relative_to(tmp_path / "home")
    assert json.loads((folder / "config.json").read_text())["gain"] == 2.0
