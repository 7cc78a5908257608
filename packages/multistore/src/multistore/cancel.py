"""Telling the calls of a transfer that nobody waits for it any more, so that they do not pause for nothing."""

from __future__ import annotations

import contextvars
import threading

__all__ = ["CANCELLED", "Cancellation"]

#: Set when the transfer that runs in this context has been given up; None outside of one.
CANCELLED: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar(
    "multistore_cancelled", default=None
)


class Cancellation:
    """One transfer's threads: they run in ``context()``, and see it when ``cancel`` is called."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def context(self) -> contextvars.Context:
        """Give a copy of the current context for a new thread."""
        context = contextvars.copy_context()
        context.run(CANCELLED.set, self._event)
        return context

    def cancel(self) -> None:
        """Say that nobody waits any more; idempotent."""
        self._event.set()
