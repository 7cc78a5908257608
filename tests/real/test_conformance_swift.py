"""The swift driver keeps the whole contract on Swift with its own users and with Keystone's, and on Ceph's gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.swift_rig import Backstage, gateway, keystone, swift_rig, tempauth
from multistore.drivers.swift import SwiftSettings
from multistore.testing import DriverConformance, Rig
from multistore.testing.copying import Copying
from multistore.testing.reading import Reading
from multistore.testing.writing import Writing

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def swift() -> Iterator[SwiftSettings]:
    settings = tempauth()
    yield settings
    Backstage(settings).empty()


@pytest.fixture(scope="module")
def dynamic() -> Iterator[SwiftSettings]:
    settings = tempauth(manifest="dynamic")
    yield settings
    Backstage(settings).empty()


@pytest.fixture(scope="module")
def ceph() -> Iterator[SwiftSettings]:
    settings = gateway()
    yield settings
    Backstage(settings).empty()


@pytest.fixture(scope="module")
def cloud() -> Iterator[SwiftSettings]:
    settings = keystone()
    yield settings
    Backstage(settings).empty()


class TestSwift(DriverConformance):
    @pytest.fixture
    def rig(self, swift: SwiftSettings) -> Rig:
        return swift_rig(swift, patience=60.0)


class TestKeystone(DriverConformance):
    """As a user of Keystone's, in a project with other containers."""

    @pytest.fixture
    def rig(self, cloud: SwiftSettings) -> Rig:
        return swift_rig(cloud, patience=60.0)


class TestDynamic(Reading, Writing, Copying):
    """The same with dynamic manifests."""

    @pytest.fixture
    def rig(self, dynamic: SwiftSettings) -> Rig:
        return swift_rig(dynamic, patience=60.0)


class TestGateway(DriverConformance):
    """Ceph's gateway does not show manifests, and replaces objects whatever it is asked."""

    @pytest.fixture
    def rig(self, ceph: SwiftSettings) -> Rig:
        return swift_rig(ceph, patience=60.0, copies=None)
