"""What release 5.7.0 wrote to a cluster ours reads, measures and deletes, and the other way round; two processes, one id."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conformance.rbd_rig import Backstage, clean_up, lab, lab_back
from differential.ceph import content

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parents[1] / "differential" / "ceph.py"
SIZES = {"small": 5, "empty": 0, "large": (17 << 20) + 12345}


@pytest.fixture
def back() -> Iterator[Backstage]:
    made = lab_back()
    yield made
    clean_up(made)


def act(library: str, verb: str, *, thin: bool = False, **more: Any) -> dict[str, Any]:
    """Do one thing in a process of its own, with ``ours`` or ``5.7.0``."""
    python = sys.executable if library == "ours" else lab("MULTISTORE_LAB_PEER")
    options = {
        "rbd_store_ceph_conf": lab("MULTISTORE_LAB_CEPH"),
        "rbd_store_user": "images",
        "rbd_thin_provisioning": thin,
    }
    told = json.dumps({"verb": verb, "options": options, **more})
    done = subprocess.run(
        [python, SCRIPT], input=told, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("thin", [False, True], ids=["full", "thin"])
@pytest.mark.parametrize(
    ("writer", "reader"), [("5.7.0", "ours"), ("ours", "5.7.0")], ids=["from it", "to it"]
)
def test_images_of_one_are_images_of_the_other(
    writer: str, reader: str, thin: bool, back: Backstage
) -> None:
    for name, size in SIZES.items():
        data = content(size)
        known = name != "large" or thin
        uri, written, md5, sha256, metadata = act(
            writer, "add", thin=thin, name=name, size=size, known=known
        )["returned"]
        assert (written, metadata) == (size, {"store": "ceph"})
        assert md5 == hashlib.md5(data).hexdigest()
        assert sha256 == hashlib.sha256(data).hexdigest()
        assert uri.endswith(f"/images/{name}/snap")
        assert act(reader, "get", uri=uri)["returned"] == [size, size, sha256]
        assert act(reader, "size", uri=uri)["returned"] == size
        again = act(reader, "add", name=name, size=3, known=True)
        assert again["raised"][0] == "Duplicate"
        assert act(reader, "get", uri=uri)["returned"] == [size, size, sha256]
        assert act(reader, "delete", uri=uri)["returned"] is None
        assert act(writer, "size", uri=uri)["raised"][0] == "NotFound"
    with back.pool() as io:
        assert not back.sdk.rbd.RBD().list(io)


def test_both_write_the_same_location(back: Backstage) -> None:
    uris = set()
    for library in ("5.7.0", "ours"):
        uri = act(library, "add", name="same", size=5, known=True)["returned"][0]
        uris.add(uri)
        act(library, "delete", uri=uri)
    assert len(uris) == 1


@pytest.mark.parametrize("libraries", [("ours", "ours"), ("ours", "5.7.0")], ids=" and ".join)
def test_of_two_processes_that_add_one_id_one_succeeds(
    libraries: tuple[str, str], back: Backstage
) -> None:
    """Both are in the middle of their data at the same time."""
    at = time.time() + 8
    sizes = (3 << 20, 4 << 20)

    def work(number: int) -> dict[str, Any]:
        return act(libraries[number], "add", name="raced", size=sizes[number], known=True, at=at)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(work, range(2)))
    (winner,) = [n for n, each in enumerate(answers) if "returned" in each]
    loser = answers[1 - winner]
    assert loser["raised"][0] == "Duplicate", loser
    uri, size, _md5, sha256, _metadata = answers[winner]["returned"]
    assert size == sizes[winner]
    assert act("ours", "get", uri=uri)["returned"] == [size, size, sha256]
