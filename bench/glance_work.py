"""One measured piece of work through the glance_store of this interpreter: ``python glance_work.py NAME '{...}'``.

Standard library only, and the glance_store under test: it runs in the environment of the peer as well.  Prints one JSON
object, as ``work.py`` does; ``idle`` is the memory with the stores made.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from resident import peak

PIECE = 1 << 20
ALGORITHM = "sha512"  # the one that Glance uses unless told otherwise


def made(directory: str, durable: bool, thin: bool) -> Any:
    """Make two file stores, ``one`` and ``two``, as Glance does at its start; the peer has no option for durability."""
    import glance_store
    from oslo_config import cfg

    path = os.path.join(directory, "service.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "[DEFAULT]\nenabled_backends = one:file, two:file\n[glance_store]\ndefault_backend = one\n"
        )
        file.writelines(
            f"[{ident}]\nfilesystem_store_datadir = {directory}/{ident}\nweight = 3\n"
            f"filesystem_store_durable = {durable}\nfilesystem_thin_provisioning = {thin}\n"
            for ident in ("one", "two")
        )
    cfg.CONF.register_opts([cfg.DictOpt("enabled_backends")])
    cfg.CONF(args=[], project="bench", default_config_files=[path], default_config_dirs=[])
    glance_store.register_store_opts(cfg.CONF)
    glance_store.create_multi_stores(cfg.CONF)
    return glance_store


def add_one(store: Any, name: str, source: Any, size: int) -> str:
    """Add an image as Glance does, and give its location."""
    from oslo_config import cfg

    url: str = store.add_with_multihash(cfg.CONF, name, source, size, "one", ALGORITHM)[0]
    return url


def synced(path: str) -> None:
    """Have a file and its directory on the disk: what a careful caller would have to add to the peer."""
    for each in (path, os.path.dirname(path)):
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def add(store: Any, directory: str, path: str, known: bool, sync: bool = False) -> None:
    """Add one big image from a file; ``sync`` has it on the disk afterwards."""
    with open(path, "rb") as source:
        add_one(store, "image", source, os.path.getsize(path) if known else 0)
    if sync:
        synced(os.path.join(directory, "one", "image"))


class Stream:
    """An endless body of a request: what comes in over a wire."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.block = os.urandom(8 * PIECE)

    def read(self, size: int) -> bytes:
        given = min(size, self.left, len(self.block))
        self.left -= given
        return self.block[:given]

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(65536):
            yield piece


def add_stream(store: Any, _: str, size: int) -> None:
    """Add a stream of unknown length."""
    add_one(store, "image", Stream(size), 0)


def get(store: Any, directory: str) -> None:
    """Get one big image, and drop it."""
    data, _ = store.get(f"file://{directory}/one/image", "one")
    for _ in data:
        pass


def small_add(store: Any, directory: str, count: int, size: int, sync: bool = False) -> None:
    """Add small images, one after the other."""
    import io

    data = os.urandom(size)
    for number in range(count):
        add_one(store, str(number), io.BytesIO(data), size)
        if sync:
            synced(os.path.join(directory, "one", str(number)))


def small_get(store: Any, directory: str, count: int) -> None:
    """Get small images."""
    for number in range(count):
        data, _ = store.get(f"file://{directory}/one/{number}", "one")
        for _ in data:
            pass


def small_size(store: Any, directory: str, count: int) -> None:
    """Ask for the size of small images."""
    for number in range(count):
        store.get_size_from_uri_and_backend(f"file://{directory}/one/{number}", "one")


def small_delete(store: Any, directory: str, count: int) -> None:
    """Delete small images."""
    for number in range(count):
        store.delete(f"file://{directory}/one/{number}", "one")


def lookup(store: Any, _: str, count: int) -> None:
    """Look a store up by its name."""
    find = store.get_store_from_store_identifier
    for _each in range(count):
        find("two")


def weight(store: Any, _: str, count: int) -> None:
    """Ask for the weight of a store."""
    ask = store.get_store_weight
    for _each in range(count):
        ask("two")


WORK: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        add,
        add_stream,
        get,
        small_add,
        small_get,
        small_size,
        small_delete,
        lookup,
        weight,
    )
}


def main() -> None:
    """Do one piece of work and say what it took; ``start`` is the import and the making of the stores alone."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    directory = arguments.pop("directory")
    if arguments.pop("fresh", False):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
    started = time.perf_counter()
    store = made(directory, arguments.pop("durable", False), arguments.pop("thin", False))
    if name != "start":
        idle, started, worked = peak(), time.perf_counter(), time.process_time()
        WORK[name](store, directory, **arguments)
    else:
        idle, worked = 0, 0.0
    seconds = time.perf_counter() - started
    cpu = time.process_time() - worked
    print(json.dumps({"seconds": seconds, "cpu": cpu, "idle": idle, "peak": peak()}))


if __name__ == "__main__":
    main()
