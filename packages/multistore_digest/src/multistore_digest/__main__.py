"""``python -m multistore_digest``: which kernel computes each pair here."""

from __future__ import annotations

import sys

from multistore_digest._choice import PAIRS, status


def lines() -> list[str]:
    """Say for each pair what computes it, and for hashlib why."""
    found = []
    for sha in PAIRS.values():
        here = status(("md5", sha))
        found.append(f"md5 with {sha}: {here.level}" + (f" ({here.reason})" if here.reason else ""))
    return found


if __name__ == "__main__":
    sys.stdout.write("".join(f"{line}\n" for line in lines()))
