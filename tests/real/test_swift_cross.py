"""What release 5.7.0 wrote to Swift ours reads, measures and deletes, and the other way round."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.swift_rig import Backstage, keystone, lab
from differential.ceph import content

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SCRIPT = Path(__file__).parents[1] / "differential" / "ceph.py"
#: Sizes, and whether they are told; segments have 1024000 bytes, and from so many on images are made of some.
IMAGES = {
    "small": (5, True),
    "small-unknown": (5, False),
    "empty": (0, False),
    "large-unknown": ((2 << 20) + 12345, False),
    "large": ((2 << 20) + 12345, True),
    "even": (2 * 1_024_000, True),
}
#: Release 5.7.0 cannot add one of known size that is not a multiple of a segment's.
THEIRS = {name: each for name, each in IMAGES.items() if name != "large"}


@pytest.fixture
def back() -> Iterator[Backstage]:
    found = Backstage(keystone())
    yield found
    found.empty()


class House:
    """A store of either library, in processes of their own; without a file of accounts, or with one."""

    def __init__(self, container: str, file: Path | None) -> None:
        self.options = {
            "swift_store_container": container,
            "swift_store_create_container_on_put": True,
            "swift_store_large_object_size": 1,
            "swift_store_large_object_chunk_size": 1,
            "default_swift_reference": "ref1",
        }
        url = lab("MULTISTORE_LAB_KEYSTONE")
        if file is None:
            self.options["swift_store_auth_address"] = url
            self.options |= {"swift_store_user": "demo:demo", "swift_store_key": "demopass"}
        else:
            file.write_text(f"[ref1]\nauth_address = {url}\nuser = demo:demo\nkey = demopass\n")
            self.options["swift_store_config_file"] = str(file)

    def act(self, library: str, steps: list[dict[str, Any]]) -> list[Any]:
        """Do some things with ``ours`` or ``5.7.0``; all must succeed."""
        python = sys.executable if library == "ours" else lab("MULTISTORE_LAB_PEER")
        told = {"store": "cloud", "type": "swift", "options": self.options}
        done = subprocess.run(
            [python, SCRIPT],
            input=json.dumps({**told, "verb": "several", "steps": steps}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answer = json.loads(done.stdout.splitlines()[-1])
        assert all("returned" in each for each in answer["returned"]), answer
        return [each["returned"] for each in answer["returned"]]


@pytest.mark.parametrize("named", [False, True], ids=["options", "file"])
@pytest.mark.parametrize(
    ("writer", "reader"), [("5.7.0", "ours"), ("ours", "5.7.0")], ids=["from it", "to it"]
)
def test_images_of_one_are_images_of_the_other(
    writer: str, reader: str, named: bool, back: Backstage, tmp_path: Path
) -> None:
    """One object or segments, locations with credentials or with the name of an account; nothing stays of them."""
    house = House(back.settings.container, tmp_path / "accounts" if named else None)
    images = IMAGES if writer == "ours" else THEIRS
    added = house.act(
        writer,
        [
            {"verb": "add", "name": name, "size": size, "known": known}
            for name, (size, known) in images.items()
        ],
    )
    segments = [name for name in back.names() if re.search(r"-\d{5}$", name)]
    assert len(segments) >= 3 + 2
    steps = []
    for (name, (size, _known)), (uri, written, md5, sha256, metadata) in zip(
        images.items(), added, strict=True
    ):
        data = content(size)
        assert (written, metadata) == (size, {"store": "cloud"})
        assert (md5, sha256) == (hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest())
        assert uri.endswith(f"/{back.settings.container}/{name}")
        assert ("demopass" in uri) == (writer == "5.7.0" and not named)
        steps += [{"verb": verb, "uri": uri} for verb in ("size", "get", "delete")]
    told = house.act(reader, steps)
    for at, (_uri, size, _md5, sha256, _metadata) in enumerate(added):
        assert told[3 * at : 3 * at + 3] == [size, [size, size, sha256], None]
    assert not back.names()
