"""``get`` and ``delete`` without a store's identifier, and the other operations with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import _maps, _search, exceptions, location, multi_backend
from oslo_config import cfg

Create = Callable[..., int]
STAGING = "os_glance_staging_store"
log = fakes.Memory.log


def derived(**attributes: Any) -> type[fakes.Memory]:
    return type("Derived", (fakes.Memory,), {"__module__": "facade.fakes", **attributes})


class Raising(fakes.Memory):
    """Every operation of it fails with ``error``."""

    error: Exception = exceptions.StoreDeleteNotSupported()

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise self.error

    def owns(self, uri: str) -> bool:
        return True


Raising.__module__ = "facade.fakes"


def body(got: Any) -> bytes:
    return b"".join(got[0])


def test_operations_with_an_identifier_go_to_that_store(stores: Create) -> None:
    stores(one="mem", two="mem")
    uri = fakes.put("two", "1")
    assert body(glance_store.get(uri, "one", offset=0, chunk_size=9, context={})) == b"data"
    assert glance_store.get_size_from_uri_and_backend(uri, "one") == 4
    assert glance_store.delete(uri, "one", context={}) is None
    assert [entry[:2] for entry in log] == [("get", "one"), ("delete", "one")]
    with pytest.raises(exceptions.NotFound):
        glance_store.get(uri, "one")
    with pytest.raises(exceptions.UnknownScheme, match="three"):
        glance_store.get(uri, "three")
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.get_size_from_uri_and_backend(uri, None)


def test_the_arguments_reach_the_store_by_keyword(stores: Create) -> None:
    stores(one="mem")
    store = mock.Mock(url_prefix="mem://one")
    store.owns.return_value = True
    store.get.return_value = ("data", 3)
    for by_identifier in location.SCHEME_TO_CLS_BACKEND_MAP.values():
        by_identifier["one"]["store"] = store
    for backend in ("one", None):
        got: Any = glance_store.get("mem://one/1", backend, 5, 6, {"a": 1})
        assert got == ("data", 3)
        assert store.get.call_args.kwargs == {"offset": 5, "chunk_size": 6, "context": {"a": 1}}
        glance_store.delete("mem://one/1", backend, {"a": 1})
        assert store.delete.call_args.kwargs == {"context": {"a": 1}}


def test_a_search_warns_once(stores: Create, caplog: pytest.LogCaptureFixture) -> None:
    stores(one="mem", two="mem")
    uri = fakes.put("two", "1")
    assert body(glance_store.get(uri, None)) == b"data"
    assert body(glance_store.get(uri, "")) == b"data"
    assert len(caplog.records) == 2


def test_c2_a_search_survives_reserved_stores_and_flushed_caches(stores: Create, conf: Any) -> None:
    stores({STAGING: "mem"}, one="mem")
    uri = fakes.put(STAGING, "1")
    conf.set_override("weight", 1, group="one")  # flushes oslo.config's cache
    assert body(glance_store.get(uri, None)) == b"data"
    conf.set_override("weight", 2, group="one")
    glance_store.delete(uri, None)
    assert not fakes.Memory.objects
    assert conf.enabled_backends == {"one": "mem"}


def test_c6_stores_are_chosen_by_scheme_not_by_the_name_of_their_type(
    stores: Create, install: Any
) -> None:
    install(vmware=derived(schemes=("vsphere",)), m=derived(schemes=("other",)))
    stores(vm="vmware", decoy="m", one="mem")
    uri = fakes.put("vm", "1")
    assert body(glance_store.get(uri, None)) == b"data"
    assert {entry[1] for entry in log} == {"one"}
    with pytest.raises(exceptions.BadStoreUri):  # asked, and refused by that driver's parser
        glance_store.get("vsphere://vm/1", None)
    with pytest.raises(exceptions.NotFound):
        glance_store.get("nosuch://vm/1", None)
    with pytest.raises(exceptions.NotFound):
        glance_store.delete("", None)


def test_c6_the_scheme_is_compared_without_regard_to_case(stores: Create, install: Any) -> None:
    stores(one="mem")
    assert _search._candidates("MEM://one/1", {}, reading=True)


def test_c6_reserved_stores_take_part(stores: Create) -> None:
    stores({STAGING: "mem", "os_glance_tasks_store": "mem"}, one="mem")
    for name in (STAGING, "os_glance_tasks_store"):
        glance_store.delete(fakes.put(name, "1"), None)
    assert [entry[:2] for entry in log] == [
        ("delete", STAGING),
        ("delete", "os_glance_tasks_store"),
    ]


def test_c7_a_delete_goes_to_the_owner_and_to_nobody_else(stores: Create) -> None:
    stores(one="mem", two="mem")
    uri = fakes.put("two", "1")
    glance_store.delete(uri, None)
    assert log == [("delete", "two", uri)]
    stray = fakes.put("three", "1")
    with pytest.raises(exceptions.NotFound, match="no configured store") as error:
        glance_store.delete(stray, None)
    assert "three" not in error.value.msg
    assert "three/1" in fakes.Memory.objects


@pytest.mark.parametrize("backend", ["one", None])
def test_c7_a_file_of_another_store_or_of_none_is_not_deleted(
    conf: Any, tmp_path: Any, backend: str | None
) -> None:
    conf.set_override("enabled_backends", {"one": "file", "two": "file"})
    glance_store.register_store_opts(conf)
    for name in ("one", "two"):
        conf.set_override("filesystem_store_datadir", str(tmp_path / name), group=name)
    glance_store.create_multi_stores(conf)
    stray = tmp_path / ("two" if backend else "elsewhere") / "1"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"data")
    with pytest.raises(exceptions.NotFound):
        glance_store.delete(f"file://{stray}", backend)
    assert stray.exists()
    if backend:
        glance_store.delete(f"file://{stray}", None)
        assert not stray.exists()


def test_c7_reads_fall_back_on_the_others(stores: Create, conf: Any) -> None:
    stores(b="mem", a="mem", owner="mem")
    fakes.put("owner", "1")
    assert body(glance_store.get("mem://owner/1", None)) == b"data"
    assert body(glance_store.get(fakes.put("elsewhere", "1"), None)) == b"data"
    assert [entry[1] for entry in log] == ["owner", "b"]
    log.clear()
    with pytest.raises(exceptions.NotFound):
        glance_store.get("mem://owner/nosuch", None)
    assert [entry[1] for entry in log] == ["owner", "b", "a"]


@pytest.mark.parametrize(
    ("uri", "answer"),
    [
        ("mem://images", True),
        ("mem://images/1", True),
        ("mem://images2/1", False),
        ("mem://image", False),
        ("mem://images/../other/1", False),
        ("mem://images/a..b", True),
        ("other://images/1", False),
    ],
)
def test_c7_ownership_ends_at_the_boundary_of_a_segment(uri: str, answer: bool) -> None:
    assert _search.owns(mock.Mock(spec=["url_prefix"], url_prefix="mem://images"), uri) is answer
    slashed = mock.Mock(spec=["url_prefix"], url_prefix="mem://images/")
    assert _search.owns(slashed, uri) is (answer and uri != "mem://images")


def test_c7_a_store_that_knows_its_locations_is_asked(stores: Create) -> None:
    knows = mock.Mock(url_prefix="mem://a")
    knows.owns.side_effect = lambda uri: uri == "mem://b/1"
    assert _search.owns(knows, "mem://b/1") is True
    assert _search.owns(knows, "mem://a/1") is False
    knows.owns.side_effect = ValueError
    assert _search.owns(knows, "mem://a/1") is True
    assert _search.owns(mock.Mock(), "mem://a/1") is None
    assert _search.owns(mock.Mock(spec=[]), "mem://a/1") is None


def test_c7_a_driver_that_cannot_tell_deletes_only_if_it_is_the_only_one(
    stores: Create, install: Any
) -> None:
    def configure_add(self: Any) -> None:
        self.place = "x"

    install(mem=derived(configure_add=configure_add))
    stores(one="mem")
    glance_store.delete(fakes.put("anywhere", "1"), None)
    stores(one="mem", two="mem")
    with pytest.raises(exceptions.NotFound):
        glance_store.delete(fakes.put("anywhere", "2"), None)
    assert "anywhere/2" in fakes.Memory.objects


def test_c7_the_more_specific_owner_comes_first(stores: Create, conf: Any) -> None:
    stores(outer="mem", inner="mem")
    conf.set_override("mem_place", "a", group="outer")
    conf.set_override("mem_place", "a/b", group="inner")
    glance_store.create_multi_stores(conf)
    glance_store.get(fakes.put("a/b", "1"), None)
    assert log[0][:2] == ("get", "inner")


@pytest.mark.parametrize(
    "error",
    [
        exceptions.StoreDeleteNotSupported(),
        exceptions.Forbidden(),
        exceptions.BadStoreUri(),
        ConnectionError("no route"),
    ],
)
@pytest.mark.parametrize("operation", ["get", "delete"])
def test_c8_an_error_of_one_store_does_not_end_the_search(
    stores: Create, install: Any, error: Exception, operation: str
) -> None:
    install(raising=type("R", (Raising,), {"error": error, "__module__": "facade.fakes"}))
    stores(first_and_long="raising", two="mem")
    call = getattr(glance_store, operation)
    call(fakes.put("two", "1"), None)
    assert log[-1][:2] == (operation, "two")
    with pytest.raises(type(error)) as raised:
        call("mem://two/nosuch", None)
    assert raised.value is error


def test_c8_the_first_error_is_the_one_that_is_raised(stores: Create, install: Any) -> None:
    errors = [exceptions.Forbidden(), ConnectionError()]
    for number, error in enumerate(errors):
        kind = type("R", (Raising,), {"error": error, "__module__": "facade.fakes"})
        install(**{f"r{number}": kind})
    stores(aa="r0", bb="r1")
    with pytest.raises(exceptions.Forbidden):
        glance_store.get("mem://x/1", None)


def test_c9_an_image_without_a_length_is_an_image(stores: Create, install: Any) -> None:
    class Unknown:
        def __len__(self) -> int:
            return 0

        def __iter__(self) -> Any:
            return iter([b"x"])

    def get(self: Any, *args: Any, **kwargs: Any) -> Any:
        return Unknown(), 0

    install(mem=derived(get=get))
    stores(one="mem", two="mem")
    assert body(glance_store.get("mem://one/1", None)) == b"x"


def test_c32_a_malformed_location_ends_as_a_bad_uri(stores: Create) -> None:
    stores(one="mem")
    for backend in ("one", None):
        with pytest.raises(exceptions.BadStoreUri):
            glance_store.get("mem://[x/a", backend)


def test_c32_the_single_store_api_has_no_scheme_parser_of_its_own(conf: Any, install: Any) -> None:
    install(mem=fakes.Memory)
    glance_store.register_opts(conf)
    conf.set_override("stores", ["mem"], group="glance_store")
    glance_store.create_stores(conf)
    store = glance_store.get_store_from_scheme("mem")
    for uri in ("mem://x", "mem:x", "MEM://x/y", "mem:/x"):
        assert glance_store.get_store_from_uri(uri) is store
    for uri in ("x", "", "/mem:"):
        with pytest.raises(exceptions.UnknownScheme):
            glance_store.get_store_from_uri(uri)


def test_c40_searching_shows_no_secret(stores: Create, caplog: pytest.LogCaptureFixture) -> None:
    stores(one="mem")
    with pytest.raises(exceptions.NotFound) as error:
        glance_store.get("mem://me:s3cret@host/1?sig=s3cret", None)
    assert "s3cret" not in caplog.text + error.value.msg


# -- the single-store API ------------------------------------------------------------------------


@pytest.fixture
def single(conf: Any, install: Any) -> Any:
    install(mem=fakes.Memory)
    glance_store.register_opts(conf)
    conf.set_override("stores", ["mem"], group="glance_store")
    conf.set_override("default_store", "mem", group="glance_store")
    conf.set_override("mem_place", "here", group="glance_store")
    glance_store.create_stores(conf)
    return glance_store.get_store_from_scheme("mem")


def test_the_operations_of_the_single_store_api(single: Any) -> None:
    uri = fakes.put("here", "1")
    assert body(glance_store.get_from_backend(uri, offset=0, chunk_size=1, context={})) == b"data"
    assert glance_store.get_size_from_backend(uri, context={}) == 4
    assert glance_store.get_store_from_location(uri) == "mem"
    assert glance_store.delete_from_backend(uri, context={}) is None
    assert not fakes.Memory.objects
    assert single.url_prefix is None
    for call in (
        glance_store.get_from_backend,
        glance_store.get_size_from_backend,
        glance_store.delete_from_backend,
        glance_store.get_store_from_location,
        glance_store.set_acls,
    ):
        with pytest.raises(exceptions.UnknownScheme):
            call("nosuch://x")


def test_c12_the_single_store_api_remembers_its_configuration(single: Any, conf: Any) -> None:
    assert location.get_location_from_uri("mem://here/1").conf is conf
    glance_store.verify_default_store()
    glance_store.location.SCHEME_TO_CLS_MAP = {}
    assert _maps.conf_in_use(_maps.STATE.single, {}, [], cfg.CONF) is cfg.CONF


@pytest.mark.parametrize("multi", [True, False])
def test_c27_every_call_gets_lists_of_its_own(
    stores: Create, request: pytest.FixtureRequest, multi: bool
) -> None:
    if multi:
        stores(one="mem")

        def call(**kwargs: Any) -> None:
            glance_store.set_acls_for_multi_store("mem://one/1", "one", **kwargs)
    else:
        request.getfixturevalue("single")

        def call(**kwargs: Any) -> None:
            glance_store.set_acls("mem://one/1", **kwargs)

    mine = ["a"]
    call()
    call(public=True, read_tenants=mine, write_tenants=["w"])
    call()
    assert mine == ["a"]
    assert log == [
        ("set_acls", False, ["changed"], []),
        ("set_acls", True, ["a", "changed"], ["w"]),
        ("set_acls", False, ["changed"], []),
    ]


def test_a_store_without_access_lists_is_left_alone(stores: Create, install: Any) -> None:
    def set_acls(self: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    install(mem=derived(set_acls=set_acls))
    stores(one="mem")
    assert glance_store.set_acls_for_multi_store("mem://one/1", "one", public=True) is None  # type: ignore[func-returns-value]
    glance_store.register_opts(cfg.ConfigOpts())
    entry = location.SCHEME_TO_CLS_BACKEND_MAP["mem"]["one"]
    location.register_scheme_map({"mem": entry})
    assert glance_store.set_acls("mem://one/1") is None  # type: ignore[func-returns-value]
    assert multi_backend._identifiers() == ["one"]
