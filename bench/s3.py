"""The section on S3: glance_store's s3 store, ours and release 5.7.0, and boto3 alone, in turns, on the lab's RADOS gateway."""

from __future__ import annotations

import os
import statistics
import sys
import uuid
from typing import Any

from compare import Job, Runs, lab, ratio, run, table
from far import relayed
from glance import peer_python

__all__ = ["DELAY", "MIB", "S3", "gateway"]

MIB = 1 << 20
#: Added to every round trip of the section on a server that is far away.
DELAY = 0.02


def gateway() -> dict[str, str] | None:
    """Give what the lab says of its gateway; None if there is none."""
    return lab(
        {
            "endpoint": "MULTISTORE_LAB_RGW",
            "access": "MULTISTORE_LAB_RGW_ACCESS",
            "secret": "MULTISTORE_LAB_RGW_SECRET",
        }
    )


class S3:
    """All comparisons, in a bucket of its own."""

    def __init__(self, directory: str, rounds: int, place: dict[str, str]) -> None:
        bucket = f"bench-{uuid.uuid4().hex[:8]}"
        self.place = {**place, "directory": directory, "bucket": bucket}
        self.rounds = rounds
        self.peer = peer_python()
        self.raw("make_bucket")

    def job(self, work: str, python: str = sys.executable, **arguments: Any) -> Job:
        return Job(work, {"place": self.place, **arguments}, python, "s3_work.py")

    def raw(self, work: str) -> None:
        run(self.job(work))

    def turns(self, jobs: dict[str, Job], size: int) -> None:
        """Run jobs in turns, the bucket being emptied before each that adds, and print a table."""
        results: dict[str, Runs] = {name: Runs() for name in jobs}
        cpu: dict[str, list[float]] = {name: [] for name in jobs}
        for _ in range(self.rounds):
            for name, job in jobs.items():
                if "path" in job.arguments:
                    self.raw("clean")
                report = run(job)
                results[name].seconds.append(report["seconds"])
                cpu[name].append(report["cpu"])
                print(f"    {name}: {report['seconds']:.3f} s", file=sys.stderr, flush=True)
        base = results[next(iter(jobs))]
        rows = [
            [
                name,
                f"{runs.median:.2f} s",
                f"{size / runs.median / MIB:.0f} MiB/s",
                f"{statistics.median(cpu[name]) * (1 << 30) / size:.1f}",
                f"{ratio(runs, base):.2f}",
            ]
            for name, runs in results.items()
        ]
        print(table(["", "median", "rate", "CPU s / GiB", "time / ours"], rows), flush=True)

    def big(self, path: str, title: str) -> None:
        """Add and get of one big image."""
        size = os.path.getsize(path)
        told = f"{size // MIB} MiB, {title}"
        for known, what in ((True, "known"), (False, "unknown")):
            print(f"\n### S3: add of {told}, {what} size\n", flush=True)
            jobs = {
                "ours": self.job("add", path=path, known=known, name="image"),
                "release 5.7.0": self.job("add", self.peer, path=path, known=known, name="image"),
                "boto3's upload_file, no digests": self.job("raw_upload", path=path, name="image"),
            }
            self.turns(jobs, size)
        print(f"\n### S3: get of {told}\n", flush=True)
        jobs = {
            "ours": self.job("get", name="image"),
            "release 5.7.0": self.job("get", self.peer, name="image"),
            "boto3's download_file": self.job("raw_download", name="image"),
        }
        self.turns(jobs, size)
        self.raw("clean")

    def small(self, count: int, peers: int) -> None:
        """Measure small images; the peer, which is slow, gets fewer of them."""
        print("\n### S3: images of 64 KiB, per second\n", flush=True)
        rows = []
        for verb in ("add", "get", "size", "delete"):
            ours = run(self.job("small", verb=verb, count=count))["seconds"] / count
            rows.append([verb, f"{1 / ours:.0f}"])
        for row in rows:
            theirs = run(self.job("small", self.peer, verb=row[0], count=peers))["seconds"] / peers
            row += [f"{1 / theirs:.1f}", f"{float(row[1]) * theirs:.1f}"]
        print(table(["verb", "ours", "release 5.7.0", "times as many"], rows), flush=True)

    def far(self, path: str) -> None:
        """Do the same with a delay on the way."""
        near = self.place["endpoint"]
        with relayed(near, DELAY / 2) as endpoint:
            self.place["endpoint"] = endpoint
            self.big(path, f"{DELAY * 1000:.0f} ms away")
        self.place["endpoint"] = near

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
        print(f"\n### S3: peak memory of {size // MIB} MiB above the idle service\n")
        print(table(["", "memory", "time"], rows), flush=True)
        self.raw("clean")
