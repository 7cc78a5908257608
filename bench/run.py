"""``make bench``: the figures of docs/performance.md, measured side by side with what they are compared with.

Everything runs in one directory on a real disk (``--directory``), which needs about four times ``--size`` of room, and
twice ``--memory-size`` for the sections on memory.  ``--only`` names the sections that are wanted.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from ceph import Rbd
from cinder import cinder
from compare import Job, Runs, in_turns, ratio, run, table
from digest import Digests
from glance import Glance
from s3 import S3, gateway
from swift import Swift, account

MIB = 1 << 20
BOTH = ["md5", "sha512"]


class Bench:
    """One run of all sections, in a scratch directory."""

    def __init__(self, directory: str, size: int, rounds: int) -> None:
        self.directory = directory
        self.size = size
        self.rounds = rounds
        self.full = os.path.join(directory, "full.img")
        self.sparse = os.path.join(directory, "sparse.img")

    def place(self, name: str) -> str:
        """Give a directory for one contender."""
        return os.path.join(self.directory, name)

    def prepare(self) -> None:
        """Write a full image, and one of the same size that is three quarters zeros."""
        write_image(self.full, self.size, lambda _: True)
        chosen = random.Random(4)
        write_image(self.sparse, self.size, lambda _: chosen.random() < 0.25)

    def put(self) -> None:
        """One big image: put."""
        place = self.place("put")
        results = in_turns(
            {
                "both digests, one thread": Job("hash_in_one_thread", {"path": self.full, "names": BOTH}),
                "md5 alone": Job("hash_in_one_thread", {"path": self.full, "names": ["md5"]}),
                "sha512 alone": Job("hash_in_one_thread", {"path": self.full, "names": ["sha512"]}),
                "cp and sync": Job("cp_and_sync", {"path": self.full, "directory": place, "fresh": place}),
                "put": Job("put", {"path": self.full, "directory": place, "fresh": place}),
                "put, 75 % zeros": Job("put", {"path": self.sparse, "directory": place, "fresh": place}),
            },
            self.rounds,
        )  # fmt: skip
        put = results["put"]
        show(f"put of {self.size // MIB} MiB", results, put, "time / put", self.size)
        bound = max(results[name].median for name in ("md5 alone", "sha512 alone", "cp and sync"))
        print(
            f"\nput takes {put.median / bound:.2f} of the slowest of one digest alone, and cp and sync"
        )
        used = os.stat(os.path.join(place, "image")).st_blocks * 512
        print(f"the image of 75 % zeros takes {used / MIB:.0f} MiB on the disk; its source has "
              f"{os.stat(self.sparse).st_blocks * 512 / MIB:.0f} MiB of data")  # fmt: skip

    def get(self) -> None:
        """One big image: get."""
        place = self.place("get")
        run(Job("put", {"path": self.full, "directory": place, "fresh": place}))
        with open(self.full, "rb") as file:
            expect = {"sha512": hashlib.file_digest(file, "sha512").hexdigest()}
        results = in_turns(
            {
                "cat": Job("cat", {"path": os.path.join(place, "image")}),
                "get": Job("get", {"directory": place}),
                "sha512 alone": Job("hash_in_one_thread", {"path": self.full, "names": ["sha512"]}),
                "get, verified": Job("get", {"directory": place, "expect": expect}),
            },
            self.rounds,
        )
        show(
            f"get of {self.size // MIB} MiB to /dev/null",
            results,
            results["get"],
            "time / get",
            self.size,
        )
        verified = ratio(results["sha512 alone"], results["get, verified"])
        print(f"\nget with verification runs at {verified:.2f} times the speed of sha512 alone")

    def small(self, count: int) -> None:
        """Many small images."""
        for durable in (True, False):
            ours, plain = self.place("ours"), self.place("plain")
            how = {"count": count, "size": 64 << 10, "durable": durable}
            results = in_turns(
                {
                    "plain put": Job("small_loop", {"directory": plain, "fresh": plain, **how}),
                    "put": Job("small_put", {"directory": ours, "fresh": ours, **how}),
                    "plain read": Job("plain_read", {"directory": plain, "count": count}),
                    "get": Job("small_get", {"directory": ours, "count": count}),
                    "plain stat": Job("plain_stat", {"directory": plain, "count": count}),
                    "stat": Job("small_stat", {"directory": ours, "count": count}),
                    "plain delete": Job("plain_delete", {"directory": plain, "count": count, "durable": durable}),
                    "delete": Job("small_delete", {"directory": ours, "count": count, "durable": durable}),
                },
                self.rounds,
            )  # fmt: skip
            title = "durable" if durable else "not durable"
            print(f"\n### images of 64 KiB, {title}: per second\n")
            rows = [
                [
                    verb,
                    f"{count / results[verb].median:.0f}",
                    f"{count / results[plain_verb].median:.0f}",
                    f"{ratio(results[plain_verb], results[verb]):.2f}",
                ]
                for verb, plain_verb in (
                    ("put", "plain put"), ("get", "plain read"), ("stat", "plain stat"), ("delete", "plain delete"),
                )
            ]  # fmt: skip
            print(table(["verb", "multistore", "plain Python", "ratio"], rows))

    def memory(self, size: int) -> None:
        """Measure the peak memory of big transfers."""
        place = self.place("memory")
        rows = []

        def measure(verb: str, job: Job) -> None:
            report = run(job)
            grown = (report["peak"] - report["idle"]) / MIB
            rows.append([verb, f"{grown:.1f} MiB", f"{report['seconds']:.1f} s"])

        measure(
            "put of a stream",
            Job("put_stream", {"size": size, "directory": place, "fresh": place}),
        )
        measure("get", Job("get", {"directory": place}))
        with open(os.path.join(place, "image"), "rb") as file:
            expect = {"sha512": hashlib.file_digest(file, "sha512").hexdigest()}
        measure("get, verified", Job("get", {"directory": place, "expect": expect}))
        print(f"\n### peak memory of {size // MIB} MiB above the idle interpreter\n")
        print(table(["verb", "memory", "time"], rows))
        shutil.rmtree(place)


def write_image(path: str, size: int, filled: object) -> None:
    """Write an image in blocks of 4 MiB, random bytes or a hole each."""
    assert callable(filled)
    block = 4 * MIB
    with open(path, "wb") as file:
        for number in range(size // block):
            if filled(number):
                file.seek(number * block)
                file.write(os.urandom(block))
        file.truncate(size)
        os.fsync(file.fileno())


def show(title: str, results: dict[str, Runs], base: Runs, column: str, size: int) -> None:
    """Print one section as a table."""
    rows = [
        [
            name,
            f"{runs.median:.2f} s",
            f"{size / runs.median / 1e9:.2f} GB/s",
            f"{ratio(runs, base):.2f}",
        ]
        for name, runs in results.items()
    ]
    print(f"\n### {title}\n\n" + table(["", "median", "rate", column], rows))


def startup(rounds: int) -> None:
    """Measure how long a program waits before it can begin."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import multistore": [sys.executable, "-c", "import multistore"],
        "from multistore import open_store": [sys.executable, "-c", "from multistore import open_store"],
        "multistore --help": [os.path.join(os.path.dirname(sys.executable), "multistore"), "--help"],
    }  # fmt: skip
    results = {name: Runs() for name in commands}
    for _ in range(4 * rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
            results[name].seconds.append(time.perf_counter() - started)
    base = results["python -c pass"].median
    print("\n### start-up\n")
    rows = [
        [name, f"{runs.median * 1000:.0f} ms", f"{(runs.median - base) * 1000:.0f} ms"]
        for name, runs in results.items()
    ]
    print(table(["command", "median", "above bare Python"], rows))


def machine(directory: str) -> Iterator[str]:
    """Say where the figures come from."""
    yield f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line for line in file if line.startswith("model name")), ": unknown")
    yield f"{os.cpu_count()} cores of {model.partition(': ')[2].strip()}"
    df = subprocess.run(
        ["df", "--output=fstype", directory], check=True, stdout=subprocess.PIPE, text=True
    )
    yield f"file system {df.stdout.split()[-1]}"


def main() -> None:
    """Run every section and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", help="a directory on a real disk; default: beside this file")
    parser.add_argument("--size", type=int, default=2048, help="the big image, in MiB")
    parser.add_argument(
        "--memory-size", type=int, default=8192, help="the image of the memory section, in MiB"
    )
    parser.add_argument("--count", type=int, default=1000, help="the number of small images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only",
        action="append",
        choices=SECTIONS + IN_THE_LAB,
        help="a section; may be given several times",
    )
    options = parser.parse_args()
    wanted = options.only or SECTIONS
    parent = options.directory or os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory(prefix=".data-", dir=parent) as directory:
        print("\n".join(machine(directory)), flush=True)
        sections(wanted, directory, options)


SECTIONS = ["startup", "digest", "put", "get", "small", "memory", "glance"]
#: Sections that need the lab, and are run only when they are named.
IN_THE_LAB = ["cinder", "s3", "swift", "rbd", "rbd-small", "rbd-slow"]


def sections(wanted: list[str], directory: str, options: argparse.Namespace) -> None:
    """Run what is wanted."""
    bench = Bench(directory, options.size * MIB, options.rounds)
    if "startup" in wanted:
        startup(options.rounds)
    if {"digest", "put", "get", "glance", "s3"} & set(wanted):
        bench.prepare()
    if "digest" in wanted:
        digests = Digests(directory, options.rounds)
        digests.kernels()
        digests.puts(bench.full)
    if "put" in wanted:
        bench.put()
    if "get" in wanted:
        bench.get()
    if "small" in wanted:
        bench.small(options.count)
    if "glance" in wanted:
        glance = Glance(directory, options.rounds, options.count)
        glance.big(bench.full, bench.sparse)
        glance.clean()
        glance.small()
        glance.moments()
        glance.memory(options.memory_size * MIB)
        glance.clean()
    if "s3" in wanted:
        on_s3(bench, options)
    if "swift" in wanted:
        on_swift(bench, options)
    if {"rbd", "rbd-small", "rbd-slow"} & set(wanted):
        on_the_cluster(wanted, options)
    for path in (bench.full, bench.sparse):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    if "cinder" in wanted:
        cinder(directory, options.rounds)
    if "memory" in wanted:
        bench.memory(options.memory_size * MIB)


def on_s3(bench: Bench, options: argparse.Namespace) -> None:
    """Run the section on S3, on the lab's gateway."""
    place = gateway()
    if place is None:
        print("\n### S3: not measured, the lab's gateway is not up: 'bash lab/up.sh rgw' first")
        return
    s3 = S3(bench.directory, bench.rounds, place)
    s3.big(bench.full, "on the same machine")
    s3.small(min(options.count, 300), 30)
    part = os.path.join(bench.directory, "part.img")
    write_image(part, min(bench.size, 256 * MIB), lambda _: True)
    s3.far(part)
    os.unlink(part)
    s3.memory(options.memory_size * MIB)


def on_swift(bench: Bench, options: argparse.Namespace) -> None:
    """Run the section on Swift, on the lab's with Keystone."""
    place = account()
    if place is None:
        print("\n### Swift: not measured, the lab's is not up: 'bash lab/up.sh keystone' first")
        return
    swift = Swift(bench.directory, bench.rounds, place)
    path = os.path.join(bench.directory, "swift.img")
    write_image(path, min(bench.size, 512 * MIB), lambda _: True)
    swift.big(path, "on the same machine")
    swift.small(min(options.count, 300), 30)
    write_image(path, min(bench.size, 128 * MIB), lambda _: True)
    swift.far(path)
    os.unlink(path)
    swift.memory(options.memory_size * MIB)
    swift.end()


def on_the_cluster(wanted: list[str], options: argparse.Namespace) -> None:
    """Run what needs the lab's cluster."""
    rbd = Rbd(options.rounds, min(options.count, 50))
    if "rbd" in wanted:
        rbd.raw()
        rbd.big(f"one image of {rbd.size // MIB} MiB")
    if "rbd-small" in wanted:
        rbd.small()
    if "rbd-slow" in wanted:
        rbd.slow()


if __name__ == "__main__":
    main()
