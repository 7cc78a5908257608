"""A sweep that takes a living upload for dead: the image is there whole, or nobody was told that it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fakes.swift_server import SwiftState
from multistore.driver import Upload
from multistore.drivers.swift import SwiftDriver
from multistore.errors import NotFound
from multistore.testing.tools import content, read

Make = Any

SEGMENT = 64 << 10
SIZE = 3 * SEGMENT


def begun(driver: SwiftDriver) -> Upload:
    """Give an upload of which but the manifest is missing."""
    upload = driver.begin("x", SIZE, {})
    for index in range(3):
        upload.write_part(index, index * SEGMENT, content(SIZE)[index * SEGMENT :][:SEGMENT])
    return upload


def interrupted(
    driver: SwiftDriver, number: int, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Have something done right before a request of a driver; gives its requests as they come."""
    swift = driver._accounts.main()
    ask, seen = swift.ask, list[str]()

    def asked(method: str, path: tuple[str, ...], what: str, **more: Any) -> Any:
        seen.append(method)
        if len(seen) == number:
            work()
        return ask(method, path, what, **more)

    monkeypatch.setattr(swift, "ask", asked)
    return seen


def judge(driver: SwiftDriver, server: SwiftState, upload: Upload, *, acknowledged: bool) -> None:
    if acknowledged:
        ref = upload.commit(SIZE, {}).ref
        assert read(driver, ref) == content(SIZE)
        driver.delete(ref)
    upload.abort()
    for left in driver.pending():
        driver.discard(left.token)
    assert not server.containers["images"]


@pytest.mark.parametrize("conditional", [True, False])
@pytest.mark.parametrize("inner", ["commit", "discard"])
def test_a_sweep_and_a_commit_in_any_order(
    inner: str,
    conditional: bool,
    make: Make,
    server: SwiftState,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of them is done in the middle of the other, before each of its requests."""
    server.conditional = conditional
    server.containers["images"] = {}
    outcomes: list[bool] = []
    for number in range(1, 50):
        writer, sweeper = make(), make()
        upload = begun(writer)
        before = len(outcomes)

        def commit(upload: Upload = upload) -> None:
            try:
                upload.commit(SIZE, {})
            except NotFound:
                outcomes.append(False)
            else:
                outcomes.append(True)

        def discard(sweeper: SwiftDriver = sweeper, upload: Upload = upload) -> None:
            sweeper.discard(upload.token)

        outer = (sweeper, discard) if inner == "commit" else (writer, commit)
        with monkeypatch.context() as patch:
            seen = interrupted(outer[0], number, commit if inner == "commit" else discard, patch)
            outer[1]()
        judge(writer, server, upload, acknowledged=outcomes[before:] == [True])
        if len(seen) < number:
            break
    assert len(outcomes) > 3
    assert set(outcomes) == {True, False}
