"""Measure pieces of work in turns, A B A B ..., so that a noisy machine disturbs all alike."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))


def lab(names: Mapping[str, str]) -> dict[str, str] | None:
    """Give what the lab says under some names; None if it is not up, or not that part of it."""
    path = os.path.join(os.path.dirname(HERE), "lab", ".data", "env")
    try:
        with open(path, encoding="utf-8") as file:
            told = dict(line.strip().split("=", 1) for line in file)
    except FileNotFoundError:
        return None
    if any(name not in told for name in names.values()):
        return None
    return {key: told[name].strip("'") for key, name in names.items()}


@dataclass(frozen=True)
class Job:
    """A piece of work with its arguments; ``fresh`` is a directory that is emptied before each run.

    ``python`` and ``script`` are who does it, ``before`` is what the command begins with.
    """

    work: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    python: str = sys.executable
    script: str = "work.py"
    before: tuple[str, ...] = ()


@dataclass
class Runs:
    """What several runs of one job took."""

    seconds: list[float] = field(default_factory=list)
    growth: list[int] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


def run(job: Job) -> dict[str, float]:
    """Run one job in a process of its own."""
    script = os.path.join(HERE, job.script)
    command = [*job.before, job.python, script, job.work, json.dumps(job.arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=1800)
    report: dict[str, float] = json.loads(done.stdout)
    return report


def in_turns(jobs: Mapping[str, Job], rounds: int) -> dict[str, Runs]:
    """Run all jobs ``rounds`` times, each round in the same order."""
    results = {name: Runs() for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            report = run(job)
            results[name].seconds.append(report["seconds"])
            results[name].growth.append(int(report["peak"] - report["idle"]))
            results[name].cpu.append(report.get("cpu", 0.0))
            print(f"    {name}: {report['seconds']:.3f} s", file=sys.stderr, flush=True)
    return results


def ratio(slow: Runs, fast: Runs) -> float:
    """Give how many times faster ``fast`` was: the median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
