"""Memory for the pieces of images: what the last ones gave back serves the next."""

from __future__ import annotations

from functools import cache

__all__ = ["keep_freed_memory"]

#: The C library keeps twice as much of what was freed; what is larger it gives back at once.
_LARGEST = 8 << 20


@cache
def keep_freed_memory() -> None:
    """Have the C library keep some megabytes of freed memory, where it is glibc and nobody has set this; once a process.

    It raises its limits to the size of the largest block of its kind that was freed (mallopt(3), M_MMAP_THRESHOLD), so
    one is made and freed here, of which no page is touched.
    With the limits that a process starts with, each piece of an image is in new memory, every page of which is a fault:
    over a third of the CPU time of reading an image of Swift.
    """
    bytes(_LARGEST)
