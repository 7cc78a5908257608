"""The cinder store of the interface keeps what every store of it keeps, on the lab's Cinder with volumes in Ceph."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import NOWHERE, lab_alone, lab_leftovers, lab_settings
from conformance.rbd_rig import lab
from facade.conformance import StoreConformance
from facade.houses import at, make_cinder
from facade.rigs import Rig
from multistore.drivers.cinder import CinderDriver
from multistore.testing.tools import one_image
from oslo_config import cfg

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]


class TestMultiStore(StoreConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[])
        (tmp_path / "locks").mkdir()
        options: dict[str, Any] = {
            "cinder_store_auth_address": lab("MULTISTORE_LAB_KEYSTONE"),
            "cinder_store_password": "glancepass",
            "cinder_volume_type": "rbd",
            "cinder_mount_point_base": lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images",
        }

        def make() -> Any:
            return make_cinder(conf, tmp_path, "rbd", **options)

        def plant(name: str, data: bytes) -> str:
            with contextlib.closing(CinderDriver(lab_settings(tmp_path / "locks", "rbd"))) as core:
                return one_image(core, name, data).ref

        with lab_alone():
            store = make()
            yield Rig(
                store=store,
                at=lambda uri: at(store, uri),
                plant=plant,
                missing=lambda _name: f"cinder://rbd/{NOWHERE}",
                leftovers=lambda: lab_leftovers(tmp_path / "locks"),
                another=make,
                secrets=("glancepass",),
                identifier="rbd",
                exclusive=False,
            )
            core = store.core_driver()
            with contextlib.closing(core):
                for image in list(core.list()):
                    core.delete(image.ref)
            left = lab_leftovers(tmp_path / "locks")
            assert not left, left
