"""One measured piece of work, in a process of its own: ``python work.py NAME '{"argument": ...}'``.

Prints one JSON object: ``seconds`` of the work itself and ``cpu`` of this process, and ``peak`` and ``idle``, the resident set in bytes at its highest
and before the work began, with the library imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from multistore import Store, StoreOptions, open_store
from resident import peak

PIECE = 1 << 20


def store_at(directory: str, *, durable: bool = True, fused: bool = True) -> Store:
    """Open a file store as a user would, with its defaults; ``fused`` off leaves the digests to hashlib."""
    return open_store(
        {"driver": "file", "path": directory, "durable": durable},
        name="bench",
        options=StoreOptions(fused_digests=fused),
    )


# -- whole images ------------------------------------------------------------------------------


def hash_in_one_thread(path: str, names: list[str]) -> None:
    """Hash a file with every digest, one after the other for each piece: what a simple loop does."""
    digests = [hashlib.new(name, usedforsecurity=False) for name in names]
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            for digest in digests:
                digest.update(piece)


def cp_and_sync(path: str, directory: str) -> None:
    """Copy with cp, holes as cp finds them, and have it on the disk."""
    target = os.path.join(directory, "copy")
    subprocess.run(["cp", path, target], check=True)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def cat(path: str) -> None:
    """Read a file with cat."""
    subprocess.run(["cat", path], check=True, stdout=subprocess.DEVNULL)


def put(path: str, directory: str, durable: bool = True, fused: bool = True) -> None:
    """Put a file into a file store, with both default digests."""
    with store_at(directory, durable=durable, fused=fused) as store:
        store.put("image", path)


def puts(path: str, directory: str, count: int, durable: bool, fused: bool) -> None:
    """Put a file several times at once, each in a thread of its own."""
    with store_at(directory, durable=durable, fused=fused) as store:
        threads = [
            threading.Thread(target=store.put, args=(str(number), path)) for number in range(count)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        for number in range(count):
            assert store.stat(f"file://{directory}/{number}").size == os.path.getsize(path)


def put_stream(size: int, directory: str) -> None:
    """Put a stream of unknown length: what comes in over a wire."""
    piece = os.urandom(PIECE)

    def source() -> Iterator[bytes]:
        for _ in range(size // PIECE):
            yield piece

    with store_at(directory) as store:
        store.put("image", source())


def get(directory: str, expect: dict[str, str] | None = None) -> None:
    """Get an image to /dev/null, verified if a digest is expected."""
    with store_at(directory) as store:
        (info,) = store.list()
        store.get(info.ref, "/dev/null", expect=expect)


# -- small images ------------------------------------------------------------------------------


def small_loop(directory: str, count: int, size: int, durable: bool) -> None:
    """Write small files as a careful plain program does: write, fsync, rename, fsync of the directory; digests too."""
    data = os.urandom(size)
    for number in range(count):
        path = os.path.join(directory, str(number))
        hashlib.md5(data, usedforsecurity=False).hexdigest()
        hashlib.sha512(data).hexdigest()
        descriptor = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, data)
        if durable:
            os.fsync(descriptor)
        os.close(descriptor)
        os.rename(path + ".part", path)
        if durable:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(descriptor)
            os.close(descriptor)


def small_put(directory: str, count: int, size: int, durable: bool) -> None:
    """Put small images, one after the other."""
    data = os.urandom(size)
    with store_at(directory, durable=durable) as store:
        for number in range(count):
            store.put(str(number), data)


def plain_read(directory: str, count: int) -> None:
    """Read small files with a plain program."""
    for number in range(count):
        with open(os.path.join(directory, str(number)), "rb") as file:
            file.read()


def plain_stat(directory: str, count: int) -> None:
    """Stat small files with a plain program."""
    for number in range(count):
        os.stat(os.path.join(directory, str(number)))


def plain_delete(directory: str, count: int, durable: bool) -> None:
    """Delete small files with a plain program."""
    for number in range(count):
        os.unlink(os.path.join(directory, str(number)))
        if durable:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(descriptor)
            os.close(descriptor)


def small_get(directory: str, count: int) -> None:
    """Read small images."""
    refs = _refs(directory, count)
    with store_at(directory) as store:
        for ref in refs:
            with store.open(ref) as image:
                for _ in image:
                    pass


def small_stat(directory: str, count: int) -> None:
    """Stat small images."""
    refs = _refs(directory, count)
    with store_at(directory) as store:
        for ref in refs:
            store.stat(ref)


def small_delete(directory: str, count: int, durable: bool) -> None:
    """Delete small images."""
    refs = _refs(directory, count)
    with store_at(directory, durable=durable) as store:
        for ref in refs:
            store.delete(ref)


def _refs(directory: str, count: int) -> list[str]:
    return [f"file://{directory}/{number}" for number in range(count)]


WORK: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        hash_in_one_thread, cp_and_sync, cat, put, puts, put_stream, get,
        small_loop, small_put, plain_read, plain_stat, plain_delete,
        small_get, small_stat, small_delete,
    )
}  # fmt: skip


def main() -> None:
    """Do one piece of work and say what it took."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    fresh = arguments.pop("fresh", None)
    if fresh:
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
    idle = peak()
    started, worked = time.perf_counter(), time.process_time()
    WORK[name](**arguments)
    seconds = time.perf_counter() - started
    cpu = time.process_time() - worked
    report: dict[str, Any] = {"seconds": seconds, "cpu": cpu, "idle": idle, "peak": peak()}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
