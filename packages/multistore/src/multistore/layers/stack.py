"""All layers in one visible line, from the wire outwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from multistore.driver import Driver
from multistore.layers.deadline import DeadlineLayer
from multistore.layers.events import Events
from multistore.layers.faults import FaultLayer, FaultPlan
from multistore.layers.limit import LimitLayer
from multistore.layers.observe import ObserveLayer
from multistore.layers.retry import Policy, RetryLayer
from multistore.model import EventHandler

__all__ = ["StoreOptions", "stack"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How a Store treats its backend, whatever the backend is."""

    #: How often a call is tried in all; 1 switches retries off.
    attempts: int = 5
    #: The first pause between two attempts, in seconds; it doubles, and is drawn at random from 0 to that.
    backoff: float = 0.5
    #: The longest pause, in seconds.
    backoff_limit: float = 30.0
    #: Seconds after which a call is not tried again, pauses included.
    patience: float = 300.0
    #: Bytes per second below which a read is given up as TimedOut, measured over ``min_rate_seconds``; 0: no bound.
    min_rate: int = 1024
    min_rate_seconds: float = 60.0
    #: How many calls may be under way at once; None: no bound.
    max_calls: int | None = None
    #: Whether md5 and a SHA are computed in one pass where ``multistore-digest`` is installed; off: always by hashlib.
    fused_digests: bool = True


def stack(
    driver: Driver,
    *,
    name: str,
    options: StoreOptions,
    events: Sequence[EventHandler] = (),
    faults: FaultPlan | None = None,
) -> Driver:
    """Wrap a driver in its layers, from the wire outwards; one that has nothing to do is left out.

    ``faults`` is for tests.
    """
    told = Events(name, events)
    slow, hang = options.min_rate > 0, driver.capabilities.hang_timeout
    if faults is not None:
        driver = FaultLayer(driver, faults)
    if options.max_calls is not None:
        driver = LimitLayer(driver, calls=options.max_calls)
    if slow or hang is not None:
        rate, window = options.min_rate, options.min_rate_seconds
        driver = DeadlineLayer(driver, seconds=hang, rate=rate, window=window)
    if options.attempts > 1:
        driver = RetryLayer(driver, _policy(options), told.retrying if events else None)
    return ObserveLayer(driver, told)


def _policy(options: StoreOptions) -> Policy:
    return Policy(
        attempts=options.attempts,
        backoff=options.backoff,
        backoff_limit=options.backoff_limit,
        patience=options.patience,
        progress=options.min_rate * options.min_rate_seconds,
    )
