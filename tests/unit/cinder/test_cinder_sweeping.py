"""Sweeping volumes of uploads: those of writers that are surely dead, on this host or on another one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes.cinder_cloud import Cloud, refuse
from multistore.driver import Upload
from multistore.drivers.cinder import CinderDriver, removal, upload
from multistore.drivers.cinder.holds import Hold
from multistore.errors import InUse, NotFound, StoreError
from multistore.model import Pending
from multistore.testing.tools import read
from multistore.testing.watch import in_child

GIB = 1 << 30
Make = Callable[..., CinderDriver]


@pytest.fixture
def elsewhere(make: Make, tmp_path: Path) -> CinderDriver:
    """A store of another host, which has locks of its own."""
    (tmp_path / "elsewhere").mkdir()
    return make(lock_path=str(tmp_path / "elsewhere"), host="elsewhere", busy_timeout=0.0)


def files(driver: CinderDriver) -> list[str]:
    """List the lock files of volumes on a host."""
    place = os.path.join(driver.settings.lock_path, "multistore-cinder")
    return [each for each in os.listdir(place) if not each.startswith("guard-")]


def written(driver: CinderDriver) -> Upload:
    begun = driver.begin("image", None, {})
    begun.write_part(0, 0, b"first")
    return begun


@pytest.mark.parametrize("step", ["extend", "label"])
def test_a_living_writer_is_not_swept(
    cloud: Cloud, driver: CinderDriver, make: Make, elsewhere: CinderDriver, step: str
) -> None:
    """Not even while its volume is detached, to be extended or to be an image; neither here nor by another host."""
    cloud.extends_attached = False
    begun = driver.begin("image", None, {})
    tried: list[str] = []

    def sweep(name: str) -> None:
        if name == step and not tried:
            tried.append(name)
            with pytest.raises(InUse, match="on this host"):
                make(busy_timeout=0.0).discard(begun.token)
            with pytest.raises(InUse, match="on another host"):
                elsewhere.discard(begun.token)

    cloud.before = sweep
    begun.write_part(0, 0, b"first")
    begun.write_part(1, GIB, b"last")
    ref = begun.commit(GIB + 4, {}).ref
    assert tried
    assert not files(elsewhere)
    assert read(driver, ref, GIB, 4) == b"last"
    driver.delete(ref)


def test_an_attached_volume_of_another_host_is_left_alone(
    cloud: Cloud, driver: CinderDriver, elsewhere: CinderDriver
) -> None:
    """However long it has been written."""
    begun = written(driver)
    cloud.skew = 10 * removal.QUIET
    for _ in range(2):
        with pytest.raises(InUse):
            elsewhere.discard(begun.token)
        assert not files(elsewhere)
    begun.abort()


def test_another_hosts_volume_is_swept_once_it_is_quiet(
    cloud: Cloud, driver: CinderDriver, elsewhere: CinderDriver
) -> None:
    """By Cinder's clock, and counted from the last change of its state."""
    begun = written(driver)

    def die() -> None:
        cloud.skew = -removal.QUIET  # the clocks of the hosts do not count

        def fail(name: str) -> None:
            if name == "label":
                os._exit(0)

        cloud.before = fail
        driver.begin("other", 5, {}).commit(5, {})

    with pytest.raises(AssertionError, match="died"):
        in_child(die, 10)
    (left,) = [each for each in driver.pending() if each.name == "other"]
    cloud.skew = -removal.QUIET + removal.QUIET / 2
    with pytest.raises(InUse, match="10 minutes"):
        elsewhere.discard(left.token)
    cloud.skew = 5.0
    elsewhere.discard(left.token)
    assert [each.token for each in driver.pending()] == [begun.token]
    begun.abort()
    for name in files(driver):
        os.unlink(os.path.join(driver.settings.lock_path, "multistore-cinder", name))


def test_what_died_on_this_host_is_swept_at_once(cloud: Cloud, driver: CinderDriver) -> None:
    """Also while its volume was detached, and after a removal that did not succeed."""

    def die() -> None:
        cloud.extends_attached = False

        def fail(name: str) -> None:
            if name == "extend":
                os._exit(0)

        cloud.before = fail
        written(driver).write_part(1, GIB, b"last")

    with pytest.raises(AssertionError, match="died"):
        in_child(die, 10)
    (left,) = driver.pending()
    driver.discard(left.token)

    def failed() -> None:
        def fail(name: str) -> None:
            if name == "delete":
                raise refuse("it broke", 503)

        cloud.before = fail
        with pytest.raises(StoreError):
            written(driver).abort()

    in_child(failed, 10)
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not cloud.all("volumes")


def test_a_writer_that_was_silent_shows_that_it_lives_before_it_publishes(
    cloud: Cloud, driver: CinderDriver, elsewhere: CinderDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep that comes after that finds it, and one that came before is found."""
    monkeypatch.setattr(upload, "QUIET", 0.0)
    begun = written(driver)
    labels = ["label"]

    def sweep(name: str) -> None:
        if name == "readonly":
            cloud.skew = 10.0
            with pytest.raises(InUse):
                elsewhere.discard(begun.token)
        if name in labels:
            labels.remove(name)
            raise refuse("it broke", 503)

    cloud.before = sweep
    cloud.skew = removal.QUIET
    with pytest.raises(StoreError):
        begun.commit(5, {})
    cloud.calls()
    cloud.skew = 0.0
    ref = begun.commit(5, {}).ref
    assert cloud.calls()[:3] == ["list", "touch", "list"]
    driver.delete(ref)
    begun = written(driver)

    def swept(name: str) -> None:
        if name == "touch":
            cloud.skew = 10 * removal.QUIET
            elsewhere.discard(begun.token)

    cloud.before = swept
    with pytest.raises(NotFound):
        begun.commit(5, {})
    begun.abort()


def test_where_cinder_does_not_tell_the_time_this_hosts_clock_counts(
    cloud: Cloud, driver: CinderDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers of its API give no date."""
    cloud.skew = 3600.0
    told = driver._service.now()
    monkeypatch.setattr(time, "time", lambda: 4711.0)
    assert driver._service.now() == 4711.0 + 3600.0
    assert told > 4711.0
    for headers in ({}, {"Date": "yesterday"}):
        answer = SimpleNamespace(headers=headers)
        driver._service.client().client.get = lambda _path, answer=answer: (answer, None)
        assert driver._service.now() == 4711.0


# -- lock files of volumes that are gone -----------------------------------------------------------


def left_unlabelled(cloud: Cloud, driver: CinderDriver) -> Pending:
    """Have a process of this host die just before its volume becomes an image."""

    def die() -> None:
        def fail(name: str) -> None:
            if name == "label":
                os._exit(0)

        cloud.before = fail
        driver.begin("other", 5, {}).commit(5, {})

    with pytest.raises(AssertionError, match="died"):
        in_child(die, 10)
    (left,) = [each for each in driver.pending() if each.name == "other"]
    return left


def age(driver: CinderDriver, name: str, seconds: float) -> None:
    """Make a lock file one that nobody has written to for so long."""
    then = time.time() - seconds
    os.utime(Path(driver.settings.lock_path, "multistore-cinder", name), (then, then))


def test_the_lock_file_of_a_volume_that_another_host_swept_goes_with_the_next_sweep(
    cloud: Cloud, driver: CinderDriver, elsewhere: CinderDriver
) -> None:
    left = left_unlabelled(cloud, driver)
    cloud.skew = 2 * removal.QUIET
    elsewhere.discard(left.token)
    assert len(files(driver)) == 1
    driver.discard(left.token)
    assert not files(driver)


def test_a_lock_file_that_nobody_uses_and_that_says_nothing_goes_with_the_next_check(
    cloud: Cloud, driver: CinderDriver, elsewhere: CinderDriver
) -> None:
    """Not before it was left alone for long; and never that of a living writer, or one that names an attachment."""
    left = left_unlabelled(cloud, driver)
    cloud.skew = 2 * removal.QUIET
    elsewhere.discard(left.token)
    cloud.skew = 0.0
    (old,) = files(driver)
    living = written(driver)
    (used,) = set(files(driver)) - {old}
    telling = Path(driver.settings.lock_path, "multistore-cinder", "volume-of-a-reader")
    telling.write_text('{"attachment": "1"}')
    driver.check_host()
    assert set(files(driver)) == {old, used, telling.name}
    for name in files(driver):
        age(driver, name, removal.QUIET + 5)
    driver.check_host()
    assert set(files(driver)) == {used, telling.name}
    telling.unlink()
    living.abort()


def test_a_writer_that_is_just_locking_its_file_does_not_lose_it(
    driver: CinderDriver, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever removes files waits until it has."""
    real, threads = Hold.alone, list[threading.Thread]()

    def alone(hold: Hold) -> bool:
        name = os.path.basename(hold._path)
        if name.startswith("volume-") and not threads:
            age(driver, name, removal.QUIET + 5)
            threads.append(threading.Thread(target=make().check_host))
            threads[0].start()
            threads[0].join(0.5)
        return real(hold)

    monkeypatch.setattr(Hold, "alone", alone)
    begun = driver.begin("image", 5, {})
    threads[0].join(10)
    assert len(files(driver)) == 1
    begun.abort()
