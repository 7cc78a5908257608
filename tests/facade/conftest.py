"""A fresh configuration, empty maps, and drivers as if other distributions had been installed."""

from __future__ import annotations

import importlib.metadata
import uuid
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from conformance.s3_rig import Backstage, s3_settings
from facade import fakes
from facade.houses import let_go, make_s3
from fakes.s3_proxy import Proxy, proxied
from glance_store import _loading, _maps, location, multi_backend
from oslo_config import cfg

Install = Callable[..., None]


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test starts without stores, and leaves the global configuration as it was."""
    monkeypatch.setattr(location, "SCHEME_TO_CLS_MAP", {})
    monkeypatch.setattr(location, "SCHEME_TO_CLS_BACKEND_MAP", {})
    monkeypatch.setattr(multi_backend, "_RESERVED_STORES", {})
    monkeypatch.setattr(_maps, "STATE", _maps.State())
    fakes.Memory.objects.clear()
    fakes.Memory.log.clear()
    yield
    cfg.CONF.reset()


@pytest.fixture
def conf() -> Any:
    """Give a configuration of its own, with the consuming service's ``enabled_backends``."""
    fresh = cfg.ConfigOpts()
    fresh.register_opt(cfg.DictOpt("enabled_backends"))
    fresh([], default_config_files=[])
    return fresh


class Point(importlib.metadata.EntryPoint):
    """An entry point whose object is at hand."""

    def load(self) -> Any:
        found = Drivers.classes[self.name]
        if isinstance(found, Exception):
            raise found
        return found


class Drivers:
    classes: ClassVar[dict[str, Any]] = {}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Give ``install(name=class)``: an exception in the place of a class is what its import raises."""
    points: dict[str, Point] = {}
    monkeypatch.setattr(Drivers, "classes", {})
    monkeypatch.setattr(_loading, "_cache", {})
    monkeypatch.setattr(_loading, "_entry_points", lambda: frozen[0])
    frozen: list[tuple[Point, ...]] = [()]

    def add(**classes: Any) -> None:
        Drivers.classes.update(classes)
        points.update({name: Point(name, "elsewhere:Store", _loading.GROUP) for name in classes})
        frozen[0] = tuple(points.values())

    return add


@pytest.fixture
def stores(conf: Any, install: Install) -> Callable[..., Any]:
    """Give ``stores(ident="type", ...)``: create stores of the fake driver ``mem`` with places of their own."""
    install(mem=fakes.Memory)

    def create(reserved: dict[str, str] | None = None, /, **backends: str) -> int:
        conf.set_override("enabled_backends", backends)
        multi_backend.register_store_opts(conf, reserved)
        for name in {**backends, **(reserved or {})}:
            if "mem_place" in conf[name]:
                conf.set_override("mem_place", name, group=name)
        return multi_backend.create_multi_stores(conf, reserved)

    return create


# -- s3 ------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(moto: str) -> Iterator[Proxy]:
    with proxied(moto) as found:
        yield found


@pytest.fixture
def back(moto: str) -> Backstage:
    found = Backstage(s3_settings(moto, f"facade-{uuid.uuid4().hex[:12]}"))
    found.make()
    return found


@pytest.fixture
def make(conf: Any, proxy: Proxy, back: Backstage) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def store(identifier: str | None = None, **options: Any) -> Any:
        address = options.pop("host", proxy.address)
        bucket = options.pop("bucket", back.settings.bucket)
        made.append(make_s3(conf, address, bucket, identifier, **options))
        return made[-1]

    yield store
    for each in made:
        let_go(each)
