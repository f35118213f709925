"""What all tests share: fixed seeds, the rule on skips, and a real browser."""

import importlib
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

for key, value in {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",  # gradio_client asks the Hub for news; tests of the Hub set this aside
}.items():
    os.environ.setdefault(key, value)


if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes, which has others of its own
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Every test starts from the same random numbers."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def no_skip(report):
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"this test may not be skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A skipped parity test fails everywhere, a skipped test of the page or its API where CI is
    set: agreement that nobody checked must not look like agreement."""
    report = yield
    page = "browser" in item.keywords or "studio" in getattr(item, "fixturenames", ())
    complete = os.environ.get("CI") and "photos" not in item.keywords  # CI has no photos
    strict = "parity" in item.keywords or (page and complete)
    return no_skip(report) if strict else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same where a whole file of parity tests skips itself."""
    report = yield
    return no_skip(report) if collector.path.parent.name == "parity" else report


def pytest_collection_modifyitems(items):
    """What lies in tests/parity is a parity test, what lies in tests/browser a browser test."""
    for item in items:
        if item.path.parent.name in ("parity", "browser"):
            item.add_marker(item.path.parent.name)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    from semedit_lite.bench_studio import chromium

    with playwright.sync_playwright() as driver:
        try:
            browser = chromium(driver)
        except playwright.Error as error:
            pytest.skip(f"no Chromium: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def studio():
    """The address of the Studio, served by this process with the bundled weights."""
    pytest.importorskip("gradio")
    from semedit_lite import hub
    from semedit_lite.errors import InputError
    from semedit_lite.ui import app

    try:
        faces = ("face-finder", "face-identity", "face-parser", "mobilestylegan-ffhq")
        for name in ("spade-faces-64", *faces):
            hub.find(name)
    except InputError as error:
        pytest.skip(str(error))
    sys.path.insert(0, str(Path(__file__).parent.parent / "demos"))
    page = importlib.import_module("studio").build()
    _, url, _ = app.launch(page, None, prevent_thread_lock=True, quiet=True)
    yield url
    page.close()


@pytest.fixture(scope="module")
def sliders_tab():
    """demos/sliders.py on a page of its own, and its address; `editor()` gives a stand-in that is
    as fast as a test needs it."""
    pytest.importorskip("gradio")
    from standin import StandIn

    from semedit_lite.ui import app

    sys.path.insert(0, str(Path(__file__).parent.parent / "demos"))
    sliders = importlib.import_module("sliders")
    standin = StandIn()
    faces = sliders.tab.face.first, sliders.tab.face.another
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sliders, "editor", lambda: standin)
        for made in faces:
            made.cache_clear()
        with app.blocks("Sliders") as page:
            sliders.build(page.load)
        _, url, _ = app.launch(page, None, prevent_thread_lock=True, quiet=True)
        yield sliders, url
        page.close()
    for made in faces:
        made.cache_clear()


@pytest.fixture
def standin(sliders_tab):
    """The editor of `sliders_tab`, fresh for a test."""
    standin = sliders_tab[0].editor()
    standin.let_go.set()
    standin.stepped.clear()
    standin.asked.clear()
    yield standin
    standin.let_go.set()
