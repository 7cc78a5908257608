"""Large objects that other programs have stored: read as any, and removed with their segments and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.swift_rig import Backstage
from fakes.swift_server import SwiftState
from multistore import Store, StoreOptions
from multistore.errors import Unavailable

Make = Any
ONCE = StoreOptions(attempts=1)


def names(server: SwiftState) -> list[str]:
    return sorted(server.containers.get("images", ()))


@pytest.mark.parametrize("inside", ["images", "images_segments"])
def test_static_objects_of_others_are_read_and_removed(
    inside: str, make: Make, server: SwiftState
) -> None:
    driver = make()
    Backstage(driver.settings).plant_static("x", [("s1", b"abc"), ("s2", b"def")], inside)
    store = Store(driver, name="swift", options=ONCE)
    ref = driver._places.ref("images", "x")
    with store.open(ref) as image:
        assert b"".join(image) == b"abcdef"
    server.refuse[("DELETE", "/s2")] = [(503, {})]
    with pytest.raises(Unavailable):
        store.delete(ref)
    assert "x" in names(server), "the manifest goes last: nothing else leads to the rest"
    store.delete(ref)
    assert not any(server.containers.values())


@pytest.mark.parametrize(
    ("inside", "segment", "goes"),
    [
        ("images", "x/slo/1/2/0000000{}", True),
        ("images_segments", "x/slo/1/2/0000000{}", True),
        ("images", "x-0000{}", True),
        ("private", "x-0000{}", False),
        ("images", "other-0000{}", False),
    ],
)
def test_static_objects_of_others_on_a_server_that_shows_no_manifest(
    inside: str,
    segment: str,
    *,
    goes: bool,
    make: Make,
    server: SwiftState,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Their segments are those of the image's name whose digests make its ETag; what it has elsewhere stays."""
    driver = make()
    places = [(segment.format(number), bytes([number]) * 3) for number in range(3)]
    Backstage(driver.settings).plant_static("x", places, inside)
    server.shows_manifests = False
    with Backstage(driver.settings).container() as images:
        images.put("x-tra", "planted", b"another's", fields={})
    driver.delete(driver._places.ref("images", "x"))
    left = {name for things in server.containers.values() for name in things} - {"x-tra"}
    assert left == (set() if goes else {name for name, _ in places})
    assert "x-tra" in names(server)
    assert ("stay where they are" in caplog.text) is not goes


def test_sw34_dynamic_objects_of_earlier_drivers_are_removed_and_nothing_else(
    make: Make, server: SwiftState
) -> None:
    """Segments by their prefix; not those in a foreign container, nor what a wider prefix takes in."""
    uuid = "a1dc822b-9f9b-4331-bde2-c7bd115816e2"
    driver = make()
    with Backstage(driver.settings).container() as images:
        for name in (f"{uuid}-00001", f"{uuid}-00002", "other"):
            images.put(name, "planted", b"abc", fields={})
        images.put(uuid, "planted", b"", fields={"X-Object-Manifest": f"images/{uuid}-"})
        images.put("wide", "planted", b"", fields={"X-Object-Manifest": "images/"})
        images.put("far", "planted", b"", fields={"X-Object-Manifest": "private/far"})
    server.containers["private"] = {"far-1": server.containers["images"]["other"]}
    with driver.open(driver._places.ref("images", uuid)) as reader:
        assert b"".join(reader.read()) == b"abcabc"
    assert {info.name for info in driver.list()} == {uuid, "other", "wide", "far"}
    for name in (uuid, "wide", "far"):
        driver.delete(driver._places.ref("images", name))
    assert names(server) == ["other"]
    assert list(server.containers["private"]) == ["far-1"]
