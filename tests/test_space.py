"""The Space: built from this checkout, installed beside it, started without it, painted through."""

import base64
import importlib
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import binary_dilation

from semedit_lite import bench_studio, hub
from semedit_lite.errors import InputError
from semedit_lite.evaluation.report import ROOT
from semedit_lite.images import read_provenance
from semedit_lite.labels import FACE
from semedit_lite.ui.painter import decode_value, encode_value

gradio_client = pytest.importorskip("gradio_client")

# Whatever asks for something outside of this machine is refused, at once.
NOWHERE = "http://127.0.0.1:1"
REFUSED = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT"), NOWHERE)
REFUSED |= {"NO_PROXY": "localhost,127.0.0.1,0.0.0.0", "HF_HUB_OFFLINE": "0", "OFFLINE": "0"}

# app.py, as if these weights had been published.
PUBLISHED = f"""
import runpy
from semedit_lite import hub
pin = hub.Pin("{"1" * 40}", "{"2" * 64}", "{"3" * 64}")
hub.PINS.update((folder.name, pin) for folder in hub.BUNDLED.iterdir())
runpy.run_path("app.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def maker():
    """scripts/space.py as a module."""
    sys.path.insert(0, str(ROOT / "scripts"))
    return importlib.import_module("space")


@pytest.fixture(scope="module")
def built(maker, tmp_path_factory):
    """Paint's Space, in a folder far from the checkout."""
    folder = tmp_path_factory.mktemp("spaces") / "paint"
    maker.build("paint", folder)
    return folder


@pytest.fixture(scope="module")
def python(maker):
    """The Python of its environment."""
    try:
        return maker.environment()
    except InputError as error:
        if os.environ.get("OFFLINE", "0") in ("", "0"):
            raise
        pytest.skip(str(error))


@contextmanager
def started(python, built, home, *start, **variables):
    """The Space, as it starts where the network is refused: address, seconds until it answers."""
    before = time.perf_counter()
    refused = REFUSED | {"HF_HOME": str(home), "GRADIO_SERVER_NAME": "0.0.0.0"}
    with bench_studio.space(python, built, *start, **refused | variables) as (_, address):
        yield address, time.perf_counter() - before


@pytest.fixture(scope="module")
def space(python, built, tmp_path_factory, request):
    """The address of the Space, with the weights as they are published today."""
    with started(python, built, tmp_path_factory.mktemp("home")) as (address, seconds):
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\nThe Space is ready after {seconds:.1f} s")
        yield address


@pytest.mark.parametrize("name", ["paint", "sliders"])
def test_the_tracked_files_are_as_the_script_makes_them(maker, name):
    assert maker.stale(name) == []
    front = maker.SpaceCard.load(ROOT / "hf_space" / name / "README.md").data
    assert (front.sdk, front.app_file, front.sdk_version) == ("gradio", "app.py", "6.31.0")
    assert len(front.short_description) <= 60  # the Hub refuses longer ones
    assert front.python_version == "3.11"


def test_what_follows_from_elsewhere_is_noticed(maker, monkeypatch):
    monkeypatch.setattr(maker, "tested", lambda: defaultdict(lambda: "0.1"))
    assert maker.stale("paint") == ["README.md", "requirements.txt"]


def test_a_pinned_model_is_fetched_when_the_space_is_built(maker, monkeypatch):
    monkeypatch.setattr(hub, "PINS", {"face-parser": hub.Pin("1" * 40, "2" * 64, "3" * 64)})
    front = maker.SpaceCard(maker.own_files("paint")["README.md"]).data
    expected = f"semedit/face-parser model.safetensors,config.json {'1' * 40}"
    assert front.preload_from_hub == [expected]


def test_it_has_every_painter_of_the_tab(maker):
    front = maker.SpaceCard.load(ROOT / "hf_space" / "paint" / "README.md")
    painters = {folder.name for folder in hub.BUNDLED.glob("spade-faces-*")}
    assert painters == {name for name in maker.models(front) if name.startswith("spade")}


def test_it_holds_what_it_needs_and_no_more(built):
    names = {str(path.relative_to(built).as_posix()) for path in built.rglob("*")}
    assert names >= {
        *("README.md", "app.py", "requirements.txt", "LICENSE", "WEIGHTS.md", "paint.py"),
        *("layouts/0000024.png", "semedit_lite/ui/theme.css", "semedit_lite/ui/painter/painter.js"),
        *(f"semedit_lite/weights/spade-faces-64/{file}" for file in hub.FILES),
    }
    without = ("training", "evaluation", "data", "cli.py", "bench.py", "notebook.py", "losses.py")
    assert not names & {f"semedit_lite/{name}" for name in without}
    assert sum(path.stat().st_size for path in built.rglob("*")) < 50e6


def test_that_of_the_sliders_holds_what_it_needs_and_no_more(maker, tmp_path):
    maker.build("sliders", tmp_path)
    names = {str(path.relative_to(tmp_path).as_posix()) for path in tmp_path.rglob("*")}
    assert names >= {
        *("README.md", "app.py", "requirements.txt", "LICENSE", "WEIGHTS.md", "sliders.py"),
        *("faces/0000024.jpg", "semedit_lite/ui/sliders/sliders.js"),
        *("semedit_lite/editing/latent.py", "semedit_lite/ui/progress/progress.css"),
    }
    wanted = maker.models(maker.SpaceCard.load(ROOT / "hf_space" / "sliders" / "README.md"))
    for folder in (hub.BUNDLED / name for name in wanted):
        files = {file.name for file in folder.glob("*.safetensors")}
        assert {f"semedit_lite/weights/{folder.name}/{file}" for file in files} <= names
    assert not any(name.startswith(("layouts", "semedit_lite/training")) for name in names)
    assert "semedit_lite/editing/paint.py" not in names
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 80e6


def test_the_environment_does_not_know_the_checkout(python, built):
    run = [python, "-c", "import semedit_lite as package; print(package.__file__)"]
    outside = subprocess.run(run, cwd=built.parent, env={}, capture_output=True, text=True)
    assert "No module named 'semedit_lite'" in outside.stderr
    inside = subprocess.run(run, cwd=built, env={}, capture_output=True, text=True, check=True)
    assert Path(inside.stdout.strip()).is_relative_to(built)


def test_it_paints(space, tmp_path):
    client = gradio_client.Client(
        space, verbose=False, analytics_enabled=False, download_files=tmp_path
    )
    layout = (ROOT / "demos" / "layouts" / "0000047.png").read_bytes()
    canvas = "data:image/png;base64," + base64.b64encode(layout).decode()
    results = []
    for seed in (1, 2):
        picture = client.predict(canvas, "seed", seed, False, api_name="/picture")
        with Image.open(picture) as image:
            assert (image.format, image.size) == ("PNG", (256, 256))
            results.append(np.asarray(image.convert("RGB")).astype(int))
        record = read_provenance(picture)
        assert record["synthetic"] is True
        assert record["operations"][-1]["tool"] == "paint"
    assert results[0].std() > 20
    assert np.abs(results[0] - results[1]).mean() > 1
    assert client.predict(canvas, api_name="/paint")[1]["classes"]  # the parser is there, too


@pytest.mark.skipif("SEMEDIT_DATA" not in os.environ, reason="SEMEDIT_DATA is not set")
def test_it_edits_photos(space, tmp_path):
    """Fifty head shots and a dozen of other people: each is opened, its hair grown over the
    background and its brows made thicker. Sheets of before, after and the bare picture are left in
    the folder of the test, to look at."""
    client = gradio_client.Client(
        space, verbose=False, analytics_enabled=False, download_files=tmp_path / "files"
    )
    data, rows = Path(os.environ["SEMEDIT_DATA"]), []
    photos = sorted((data / "celeba_wild").glob("*.jpg"))[::7][:50]
    photos += sorted((data / "fs2k" / "photos").rglob("*.jpg"))[::9][:12]
    assert len(photos) == 62
    background, skin, hair = (FACE.id(name) for name in ("background", "skin", "hair"))
    brows = FACE.groups["brows"]
    for photo in photos:
        canvas, before, *_ = client.predict(gradio_client.handle_file(photo), api_name="/open")
        opened = decode_value(canvas, FACE, 256)[0].numpy()
        layout = opened.copy()
        layout[binary_dilation(opened == hair, iterations=10) & (opened == background)] = hair
        for brow in brows:
            layout[binary_dilation(opened == brow, iterations=2) & (opened == skin)] = brow
        canvas = encode_value(torch.from_numpy(layout)[None])
        files = [before, *(client.predict(canvas, blend=b, api_name="/paint")[0] for b in (1, 0))]
        row = [np.asarray(Image.open(file).convert("RGB")) for file in files]
        assert not np.array_equal(row[0], row[1])
        far = ~binary_dilation(layout != opened, np.ones((3, 3)), 8)
        assert np.array_equal(row[0][far], row[1][far])  # outside of the edit and its halo
        rows.append(np.concatenate(row, 1))
    for k in range(0, len(rows), 8):
        Image.fromarray(np.concatenate(rows[k : k + 8])).save(tmp_path / f"sheet-{k // 8}.jpg")


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is this machine on Linux alone")
def test_it_serves_all_addresses_where_it_is_told_to(space):
    socket.create_connection(("127.0.0.2", urlsplit(space).port), timeout=10).close()


def test_the_page_says_that_the_bundled_weights_stand_in(space, browser):
    page = browser.new_page()
    page.goto(space)
    page.get_by_text("come with the app").first.wait_for(timeout=60_000)


def test_published_weights_that_nobody_serves_are_replaced_and_it_says_so(
    python, built, tmp_path, browser
):
    with started(python, built, tmp_path, ("-c", PUBLISHED)) as (address, _):
        page = browser.new_page()
        page.goto(address)
        page.get_by_text(f"come with the app: {NOWHERE} cannot be reached").first.wait_for()
        page.wait_for_selector("#result img", timeout=60_000)  # it paints all the same
