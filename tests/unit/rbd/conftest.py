"""A cluster in memory, and drivers on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import Make, make_sdk
from multistore.drivers.rbd import RbdDriver, RbdSettings


@pytest.fixture
def cluster() -> Cluster:
    return Cluster("images", "volumes")


@pytest.fixture
def make(cluster: Cluster) -> Iterator[Make]:
    """Make drivers that share the modules, as all drivers of a process do, and see that all of them let go."""
    sdk = make_sdk(cluster)
    with ExitStack() as stack:

        def made(**settings: Any) -> RbdDriver:
            values = {"user": "images", "object_size": 1 << 16, "busy_timeout": 0.0, **settings}
            driver = RbdDriver(RbdSettings(**values), sdk=sdk)
            stack.callback(driver.close)
            return driver

        yield made
    assert cluster.open == 0, "something is still open"


@pytest.fixture
def driver(make: Make) -> RbdDriver:
    return make()
