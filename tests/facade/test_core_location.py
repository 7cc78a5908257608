"""Locations and the two maps."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from facade import fakes
from glance_store import exceptions, location
from oslo_config import cfg

URI = "mem://place/1"


def entry(store: Any = None) -> dict[str, Any]:
    return {"store": store, "location_class": fakes.StoreLocation, "store_entry": "mem"}


def test_a_location_is_taken_apart_by_the_store_of_its_scheme() -> None:
    location.register_scheme_map({"mem": entry()})
    place = location.get_location_from_uri("MEM://place/1".replace("MEM", "mem"))
    assert (place.store_name, place.backend_group, place.get_store_uri()) == ("mem", None, URI)
    assert place.get_uri() is None  # type: ignore[func-returns-value]
    assert (place.image_id, place.store_specs, place.conf) == (None, {}, cfg.CONF)
    with pytest.raises(exceptions.BadStoreUri, match="mem://"):
        location.get_location_from_uri("MEM://place/1")


def test_a_location_is_taken_apart_by_the_store_of_that_identifier() -> None:
    location.register_scheme_backend_map({"mem": {"one": entry()}})
    place = location.get_location_from_uri_and_backend(URI, "one")
    assert (place.store_name, place.backend_group) == ("mem", "one")
    assert place.store_location.backend_group == "one"


@pytest.mark.parametrize("uri", ["other://x", "", None, "/a/path", "mem", "://", 5, "x:y://["])
def test_an_unknown_scheme_is_never_a_bad_uri(uri: Any) -> None:
    location.register_scheme_map({"mem": entry()})
    with pytest.raises(exceptions.UnknownScheme):
        location.get_location_from_uri(uri)
    with pytest.raises(exceptions.UnknownScheme):
        location.get_location_from_uri_and_backend(uri, "one")


@pytest.mark.parametrize("identifier", ["two", None])
def test_c33_an_unknown_store_is_called_a_store(identifier: Any) -> None:
    location.register_scheme_backend_map({"mem": {"one": entry()}})
    with pytest.raises(exceptions.UnknownScheme) as error:
        location.get_location_from_uri_and_backend(URI, identifier)
    assert "store" in error.value.msg
    assert "scheme" not in error.value.msg
    assert "None" not in error.value.msg
    assert identifier is None or identifier in error.value.msg


def test_c32_a_malformed_address_is_a_bad_uri() -> None:
    location.register_scheme_map({"mem": entry()})
    location.register_scheme_backend_map({"mem": {"one": entry()}})
    with pytest.raises(exceptions.BadStoreUri):
        location.get_location_from_uri("mem://[::1")
    with pytest.raises(exceptions.BadStoreUri) as error:
        location.get_location_from_uri_and_backend("mem://[me:s3cret@::1", "one")
    assert "s3cret" not in error.value.msg


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [
        ("MEM+alt://x", "mem+alt"),
        ("file:/x", "file"),
        ("nothing", ""),
        ("1x://y", ""),
        (" a://b", ""),
    ],
)
def test_c32_there_is_one_parser_of_schemes(uri: str, scheme: str) -> None:
    assert location.scheme_of(uri) == scheme


def test_registering_merges_and_replaces() -> None:
    first, second, third = entry(1), entry(2), entry(3)
    location.register_scheme_map({"a": first})
    location.register_scheme_map({"b": second})
    location.register_scheme_map({"a": third})
    assert {"a": third, "b": second} == location.SCHEME_TO_CLS_MAP
    location.register_scheme_backend_map({"a": {"one": first}})
    location.register_scheme_backend_map({"a": {"two": second}, "b": {"one": first}})
    location.register_scheme_backend_map({"a": {"one": third}})
    assert {
        "a": {"one": third, "two": second},
        "b": {"one": first},
    } == location.SCHEME_TO_CLS_BACKEND_MAP


def test_c24_registering_from_many_threads_loses_nothing() -> None:
    def register(number: int) -> None:
        for step in range(50):
            location.register_scheme_backend_map({"mem": {f"{number}-{step}": entry()}})

    threads = [threading.Thread(target=register, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(location.SCHEME_TO_CLS_BACKEND_MAP["mem"]) == 400


def test_locations_are_made_of_parts_too() -> None:
    place = location.Location(
        "mem", fakes.StoreLocation, "conf", image_id="1", store_specs={"path": "a/b"}
    )
    assert place.get_store_uri() == "mem://a/b"
    assert place.store_location.specs == {"path": "a/b"}
    assert (place.conf, place.image_id, place.store_location.conf) == ("conf", "1", "conf")


def test_the_base_of_store_locations() -> None:
    base = location.StoreLocation({}, "conf", backend_group="one")
    assert (base.conf, base.specs, base.backend_group) == ("conf", {}, "one")
    base.process_specs()
    with pytest.raises(NotImplementedError):
        base.get_uri()
    with pytest.raises(NotImplementedError):
        base.parse_uri(URI)


def test_c40_the_prefix_test_shows_no_location(caplog: pytest.LogCaptureFixture) -> None:
    location.StoreLocation.validate_schemas("a://x", valid_schemas=("a://", "b://"))
    with pytest.raises(exceptions.BadStoreUri) as error:
        location.StoreLocation.validate_schemas("A://me:s3cret@x", valid_schemas=("a://", "b://"))
    assert "a://, b://" in error.value.msg
    assert "A://" not in error.value.msg
    assert len(caplog.records) == 1
    assert "s3cret" not in caplog.text


def test_c43_a_location_without_uri_and_parts_has_its_attributes() -> None:
    empty = location.Location("mem", fakes.StoreLocation, None)
    assert empty.get_uri() is None  # type: ignore[func-returns-value]
    assert empty.get_store_uri() == "mem://"


@pytest.mark.parametrize("name", ["filesystem", "http"])
def test_c43_the_own_drivers_locations_have_their_attributes_too(name: str) -> None:
    module = pytest.importorskip(f"glance_store._drivers.{name}")
    empty = location.Location(name, module.StoreLocation, None)
    assert isinstance(empty.get_store_uri(), str)


def test_c12_a_location_carries_the_configuration_of_its_store(conf: Any) -> None:
    store = fakes.Memory(conf, "one")
    location.register_scheme_backend_map({"mem": {"one": entry(store)}})
    assert location.get_location_from_uri_and_backend(URI, "one").conf is conf
    other = cfg.ConfigOpts()
    assert location.get_location_from_uri_and_backend(URI, "one", conf=other).conf is other
