"""What the server remembers of its visitors, how much and for how long."""

import time

import pytest
import torch

from semedit_lite.editing.document import Document, History
from semedit_lite.errors import InputError
from semedit_lite.ui.store import GoneError, Store


def document(parent=None) -> Document:
    return Document(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), {"tool": "open"}, parent=parent)


def test_a_document_is_found_by_its_key_only():
    store = Store()
    one, two = document(), document()
    keys = store.put(one), store.put(two)
    assert store.get(keys[0]) is one
    assert store.get(keys[1]) is two
    with pytest.raises(InputError, match="no longer kept"):
        store.get("guess")


def test_the_least_recently_used_goes_first():
    store = Store(capacity=2)
    first, second = store.put(document()), store.put(document())
    store.get(first)
    third = store.put(document())
    assert len(store) == 2
    store.get(first)
    store.get(third)
    with pytest.raises(InputError):
        store.get(second)


def test_what_nobody_uses_is_forgotten():
    now = 0.0
    store = Store(age=10, clock=lambda: now)
    old, used = store.put(document()), store.put(document())
    now = 8.0
    store.get(used)
    now = 15.0
    store.get(used)
    with pytest.raises(InputError):
        store.get(old)
    assert len(store) == 1


def test_it_forgets_even_where_nobody_comes_any_more():
    store = Store(age=0.05, sweep=0.01)
    for _ in range(2):  # the second time after the sweeping had ended
        store.put(document())
        assert len(store) == 1
        deadline = time.monotonic() + 20
        while len(store):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.1)


def test_of_bytes_only_so_many_are_kept():
    size = document().nbytes
    store = Store(max_bytes=3 * size)
    keys = [store.put(document()) for _ in range(3)]
    store.get(keys[0])
    keys.append(store.put(document()))
    assert store.nbytes == 3 * size
    with pytest.raises(GoneError):
        store.get(keys[1])
    for key in (keys[0], *keys[2:]):
        store.get(key)


def test_growing_drives_out_the_oldest_too():
    size = document().nbytes
    store = Store(max_bytes=3 * size)
    old, growing = store.put(History.start(document())), store.put(History.start(document()))
    for _ in range(2):
        store.update(growing, lambda history: history.push(document(history.current)))
    assert len(store) == 1
    assert store.nbytes == 3 * size
    with pytest.raises(GoneError, match="open the file that you saved"):
        store.get(old)


def test_what_alone_is_too_large_is_refused_and_the_old_one_kept():
    size = document().nbytes
    store = Store(largest=2 * size)
    key = store.put(History.start(document()))
    store.update(key, lambda history: history.push(document(history.current)))
    with pytest.raises(InputError, match="save it, and the picture, and begin anew"):
        store.update(key, lambda history: history.push(document(history.current)))
    assert len(store.get(key).steps) == 2
    with pytest.raises(InputError, match="begin anew"):
        store.put(store.get(key).push(document(store.get(key).current)))
    assert len(store) == 1


def test_a_change_that_fails_changes_nothing():
    store = Store()
    one = document()
    key = store.put(one)
    with pytest.raises(ZeroDivisionError):
        store.update(key, lambda _: 1 / 0)
    assert store.get(key) is one
