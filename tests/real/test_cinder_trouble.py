"""Cinder in trouble: services killed or stopped in mid-upload, a quota, a refused extension, a killed writer."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.cinder_rig import Service, lab_alone, lab_client, lab_leftovers, lab_settings
from multistore.drivers.cinder import CinderDriver, service
from multistore.drivers.cinder import upload as uploading
from multistore.errors import InUse, NoSpace, NotFound, StoreError, Unavailable
from multistore.layers.stack import StoreOptions
from multistore.store import Store
from multistore.testing.tools import content, one_image, read
from multistore.testing.watch import Child

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]

GIB = 1 << 30
DATA = content((9 << 20) + 5)
KINDS = pytest.mark.parametrize("kind", ["rbd", "nfs"])


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    with lab_alone():
        yield
        for kind in ("rbd", "nfs"):
            with contextlib.closing(CinderDriver(lab_settings(tmp_path, kind))) as driver:
                for image in list(driver.list()):
                    driver.delete(image.ref)
        left = lab_leftovers(tmp_path)
        assert not left, left


def sweep(driver: CinderDriver, seconds: float = 60.0) -> int:
    """Remove what is left unfinished; a dead client of Ceph keeps its volume for a while."""
    end = time.monotonic() + seconds
    seen = set()
    while left := list(driver.pending()):
        assert time.monotonic() < end, left
        for each in left:
            seen.add(each.token)
            with contextlib.suppress(InUse):
                driver.discard(each.token)
        time.sleep(0.2)
    return len(seen)


def again(name: str, listening: bool = True) -> None:
    """Start a service that was killed, and wait until it answers."""
    killed = Service(name)
    killed.start()
    end = time.monotonic() + 60
    while listening:
        try:
            lab_client().volumes.list()
        except Exception:
            assert time.monotonic() < end, f"{name} does not come back"
            time.sleep(0.2)
        else:
            return


@KINDS
def test_an_image_of_unknown_size_grows_over_its_volume(tmp_path: Path, kind: str) -> None:
    """More than a GiB, with something in every part of it, comes back as it was."""
    random.seed(kind)
    block = os.urandom(1 << 20)
    size = GIB + (100 << 20) + 12345

    def source() -> Iterator[bytes]:
        for at in range(0, size, 1 << 20):
            piece = at.to_bytes(8, "big") + (
                block[8:] if at % (64 << 20) == 0 else bytes((1 << 20) - 8)
            )
            yield piece[: size - at]

    with contextlib.closing(Store(CinderDriver(lab_settings(tmp_path, kind)), name="s")) as store:
        receipt = store.put("large", source(), digests=("sha1",))
        assert receipt.size == size
        with store.open(receipt.ref, expect=receipt.digests) as image:
            assert sum(map(len, image)) == size
        volume = lab_client().volumes.get(CinderDriver.parse(receipt.ref).volume)
        assert volume.size == 2
        assert volume.metadata["image_size"] == str(size)
        assert volume.metadata["readonly"] == "True"


@KINDS
def test_growth_goes_on_after_answers_that_were_lost(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each of its steps, in the states that Cinder itself leaves a volume in; it is extended once."""
    lost = ["extend", "detach", "attach", "complete"]
    asked: list[str] = []

    def losing(name: str) -> None:
        work = getattr(service.Service, name)

        def once(self: service.Service, *words: str) -> object:
            asked.append(name)
            answer = work(self, *words)
            if asked.count(name) == 1:
                raise Unavailable(f"the answer to {name} was lost")
            return answer

        monkeypatch.setattr(service.Service, name, once)

    with contextlib.closing(
        CinderDriver(lab_settings(tmp_path, kind, extend="detached"))
    ) as driver:
        upload = driver.begin("grown", None, {})
        upload.write_part(0, 0, DATA)
        for name in lost:
            losing(name)
        for _ in lost:
            with contextlib.suppress(Unavailable):
                upload.write_part(1, GIB - 2, b"over")
                break
        else:
            upload.write_part(1, GIB - 2, b"over")
        assert asked.count("extend") == 1
        ref = upload.commit(GIB + 2, {}).ref
        assert read(driver, ref, 0, len(DATA)) == DATA
        assert read(driver, ref, GIB - 4, 6) == b"\0\0over"


def test_an_api_that_is_killed_in_mid_upload_costs_no_image(tmp_path: Path) -> None:
    """It is started again while the store repeats its request, and the image is whole."""
    api = Service("api")
    pieces = [DATA[: 5 << 20], DATA[5 << 20 :]]

    def source() -> Iterator[bytes]:
        yield pieces[0]
        api.signal(signal.SIGKILL)
        threading.Timer(2.0, again, ("api",)).start()
        yield pieces[1]

    options = StoreOptions(attempts=20, backoff=0.5, backoff_limit=2.0)
    driver = CinderDriver(lab_settings(tmp_path, "rbd"))
    with contextlib.closing(Store(driver, name="s", options=options)) as store:
        receipt = store.put("survivor", source())
        assert read(driver, receipt.ref) == DATA


def test_an_api_that_stays_away_leaves_what_can_be_swept(tmp_path: Path) -> None:
    """An error within limits, and afterwards nothing."""
    api = Service("api")
    driver = CinderDriver(lab_settings(tmp_path, "nfs"))
    with contextlib.closing(driver):
        upload = driver.begin("lost", len(DATA), {})
        upload.write_part(0, 0, DATA)
        api.signal(signal.SIGKILL)
        with pytest.raises(StoreError):
            upload.commit(len(DATA), {})
        with pytest.raises(StoreError):
            upload.abort()
        again("api")
        assert [each.token for each in driver.pending()] == [upload.token]
        assert not list(driver.list())
        upload.abort()


def test_a_volume_service_that_hangs_in_mid_upload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit fails, and succeeds when it is repeated; nothing is visible in between."""
    monkeypatch.setattr(service, "_INSISTENCE", ())
    volumes = Service("volume")
    with contextlib.closing(CinderDriver(lab_settings(tmp_path, "rbd"))) as driver:
        upload = driver.begin("patient", len(DATA), {})
        upload.write_part(0, 0, DATA)
        session = driver.client().client.session
        patience, session.timeout = session.timeout, 4.0  # Cinder's own is longer
        volumes.signal(signal.SIGSTOP)
        try:
            with pytest.raises(StoreError):
                upload.commit(len(DATA), {})
            assert not list(driver.list())
        finally:
            volumes.signal(signal.SIGCONT)
            session.timeout = patience
        end = time.monotonic() + 60
        while True:
            try:
                stored = upload.commit(len(DATA), {})
                break
            except StoreError:
                assert time.monotonic() < end
                time.sleep(0.5)
        assert read(driver, stored.ref) == DATA


def test_a_volume_service_that_is_killed_while_it_makes_a_volume(tmp_path: Path) -> None:
    """TimedOut; what Cinder then calls an error is swept."""
    volumes = Service("volume")
    volumes.signal(signal.SIGKILL)
    with contextlib.closing(
        CinderDriver(lab_settings(tmp_path, "rbd", state_timeout=2.0))
    ) as driver:
        try:
            with pytest.raises(StoreError):
                driver.begin("never", 5, {})
        finally:
            again("volume")
        sweep(driver)
    with contextlib.closing(CinderDriver(lab_settings(tmp_path, "rbd"))) as driver:
        ref = one_image(driver, "afterwards", b"x").ref
        assert read(driver, ref) == b"x"


def test_the_quota_is_no_space(tmp_path: Path) -> None:
    """At the beginning, and in the middle of an image that grows; nothing is left of either."""
    admin = lab_client("admin", "admin")
    glance = lab_client()
    project = glance.client.get_project_id()
    with contextlib.closing(CinderDriver(lab_settings(tmp_path, "rbd"))) as driver:
        used = (driver.usage().used or 0) // GIB
        admin.quotas.update(project, gigabytes=used + 1)
        try:
            with pytest.raises(NoSpace, match="quota"):
                driver.begin("two", GIB + 1, {})
            assert driver.usage().total == (used + 1) * GIB
            upload = driver.begin("one", None, {})
            upload.write_part(0, 0, DATA)
            with pytest.raises(NoSpace, match="quota"):
                upload.write_part(1, GIB, DATA)
            upload.abort()
        finally:
            admin.quotas.update(project, gigabytes=1000)


def test_an_extension_that_the_backend_refuses_is_no_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cinder's NFS driver does not extend what is attached, and so it is not asked to, but here."""
    monkeypatch.setattr(uploading, "_STAYS", ())
    with contextlib.closing(
        CinderDriver(lab_settings(tmp_path, "nfs", extend="attached"))
    ) as driver:
        upload = driver.begin("stuck", None, {})
        upload.write_part(0, 0, DATA)
        with pytest.raises(NoSpace, match="extended"):
            upload.write_part(1, GIB, DATA)
        upload.abort()


@KINDS
def test_what_a_killed_writer_leaves_is_swept(tmp_path: Path, kind: str) -> None:
    """Its volume, its attachment and its mount."""

    def write() -> None:
        driver = CinderDriver(lab_settings(tmp_path, kind))
        upload = driver.begin("killed", len(DATA), {})
        upload.write_part(0, 0, DATA)
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(AssertionError, match="died"):
        Child(write, 60).result()
    with contextlib.closing(CinderDriver(lab_settings(tmp_path, kind))) as driver:
        assert [each.name for each in driver.pending()] == ["killed"]
        assert not list(driver.list())
        (left,) = driver.pending()
        elsewhere = CinderDriver(lab_settings(tmp_path / "elsewhere", kind))
        with contextlib.closing(elsewhere), pytest.raises(InUse, match="another host"):
            elsewhere.discard(left.token)
        assert sweep(driver) == 1
        ref = one_image(driver, "killed", DATA).ref
        assert read(driver, ref) == DATA


def test_an_image_whose_reader_was_killed_while_it_attached_is_deleted(tmp_path: Path) -> None:
    """Its attachment is begun and not completed: Cinder lists it apart from the volume only."""

    def die() -> None:
        driver = CinderDriver(lab_settings(tmp_path, "nfs"))

        def complete(attachment_id: str) -> None:
            assert attachment_id
            os.kill(os.getpid(), signal.SIGKILL)

        driver._service.complete = complete  # type: ignore[method-assign]
        driver.open(ref).read()

    with contextlib.closing(CinderDriver(lab_settings(tmp_path, "nfs"))) as driver:
        ref = one_image(driver, "unread", DATA).ref
        with pytest.raises(AssertionError, match="died"):
            Child(die, 60).result()
        assert lab_client().volumes.get(CinderDriver.parse(ref).volume).status == "attaching"
        driver.delete(ref)


def test_somebody_elses_volume_is_left_alone(tmp_path: Path) -> None:
    """Of the same project, too: neither read nor deleted."""
    client = lab_client()
    made = client.volumes.create(1, name="somebody's disk", volume_type="rbd")
    try:
        with contextlib.closing(CinderDriver(lab_settings(tmp_path, "rbd"))) as driver:
            for verb in (driver.stat, driver.open, driver.delete):
                with pytest.raises(NotFound):
                    verb(f"cinder://rbd/{made.id}")
    finally:
        end = time.monotonic() + 30
        while client.volumes.get(made.id).status == "creating" and time.monotonic() < end:
            time.sleep(0.2)
        client.volumes.delete(made.id)
