"""The standard streams of a process whose caller closed some of them."""

from __future__ import annotations

import os
import sys

__all__ = ["abandon", "reopen"]


def reopen() -> None:
    """Put something in the place of standard streams that are closed.

    Otherwise the next file that is opened, the catalog say, would be standard output.
    Input and output are opened the wrong way round, so that using them is an error; messages are simply dropped.
    """
    if sys.stdin is None:
        _place(0, os.O_WRONLY)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- lives as long as the process
    if sys.stdout is None:
        _place(1, os.O_RDONLY)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise
    if sys.stderr is None:
        _place(2, os.O_WRONLY)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- likewise


def abandon(number: int) -> None:
    """Drop what standard output (1) or error (2) still holds: it cannot be written, and would be tried again at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


def _place(number: int, flags: int) -> None:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
