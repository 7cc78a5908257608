"""A rig over an RBD store: on a cluster, or on the stand-in for Ceph's modules."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from multistore.drivers.rbd import RbdDriver, RbdSettings, Sdk
from multistore.drivers.rbd.refs import is_hidden
from multistore.drivers.rbd.sdk import load
from multistore.errors import InUse, StoreError
from multistore.testing import Rig

HOSTILE = ("a/b", "a@b", "a\0b", "a\nb", "n" * 256, ".multistore-x", "\udc80")
ELSEWHERE = "01234567-89ab-cdef-0123-456789abcdef"


def lab(name: str) -> str:
    """Give what the lab says: in the environment, or in the file it left."""
    file = Path(__file__).parents[2] / "lab" / ".data" / "env"
    found = dict(os.environ)
    if file.exists():
        pairs = (line.partition("=") for line in file.read_text().splitlines())
        found = {key: value.strip("'") for key, _, value in pairs} | found
    if name not in found:
        pytest.fail(f"{name} is not known: 'make lab-up' first, as root")
    return found[name]


def lab_back(**changes: Any) -> Backstage:
    """Give the lab's cluster, seen past the driver."""
    settings = lab_settings(**changes)
    return Backstage(load(settings.bindings), settings)


def lab_settings(**changes: Any) -> RbdSettings:
    """Give the settings of a store in the lab's cluster."""
    values: dict[str, Any] = {
        "conf": lab("MULTISTORE_LAB_CEPH"),
        "user": "images",
        "object_size": 1 << 20,
        "busy_timeout": 10.0,
    }
    return RbdSettings(**values | changes)


class Backstage:
    """The cluster seen past the driver, by a client of its own that is gone after each look."""

    def __init__(self, sdk: Sdk, settings: RbdSettings) -> None:
        self.sdk = sdk
        self.settings = settings

    @contextlib.contextmanager
    def pool(self, name: str | None = None, user: str | None = None, **more: str) -> Iterator[Any]:
        options = {"client_mount_timeout": "10", "rados_osd_op_timeout": "30", **more}
        user = user or self.settings.user
        client = self.sdk.rados.Rados(
            conffile=self.settings.conf or "", rados_id=user, conf=options
        )
        client.connect()
        try:
            io = client.open_ioctx(name or self.settings.pool)
            try:
                yield io
            finally:
                io.close()
        finally:
            client.shutdown()

    def corrupt(self, ref: str) -> None:
        """Flip a bit in the middle, below the snapshot: librbd would write beside it."""
        parsed = RbdDriver.parse(ref)
        with self.pool() as io:
            with self.sdk.rbd.Image(io, parsed.image, read_only=True) as image:
                after_opening(io)
                told = image.stat()
            middle, size = told["size"] // 2, told["obj_size"]
            thing = f"{told['block_name_prefix']}.{middle // size:016x}"
            byte = io.read(thing, 1, middle % size)
            io.write(thing, bytes([byte[0] ^ 1]), middle % size)

    def leftovers(self) -> list[str]:
        """Give everything that belongs to no image of the store."""
        with self.pool() as io:
            rbd = self.sdk.rbd.RBD()
            listed = list(rbd.list2(io))
            found = [f"hidden {each['name']}" for each in listed if is_hidden(each["name"])]
            found += [f"in the trash: {each['name']}" for each in rbd.trash_list(io)]
            names = {each["name"] for each in listed}
            ids = {each["id"] for each in listed}
            for thing in (each.key for each in io.list_objects()):
                kind, _, rest = thing.partition(".")
                whose = rest if kind == "rbd_id" else rest.partition(".")[0]
                if (kind == "rbd_id" and whose not in names) or (
                    kind in ("rbd_header", "rbd_data", "rbd_object_map") and whose not in ids
                ):
                    found.append(thing)
            return found


def after_opening(io: Any) -> None:
    """Wait until librbd's own thread is done with an image that was opened for reading; closing it does not."""
    done = threading.Event()
    io.aio_stat("rbd_directory", lambda *_: done.set())
    assert done.wait(30)


def rbd_rig(settings: RbdSettings, sdk: Sdk | None = None, **changes: Any) -> Rig:
    """One pool, looked at from outside as well."""
    back = Backstage(sdk or load(settings.bindings), settings)
    nowhere = RbdSettings(pool="images", conf="/nonexistent/ceph.conf")
    with back.pool() as io:
        fsid = io_fsid(back, io)
    url = f"rbd://{settings.pool}?user={settings.user}" + (
        f"&conf={settings.conf}" if settings.conf else ""
    )
    values: dict[str, Any] = {
        "make": lambda: RbdDriver(settings, sdk=sdk),
        "unreachable": lambda: RbdDriver(nowhere, sdk=sdk),
        "url": url,
        "corrupt": back.corrupt,
        "leftovers": back.leftovers,
        "hostile_names": HOSTILE,
        "bad_refs": ("rbd://a/b", "rbd://a/b/c", "rbd://a//b/c", "rbd://a/b/c/d/e", "RBD://a/b/c/d", "rbd://a/b/c%00/d",
                     "rbd://a/b/%FF/d"),
        "foreign_refs": (f"rbd://{ELSEWHERE}/{settings.pool}/x/snap", f"rbd://{fsid}/{settings.pool}-other/x/snap",
                         "memory://x"),
        "too_large": 1 << 60,
        "sdk": ("rados", "rbd"),
        "copies": True,
    }  # fmt: skip
    return Rig(**values | changes)


def io_fsid(back: Backstage, io: Any) -> str:
    """Give the cluster's number."""
    settings = back.settings
    driver = RbdDriver(settings, sdk=back.sdk)
    try:
        with contextlib.suppress(StopIteration):
            next(iter(driver.list()))
        return str(driver._fsid)
    finally:
        driver.close()


# -- the lab's cluster -----------------------------------------------------------------------------


def ceph(*words: str) -> str:
    """Ask the cluster as its administrator."""
    command = ["ceph", "-c", lab("MULTISTORE_LAB_CEPH"), "--connect-timeout", "10", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def until(what: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something that the cluster does by itself."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.1)


class Daemon:
    """A daemon of the lab that can be made to hang."""

    def __init__(self, name: str) -> None:
        file = Path(lab("MULTISTORE_LAB_CEPH_RUN"), f"{name}.pid")
        self.pid = int(file.read_text().split()[0])

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def ended(work: Callable[[], object]) -> bool:
    """Say whether a call succeeds by now."""
    try:
        work()
    except StoreError:
        return False
    return True


def clean_up(back: Backstage) -> None:
    """Remove all images and all that is unfinished, and see that nothing else is left."""
    with contextlib.closing(RbdDriver(back.settings)) as driver:
        for image in driver.list():
            driver.delete(image.ref)
        until(lambda: _swept(driver))
    assert not back.leftovers()


def _swept(driver: RbdDriver) -> bool:
    for each in driver.pending():
        with contextlib.suppress(InUse):
            driver.discard(each.token)
    return not list(driver.pending())
