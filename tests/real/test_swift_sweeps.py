"""What is removed, and what is not, on real servers: of uploads that live, and of what other programs have stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conformance.swift_rig import Backstage, gateway, keystone, tempauth
from multistore.drivers.swift import SwiftDriver, SwiftSettings, sweep
from multistore.drivers.swift.container import Container
from multistore.errors import NotFound
from multistore.testing.tools import content, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SEGMENT = 64 << 10
SIZE = 3 * SEGMENT


@pytest.fixture(params=[tempauth, keystone, gateway], ids=["tempauth", "keystone", "gateway"])
def back(request: pytest.FixtureRequest) -> Iterator[Backstage]:
    settings: SwiftSettings = request.param()
    found = Backstage(settings)
    yield found
    found.empty()


@pytest.fixture
def driver(back: Backstage) -> Iterator[SwiftDriver]:
    found = SwiftDriver(back.settings)
    yield found
    found.close()


@pytest.mark.parametrize("before", ["sweep", "remove_segments"])
def test_an_upload_that_publishes_in_the_middle_of_a_sweep_is_whole_or_fails(
    before: str, back: Backstage, driver: SwiftDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the mark tells of the sweep, and after the last look for the image."""
    upload = driver.begin("x", SIZE, {})
    for index in range(3):
        upload.write_part(index, index * SEGMENT, content(SIZE)[index * SEGMENT :][:SEGMENT])
    refs: list[str] = []

    def interrupt(work: Callable[..., object]) -> Callable[..., object]:
        def late(*args: Any) -> object:
            if before == "sweep":
                refs.append(upload.commit(SIZE, {}).ref)
            else:
                with pytest.raises(NotFound, match="sweep"):
                    upload.commit(SIZE, {})
            return work(*args)

        return late

    owner = Container if before == "sweep" else sweep
    monkeypatch.setattr(owner, before, interrupt(getattr(owner, before)))
    driver.discard(upload.token)
    for ref in refs:
        assert read(driver, ref) == content(SIZE)
        driver.delete(ref)
    upload.abort()
    for left in driver.pending():
        driver.discard(left.token)
    assert bool(refs) is (before == "sweep")
    assert not back.names()


@pytest.mark.parametrize(
    ("suffix", "segment", "etags", "goes"),
    [
        ("", "x/slo/1/2/{:08}", True, True),
        ("", "x-{:05}", True, True),
        ("_segments", "x/{:06}", False, True),
        ("-private", "x-{:05}", True, False),
        ("-private", "x/{:06}", False, False),
    ],
)
def test_segments_of_other_programs_go_unless_they_are_elsewhere(
    suffix: str,
    segment: str,
    *,
    etags: bool,
    goes: bool,
    back: Backstage,
    driver: SwiftDriver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also on a gateway, which does not show where they are."""
    inside = back.settings.container + suffix
    places = [(segment.format(number), bytes([65 + number]) * 3) for number in range(3)]
    other = Backstage(back.settings)
    try:
        back.plant_static("x", places, inside, etags=etags)
        ref = driver._places.ref(back.settings.container, "x")
        assert read(driver, ref) == b"AAABBBCCC"
        with caplog.at_level(logging.WARNING, "multistore.drivers.swift"):
            driver.delete(ref)
        assert back.names(inside) == ([] if goes else [name for name, _ in places])
        assert "x" not in back.names()
    finally:
        with other.container(inside) as container:
            for name, _ in places:
                container.delete(name, "backstage")
            if suffix:
                container.swift.ask("DELETE", (inside,), "backstage", fine=(404,))
