"""Attachments whose number was lost: those of this host are removed, those of others never."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.cinder_cloud import Cloud, refuse
from multistore.drivers.cinder import CinderDriver
from multistore.errors import InUse, Unavailable
from multistore.testing.tools import one_image, read
from multistore.testing.watch import in_child

Make = Callable[..., CinderDriver]


@pytest.fixture
def ref(cloud: Cloud, driver: CinderDriver) -> Iterator[str]:
    """An image that two other hosts attach: one has, the other is about to."""
    cloud.multiattach = True
    made = one_image(driver, "image", b"12345").ref
    volume = CinderDriver.parse(made).volume
    client = cloud.client()
    done = client.attachments.create(volume, {"host": "done"}, None, "ro")
    client.attachments.complete(done["id"])
    yield made
    cloud.before = cloud.after = lambda _name: None
    for each in cloud.all("attachments"):
        client.attachments.delete(each)
    driver.delete(made)


def begun(cloud: Cloud, ref: str, host: str = "begun") -> str:
    """Let a host begin to attach the volume."""
    volume = CinderDriver.parse(ref).volume
    made = cloud.client().attachments.create(volume, {"host": host}, None, "ro")
    return str(made["id"])


def hosts(cloud: Cloud) -> list[str]:
    return sorted(each["host"] for each in cloud.all("attachments").values())


def lose(cloud: Cloud, before: Callable[[], Any] = lambda: None) -> None:
    """Lose the next answer to an attachment, and do something before."""

    def lost(name: str) -> None:
        if name == "attach":
            cloud.after = lambda _name: None
            before()
            raise refuse("gateway timeout", 504)

    cloud.after = lost


def test_what_another_host_has_begun_before_stays(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    begun(cloud, ref)
    lose(cloud)
    with driver.open(ref) as reader, pytest.raises(Unavailable):
        reader.read()
    assert hosts(cloud) == ["begun", "done"]
    assert read(driver, ref) == b"12345"


def test_what_another_host_begins_at_the_same_time_stays(
    cloud: Cloud, driver: CinderDriver, make: Make, ref: str
) -> None:
    """Cinder does not say which is whose; once the other host has completed its own, it is clear."""
    theirs: list[str] = []
    lose(cloud, lambda: theirs.append(begun(cloud, ref)))
    with driver.open(ref) as reader, pytest.raises(Unavailable) as caught:
        reader.read()
    assert "remove them" in caught.value.__notes__[0]
    assert hosts(cloud) == ["begun", "done", "here"]
    with pytest.raises(InUse, match="remove them"):
        make(busy_timeout=0.0).delete(ref)
    assert hosts(cloud) == ["begun", "done", "here"]
    cloud.client().attachments.complete(theirs[0])
    assert read(driver, ref) == b"12345"
    assert hosts(cloud) == ["begun", "done"]


def test_what_stays_unclear_keeps_nobody_from_reading(
    cloud: Cloud, driver: CinderDriver, ref: str, caplog: pytest.LogCaptureFixture
) -> None:
    lose(cloud, lambda: begun(cloud, ref))
    with driver.open(ref) as reader, pytest.raises(Unavailable):
        reader.read()
    with caplog.at_level(logging.WARNING):
        assert read(driver, ref) == b"12345"
    assert "remove them" in caplog.text
    assert hosts(cloud) == ["begun", "done", "here"]


def test_a_killed_reader_has_noted_what_was_there_before(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    begun(cloud, ref)

    def die() -> None:
        lose(cloud, lambda: os._exit(0))
        driver.open(ref).read()

    with pytest.raises(AssertionError, match="died"):
        in_child(die, 10)
    assert hosts(cloud) == ["begun", "done", "here"]
    assert read(driver, ref) == b"12345"
    assert hosts(cloud) == ["begun", "done"]


def test_whose_volume_was_just_free_is_not_asked(
    cloud: Cloud, driver: CinderDriver, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Cinder said is believed for seconds; whoever reads later asks for the attachments first."""
    for each in cloud.all("attachments"):
        cloud.client().attachments.delete(each)
    cloud.calls()
    assert read(driver, ref) == b"12345"
    assert "attachments" not in cloud.calls()
    monkeypatch.setattr("multistore.drivers.cinder.reader._FRESH", 0.0)
    assert read(driver, ref) == b"12345"
    assert cloud.calls()[:3] == ["get", "attachments", "attach"]
