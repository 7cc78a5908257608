"""Cinder, on the lab's: volumes in Ceph through the interface, with our library and with release 5.7.0."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

from compare import Job, run, table

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1 << 20


@dataclass
class Seen:
    """What the rounds of one job gave."""

    seconds: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)


def cinder(directory: str, rounds: int, known: int = 1024, unknown: int = 3072) -> None:
    """Put and get; sizes in MiB.  The lab must be up."""
    keystone = os.environ["MULTISTORE_LAB_KEYSTONE"]
    pythons = {"5.7.0": peer(), "ours": sys.executable}
    rows = []
    for title, work, size, told in (
        (f"put, {known >> 10} GiB, size known", "put", known, True),
        (f"put, {unknown >> 10} GiB, size unknown", "put", unknown, False),
        (f"get, {known >> 10} GiB", "get", known, True),
    ):
        seen = {name: Seen() for name in pythons}
        for _ in range(rounds):
            for name, python in pythons.items():
                place = os.path.join(directory, f"cinder-{name}")
                arguments = {
                    "keystone": keystone,
                    "place": place,
                    "size": size * MIB,
                    "known": told,
                }
                report = run(Job(work, arguments, python, "cinder_work.py"))
                seen[name].seconds.append(report["seconds"])
                seen[name].requests.append(report["requests"])
                print(
                    f"    {title}, {name}: {report['seconds']:.2f} s", file=sys.stderr, flush=True
                )
        theirs, ours = seen["5.7.0"], seen["ours"]
        ratios = [a / b for a, b in zip(theirs.seconds, ours.seconds, strict=True)]
        rows.append(
            (
                title,
                f"{statistics.median(theirs.seconds):.1f} s",
                f"{statistics.median(ours.seconds):.1f} s",
                f"{statistics.median(ratios):.1f}",
                f"{statistics.median(theirs.requests):.0f}",
                f"{statistics.median(ours.requests):.0f}",
            )
        )
    header = (
        "Cinder, volumes in Ceph",
        "5.7.0",
        "ours",
        "times faster",
        "requests of 5.7.0",
        "ours",
    )
    print(table(header, rows), flush=True)


def peer() -> str:
    """Make an environment with the release and what it needs for Cinder, and give its Python."""
    place = os.path.join(ROOT, "lab", ".data", "cinder-peer")
    python = os.path.join(place, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pins = os.path.join(ROOT, "lab", "openstack", "requirements.txt")
        words = [
            "glance_store==5.7.0",
            "python-cinderclient",
            "os-brick",
            "oslo.rootwrap",
            "oslo.context",
        ]
        command = [python, "-m", "pip", "install", "--quiet", "--constraint", pins, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return python
