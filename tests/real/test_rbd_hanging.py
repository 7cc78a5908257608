"""A cluster that hangs or loses messages: a transfer goes on, or ends in time, and nothing is left."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from conformance.rbd_rig import Daemon, ceph, clean_up, ended, lab_back, lab_settings, until
from multistore import StoreOptions
from multistore.drivers.rbd import RbdDriver
from multistore.errors import NotFound, StoreError, TimedOut, Unavailable
from multistore.store import Store
from multistore.testing.tools import content, one_image, read
from multistore.testing.watch import open_files

pytestmark = [pytest.mark.real, pytest.mark.alone, pytest.mark.timeout(180)]

MIB = 1 << 20
ONCE = StoreOptions(attempts=1)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    yield
    clean_up(lab_back())


@pytest.fixture
def osd() -> Iterator[Daemon]:
    daemon = Daemon("ceph-osd")
    yield daemon
    daemon.go_on()
    until(lambda: "1 up" in ceph("osd", "stat"))


@pytest.mark.parametrize("seconds", [2.0, None], ids=["for a while", "for good"])
def test_an_osd_that_hangs_in_the_middle_of_an_upload(
    nothing_left: None, osd: Daemon, seconds: float | None
) -> None:
    """The upload goes on, or ends within a few times the limit on a request, and can be swept later."""
    piece = content(MIB)

    def source() -> Iterator[bytes]:
        for number in range(24):
            if number == 12:
                osd.pause()
                if seconds is not None:
                    threading.Timer(seconds, osd.go_on).start()
            yield piece

    settings = lab_settings(timeout=20.0 if seconds else 2.0)
    with contextlib.closing(Store(RbdDriver(settings), name="s", options=ONCE)) as store:
        if seconds is not None:
            receipt = store.put("paused", source(), size=24 * MIB)
            assert read(store.driver, receipt.ref) == piece * 24
            return
        begun = time.monotonic()
        with pytest.raises(StoreError) as caught:
            store.put("hung", source(), size=24 * MIB)
        assert isinstance(caught.value, TimedOut | Unavailable)
        assert time.monotonic() - begun < 30
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            store.stat(f"rbd://{store.driver.prefixes()[0].split('/')[2]}/images/hung/snap")
        assert time.monotonic() - begun < 10
        osd.go_on()
        with pytest.raises(NotFound):
            store.stat("rbd://hung")


@pytest.mark.parametrize("seconds", [2.0, None], ids=["for a while", "for good"])
def test_an_osd_that_hangs_in_the_middle_of_a_download(
    nothing_left: None, osd: Daemon, seconds: float | None
) -> None:
    data = content(96 * MIB)  # more than is read ahead
    settings = lab_settings(timeout=20.0 if seconds else 2.0)
    with contextlib.closing(Store(RbdDriver(settings), name="s", options=ONCE)) as store:
        ref = store.put("hung", data).ref
        with store.open(ref) as image:
            pieces = image.read(0, None)
            found = next(pieces)
            osd.pause()
            if seconds is None:
                begun = time.monotonic()
                with pytest.raises(TimedOut):
                    found += b"".join(pieces)
                assert time.monotonic() - begun < 20
                osd.go_on()
            else:
                threading.Timer(seconds, osd.go_on).start()
                found += b"".join(pieces)
                assert found == data
        assert read(store.driver, ref) == data


def test_a_hung_upload_in_a_living_process_is_let_go_of(nothing_left: None, osd: Daemon) -> None:
    """What could not be closed in time is closed later, and no descriptor is left."""
    before = len(open_files())
    driver = RbdDriver(lab_settings(timeout=2.0))
    upload = driver.begin("hung", 3 * MIB, {})
    osd.pause()
    with pytest.raises(TimedOut):
        upload.write_part(0, 0, content(MIB))
    with pytest.raises(TimedOut):
        upload.abort()
    osd.go_on()
    until(lambda: ended(upload.abort))
    driver.close()
    until(lambda: len(open_files()) <= before)


def test_a_long_transfer_is_not_cut_by_a_short_limit(nothing_left: None) -> None:
    """R18. The limit is one on requests; nothing is lost but time."""

    def source() -> Iterator[bytes]:
        for _ in range(8):
            time.sleep(0.6)
            yield content(MIB)

    settings = lab_settings(timeout=3.0, connect_timeout=3.0)
    with contextlib.closing(Store(RbdDriver(settings), name="s", options=ONCE)) as store:
        assert store.put("slow", source()).size == 8 * MIB


def test_lost_and_delayed_messages_cost_only_time(nothing_left: None) -> None:
    options = {"ms_inject_socket_failures": "200", "ms_inject_delay_type": "osd",
               "ms_inject_delay_probability": "0.1", "ms_inject_delay_max": "0.05"}  # fmt: skip
    with contextlib.closing(Store(RbdDriver(lab_settings(options=options)), name="s")) as store:
        data = content(20 * MIB)
        for turn in range(2):
            ref = store.put(f"shaken-{turn}", data).ref
            assert read(store.driver, ref) == data
            store.delete(ref)


def test_a_monitor_that_hangs_is_bounded(nothing_left: None) -> None:
    monitor = Daemon("ceph-mon")
    driver = RbdDriver(lab_settings(timeout=2.0, connect_timeout=2.0))
    ref = one_image(driver, "i", content(MIB)).ref
    monitor.pause()
    try:
        assert read(driver, ref) == content(MIB), "reading needs no monitor"
        upload = driver.begin("j", 5, {})
        begun = time.monotonic()
        with pytest.raises(StoreError) as caught:
            upload.commit(5, {})
        assert caught.value.retryable
        assert time.monotonic() - begun < 20
        with (
            contextlib.closing(
                RbdDriver(lab_settings(user="reader", connect_timeout=2.0))
            ) as other,
            pytest.raises(TimedOut),
        ):
            other.check()
    finally:
        monitor.go_on()
    until(lambda: ended(lambda: upload.commit(5, {})))
    assert driver.published(upload.token) is not None
    driver.close()
