"""The rbd driver keeps the whole contract over the stand-in for Ceph's modules; real clusters are in tests/real."""

from __future__ import annotations

import pytest
from conformance.rbd_rig import rbd_rig
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import make_sdk
from multistore.drivers.rbd import RbdSettings
from multistore.testing import DriverConformance, Rig


class TestRbd(DriverConformance):
    @pytest.fixture
    def rig(self) -> Rig:
        settings = RbdSettings(user="images", object_size=1 << 16, busy_timeout=0.0)
        return rbd_rig(settings, make_sdk(Cluster()), shared=False)
