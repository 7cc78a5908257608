"""Reading and deleting volumes: only what is ours, never past the image, one attachment to a host."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable

import pytest
from fakes.cinder_cloud import Cloud, RbdImage, refuse
from multistore.drivers.cinder import CinderDriver
from multistore.errors import AccessDenied, Corrupt, InUse, NotFound, Unavailable
from multistore.testing.tools import content, one_image, read
from multistore.testing.watch import in_child

Make = Callable[..., CinderDriver]
DATA = content(100_000)


@pytest.fixture
def ref(driver: CinderDriver) -> str:
    return one_image(driver, "image", DATA).ref


def test_nothing_is_read_past_the_image(driver: CinderDriver, ref: str) -> None:
    """CI-4: a volume is larger than its image, and what lies behind is nobody's."""
    assert read(driver, ref, len(DATA) - 5, 1000) == DATA[-5:]
    assert read(driver, ref, len(DATA) + 5, 1000) == b""
    driver.delete(ref)


def test_a_volume_that_is_no_image_is_left_alone(cloud: Cloud, driver: CinderDriver) -> None:
    """CI-6: whoever adds a location can neither read nor delete a volume of somebody else."""
    client = cloud.client()
    made = client.volumes.create(1, "somebody's disk", None, {})
    cloud.calls()
    for text in (f"cinder://{made.id}", f"cinder://fast/{made.id}"):
        with pytest.raises(NotFound, match="no image"):
            driver.stat(text)
        with pytest.raises(NotFound):
            driver.open(text)
        with pytest.raises(NotFound):
            driver.delete(text)
    assert set(cloud.calls()) == {"get"}
    client.volumes.get(made.id)
    client.volumes.delete(made.id)


def test_a_volume_that_cinder_itself_made_an_image_is_one(
    cloud: Cloud, driver: CinderDriver
) -> None:
    """Cinder tells Glance of it before it gives it the label; its size is the volume's."""
    made = cloud.client().volumes.create(1, "image-4711", None, {"image_owner": "his"})
    ref = f"cinder://fast/{made.id}"
    info = driver.stat(ref)
    assert (info.name, info.size) == ("4711", 1 << 30)
    assert read(driver, ref, 0, 5) == bytes(5)
    for name, labels in (("mine", {"image_owner": "his"}), ("image-4711", {})):
        with cloud.state() as state:
            state["volumes"][made.id].update(name=name, metadata=labels)
        with pytest.raises(NotFound, match="no image"):
            driver.delete(ref)
    with cloud.state() as state:
        state["volumes"][made.id].update(metadata={"glance_image_id": "4711"})
    driver.delete(ref)


def test_a_device_that_is_too_short_is_no_image(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """CI-7: neither at the beginning nor in the middle does a stream just end."""
    volume = cloud.data(CinderDriver.parse(ref).volume)
    with driver.open(ref) as reader:
        stream = reader.read()
        with volume.open("r+b") as file:
            file.truncate(500)
        with pytest.raises(Unavailable):
            list(stream)
    with driver.open(ref) as reader, pytest.raises(Corrupt):
        reader.read()
    driver.delete(ref)


@pytest.mark.parametrize("step", ["size", "detach"])
def test_a_device_that_cannot_be_measured_is_detached(
    cloud: Cloud, driver: CinderDriver, ref: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """CI-9: if not at once, then when the reader is closed."""
    size = RbdImage.size
    broken = ["size", step]

    def unknown(image: RbdImage) -> int:
        if "size" in broken:
            raise OSError(errno.EIO, "input/output error")
        return size(image)

    def fail(name: str) -> None:
        if name in broken:
            raise refuse("it broke", 503)

    monkeypatch.setattr(RbdImage, "size", unknown)
    cloud.before = fail
    with driver.open(ref) as reader:
        with pytest.raises(Unavailable):
            reader.read()
        assert len(cloud.all("attachments")) == (step == "detach")
        broken.clear()
    assert not cloud.all("attachments")
    assert read(driver, ref) == DATA
    driver.delete(ref)


def test_readers_of_a_host_share_an_attachment(
    cloud: Cloud, driver: CinderDriver, make: Make, ref: str
) -> None:
    """CI-16, CI-18, CI-20: in two processes too, for a volume that Cinder attaches only once; the last one detaches."""
    cloud.calls()
    other = make()
    with driver.open(ref) as one:
        first = one.read()
        assert read(other, ref) == DATA
        assert in_child(lambda: read(other, ref) == DATA, 10)
        with pytest.raises(InUse):
            make(busy_timeout=0.0).delete(ref)
        assert b"".join(first) == DATA
    calls = cloud.calls()
    assert calls.count("attach") == 1
    assert calls.count("detach") == 1
    driver.delete(ref)


def test_what_a_killed_reader_left_attached_is_used_again(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """CI-12: or removed, when the image is deleted."""

    def die() -> None:
        next(driver.open(ref).read())

    in_child(die, 10)
    assert len(cloud.all("attachments")) == 1
    assert read(driver, ref) == DATA
    assert not cloud.all("attachments")
    in_child(die, 10)
    driver.delete(ref)
    assert not cloud.all("attachments")


@pytest.mark.parametrize("step", ["attach", "connect", "complete"])
@pytest.mark.parametrize("then", ["delete", "read"])
def test_what_a_reader_left_that_was_killed_while_it_attached(
    cloud: Cloud, driver: CinderDriver, ref: str, step: str, then: str
) -> None:
    """CI-12: Cinder lists no such attachment with its volume, and holds the volume all the same."""
    cloud.protocol = "iscsi"

    def die() -> None:
        def fail(name: str) -> None:
            if name == step:
                os._exit(0)

        setattr(cloud, "after" if step == "attach" else "before", fail)
        next(driver.open(ref).read())

    with pytest.raises(AssertionError, match="died"):
        in_child(die, 10)
    assert [each["status"] for each in cloud.all("attachments").values()] == ["attaching"]
    if then == "read":
        assert read(driver, ref) == DATA
        assert not cloud.all("attachments")
    driver.delete(ref)
    assert not cloud.all("attachments")


def test_a_volume_that_another_host_is_attaching_is_not_deleted(
    cloud: Cloud, driver: CinderDriver, make: Make, ref: str
) -> None:
    """Nor is its attachment, nor is a lock file of it left here."""
    client = cloud.client()
    theirs = client.attachments.create(
        CinderDriver.parse(ref).volume, {"host": "there"}, None, "ro"
    )
    for _ in range(2):
        with pytest.raises(InUse):
            make(busy_timeout=0.0).delete(ref)
        place = os.path.join(driver.settings.lock_path, "multistore-cinder")
        assert all(each.startswith("guard-") for each in os.listdir(place))
    client.attachments.complete(theirs["id"])
    client.attachments.delete(theirs["id"])
    driver.delete(ref)


def test_an_attachment_whose_answer_was_lost_is_removed(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """CI-9: the volume does not stay reserved."""

    def lost(name: str) -> None:
        if name == "attach":
            raise refuse("gateway timeout", 504)

    cloud.after = lost
    with driver.open(ref) as reader, pytest.raises(Unavailable):
        reader.read()
    assert not cloud.all("attachments")
    cloud.after = lambda _name: None
    assert read(driver, ref) == DATA
    driver.delete(ref)


def test_attaching_fails_before_the_first_byte_is_promised(
    cloud: Cloud, make: Make, ref: str
) -> None:
    """CI-28: read raises, not the stream that it would have given."""

    def forbidden(name: str) -> None:
        if name == "attach":
            raise refuse("no", 403)

    cloud.before = forbidden
    driver = make()
    with driver.open(ref) as reader, pytest.raises(AccessDenied):
        reader.read()
    cloud.before = lambda _name: None
    driver.delete(ref)


def test_a_volume_that_another_host_holds_is_waited_for(
    cloud: Cloud, make: Make, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few attempts with the pauses of the interface, and then InUse; other volumes do not wait meanwhile."""
    volume = CinderDriver.parse(ref).volume
    client = cloud.client()
    theirs = client.attachments.create(volume, {"host": "there"}, None, "ro")
    waited: list[float] = []
    driver = make()

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        place = os.path.join(driver.settings.lock_path, "multistore-cinder")
        for each in os.listdir(place):
            with open(os.path.join(place, each)) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if len(waited) == 4:
            client.attachments.delete(theirs["id"])

    monkeypatch.setattr(time, "sleep", sleep)
    assert read(driver, ref) == DATA
    assert waited == [2.0, 4.0, 8.0, 10.0]
    theirs = client.attachments.create(volume, {"host": "there"}, None, "ro")
    waited.clear()
    monkeypatch.setattr(time, "sleep", waited.append)
    with make().open(ref) as reader, pytest.raises(InUse):
        reader.read()
    assert waited == [2.0, 4.0, 8.0, 10.0]
    with make(attach_attempts=1).open(ref) as reader, pytest.raises(InUse):
        reader.read()
    with pytest.raises(InUse):
        make(busy_timeout=0.0).delete(ref)
    client.attachments.delete(theirs["id"])
    driver.delete(ref)


def test_a_deletion_waits_until_the_state_allows_it(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """CI-11: right after a detachment, say."""
    left = [1, 2]

    def busy(name: str) -> None:
        if name == "delete" and left:
            left.pop()
            raise refuse("Volume status must be available")

    cloud.before = busy
    driver.delete(ref)
    assert not left
    with pytest.raises(NotFound):
        driver.stat(ref)


def test_what_cannot_be_asked_has_no_size_of_zero(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """CI-26: an error is an error, and a missing volume is missing."""

    def broken(name: str) -> None:
        raise refuse("broken", 500)

    cloud.before = broken
    with pytest.raises(Unavailable):
        driver.stat(ref)
    cloud.before = lambda _name: None
    driver.delete(ref)
    for verb in (driver.stat, driver.open, driver.delete):
        with pytest.raises(NotFound):
            verb(ref)


def test_a_failed_deletion_is_unfinished_business(
    cloud: Cloud, driver: CinderDriver, ref: str
) -> None:
    """It is no image any more, and may be swept."""
    with cloud.state() as state:
        for volume in state["volumes"].values():
            volume["status"] = "error_deleting"
    assert not list(driver.list())
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not cloud.all("volumes")


def test_an_image_of_the_interfaces_own_is_read(cloud: Cloud, driver: CinderDriver) -> None:
    """Written by an older release: its size is a label, or else the volume's."""
    client = cloud.client()
    made = client.volumes.create(
        1, "image-old", None, {"glance_image_id": "old", "image_size": "7"}
    )
    client.volumes.get(made.id)
    with cloud.data(made.id).open("r+b") as file:
        file.write(b"1234567")
    assert read(driver, f"cinder://{made.id}") == b"1234567"
    client.volumes.update_all_metadata(made.id, {"glance_image_id": "old"})
    assert driver.stat(f"cinder://{made.id}").size == 1 << 30
    driver.delete(f"cinder://{made.id}")


def test_stores_are_told_apart_by_whole_names(make: Make) -> None:
    """CI-24: fast is not the beginning of fast2."""
    number = "01234567-89ab-cdef-0123-456789abcdef"
    driver = make(store="fast")
    assert driver.owns(f"cinder://fast/{number}")
    assert driver.owns(f"cinder://{number}")
    assert not driver.owns(f"cinder://fast2/{number}")
