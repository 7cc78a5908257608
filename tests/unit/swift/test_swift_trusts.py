"""A caller's token may end in the middle of a transfer: a trust stands behind it, and is gone at the end."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from fakes.swift_server import KEY, SwiftState
from multistore import Store, StoreOptions
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.drivers.swift.identity import new_wire
from multistore.errors import Misconfigured, StoreError, Unauthenticated
from multistore.model import Access, Caller

Make = Any

TOKEN = "t0ken-canary"
SEGMENT = 64 << 10


def trusting(make: Make, server: SwiftState, **changes: Any) -> SwiftDriver:
    server.tokens.add(TOKEN)
    made: SwiftDriver = make(
        auth_url=f"{server.base}/v3",
        auth_version="3",
        user="tester",
        project="test",
        storage_url=f"{server.base}/v1/AUTH_test",
        container_per_image=True,
        trusts=True,
        **changes,
    )
    return made


@pytest.fixture
def driver(make: Make, server: SwiftState) -> SwiftDriver:
    """A store whose callers trust its user."""
    return trusting(make, server)


def as_caller(driver: SwiftDriver) -> SwiftDriver:
    return driver.for_context(Caller(token=TOKEN))


def calls(server: SwiftState, part: str) -> list[str]:
    return [method for method, path in server.requests if part in path]


def test_sw6_an_upload_outlives_the_token_and_leaves_no_trust(
    driver: SwiftDriver, server: SwiftState
) -> None:
    mine = as_caller(driver)
    upload = mine.begin("x", 3 * SEGMENT, {})
    (trust,) = server.trusts.values()
    assert trust.pop("expires_at").endswith("Z")
    assert trust == {
        "trustor_user_id": "alice",
        "trustee_user_id": "u",
        "project_id": "theirs",
        "roles": [{"id": "r1"}, {"id": "r2"}],
        "impersonation": True,
        "allow_redelegation": False,
    }
    upload.write_part(0, 0, b"a" * SEGMENT)
    server.tokens.discard(TOKEN)
    upload.write_part(1, SEGMENT, b"b" * SEGMENT)
    upload.write_part(2, 2 * SEGMENT, b"c" * SEGMENT)
    stored = upload.commit(3 * SEGMENT, {})
    mine.close()
    # What comes right after it, as setting rights does, is still possible.
    as_caller(driver).set_access(stored.ref, Access(read=("others",)))
    assert server.rights["images_x"]["X-Container-Read"] == "others:*"
    assert len(server.trusts) == 1
    driver.close()
    assert not server.trusts
    assert calls(server, "OS-TRUST") == ["POST", "DELETE"]


def test_two_uploads_of_one_token_that_outlive_it_leave_no_trust(
    driver: SwiftDriver, server: SwiftState
) -> None:
    """As two requests of one user make them: each has a trust of its own."""
    callers = [as_caller(driver), as_caller(driver)]
    uploads = [mine.begin(name, 2 * SEGMENT, {}) for mine, name in zip(callers, "xy", strict=True)]
    assert len(server.trusts) == 2
    server.tokens.discard(TOKEN)
    for upload in uploads:
        upload.write_part(0, 0, b"a" * SEGMENT)
        upload.write_part(1, SEGMENT, b"b" * SEGMENT)
        upload.commit(2 * SEGMENT, {})
    for mine in callers:
        mine.close()
    assert len(server.trusts) == 1  # for what follows
    driver.close()
    assert not server.trusts


@pytest.mark.parametrize("status", [401, 403, 500])
def test_an_upload_that_cannot_begin_leaves_no_trust(
    status: int, driver: SwiftDriver, server: SwiftState
) -> None:
    server.refuse["PUT", ".begun"] = [(status, {})] * 3
    with pytest.raises(StoreError):
        as_caller(driver).begin("x", 2 * SEGMENT, {})
    driver.close()
    assert not server.trusts


def test_trusts_of_one_user_at_once_end_at_different_moments(
    driver: SwiftDriver, server: SwiftState
) -> None:
    """Keystone answers 409 to a trust that differs in nothing from another."""
    uploads = [as_caller(driver).begin(name, 2 * SEGMENT, {}) for name in "abc"]
    assert len({trust["expires_at"] for trust in server.trusts.values()}) == 3
    for upload in uploads:
        upload.abort()
    assert not server.trusts


def test_a_trust_that_was_used_ends_by_the_clock(
    driver: SwiftDriver, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multistore.drivers.swift.trusts._AFTER", 0.01)
    upload = as_caller(driver).begin("x", 2 * SEGMENT, {})
    server.tokens.discard(TOKEN)
    upload.abort()
    deadline = time.monotonic() + 20
    while server.trusts:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_token_of_the_trust_is_renewed_too(driver: SwiftDriver, server: SwiftState) -> None:
    upload = as_caller(driver).begin("x", 2 * SEGMENT, {})
    server.tokens.clear()
    upload.write_part(0, 0, b"a" * SEGMENT)
    server.tokens.clear()
    upload.write_part(1, SEGMENT, b"b" * SEGMENT)
    upload.commit(2 * SEGMENT, {})
    driver.close()
    assert not server.trusts


@pytest.mark.parametrize("over", [False, True], ids=["living", "over"])
def test_what_is_given_up_leaves_no_trust(
    over: bool, driver: SwiftDriver, server: SwiftState
) -> None:
    upload = as_caller(driver).begin("x", 2 * SEGMENT, {})
    upload.write_part(0, 0, b"a" * SEGMENT)
    if over:
        server.tokens.discard(TOKEN)
    upload.abort()
    upload.abort()
    assert len(server.trusts) == over
    driver.close()
    assert not server.trusts
    assert not server.containers


def test_a_driver_that_is_closed_in_the_middle_leaves_no_trust(
    driver: SwiftDriver, server: SwiftState
) -> None:
    mine = as_caller(driver)
    mine.begin("x", 2 * SEGMENT, {})
    mine.begin("y", 2 * SEGMENT, {})
    assert len(server.trusts) == 1
    mine.close()
    assert not server.trusts


def test_a_long_download_outlives_the_token(driver: SwiftDriver, server: SwiftState) -> None:
    """Short ones, of one request, need no trust."""
    size = 20 << 20
    store = Store(as_caller(driver), name="cloud")
    ref = store.put("x", b"a" * size).ref
    begun = len(server.requests)
    with store.open(ref) as image:
        assert b"".join(image.read(5, 10)) == b"a" * 10
    assert not [path for _, path in server.requests[begun:] if "OS-TRUST" in path]
    with store.open(ref) as image:
        pieces = image.read()
        came = len(next(pieces))
        server.tokens.discard(TOKEN)
        came += sum(map(len, pieces))
        assert len(server.trusts) == 1
    assert came == size
    driver.close()
    assert not server.trusts


def test_a_large_object_of_one_request_may_take_long_to_come(
    make: Make, server: SwiftState
) -> None:
    size = 8 << 20
    driver = trusting(make, server, segment_size=size)
    upload = as_caller(driver).begin("x", size, {})
    server.tokens.discard(TOKEN)
    upload.write_part(0, 0, b"a" * size)
    upload.commit(size, {})
    as_caller(driver).begin("y", size, {}).abort()
    driver.close()
    assert not server.trusts


def test_small_uploads_ask_for_no_trust(driver: SwiftDriver, server: SwiftState) -> None:
    Store(as_caller(driver), name="cloud").put("x", b"abc")
    assert not calls(server, "/v3/")


@pytest.mark.parametrize(
    "refuse",
    [
        ("POST", "/OS-TRUST/trusts", 403),
        ("POST", "/OS-TRUST/trusts", 200),
        ("POST", "/auth/tokens", 401),
        ("GET", "/auth/tokens", 401),
        ("GET", "/auth/tokens", 500),
        ("GET", "/auth/tokens", 302),
    ],
)
def test_without_a_trust_the_token_is_used_and_one_warning_says_why(
    refuse: tuple[str, str, int],
    driver: SwiftDriver,
    server: SwiftState,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.refuse[refuse[:2]] = [(refuse[2], {})] * 4
    for name in ("x", "y"):
        store = Store(as_caller(driver), name="cloud")
        store.put(name, b"a" * (2 * SEGMENT + 1))
    warned = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(warned) == 1
    assert "no trust could be made" in caplog.text
    assert TOKEN not in caplog.text
    assert KEY not in caplog.text
    assert not server.trusts
    upload = as_caller(driver).begin("z", 2 * SEGMENT, {})
    server.tokens.discard(TOKEN)
    with pytest.raises(Unauthenticated):
        upload.write_part(0, 0, b"a" * SEGMENT)


def test_a_trust_that_cannot_be_deleted_is_told(
    driver: SwiftDriver, server: SwiftState, caplog: pytest.LogCaptureFixture
) -> None:
    """The image is stored all the same."""
    store = Store(as_caller(driver), name="cloud", options=StoreOptions(attempts=1))
    mine = store.driver
    upload = mine.begin("x", 2 * SEGMENT, {})
    (number,) = server.trusts
    server.refuse["DELETE", number] = [(500, {})]
    for index in range(2):
        upload.write_part(index, index * SEGMENT, b"a" * SEGMENT)
    assert upload.commit(2 * SEGMENT, {}).size == 2 * SEGMENT
    assert f"the trust {number} could not be deleted" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_version": "1", "auth_url": "http://s/auth/v1.0"},
        {"application_credential_id": Secret("i"), "application_credential_secret": Secret("s")},
        {"password": None},
        {"auth_url": None},
    ],
)
def test_only_a_user_with_a_password_can_be_trusted(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"auth_url": "http://k/v3", "user": "u", "password": Secret("p")}
    assert SwiftSettings(**values, trusts=True).trusts
    with pytest.raises(Misconfigured) as told:
        SwiftSettings(**values | changes, trusts=True)
    assert told.value.setting == "trusts"


def test_callers_share_connections_and_what_is_known_of_the_server(
    driver: SwiftDriver, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One caller after the other, each with the own token on each request."""
    made: list[str] = []

    def counted(base: str, settings: SwiftSettings) -> Any:
        made.append(base)
        return new_wire(base, settings)

    monkeypatch.setattr("multistore.drivers.swift.wire.new_wire", counted)
    server.cookie = "who=canary"
    for token in ("a", "b"):
        server.tokens.add(token)
        mine = driver.for_context(Caller(token=token))
        begun = len(server.heard)
        Store(mine, name="cloud").put(token, b"abc")
        mine.close()
        heard = [{key.lower(): value for key, value in each.items()} for each in server.heard]
        assert {each["x-auth-token"] for each in heard[begun:]} == {token}
    assert made == [server.base]
    assert not [each for each in heard if "cookie" in each]
    # Whether the server refuses to replace objects was found out once.
    assert [
        path for method, path in server.requests if method == "PUT" and path.endswith("/b")
    ] == ["/v1/AUTH_test/images_b/b"] * 2
