"""A real Glance API server on loopback, with sqlite and the stores ``fast:file``, ``slow:file``, ``web:http``, in a directory of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from realglance.client import Client

__all__ = ["CONFIG", "LIBRARY", "ROOT", "UNTIL_WE_END", "Glance", "environment", "until"]

ROOT = Path(__file__).parents[2]
#: Which library the scenarios run on: MULTISTORE_GLANCE=peer asks for the release that ours stands in for, to compare by hand.
LIBRARY = os.environ.get("MULTISTORE_GLANCE", "ours")

#: What starts a process that ends with the tests, however they end.
UNTIL_WE_END = ("setpriv", "--pdeathsig", "TERM")

# The context filter alone stands for keystonemiddleware: it takes the caller's word for who he is.
PASTE = """\
[composite:glance-api]
paste.composite_factory = glance.api:root_app_factory
/: api
/healthcheck: healthcheck

[pipeline:api]
pipeline = versionnegotiation context rootapp

[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app

[app:apiversions]
paste.app_factory = glance.api.versions:create_resource

[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory

[app:healthcheck]
paste.app_factory = oslo_middleware:Healthcheck.app_factory

[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory

[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
"""

# Glance refuses locations on loopback addresses, unless the host is named; allowed_ports is 80 and 443 by default.
CONFIG = """\
[DEFAULT]
log_file = {place}/glance.log
use_stderr = false
enabled_backends = fast:file,slow:file,web:http
enabled_import_methods = [glance-direct,web-download,copy-image]
show_multiple_locations = true
worker_self_reference_url = http://127.0.0.1:{port}
image_cache_dir = {place}/cache

[database]
connection = sqlite:///{place}/glance.sqlite

[oslo_concurrency]
lock_path = {place}/locks

[oslo_messaging_notifications]
driver = noop

[paste_deploy]
config_file = {place}/etc/glance-api-paste.ini

[import_filtering_opts]
allowed_hosts = [127.0.0.1]
allowed_ports = []

[glance_store]
default_backend = fast

[fast]
store_description = fast files
weight = 200
filesystem_store_datadir = {place}/fast

[slow]
store_description = slow files
weight = 100
filesystem_store_datadir = {place}/slow

[web]
store_description = the web server of the lab

[os_glance_staging_store]
filesystem_store_datadir = {place}/staging

[os_glance_tasks_store]
filesystem_store_datadir = {place}/tasks
"""


def environment(library: str) -> Path:
    """Give the virtual environment of ``ours`` or ``peer``, brought up to date."""
    script = ROOT / "lab/glance/environment.sh"
    done = subprocess.run(
        ["bash", script, library], check=False, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise OSError(f"the Glance environment of {library} cannot be made: {done.stderr}")
    return ROOT / ".venv-glance" / library


def until(what: str, true: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


class Glance:
    """One server with one worker process; everything it writes is in ``place``.  A context manager that starts and stops it."""

    def __init__(
        self, venv: Path, place: Path, config: str = CONFIG, port: int | None = None
    ) -> None:
        self.venv = venv
        self.place = place
        self.port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for folder in ("etc", "run", "locks", "staging", "tasks"):
            (place / folder).mkdir(parents=True, exist_ok=True)
        (place / "etc/glance-api-paste.ini").write_text(PASTE)
        (place / "etc/glance-api.conf").write_text(config.format(place=place, port=self.port))
        file = place / "etc/glance-api.conf"
        subprocess.run(
            [venv / "bin/glance-manage", "--config-file", file, "db_sync"],
            check=True,
            capture_output=True,
            timeout=60,
        )

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def client(self) -> Client:
        return Client(self.port, self.log)

    def start(self) -> None:
        options = [
            *("--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--worker-tmp-dir", "run"),
            *("--worker-class", "gthread", "--threads", "8", "--timeout", "60"),
            *("--graceful-timeout", "5", "--no-control-socket"),
        ]
        settings = {"OS_GLANCE_CONFIG_DIR": str(self.place / "etc"), "no_proxy": "127.0.0.1"}
        with open(self.place / "gunicorn.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *UNTIL_WE_END,
                    self.venv / "bin/gunicorn",
                    *options,
                    "glance.wsgi.api:application",
                ],
                cwd=self.place,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until("Glance to answer", self.answers)

    def stop(self) -> None:
        """End it politely; by force, with its worker, after a while."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own
            self._process.wait(15)
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill_worker(self) -> None:
        """End the process that serves, in the middle of whatever it does; gunicorn starts another one."""
        assert self._process is not None
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        assert len(children) == 1, children
        os.kill(int(children[0]), signal.SIGKILL)
        until("the next worker", self.answers)

    def answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise OSError(f"Glance ended at once: {self.log()[-3000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/healthcheck")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def rows(self, query: str, *values: str) -> list[tuple[str, ...]]:
        """Do something in Glance's database, behind its back."""
        with contextlib.closing(sqlite3.connect(self.place / "glance.sqlite")) as database:
            found = database.execute(query, values).fetchall()
            database.commit()
        return found

    def idle(self, image: str) -> bool:
        """Tell whether no task is at work on an image; while one is, sqlite may refuse a request that writes.

        Glance's own list of tasks is no help: showing it writes too, and then it is the task that may fail.
        """
        busy = "select id from tasks where image_id = ? and status in ('pending', 'processing')"
        return not self.rows(busy, image)

    def log(self) -> str:
        """Give what Glance and its server said."""
        files = (self.place / name for name in ("gunicorn.log", "glance.log"))
        return "\n".join(file.read_text(errors="replace") for file in files if file.exists())
