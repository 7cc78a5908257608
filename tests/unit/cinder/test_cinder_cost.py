"""What an image in Cinder costs: requests to the API, and no waiting of one piece of work for another."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading

import pytest
from fakes.cinder_cloud import Cloud
from multistore.drivers.cinder import CinderDriver
from multistore.drivers.cinder.devices import HandleDevice
from multistore.pipeline.prefetch import RANGE
from multistore.store import Store
from multistore.testing.tools import one_image, read

MIB = 1 << 20


def test_an_image_costs_few_requests(cloud: Cloud, driver: CinderDriver) -> None:
    """CI-32: eight to write one of known size, and four to read it; 5.7.0 needs nine and six."""
    cloud.calls()
    ref = one_image(driver, "image", b"12345").ref
    wrote = cloud.calls()
    assert wrote == [
        "create", "list", "attach", "complete", "detach", "list", "readonly", "label",
    ]  # fmt: skip
    assert read(driver, ref) == b"12345"
    assert cloud.calls() == ["get", "attach", "complete", "detach"]
    driver.delete(ref)


def test_bytes_are_on_their_way_while_others_are_read_and_hashed(
    driver: CinderDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI-31: parts of 8 MiB at their borders, four at once, and as many ranges when the image is read."""
    written: list[tuple[int, int]] = []
    # None of the first four ends before the fourth has begun: one after the other they would never get through.
    writing, reading = threading.Barrier(4), threading.Barrier(4)
    write, get = HandleDevice.write, HandleDevice.read

    def held_write(self: HandleDevice, offset: int, data: bytes | memoryview) -> None:
        written.append((offset, len(data)))
        if offset < 32 * MIB:
            writing.wait(20)
        write(self, offset, data)

    def held_read(self: HandleDevice, offset: int, length: int) -> bytes:
        if offset in borders:
            reading.wait(20)
        return get(self, offset, length)

    monkeypatch.setattr(HandleDevice, "write", held_write)
    monkeypatch.setattr(HandleDevice, "read", held_read)
    pieces = [os.urandom(MIB)] * 33
    borders = {number * RANGE for number in range(4)}
    with contextlib.closing(Store(driver, name="s")) as store:
        receipt = store.put("image", iter(pieces), digests=("sha512",))
        assert receipt.digests["sha512"] == hashlib.sha512(b"".join(pieces)).hexdigest()
        with store.open(receipt.ref, expect=receipt.digests) as image:
            assert sum(map(len, image)) == 33 * MIB
        store.delete(receipt.ref)
    assert sorted(written) == [(at * 8 * MIB, 8 * MIB) for at in range(4)] + [(32 * MIB, MIB)]
