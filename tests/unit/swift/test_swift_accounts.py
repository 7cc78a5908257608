"""Whose credentials go where, and when a token is renewed."""

from __future__ import annotations

import gc
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.swift_server import KEY, SwiftState
from multistore import Store
from multistore.config import Secret
from multistore.drivers.swift.identity import keystone_url
from multistore.drivers.swift.references import read_accounts
from multistore.errors import (
    InvalidRef,
    Misconfigured,
    RateLimited,
    StoreError,
    Unauthenticated,
    Unavailable,
)
from multistore.model import Access, Caller
from multistore.testing.watch import open_files

Make = Any


@pytest.mark.parametrize("scheme", ["swift", "swift+http", "swift+https"])
def test_sw1_sw7_nothing_is_sent_where_a_reference_leads_elsewhere(
    scheme: str, make: Make, server: SwiftState
) -> None:
    """Neither the store's credentials nor a caller's token."""
    place = f"127.0.0.1:{server.base.rpartition(':')[2]}"
    elsewhere = f"{scheme}://me:mine@{place}/other/v3/images/x"
    for driver in (make(), make(auth_url=f"{server.base}/v3", auth_version="3", project="p")):
        before = len(server.requests)
        with pytest.raises(InvalidRef):
            driver.stat(elsewhere)
        paths = {path for _, path in server.requests[before:]}
        assert paths <= {"/auth/v1.0", "/v3/auth/tokens"}
    caller = make(container_per_image=True, storage_url=f"{server.base}/v1/AUTH_test").for_context(
        Caller(token="t0ken")
    )
    before = len(server.requests)
    with pytest.raises(InvalidRef):
        caller.stat("swift+http://elsewhere.lan/v1/AUTH_test/images_x/x")
    assert len(server.requests) == before


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("https://keystone.lan:5000", "https://keystone.lan:5000/v3"),
        ("https://keystone.lan:5000/v3/", "https://keystone.lan:5000/v3"),
        ("https://lan/identity/v3", "https://lan/identity/v3"),
        ("https://v3.lan", "https://v3.lan/v3"),
        ("https://lan/v3x", "https://lan/v3x/v3"),
    ],
)
def test_the_version_of_keystone_is_the_end_of_the_path(given: str, used: str) -> None:
    assert keystone_url(given) == used


def test_sw3_sw8_references_and_settings_show_no_secret(make: Make) -> None:
    driver = make()
    ref = driver._places.ref("images", "x")
    assert KEY not in ref + repr(driver.settings) + repr(driver.account)
    assert driver.redact(f"swift://u:{KEY}@h/v3/c/o") == "swift://h/v3/c/o"
    (place,) = driver.prefixes()
    assert driver.redact(place) == place, "it shows where a store is"


def test_sw22_values_of_the_file_are_taken_as_they_are(tmp_path: Path) -> None:
    """Percent signs, single and doubled, quotes around the whole; half an account is none."""
    file = tmp_path / "accounts.conf"
    file.write_text(
        "[one]\nauth_address = keystone.lan:5000\nuser = p:u\nkey = a%b%%c/:é\n"
        "[two]\nauth_address = 'http://k/v3'\nuser = \"p:u\"\nkey = 'x'\nuser_domain_name = D\n"
        "[stray]\nauth_address = 'http://k/v3\nuser = p:u\nkey = x\n"
        "[half]\nauth_address = http://k/v3\napplication_credential_id = i\n"
        "[colons]\nauth_address = http://k/v3\nuser = a:b:c\nkey = x\n"
    )
    found = read_accounts(str(file))
    assert sorted(found) == ["one", "two"]
    assert found["one"].auth_url == "https://keystone.lan:5000"
    assert found["one"].password == Secret("a%b%c/:é")
    assert found["two"].user_domain_name == "D"


def test_sw5_sw23_each_store_has_its_own_file(
    tmp_path: Path, make: Make, server: SwiftState
) -> None:
    """Sections of one name do not mix, and a section that is not there is not found elsewhere."""
    for name, project in (("a", "pa"), ("b", "pb")):
        (tmp_path / name).write_text(
            f"[ref1]\nauth_address = {server.base}/v3\nuser = {project}:u\nkey = {KEY}\n"
        )
    none: dict[str, Any] = {"auth_url": None, "auth_version": "3", "user": None, "password": None}
    one, two = (make(config_file=str(tmp_path / name), reference="ref1", **none) for name in "ab")
    assert (one.account.project, two.account.project) == ("pa", "pb")
    with pytest.raises(InvalidRef):
        one.stat("swift+config://ref2/images/x")


def test_a_token_that_was_refused_is_renewed_once(make: Make, server: SwiftState) -> None:
    store = Store(make(), name="swift")
    receipt = store.put("x", b"abc")
    server.tokens.clear()
    assert store.stat(receipt.ref).size == 3
    assert server.logins == 2


def test_sw37_one_login_serves_all_operations(make: Make, server: SwiftState) -> None:
    store = Store(make(), name="swift")
    for name in ("a", "b", "c"):
        store.delete(store.put(name, b"abc").ref)
    assert server.logins == 1


def test_a_token_is_renewed_before_it_expires(make: Make, server: SwiftState) -> None:
    server.life = 30
    driver = make(auth_url=f"{server.base}/v3", auth_version="3", project="p", token_margin=60.0)
    store = Store(driver, name="swift")
    store.put("x", b"abc")
    logins = server.logins
    store.stat(driver._places.ref("images", "x"))
    assert server.logins > logins


def test_wrong_passwords_and_missing_services_are_told_apart(
    make: Make, server: SwiftState
) -> None:
    keystone = {"auth_url": f"{server.base}/v3", "auth_version": "3", "project": "p"}
    with pytest.raises(Unauthenticated):
        make(password=Secret("wrong")).check()
    with pytest.raises(Unauthenticated):
        make(password=Secret("wrong"), **keystone).check()
    with pytest.raises(Misconfigured, match="region"):
        make(region="Mars", **keystone).check()  # SW-30
    with pytest.raises(Misconfigured, match="container"):
        make(create_container=False, container="none").check()


@pytest.mark.parametrize(("status", "kind"), [(500, Unavailable), (429, RateLimited)])
def test_a_keystone_in_trouble_is_told_by_its_own_name(
    status: int, kind: type[StoreError], make: Make, server: SwiftState
) -> None:
    """And is asked again by the layers, as it may recover."""
    driver = make(auth_url=f"{server.base}/v3", auth_version="3", project="p")
    server.refuse["POST", "/auth/tokens"] = [(status, {})]
    with pytest.raises(kind, match=f"Keystone answered {status}") as told:
        list(driver.list())
    assert "Swift" not in str(told.value)
    assert told.value.retryable


def test_a_login_that_is_refused_leaves_nothing_to_look_for(make: Make) -> None:
    with pytest.raises(Unauthenticated) as told:
        make(password=Secret("wrong")).check()
    assert not getattr(told.value, "__notes__", ())


def test_sw4_an_application_credential_serves_every_operation(
    make: Make, server: SwiftState
) -> None:
    driver = make(
        auth_url=f"{server.base}/v3",
        auth_version="3",
        user=None,
        password=None,
        application_credential_id=Secret("i"),
        application_credential_secret=Secret(KEY),
    )
    store = Store(driver, name="swift")
    receipt = store.put("x", b"abc")
    assert store.stat(receipt.ref).size == 3
    store.delete(receipt.ref)


def test_sw9_sw19_a_caller_has_a_container_for_each_image(make: Make, server: SwiftState) -> None:
    """Rights are the container's; it goes with the image, and with nobody else's."""
    token = "t0ken"
    server.tokens.add(token)
    driver = make(container_per_image=True, auth_url=None, user=None, password=None)
    catalog = [
        {"type": "object-store", "endpoints": [{"publicURL": f"{server.base}/v1/AUTH_test"}]}
    ]
    caller = driver.for_context(Caller(token=token, extra={"service_catalog": catalog}))
    store = Store(caller, name="swift")
    receipt = store.put("x", b"abc")
    assert list(server.containers) == ["images_x"]
    caller.set_access(receipt.ref, Access(read=("p1", "p2")))
    assert server.rights["images_x"]["X-Container-Read"] == "p1:*,p2:*"
    caller.set_access(receipt.ref, Access(public=True))
    assert server.rights["images_x"]["X-Container-Read"] == "*:*"
    store.delete(receipt.ref)
    assert not server.containers
    # What others put into the container keeps it, one that is gone is no trouble, and one of another name is not ours.
    kept = store.put("y", b"abc")
    server.containers["images_y"]["other"] = server.containers["images_y"]["y"]
    store.delete(kept.ref)
    assert list(server.containers["images_y"]) == ["other"]
    gone = store.put("z", b"abc")
    server.refuse[("DELETE", "/images_z")] = [(404, {})]
    store.delete(gone.ref)
    server.containers["images_other"] = {"w": server.containers["images_y"]["other"]}
    store.delete(caller._places.ref("images_other", "w"))
    assert server.containers["images_other"] == {}
    with pytest.raises(Misconfigured):
        driver.for_context(Caller())


@pytest.mark.parametrize("version", ["1", "3"])
def test_no_connection_waits_for_the_garbage_collector(
    version: str, make: Make, server: SwiftState
) -> None:
    """Once a store is closed: neither that of the login nor those of the verbs."""
    path = "/auth/v1.0" if version == "1" else "/v3"
    before = open_files()
    gc.collect()
    gc.disable()
    try:
        driver = make(auth_url=server.base + path, auth_version=version, project="p")
        store = Store(driver, name="swift")
        ref = store.put("x", b"x" * 200_000).ref
        with store.open(ref) as image:
            next(iter(image))
        list(store.list())
        driver.check()
        store.close()
        deadline = time.monotonic() + 10
        while set(open_files().values()) - set(before.values()):
            assert time.monotonic() < deadline, open_files()
            time.sleep(0.01)
    finally:
        gc.enable()
