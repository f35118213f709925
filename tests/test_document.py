"""Documents and their history: nothing is lost, and what was saved is what is opened."""

import dataclasses
import io
import json
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PIL import Image

from semedit_lite.editing.document import MAX_STEPS, Document, History, saved_along
from semedit_lite.errors import InputError
from semedit_lite.faces.align import Alignment, Frame, cut
from semedit_lite.images import to_tensor
from semedit_lite.labels import FACE
from semedit_lite.photo import read_photo

TINY = Document(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), {"tool": "open"})


def child(parent, **fields):
    """A document made from `parent` by some operation."""
    same = {"image": parent.image, "layout": parent.layout, "operation": {"tool": "paint"}}
    return Document(**(same | fields), parent=parent)


@pytest.fixture
def edited():
    """A photo with a crop, and two operations on it."""
    y, x = np.mgrid[:90, :120]
    photo = Image.fromarray(np.stack([x * 2, y * 2, x + y], 2).astype(np.uint8))
    frame = Frame(40 * np.exp(0.3j), 50 + 20j)
    crop = cut(to_tensor(photo), frame, 32)
    layout = torch.randint(19, (1, 32, 32))
    found = Alignment(crop, layout, frame.matrix(32))
    opened = Document(crop, layout, {"tool": "open"}, photo=read_photo(photo)[0], alignment=found)
    painted = layout.clone()
    painted[:, 10:20, 10:20] = (layout[:, 10:20, 10:20] + 1) % 19
    first = child(opened, image=torch.rand(1, 3, 32, 32) * 2 - 1, layout=painted)
    return child(first, operation={"tool": "paint", "seed": 3}, scores={"seconds": 0.1})


class Histories(RuleBasedStateMachine):
    """The history against the plainest model: a tree of numbers and the order of visits."""

    def __init__(self):
        super().__init__()
        self.history = History.start(TINY)
        self.documents, self.parents, self.now, self.tips = [TINY], [None], 0, [0]

    def path(self, tip):
        path = [tip]
        while self.parents[path[0]] is not None:
            path.insert(0, self.parents[path[0]])
        return path

    @rule(shade=st.integers(0, 255))
    def push(self, shade):
        image = torch.full((1, 3, 4, 4), shade / 127.5 - 1)
        self.history = self.history.push(child(self.history.current, image=image))
        self.documents.append(self.history.current)
        self.parents.append(self.now)
        self.tips = [tip for tip in self.tips if tip != self.now] + [len(self.documents) - 1]
        self.now = len(self.documents) - 1

    @rule()
    def undo(self):
        self.history = self.history.undo
        self.now = self.parents[self.now] if self.parents[self.now] is not None else self.now

    @rule()
    def redo(self):
        self.history = self.history.redo
        path = self.path(self.tips[-1])
        self.now = (path + path[-1:])[path.index(self.now) + 1]

    @rule(data=st.data())
    def visit(self, data):
        step = data.draw(st.integers(0, len(self.documents) - 1))
        self.history = self.history.visit(self.documents[step])
        tip = [tip for tip in self.tips if step in self.path(tip)][-1]
        self.tips = [other for other in self.tips if other != tip] + [tip]
        self.now = step

    @rule()
    def old_histories_stay_as_they_are(self):
        before = self.history
        held = before.current, before.steps, before.tips
        before.push(child(before.current)).undo.redo.visit(before.opened)
        assert (before.current, before.steps, before.tips) == held

    @precondition(lambda self: len(self.documents) > 1)
    @rule()
    def save_and_open(self):
        with TemporaryDirectory() as folder:
            self.history.save(Path(folder, "face.semedit"))
            self.history = History.open(Path(folder, "face.semedit"))
        for old, new in zip(self.documents, self.history.steps, strict=True):
            assert torch.equal(old.image, new.image)
            assert torch.equal(old.layout, new.layout)
        self.documents = list(self.history.steps)

    @invariant()
    def same(self):
        assert self.history.current is self.documents[self.now]
        assert [self.documents.index(tip) for tip in self.history.tips] == self.tips
        assert all(d.opened is self.history.opened for d in self.history.steps)
        parents = [None, *map(self.history.steps.index, (d.parent for d in self.documents[1:]))]
        assert parents == self.parents

    @invariant()
    def nothing_is_lost(self):
        assert list(self.history.steps) == self.documents
        kept = {id(document) for tip in self.history.tips for document in tip.chain}
        assert kept == {id(document) for document in self.documents}

    @invariant()
    def undo_is_taken_back_by_redo(self):
        undone = self.history.undo
        if undone is not self.history:
            assert undone.redo.current is self.history.current


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)


def test_a_history_takes_only_children_of_the_current_document():
    history = History.start(TINY).push(child(TINY))
    with pytest.raises(ValueError, match="not made from"):
        history.push(child(TINY))
    with pytest.raises(ValueError, match="branch"):
        history.visit(child(TINY))


def test_a_document_holds_eight_bits_and_ids_of_the_set():
    image = torch.rand(1, 3, 8, 8) * 3 - 1.5
    document = Document(image, torch.zeros(1, 8, 8), {})
    assert torch.equal(document.image, to_tensor(document.picture))
    assert (document.image - image.clamp(-1, 1)).abs().max() <= 1 / 255 + 1e-6
    assert document.layout.dtype == torch.long
    with pytest.raises(InputError, match="class ids"):
        Document(image, torch.full((1, 8, 8), 21), {})


def test_a_document_cannot_be_changed():
    document = Document(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), {})
    for field in ("image", "layout", "parent"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(document, field, None)
    document.image.fill_(1)
    document.layout.fill_(1)
    assert document.image.max() < 0.01
    assert document.layout.max() == 0
    assert torch.equal(dataclasses.replace(document, parent=TINY).image, document.image)


def test_a_history_of_hundreds_of_steps_is_small():
    document = Document(torch.rand(1, 3, 256, 256), torch.zeros(1, 256, 256), {"tool": "open"})
    history = History.start(document)
    for _ in range(MAX_STEPS - 1):
        history = history.push(child(history.current))
    assert 3 * 256**2 * MAX_STEPS <= history.nbytes < 1.05 * 3 * 256**2 * MAX_STEPS
    with pytest.raises(InputError, match=r"500 steps.* save it"):
        history.push(child(history.current))


def test_maps_take_little_beside_the_picture():
    face = torch.zeros(1, 512, 512, dtype=torch.long)
    face[:, 100:400, 150:350] = 1
    document = Document(torch.rand(1, 3, 512, 512), face, {"tool": "open"}, region=face > 0)
    assert document.nbytes < 1.02 * 3 * 512**2
    assert torch.equal(document.layout, face)
    assert torch.equal(document.region, face > 0)
    assert document.region.dtype == torch.bool


def test_what_a_document_carries_counts(edited):
    opened = edited.opened
    bare = dataclasses.replace(opened, photo=None, alignment=None)
    assert opened.nbytes - bare.nbytes >= len(opened.photo.file) + 32 * 32 * (3 * 4 + 8)
    wordy = dataclasses.replace(bare, operation={"tool": "x" * 1000})
    assert wordy.nbytes >= bare.nbytes + 990


def test_steps_are_found_by_layout_and_operation(edited):
    first = edited.parent
    history = History.start(edited).undo
    other = child(first, operation={"tool": "paint", "seed": 4})
    history = history.push(other)
    assert history.find(first.layout, {"tool": "paint"}) == (first,)
    assert history.find(first.layout, {"seed": 4, "tool": "paint"}) == (other,)
    assert history.find(edited.opened.layout, {"tool": "paint"}) == ()
    assert history.find(first.layout, {"tool": "paint", "seed": 5}) == ()


def test_what_was_repeated_stands_in_the_provenance_once():
    last = child(child(child(TINY)), operation={"tool": "x"})
    operations = last.provenance["operations"]
    assert operations == [{"tool": "open"}, {"tool": "paint"}, {"tool": "x"}]
    assert child(last).provenance["operations"] == [*operations, {"tool": "paint"}]


def test_what_was_saved_is_opened(edited, tmp_path):
    edited.save(tmp_path / "face.semedit")
    again = Document.open(tmp_path / "face.semedit")
    for old, new in zip(edited.chain, again.chain, strict=True):
        assert torch.equal(old.image, new.image)
        assert torch.equal(old.layout, new.layout)
        assert (old.operation, old.scores, old.latent) == (new.operation, new.scores, new.latent)
    assert torch.equal(again.opened.alignment.matrix, edited.opened.alignment.matrix)
    assert again.opened.photo == edited.opened.photo
    assert np.array_equal(again.whole, edited.whole)
    assert again.provenance == edited.provenance == {
        "synthetic": True,
        "operations": [{"tool": "open"}, {"tool": "paint"}, {"tool": "paint", "seed": 3}],
    }  # fmt: skip


def test_every_branch_is_saved(edited, tmp_path):
    history = History.start(edited).undo.undo
    branch = child(history.current, image=torch.rand(1, 3, 32, 32), operation={"tool": "x"})
    history = history.push(branch).undo.visit(edited.parent)
    history.save(tmp_path / "face.semedit")
    again = History.open(tmp_path / "face.semedit")
    for old, new in zip(history.steps, again.steps, strict=True):
        assert torch.equal(old.image, new.image)
        assert torch.equal(old.layout, new.layout)
        assert (old.operation, old.scores) == (new.operation, new.scores)
    number = {document: k for k, document in enumerate(again.steps)}
    assert [number.get(document.parent) for document in again.steps] == [None, 0, 1, 0]
    assert [number[tip] for tip in again.tips] == [3, 2]
    assert number[again.current] == 1
    assert number[again.redo.current] == 2
    assert again.current.provenance == edited.parent.provenance


def test_a_file_of_the_first_format_is_opened(edited, tmp_path):
    """As it was written then: a chain, whole pictures, no numbers of parents."""
    with zipfile.ZipFile(tmp_path / "old.semedit", "w") as file:
        for i, document in enumerate(edited.chain):
            for name, image in (
                ("image", document.picture),
                ("layout", FACE.to_pil(document.layout[0])),
            ):
                with file.open(f"{i}/{name}.png", "w") as entry:
                    image.save(entry, "PNG")
        with file.open("photo.png", "w") as entry:
            edited.opened.photo.upright.save(entry, "PNG")
        steps = [{"operation": d.operation, "scores": d.scores} for d in edited.chain]
        matrix = edited.opened.alignment.matrix.tolist()
        about = {"format": "semedit document 1", "matrix": matrix, "steps": steps}
        file.writestr("document.json", json.dumps(about))
    again = History.open(tmp_path / "old.semedit")
    for old, new in zip(edited.chain, again.steps, strict=True):
        assert torch.equal(old.image, new.image)
        assert torch.equal(old.layout, new.layout)
        assert (old.operation, old.scores) == (new.operation, new.scores)
    assert again.current.chain == again.steps
    assert np.array_equal(again.current.whole, edited.whole)


def test_a_latent_is_saved_bit_for_bit(tmp_path):
    document = Document(TINY.image, TINY.layout, {"seed": 1}, latent=torch.randn(1, 16, 512))
    document.save(tmp_path / "face.semedit")
    assert torch.equal(Document.open(tmp_path / "face.semedit").latent, document.latent)


def test_the_whole_photo_changes_only_around_the_painted_region(edited):
    whole, photo = np.array(edited.whole), np.array(edited.opened.photo.upright)
    assert whole.shape == photo.shape
    y, x = np.mgrid[:90, :120] + 0.5
    inverse = edited.opened.alignment.inverse.numpy()
    u, v = (inverse @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)).reshape(2, 90, 120)
    near = (np.abs(u - 15) < 5 + 2 + 2) & (np.abs(v - 15) < 5 + 2 + 2)  # region, halo, sampling
    assert np.array_equal(whole[~near], photo[~near])
    assert np.abs(whole[near].astype(int) - photo[near]).mean() > 20


@pytest.mark.parametrize(("size", "jump"), [(300, 40), (128, 0)])
def test_what_is_painted_up_to_the_border_of_the_crop_has_no_edge_there(size, jump):
    """Long hair, say. Where the crop ends with the photo it is painted to the end."""
    frame = Frame.square(size / 2 * (1 + 1j), 128)
    layout = torch.zeros(1, 128, 128)
    found = Alignment(torch.zeros(1, 3, 128, 128), layout, frame.matrix(128))
    photo = read_photo(Image.new("RGB", (size, size), (128, 128, 128)))[0]
    opened = Document(found.image, layout, {"tool": "open"}, photo=photo, alignment=found)
    painted = layout.clone()
    painted[:, 64:] = 1
    whole = np.array(child(opened, image=torch.ones(1, 3, 128, 128), layout=painted).whole, int)
    border = size // 2 + 64
    column = whole[border - 40 : border + 40, size // 2, 0]
    assert column[0] == 255
    assert np.abs(np.diff(column)).max() <= jump
    row = whole[border - 30, :, 0]
    assert row[size // 2] == 255
    assert np.abs(np.diff(row)).max() <= jump


def test_a_document_without_a_photo_is_its_own_whole():
    assert np.array_equal(TINY.whole, TINY.picture)


def test_where_nothing_can_be_written_it_says_so(edited, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        edited.save(tmp_path / "file" / "face.semedit")


def saved(document, tmp_path):
    """The bytes of a saved document."""
    document.save(tmp_path / "face.semedit")
    return (tmp_path / "face.semedit").read_bytes()


def rewritten(data, name, content):
    """A saved document with one of its files replaced, or left out where `content` is None."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for other in {*old.namelist(), name} - ({name} if content is None else set()):
            new.writestr(other, content if other == name else old.read(other))
    return buffer.getvalue()


def png(width, height, mode="P"):
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def about(data, step=None, **changes):
    """A saved document with some entries of its JSON replaced, or of that of one step."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        entries = json.loads(file.read("document.json"))
    (entries if step is None else entries["steps"][step]).update(changes)
    return rewritten(data, "document.json", json.dumps(entries))


def latent(values):
    return safetensors.torch.save({"latent": values})


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"GIF89a" + bytes(100),
        lambda data: pickle.dumps({"format": "semedit document 1"}),
        lambda data: data[: len(data) // 2],
        lambda data: rewritten(data, "0/image.png", None),
        lambda data: rewritten(data, "1/image.png", b"no picture"),
        lambda data: rewritten(data, "1/image.png", png(16, 16, "RGB")),
        lambda data: rewritten(data, "1/layout.png", png(31, 32)),
        lambda data: rewritten(data, "1/layout.png", png(32, 32, "RGB")),
        lambda data: rewritten(data, "1/latent.safetensors", pickle.dumps([1])),
        lambda data: rewritten(data, "document.json", "{"),
        lambda data: rewritten(data, "document.json", "[" * 100_000),
        lambda data: rewritten(data, "document.json", "[1, 2]"),
        lambda data: about(data, format="semedit document 99"),
        lambda data: about(data, steps=[]),
        lambda data: about(data, steps=[3]),
        lambda data: about(data, matrix=[[0, 0, 0], [0, 0, 0]]),
        lambda data: about(data, matrix=[[1, 0, float("nan")], [0, 1, 0]]),
        lambda data: about(data, matrix=[[1, 0], [0, 1]]),
        lambda data: about(data, format="semedit document 2.0"),
        lambda data: about(data, format=["semedit document 2"]),
        lambda data: about(data, step=0, parent=0),
        lambda data: about(data, step=1, parent=1),  # of itself
        lambda data: about(data, step=1, parent=2),  # in a circle
        lambda data: about(data, step=1, parent=-1),
        lambda data: about(data, step=1, parent=None),  # a second beginning
        lambda data: about(data, step=1, parent=False),
        lambda data: about(data, step=2, parent=0),  # then there are two branches
        lambda data: about(data, tips=[]),
        lambda data: about(data, tips=[1, 2]),
        lambda data: about(data, tips=[2, 2]),
        lambda data: about(data, tips="2"),
        lambda data: about(data, tips=[2.0]),
        lambda data: about(data, current=3),
        lambda data: about(data, current=None),
        lambda data: about(data, step=1, operation="paint"),
        lambda data: about(data, step=1, operation={"seed": float("nan")}),
        lambda data: rewritten(data, "document.json", '{"format": 1e999}'),
        lambda data: about(data, step=2, scores={"seconds": "<b>"}),
        lambda data: about(data, step=2, scores={"classes": {"<b>": 1}}),
        lambda data: about(data, step=2, scores={"classes": {"hair": "1"}}),
        lambda data: about(data, step=2, scores=[]),
        lambda data: rewritten(data, "1/latent.safetensors", latent(torch.zeros(1, 2, 512))),
        lambda data: rewritten(data, "1/latent.safetensors", latent(torch.ones(1, 16, 512) / 0)),
        lambda data: rewritten(data, "1/latent.safetensors", latent(torch.ones(1, 16, 512).int())),
        lambda data: about(data, steps=[{"parent": None, "operation": {}, "scores": None}] * 501),
    ],
)  # fmt: skip
def test_a_damaged_document_is_refused(damage, edited, tmp_path):
    with pytest.raises(InputError, match="not a semedit document or is damaged"):
        Document.open(io.BytesIO(damage(saved(edited, tmp_path))))


def test_a_bomb_is_refused_before_it_unpacks(monkeypatch):
    monkeypatch.setattr("semedit_lite.editing.document.MAX_BYTES", 2**20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("document.json", bytes(2**20 + 1))
    assert len(buffer.getvalue()) < 2**12
    with pytest.raises(InputError, match="unpacks to more than 1 MB"):
        Document.open(buffer)


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_that_lies_about_its_size_is_refused_before_it_unpacks(packing):
    size, said = 2**25, 1000
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as file:
        file.writestr("document.json", b" " * size)
    data = buffer.getvalue().replace(size.to_bytes(4, "little"), said.to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="not a semedit document or is damaged"):
            Document.open(io.BytesIO(data))
        assert tracemalloc.get_traced_memory()[1] < size / 8
    finally:
        tracemalloc.stop()


def test_another_version_is_named(edited, tmp_path):
    data = about(saved(edited, tmp_path), format="semedit document 3")
    with pytest.raises(InputError, match="another version"):
        History.open(io.BytesIO(data))


def test_pictures_that_together_are_too_large_are_refused(edited, tmp_path, monkeypatch):
    """A plain picture takes little in a file, whatever its size."""
    data = saved(edited, tmp_path)
    monkeypatch.setattr("semedit_lite.editing.document.MAX_BYTES", 3 * 4 * 32 * 32 + len(data))
    History.open(io.BytesIO(data))
    large = rewritten(data, "0/image.png", png(200, 200, "RGB"))
    large = rewritten(large, "0/layout.png", png(200, 200))
    with pytest.raises(InputError, match="pictures take more"):
        History.open(io.BytesIO(large))


def test_records_that_are_too_large_are_refused(edited, tmp_path):
    data = about(saved(edited, tmp_path), step=1, operation={"tool": "x" * 2**22})
    with pytest.raises(InputError, match="records are larger than 4 MB"):
        History.open(io.BytesIO(data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no file"):
        Document.open(tmp_path / "none.semedit")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damaged_byte_is_refused_or_harmless(data, edited, tmp_path):
    whole = bytearray(saved(edited, tmp_path))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    try:
        again = Document.open(io.BytesIO(bytes(whole)))
    except InputError:
        return
    assert again.image.shape[2:] == again.layout.shape[1:]


def test_what_goes_along_comes_back(tmp_path):
    history, path = History.start(TINY), tmp_path / "work.semedit"
    history.save(path)
    assert saved_along(path) == {}
    along = {"grin": bytes(range(256)), "raised-brow": b""}
    history.save(path, along)
    assert saved_along(path) == along
    assert len(History.open(path).steps) == 1
    (tmp_path / "other").write_bytes(b"no work")
    with pytest.raises(InputError, match="not a semedit document"):
        saved_along(tmp_path / "other")
