"""One measured piece of work on a Cinder store of the interface, in a process of its own, with either library.

``python cinder_work.py NAME '{"argument": ...}'`` prints one JSON object: ``seconds``, ``peak`` and ``idle`` as work.py, and ``requests``, how many went
to Cinder's API; for a get also what they were, ``asked``, and those of the put of its image before, ``asked_before``.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

warnings.simplefilter("ignore")
for _name in ("rados", "rbd"):  # the distribution's, for both libraries
    _spec = importlib.util.spec_from_file_location(
        _name, f"/usr/lib/python3/dist-packages/{_name}.cpython-311-x86_64-linux-gnu.so"
    )
    if _spec is None or _spec.loader is None:
        raise ImportError(_name)
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_name])

import glance_store  # noqa: E402
from glance_store import location, multi_backend  # noqa: E402
from keystoneauth1 import session  # noqa: E402
from os_brick import privileged  # noqa: E402
from oslo_concurrency import lockutils  # noqa: E402
from oslo_config import cfg  # noqa: E402
from resident import peak  # noqa: E402

#: Both run as root here: nothing has to become it.
privileged.default.set_client_mode(False)
_PIECE = 1 << 20
_ASKED: list[str] = []


def counting() -> None:
    """Count the requests to Cinder."""
    request = session.Session.request

    def counted(self: Any, url: str, method: str, **options: Any) -> Any:
        if not url.endswith("/auth/tokens"):
            _ASKED.append(f"{method} {url}")
        return request(self, url, method, **options)

    session.Session.request = counted  # type: ignore[method-assign,assignment]


def store(keystone: str, place: str) -> Any:
    """Make a store with volumes in Ceph, as Glance does."""
    conf = cfg.CONF
    conf.register_opt(cfg.DictOpt("enabled_backends"))
    conf([], default_config_files=[])
    conf.set_override("enabled_backends", {"bench": "cinder"})
    lockutils.set_defaults(os.path.join(place, "locks"))
    glance_store.register_store_opts(conf)
    values = {
        "cinder_store_auth_address": keystone,
        "cinder_store_user_name": "glance",
        "cinder_store_password": "glancepass",
        "cinder_store_project_name": "service",
        "cinder_volume_type": "rbd",
        "cinder_mount_point_base": os.path.join(place, "mnt"),
    }
    multi_backend.create_multi_stores(conf)
    for name, value in values.items():
        conf.set_override(name, value, group="bench")
    conf.set_override("default_backend", "bench", group="glance_store")
    multi_backend.create_multi_stores(conf)
    return multi_backend.get_store_from_store_identifier("bench")


class Source:
    """Bytes in which every block is different, made before they are asked for."""

    def __init__(self, size: int) -> None:
        self._block = os.urandom(_PIECE)
        self._left = size

    def read(self, size: int) -> bytes:
        size = min(size, self._left, _PIECE)
        self._left -= size
        return self._block[:size]


CONTEXT = SimpleNamespace(
    project_id="bench", user_id="bench", auth_token=None, service_catalog=[], to_dict=dict
)


def put(made: Any, size: int, known: bool) -> str:
    """Store an image, and give its location."""
    name = f"bench-{time.time()}"
    found = made.add(name, Source(size), size if known else 0, "sha512", context=CONTEXT)
    assert found[1] == size
    return str(found[0])


def get(made: Any, uri: str) -> Iterator[bytes]:
    """Read an image."""
    place = location.get_location_from_uri_and_backend(uri, "bench")
    stream, _size = made.get(place, context=CONTEXT)
    yield from stream


def main() -> None:
    """Do what the command line says."""
    work, arguments = sys.argv[1], json.loads(sys.argv[2])
    os.makedirs(os.path.join(arguments["place"], "locks"), exist_ok=True)
    made = store(arguments["keystone"], arguments["place"])
    size, known = arguments["size"], arguments.get("known", True)
    counting()
    uri = put(made, size, known) if work == "get" else ""
    before = _ASKED.copy()
    _ASKED.clear()
    idle = peak()
    start = time.perf_counter()
    if work == "get":
        assert sum(map(len, get(made, uri))) == size
    else:
        uri = put(made, size, known)
    seconds = time.perf_counter() - start
    asked = _ASKED.copy()
    reached = peak()
    made.delete(location.get_location_from_uri_and_backend(uri, "bench"), context=CONTEXT)
    counted = {"requests": len(asked), "asked": asked, "asked_before": before}
    print(json.dumps({"seconds": seconds, "peak": reached, "idle": idle, **counted}))


if __name__ == "__main__":
    main()
