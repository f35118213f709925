"""Publishing: what is in order goes to the Hub, whole and alone; the rest is refused beforehand."""

import base64
import json
import pickle

import pytest
from test_cli import TOY
from test_hub_online import REVISION, Answer, StandIn, constants, point_to, running

from semedit_lite import cli, hub, publish
from semedit_lite.errors import InputError
from semedit_lite.models.spade import GauGAN

CARD = """\
---
license: other
tags: [toy]
---
# A toy
![Curves](curves.png "of the loss") and ![the same](curves.png), ![of others](https://a.b/c.png)

Terms: [WEIGHTS.md](../../../WEIGHTS.md).
"""


@pytest.fixture
def folder(tmp_path):
    """A checkpoint in order, among things that are nobody's business."""
    folder = tmp_path / "toy"
    GauGAN(**TOY).save_pretrained(folder, card=CARD)
    (folder / "curves.png").write_bytes(b"curves")
    (folder / "diary.png").write_bytes(b"dear diary")
    (folder / "optimizer.pt").write_bytes(pickle.dumps("bomb"))
    (folder / "log.jsonl").write_text("{}\n")
    return folder


class Uploads(Answer):
    """Takes uploads as the Hub takes small files: announced, then in the commit as Base64. Files
    that go through its large-file store are not acted out here."""

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.logins.append(self.headers["Authorization"])
        if self.server.mood == "silent":
            self.server.over.wait()
            return
        if isinstance(self.server.mood, int):
            self.send_error(self.server.mood)
            return
        answer = {}
        match self.path:
            case "/api/repos/create":
                answer = {"url": f"{self.server.url}/semedit/toy"}
            case "/api/models/semedit/toy/preupload/main":
                paths = [file["path"] for file in json.loads(body)["files"]]
                modes = {"uploadMode": "regular", "shouldIgnore": False}
                answer = {"files": [{"path": path, **modes} for path in paths]}
            case "/api/models/semedit/toy/commit/main":
                lines = [json.loads(line) for line in body.splitlines()]
                for line in lines:
                    if line["key"] == "file":
                        content = base64.b64decode(line["value"]["content"])
                        self.server.files[line["value"]["path"]] = content
                page = f"{self.server.url}/semedit/toy/commit/{REVISION}"
                answer = {"commitOid": REVISION, "commitUrl": page}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def there(tmp_path, monkeypatch):
    with running(StandIn(Uploads)) as server:
        point_to(server.url, tmp_path, monkeypatch)
        yield server


def test_a_parcel_holds_card_weights_and_pictures_of_the_card(folder):
    repository, files = publish.parcel(folder)
    assert repository == "semedit/toy"
    assert list(files) == ["README.md", "config.json", "model.safetensors", "curves.png"]
    kept = {file: content for file, content in files.items() if file != "README.md"}
    assert kept == {file: (folder / file).read_bytes() for file in kept}
    card = files["README.md"].decode()
    assert "[WEIGHTS.md](https://github.com/semedit/semedit/blob/v" in card
    assert "/WEIGHTS.md)." in card
    assert ".." not in card


def test_every_bundled_card_is_in_order(monkeypatch):
    monkeypatch.setattr(hub, "network", lambda folder: None)  # other tests load them
    for path in hub.BUNDLED.glob("*/model.safetensors"):
        repository, files = publish.parcel(path.parent.name)
        assert repository == f"semedit/{path.parent.name}"
        assert {*hub.FILES, "README.md"} < set(files)


def write(file, text):
    return lambda folder: (folder / file).write_text(text)


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: (folder / "README.md").unlink(), "has no card"),
        (write("README.md", "# No front matter"), "names no licence"),
        (write("README.md", "---\ntags: [toy]\n---\n"), "names no licence"),
        (write("README.md", "---\nlicense: [\n---\n"), "front matter .* cannot be read"),
        (write("README.md", "---\n- license\n---\n"), "front matter .* cannot be read"),
        (lambda folder: (folder / "README.md").write_bytes(b"\xff"), "cannot be read"),
        (lambda folder: (folder / "curves.png").unlink(), "shows 'curves.png', which is not"),
        (write("README.md", CARD.replace("curves", "../curves")), "shows '../curves.png'"),
        (write("config.json", '{"class": "Nonsense"}'), "'Nonsense', which is no network"),
        (write("config.json", '{"class": "Tensor"}'), "'Tensor', which is no network"),
        (write("config.json", "{}"), "'None', which is no network"),
        (write("config.json", "[]"), "does not describe a network"),
        (write("config.json", '{"class": "FaceParser"}'), "do not fit|does not describe"),
        (write("model.safetensors", "pickle"), "pickles are refused"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no checkpoint"),
    ],
)
def test_what_is_not_in_order_is_refused(folder, harm, sentence):
    (folder.parent / "curves.png").write_bytes(b"of somebody else")
    harm(folder)
    with pytest.raises(InputError, match=sentence):
        publish.parcel(folder)


def test_what_is_too_large_is_refused(folder, monkeypatch):
    monkeypatch.setattr(publish, "LARGEST", len((folder / "model.safetensors").read_bytes()) - 1)
    with pytest.raises(InputError, match=r"'toy/model\.safetensors' is larger than"):
        publish.parcel(folder)


def test_what_was_pushed_can_be_pulled(there, folder, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert cli.main(["push", str(folder)]) == 0
    assert there.files == publish.parcel(folder)[1]
    assert set(there.logins) == {"Bearer hf_secret"}
    said = capsys.readouterr().out
    assert f"Uploaded to {there.url}/semedit/toy." in said
    pins = eval("{" + said[said.index('"toy": ') :] + "}", {"Pin": hub.Pin})
    assert pins["toy"].revision == REVISION
    monkeypatch.setattr(hub, "PINS", pins)
    assert GauGAN.from_pretrained("toy").config == GauGAN.from_pretrained(folder).config


@pytest.mark.parametrize(("token", "flags"), [(None, []), ("hf_secret", ["--dry-run"])])
def test_a_dry_run_uploads_nothing(there, folder, monkeypatch, capsys, token, flags):
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    assert cli.main(["push", str(folder), *flags]) == 0
    assert there.asked == []
    said = capsys.readouterr().out
    assert f"Nothing was uploaded to {constants.ENDPOINT}/semedit/toy" in said
    for file in ("README.md", "config.json", "model.safetensors", "curves.png"):
        assert f"\n{file} " in "\n" + said
    assert said.count(hub.digest(folder / "model.safetensors")) == 2  # of the file, in the pin
    assert "diary" not in said


@pytest.mark.parametrize(
    ("mood", "sentence"),
    [
        (401, "Your login may not write to 'semedit/toy'"),
        (403, "Your login may not write to 'semedit/toy'"),
        (400, "'semedit/toy' could not be published: "),
        ("silent", "'semedit/toy' could not be published: timed out"),
    ],
)
def test_a_hub_that_refuses(there, folder, monkeypatch, capsys, mood, sentence):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(publish, "PATIENCE", 0.3)
    there.mood = mood
    assert cli.main(["push", str(folder)]) == 2
    assert sentence in capsys.readouterr().err
    assert there.files == {}


def test_offline_nothing_is_published(there, folder, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("OFFLINE", "1")
    assert cli.main(["push", str(folder)]) == 2
    assert "OFFLINE=1 refuses the network" in capsys.readouterr().err
    assert there.asked == []
