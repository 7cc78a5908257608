"""A file descriptor that is never used after it was closed."""

from __future__ import annotations

import os

from multistore.errors import NotFound

__all__ = ["Descriptor"]


class Descriptor:
    """Holds a descriptor until it is closed.

    ``number`` is asked for before each system call and never kept: a call that was given up because it hung
    may come back after the file was closed, when another file has its number.
    ``held`` is assigned in the statement that opens, so that no exception comes in between; and what an exception
    in the midst of closing left open is closed with the last reference.
    """

    __slots__ = ("_what", "held")

    def __init__(self, what: str) -> None:
        self.held = -1
        self._what = what

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self.held >= 0

    @property
    def number(self) -> int:
        """The descriptor; NotFound if it is closed."""
        number = self.held
        if number < 0:
            raise NotFound(f"{self._what} is closed")
        return number

    def close(self) -> None:
        """Close it; idempotent. An OSError says what went wrong; it is closed all the same."""
        number, self.held = self.held, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        if hasattr(self, "held"):  # what was struck while it was being made has nothing
            self.close()
