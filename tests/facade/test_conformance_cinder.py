"""The cinder driver keeps what every store of the interface keeps, on a stand-in for Cinder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import NOWHERE, fake_settings, leftovers
from facade.conformance import StoreConformance
from facade.houses import at, make_cinder
from facade.rigs import Rig
from fakes.cinder_cloud import Cloud, FakeSdk
from multistore.drivers.cinder import driver


def cinder_rig(
    conf: Any, place: Path, monkeypatch: pytest.MonkeyPatch, identifier: str | None = None
) -> Rig:
    cloud = Cloud(place / "cloud")
    monkeypatch.setattr(driver, "Sdk", lambda: FakeSdk(cloud))
    (place / "locks").mkdir(exist_ok=True)
    beginning = f"cinder://{identifier}/" if identifier else "cinder://"

    def plant(name: str, data: bytes) -> str:
        labels = {"glance_image_id": name, "image_size": str(len(data))}
        client = cloud.client()
        made = client.volumes.create(1, f"image-{name}", None, labels)
        client.volumes.get(made.id)
        with cloud.data(made.id).open("r+b") as file:
            file.write(data)
        return f"{beginning}{made.id}"

    def make() -> Any:
        return make_cinder(conf, place, identifier)

    store = make()
    return Rig(
        store=store,
        at=lambda uri: at(store, uri),
        plant=plant,
        missing=lambda _name: beginning + NOWHERE,
        leftovers=lambda: leftovers(cloud, fake_settings(place)),
        another=make,
        secrets=("c4nary", "storage-s3cret"),
        identifier=identifier,
    )


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
        return cinder_rig(conf, tmp_path, monkeypatch)


class TestMultiStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
        return cinder_rig(conf, tmp_path, monkeypatch, "fast")
