"""Edits that take seconds: at most one on a canvas, seen as it goes on, and ended when asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from semedit_lite.errors import InputError

Result = TypeVar("Result")
Report = Callable[..., None]  # takes whatever is to be seen
BUSY = "An edit is still being worked out; wait until it is done, or press Stop."


@dataclass(frozen=True, eq=False)
class Job:
    """One edit; calling it says whether it is to stop."""

    asked: Any  # what it is for
    stopped: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> bool:
        return self.stopped.is_set()


class Jobs:
    """Those that run, by the name of their canvas."""

    def __init__(self) -> None:
        self._running: dict[str, Job] = {}
        self._lock = threading.Lock()

    @contextmanager
    def begin(self, canvas: str, asked: Any = None) -> Iterator[Job]:
        """Runs one; InputError where one runs there already."""
        job = Job(asked)
        with self._lock:
            if canvas in self._running:
                raise InputError(BUSY)
            self._running[canvas] = job
        try:
            yield job
        finally:
            job.stopped.set()
            with self._lock:
                del self._running[canvas]

    def on(self, canvas: str | None) -> Job | None:
        """The one that runs on a canvas."""
        return self._running.get(canvas)


@dataclass(frozen=True)
class Done(Generic[Result]):
    """What a job came to."""

    result: Result


def watched(work: Callable[[Report], Result], job: Job) -> Iterator[tuple | Done[Result]]:
    """Runs `work` beside and gives what it reports, the latest where that came faster than it was
    taken, and last what it came to; raises what it raises. Who stops listening stops it."""
    news: SimpleQueue = SimpleQueue()

    def run() -> None:
        try:
            news.put(Done(work(lambda *seen: news.put(seen))))
        except BaseException as error:
            news.put(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            latest = news.get()
            while not news.empty():
                latest = news.get()
            if isinstance(latest, BaseException):
                raise latest
            yield latest
            if isinstance(latest, Done):
                return
    finally:
        job.stopped.set()
        thread.join()
