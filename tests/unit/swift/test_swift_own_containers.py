"""A container for each image: it comes with its image, and goes with it, or with what could not become one."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.swift_server import SwiftState
from multistore.driver import Upload
from multistore.drivers.swift import SwiftDriver
from multistore.drivers.swift.refs import parse_token
from multistore.errors import StoreError
from multistore.model import Caller
from multistore.testing.tools import one_image

Make = Any

SEGMENT = 64 << 10


@pytest.fixture
def driver(make: Make, server: SwiftState) -> SwiftDriver:
    """A store on behalf of a caller, in whose account each image has a container."""
    server.tokens.add("t0ken")
    made: SwiftDriver = make(container_per_image=True, storage_url=f"{server.base}/v1/AUTH_test")
    return made.for_context(Caller(token="t0ken"))


def begun(driver: SwiftDriver, segments: int = 2) -> Upload:
    upload = driver.begin("x", segments * SEGMENT, {})
    upload.write_part(0, 0, b"a" * SEGMENT)
    return upload


@pytest.mark.parametrize("segments", [1, 2])
def test_an_upload_that_is_aborted_takes_its_container_along(
    segments: int, driver: SwiftDriver, server: SwiftState
) -> None:
    upload = begun(driver, segments)
    server.refuse["PUT", "/x"] = [(404, {}), (403, {})]
    if segments > 1:
        upload.write_part(1, SEGMENT, b"b" * SEGMENT)
        assert server.containers
    with pytest.raises(StoreError):
        upload.commit(segments * SEGMENT, {})
    upload.abort()
    assert not server.containers


def test_an_upload_that_cannot_begin_takes_its_container_along(
    driver: SwiftDriver, server: SwiftState
) -> None:
    """The container could be made, and nothing in it."""
    server.refuse["PUT", ".begun"] = [(404, {}), (403, {})]
    with pytest.raises(StoreError):
        driver.begin("x", 2 * SEGMENT, {})
    assert not server.containers


def test_a_sweep_takes_the_container_along(driver: SwiftDriver, server: SwiftState) -> None:
    begun(driver)
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not server.containers


def test_a_container_that_holds_something_stays(driver: SwiftDriver, server: SwiftState) -> None:
    """Of two uploads of one image one is given up; somebody has put something of theirs beside."""
    first, second = begun(driver), begun(driver)
    first.abort()
    second.write_part(1, SEGMENT, b"b" * SEGMENT)
    ref = second.commit(2 * SEGMENT, {}).ref
    token = parse_token(second.token)
    assert token is not None
    driver.discard(second.token)
    assert driver.stat(ref).size == 2 * SEGMENT
    driver.delete(ref)
    assert not server.containers


def test_a_container_that_was_there_before_stays(driver: SwiftDriver, server: SwiftState) -> None:
    server.containers["images_x"] = {}
    begun(driver).abort()
    assert server.containers == {"images_x": {}}


@pytest.mark.parametrize("known", ["no", "settings", "caller"])
def test_references_in_a_container_of_their_own_are_the_stores(
    known: str, make: Make, server: SwiftState
) -> None:
    """Whoever's account they are in; another server's are not, as far as it is known which is this one."""
    account = f"{server.base}/v1/AUTH_test"
    login: dict[str, Any] = {"auth_url": f"{server.base}/v3", "auth_version": "3", "trusts": True}
    driver = make(
        container_per_image=True,
        containers=("*",),
        storage_url=account if known == "settings" else None,
        **login,
    )
    if known == "caller":
        endpoints = [{"publicURL": account}]
        catalog = [{"type": "object-store", "endpoints": endpoints}]
        caller = Caller(token="t0ken", extra={"service_catalog": catalog})
        driver = driver.for_context(caller)
    place = server.base.replace("http://", "swift+http://")
    assert driver.owns(f"{place}/v1/AUTH_test/images_x/x")
    assert driver.owns(f"{place}/v1/AUTH_other/images_x/x")
    elsewhere = "swift+https://elsewhere.lan/v1/AUTH_test/images_x/x"
    assert driver.owns(elsewhere) is (known == "no")
    for other in (
        f"{place}/v1/AUTH_test/images_y/x",
        f"{place}/v1/AUTH_test/images/x",
        f"{place}/v3/images/x",
        f"swift+http://a%3Ab:c@{place.partition('://')[2]}/v1/AUTH_test/images_x/x",
        "swift+config://ref1/images_x/x",
    ):
        assert not driver.owns(other), other


def test_a_container_that_all_images_share_stays(make: Make, server: SwiftState) -> None:
    driver = make(create_container=True)
    begun(driver).abort()
    assert server.containers == {"images": {}}
    driver.delete(one_image(driver, "y", b"y").ref)
    assert server.containers == {"images": {}}
