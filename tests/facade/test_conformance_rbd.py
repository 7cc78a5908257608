"""The rbd driver keeps what every store of the interface keeps, over the stand-in for Ceph's modules."""

from __future__ import annotations

from typing import Any

import pytest
from facade.conformance import StoreConformance
from facade.rbd_house import rbd_house, stand_in
from facade.rigs import Rig
from fakes.rbd_cluster import Cluster
from multistore.drivers.rbd import RbdSettings

SETTINGS = RbdSettings(user="images")


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, monkeypatch: pytest.MonkeyPatch) -> Rig:
        return rbd_house(conf, stand_in(monkeypatch, Cluster()), SETTINGS)


class TestMultiStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, monkeypatch: pytest.MonkeyPatch) -> Rig:
        sdk = stand_in(monkeypatch, Cluster())
        return rbd_house(conf, sdk, SETTINGS, "ceph", rbd_thin_provisioning=True)
