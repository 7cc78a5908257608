"""The section on RBD: the same calls through ours and through release 5.7.0, and what the cluster can do at most.

It needs the lab's cluster: ``lab/up.sh ceph peer``, as root.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

from compare import Job, Runs, in_turns, ratio, run, table
from far import delayed
from glance import HERE, Row, pair

__all__ = ["Rbd"]

MIB = 1 << 20
#: Added to every message of the section with a slow network, each way.
DELAY = 0.005


def lab() -> dict[str, str]:
    """Give what the lab says of itself."""
    path = os.path.join(os.path.dirname(HERE), "lab", ".data", "env")
    with open(path, encoding="utf-8") as file:
        pairs = (line.strip().partition("=") for line in file)
        return {key: value.strip("'") for key, _, value in pairs}


class Rbd:
    """All comparisons, in one pool."""

    def __init__(self, rounds: int, count: int, size: int = 512 * MIB) -> None:
        told = lab()
        self.conf = told["MULTISTORE_LAB_CEPH"]
        self.peer = told["MULTISTORE_LAB_PEER"]
        self.rounds = rounds
        self.count = count
        self.size = size

    def row(
        self, name: str, work: str, goal: str = "", count: int = 0, /, **arguments: object
    ) -> Row:
        """Make one comparison."""
        given = {"conf": self.conf, **arguments}
        ours, theirs = (
            Job(work, given, python, "rbd_work.py") for python in (sys.executable, self.peer)
        )
        return Row(name, ours, theirs, count, goal)

    def raw(self) -> None:
        """Say what the cluster can do: Ceph's own benchmark, 16 requests of 4 MiB side by side."""
        base = ["rbd", "-c", self.conf, "--id", "images", "-p", "images"]
        rates = []
        for _ in range(self.rounds):
            subprocess.run([*base, "create", "--size", "512M", "raw"], check=True)
            command = [*base, "bench", "--io-type", "write", "--io-size", "4M", "--io-total", "512M",
                       "--io-pattern", "seq", "--rbd-cache=false", "raw"]  # fmt: skip
            started = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
            rates.append(512 / (time.perf_counter() - started))
            subprocess.run([*base, "rm", "--no-progress", "raw"], check=True)
        told = ", ".join(f"{rate:.0f}" for rate in sorted(rates))
        print(f"\n`rbd bench` of 512 MiB, its start included: {told} MiB/s")

    def big(self, title: str, inside: list[str] | None = None) -> None:
        """Compare one big image: add, add of zeros, get, and four at once; ``inside`` begins the commands."""
        size = self.size
        quarter = size // 4
        rows = [
            self.row("add, known size", "add", "2" if not inside else "4", size=size, known=True, clean=1),
            self.row("add, unknown size", "add", "2", size=size, known=False, clean=1),
            self.row("add, 75 % zeros, thin", "add", "4", size=size, known=True, zeros=True, thin=True, clean=1),
            self.row("4 adds at once", "several", "1.8", size=quarter, count=4, clean=4),
        ]  # fmt: skip
        if inside:
            rows = rows[:1]
        results = [self.measured(row, inside) for row in rows]
        made = self.row("", "add", size=size, known=True)
        run(made.ours)
        rows.append(self.row("get", "get", "1.5" if not inside else "4"))
        results.append(self.measured(rows[-1], inside))
        run(self.row("", "delete").ours)
        print(f"\n### {title}\n")
        lines = [
            [row.name, *(rate(size, each) for each in both), f"{ratio(both[1], both[0]):.2f}", row.goal,
             *(f"{max(each.growth) / MIB:.0f} MiB" for each in both)]
            for row, both in zip(rows, results, strict=True)
        ]  # fmt: skip
        head = ["", "ours", "5.7.0", "times as fast", "wanted", "memory over idle", "5.7.0's"]
        print(table(head, lines), flush=True)

    def slow(self) -> None:
        """Compare over a network that takes a while."""
        with delayed(self.ports(), DELAY) as inside:
            self.big(f"one image of {self.size // MIB} MiB, {DELAY * 1000:g} ms away", inside)

    def ports(self) -> list[int]:
        """Give the ports of all daemons."""
        found: set[int] = set()
        for what, keys in (("mon", "mons"), ("osd", "osds"), ("mgr", "")):
            command = ["ceph", "-c", self.conf, what, "dump", "-f", "json"]
            done = subprocess.run(command, check=True, capture_output=True, timeout=60)
            told = json.loads(done.stdout)
            for each in told[keys] if keys else [told]:
                addresses = each["active_addrs" if not keys else "public_addrs"]["addrvec"]
                found.update(int(one["addr"].rpartition(":")[2]) for one in addresses)
        return sorted(found)

    def small(self) -> None:
        """Compare images of 64 KiB, per second; and look-ups."""
        count = self.count
        rows = [
            self.row("add", "small_add", "8", count, count=count, size=64 << 10),
            self.row("get", "small_get", "8", count, count=count),
            self.row("size", "small_size", "8", count, count=count),
            self.row("delete", "small_delete", "8", count, count=count),
        ]
        jobs = {f"{row.name}, {who}": job for row in rows for who, job in pair(row)}
        # Both use the same names: one goes through all of its rows before the other begins.
        ours = {name: job for name, job in jobs.items() if name.endswith("ours")}
        peers = {name: job for name, job in jobs.items() if not name.endswith("ours")}
        found = in_turns(ours | peers, self.rounds)
        print("\n### images of 64 KiB: per second\n")
        lines = []
        for row in rows:
            mine, his = found[f"{row.name}, ours"], found[f"{row.name}, 5.7.0"]
            lines.append(
                [row.name, f"{count / mine.median:.0f}", f"{count / his.median:.0f}", f"{ratio(his, mine):.1f}", row.goal]
            )  # fmt: skip
        print(table(["", "ours", "5.7.0", "times as fast", "wanted"], lines))
        finding = self.row("look a store up", "lookup", "2 µs", 1000, count=1000)
        mine, his = self.measured(finding)
        print(
            f"\nlooking a store up takes {mine.median * 1000:.2f} µs, with 5.7.0 {his.median * 1000:.0f} µs"
        )

    def measured(self, row: Row, inside: list[str] | None = None) -> tuple[Runs, Runs]:
        """Run a comparison in turns."""
        jobs = {f"{row.name}, {who}": job for who, job in pair(row)}
        if inside:
            jobs = {name: replace(job, before=tuple(inside)) for name, job in jobs.items()}
        found = in_turns(jobs, self.rounds)
        return found[f"{row.name}, ours"], found[f"{row.name}, 5.7.0"]


def rate(size: int, runs: Runs) -> str:
    """Show a median as a rate."""
    return f"{size / runs.median / MIB:.0f} MiB/s"
