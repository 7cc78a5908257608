"""A rig over a Cinder store: on the lab's Cinder, or on the stand-in for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conformance.rbd_rig import lab
from fakes.cinder_cloud import Cloud, FakeSdk
from multistore.config import Secret
from multistore.drivers.cinder import CinderDriver, CinderSettings, mounts
from multistore.testing import Rig

HOSTILE = ("a\0b", "a\nb", " a", "a ", "n" * 250, "\U0001f4be", "\udc80")
NOWHERE = "01234567-89ab-cdef-0123-456789abcdef"
BAD_REFS = (
    "cinder://a/b", f"cinder://{NOWHERE.upper()}", f"cinder://{NOWHERE}/", f"cinder://a//{NOWHERE}", f"CINDER://{NOWHERE}",
    f"cinder:///{NOWHERE}", f"cinder://{NOWHERE}?x=y", f"cinder://a\n/{NOWHERE}",
)  # fmt: skip


def fake_settings(place: Path, **changes: Any) -> CinderSettings:
    """Give the settings of a store in a stand-in."""
    values: dict[str, Any] = {
        "lock_path": str(place / "locks"),
        "store": "fast",
        "mount_base": str(place / "mnt"),
        "busy_timeout": 1.0,
        "auth_url": "http://127.0.0.1:1/v3",
        "username": "images",
        "password": Secret("user-s3cret"),
        "project": "service",
    }
    (place / "locks").mkdir(parents=True, exist_ok=True)
    return CinderSettings(**values | changes)


class Unreachable:
    """Libraries that find no server."""

    def check(self) -> None:
        pass

    def client(self, settings: Any, caller: Any) -> Any:
        from keystoneauth1.exceptions import ConnectFailure

        def refuse(*_words: Any, **_options: Any) -> None:
            raise ConnectFailure("nobody listens")

        return SimpleNamespace(
            volume_types=SimpleNamespace(list=refuse),
            volumes=SimpleNamespace(list=refuse, get=refuse, create=refuse),
        )

    def endpoint(self, client: Any) -> str:
        from keystoneauth1.exceptions import ConnectFailure

        raise ConnectFailure("nobody listens")


def fake_rig(cloud: Cloud, settings: CinderSettings, **changes: Any) -> Rig:
    """One stand-in, looked at from outside as well."""
    nowhere: Any = Unreachable()
    values: dict[str, Any] = {
        "make": lambda: CinderDriver(settings, sdk=FakeSdk(cloud)),  # type: ignore[arg-type]
        "unreachable": lambda: CinderDriver(settings, sdk=nowhere),
        "url": f"cinder://fast?lock_path={settings.lock_path}",
        "corrupt": lambda ref: flip(cloud.data(CinderDriver.parse(ref).volume), 3),
        "leftovers": lambda: leftovers(cloud, settings),
        "hostile_names": HOSTILE,
        "bad_refs": BAD_REFS,
        "foreign_refs": (f"cinder://slow/{NOWHERE}", f"cinder://fast2/{NOWHERE}", "memory://x"),
        "too_large": 1 << 50,
        "copies": True,
        "secrets": ("storage-s3cret", "user-s3cret"),
        "sdk": ("cinderclient", "keystoneauth1", "os_brick", "rados", "rbd", "requests"),
    }
    return Rig(**values | changes)


def link_for_mounting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record what is run as root; mounting makes a link to the exported directory."""
    ran: list[tuple[str, ...]] = []

    def as_root(_helper: str | None, *command: str) -> None:
        ran.append(command)
        if command[0] == "mount":
            os.rmdir(command[-1])
            os.symlink(command[-2].partition(":")[2], command[-1])
        elif command[0] == "umount":
            os.unlink(command[-1])

    monkeypatch.setattr(mounts, "as_root", as_root)
    monkeypatch.setattr(mounts, "_is_mounted", os.path.islink)
    return ran


def leftovers(cloud: Cloud, settings: CinderSettings) -> list[str]:
    """Give what belongs to no image: attachments, connections, unfinished volumes, files of locks."""
    found = [f"attachment {each}" for each in cloud.all("attachments")]
    found += [f"connection {each}" for each in cloud.all("connected")]
    for volume in cloud.all("volumes").values():
        if "glance_image_id" not in volume["metadata"]:
            found.append(f"unfinished {volume['name']}")
    place = Path(settings.lock_path, "multistore-cinder")
    with contextlib.suppress(FileNotFoundError):
        found += [name for name in os.listdir(place) if not name.startswith("guard-")]
    return found


def flip(path: Path, at: int) -> None:
    """Change a byte."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


# -- the lab's Cinder ------------------------------------------------------------------------------


def lab_settings(place: Path, kind: str, **changes: Any) -> CinderSettings:
    """Give the settings of a store in the lab, with volumes of a type: rbd, or nfs on a stand-in for a mount."""
    values: dict[str, Any] = {
        "lock_path": str(place),
        "auth_url": lab("MULTISTORE_LAB_KEYSTONE"),
        "username": "glance",
        "password": Secret("glancepass"),
        "project": "service",
        "volume_type": kind,
        "store": kind,
        # Not below a test's directory: whatever removed that would remove what is mounted.
        "mount_base": lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images",
        "busy_timeout": 10.0,
    }
    return CinderSettings(**values | changes)


def lab_client(user: str = "glance", project: str = "service") -> Any:
    """Give a client of Cinder's API past the driver; ``admin`` may do everything."""
    from cinderclient import client
    from keystoneauth1 import session
    from keystoneauth1.identity import v3

    auth = v3.Password(
        lab("MULTISTORE_LAB_KEYSTONE"),
        username=user,
        password=f"{user}pass",
        project_name=project,
        user_domain_id="default",
        project_domain_id="default",
    )
    return client.Client("3.60", session=session.Session(auth=auth, timeout=70))


@contextlib.contextmanager
def lab_alone() -> Iterator[None]:
    """Have the lab's Cinder for one test: another would see its volumes."""
    with Path(lab("MULTISTORE_LAB_CINDER_PLACE"), "test.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        fcntl.flock(file, fcntl.LOCK_UN)


def lab_leftovers(place: Path) -> list[str]:
    """Give what is in Cinder, in Ceph or on this host and belongs to no image; what is being deleted has time to go."""
    client = lab_client()
    with contextlib.closing(client.client.session.session):
        end = time.monotonic() + 30
        while any(each.status == "deleting" for each in client.volumes.list()):
            assert time.monotonic() < end, "a deletion does not end"
            time.sleep(0.2)
        found = [f"attachment {each.id}" for each in client.attachments.list()]
        found += [
            f"{each.status} volume {each.name}"
            for each in client.volumes.list()
            if "glance_image_id" not in each.metadata or each.status != "available"
        ]
    locks = place / "multistore-cinder"
    names = os.listdir(locks) if locks.exists() else []
    found += [name for name in names if not name.startswith("guard-")]
    mounted = Path("/proc/self/mountinfo").read_text()
    base = lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images"
    return found + ([f"a mount in {base}"] if f" {base}/" in mounted else [])


def lab_rig(place: Path, kind: str) -> Rig:
    """The lab's Cinder, and what it and this host say from outside."""
    settings = lab_settings(place, kind)
    nowhere = lab_settings(place, kind, auth_url="http://127.0.0.1:9/v3")
    return Rig(
        make=lambda: CinderDriver(settings),
        unreachable=lambda: CinderDriver(nowhere),
        leftovers=lambda: lab_leftovers(place),
        bad_refs=BAD_REFS,
        foreign_refs=(f"cinder://slow/{NOWHERE}",),
        too_large=1 << 50,
        secrets=("glancepass",),
        copies=True,
        largest=32 << 20,
        patience=90.0,
        faults=4,
    )


class Service:
    """A service of Cinder that can hang, die, and be started again."""

    def __init__(self, name: str) -> None:
        self.file = Path(lab("MULTISTORE_LAB_CINDER_RUN"), f"cinder-{name}.pid")
        self.command = Path(lab("MULTISTORE_LAB_CINDER_PLACE"), name)
        self.log = self.command.with_name(f"{name}-again.log")

    @property
    def pid(self) -> int:
        return int(self.file.read_text().split()[0])

    def signal(self, number: int) -> None:
        """To it and its children, which are of its session."""
        for pid in (self.pid, *_children(self.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def start(self) -> None:
        with self.log.open("ab") as log:
            new = subprocess.Popen(
                [str(self.command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started = Path(f"/proc/{new.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        self.file.write_text(f"{new.pid} {started}\n")
        _STARTED.append(new)  # it outlives the tests: lab-down ends it


_STARTED: list[subprocess.Popen[bytes]] = []


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(each) for each in listed.read_text().split()]
    except OSError:
        return []
