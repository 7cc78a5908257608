"""A proxy and an object server of Swift of one's own, to be put to trouble: nobody else's tests are disturbed.

Keystone, and the servers of accounts and containers, are the lab's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from conformance.swift_rig import keystone, lab
from multistore.drivers.swift import SwiftDriver, SwiftSettings

__all__ = ["Cloud", "ask_keystone", "log_in", "own_cloud"]

_RING = """
import sys
from swift.common.ring import RingBuilder
builder = RingBuilder(4, 1, 1)
builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(sys.argv[1]), "device": "d1", "weight": 1.0})
builder.rebalance()
builder.get_ring().save(sys.argv[2])
"""
#: A list has so many names at most, as far as the proxy knows.
LISTED = 5


def ask_keystone(
    method: str, path: str, token: str | None, body: Any = None, **fields: str
) -> tuple[dict[str, str], Any]:
    """Ask Keystone itself."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(lab("MULTISTORE_LAB_KEYSTONE") + path, data, method=method)
    fields = {"Content-Type": "application/json", **fields}
    if token:
        fields["X-Auth-Token"] = token
    for name, value in fields.items():
        request.add_header(name, value)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        text = answer.read()
        found = {name.lower(): value for name, value in answer.headers.items()}
        return found, json.loads(text) if text else None


def log_in() -> tuple[str, str]:
    """Give a token of the user ``demo``, and the user's id."""
    domain = {"id": "default"}
    user = {"name": "demo", "password": "demopass", "domain": domain}
    scope = {"project": {"name": "demo", "domain": domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    fields, told = ask_keystone(
        "POST", "/auth/tokens", None, {"auth": {"identity": identity, "scope": scope}}
    )
    return fields["x-subject-token"], told["token"]["user"]["id"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _changed(text: str, **options: object) -> str:
    """Set options that a file of Swift's has already."""
    for name, value in options.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count, name
    return text


class Cloud:
    """The servers, by their names: ``cache``, ``object``, ``proxy`` and further proxies."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._lab = Path(lab("MULTISTORE_LAB_SWIFT_ETC"))
        self._bin = Path(lab("MULTISTORE_LAB_OPENSTACK")) / "bin"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = {"cache": _free_port(), "object": _free_port()}
        self.account = ""

    def start(self) -> None:
        """Start all, and find out where the account is."""
        (self.place / "d1").mkdir()
        for name in ("account.ring.gz", "container.ring.gz", "swift.conf"):
            shutil.copy(self._lab / name, self.place)
        with (self.place / "swift.conf").open("a") as file:
            file.write(f"[swift-constraints]\ncontainer_listing_limit = {LISTED}\n")
        ring = ["-c", _RING, str(self._ports["object"]), str(self.place / "object.ring.gz")]
        subprocess.run([self._bin / "python", *ring], check=True, timeout=60)
        text = (self._lab / "object.conf").read_text()
        own = {"bind_port": self._ports["object"], "swift_dir": self.place, "devices": self.place}
        (self.place / "object.conf").write_text(_changed(text, **own))
        user = ["-u", "root"] if os.getuid() == 0 else []
        self._spawn(
            "cache", "memcached", "-l", "127.0.0.1", "-p", self._ports["cache"], "-U", "0", *user
        )
        self._spawn("object", self._bin / "swift-object-server", self.place / "object.conf")
        self._spawn_proxy("proxy")
        self._await("cache", "object", "proxy")
        driver = SwiftDriver(keystone())
        self.account = urlsplit(driver._accounts.main().identity.endpoint()).path
        driver.close()

    def _spawn(self, name: str, *command: object) -> None:
        with (self.place / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _spawn_proxy(self, name: str, limits: str = "", slo: str = "") -> None:
        port = self._ports[name] = _free_port()
        text = (self._lab / "proxy-keystone.conf").read_text()
        text = _changed(
            text,
            bind_port=port,
            swift_dir=self.place,
            memcache_servers=f"127.0.0.1:{self._ports['cache']}",
        )
        # A server that was away is asked again at once.
        text = text.replace("node_timeout = ", "error_suppression_interval = 0.1\nnode_timeout = ")
        text = text.replace("egg:swift#slo", f"egg:swift#slo\n{slo}")
        if limits:
            text = text.replace(" keystoneauth copy ", " keystoneauth ratelimit copy ")
            text = text.replace("egg:swift#ratelimit", f"egg:swift#ratelimit\n{limits}")
        (self.place / f"{name}.conf").write_text(text)
        self._spawn(name, self._bin / "swift-proxy-server", self.place / f"{name}.conf")

    def _await(self, *names: str) -> None:
        deadline = time.monotonic() + 60
        for name in names:
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", self._ports[name]), timeout=5).close()
                    break
                log = self.place / f"{name}.log"
                assert self._running[name].poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, f"{name} does not come up"
                time.sleep(0.05)

    def settings(self, **changes: Any) -> SwiftSettings:
        """Give the settings of a store in this cloud."""
        return keystone(**{"storage_url": self.url() + self.account} | changes)

    def url(self, proxy: str = "proxy") -> str:
        """Say where a proxy is."""
        return f"http://127.0.0.1:{self._ports[proxy]}"

    # -- trouble -----------------------------------------------------------------------------

    def kill_objects(self) -> None:
        """Have the object server die."""
        self._stop("object", signal.SIGKILL)

    def start_objects(self) -> None:
        """Have an object server again."""
        self._spawn("object", self._bin / "swift-object-server", self.place / "object.conf")
        self._await("object")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Have the object server hang."""
        server = self._running["object"]
        server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            server.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def limited(self, limits: str) -> Iterator[str]:
        """Have another proxy that lets through so many requests only; gives its URL."""
        self._spawn_proxy("limited", limits)
        try:
            self._await("limited")
            yield self.url("limited")
        finally:
            self._stop("limited")

    @contextlib.contextmanager
    def joining(self, most: int) -> Iterator[str]:
        """Have another proxy that takes so many segments in a manifest; gives its URL."""
        self._spawn_proxy("joining", slo=f"max_manifest_segments = {most}")
        try:
            self._await("joining")
            yield self.url("joining")
        finally:
            self._stop("joining")

    def forget(self) -> None:
        """Empty what the proxies remember of containers and tokens."""
        place = ("127.0.0.1", self._ports["cache"])
        with socket.create_connection(place, timeout=5) as memcached:
            memcached.sendall(b"flush_all\r\n")
            assert memcached.recv(100).startswith(b"OK")

    def revoke(self, token: str) -> None:
        """Have a token end now."""
        ask_keystone("DELETE", "/auth/tokens", token, **{"X-Subject-Token": token})
        self.forget()

    def _stop(self, name: str, number: int = signal.SIGTERM) -> None:
        server = self._running.pop(name)
        server.send_signal(number)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)

    def stop(self) -> None:
        """End all."""
        for name in list(self._running):
            self._stop(name)


@contextlib.contextmanager
def own_cloud(place: Path) -> Iterator[Cloud]:
    """Run one in an empty directory."""
    cloud = Cloud(place)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()
