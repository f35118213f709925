"""The benchmark writes what was measured, keeps what was not, and fills the README's table."""

import json
import os
import time

import pytest
import torch

from semedit_lite import bench, bench_studio
from semedit_lite.errors import InputError
from semedit_lite.evaluation import report


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """A repository of a README alone, and measurements that take no time."""
    (tmp_path / "README.md").write_text("<!-- bench-cpu:start -->\n<!-- bench-cpu:end -->\n")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "BENCHMARKS", tmp_path / "benchmarks")
    monkeypatch.setattr(report, "BUNDLED", tmp_path / "weights")
    monkeypatch.setattr(bench, "MOST", 5)
    toys = {
        "even": bench.Measurement("Even", lambda device: lambda: 2.0, aim=3),
        "odd": bench.Measurement("Odd", lambda device: lambda: time.sleep(0.002)),
    }
    monkeypatch.setattr(bench, "MEASUREMENTS", toys)
    return tmp_path


def test_bench_writes_figures_and_the_table(pages):
    path = bench.bench([])
    found = json.loads(path.read_text())
    assert found["machine"]["torch"] == torch.__version__
    assert list(found["results"]) == ["even", "odd"]
    even = found["results"]["even"]
    assert (even["median"], even["low"], even["high"], even["runs"]) == (2.0, 2.0, 2.0, 5)
    assert found["results"]["odd"]["median"] >= 2  # a run that gives no float is timed
    assert "| Even | 2 ms | 2 – 2 | ≤ 3 ms |" in (pages / "README.md").read_text()


def test_what_is_not_measured_again_stays(pages):
    before = json.loads(bench.bench([]).read_text())["results"]
    after = json.loads(bench.bench(["odd"]).read_text())["results"]
    assert after["even"] == before["even"]
    assert list(after) == ["even", "odd"]


def test_unknown_measurements_are_refused(pages):
    with pytest.raises(InputError, match="no measurement 'speed'; choose from even, odd"):
        bench.bench(["speed"])


def test_what_needs_more_is_measured_by_name_alone(pages, monkeypatch):
    toy = bench.Measurement("More", lambda device: lambda: 1.0, needs="SEMEDIT_TOY")
    monkeypatch.setitem(bench.MEASUREMENTS, "more", toy)
    monkeypatch.delenv("SEMEDIT_TOY", raising=False)
    assert "more" not in json.loads(bench.bench([]).read_text())["results"]
    assert "more" in json.loads(bench.bench(["more"]).read_text())["results"]
    monkeypatch.setenv("SEMEDIT_TOY", "1")
    (pages / "benchmarks" / "cpu.json").unlink()
    assert "more" in json.loads(bench.bench([]).read_text())["results"]


HERE = [name for name in bench.MEASUREMENTS if not name.startswith(("studio", "space"))]


@pytest.mark.parametrize("name", HERE)
def test_measurements_outside_the_studio_run(name):
    """Once each; the training with the teachers where they are."""
    one = bench.MEASUREMENTS[name]
    if one.needs and not os.environ.get(one.needs):
        pytest.skip(f"{one.needs} is not set")
    assert bench._timed(one.prepare("cpu")) > 0


def test_the_work_that_memory_is_measured_over(studio):
    assert min(bench_studio.work_with(studio)) > 1024  # the photo's own size, not the network's
