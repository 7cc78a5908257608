"""All scripted cases, and the record of what release 5.7.0 does with them.

``python tests/differential/cases.py`` writes the record anew, from the environment that ``lab/peer/environment.sh`` makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from differential import cases_add, cases_core, cases_http, cases_read, cases_setup, cases_uris
from differential.script import Case, Outcome, Worker
from differential.web import places

__all__ = ["CASES", "PEER", "RECORD", "recorded"]

CASES: list[Case] = [
    case
    for module in (cases_core, cases_uris, cases_setup, cases_add, cases_read, cases_http)
    for case in module.CASES
]
RECORD = Path(__file__).parent / "record.json"
PEER = Path(__file__).parents[2] / "lab" / ".data" / "peer" / "bin" / "python"


def recorded() -> dict[str, Outcome]:
    """Give what release 5.7.0 did at each step when it was recorded."""
    found: dict[str, Outcome] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Write the record."""
    with places() as web, Worker(str(PEER), **web) as peer:
        lines = [
            f"{json.dumps(label)}: {json.dumps(outcome, sort_keys=True)}"
            for case in CASES
            for label, outcome in zip(case.labels(), peer.perform(case), strict=True)
        ]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
