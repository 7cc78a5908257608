"""Crash states from a log of block writes: what a disk may hold after the power went at a given entry.

Everything before the last flush is there; of what came after it a random choice is, some of it torn at a sector.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence

from crashing.blocklog import FLUSH, MARK, WRITE, Entry

__all__ = ["acknowledged", "states"]

#: A write is atomic for a sector of this many bytes, and no more.
SECTOR = 512


def acknowledged(log: Sequence[Entry], end: int) -> list[str]:
    """Give what had been acknowledged when the entry ``end`` was about to be written."""
    return [entry.data.decode() for entry in log[:end] if entry.kind == MARK]


def states(base: str, log: Sequence[Entry], count: int, seed: int, place: str) -> Iterator[int]:
    """Make ``count`` crash states, one after the other, as the image ``place``; yields the entry where the power went.

    ``base`` is the image before the first entry, and is brought forward as the states go on.
    """
    chosen = random.Random(seed)
    ends = sorted(chosen.randrange(len(log) + 1) for _ in range(count))
    done = 0
    for end in ends:
        flushed = max((at for at in range(done, end) if log[at].kind == FLUSH), default=done)
        with open(base, "r+b", buffering=0) as file:
            for entry in log[done:flushed]:
                _apply(file.fileno(), entry)
        done = flushed
        subprocess.run(["cp", "--sparse=always", base, place], check=True, timeout=60)
        with open(place, "r+b", buffering=0) as file:
            for entry in _survivors(log[flushed:end], chosen):
                _apply(file.fileno(), entry)
        yield end


def _apply(descriptor: int, entry: Entry) -> None:
    if entry.kind == WRITE:
        os.pwrite(descriptor, entry.data, entry.offset)


def _survivors(entries: Sequence[Entry], chosen: random.Random) -> Iterator[Entry]:
    """Keep 40 %, drop 40 %, tear 20 % of what was not flushed; now and then keep all, or nothing."""
    mood = chosen.random()
    for entry in entries:
        fate = chosen.random() if 0.1 < mood < 0.9 else mood
        if fate < 0.4:
            yield entry
        elif fate >= 0.8 and 0.1 < mood < 0.9:
            cut = SECTOR * chosen.randrange(len(entry.data) // SECTOR + 1)
            yield Entry(entry.kind, entry.offset, entry.data[:cut])
