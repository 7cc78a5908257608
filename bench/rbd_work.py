"""One measured piece of work on RBD stores through the glance_store of this interpreter: ``rbd_work.py NAME '{...}'``.

Standard library only, and the glance_store under test: it runs in the environment of the peer as well.
Prints one JSON object; ``idle`` is the memory with the store made and connected.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from resident import peak

MIB = 1 << 20
ALGORITHM = "sha512"
#: What the images of this run are called.
NAME = "bench"


def made(conf: str, thin: bool) -> Any:
    """Make two stores in one cluster, as Glance does at its start, and connect."""
    import glance_store
    from oslo_config import cfg

    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("[DEFAULT]\nenabled_backends = one:rbd, two:rbd\n")
        file.write("[glance_store]\ndefault_backend = one\n")
        file.writelines(
            f"[{ident}]\nrbd_store_ceph_conf = {conf}\nrbd_store_user = images\n"
            f"rbd_store_pool = {pool}\nrbd_thin_provisioning = {thin}\n"
            for ident, pool in (("one", "images"), ("two", "images-data"))
        )
        file.flush()
        cfg.CONF.register_opts([cfg.DictOpt("enabled_backends")])
        cfg.CONF(args=[], project="bench", default_config_files=[file.name], default_config_dirs=[])
        glance_store.register_store_opts(cfg.CONF)
        glance_store.create_multi_stores(cfg.CONF)
    return glance_store


class Stream:
    """The body of a request: random blocks of 4 MiB, and zeros for three of four where ``zeros`` is set."""

    def __init__(self, size: int, zeros: bool = False) -> None:
        self.left = size
        self.blocks = [os.urandom(4 * MIB) for _ in range(4)]
        if zeros:
            self.blocks[1:] = [bytes(4 * MIB)] * 3
        self.at = 0

    def read(self, size: int) -> bytes:
        block = self.blocks[self.at // (4 * MIB) % 4]
        within = self.at % (4 * MIB)
        piece = block[within : within + min(size, self.left)]
        self.at += len(piece)
        self.left -= len(piece)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(65536):
            yield piece


def add_one(store: Any, name: str, source: Any, size: int) -> str:
    """Add an image as Glance does, and give its location."""
    from oslo_config import cfg

    url: str = store.add_with_multihash(cfg.CONF, name, source, size, "one", ALGORITHM)[0]
    return url


def url_of(store: Any, name: str) -> str:
    """Give the location of an image that is there."""
    prefix: str = store.get_store_from_store_identifier("one").url_prefix
    return f"{prefix}{name}/snap"


def add(store: Any, size: int, known: bool, zeros: bool = False) -> None:
    """Add one big image."""
    add_one(store, NAME, Stream(size, zeros), size if known else 0)


def several(store: Any, size: int, count: int) -> None:
    """Add images side by side."""
    threads = [
        threading.Thread(target=add_one, args=(store, f"{NAME}-{n}", Stream(size), size))
        for n in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def get(store: Any) -> None:
    """Get one big image, and drop it."""
    data, size = store.get(url_of(store, NAME), "one")
    assert sum(map(len, data)) == size


def small_add(store: Any, count: int, size: int) -> None:
    """Add small images, one after the other."""
    data = os.urandom(size)
    for number in range(count):
        add_one(store, f"{NAME}-{number}", io.BytesIO(data), size)


def small_get(store: Any, count: int) -> None:
    """Get small images."""
    for number in range(count):
        data, size = store.get(url_of(store, f"{NAME}-{number}"), "one")
        assert sum(map(len, data)) == size


def small_size(store: Any, count: int) -> None:
    """Ask for the size of small images."""
    for number in range(count):
        store.get_size_from_uri_and_backend(url_of(store, f"{NAME}-{number}"), "one")


def small_delete(store: Any, count: int) -> None:
    """Delete small images."""
    for number in range(count):
        store.delete(url_of(store, f"{NAME}-{number}"), "one")


def delete(store: Any) -> None:
    """Delete the big image."""
    store.delete(url_of(store, NAME), "one")


def lookup(store: Any, count: int) -> None:
    """Look a store up by its name."""
    find = store.get_store_from_store_identifier
    for _ in range(count):
        find("two")


WORK: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (add, several, get, small_add, small_get, small_size, small_delete, delete, lookup)
}


def main() -> None:
    """Do one piece of work, in a store that is connected, and say what it took."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    clean = arguments.pop("clean", 0)
    store = made(arguments.pop("conf"), arguments.pop("thin", False))
    store.get_store_from_store_identifier("one")
    idle, started = peak(), time.perf_counter()
    WORK[name](store, **arguments)
    seconds = time.perf_counter() - started
    most = peak()
    if clean == 1:
        delete(store)
    elif clean:
        small_delete(store, clean)
    print(json.dumps({"seconds": seconds, "idle": idle, "peak": most}))


if __name__ == "__main__":
    main()
