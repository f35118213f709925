"""Memory that was freed goes back to the system."""

import ctypes
import sys


def give_back_memory() -> None:
    """glibc keeps what is freed, in pieces, and after a few edits holds three times what is in use.
    Other allocators see to this themselves."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
