"""The s3 driver keeps what every store of the interface keeps, over moto."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from conformance.s3_rig import Backstage, s3_settings
from facade.conformance import StoreConformance
from facade.houses import at, let_go, make_s3
from facade.rigs import Rig


def s3_rig(conf: Any, moto: str, identifier: str | None = None, **options: Any) -> Iterator[Rig]:
    bucket = f"facade-{uuid.uuid4().hex[:12]}"
    back = Backstage(s3_settings(moto, bucket))
    back.make()
    base = f"s3://{moto.removeprefix('http://')}/{bucket}/"
    store = make_s3(conf, moto, bucket, identifier, **options)

    def plant(name: str, data: bytes) -> str:
        back.ask("put_object", Key=name, Body=data)
        return f"s3://me:c4nary@{base.removeprefix('s3://')}{name}"

    yield Rig(
        store=store,
        at=lambda uri: at(store, uri),
        plant=plant,
        missing=lambda name: base + name,
        leftovers=back.leftovers,
        another=lambda: make_s3(conf, moto, bucket, identifier, **options),
        secrets=("c4nary",),
        identifier=identifier,
        exclusive=False,  # moto looks first and writes then
        large=(5 << 20) + 12_345,
    )
    let_go(store)


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, moto: str) -> Iterator[Rig]:
        yield from s3_rig(conf, moto)


class TestMultiStore(StoreConformance):
    """Every image in parts, and a server that refuses by itself."""

    @pytest.fixture
    def rig(self, conf: Any, moto: str) -> Iterator[Rig]:
        options = {"s3_store_large_object_size": 0, "s3_store_conditional_writes": "always"}
        yield from s3_rig(conf, moto, "cloud", **options)
