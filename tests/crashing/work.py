"""The program that the crash tests interrupt: ``python work.py DIRECTORY VERB...`` with a file store in DIRECTORY.

=================  ================================================================================
``put:NAME:SIZE``  put the image of that name and size, then print ``put NAME``
``delete:NAME``    delete it, then print ``delete NAME``
=================  ================================================================================

What is printed is acknowledged.
``MULTISTORE_MARKS`` names a file that gets each acknowledgement too, as one write.
``MULTISTORE_CUT=K:PATH`` cuts the power of the file system at PATH at the K-th system call that the file driver makes
through ``os``; K=0 counts them: the number is printed last.
Temporary names are the same in every run, so that a tracer can be told of them, and one thread writes all parts, so that
the k-th call is the same one in every run.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import secrets
import struct
import sys
from collections.abc import Callable
from typing import Any

#: EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: _IOR('X', 125, __u32), the same number for both (linux/fs/ext4, xfs_fs.h).
GOING_DOWN = 0x8004587D
#: Stop now, without writing the journal out.
WITHOUT_LOG = 2
TOKEN = "0123456789abcdef"
#: How much is written at once, and how much at the beginning of each part is zeros, in bytes.
PART = 128 << 10
BLANK = 4096


def image(name: str, size: int) -> bytes:
    """Make the bytes of an image from its name: data, a hole of a quarter, data; each part begins with some zeros."""
    data = bytearray(random.Random(name).randbytes(size))
    holes = [slice(at, at + BLANK) for at in range(0, size, PART)]
    for hole in (slice(size // 4, size // 2), *holes):
        data[hole] = bytes(len(data[hole]))
    return bytes(data)


def digest(data: bytes) -> str:
    """Give what tells two images apart."""
    return hashlib.sha256(data).hexdigest()


def cut_power(path: str) -> None:
    """Stop a file system as a power failure would."""
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.ioctl(descriptor, GOING_DOWN, struct.pack("I", WITHOUT_LOG))
    os.close(descriptor)


class Counter:
    """Counts the system calls that are made through ``os``, and cuts the power before the chosen one."""

    NAMES = (
        "open", "close", "write", "pwrite", "fsync", "fdatasync", "ftruncate", "link", "unlink", "rename", "replace",
        "mkdir", "fchmod", "stat", "fstat", "lseek", "scandir", "listdir", "posix_fallocate", "sync", "fstatvfs",
    )  # fmt: skip

    def __init__(self, chosen: int, path: str) -> None:
        self.chosen = chosen
        self.path = path
        self.count = 0
        for name in self.NAMES:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            if self.count == self.chosen:
                self.chosen = 0
                cut_power(self.path)
                os._exit(0)
            return call(*arguments, **options)

        return counted


def main() -> None:
    """Do what the command line says."""
    directory, *verbs = sys.argv[1:]
    secrets.token_hex = lambda nbytes=None: TOKEN
    from multistore import StoreOptions, open_store

    target = {"driver": "file", "path": directory, "part_size": PART, "parallel": 1}
    options = StoreOptions(attempts=2, backoff=0.001)
    marks = os.environ.get("MULTISTORE_MARKS")
    chosen, _, path = os.environ.get("MULTISTORE_CUT", "").partition(":")
    with open_store(target, name="crash", options=options) as store:
        counter = Counter(int(chosen), path) if path else None
        for verb in verbs:
            action, name, *size = verb.split(":")
            if action == "put":
                store.put(name, image(name, int(size[0])), digests=("sha256",))
            else:
                store.delete(f"file://{directory}/{name}")
            if marks:
                with open(marks, "w", encoding="ascii") as file:
                    file.write(f"{action} {name}")
            print(action, name, flush=True)
    if counter is not None and not int(chosen):
        print(counter.count)


if __name__ == "__main__":
    main()
