"""Open images: closed when librbd's own threads are done with them, and not before."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from fakes.rbd_cluster import Cluster
from fakes.rbd_modules import Make, NumberedError
from multistore.drivers.rbd import RbdDriver, connections
from multistore.errors import TimedOut
from multistore.testing.tools import one_image, read

CLOSE = "Image.aio_close"


@pytest.fixture
def waiting(cluster: Cluster, driver: RbdDriver) -> list[Callable[[], None]]:
    """Keep back the callbacks that the library's threads would make, of an image ``i`` that is there."""
    one_image(driver, "i", b"abc")
    kept: list[Callable[[], None]] = []
    cluster.later = kept.append
    cluster.calls.clear()
    return kept


def test_an_image_is_closed_after_the_callbacks_that_were_running_when_it_was_opened(
    cluster: Cluster, driver: RbdDriver, waiting: list[Callable[[], None]]
) -> None:
    reader = driver.open("rbd://i")
    closing = threading.Thread(target=reader.close)
    closing.start()
    (called_back,) = waiting
    assert CLOSE not in cluster.calls
    called_back()
    closing.join(5)
    assert cluster.calls.count(CLOSE) == 1
    reader.close()
    assert cluster.calls.count(CLOSE) == 1


def test_an_image_that_they_are_done_with_is_closed_at_once(
    cluster: Cluster, driver: RbdDriver, waiting: list[Callable[[], None]]
) -> None:
    with driver.open("rbd://i"):
        waiting.pop()()
        assert CLOSE not in cluster.calls
    assert cluster.calls.count(CLOSE) == 1


def test_closing_does_not_wait_for_them_for_ever(
    cluster: Cluster,
    driver: RbdDriver,
    waiting: list[Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("multistore.drivers.rbd.images._PATIENCE", 0.01)
    reader = driver.open("rbd://i")
    with pytest.raises(TimedOut, match="did not let it be closed"):
        reader.close()
    waiting.pop()()
    assert cluster.calls.count(CLOSE) == 1


def test_a_library_that_takes_no_more_requests_makes_no_callbacks_either(
    cluster: Cluster, driver: RbdDriver, waiting: list[Callable[[], None]]
) -> None:
    cluster.fail["Ioctx.aio_stat"] = NumberedError("not connected", 107)
    assert read(driver, "rbd://i") == b"abc"
    assert not waiting
    assert cluster.calls.count(CLOSE) == 1


def test_an_upload_is_closed_by_itself(
    cluster: Cluster, driver: RbdDriver, waiting: list[Callable[[], None]]
) -> None:
    """Its watch is removed first, by the same threads, one thing after the other."""
    one_image(driver, "j", b"abc")
    assert not waiting
    assert cluster.calls.count(CLOSE) == 1


def test_what_is_open_when_the_process_ends_is_closed_then(
    cluster: Cluster, driver: RbdDriver, make: Make
) -> None:
    """A callback that came to an interpreter which is ending would abort the process."""
    ref = one_image(driver, "i", b"abc").ref
    reading, upload = driver.open(ref), make(user=None).begin("j", None, {})
    connections.leave()
    assert cluster.open == 0
    reading.close()
    upload.abort()
    assert read(driver, ref) == b"abc"


def test_the_end_of_the_process_does_not_wait_for_ever(
    driver: RbdDriver,
    waiting: list[Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("multistore.drivers.rbd.connections._PATIENCE", 0.01)
    reader = driver.open("rbd://i")
    connections.leave()
    (told,) = caplog.messages
    assert "did not let go of all that was open within 0.01 s" in told
    waiting.pop()()
    reader.close()
