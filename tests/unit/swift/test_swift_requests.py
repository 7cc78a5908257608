"""What is asked of the servers, and what is not."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fakes.swift_server import SwiftState
from multistore import Store, StoreOptions
from multistore.drivers.swift import single
from multistore.drivers.swift import upload as uploading
from multistore.drivers.swift.container import Container, md5_of
from multistore.errors import AlreadyExists, Unavailable
from multistore.known import knowing

Make = Any
SEGMENT = 64 << 10
ONCE = StoreOptions(attempts=1)


def asked(server: SwiftState, name: str) -> list[str]:
    return [method for method, path in server.requests if path.endswith(f"/images/{name}")]


@pytest.mark.parametrize("conditional", [True, False])
def test_a_small_image_takes_one_request_where_the_server_refuses(
    conditional: bool, make: Make, server: SwiftState
) -> None:
    """Which the first one finds out; a server that replaces objects is looked at before each."""
    server.conditional = conditional
    store = Store(make(), name="swift", options=ONCE)
    store.put("first", b"x")
    receipt = store.put("second", b"y")
    assert asked(server, "second") == (["PUT"] if conditional else ["HEAD", "HEAD", "PUT"])
    with pytest.raises(AlreadyExists):
        store.put("second", b"other")
    assert server.containers["images"]["second"].data == b"y"
    assert store.stat(receipt.ref).size == 1


@pytest.mark.parametrize("segment", [1 << 20, 4 << 20])
def test_a_large_image_is_refused_before_it_is_sent(
    segment: int, make: Make, server: SwiftState
) -> None:
    """Of several objects, or of one; whatever is known of the server."""
    store = Store(make(segment_size=segment), name="swift", options=ONCE)
    store.put("x", b"x")
    server.requests.clear()
    with pytest.raises(AlreadyExists):
        store.put("x", b"x" * (2 << 20))
    assert [method for method, _ in server.requests] == ["HEAD"]


def test_one_segment_is_hashed_at_a_time(
    make: Make, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are on their way meanwhile."""
    busy = threading.Lock()
    together: list[bool] = []

    def noting(data: bytes) -> str:
        together.append(not busy.acquire(blocking=False))
        time.sleep(0.01)
        if not together[-1]:
            busy.release()
        return md5_of(data)

    monkeypatch.setattr(uploading, "md5_of", noting)
    upload = make().begin("x", 4 * SEGMENT, {})
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(upload.write_part, index, index * SEGMENT, b"x" * SEGMENT)
            for index in range(4)
        ]
        for job in jobs:
            job.result()
    assert together == [False] * 4
    upload.commit(4 * SEGMENT, {})


def test_a_segment_whose_digest_is_known_is_not_hashed_again(
    make: Make, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Swift takes only what has it."""
    monkeypatch.setattr(uploading, "md5_of", lambda _: pytest.fail("hashed"))
    upload, data = make().begin("x", 2 * SEGMENT, {}), b"x" * SEGMENT
    right = md5_of(data)
    with knowing(data, "md5", right):
        upload.write_part(0, 0, data)
    with knowing(data, "md5", md5_of(b"other")), pytest.raises(Unavailable):
        upload.write_part(1, SEGMENT, data)
    upload.abort()


def test_an_object_of_known_digest_is_not_hashed_again(
    make: Make, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "md5_of", lambda _: pytest.fail("hashed"))
    store = Store(make(), name="swift", options=ONCE)
    store.put("x", b"x", digests=("md5",))
    assert server.containers["images"]["x"].data == b"x"


def test_a_catalog_is_read_once_for_each_token(
    make: Make, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new token may come with another."""
    from keystoneauth1.access.service_catalog import ServiceCatalogV3

    read: list[Any] = []
    plain = ServiceCatalogV3.url_for

    def noting(self: Any, **wanted: Any) -> Any:
        read.append(self)
        return plain(self, **wanted)

    monkeypatch.setattr(ServiceCatalogV3, "url_for", noting)
    driver = make(auth_url=f"{server.base}/v3", auth_version="3", user="u", project="p")
    store = Store(driver, name="swift", options=ONCE)
    receipt = store.put("x", b"x")
    store.stat(receipt.ref)
    assert len(read) == 1
    server.tokens.clear()
    store.stat(receipt.ref)
    assert len(read) == 2


def test_a_container_that_another_makes_meanwhile_is_used(
    make: Make, server: SwiftState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused because it was missing, and there at the look: the image is stored, and nothing is made twice."""
    driver = make(create_container=True)
    there = Container.there

    def made_meanwhile(self: Container) -> bool:
        server.containers.setdefault("images", {})
        return there(self)

    monkeypatch.setattr(Container, "there", made_meanwhile)
    server.containers.pop("images", None)
    Store(driver, name="swift", options=ONCE).put("x", b"x")
    assert server.containers["images"]["x"].data == b"x"
    assert not any(m == "PUT" and path.endswith("/images") for m, path in server.requests)
