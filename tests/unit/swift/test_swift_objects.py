"""Objects, segments and manifests: written once, read whole, removed to the last."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.swift_server import SwiftState, Thing
from multistore import Store, StoreOptions
from multistore.errors import (
    AlreadyExists,
    Corrupt,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    RateLimited,
    SizeMismatch,
    TimedOut,
    Unavailable,
)

Make = Any
SEGMENT = 64 << 10
ONCE = StoreOptions(attempts=1)


def names(server: SwiftState) -> list[str]:
    return sorted(server.containers.get("images", ()))


@pytest.mark.parametrize(
    "size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 3 * SEGMENT + 7]
)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("manifest", ["static", "dynamic"])
def test_sw10_every_size_known_and_unknown(
    size: int, known: bool, manifest: str, make: Make, server: SwiftState
) -> None:
    """The last segment has what is left; one object where one segment would do."""
    store = Store(make(manifest=manifest), name="swift", options=ONCE)
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    receipt = store.put("x", iter([data]) if size else b"", size=size if known else None)
    with store.open(receipt.ref) as image:
        assert b"".join(image) == data
    # That a segment was all is seen too late where nobody says so.
    several = size > SEGMENT or (size == SEGMENT and not known)
    count = -(-size // SEGMENT) if several else 0
    assert len(names(server)) == 1 + count
    store.delete(receipt.ref)
    assert names(server) == []


@pytest.mark.parametrize("declared", [10, SEGMENT + 10])
def test_sw12_more_or_less_than_declared_leaves_nothing(
    declared: int, make: Make, server: SwiftState
) -> None:
    store = Store(make(), name="swift", options=ONCE)
    for actual in (declared - 1, declared + 1, declared + 3 * SEGMENT):
        with pytest.raises(SizeMismatch):
            store.put("x", iter([b"x" * actual]), size=declared)
        assert names(server) == []


def test_sw13_every_object_goes_with_its_digest(make: Make, server: SwiftState) -> None:
    """Swift then refuses bytes that changed on their way."""
    store = Store(make(), name="swift", options=ONCE)
    store.put("x", b"x" * (2 * SEGMENT + 1))
    tagged = [heard for heard in server.heard if heard.get("ETag") or heard.get("etag")]
    assert len(tagged) == 3
    server.refuse[("PUT", "/y")] = [(422, {})]
    with pytest.raises(Unavailable):
        store.put("y", b"y")


def test_sw14_two_uploads_of_a_name_never_mix(make: Make, server: SwiftState) -> None:
    """Segments that an earlier, longer attempt left are not the image's, and a second image is refused."""
    driver = make(manifest="dynamic")
    left = driver.begin("x", 4 * SEGMENT, {})
    for index in range(4):
        left.write_part(index, index * SEGMENT, b"old" * 20_000)
    store = Store(driver, name="swift", options=ONCE)
    receipt = store.put("x", b"n" * (2 * SEGMENT))
    with store.open(receipt.ref) as image:
        assert b"".join(image) == b"n" * (2 * SEGMENT)
    with pytest.raises(AlreadyExists):
        store.put("x", b"other")
    left.abort()
    with store.open(receipt.ref) as image:
        assert b"".join(image) == b"n" * (2 * SEGMENT)


@pytest.mark.parametrize("where", ["/x-00002", "/x"])
def test_sw15_a_failure_anywhere_leaves_nothing(where: str, make: Make, server: SwiftState) -> None:
    """Of the second segment, or of the manifest."""
    driver = make()
    if where == "/x":
        server.refuse[("PUT", "/images/x")] = [(413, {})]
    else:
        server.quota = 2 * SEGMENT
    store = Store(driver, name="swift", options=ONCE)
    with pytest.raises(NoSpace):
        store.put("x", b"x" * (3 * SEGMENT))
    assert names(server) == []


@pytest.mark.parametrize("size", [10, 3 * SEGMENT])
def test_sw15_a_lost_answer_is_resolved_by_a_look(
    size: int, make: Make, server: SwiftState
) -> None:
    """Of the manifest, or of the only object: it is ours, and no duplicate."""
    store = Store(make(), name="swift", options=StoreOptions(attempts=3, backoff=0.01))
    store.put("first", b"x")
    server.lose.append(("PUT", "/images/x"))
    receipt = store.put("x", b"x" * size)
    assert not server.lose
    with store.open(receipt.ref) as image:
        assert b"".join(image) == b"x" * size


def test_sw11_sw18_all_segments_are_removed_however_many(make: Make, server: SwiftState) -> None:
    """Beyond a page of the list, some gone already; an error is told, and what is left is found by a sweep."""
    server.page = 3
    driver = make()
    store = Store(driver, name="swift", options=ONCE)
    receipt = store.put("x", b"x" * (10 * SEGMENT))
    second = next(name for name in names(server) if name.endswith("-00002"))
    del server.containers["images"][second]
    fifth = next(name for name in names(server) if name.endswith("-00005"))
    server.refuse[("DELETE", fifth)] = [(503, {})]
    with pytest.raises(Unavailable):
        store.delete(receipt.ref)
    with pytest.raises(NotFound):
        store.stat(receipt.ref)
    (left,) = store.pending()
    store.discard(left.token)
    assert names(server) == []


def test_manifests_are_nested_above_the_limit(make: Make, server: SwiftState) -> None:
    server.most_segments = 3
    store = Store(make(), name="swift", options=ONCE)
    data = b"".join(bytes([index]) * SEGMENT for index in range(20)) + b"end"
    receipt = store.put("x", data)
    with store.open(receipt.ref) as image:
        assert b"".join(image) == data
    copy = store.copy(receipt.ref, store, "y")
    with store.open(copy.ref) as image:
        assert b"".join(image) == data
    for ref in (receipt.ref, copy.ref):
        store.delete(ref)
    assert names(server) == []


def test_sw16_a_body_that_is_cut_is_no_image(make: Make, server: SwiftState) -> None:
    """A missing segment is told, and so is a change between two ranges."""
    driver = make()
    store = Store(driver, name="swift", options=ONCE)
    receipt = store.put("x", b"x" * (3 * SEGMENT))
    with driver.open(receipt.ref) as reader:
        assert next(reader.read(0, 10)) == b"x" * 10
        server.containers["images"]["x"] = server.containers["images"][names(server)[1]]
        with pytest.raises(Corrupt):
            reader.read(10, 10)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, PermissionError), (429, RateLimited), (498, RateLimited), (503, Unavailable), (504, TimedOut), (301, Unavailable)],
)  # fmt: skip
def test_sw25_an_outage_is_no_size_of_nothing(
    status: int, kind: type[Exception], make: Make, server: SwiftState
) -> None:
    """Every refusal is an error of its own; a redirect is never followed with our token."""
    driver = make()
    Store(driver, name="swift").put("x", b"abc")
    server.refuse[("HEAD", "/images/x")] = [
        (status, {"Retry-After": "7", "Location": "http://elsewhere.lan/"})
    ]
    with pytest.raises(kind) as told:
        driver.stat(driver._places.ref("images", "x"))
    if kind is RateLimited:
        assert getattr(told.value, "retry_after") == 7.0  # noqa: B009
    with pytest.raises(NotFound):
        driver.stat(driver._places.ref("images", "missing"))


def test_sw36_a_segment_that_is_too_large_is_no_full_store(make: Make, server: SwiftState) -> None:
    driver = make(segment_size=100)
    upload = driver.begin("x", 1000, {})
    upload._container.swift.server.info = {"swift": {"max_file_size": 50}}
    server.refuse[("PUT", "-00001")] = [(413, {})]
    with pytest.raises(Misconfigured, match="segments"):
        upload.write_part(0, 0, b"x" * 100)
    upload.abort()


def test_seeded_containers(make: Make, server: SwiftState) -> None:
    """Dashes among the first characters do not count."""
    driver = make(seed=10)
    store = Store(driver, name="swift")
    receipt = store.put("A1DC822B-9f9b-4331-bde2-c7bd115816e2", b"abc")
    assert list(server.containers) == ["images_a1dc822b-9f"]
    assert [info.ref for info in store.list()] == [receipt.ref]
    with pytest.raises(InvalidRef):
        store.stat(driver._places.ref("elsewhere", "x"))
    store.delete(receipt.ref)


def test_a_server_that_replaces_objects_is_found_out(make: Make, server: SwiftState) -> None:
    """By sending the first small image twice; from then on there is a look before each write."""
    server.conditional = False
    driver = make()
    store = Store(driver, name="swift")
    store.put("first", b"abc")
    upload = driver.begin("x", 3, {})
    upload.write_part(0, 0, b"new")
    other = store.put("x", b"old")
    with pytest.raises(AlreadyExists):
        upload.commit(3, {})
    with store.open(other.ref) as image:
        assert b"".join(image) == b"old"


@pytest.mark.parametrize("size", [0, 1, 100_000, (9 << 20) + 5])
@pytest.mark.parametrize("length", [None, 10, 100_000, 20 << 20])
@pytest.mark.parametrize("offset", [0, 7])
def test_the_size_comes_with_the_first_bytes(
    offset: int, length: int | None, size: int, make: Make, server: SwiftState
) -> None:
    """One request serves both, and what is read first is right whatever it is."""
    driver = make()
    data = bytes(range(251)) * (size // 251 + 1)
    server.containers["images"] = {"x": Thing(data[:size], {})}
    end = size if length is None else min(size, offset + length)
    with driver.open(driver._places.ref("images", "x")) as reader:
        assert reader.info.size == size
        assert b"".join(reader.read(offset, length)) == data[offset:end]
        assert b"".join(reader.read(offset, length)) == data[offset:end]
        assert reader.info.size == size
    asked = [method for method, path in server.requests if path.endswith("/images/x")]
    assert asked.count("HEAD") == (size == 0)
    if offset == 0 and 0 < end <= 8 << 20:
        assert asked.count("GET") == 2
