"""The swift store of the interface: its options, its locations, whose credentials go where."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, make_swift
from facade.rigs import Noting
from fakes.swift_server import KEY, SwiftState, swift_server
from glance_store import exceptions, location, multi_backend
from glance_store._drivers import swift
from multistore.errors import Misconfigured

IMAGE = "a1dc822b-9f9b-4331-bde2-c7bd115816e2"


@pytest.fixture
def server() -> Iterator[SwiftState]:
    with swift_server() as state:
        yield state


def stored(store: Any, data: bytes = b"abc", context: Any = None) -> str:
    return str(store.add(IMAGE, io.BytesIO(data), len(data), "sha512", context=context)[0])


def test_sw3_sw8_locations_name_an_account_and_no_secret(conf: Any, server: SwiftState) -> None:
    """Whatever way the account is configured."""
    store = make_swift(conf, server.base, "cloud")
    uri = stored(store)
    assert uri == f"swift+config://ref1/glance/{IMAGE}"
    assert at(store, uri).get_store_uri() == uri
    assert store.url_prefix == "swift+config://ref1/glance/"
    assert store.owns(uri)
    assert not store.owns(f"swift+config://ref2/glance/{IMAGE}")


def test_a_location_of_a_login_is_that_stores_whose_login_it_names(
    conf: Any, server: SwiftState
) -> None:
    """Of 5.7.0 in the time before several stores: without a store's name Glance asks who owns it, to delete it."""
    store, host = make_swift(conf, server.base, "cloud"), server.base.removeprefix("http://")
    mine = [
        f"swift+http://test%3Atester:other@{host}/v3/glance/{IMAGE}",
        f"swift+http://{host}/v3/glance/{IMAGE}",
    ]
    others = [
        f"swift+http://test%3Asomebody:other@{host}/v3/glance/{IMAGE}",
        f"swift+http://test%3Atester:other@elsewhere.lan/v3/glance/{IMAGE}",
    ]
    assert [store.owns(each) for each in (*mine, *others)] == [True] * 2 + [False] * 2


def test_sw2_locations_with_credentials_are_read_and_deleted(conf: Any, server: SwiftState) -> None:
    """As 5.7.0 wrote them, if they name the store's login."""
    store = make_swift(conf, server.base)
    stored(store)
    place = server.base.removeprefix("http://")
    old = f"swift+http://test%3Atester:{KEY}@{place}/v3/glance/{IMAGE}"
    assert store.get_size(at(store, old)) == 3
    stream, size = store.get(at(store, old))
    assert (b"".join(stream), size) == (b"abc", 3)
    assert at(store, old).get_store_uri() == old
    store.delete(at(store, old))
    with pytest.raises(exceptions.NotFound):  # SW-25
        store.get_size(at(store, old))


def test_sw1_a_location_that_leads_elsewhere_gets_no_credentials(
    conf: Any, server: SwiftState, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_swift(conf, server.base)
    with swift_server() as other:
        place = other.base.removeprefix("http://")
        with pytest.raises(exceptions.BadStoreUri) as told:
            store.get(at(store, f"swift+http://me:{KEY}@{place}/v3/glance/x"))
        assert not other.requests
    assert KEY not in str(told.value) + caplog.text


@pytest.mark.parametrize(
    "uri",
    ["swift://a/b", "swift://u@h/v3/c/o", "swift://u:k@v:w@h/v3/c/o", "swift://h/v3/c/", "SWIFT://h/c/o", "swift://swift://h/c/o"],
)  # fmt: skip
def test_bad_locations_are_bad_store_uris(conf: Any, uri: str, server: SwiftState) -> None:
    store = make_swift(conf, server.base)
    with pytest.raises(exceptions.BadStoreUri):
        at(store, uri)


def test_the_file_of_accounts_is_used_and_read_again(
    conf: Any, server: SwiftState, tmp_path: Path
) -> None:
    file = tmp_path / "swift.conf"
    text = f"[mine]\nauth_address = {server.base}/v3\nuser = test:tester\nkey = %s\n"
    file.write_text(text % "wrong")
    store = make_swift(
        conf, server.base, swift_store_config_file=str(file), default_swift_reference="mine"
    )
    with pytest.raises(exceptions.RemoteServiceUnavailable) as told:
        stored(store)
    assert "'wrong'" not in str(told.value)
    file.write_text(text % KEY)
    assert stored(store) == f"swift+config://mine/glance/{IMAGE}"


@pytest.mark.parametrize(
    "options",
    [
        {"swift_store_user": "no-project"},
        {"swift_store_user": "a:b:c"},
        {"swift_store_key": None},
        {"swift_store_config_file": "/nonexistent/swift.conf"},
        {"swift_store_application_credential_id": "half"},
        {"swift_store_container": ""},
        {"swift_store_multi_tenant": True, "swift_store_config_file": __file__},
    ],
)
def test_sw33_what_is_wrong_concerns_this_store_only(
    conf: Any, server: SwiftState, options: dict[str, Any]
) -> None:
    with pytest.raises(exceptions.BadStoreConfiguration):
        make_swift(conf, server.base, **options)


def test_a_store_without_options_takes_no_images_and_says_so(conf: Any) -> None:
    store = swift.Store(conf, backend="cloud")
    store.configure()
    with pytest.raises(exceptions.StoreAddDisabled):
        stored(store)
    assert store.large_object_size == 5120 * 1_024_000
    assert store.large_object_chunk_size == 200 * 1_024_000
    assert store.container == "glance"


def test_sw24_options_come_from_the_shared_group_too(conf: Any, server: SwiftState) -> None:
    swift.Store(conf, backend="cloud")
    conf.set_override("default_swift_reference", "shared", group="backend_defaults")
    conf.set_override("swift_store_container", "theirs", group="backend_defaults")
    store = make_swift(conf, server.base, "cloud")
    assert stored(store) == f"swift+config://shared/theirs/{IMAGE}"


def test_sw14_an_image_is_never_replaced(conf: Any, server: SwiftState) -> None:
    store = make_swift(conf, server.base)
    stored(store)
    with pytest.raises(exceptions.Duplicate):
        stored(store, b"other")
    server.quota = 1
    with pytest.raises(exceptions.StorageFull):
        store.add("another", io.BytesIO(b"abc"), 3, "sha512")


def test_sw16_sw20_a_cut_download_goes_on_or_fails(
    conf: Any, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as the option says on top of what is done anyway; a short one is an error."""
    monkeypatch.setattr(swift, "_ATTEMPTS", 1)
    data = bytes(range(256)) * 4096
    store = make_swift(conf, server.base)
    location = at(store, stored(store, data))
    server.cut = [("GET", IMAGE)]
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        b"".join(store.get(location)[0])
    assert not server.cut
    conf.set_override("swift_store_retry_get_count", 1, group="glance_store")
    store = make_swift(conf, server.base)
    server.cut = [("GET", IMAGE)]
    stream, size = store.get(location)
    assert (b"".join(stream), size) == (data, len(data))
    assert not server.cut


def test_sw26_everything_has_a_limit_in_time(conf: Any, server: SwiftState) -> None:
    settings = make_swift(conf, server.base)._settings()
    assert 0 < settings.connect_timeout <= 60
    assert 0 < settings.timeout <= 60


def test_sw31_sw32_users_have_accounts_of_their_own(conf: Any, server: SwiftState) -> None:
    """A container for each image, with the user's token, and rights for others."""
    store = make_swift(
        conf,
        server.base,
        "cloud",
        swift_store_multi_tenant=True,
        swift_store_admin_tenants=["ops"],
    )
    server.tokens.add("t0ken")
    endpoint = {"publicURL": f"{server.base}/v1/AUTH_test", "region": "RegionOne"}
    catalog = [{"type": "object-store", "endpoints": [endpoint]}]
    context = SimpleNamespace(
        auth_token="t0ken", user_id="u", project_id="p", service_catalog=catalog
    )
    uri = stored(store, context=context)
    place = server.base.removeprefix("http://")
    assert uri == f"swift+http://{place}/v1/AUTH_test/glance_{IMAGE}/{IMAGE}"
    location = at(store, uri)
    store.set_acls(location, read_tenants=["p1"], context=context)
    rights = server.rights[f"glance_{IMAGE}"]
    assert (rights["X-Container-Read"], rights["X-Container-Write"]) == ("p1:*", "ops:*")
    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(exceptions.BadStoreConfiguration):
            verb(location)
    assert store.get_size(location, context=context) == 3
    store.delete(location, context=context)
    assert not server.containers
    assert server.logins == 0


@pytest.mark.parametrize("known", [False, True])
def test_sw31_an_image_of_a_user_is_found_and_deleted_without_the_name_of_its_store(
    known: bool, conf: Any, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside a store of one account; nothing is sent to another Swift."""
    account = f"{server.base}/v1/AUTH_test"
    options = {"swift_store_endpoint": account} if known else {}
    users = make_swift(conf, server.base, "users", swift_store_multi_tenant=True, **options)
    common = make_swift(conf, server.base, "common", swift_store_container="common")
    stores = {
        name: {"store": store, "location_class": swift.StoreLocation}
        for name, store in (("common", common), ("users", users))
    }
    monkeypatch.setattr(location, "SCHEME_TO_CLS_BACKEND_MAP", {"swift+http": stores})
    context = as_user(server)
    uri = stored(users, context=context)
    assert (users.owns(uri), common.owns(uri)) == (True, False)
    prefix = account.replace("http://", "swift+http://") + "/glance_"
    assert users.url_prefix == (prefix if known else None)
    elsewhere = uri.replace("127.0.0.1", "elsewhere.lan")
    with pytest.raises((exceptions.NotFound, exceptions.BadStoreUri)):
        multi_backend.delete(elsewhere, None, context)
    multi_backend.delete(uri, None, context)
    assert not server.containers


def test_acls_of_a_common_account_are_left_alone(conf: Any, server: SwiftState) -> None:
    store = make_swift(conf, server.base)
    with pytest.raises(NotImplementedError):
        store.set_acls(at(store, stored(store)), public=True)


def as_user(server: SwiftState, token: str = "t0ken") -> Any:
    """Give the context of somebody with an account of their own."""
    server.tokens.add(token)
    endpoint = {"publicURL": f"{server.base}/v1/AUTH_test", "region": "RegionOne"}
    catalog = [{"type": "object-store", "endpoints": [endpoint]}]
    return SimpleNamespace(
        auth_token=token, user_id="alice", project_id="p", service_catalog=catalog
    )


def test_sw6_a_long_upload_of_a_user_has_a_trust_as_long_as_it_runs(
    conf: Any, server: SwiftState
) -> None:
    store = make_swift(
        conf, server.base, swift_store_multi_tenant=True, swift_store_large_object_chunk_size=1
    )
    context = as_user(server)

    def data() -> Iterator[bytes]:
        yield b"a" * 1_024_000
        (trust,) = server.trusts.values()
        assert trust["trustor_user_id"] == "alice"
        server.tokens.discard("t0ken")
        yield b"b" * 2_000_000

    uri, size, *_ = store.add(IMAGE, data(), 3_024_000, "sha512", context=context)
    assert size == 3_024_000
    # Glance sets the rights once it has noted the image.
    store.set_acls(at(store, uri), read_tenants=["p1"], context=context)
    assert server.rights[f"glance_{IMAGE}"]["X-Container-Read"] == "p1:*"
    store._current()[1].close()
    assert not server.trusts
    stream, size = store.get(at(store, uri), context=as_user(server, "next"))
    assert sum(map(len, stream)) == size
    assert not server.trusts


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"swift_store_use_trusts": False}, False),
        ({"swift_store_key": None}, True),
        (
            {
                "swift_store_application_credential_id": "i",
                "swift_store_application_credential_secret": "s",
            },
            True,
        ),
    ],
    ids=["off", "nobody to trust", "application credential"],
)
def test_sw29_without_trusts_a_user_has_the_own_token_only(
    options: dict[str, Any],
    warned: bool,
    conf: Any,
    server: SwiftState,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = make_swift(
        conf,
        server.base,
        swift_store_multi_tenant=True,
        swift_store_large_object_chunk_size=1,
        **options,
    )
    assert ("swift_store_use_trusts needs" in caplog.text) is warned
    stored(store, b"a" * 2_100_000, context=as_user(server))
    assert not [path for _, path in server.requests if path.startswith("/v3")]


def test_what_the_command_line_opens_is_no_account_of_who_is_trusted(
    conf: Any, server: SwiftState
) -> None:
    store = make_swift(conf, server.base, swift_store_multi_tenant=True)
    with pytest.raises(Misconfigured):
        store.core_driver().check()
    assert not server.requests


@pytest.mark.parametrize(("size", "asked"), [(5, 5 * 1024 * 1000), (200, 16 << 20)])
def test_data_is_asked_for_whole_segments(
    size: int, asked: int, conf: Any, server: SwiftState
) -> None:
    """A segment that comes in one piece is not copied; large ones have a bound."""
    store = make_swift(conf, server.base, swift_store_large_object_chunk_size=size)
    data = Noting(b"x" * asked)
    store.add(IMAGE, data, 0, "sha512")
    assert data.sizes[0] == max(data.sizes) == asked
