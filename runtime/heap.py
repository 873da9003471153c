"""Memory that was freed, given back to the system."""

import ctypes


def give_back() -> None:
    """Let the allocator return what is free, as glibc does by itself only at the end of its heap.

    For the end of work that took much for a moment: on a heap of a gigabyte it takes some ten milliseconds,
    beside which other threads run. Elsewhere than on glibc nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
