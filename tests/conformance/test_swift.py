"""The swift driver keeps the whole contract over the stand-in for Swift; real servers are in tests/real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.swift_rig import SECRET, swift_rig, swift_settings
from fakes.swift_server import USER, SwiftState, swift_server
from multistore.config import Secret
from multistore.testing import DriverConformance, Rig


@pytest.fixture(scope="module")
def server() -> Iterator[SwiftState]:
    with swift_server() as state:
        yield state


class TestSwift(DriverConformance):
    @pytest.fixture
    def rig(self, server: SwiftState) -> Rig:
        settings = swift_settings(
            auth_url=f"{server.base}/auth/v1.0",
            auth_version="1",
            user=USER,
            password=Secret(SECRET),
            container="conformance",
        )
        return swift_rig(settings)
