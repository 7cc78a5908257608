"""Growth of a volume while something fails: it goes on, or says what is the matter."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from fakes.cinder_cloud import Cloud, refuse
from multistore.driver import Upload
from multistore.drivers.cinder import CinderDriver, connecting, devices
from multistore.errors import NoSpace, Unavailable
from multistore.testing.tools import read

GIB = 1 << 30
Make = Callable[..., CinderDriver]


def again(upload: Upload, index: int, offset: int, data: bytes) -> None:
    """Repeat a part, as the core does."""
    for _ in range(5):
        with contextlib.suppress(Unavailable):
            return upload.write_part(index, offset, data)
    return upload.write_part(index, offset, data)


def check(driver: CinderDriver, ref: str) -> None:
    """Look for two parts, one of them across the border."""
    assert read(driver, ref, 0, 8) == b"first\0\0\0"
    assert read(driver, ref, GIB - 4, 6) == b"\0\0over"
    driver.delete(ref)


GROWING = ("detach", "get", "extend", "attach", "attachments", "connect", "complete")


@pytest.mark.parametrize("step", GROWING)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("times", [1, 4])
def test_growth_goes_on_after_whatever_fails(
    cloud: Cloud, make: Make, step: str, when: str, times: int
) -> None:
    """In whatever state the volume is then; what was extended is not extended again."""
    cloud.protocol = "iscsi"
    driver = make()
    upload = driver.begin("image", None, {})
    upload.write_part(0, 0, b"first")
    cloud.calls()
    left = [step] * times

    def fail(name: str) -> None:
        if name in left:
            left.remove(name)
            raise refuse("it broke", 503)

    setattr(cloud, when, fail)
    again(upload, 1, GIB - 2, b"over")
    ref = upload.commit(GIB + 2, {}).ref
    cloud.before = cloud.after = lambda _name: None
    assert cloud.calls().count("extend") == 1
    check(driver, ref)


def test_other_parts_wait_for_a_growth_that_failed(cloud: Cloud, make: Make) -> None:
    """A part that had room before makes it again, whoever comes first."""
    cloud.protocol = "iscsi"
    driver = make()
    upload = driver.begin("image", None, {})
    broken = ["extend"]

    def fail(name: str) -> None:
        if name in broken:
            raise refuse("it broke", 503)

    cloud.before = fail
    with pytest.raises(Unavailable):
        upload.write_part(1, GIB - 2, b"over")
    broken.clear()
    upload.write_part(0, 0, b"first")
    upload.write_part(1, GIB - 2, b"over")
    check(driver, upload.commit(GIB + 2, {}).ref)


@pytest.mark.parametrize("protocol", ["rbd", "iscsi"])
def test_a_look_that_fails_is_no_want_of_room(cloud: Cloud, make: Make, protocol: str) -> None:
    """It is retried as what it is, and the volume is not extended twice."""
    cloud.protocol = protocol
    cloud.looks_until_ready = 2
    driver = make()
    upload = driver.begin("image", None, {})
    upload.write_part(0, 0, b"first")
    awaited = ["extend", "get"]

    def fail(name: str) -> None:
        if awaited[:1] == [name]:
            awaited.pop(0)
            if name == "get":
                raise refuse("it broke", 503)

    cloud.calls()
    cloud.before = fail
    with pytest.raises(Unavailable):
        upload.write_part(1, GIB - 2, b"over")
    upload.write_part(1, GIB - 2, b"over")
    assert cloud.calls().count("extend") == 1
    check(driver, upload.commit(GIB + 2, {}).ref)


@pytest.mark.parametrize("protocol", ["rbd", "iscsi"])
@pytest.mark.parametrize("state", ["error_extending", "extending", "available"])
def test_an_extension_that_ends_badly_is_a_want_of_room(
    cloud: Cloud, make: Make, protocol: str, state: str
) -> None:
    """Or never ends; what Cinder then says of the volume tells."""
    cloud.protocol = protocol
    upload = make(state_timeout=0.0).begin("image", None, {})

    def bad(name: str) -> None:
        if name == "extend":
            with cloud.state() as found:
                (volume,) = found["volumes"].values()
                volume.update(status=state, size=1, then=state)

    cloud.after = bad
    with pytest.raises(NoSpace, match="could not be extended"):
        upload.write_part(1, GIB - 2, b"over")
    with cloud.state() as found:
        for volume in found["volumes"].values():
            volume["status"] = "error_extending"
    upload.abort()


class Late:
    """Devices that show, after they were opened or told to look, a smaller size so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connecting, "_SIZE_PAUSE", 0.0)
        self.left = 0
        size = devices.PathDevice.size

        def shown(device: devices.PathDevice) -> int:
            self.left -= 1
            return 0 if self.left >= 0 else size(device)

        monkeypatch.setattr(devices.PathDevice, "size", shown)


def test_the_size_of_a_device_is_waited_for_once_it_is_open(
    cloud: Cloud, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI-21: no image is corrupt because of that, and no volume is extended that is large enough."""
    cloud.protocol = "scaleio"
    late = Late(monkeypatch)
    driver = make()
    late.left = 3
    upload = driver.begin("image", 5, {})
    upload.write_part(0, 0, b"12345")
    ref = upload.commit(5, {}).ref
    assert "extend" not in cloud.calls()
    late.left = 3
    assert read(driver, ref) == b"12345"
    driver.delete(ref)


def test_the_size_after_growth_is_waited_for_but_not_for_ever(
    cloud: Cloud, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size that comes later than that is seen by the next attempt; nothing is written before."""
    cloud.protocol = "scaleio"
    late = Late(monkeypatch)
    driver = make()
    upload = driver.begin("image", None, {})
    upload.write_part(0, 0, b"first")
    late.left = 3
    cloud.calls()
    upload.write_part(1, GIB - 2, b"over")
    assert cloud.calls().count("attach") == 1
    monkeypatch.setattr(connecting, "_SIZE_PATIENCE", 0.0)
    late.left = 1
    with pytest.raises(Unavailable, match="does not see it"):
        upload.write_part(2, 2 * GIB - 2, b"over")
    upload.write_part(2, 2 * GIB - 2, b"over")
    assert cloud.calls().count("extend") == 1
    check(driver, upload.commit(2 * GIB + 2, {}).ref)


def test_a_volume_that_starts_small_is_extended_by_nothing(
    cloud: Cloud, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cinder refuses to extend a volume to the size that it has: a device that is still too short is attached anew."""
    cloud.protocol = "scaleio"
    monkeypatch.setattr(connecting, "_SIZE_PATIENCE", 0.0)
    late = Late(monkeypatch)
    late.left = 1
    driver = make()
    upload = driver.begin("image", 5, {})
    cloud.calls()
    upload.write_part(0, 0, b"12345")
    assert cloud.calls() == ["detach", "get", "attach", "complete"]
    driver.delete(upload.commit(5, {}).ref)
