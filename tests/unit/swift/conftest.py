"""A stand-in for Swift, and drivers on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from conformance.swift_rig import swift_settings
from fakes.swift_server import KEY, USER, SwiftState, swift_server
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver

Make = Callable[..., SwiftDriver]


@pytest.fixture
def server() -> Iterator[SwiftState]:
    with swift_server() as state:
        yield state


@pytest.fixture
def make(server: SwiftState) -> Iterator[Make]:
    """Make drivers that log in as Swift's own user."""
    with ExitStack() as stack:

        def made(**changes: Any) -> SwiftDriver:
            values: dict[str, Any] = {
                "auth_url": f"{server.base}/auth/v1.0",
                "auth_version": "1",
                "user": USER,
                "password": Secret(KEY),
                "container": "images",
            }
            driver = SwiftDriver(swift_settings(**values | changes))
            stack.callback(driver.close)
            return driver

        yield made
