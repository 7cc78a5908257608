"""The cinder store of the interface keeps what every store of it keeps, on the lab's Cinder.

Volumes in Ceph get the whole suite, files a test of each verb and of its failures: an image costs seconds there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import NOWHERE, lab_alone, lab_leftovers, lab_settings
from conformance.rbd_rig import lab
from facade.conformance import StoreConformance
from facade.houses import at, fresh_conf, make_cinder
from facade.rigs import Rig
from multistore.drivers.cinder import CinderDriver
from multistore.testing.tools import one_image

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]


class OnCinder:
    kind = ""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        kind = self.kind
        conf = fresh_conf()
        (tmp_path / "locks").mkdir()
        options: dict[str, Any] = {
            "cinder_store_auth_address": lab("MULTISTORE_LAB_KEYSTONE"),
            "cinder_store_password": "glancepass",
            "cinder_volume_type": kind,
            "cinder_mount_point_base": lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images",
        }

        def make() -> Any:
            return make_cinder(conf, tmp_path, kind, **options)

        def plant(name: str, data: bytes) -> str:
            with contextlib.closing(CinderDriver(lab_settings(tmp_path / "locks", kind))) as core:
                return one_image(core, name, data).ref

        with lab_alone():
            store = make()
            yield Rig(
                store=store,
                at=lambda uri: at(store, uri),
                plant=plant,
                missing=lambda _name: f"cinder://{kind}/{NOWHERE}",
                leftovers=lambda: lab_leftovers(tmp_path / "locks"),
                another=make,
                secrets=("glancepass",),
                identifier=kind,
                exclusive=False,
            )
            core = store.core_driver()
            with contextlib.closing(core):
                for image in list(core.list()):
                    core.delete(image.ref)
            left = lab_leftovers(tmp_path / "locks")
            assert not left, left


class TestRbd(OnCinder, StoreConformance):
    kind = "rbd"


class TestNfs(OnCinder):
    kind = "nfs"
    suite = StoreConformance()  # pytest would take all of it if it were inherited

    def test_an_image_of_unknown_size(self, rig: Rig) -> None:
        self.suite.test_an_image_is_stored(rig, -1, known=False)

    def test_a_range(self, rig: Rig) -> None:
        self.suite.test_a_range_deep_in_a_large_image(rig)

    def test_a_missing_image(self, rig: Rig) -> None:
        self.suite.test_a_missing_image_is_not_found_by_the_call_itself(rig)

    def test_a_verifier_that_raises(self, rig: Rig) -> None:
        self.suite.test_what_a_verifier_raises_comes_out_unchanged_and_nothing_is_left(rig)

    def test_a_duplicate(self, rig: Rig) -> None:
        self.suite.test_an_image_that_is_there_is_a_duplicate_and_stays(rig)

    def test_a_deleted_image(self, rig: Rig) -> None:
        self.suite.test_a_deleted_image_is_not_found(rig)
