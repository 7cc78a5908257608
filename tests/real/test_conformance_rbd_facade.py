"""The rbd store of the interface keeps what every store of it keeps, on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance.rbd_rig import Backstage, clean_up, lab_settings
from facade.conformance import StoreConformance
from facade.rbd_house import rbd_house
from facade.rigs import Rig
from multistore.drivers.rbd.sdk import load
from oslo_config import cfg

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


class OnTheCluster(StoreConformance):
    identifier: str | None = None
    options: dict[str, Any] = {}  # noqa: RUF012 -- a test class is made once per test

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        settings = lab_settings()
        sdk = load(settings.bindings)
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        yield rbd_house(conf, sdk, settings, self.identifier, **self.options)
        clean_up(Backstage(sdk, settings))


class TestSingleStore(OnTheCluster):
    pass


class TestMultiStore(OnTheCluster):
    """With zeros left out, and the data in another pool."""

    identifier = "ceph"
    options = {"rbd_thin_provisioning": True, "rbd_store_data_pool": "images-data"}  # noqa: RUF012
