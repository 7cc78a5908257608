"""Creating stores again: replacement, order, several configurations, default stores."""

from __future__ import annotations

import gc
import io
import logging
import os
import weakref
from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import backend, exceptions, location, multi_backend
from oslo_config import cfg

Create = Callable[..., int]
STAGING = "os_glance_staging_store"


def known() -> dict[str, list[str]]:
    return {s: list(ids) for s, ids in location.SCHEME_TO_CLS_BACKEND_MAP.items()}


def test_c23_stores_that_are_no_longer_configured_are_gone(stores: Create) -> None:
    stores(one="mem", two="mem")
    stores(two="mem")
    assert known() == {"mem": ["two"], "mem+alt": ["two"]}
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_store_from_store_identifier("one")
    stores()
    assert known() == {}


def test_c23_single_store_mode_forgets_removed_stores_too(conf: Any, install: Any) -> None:
    install(mem=fakes.Memory, raw=fakes.Raw)
    backend.register_opts(conf)
    raw = type("Raw2", (fakes.Memory,), {"schemes": ("raw",), "__module__": "facade.fakes"})
    install(raw=raw)
    conf.set_override("stores", ["mem", "raw"], group="glance_store")
    assert glance_store.create_stores(conf) == 2
    conf.set_override("stores", ["raw"], group="glance_store")
    assert glance_store.create_stores(conf) == 1
    assert list(glance_store.get_known_schemes()) == ["raw"]


def test_c23_a_reader_never_sees_a_half_made_map(stores: Create, install: Any, conf: Any) -> None:
    stores(one="mem", two="mem")
    seen: list[Any] = []

    class Watching(fakes.Memory):
        def configure_add(self) -> None:
            super().configure_add()
            seen.append((location.SCHEME_TO_CLS_BACKEND_MAP, known()))

    install(mem=Watching)
    before = location.SCHEME_TO_CLS_BACKEND_MAP
    glance_store.create_multi_stores(conf)
    assert [map_ is before for map_, _ in seen] == [True, True]
    assert all(names["mem"] == ["one", "two"] for _, names in seen)


def test_trap_5_an_operation_keeps_its_store_when_stores_are_made_anew(
    conf: Any, tmp_path: Any
) -> None:
    conf.set_override("enabled_backends", {"one": "file"})
    glance_store.register_store_opts(conf)
    conf.set_override("filesystem_store_datadir", str(tmp_path), group="one")
    glance_store.create_multi_stores(conf)
    data = os.urandom(1_000_000)
    uri = glance_store.add(conf, "1", io.BytesIO(data), len(data), "one")[0]
    pieces = iter(glance_store.get(uri, "one")[0])
    got = next(pieces)
    old = weakref.ref(glance_store.get_store_from_store_identifier("one"))
    glance_store.create_multi_stores(conf)
    gc.collect()
    assert glance_store.get_store_from_store_identifier("one") is not old()
    assert got + b"".join(pieces) == data


def test_trap_2_an_identifier_with_another_type_has_no_traces_of_the_first(
    stores: Create, install: Any
) -> None:
    other = type("Other", (fakes.Memory,), {"schemes": ("other",), "__module__": "facade.fakes"})
    install(other=other)
    stores(one="mem", two="mem")
    stores(one="other", two="mem")
    assert known() == {"mem": ["two"], "mem+alt": ["two"], "other": ["one"]}
    assert isinstance(glance_store.get_store_from_store_identifier("one"), other)


def test_trap_2_the_index_is_the_maps_that_consumers_rebind_and_fill(stores: Create) -> None:
    stores(one="mem")
    location.SCHEME_TO_CLS_BACKEND_MAP = {}
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_store_from_store_identifier("one")
    mine = mock.Mock(weight=7)
    entry = {"store": mine, "location_class": fakes.StoreLocation, "store_entry": "mem"}
    location.register_scheme_backend_map({"mem": {"mine": entry}})
    assert glance_store.get_store_from_store_identifier("mine") is mine
    assert glance_store.get_store_weight("mine") == 7
    location.SCHEME_TO_CLS_BACKEND_MAP["mem"]["direct"] = entry
    assert glance_store.get_store_from_store_identifier("direct") is mine


def test_stores_that_a_consumer_registered_survive_a_creation(stores: Create, conf: Any) -> None:
    mine = fakes.Memory(conf, "mine")
    entry = {"store": mine, "location_class": fakes.StoreLocation, "store_entry": "mem"}
    location.register_scheme_backend_map({"mem": {"mine": entry}})
    stores(one="mem")
    assert glance_store.get_store_from_store_identifier("mine") is mine


def test_reserved_stores_stay_until_they_are_replaced(stores: Create, conf: Any) -> None:
    stores({STAGING: "mem"}, one="mem")
    staging = glance_store.get_store_from_store_identifier(STAGING)
    glance_store.create_multi_stores(conf)
    assert glance_store.get_store_from_store_identifier(STAGING) is staging
    assert multi_backend._RESERVED_STORES == {STAGING: "mem"}
    glance_store.create_multi_stores(conf, reserved_stores={})
    assert multi_backend._RESERVED_STORES == {}
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_store_from_store_identifier(STAGING)


def test_c11_the_configuration_is_never_written(stores: Create, conf: Any) -> None:
    backends = {"one": "mem"}
    conf.set_override("enabled_backends", backends)
    stores({STAGING: "mem"}, **backends)
    glance_store.get_store_from_store_identifier(STAGING)
    with pytest.raises(exceptions.NotFound):
        glance_store.get("mem://nowhere/1", None)
    assert conf.enabled_backends == {"one": "mem"}
    assert backends == {"one": "mem"}
    assert multi_backend._configured() == {"one": "mem", STAGING: "mem"}


def test_trap_8_longer_prefixes_come_first(stores: Create, conf: Any) -> None:
    stores(images="mem", images2="mem", images22="mem", b="mem")
    assert known()["mem"] == ["images22", "images2", "images", "b"]


# -- two configurations, default stores ----------------------------------------------------------


def test_c12_everything_reads_the_configuration_the_stores_were_made_with(
    stores: Create, conf: Any
) -> None:
    stores({STAGING: "mem"}, one="mem")
    conf.set_override("default_backend", "one", group="glance_store")
    glance_store.verify_store()
    uri = fakes.put("one", "1")
    glance_store.get(uri, "one")
    glance_store.delete(uri, None)
    conf.set_override("weight", 4, group="one")
    assert glance_store.get_store_weight("one") == 4


def test_c12_two_configurations_live_side_by_side(stores: Create, conf: Any) -> None:
    stores(one="mem")
    other = cfg.ConfigOpts()
    other.register_opt(cfg.DictOpt("enabled_backends"))
    other([], default_config_files=[])
    other.set_override("enabled_backends", {"two": "mem"})
    glance_store.register_store_opts(other)
    glance_store.create_multi_stores(other)
    assert known()["mem"] == ["one", "two"] or set(known()["mem"]) == {"one", "two"}
    assert glance_store.get_store_from_store_identifier("one").conf is conf
    assert glance_store.get_store_from_store_identifier("two").conf is other


def test_c12_a_configuration_is_forgotten_with_its_stores(stores: Create, conf: Any) -> None:
    stores(one="mem")
    conf.set_override("default_backend", "one", group="glance_store")
    location.SCHEME_TO_CLS_BACKEND_MAP = {}
    with mock.patch.object(multi_backend, "CONF") as patched:
        patched.glance_store.default_backend = "elsewhere"
        with pytest.raises(RuntimeError, match="elsewhere"):
            glance_store.verify_store()


@pytest.mark.parametrize("default", ["", None, "nosuch", "bad"])
def test_c4_a_default_store_that_is_not_there_is_a_runtime_error(
    stores: Create, conf: Any, default: Any
) -> None:
    stores(one="mem", bad="unknown")
    conf.set_override("default_backend", default, group="glance_store")
    with pytest.raises(RuntimeError):
        glance_store.verify_store()


def test_c4_a_store_that_did_not_come_up_is_an_unknown_scheme(stores: Create) -> None:
    stores(explosive="mem", one="mem")
    for call in (
        lambda: glance_store.get_store_from_store_identifier("explosive"),
        lambda: glance_store.get_store_weight("explosive"),
        lambda: glance_store.get("mem://explosive/1", "explosive"),
        lambda: glance_store.get_size_from_uri_and_backend("mem://explosive/1", None),
        lambda: glance_store.get_store_from_store_identifier(None),  # type: ignore[arg-type]
    ):
        with pytest.raises(exceptions.UnknownScheme):
            call()


def test_c5_the_name_of_a_type_need_not_be_a_scheme(stores: Create, install: Any) -> None:
    other = type("V", (fakes.Memory,), {"schemes": ("vsphere",), "__module__": "facade.fakes"})
    install(**{"datastore": other, "a.long.Alias": fakes.Memory})
    stores(vm="datastore", mem1="a.long.Alias")
    assert isinstance(glance_store.get_store_from_store_identifier("vm"), other)
    assert glance_store.get_store_from_store_identifier("mem1").backend_group == "mem1"
    assert glance_store.get(fakes.put("vm", "1").replace("mem://", "mem://"), "mem1")


@pytest.mark.parametrize("name", ["forbidden", "reader"])
def test_c41_a_default_store_that_takes_nothing_is_reported(
    stores: Create, install: Any, conf: Any, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    install(readonly=type("R", (fakes.Memory,), {"_CAPABILITIES": 7, "__module__": "facade.fakes"}))
    stores(forbidden="mem", reader="readonly", good="mem")
    conf.set_override("default_backend", name, group="glance_store")
    caplog.clear()
    glance_store.verify_store()
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert name in record.getMessage()
    assert ("no such place" in record.getMessage()) is (name == "forbidden")
    conf.set_override("default_backend", "good", group="glance_store")
    caplog.clear()
    glance_store.verify_store()
    assert not caplog.records


@pytest.mark.parametrize("scheme", ["mem", "mem+alt"])
def test_trap_9_any_registered_scheme_may_be_the_default(
    conf: Any, install: Any, scheme: str
) -> None:
    install(mem=fakes.Memory)
    backend.register_opts(conf)
    conf.set_override("stores", ["mem"], group="glance_store")
    conf.set_override("default_store", scheme, group="glance_store")
    glance_store.create_stores(conf)
    glance_store.verify_default_store()


def test_trap_9_the_scheme_filesystem_may_be_the_default(conf: Any, tmp_path: Any) -> None:
    pytest.importorskip("glance_store._drivers.filesystem")
    backend.register_opts(conf)
    conf.set_override("stores", ["file"], group="glance_store")
    conf.set_override("default_store", "filesystem", group="glance_store")
    conf.set_override("filesystem_store_datadir", str(tmp_path), group="glance_store")
    assert glance_store.create_stores(conf) == 1
    glance_store.verify_default_store()


def test_c42_a_default_scheme_that_nobody_serves_is_a_runtime_error(conf: Any) -> None:
    with pytest.raises(RuntimeError):
        glance_store.verify_default_store()
    backend.register_opts(conf)
    conf.set_override("default_store", "nosuch", group="glance_store")
    conf.set_override("stores", [], group="glance_store")
    glance_store.create_stores(conf)
    with pytest.raises(RuntimeError, match="nosuch"):
        glance_store.verify_default_store()
