"""The section on glance_store: the same calls through ours and through release 5.7.0, in turns."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from compare import Job, Runs, in_turns, ratio, run, table

__all__ = ["Glance"]

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


def peer_python() -> str:
    """Give the Python of the environment with release 5.7.0, which is made if it is not there."""
    script = os.path.join(os.path.dirname(HERE), "lab", "peer", "environment.sh")
    done = subprocess.run(["sh", script], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@dataclass
class Row:
    """One comparison: what it is called, what it takes from each, and how it is shown."""

    name: str
    ours: Job
    peer: Job
    count: int = 0
    goal: str = ""


class Glance:
    """All comparisons, in a directory on a real disk."""

    def __init__(self, directory: str, rounds: int, count: int) -> None:
        self.directory = directory
        self.rounds = rounds
        self.count = count
        self.peer = peer_python()

    def jobs(
        self, name: str, work: str, goal: str = "", per: int = 0, /, **arguments: object
    ) -> Row:
        """Make one comparison; ``ours`` and ``theirs`` are arguments for one side only."""
        ours, theirs = arguments.pop("ours", {}), arguments.pop("theirs", {})
        assert isinstance(ours, dict)
        assert isinstance(theirs, dict)
        mine = {"directory": os.path.join(self.directory, "ours"), **arguments, **ours}
        his = {"directory": os.path.join(self.directory, "peer"), **arguments, **theirs}
        return Row(
            name,
            Job(work, mine, sys.executable, "glance_work.py"),
            Job(work, his, self.peer, "glance_work.py"),
            per,
            goal,
        )

    def big(self, full: str, sparse: str) -> None:
        """Compare one big image: add, add of zeros, get."""
        size = os.path.getsize(full)
        durable: dict[str, object] = {"ours": {"durable": True}, "theirs": {"sync": True}}
        rows = [
            self.jobs("add, known size", "add", "1.7", fresh=True, path=full, known=True),
            self.jobs("add, unknown size", "add", "1.7", fresh=True, path=full, known=False),
            self.jobs("add, on the disk", "add", "1.3", fresh=True, path=full, known=True, **durable),
            self.jobs("add, 75 % zeros, thin", "add", "4", fresh=True, path=sparse, known=True, thin=True),
        ]  # fmt: skip
        results = self.measured(rows)
        run(self.jobs("", "add", fresh=True, path=full, known=True).ours)
        run(self.jobs("", "add", fresh=True, path=full, known=True).peer)
        last = self.jobs("get", "get", "1.0")
        results += self.measured([last])
        print(f"\n### one image of {size // MIB} MiB\n")
        print(
            table(
                ["", "ours", "5.7.0", "times as fast", "wanted"],
                [
                    [row.name, rate(size, ours), rate(size, peer), f"{ratio(peer, ours):.2f}", row.goal]
                    for row, (ours, peer) in zip([*rows, last], results, strict=True)
                ],
            )
        )  # fmt: skip

    def small(self) -> None:
        """Compare many images of 64 KiB, per second; and look-ups."""
        much = {"count": self.count}
        add = {**much, "size": 64 << 10}
        rows = [
            self.jobs("add, on the disk", "small_add", "", self.count, fresh=True, **add, ours={"durable": True}, theirs={"sync": True}),
            self.jobs("add", "small_add", "1.0", self.count, fresh=True, **add),
            self.jobs("size", "small_size", "", self.count, **much),
            self.jobs("get", "small_get", "1.0", self.count, **much),
            self.jobs("delete", "small_delete", "", self.count, **much),
        ]  # fmt: skip
        results = self.measured(rows, together=True)
        print("\n### images of 64 KiB: per second\n")
        lines = [
            [row.name, f"{row.count / ours.median:.0f}", f"{row.count / peer.median:.0f}", f"{ratio(peer, ours):.2f}", row.goal]
            for row, (ours, peer) in zip(rows, results, strict=True)
        ]  # fmt: skip
        print(table(["", "ours", "5.7.0", "times as fast", "wanted"], lines))

    def moments(self) -> None:
        """Compare look-ups and the start."""
        count = 100_000
        rows = [
            self.jobs("look a store up", "lookup", "2 µs", count, fresh=True, count=count),
            self.jobs("weight of a store", "weight", "2 µs", count, fresh=True, count=count),
            self.jobs("import and make two stores", "start", "half", 0, fresh=True),
        ]
        results = self.measured(rows)
        print("\n### moments\n")
        lines = [
            [row.name, moment(ours, row.count), moment(peer, row.count), f"{ratio(peer, ours):.2f}", row.goal]
            for row, (ours, peer) in zip(rows, results, strict=True)
        ]  # fmt: skip
        print(table(["", "ours", "5.7.0", "times as fast", "wanted"], lines))

    def memory(self, size: int) -> None:
        """Compare the peak memory of big transfers."""
        rows = [
            self.jobs("add of a stream", "add_stream", "", fresh=True, size=size),
            self.jobs("get", "get"),
        ]
        lines = []
        for row in rows:
            ours, peer = run(row.ours), run(row.peer)
            lines.append([
                row.name,
                *(f"{(each['peak'] - each['idle']) / MIB:.1f} MiB" for each in (ours, peer)),
                *(f"{each['peak'] / MIB:.1f} MiB" for each in (ours, peer)),
            ])  # fmt: skip
        print(f"\n### peak memory of {size // MIB} MiB\n")
        print(table(["", "ours, above idle", "5.7.0, above idle", "ours, in all", "5.7.0, in all"], lines))  # fmt: skip

    def measured(self, rows: list[Row], *, together: bool = False) -> list[tuple[Runs, Runs]]:
        """Run each comparison in turns; ``together`` goes through all rows in each round, as they build on each other."""
        if together:
            jobs = {f"{row.name}, {who}": job for row in rows for who, job in pair(row)}
            found = in_turns(jobs, self.rounds)
        else:
            found = {}
            for row in rows:
                found |= in_turns({f"{row.name}, {who}": job for who, job in pair(row)}, self.rounds)  # fmt: skip
        return [(found[f"{row.name}, ours"], found[f"{row.name}, 5.7.0"]) for row in rows]

    def clean(self) -> None:
        """Remove what was written."""
        for who in ("ours", "peer"):
            shutil.rmtree(os.path.join(self.directory, who), ignore_errors=True)


def pair(row: Row) -> list[tuple[str, Job]]:
    """Give both sides of a comparison."""
    return [("ours", row.ours), ("5.7.0", row.peer)]


def rate(size: int, runs: Runs) -> str:
    """Show a median as a rate."""
    return f"{size / runs.median / 1e6:.0f} MB/s"


def moment(runs: Runs, count: int) -> str:
    """Show a median of one thing, or of ``count`` things."""
    return f"{runs.median / count * 1e6:.2f} µs" if count else f"{runs.median * 1e3:.0f} ms"
