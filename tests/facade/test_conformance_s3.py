"""The s3 driver keeps what every store of the interface keeps, over moto."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conformance.s3_rig import Backstage, s3_settings
from facade.conformance import StoreConformance
from facade.rigs import Rig
from facade.s3_house import s3_house


@pytest.fixture
def back(moto: str) -> Backstage:
    found = Backstage(s3_settings(moto, f"facade-{uuid.uuid4().hex[:12]}"))
    found.make()
    return found


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, back: Backstage) -> Iterator[Rig]:
        yield from s3_house(conf, back)


class TestMultiStore(StoreConformance):
    """Every image in parts, and a server that refuses by itself."""

    @pytest.fixture
    def rig(self, conf: Any, back: Backstage) -> Iterator[Rig]:
        options = {"s3_store_large_object_size": 0, "s3_store_conditional_writes": "always"}
        yield from s3_house(conf, back, "cloud", **options)
