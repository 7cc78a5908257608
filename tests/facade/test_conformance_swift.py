"""The swift driver keeps what every store of the interface keeps, over the stand-in for Swift."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance.swift_rig import Backstage
from facade.conformance import StoreConformance
from facade.houses import at, make_swift
from facade.rigs import Rig
from fakes.swift_server import KEY, swift_server


def swift_rig(conf: Any, identifier: str | None = None, **options: Any) -> Iterator[Rig]:
    with swift_server() as state:

        def make() -> Any:
            return make_swift(conf, state.base, identifier, **options)

        store = make()
        back = Backstage(store._settings())

        def plant(name: str, data: bytes) -> str:
            with back.container() as container:
                container.put(name, "planted", data, fields={})
            place = state.base.removeprefix("http://")
            return f"swift+http://test%3Atester:{KEY}@{place}/v3/{store.container}/{name}"

        with back.container() as container:
            container.swift.ask("PUT", (container.name,), "backstage")
        yield Rig(
            store=store,
            at=lambda uri: at(store, uri),
            plant=plant,
            missing=lambda name: f"swift+config://ref1/{store.container}/{name}",
            leftovers=back.leftovers,
            another=make,
            secrets=(KEY,),
            identifier=identifier,
            exclusive=False,  # of two writes at the same moment Swift takes the later one
        )
        store._current()[1].close()


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any) -> Iterator[Rig]:
        yield from swift_rig(conf)


class TestMultiStore(StoreConformance):
    """Every image in segments of 1024000 bytes."""

    @pytest.fixture
    def rig(self, conf: Any) -> Iterator[Rig]:
        yield from swift_rig(conf, "cloud", swift_store_large_object_chunk_size=1)
