"""The Cinder driver against the conformance suite, on a stand-in for Cinder: handles without a device, and devices."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance.cinder_rig import fake_rig, fake_settings, link_for_mounting
from fakes.cinder_cloud import Cloud
from multistore.testing import DriverConformance, Rig


class TestHandles(DriverConformance):
    """RBD: os-brick gives a handle that has no path."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        """A stand-in of this test alone."""
        return fake_rig(Cloud(tmp_path / "cloud"), fake_settings(tmp_path))


class TestDevices(DriverConformance):
    """iSCSI and the like: os-brick gives the path of a device, which is longer than its volume."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        """A stand-in of this test alone."""
        return fake_rig(
            Cloud(tmp_path / "cloud", "iscsi", slack=1 << 20), fake_settings(tmp_path, parallel=1)
        )


class TestFiles(DriverConformance):
    """NFS: a volume is a file in an export that is mounted."""

    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
        """A stand-in of this test alone; in the place of a mount there is a link."""
        link_for_mounting(monkeypatch)
        return fake_rig(Cloud(tmp_path / "cloud", "nfs"), fake_settings(tmp_path))
