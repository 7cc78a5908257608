"""The section on digests: each kernel of multistore-digest against hashlib, alone and in a put."""

from __future__ import annotations

import hashlib
import os
import shutil
import statistics
import time
from collections.abc import Callable
from typing import Protocol

from compare import Job, Runs, in_turns, run, table
from multistore_digest import FusedDigest, status

__all__ = ["Digests"]

MIB = 1 << 20
#: The share of hashlib's CPU time that is wanted.
WANTED = {"avx512vl": 0.55, "avx2": 0.68, "sha_ni": 0.72}
PAIRS = {"avx512vl": "sha512", "avx2": "sha512", "sha_ni": "sha256"}


class Hash(Protocol):
    """What is measured: anything with an update."""

    def update(self, data: bytes, /) -> object: ...


class Both:
    """Digests of hashlib, one after the other."""

    def __init__(self, *names: str) -> None:
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in names]

    def update(self, data: bytes, /) -> None:
        for each in self._hashes:
            each.update(data)


class Digests:
    """Both parts, in a directory on a real disk."""

    def __init__(self, directory: str, rounds: int) -> None:
        self.place = os.path.join(directory, "digest")
        self.rounds = rounds

    def kernels(self, size: int = 128 * MIB) -> None:
        """Compare the CPU time of one thread, in turns within this process."""
        contenders: dict[str, Callable[[], Hash]] = {
            "hashlib, md5 alone": lambda: Both("md5"),
            "hashlib, sha512": lambda: Both("md5", "sha512"),
            "hashlib, sha256": lambda: Both("md5", "sha256"),
        }
        missing = []
        for level in PAIRS:
            make = maker(level)
            try:
                make()
            except ValueError as error:
                missing.append(f"{level} is left out: {error}")
            else:
                contenders[level] = make
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        data = os.urandom(MIB)
        for _ in range(2 * self.rounds + 1):
            for name, make in contenders.items():
                seconds[name].append(cpu_time(make(), data, size))
        print(f"\n### md5 and a SHA of {size // MIB} MiB, one thread\n")
        header = ["", "CPU-s / GiB", "GiB/s", "share of hashlib's CPU", "wanted"]
        print(table(header, [self.row(name, seconds, size) for name in contenders]))
        print(
            "\nin use: "
            + ", ".join(f"{status(('md5', sha)).level} for {sha}" for sha in ("sha512", "sha256"))
        )
        print("\n".join(missing))

    @staticmethod
    def row(name: str, seconds: dict[str, list[float]], size: int) -> list[str]:
        """Write one row; the share is the median of those of each round."""
        per_gib = statistics.median(seconds[name]) / size * (1 << 30)
        base = seconds[f"hashlib, {PAIRS.get(name, 'sha512')}"]
        share = statistics.median(a / b for a, b in zip(seconds[name], base, strict=True))
        title = (
            f"{name}, md5 and {PAIRS[name]}"
            if name in PAIRS
            else name.replace(", sha", ", md5 and sha")
        )
        compared = "" if name == "hashlib, sha256" else f"{share:.3f}"
        wanted = f"at most {WANTED[name]}" if name in WANTED else ""
        return [title, f"{per_gib:.2f}", f"{1 / per_gib:.2f}", compared, wanted]

    def puts(self, path: str) -> None:
        """Compare put with and without the kernel: one image alone, and four at once."""
        size = os.path.getsize(path)
        quarter = os.path.join(os.path.dirname(path), "quarter.img")
        with open(path, "rb") as source, open(quarter, "wb") as target:
            target.writelines(source.read(MIB) for _ in range(size // 4 // MIB))
        rows = []
        for durable in (False, True):
            how = {"directory": self.place, "fresh": self.place, "durable": durable}
            kind = "durable" if durable else "not durable"
            for title, work, arguments, bytes_, wanted in (
                (f"one put, {kind}", "put", {"path": path}, size, "1.25, 0.62"),
                (f"four puts at once, {kind}", "puts", {"path": quarter, "count": 4}, size // MIB // 4 * 4 * MIB, "1.6"),
            ):  # fmt: skip
                run(
                    Job(work, {**arguments, **how, "fused": True})
                )  # so that the source is in memory
                results = in_turns(
                    {
                        f"{title}, hashlib": Job(work, {**arguments, **how, "fused": False}),
                        f"{title}, kernel": Job(work, {**arguments, **how, "fused": True}),
                    },
                    self.rounds,
                )
                plain, fused = results.values()
                rows.append(compared(title, plain, fused, bytes_, wanted))
        print(f"\n### put of {size // MIB} MiB in all, with the kernel and with hashlib\n")
        header = ["", "kernel", "hashlib", "times as fast", "share of the CPU time", "wanted"]
        print(table(header, rows))
        shutil.rmtree(self.place)
        os.unlink(quarter)


def compared(title: str, plain: Runs, fused: Runs, size: int, wanted: str) -> list[str]:
    faster = statistics.median(a / b for a, b in zip(plain.seconds, fused.seconds, strict=True))
    share = statistics.median(a / b for a, b in zip(fused.cpu, plain.cpu, strict=True))
    rates = [f"{size / (1 << 30) / runs.median:.2f} GiB/s" for runs in (fused, plain)]
    return [title, *rates, f"{faster:.2f}", f"{share:.2f}", wanted]


def maker(level: str) -> Callable[[], Hash]:
    return lambda: FusedDigest(("md5", PAIRS[level]), level=level)


def cpu_time(hashed: Hash, data: bytes, size: int) -> float:
    started = time.thread_time()
    for _ in range(size // len(data)):
        hashed.update(data)
    return time.thread_time() - started
