"""What the server remembers of uploaded photos, and for how long."""

import time

import pytest
import torch

from semedit_lite.editing.document import Document
from semedit_lite.errors import InputError
from semedit_lite.ui.store import Store


def document() -> Document:
    return Document(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 4), {"tool": "open"})


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
