"""Servers that lack something, are full, or are busy just now."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.swift_server import SwiftState
from multistore import Store, StoreOptions
from multistore.errors import Misconfigured, NoSpace

Make = Any
SEGMENT = 64 << 10
ONCE = StoreOptions(attempts=1)


def test_a_manifest_that_is_taken_for_an_object_is_no_image(make: Make, server: SwiftState) -> None:
    """Swift without SLO: what would be read is the manifest's text."""
    server.slo = False
    store = Store(make(), name="swift", options=ONCE)
    with pytest.raises(Misconfigured, match="dynamic") as told:
        store.put("x", b"x" * (3 * SEGMENT))
    assert told.value.setting == "manifest"
    assert server.containers["images"] == {}
    dynamic = Store(make(manifest="dynamic"), name="swift", options=ONCE)
    receipt = dynamic.put("x", b"x" * (3 * SEGMENT))
    with dynamic.open(receipt.ref) as image:
        assert b"".join(image) == b"x" * (3 * SEGMENT)


def test_a_full_store_can_be_emptied(make: Make, server: SwiftState) -> None:
    """Although the mark of a deletion is refused like all that is new."""
    store = Store(make(), name="swift", options=ONCE)
    receipt = store.put("x", b"x" * (3 * SEGMENT))
    server.refuse[("PUT", ".begun")] = [(413, {})]
    store.delete(receipt.ref)
    assert server.containers["images"] == {}
    assert not server.refuse["PUT", ".begun"], "it was tried"


def test_a_single_object_that_is_too_large_is_no_full_store(make: Make, server: SwiftState) -> None:
    driver = make(segment_size=1 << 20)
    store = Store(driver, name="swift", options=ONCE)
    server.refuse[("PUT", "/images/x")] = [(413, {}), (413, {})]
    with pytest.raises(NoSpace):
        store.put("x", b"x" * 100)
    driver._accounts.main().server.info = {"swift": {"max_file_size": 50}}
    with pytest.raises(Misconfigured, match="more than the 50"):
        store.put("x", b"x" * 100)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_does_not_answer_for_its_limits_is_asked_again(
    status: int, make: Make, server: SwiftState
) -> None:
    server.most_segments = 7
    server.refuse[("GET", "/info")] = [(status, {})]
    swift = make()._accounts.main()
    assert swift.limit("slo", "max_manifest_segments", 1000) == 1000
    assert swift.limit("slo", "max_manifest_segments", 1000) == 7


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_that_says_nothing_of_its_limits_is_asked_once(
    status: int, make: Make, server: SwiftState
) -> None:
    server.refuse[("GET", "/info")] = [(status, {}), (status, {})]
    swift = make()._accounts.main()
    for _ in range(2):
        assert swift.limit("slo", "max_manifest_segments", 1000) == 1000
    assert [path for _, path in server.requests if path == "/info"] == ["/info"]


@pytest.mark.parametrize("name", ["my ref", "a@b", "a%b", "a?b", "a#b"])
def test_a_section_that_no_reference_can_name_is_refused(name: str, make: Make) -> None:
    with pytest.raises(Misconfigured) as told:
        make(reference=name)
    assert told.value.setting == "reference"


@pytest.mark.parametrize("name", ["im#ages", "im?ages"])
def test_a_container_that_no_reference_can_name_is_refused(name: str, make: Make) -> None:
    with pytest.raises(Misconfigured) as told:
        make(container=name)
    assert told.value.setting == "container"
