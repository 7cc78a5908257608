"""Stores are reused, by threads and by forked children."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import _loading, _registry, backend, exceptions, location
from oslo_config import cfg

Create = Callable[..., int]
STAGING = "os_glance_staging_store"


def test_c18_stores_are_reused_whatever_their_driver_says(stores: Create, install: Any) -> None:
    install(mem=type("Once", (fakes.Memory,), {"_CAPABILITIES": 63, "__module__": "facade.fakes"}))
    stores(one="mem")
    with mock.patch.object(_registry, "load") as load:
        first = glance_store.get_store_from_store_identifier("one")
        assert glance_store.get_store_from_store_identifier("one") is first
    assert not load.called


def test_c18_an_empty_slot_is_filled_once_by_many_threads(stores: Create, install: Any) -> None:
    class Slow(fakes.Memory):
        made = 0

        def configure_add(self) -> None:
            type(self).made += 1
            time.sleep(0.05)
            super().configure_add()

    Slow.__module__ = "facade.fakes"
    stores(one="mem")
    install(mem=Slow)
    for by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.values():
        by_identifier["one"]["store"] = None
    assert glance_store.get_store_weight("one") == 0
    got: list[Any] = []

    def look() -> None:
        got.append(glance_store.get_store_from_store_identifier("one"))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store) for store in got}) == Slow.made == 1
    assert location.SCHEME_TO_CLS_BACKEND_MAP["mem+alt"]["one"]["store"] is got[0]


@pytest.mark.parametrize("kind", [fakes.Fragile, fakes.Schemeless, fakes.NoConf])
def test_c18_a_store_that_cannot_be_made_again_is_an_unknown_scheme(
    stores: Create, install: Any, conf: Any, kind: Any
) -> None:
    stores(one="mem")
    install(mem=kind)
    for by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.values():
        by_identifier["one"]["store"] = None
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_store_from_store_identifier("one")
    entry = {"store": None, "location_class": fakes.StoreLocation, "store_entry": "mem"}
    location.register_scheme_map({"mem": entry})
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_store_from_scheme("mem")


def test_c18_a_single_store_slot_is_filled_again(conf: Any, install: Any) -> None:
    install(mem=fakes.Memory)
    backend.register_opts(conf)
    conf.set_override("stores", ["mem"], group="glance_store")
    glance_store.create_stores(conf)
    for info in location.SCHEME_TO_CLS_MAP.values():
        info["store"] = None
    store = glance_store.get_store_from_scheme("mem")
    assert store is glance_store.get_store_from_scheme("mem+alt")
    assert store.conf is conf


def test_c24_the_listed_order_decides_who_gets_a_scheme(conf: Any, install: Any) -> None:
    drivers = {
        f"d{n}": type(f"D{n}", (fakes.Memory,), {"__module__": "facade.fakes"}) for n in range(9)
    }
    install(**drivers)
    backend.register_opts(conf)
    conf.set_override("stores", [*drivers, "d0"], group="glance_store")
    assert glance_store.create_stores(conf) == 9
    assert type(glance_store.get_store_from_scheme("mem")) is drivers["d8"]


def test_c24_lookups_go_on_while_stores_are_made_anew(stores: Create, conf: Any) -> None:
    stores(one="mem", two="mem")
    failures: list[Exception] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            try:
                assert glance_store.get_store_from_store_identifier("one").backend_group == "one"
                assert glance_store.get_store_weight("two") == 0
                list(glance_store.get_known_schemes_for_multi_store())
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        glance_store.create_multi_stores(conf)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_c24_a_child_forked_during_a_creation_can_create_stores(stores: Create, conf: Any) -> None:
    stores(one="mem")
    holding, release = threading.Event(), threading.Event()

    def hold() -> None:
        with _registry.LOCK, location._lock:
            holding.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            location.register_scheme_map({})
            code = 0 if glance_store.create_multi_stores(conf) == 1 else 2
        finally:
            os._exit(code)
    release.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_trap_12_a_store_of_glance_s_own_is_made_without_registering_it(install: Any) -> None:
    install(mem=fakes.Memory)
    for _ in range(3):
        private = cfg.ConfigOpts()
        backend.register_opts(private)
        private.set_override("mem_place", "mine", group="glance_store")
        store = backend._load_store(private, "mem")
        store.configure()
        assert store.place == "mine"
    assert not location.SCHEME_TO_CLS_MAP
    assert not location.SCHEME_TO_CLS_BACKEND_MAP


def test_weights_follow_the_configuration(stores: Create, conf: Any) -> None:
    stores(one="mem", two="mem")
    assert glance_store.get_store_weight("one") == 0
    conf.set_override("weight", 9, group="one")
    assert glance_store.get_store_weight("one") == 9
    with pytest.raises(exceptions.UnknownScheme, match="three"):
        glance_store.get_store_weight("three")


def test_an_entry_point_is_found_on_the_search_path_of_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(_loading, "_cache", {})
    with pytest.raises(RuntimeError, match="file"):
        _loading.driver_class("tape")
    info = tmp_path / "tape_store-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tape-store\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[glance_store.drivers]\ntape = facade.fakes:Memory\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert _loading.driver_class("tape") is fakes.Memory
    assert "tape" in _loading.known_drivers()
