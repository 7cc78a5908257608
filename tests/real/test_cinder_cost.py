"""How many requests an image costs on a real Cinder, with our library and with the release that it stands in for."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import lab_alone, lab_leftovers
from conformance.rbd_rig import lab
from realglance.server import ROOT, environment

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def reports(works: dict[str, subprocess.Popen[str]]) -> dict[str, dict[str, Any]]:
    found = {}
    with contextlib.ExitStack() as stack:
        for work in works.values():
            stack.enter_context(work)
            stack.callback(work.kill)
        for name, work in works.items():
            out, said = work.communicate(timeout=120)
            assert work.returncode == 0, (name, said[-3000:])
            found[name] = json.loads(out)
    return found


def times(asked: list[str]) -> int:
    """Count requests; looking again and again at what Cinder is doing, as long as it takes, counts as one.

    Looking for what killed services have left, once in a process, is no part of an image.
    """
    return sum(1 for each, _ in itertools.groupby(asked) if not each.endswith("/volumes/detail"))


def test_an_image_costs_no_more_requests_than_with_the_release(tmp_path: Path) -> None:
    """Neither its put nor its get; both are at it at the same time."""
    pythons = {"ours": sys.executable, "theirs": str(environment("peer") / "bin/python")}
    with lab_alone():
        works = {}
        for name, python in pythons.items():
            place = str(tmp_path / name)
            wanted = {"keystone": lab("MULTISTORE_LAB_KEYSTONE"), "place": place, "size": 9 << 20}
            works[name] = subprocess.Popen(
                [python, ROOT / "bench/cinder_work.py", "get", json.dumps(wanted)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        found = reports(works)
        assert not lab_leftovers(tmp_path / "ours/locks")
    for kind in ("asked_before", "asked"):  # put, get
        ours, theirs = found["ours"][kind], found["theirs"][kind]
        assert 0 < times(ours) <= times(theirs), (ours, theirs)
