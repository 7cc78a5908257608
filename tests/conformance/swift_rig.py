"""A rig over a Swift store: on a real server, or on the stand-in for one."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.drivers.swift.accounts import Accounts
from multistore.drivers.swift.container import Container, md5_of
from multistore.drivers.swift.identity import Identity, Keystone, identity_of
from multistore.drivers.swift.refs import is_segment
from multistore.drivers.swift.wire import Swift
from multistore.errors import StoreError
from multistore.testing import Rig

HOSTILE = (
    "a/b",
    "a?b",
    "a#b",
    "a@b",
    "a\0b",
    "a\nb",
    "n" * 901,
    ".",
    "..",
    "a ",
    "\udc80",
    "x-0123456789abcdef-00001",
)
SECRET = "s3cr3t-canary"

# pytest's log file has a lock that a forked child never gets if another thread is just writing.
for _name in ("urllib3.connectionpool", "keystoneauth", "swiftclient"):
    logging.getLogger(_name).setLevel(logging.INFO)


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


def swift_settings(**changes: Any) -> SwiftSettings:
    """Give the settings of a store with small segments, in a container that is made when it is needed."""
    values: dict[str, Any] = {
        "container": f"conformance-{uuid.uuid4().hex[:8]}",
        "create_container": True,
        "segment_size": 64 << 10,
        "parallel": 3,
        "connect_timeout": 5.0,
        "timeout": 20.0,
    }
    return SwiftSettings(**values | changes)


def tempauth(**changes: Any) -> SwiftSettings:
    """A store in Swift with Swift's own users."""
    return swift_settings(
        **{
            "auth_url": lab("MULTISTORE_LAB_SWIFT_AUTH"),
            "auth_version": "1",
            "user": lab("MULTISTORE_LAB_SWIFT_USER"),
            "password": Secret(lab("MULTISTORE_LAB_SWIFT_KEY")),
        }
        | changes
    )


def keystone(**changes: Any) -> SwiftSettings:
    """A store in Swift with Keystone's users."""
    return swift_settings(
        **{
            "auth_url": lab("MULTISTORE_LAB_KEYSTONE"),
            "user": "demo",
            "password": Secret("demopass"),
            "project": "demo",
            "region": "RegionOne",
        }
        | changes
    )


def gateway(**changes: Any) -> SwiftSettings:
    """A store in Ceph's gateway."""
    return swift_settings(
        **{
            "auth_url": lab("MULTISTORE_LAB_RGW") + "/auth/v1.0",
            "auth_version": "1",
            "user": lab("MULTISTORE_LAB_RGW_SWIFT_USER"),
            "password": Secret(lab("MULTISTORE_LAB_RGW_SWIFT_KEY")),
        }
        | changes
    )


class _Kept(Identity):
    """A login for all looks from backstage, whose connections are closed after each."""

    def __init__(self, inner: Identity) -> None:
        self._inner = inner

    def endpoint(self) -> str:
        return self._inner.endpoint()

    def token(self) -> str:
        return self._inner.token()

    def renew(self, refused: str) -> bool:
        return self._inner.renew(refused)

    def close(self) -> None:
        if isinstance(self._inner, Keystone):
            self._inner._made.get()[0].session.close()


_LOGINS: dict[SwiftSettings, _Kept] = {}


class Backstage:
    """The account seen past the driver, on connections that are gone after each look."""

    def __init__(self, settings: SwiftSettings) -> None:
        self.settings = settings

    def _identity(self) -> Identity:
        key = replace(self.settings, container="any", manifest="static", timeout=20.0)
        if key not in _LOGINS:
            account = Accounts(self.settings).account()
            _LOGINS[key] = _Kept(identity_of(account, self.settings))
        return _LOGINS[key]

    @contextlib.contextmanager
    def container(self, name: str | None = None) -> Iterator[Container]:
        swift = Swift(self._identity(), self.settings)
        try:
            yield Container(swift, name or self.settings.container, create=True)
        finally:
            swift.close()

    def names(self, name: str | None = None) -> list[str]:
        """Give the names of all objects, segments and marks too."""
        with self.container(name) as container:
            return [each.name for each in container.entries()]

    def rewrite(self, ref: str, data: bytes) -> None:
        """Put another object there, without the segments of the one before."""
        name = SwiftDriver.parse(ref).object
        with self.container() as container:
            head = container.find(name, "backstage")
            container.put(name, "backstage", data, fields={})
            if head is not None and head.made_by:
                for each in container.entries(f"{name}-{head.made_by}-"):
                    container.delete(each.name, "backstage")

    def corrupt(self, ref: str) -> None:
        """Flip a bit in the middle."""
        with self.container() as container:
            data = bytearray(container.ask("GET", SwiftDriver.parse(ref).object, "backstage").body)
        data[len(data) // 2] ^= 1
        self.rewrite(ref, bytes(data))

    def leftovers(self) -> list[str]:
        """Give all that belongs to no image: marks, and segments that no manifest names."""
        with self.container() as container:
            names = [each.name for each in container.entries()]
            used: set[str] = set()
            for name in names:
                if is_segment(name):
                    continue
                head = container.find(name, "backstage")
                if head is not None and head.made_by:
                    used |= {
                        other for other in names if other.startswith(f"{name}-{head.made_by}-")
                    }
        return [name for name in names if is_segment(name) and name not in used]

    def plant_static(
        self, name: str, places: list[tuple[str, bytes]], inside: str, *, etags: bool = False
    ) -> None:
        """Store a static large object as another program would, with its segments' digests or without."""
        with self.container(inside) as other, self.container() as container:
            entries = []
            for segment, data in places:
                other.put(segment, "backstage", data, fields={})
                entry = {"path": f"/{inside}/{segment}", "size_bytes": len(data)}
                entries.append(entry | ({"etag": md5_of(data)} if etags else {}))
            body = json.dumps(entries).encode()
            container.put(name, "backstage", body, fields={}, query={"multipart-manifest": "put"})

    def empty(self) -> None:
        """Remove the container and all that is in it."""
        with self.container() as container:
            with ThreadPoolExecutor(4) as pool:
                jobs = [
                    pool.submit(container.delete, each.name, "backstage")
                    for each in container.entries()
                ]
            for job in jobs:
                job.result()
            with contextlib.suppress(StoreError):
                container.swift.ask("DELETE", (container.name,), "backstage", fine=(404,))


def swift_rig(settings: SwiftSettings, **changes: Any) -> Rig:
    """One container, looked at from outside as well."""
    back = Backstage(settings)
    driver = SwiftDriver(settings)
    base = driver.prefixes()[0].removesuffix(f"/{settings.container}/")
    nowhere = swift_settings(
        auth_url="http://127.0.0.1:1/v3",
        user="x",
        password=Secret("x"),
        project="x",
        container=settings.container,
    )
    values: dict[str, Any] = {
        "make": lambda: SwiftDriver(settings),
        "unreachable": lambda: SwiftDriver(nowhere),
        "url": f"{base}/{settings.container}?auth_version={settings.auth_version}",
        "rewrite": back.rewrite,
        "corrupt": back.corrupt,
        "leftovers": back.leftovers,
        "hostile_names": HOSTILE,
        "bad_refs": (
            f"{base}//x", "swift://", "swift:///c/o", "SWIFT://h/c/o", f"{base}/c/k\0x", "swift://h/c/..",
            "swift://u:p@https://h/c/o", "swift://u@h/v1/c/o", "swift://[h/c/o", "swift://h/c/", "swift+config:///c/o",
        ),
        "foreign_refs": (
            f"{base}/{settings.container}-other/x", f"swift+http://elsewhere.example/v3/{settings.container}/x",
            "swift+config://other/c/x", "memory://x",
        ),
        "too_large": 1 << 60,
        "secrets": (settings.password.reveal(),) if settings.password and len(settings.password.reveal()) > 7 else (),
        "sdk": ("swiftclient", "keystoneauth1", "requests"),
        "copies": True,
        "unstaged": settings.segment_size,
        "faults": 6,
    }  # fmt: skip
    return Rig(**values | changes)
