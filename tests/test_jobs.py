"""Edits that take long: one a canvas, watched, stopped."""

import threading

import pytest

from semedit_lite.errors import InputError
from semedit_lite.ui.jobs import Done, Jobs, watched


def test_one_runs_on_a_canvas_at_a_time():
    jobs = Jobs()
    with jobs.begin("a", "this") as job:
        assert jobs.on("a") is job
        assert job.asked == "this"
        assert jobs.on("b") is jobs.on(None) is None
        with jobs.begin("b"), pytest.raises(InputError, match="press Stop"):
            with jobs.begin("a"):
                pass
        assert jobs.on("a") is job  # it was not ended by the one that was refused
        assert not job()
    assert job()
    assert jobs.on("a") is None
    with jobs.begin("a"):
        pass


def test_one_that_fails_leaves_the_canvas_free():
    jobs = Jobs()
    with pytest.raises(RuntimeError), jobs.begin("a"):
        raise RuntimeError
    with jobs.begin("a"):
        pass


def test_what_is_reported_is_seen_and_the_result_last():
    taken = threading.Semaphore(0)

    def work(report):
        for k in range(5):
            report(k, f"step {k}")
            assert taken.acquire(timeout=60)
        return "done"

    seen = []
    with Jobs().begin("a") as job:
        for news in watched(work, job):
            seen.append(news)
            taken.release()
    assert seen == [*((k, f"step {k}") for k in range(5)), Done("done")]


def test_who_is_slow_sees_the_latest():
    told, asked = threading.Event(), threading.Event()

    def work(report):
        report("first")
        assert asked.wait(60)
        for k in range(100):
            report(k)
        told.set()
        assert asked.wait(60)

    with Jobs().begin("a") as job:
        news = watched(work, job)
        assert next(news) == ("first",)
        asked.set()
        assert told.wait(60)
        seen = [each for each in news if not isinstance(each, Done)]
    assert seen in ([(99,)], [])  # none of those before


def test_an_error_is_raised_where_it_is_watched():
    def work(report):
        report(1)
        raise InputError("It went astray.")

    with Jobs().begin("a") as job, pytest.raises(InputError, match="astray"):
        list(watched(work, job))


def test_who_stops_listening_stops_it():
    jobs, ended = Jobs(), threading.Event()

    def work(report):
        report(0)
        while not job():
            pass
        ended.set()

    with jobs.begin("a") as job:
        news = watched(work, job)
        next(news)
        news.close()
        assert ended.is_set()  # it has ended before another may begin
