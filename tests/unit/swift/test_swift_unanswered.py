"""Requests that were sent and never answered: what they may still do is not forgotten."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.swift_server import SwiftState
from multistore.driver import Upload
from multistore.drivers.swift import SwiftDriver
from multistore.drivers.swift.refs import parse_token
from multistore.errors import StoreError, TimedOut, Unavailable
from multistore.testing.tools import content, read

Make = Any

SEGMENT = 64 << 10
SIZE = 2 * SEGMENT


@pytest.fixture
def driver(make: Make, server: SwiftState) -> SwiftDriver:
    """A store that waits for an answer for a moment."""
    server.containers["images"] = {}
    made: SwiftDriver = make(timeout=0.3)
    return made


@pytest.fixture
def upload(driver: SwiftDriver, monkeypatch: pytest.MonkeyPatch) -> Upload:
    """An upload in segments, all of which are there."""
    monkeypatch.setattr("multistore.drivers.swift.manifests._THINKING", 0.3)
    begun = driver.begin("x", SIZE, {})
    for index in range(2):
        begun.write_part(index, index * SEGMENT, content(SIZE)[index * SEGMENT :][:SEGMENT])
    return begun


def test_a_segment_that_nobody_answered_for_and_no_list_has_yet_goes(
    driver: SwiftDriver, server: SwiftState
) -> None:
    """The request for it may have been done after all."""
    upload = driver.begin("x", SIZE, {})
    token = parse_token(upload.token)
    assert token is not None
    server.lose.append(("PUT", token.segment(1)))
    server.hidden.add(token.segment(1))
    with pytest.raises(Unavailable):
        upload.write_part(0, 0, b"a" * SEGMENT)
    assert token.segment(1) in server.containers["images"]
    upload.abort()
    assert not server.containers["images"]


@pytest.mark.parametrize("appears", [True, False])
def test_a_manifest_that_nobody_answered_for_keeps_its_segments(
    appears: bool, driver: SwiftDriver, server: SwiftState, upload: Upload
) -> None:
    """It may still appear: then it is a whole image. If it does not, a sweep removes what is left."""
    server.stall.append(("PUT", "/x"))
    with pytest.raises(TimedOut):
        upload.commit(SIZE, {})
    with pytest.raises(Unavailable, match="may still") as caught:
        upload.abort()
    assert caught.value.final
    assert [each.token for each in driver.pending()] == [upload.token]
    if appears:
        ref = upload.commit(SIZE, {}).ref
        driver.discard(upload.token)
        assert read(driver, ref) == content(SIZE)
        driver.delete(ref)
    driver.discard(upload.token)
    assert not server.containers["images"]


def test_a_manifest_that_is_refused_at_last_keeps_nothing(
    server: SwiftState, upload: Upload
) -> None:
    server.stall.append(("PUT", "/x"))
    with pytest.raises(TimedOut):
        upload.commit(SIZE, {})
    server.refuse["PUT", "/x"] = [(413, {})]
    with pytest.raises(StoreError):
        upload.commit(SIZE, {})
    upload.abort()
    assert not server.containers["images"]


def test_a_segment_that_may_still_come_leaves_the_mark(
    driver: SwiftDriver, server: SwiftState
) -> None:
    """Swift is silent and may be about to store it: then a sweep must find it."""
    upload = driver.begin("x", SIZE, {})
    token = parse_token(upload.token)
    assert token is not None
    upload.write_part(0, 0, b"a" * SEGMENT)
    server.stall.append(("PUT", token.segment(2)))
    with pytest.raises(TimedOut):
        upload.write_part(1, SEGMENT, b"b" * SEGMENT)
    upload.abort()
    assert list(server.containers["images"]) == [token.mark]
    server.containers["images"][token.segment(2)] = server.containers["images"][token.mark]
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not server.containers["images"]
