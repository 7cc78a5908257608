"""An s3 store on moto, directly and through a proxy that makes trouble."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance.s3_rig import Backstage, s3_settings
from fakes.s3_proxy import Proxy, proxied
from multistore import Store, StoreOptions
from multistore.drivers.s3 import S3Driver

#: Retries that lose no time.
QUICK = StoreOptions(attempts=4, backoff=0.001, backoff_limit=0.01)


@pytest.fixture
def back(moto: str) -> Backstage:
    """A fresh bucket, seen past the driver."""
    found = Backstage(s3_settings(moto, f"unit-{uuid.uuid4().hex[:12]}"))
    found.make()
    return found


@pytest.fixture
def proxy(moto: str) -> Iterator[Proxy]:
    with proxied(moto) as found:
        yield found


@pytest.fixture
def make(proxy: Proxy, back: Backstage) -> Iterator[Callable[..., S3Driver]]:
    """Make drivers that reach the bucket through the proxy."""
    made: list[S3Driver] = []

    def driver(**changes: Any) -> S3Driver:
        values: dict[str, Any] = {"endpoint": proxy.address, "timeout": 5.0} | changes
        bucket = values.pop("bucket", back.settings.bucket)
        made.append(S3Driver(s3_settings(values.pop("endpoint"), bucket, **values)))
        return made[-1]

    yield driver
    for each in made:
        each.close()


@pytest.fixture
def driver(make: Callable[..., S3Driver]) -> S3Driver:
    return make()


@pytest.fixture
def store(driver: S3Driver) -> Store:
    """A store that repeats what failed."""
    return Store(driver, name="judged", options=QUICK)
