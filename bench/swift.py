"""The section on Swift: glance_store's swift store, ours and release 5.7.0, in turns, on the lab's Swift with Keystone."""

from __future__ import annotations

import os
import statistics
import sys
import uuid
from typing import Any
from urllib.parse import urlsplit

from compare import Job, Runs, lab, ratio, run, table
from far import relayed
from glance import peer_python
from s3 import DELAY, MIB

__all__ = ["Swift", "account"]

PEER = "release 5.7.0"


def account() -> dict[str, Any] | None:
    """Give where the lab's Keystone is, and who logs in there; None if there is none."""
    found = lab({"auth": "MULTISTORE_LAB_KEYSTONE"})
    who = {"project": "demo", "user": "demo", "password": "demopass"}
    return None if found is None else {**found, **who, "endpoint": None}


class Swift:
    """All comparisons, in a container of its own; the peer's segments have 32 of its megabytes, ours 16 MiB."""

    def __init__(self, directory: str, rounds: int, place: dict[str, Any]) -> None:
        container = f"bench-{uuid.uuid4().hex[:8]}"
        self.place = {**place, "directory": directory, "container": container}
        self.rounds = rounds
        self.peer = peer_python()
        self.storage = str(self.raw("make_container")["endpoint"])

    def job(self, work: str, python: str = sys.executable, **arguments: Any) -> Job:
        return Job(work, {"place": self.place, **arguments}, python, "swift_work.py")

    def raw(self, work: str) -> dict[str, Any]:
        report: dict[str, Any] = run(self.job(work))
        return report

    def end(self) -> None:
        """Remove the container."""
        self.raw("remove_container")

    def turns(self, jobs: dict[str, Job], size: int) -> None:
        """Run jobs in turns, the container being emptied before each that adds, and print a table.

        Who fails once is not asked again.
        """
        results: dict[str, Runs] = {name: Runs() for name in jobs}
        failed: dict[str, str] = {}
        for _ in range(self.rounds):
            for name, job in jobs.items():
                if name in failed:
                    continue
                if "path" in job.arguments:
                    self.raw("clean")
                report: dict[str, Any] = run(job)
                if "failed" in report:
                    failed[name] = f"{report['failed']} after {report['seconds']:.0f} s"
                    continue
                results[name].seconds.append(report["seconds"])
                results[name].cpu.append(report["cpu"])
                print(f"    {name}: {report['seconds']:.3f} s", file=sys.stderr, flush=True)
        base = results[next(iter(jobs))]
        rows = [
            [
                name,
                f"{runs.median:.2f} s",
                f"{size / runs.median / MIB:.0f} MiB/s",
                f"{statistics.median(runs.cpu) * (1 << 30) / size:.1f}",
                f"{ratio(runs, base):.2f}",
            ]
            for name, runs in results.items()
            if name not in failed
        ]
        rows += [[name, f"fails: {why}", "", "", ""] for name, why in failed.items()]
        print(table(["", "median", "rate", "CPU s / GiB", "time / ours"], rows), flush=True)

    def big(self, path: str, title: str) -> None:
        """Add and get of one big image; each gets what was added last, in its own segments."""
        size = os.path.getsize(path)
        told = f"{size // MIB} MiB, {title}"
        for known, what in ((False, "unknown"), (True, "known")):
            print(f"\n### Swift: add of {told}, {what} size\n", flush=True)
            jobs = {
                "ours": self.job("add", path=path, known=known, name="image"),
                PEER: self.job("add", self.peer, path=path, known=known, name="image"),
                "one object by swiftclient, no digests": self.job(
                    "raw_upload", path=path, name="image"
                ),
            }
            self.turns(jobs, size)
        self.raw("clean")
        run(self.job("add", path=path, known=True, name="ours"))
        run(self.job("add", self.peer, path=path, known=False, name="theirs"))
        print(f"\n### Swift: get of {told}\n", flush=True)
        jobs = {
            "ours": self.job("get", name="ours"),
            "ours, what 5.7.0 wrote": self.job("get", name="theirs"),
            PEER: self.job("get", self.peer, name="theirs"),
            f"{PEER}, what ours wrote": self.job("get", self.peer, name="ours"),
            "one stream by swiftclient": self.job("raw_download", name="ours"),
        }
        self.turns(jobs, size)
        self.raw("clean")

    def small(self, count: int, peers: int) -> None:
        """Measure small images and look-ups; the peer, which is slow, gets fewer of them."""
        print("\n### Swift: images of 64 KiB, per second\n", flush=True)
        rows = []
        for verb in ("add", "get", "size", "delete"):
            ours = run(self.job("small", verb=verb, count=count))["seconds"] / count
            rows.append([verb, f"{1 / ours:.0f}"])
        for row in rows:
            theirs = run(self.job("small", self.peer, verb=row[0], count=peers))["seconds"] / peers
            row += [f"{1 / theirs:.1f}", f"{float(row[1]) * theirs:.1f}"]
        print(table(["verb", "ours", PEER, "times as many"], rows), flush=True)
        ours, theirs = (
            run(self.job("lookup", python, count=times))["seconds"] / times * 1e6
            for python, times in ((sys.executable, 10_000), (self.peer, 500))
        )
        print(f"\nA look-up of a store takes {ours:.2f} µs; with {PEER} {theirs:.0f} µs.")

    def far(self, path: str) -> None:
        """Do the same with a delay on the way, to Keystone and to Swift."""
        auth, storage = urlsplit(self.place["auth"]), urlsplit(self.storage)
        near = dict(self.place)
        with (
            relayed(f"http://{auth.netloc}", DELAY / 2) as keystone,
            relayed(f"http://{storage.netloc}", DELAY / 2) as swift,
        ):
            self.place |= {"auth": keystone + auth.path, "endpoint": swift + storage.path}
            self.big(path, f"{DELAY * 1000:.0f} ms away")
        self.place = near

    def memory(self, size: int) -> None:
        """Measure the peak memory of a large image of unknown size, and of its way back."""
        rows = []
        for what, job in (
            ("add, unknown size", self.job("add_stream", name="stream", size=size)),
            ("get", self.job("get", name="stream")),
        ):
            report = run(job)
            grown = (report["peak"] - report["idle"]) / MIB
            rows.append([what, f"{grown:.0f} MiB", f"{report['seconds']:.1f} s"])
        print(f"\n### Swift: peak memory of {size // MIB} MiB above the idle service\n")
        print(table(["", "memory", "time"], rows), flush=True)
        self.raw("clean")
