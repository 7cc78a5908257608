"""The http driver keeps the reading part of the contract against nginx, with and without ranges and lengths."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from multistore.registry import open_driver
from multistore.testing import DriverConformance, Rig

SECRET = "s3cr3t-canary"

CONFIGURATION = """
worker_processes 1;
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  default_type application/octet-stream;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /files/    {{ alias {place}/www/; }}
    location /norange/  {{ alias {place}/www/; max_ranges 0; }}
    location /redirect/ {{ rewrite ^/redirect/(.*)$ /files/$1 redirect; }}
  }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A private nginx and the directory that it serves."""

    url: str
    files: Path


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    place = tmp_path_factory.mktemp("nginx")
    (place / "www").mkdir()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    user = "user root;\n" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(user + CONFIGURATION.format(place=place, port=port))
    server = subprocess.Popen(
        [binary, "-e", f"{place}/error.log", "-p", str(place), "-c", str(place / "nginx.conf")]
    )
    try:
        _wait_for(port, server)
        yield Server(f"http://127.0.0.1:{port}", place / "www")
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert server.poll() is None, "nginx did not start"
            assert time.monotonic() < until, "nginx does not answer"
            time.sleep(0.02)


class _Http(DriverConformance):
    """Files of a web server, read through one of its locations."""

    location: ClassVar[str]

    @pytest.fixture
    def rig(self, nginx: Server) -> Rig:
        def plant(name: str, data: bytes) -> str:
            (nginx.files / name).write_bytes(data)
            return f"{nginx.url}{self.location}{name}"

        def rewrite(ref: str, data: bytes) -> None:
            path = nginx.files / ref.rpartition("/")[2]
            path.write_bytes(data)
            # nginx makes its ETag of the size and of whole seconds.
            os.utime(path, (1, secrets.randbelow(1 << 30)))

        def corrupt(ref: str) -> None:
            path = nginx.files / ref.rpartition("/")[2]
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)

        base = f"{nginx.url}{self.location}"
        settings = {"driver": "http", "username": "reader", "password": SECRET}
        return Rig(
            make=lambda: open_driver({**settings, "base": base}),
            unreachable=lambda: open_driver({**settings, "base": "http://127.0.0.1:1/files/"}),
            url=base,
            plant=plant,
            rewrite=rewrite,
            corrupt=corrupt,
            missing_ref=f"{base}missing",
            foreign_refs=(f"{nginx.url}/elsewhere/x", "memory://x"),
            bad_refs=("http://", "http:///x", "ftp://127.0.0.1/x"),
            secrets=(SECRET,),
            sdk=("urllib3", "requests"),
        )


@pytest.mark.real
class TestHttp(_Http):
    location = "/files/"


@pytest.mark.real
class TestHttpWithoutRanges(_Http):
    location = "/norange/"


@pytest.mark.real
class TestHttpRedirected(_Http):
    location = "/redirect/"
