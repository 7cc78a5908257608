"""Does things with a store of a real server through the glance_store of this interpreter: a JSON object in, one out.

Standard library only, and the glance_store under test: it runs in the environment of the peer as well.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from typing import Any

Told = dict[str, Any]


def content(size: int) -> bytes:
    """Make the bytes that an image of this size has: zeros in the middle."""
    data = bytes(range(256)) * (size // 256 + 1)
    return data[: size // 3] + bytes(size // 3) + data[2 * (size // 3) : size]


def name_of(told: Told) -> str:
    return str(told.get("store", "ceph"))


def made(told: Told) -> Any:
    """Make one store, ``ceph`` of type rbd unless told otherwise, and take the whole interface."""
    import glance_store
    from oslo_config import cfg

    cfg.CONF.register_opts([cfg.DictOpt("enabled_backends")])
    cfg.CONF([], project="cross", default_config_files=[], default_config_dirs=[])
    backends = {name_of(told): told.get("type", "rbd"), "other": "http"}
    cfg.CONF.set_override("enabled_backends", backends)
    glance_store.register_store_opts(cfg.CONF)
    for name, value in told["options"].items():
        cfg.CONF.set_override(name, value, group=name_of(told))
    glance_store.create_multi_stores(cfg.CONF)
    return glance_store


def add(store: Any, told: Told) -> Any:
    """Add an image; ``at`` is the time at which its data comes to its end."""
    from oslo_config import cfg

    data = content(told["size"])

    class Source(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            piece = super().read(size)
            if not piece:
                time.sleep(max(0.0, told.get("at", 0.0) - time.time()))
            return piece

    size = len(data) if told["known"] else 0
    result = store.add_with_multihash(
        cfg.CONF, told["name"], Source(data), size, name_of(told), "sha256"
    )
    return list(result)


def get(store: Any, told: Told) -> Any:
    data, size = store.get(told["uri"], name_of(told))
    read = b"".join(data)
    return [size, len(read), hashlib.sha256(read).hexdigest()]


def size(store: Any, told: Told) -> Any:
    return store.get_size_from_uri_and_backend(told["uri"], name_of(told))


def delete(store: Any, told: Told) -> Any:
    return store.delete(told["uri"], name_of(told))


def several(store: Any, told: Told) -> list[Told]:
    """Do several things, each with what it is told on top of what all are told."""
    return [outcome(store, {**told, **each}) for each in told["steps"]]


def outcome(store: Any, told: Told) -> Told:
    """Do one thing; give the result, or the names of the classes of the exception."""
    try:
        return {"returned": globals()[told["verb"]](store, told)}
    except Exception as error:
        return {"raised": [each.__name__ for each in type(error).__mro__], "text": str(error)}


def main() -> None:
    """Do what is asked, and tell how it went."""
    told = json.loads(sys.stdin.read())
    print(json.dumps(outcome(made(told), told)))


if __name__ == "__main__":
    main()
