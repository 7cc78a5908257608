"""Uploads to Cinder: room, growth, durability, and what is left of failures."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest
from fakes.cinder_cloud import Cloud, refuse
from multistore.config import Secret
from multistore.driver import Upload
from multistore.drivers.cinder import CinderDriver, connecting, devices, growth
from multistore.drivers.cinder.service import Attachment
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    TimedOut,
    Unavailable,
    Unsupported,
)
from multistore.testing.tools import one_image, read

GIB = 1 << 30
Make = Callable[..., CinderDriver]


def far_apart(upload: Upload, gib: int) -> int:
    """Write a few bytes across each border of a GiB, and give the size of the image."""
    upload.write_part(0, 0, b"first")
    for number in range(1, gib + 1):
        upload.write_part(number, number * GIB - 2, b"over")
    return gib * GIB + 2


def check(driver: CinderDriver, ref: str, gib: int) -> None:
    """Look for what ``far_apart`` has written."""
    assert driver.stat(ref).size == gib * GIB + 2
    assert read(driver, ref, 0, 8) == b"first\0\0\0"
    for number in range(1, gib + 1):
        end = b"" if number == gib else b"\0\0"
        assert read(driver, ref, number * GIB - 4, 8) == b"\0\0over" + end
    driver.delete(ref)


def test_a_volume_grows_while_it_is_attached(cloud: Cloud, driver: CinderDriver) -> None:
    """CI-30: by doubling, so that 5 GiB take three steps, and one attachment."""
    upload = driver.begin("image", None, {})
    size = far_apart(upload, 5)
    ref = upload.commit(size, {}).ref
    calls = cloud.calls()
    assert calls.count("extend") == 3
    assert calls.count("attach") == 1
    check(driver, ref, 5)


def test_a_file_on_nfs_is_never_truncated(
    cloud: Cloud, make: Make, commands: list[tuple[str, ...]]
) -> None:
    """CI-1, CI-2, CI-17: it grows detached, keeps every byte, and stays as long as its volume."""
    cloud.protocol = "nfs"
    cloud.extends_attached = False
    driver = make()
    upload = driver.begin("image", None, {})
    size = far_apart(upload, 3)
    stored = upload.commit(size, {})
    volume = CinderDriver.parse(stored.ref).volume
    assert cloud.data(volume).stat().st_size == 4 * GIB
    assert cloud.calls().count("extend") == 2
    check(driver, stored.ref, 3)
    assert {each[0] for each in commands} == {"mount", "umount"}


def test_where_cinder_refuses_to_extend_in_use_it_is_done_detached(
    cloud: Cloud, driver: CinderDriver
) -> None:
    """CI-21: the answer 400 is no failure of the upload, and the volume is waited for."""
    cloud.extends_attached = False
    cloud.looks_until_ready = 2
    upload = driver.begin("image", None, {})
    ref = upload.commit(far_apart(upload, 2), {}).ref
    assert cloud.calls().count("attach") == 3
    check(driver, ref, 2)


def test_a_size_that_the_host_sees_late_is_waited_for(
    cloud: Cloud, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI-20, CI-21: after growth too, by the connector of this upload, and not for ever."""
    cloud.protocol = "scaleio"
    late = [GIB] * 3
    resized: list[str] = []
    size = devices.PathDevice.size

    def shown(self: devices.PathDevice) -> int:
        return late.pop() if late and resized else size(self)

    def before(name: str) -> None:
        if name == "resize":
            resized.append(name)

    monkeypatch.setattr(devices.PathDevice, "size", shown)
    cloud.before = before
    driver = make(extend="attached")
    upload = driver.begin("image", None, {})
    ref = upload.commit(far_apart(upload, 1), {}).ref
    assert (late, resized) == ([], ["resize"])
    check(driver, ref, 1)
    monkeypatch.setattr(connecting, "_SIZE_PATIENCE", 0.0)
    late.extend([GIB] * 2)
    upload = driver.begin("other", None, {})
    with pytest.raises(Unavailable, match="does not see it"):
        far_apart(upload, 1)
    upload.abort()


def test_an_operator_may_insist_on_growing_attached(cloud: Cloud, make: Make) -> None:
    cloud.extends_attached = False
    upload = make(extend="attached").begin("image", None, {})
    with pytest.raises(Unavailable, match="extend"):
        far_apart(upload, 1)
    upload.abort()


def test_the_quota_ends_an_upload_that_grows(cloud: Cloud, driver: CinderDriver) -> None:
    """CI-25: NoSpace, and nothing is left."""
    cloud.quota = 2
    upload = driver.begin("image", None, {})
    with pytest.raises(NoSpace, match="quota"):
        far_apart(upload, 3)
    upload.abort()


def test_the_steps_of_growth_are_limited() -> None:
    """CI-30: a volume cannot shrink again."""
    assert growth.next_size(GIB, GIB + 1, 64 * GIB) == 2
    assert growth.next_size(256 * GIB, 256 * GIB + 1, 64 * GIB) == 320
    assert growth.next_size(GIB, 9 * GIB, GIB) == 9


@pytest.mark.parametrize("code", [413, 403, 404, 500])
def test_a_volume_that_cinder_refuses(cloud: Cloud, driver: CinderDriver, code: int) -> None:
    """CI-25: each with its own error, before a byte is written."""

    def answer(name: str) -> None:
        if name == "create":
            raise refuse("no", code)

    cloud.before = answer
    kinds = {413: NoSpace, 403: AccessDenied, 404: Misconfigured, 500: Unavailable}
    with pytest.raises(kinds[code]):
        driver.begin("image", 5, {})


def test_a_volume_that_cannot_be_made_is_removed(cloud: Cloud, driver: CinderDriver) -> None:
    """CI-8: creation that ends in an error, or never ends."""

    def broken(name: str) -> None:
        if name == "create":
            with cloud.state() as state:
                for volume in state["volumes"].values():
                    volume["status"] = "error"

    cloud.after = broken
    with pytest.raises(Unavailable, match="error"):
        driver.begin("image", 5, {})
    assert not cloud.all("volumes")


def test_a_volume_that_is_never_ready_is_given_up(cloud: Cloud, make: Make) -> None:
    """CI-8, CI-32: by the clock."""
    cloud.looks_until_ready = 10**6

    def ready_for_deletion(name: str) -> None:
        if name == "delete":
            with cloud.state() as state:
                for volume in state["volumes"].values():
                    volume["status"] = "available"

    cloud.before = ready_for_deletion
    with pytest.raises(TimedOut):
        make(state_timeout=0.05).begin("image", 5, {})
    assert not cloud.all("volumes")


def test_a_volume_that_cannot_be_removed_yet_is_swept_later(cloud: Cloud, make: Make) -> None:
    """Even while somebody still looks at the error that the upload ended with, by this very process."""
    cloud.looks_until_ready = 10**6
    with pytest.raises(TimedOut) as caught:
        make(state_timeout=0.05).begin("image", 5, {})
    assert "may be left" in "".join(caught.value.__notes__)
    cloud.looks_until_ready = 0
    driver = make()
    (left,) = driver.pending()
    driver.discard(left.token)
    assert not cloud.all("volumes")


STEPS = (
    "create",
    "list",
    "attach",
    "connect",
    "complete",
    "disconnect",
    "detach",
    "readonly",
    "label",
)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_whatever_fails_once_is_undone(
    cloud: Cloud, driver: CinderDriver, step: str, when: str
) -> None:
    """CI-8, CI-9, CI-11, CI-12: one failing call, before or after its effect, leaves nothing; the image is whole or absent."""
    left = [step]

    def fail(name: str) -> None:
        if name in left:
            left.remove(name)
            raise refuse("it broke", 503)

    setattr(cloud, when, fail)
    upload = None
    try:
        upload = driver.begin("image", 5, {})
        upload.write_part(0, 0, b"12345")
        stored = upload.commit(5, {})
    except StoreError:
        if upload is not None:
            try:
                stored = upload.commit(5, {})  # as the core does after a commit of unknown outcome
            except StoreError:
                upload.abort()
                return
            assert read(driver, stored.ref) == b"12345"
            driver.delete(stored.ref)
        return
    assert read(driver, stored.ref) == b"12345"
    driver.delete(stored.ref)


def test_an_upload_whose_flush_fails_is_no_image(
    cloud: Cloud, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI-3: neither the first commit nor a repeated one reports it as good."""
    cloud.protocol = "iscsi"
    driver = make()

    def fsync(_fd: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    upload = driver.begin("image", 5, {})
    upload.write_part(0, 0, b"12345")
    for _ in range(2):
        with pytest.raises(Unavailable, match="durable") as caught:
            upload.commit(5, {})
        assert caught.value.final
    upload.abort()
    assert not list(driver.list())


def test_an_encrypted_volume_and_a_qcow2_file_are_refused(
    cloud: Cloud, make: Make, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be written, or read, as what they are not."""
    cloud.protocol = "nfs"

    def answer(key: str, value: object) -> None:
        driver = make()
        found = driver._service.attach

        def changed(volume: str, mode: str) -> Attachment:
            made = found(volume, mode)
            return Attachment(made.id, made.status, {**made.info, key: value})

        monkeypatch.setattr(driver._service, "attach", changed)
        with pytest.raises(Unsupported):
            driver.begin("image", 5, {})

    answer("encrypted", True)
    answer("format", "qcow2")
    assert not commands


def test_locks_are_checked_before_anything_is_made(cloud: Cloud, make: Make) -> None:
    """CI-10: and there is a bounded number of them, whatever becomes of images."""
    driver = make(lock_path="/proc/nowhere")
    with pytest.raises(Misconfigured) as caught:
        driver.check()
    assert caught.value.setting == "lock_path"
    with pytest.raises(Misconfigured):
        driver.begin("image", 5, {})
    assert not cloud.calls()
    good = make()
    for number in range(3):
        good.delete(one_image(good, f"image-{number}", b"x").ref)
    names = os.listdir(os.path.join(good.settings.lock_path, "multistore-cinder"))
    assert all(each.startswith("guard-") for each in names)


def test_labels_are_what_cinder_and_glance_know(cloud: Cloud, driver: CinderDriver) -> None:
    """The interface's three; of others those that Cinder takes."""
    ref = one_image(driver, "4711", b"12345", {"os": "linux", "ä": "dropped"}).ref
    (volume,) = cloud.all("volumes").values()
    labels = volume["metadata"]
    assert volume["name"] == "image-4711"
    assert volume["readonly"]
    assert labels["glance_image_id"] == "4711"
    assert labels["image_size"] == "5"
    assert labels["image_owner"] == cloud.project
    assert labels["label.os"] == "linux"
    assert len(labels) == 6
    driver.delete(ref)


def test_a_caller_is_the_owner_of_his_images(cloud: Cloud, driver: CinderDriver) -> None:
    from multistore.model import Caller

    mine = driver.for_context(Caller(project="his", token="t0ken"))
    ref = one_image(mine, "image", b"x").ref
    (volume,) = cloud.all("volumes").values()
    assert volume["metadata"]["image_owner"] == "his"
    driver.delete(ref)


def test_a_secret_is_nowhere(make: Make) -> None:
    """CI-29: passwords and both halves of an application credential."""
    driver = make(
        application_credential_id=Secret("cr3d"), application_credential_secret=Secret("s3cret")
    )
    shown = repr(driver.settings) + str(driver.settings)
    assert "cr3d" not in shown
    assert "s3cret" not in shown


def test_a_volume_that_vanishes_is_not_published(cloud: Cloud, driver: CinderDriver) -> None:
    upload = driver.begin("image", 5, {})
    with cloud.state() as state:
        state["volumes"].clear()
        state["attachments"].clear()
    with pytest.raises(NotFound):
        upload.commit(5, {})
    upload.abort()


def test_stores_of_one_project_do_not_see_each_others_images(make: Make) -> None:
    """Of different types, or of different names: each may have an image of the same name."""
    fast, slow = make(volume_type="fast"), make(volume_type="slow", store="slow")
    other = make(store="other")
    refs = [one_image(each, "image", b"x").ref for each in (fast, slow, other)]
    for each, ref in zip((fast, slow, other), refs, strict=True):
        assert [info.ref for info in each.list()] == [ref]
        with pytest.raises(AlreadyExists):
            each.begin("image", 1, {})
    for each, ref in zip((fast, slow, other), refs, strict=True):
        each.delete(ref)
