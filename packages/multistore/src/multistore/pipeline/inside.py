"""A copy that the backend makes by itself: no byte passes through here."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType

from multistore.driver import Driver
from multistore.errors import Unsupported
from multistore.model import Verb
from multistore.pipeline.journal import Journal
from multistore.pipeline.sink import Sink, Target

__all__ = ["copy_inside"]


def copy_inside(
    target: Target,
    source: Driver,
    ref: str,
    name: str,
    *,
    check: Callable[[int], None],
    journal: Journal | None,
) -> Sink | None:
    """Copy an image inside the backend, whole and published or not at all; None if these two stores cannot.

    ``check`` gets the size before anything is published, and may raise.
    """
    if Verb.COPY not in target.driver.capabilities.verbs:
        return None
    sink = Sink(target, None, lambda: None)
    started = time.monotonic()
    try:
        size = sink.begin_copy(source, ref, name, journal)
        sink.seconds["store"] = time.monotonic() - started
        check(size)
        sink.commit(size, MappingProxyType({}))
    except Unsupported as error:
        sink.undo(error)
        return None
    except BaseException as error:
        sink.undo(error)
        raise
    return sink
