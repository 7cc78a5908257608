"""The filesystem driver keeps what every store of the interface keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from facade.conformance import StoreConformance
from facade.houses import at, make_file
from facade.rigs import Rig


def file_rig(conf: Any, place: Path, identifier: str | None = None, **options: Any) -> Rig:
    def make() -> Any:
        return make_file(conf, place, identifier, **options)

    store = make()

    def plant(name: str, data: bytes) -> str:
        (place / name).write_bytes(data)
        return f"file://{place}/{name}"

    def leftovers() -> list[str]:
        """Everything hidden; what has a plain name was reported as stored, or planted."""
        pending = [each.token for each in store._places().all[0].core.pending()]
        return pending + [
            each for each in sorted(p.name for p in place.iterdir()) if each.startswith(".")
        ]

    return Rig(
        store=store,
        at=lambda uri: at(store, uri),
        plant=plant,
        missing=lambda name: f"file://{place}/{name}",
        leftovers=leftovers,
        another=make,
        identifier=identifier,
    )


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, tmp_path: Path) -> Rig:
        return file_rig(conf, tmp_path / "images")


class TestMultiStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, tmp_path: Path) -> Rig:
        return file_rig(conf, tmp_path / "images", "fast", filesystem_thin_provisioning=True)


class TestDurableWithTimeout(StoreConformance):
    """Everything in threads that can be left alone, and synced."""

    @pytest.fixture
    def rig(self, conf: Any, tmp_path: Path) -> Rig:
        return file_rig(
            conf,
            tmp_path / "images",
            "mounted",
            filesystem_store_durable=True,
            filesystem_store_timeout=30,
        )
