"""Creating stores: registration, and containment of what fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import glance_store
import pytest
from facade import fakes
from glance_store import backend, exceptions, location, multi_backend

Create = Callable[..., int]
STAGING = "os_glance_staging_store"


def known() -> dict[str, list[str]]:
    return {s: list(ids) for s, ids in location.SCHEME_TO_CLS_BACKEND_MAP.items()}


def test_every_store_is_registered_under_its_schemes_and_identifier(stores: Create) -> None:
    stores(one="mem", two="mem")
    assert known() == {"mem": ["one", "two"], "mem+alt": ["one", "two"]}
    info = location.SCHEME_TO_CLS_BACKEND_MAP["mem"]["one"]
    assert info == {
        "store": glance_store.get_store_from_store_identifier("one"),
        "location_class": fakes.StoreLocation,
        "store_entry": "mem",
    }
    assert info["store"].url_prefix == "mem://one"
    assert list(glance_store.get_known_schemes_for_multi_store()) == ["mem", "mem+alt"]


def test_c22_the_number_of_stores_is_returned(stores: Create, conf: Any) -> None:
    assert stores({STAGING: "mem"}, one="mem", two="mem") == 3


# -- containment ---------------------------------------------------------------------------------

BROKEN: dict[str, Any] = {
    "unknown": None,
    "unimportable": ImportError("No module named 'vendor'"),
    "refusing": fakes.Refusing,
    "fragile": fakes.Fragile,
    "no_conf": fakes.NoConf,
    "unfinished": fakes.Unfinished,
    "lost": type("Lost", (fakes.Memory,), {"__module__": "io"}),
    "vmware": None,
}


@pytest.mark.parametrize("entry", BROKEN)
def test_c3_one_bad_store_leaves_the_others_alone(
    stores: Create, install: Any, caplog: pytest.LogCaptureFixture, entry: str
) -> None:
    if BROKEN[entry] is not None:
        install(**{entry: BROKEN[entry]})
    caplog.set_level(logging.INFO)
    assert stores(bad=entry, good="mem") == 1
    assert known() == {"mem": ["good"], "mem+alt": ["good"]}
    with pytest.raises(exceptions.UnknownScheme, match="bad"):
        glance_store.get_store_from_store_identifier("bad")
    lines = [record.getMessage() for record in caplog.records if "bad" in record.getMessage()]
    assert len(lines) == 1
    assert entry in lines[0]
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("entry", ["refusing", "fragile", "unimportable"])
def test_c3_one_bad_driver_leaves_the_others_alone_in_single_store_mode(
    conf: Any, install: Any, entry: str
) -> None:
    install(mem=fakes.Memory, **{entry: BROKEN[entry]})
    backend.register_opts(conf)
    conf.set_override("stores", [entry, "mem", "nosuch"], group="glance_store")
    assert glance_store.create_stores(conf) == 1
    assert list(glance_store.get_known_schemes()) == ["mem", "mem+alt"]


def test_c3_an_unforeseen_error_while_configuring_is_contained(
    stores: Create, caplog: pytest.LogCaptureFixture
) -> None:
    assert stores(explosive="mem", good="mem") == 1
    (record,) = [r for r in caplog.records if "explosive" in r.getMessage()]
    assert record.levelno == logging.ERROR
    assert "OSError" in record.getMessage()
    assert "the disk is gone" in record.getMessage()


def test_a_refused_configuration_leaves_a_store_without_write_access(stores: Create) -> None:
    assert stores(forbidden="mem", good="mem") == 2
    store = glance_store.get_store_from_store_identifier("forbidden")
    assert not store.is_capable(8)
    assert store.url_prefix is None


def test_a_store_without_schemes_stops_the_creation_and_replaces_nothing(
    stores: Create, install: Any, conf: Any
) -> None:
    install(schemeless=fakes.Schemeless)
    stores(one="mem")
    before = location.SCHEME_TO_CLS_BACKEND_MAP
    with pytest.raises(exceptions.BackendException, match="two"):
        stores(one="mem", two="schemeless")
    assert location.SCHEME_TO_CLS_BACKEND_MAP is before
    backend.register_opts(conf)
    conf.set_override("stores", ["mem", "schemeless"], group="glance_store")
    with pytest.raises(exceptions.BackendException):
        glance_store.create_stores(conf)
    assert not location.SCHEME_TO_CLS_MAP


@pytest.mark.parametrize("entry", ["sheepdog", "nosuch"])
def test_c25_an_unknown_driver_is_named_in_the_warning(
    stores: Create, caplog: pytest.LogCaptureFixture, entry: str
) -> None:
    assert stores(attic=entry) == 0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "attic" in record.getMessage()
    assert f"type {entry}" in record.getMessage()
    assert "module" not in record.getMessage()


def test_description_and_weight_of_a_store_that_did_not_come_up_can_be_read(
    stores: Create, conf: Any
) -> None:
    stores(attic="nosuch")
    assert (conf.attic.store_description, conf.attic.weight) == (None, 0)


def test_vmware_is_refused_with_what_to_do_next(conf: Any, install: Any) -> None:
    install()
    for name in ("vmware", "glance.store.vmware_datastore.Store"):
        with pytest.raises(exceptions.BadStoreConfiguration, match=r"5\.7\.0"):
            backend._load_store(conf, name)
    install(vmware=fakes.Memory)
    assert isinstance(backend._load_store(conf, "vmware"), fakes.Memory)


def test_load_store_gives_a_store_a_class_or_none(
    conf: Any, install: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(mem=fakes.Memory, broken=ImportError("x"))
    store = backend._load_store(conf, "mem")
    assert (type(store), store.backend_group) == (fakes.Memory, None)
    assert backend._load_store(conf, "mem", invoke_load=False) is fakes.Memory
    assert not caplog.records
    assert backend._load_store(conf, "nosuch") is None
    assert "nosuch" in caplog.text
    with pytest.raises(ImportError):
        backend._load_store(conf, "broken")
    store = multi_backend._load_multi_store(conf, "mem", backend="one")
    assert store.backend_group == "one"
    assert multi_backend._load_multi_store(conf, "mem").backend_group is None
    assert not location.SCHEME_TO_CLS_MAP


def test_the_generators_of_stores(conf: Any, install: Any) -> None:
    install(mem=fakes.Memory, refusing=fakes.Refusing)
    backend.register_opts(conf)
    conf.set_override("stores", ["mem", "refusing", "nosuch", "mem"], group="glance_store")
    ((entry, store),) = backend._load_stores(conf)
    assert (entry, type(store)) == ("mem", fakes.Memory)
    conf.set_override("enabled_backends", {"one": "mem", "two": "refusing"})
    triples = list(multi_backend._load_multi_stores(conf, {STAGING: "mem"}))
    assert [(entry, name) for entry, _, name in triples] == [("mem", "one"), ("mem", STAGING)]
    assert multi_backend._RESERVED_STORES == {STAGING: "mem"}


def test_c39_a_store_cannot_have_the_name_of_another_section(
    stores: Create, conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["DEFAULT", "glance_store", "backend_defaults", "Glance_Store"]
    conf.set_override("enabled_backends", dict.fromkeys([*names, "default"], "mem"))
    glance_store.register_store_opts(conf)
    assert "weight" not in conf
    assert "weight" not in conf.glance_store
    assert glance_store.create_multi_stores(conf) == 1
    assert known()["mem"] == ["default"]
    for name in names:
        assert f"called {name}:" in caplog.text


def test_c39_two_stores_in_one_place_are_reported(
    stores: Create, conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stores(one="mem", two="mem", three="mem")
    assert not caplog.records
    conf.set_override("mem_place", "one/", group="three")
    glance_store.create_multi_stores(conf)
    (record,) = caplog.records
    assert "the stores one and three" in record.getMessage()
