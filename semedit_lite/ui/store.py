"""What the server remembers of a session: few documents, not for long."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from semedit_lite.editing.document import Document
from semedit_lite.errors import InputError

CAPACITY = 32  # documents of uploaded photos: about 13 MB each, at most
AGE = 3600.0  # seconds since a document was last used
SWEEP = 60.0  # seconds between two looks at what is too old


class Store:
    """Keeps the documents of uploaded photos under keys that nobody can guess.

    The oldest go when there are too many, and all that were not used for `age` seconds, whether
    anyone comes or not; nothing is written to disk. Browser sessions hold only the key.
    """

    def __init__(
        self,
        capacity: int = CAPACITY,
        age: float = AGE,
        clock: Callable[[], float] = time.monotonic,
        sweep: float = SWEEP,
    ) -> None:
        self._capacity, self._age, self._clock, self._sweep = capacity, age, clock, sweep
        self._sweeping = False
        self._kept: OrderedDict[str, tuple[float, Document]] = OrderedDict()  # oldest use first
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, document: Document) -> str:
        """Keeps a document; returns its key."""
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = self._clock(), document
            self._forget()
            if not self._sweeping:
                self._sweeping = True
                threading.Thread(target=self._sweep_up, daemon=True).start()
        return key

    def get(self, key: str) -> Document:
        """The document of a key; InputError where it is no longer kept."""
        with self._lock:
            self._forget()
            if key not in self._kept:
                raise InputError("This photo is no longer kept here; upload it again.")
            _, document = self._kept.pop(key)
            self._kept[key] = self._clock(), document
            return document

    def _sweep_up(self) -> None:
        """Forgets what is too old, again and again until nothing is kept."""
        while self._sweeping:
            time.sleep(self._sweep)
            with self._lock:
                self._forget()
                self._sweeping = bool(self._kept)

    def _forget(self) -> None:
        now = self._clock()
        while self._kept:
            used, _ = next(iter(self._kept.values()))
            if len(self._kept) <= self._capacity and now - used <= self._age:
                return
            self._kept.popitem(last=False)
