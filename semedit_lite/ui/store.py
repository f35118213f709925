"""What the server remembers of its visitors: not much, and not for long."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from semedit_lite.errors import InputError

CAPACITY = 256  # works
MAX_BYTES = 512 * 2**20  # of all works
LARGEST = 192 * 2**20  # of one: a photo and its 500 steps
AGE = 3600.0  # seconds since a work was last used
SWEEP = 60.0  # seconds between two looks at what is too old


class Sized(Protocol):
    """What knows about how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


Work = TypeVar("Work", bound=Sized)


class GoneError(InputError):
    """What a key stood for is no longer kept."""


class _Kept(NamedTuple, Generic[Work]):
    used: float
    nbytes: int
    work: Work


class Store(Generic[Work]):
    """Keeps the works of visitors under keys that nobody can guess.

    The least recently used go when there are too many or they are too large together, and all that
    were not used for `age` seconds, whether anyone comes or not; nothing is written to disk. A work
    is immutable: to change it is to exchange it for another, and changes of several threads follow
    one another. Browsers hold only the key.
    """

    def __init__(
        self,
        capacity: int = CAPACITY,
        age: float = AGE,
        clock: Callable[[], float] = time.monotonic,
        sweep: float = SWEEP,
        *,
        max_bytes: int = MAX_BYTES,
        largest: int = LARGEST,
    ) -> None:
        self._capacity, self._age, self._clock, self._sweep = capacity, age, clock, sweep
        self._max_bytes, self._largest = max_bytes, largest
        self._sweeping = False
        self._kept: OrderedDict[str, _Kept[Work]] = OrderedDict()  # oldest use first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """What all that is kept takes in memory, about."""
        return sum(kept.nbytes for kept in list(self._kept.values()))

    def put(self, work: Work) -> str:
        """Keeps a work; returns its key. InputError where it is too large."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._keep(key, work)
            if not self._sweeping:
                self._sweeping = True
                threading.Thread(target=self._sweep_up, daemon=True).start()
        return key

    def get(self, key: str | None) -> Work:
        """The work of a key; GoneError, an InputError, where it is no longer kept."""
        return self.update(key, lambda work: work)

    def update(self, key: str | None, change: Callable[[Work], Work]) -> Work:
        """Exchanges a work for what `change` makes of it, and returns that. GoneError where it is
        no longer kept, InputError where it became too large; then the old one is still there."""
        with self._lock:
            self._forget()
            if key not in self._kept:
                raise GoneError(
                    "This work is no longer kept here; open the file that you saved, or the photo, "
                    "again."
                )
            return self._keep(key, change(self._kept[key].work))

    def _keep(self, key: str, work: Work) -> Work:
        old, size = self._kept.get(key), work.nbytes
        if size > self._largest and (old is None or size > old.nbytes):
            raise InputError(
                f"This work takes more than {self._largest // 2**20} MB, the most that is kept "
                "here; save it, and the picture, and begin anew with that."
            )
        self._kept[key] = _Kept(self._clock(), size, work)
        self._kept.move_to_end(key)
        self._forget()
        return work

    def _sweep_up(self) -> None:
        """Forgets what is too old, again and again until nothing is kept."""
        while self._sweeping:
            time.sleep(self._sweep)
            with self._lock:
                self._forget()
                self._sweeping = bool(self._kept)

    def _forget(self) -> None:
        now, size = self._clock(), self.nbytes
        while self._kept:
            oldest = next(iter(self._kept.values()))
            fits = len(self._kept) <= self._capacity and size <= self._max_bytes
            if fits and now - oldest.used <= self._age:
                return
            self._kept.popitem(last=False)
            size -= oldest.nbytes
