"""The real Glance when things go wrong below it: full disks, killed workers, directories that are not to be written."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from loopfs import mounted, remount
from multistore import open_store
from realglance.client import Client
from realglance.server import LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

MIB = 1 << 20
DATA = os.urandom(9 * MIB)


def chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1 << 18):
        yield data[start : start + (1 << 18)]


def put(client: Client, data: bytes, *, chunked: bool, expect: int) -> str:
    image = client.create()
    client("PUT", f"/images/{image}/file", chunks(data) if chunked else data, expect=expect)
    return image


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    """A server whose store ``fast`` has 8 MiB, and ``slow`` more."""
    place = tmp_path_factory.mktemp("small")
    with (
        mounted("tmpfs", str(place / "fast"), size=8),
        Glance(environment(LIBRARY), place) as server,
    ):
        yield server


@pytest.mark.parametrize("chunked", [False, True], ids=["known", "chunked"])
def test_a_full_disk_is_413_and_leaves_nothing(chunked: bool, small: Glance) -> None:
    client = small.client()
    image = put(client, DATA, chunked=chunked, expect=413)
    assert client.show(image)["status"] == "queued"
    assert os.listdir(small.place / "fast") == []
    fits = DATA[: 4 * MIB]
    client("PUT", f"/images/{image}/file", fits, expect=204)
    assert client("GET", f"/images/{image}/file").body == fits
    refused = put(client, DATA[: 6 * MIB], chunked=chunked, expect=413)
    assert os.listdir(small.place / "fast") == [image]
    client("DELETE", f"/images/{image}", expect=204)
    client("DELETE", f"/images/{refused}", expect=204)
    assert os.listdir(small.place / "fast") == []


def test_an_import_survives_a_full_store_among_others(small: Glance) -> None:
    client = small.client()
    image = client.create()
    client("PUT", f"/images/{image}/stage", DATA, expect=204)
    asked = {"method": {"name": "glance-direct"}, "stores": ["fast", "slow"]}
    client(
        "POST", f"/images/{image}/import", asked | {"all_stores_must_succeed": False}, expect=202
    )
    until("the import to end", lambda: small.idle(image))
    shown = client.show(image)
    assert (shown["status"], shown["os_glance_failed_import"]) == ("active", "fast")
    assert set(client.locations(image)) == {"slow"}
    assert os.listdir(small.place / "fast") == []
    assert client("GET", f"/images/{image}/file").body == DATA


def test_a_read_only_store_is_503_until_it_is_writable(small: Glance) -> None:
    client = small.client()
    with remount(str(small.place / "fast"), "ro", "rw"):
        image = put(client, b"x", chunked=False, expect=503)
    client("PUT", f"/images/{image}/file", b"x", expect=204)
    client("DELETE", f"/images/{image}", expect=204)


def begin_upload(client: Client, image: str, data: bytes) -> contextlib.closing[HTTPConnection]:
    """Send the beginning of a chunked upload, and leave it at that until the end of the block."""
    connection = client.connection()
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    fields = {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"}
    for key, value in (client.who | fields).items():
        connection.putheader(key, value)
    connection.endheaders()
    connection.send(b"%x\r\n%b\r\n" % (len(data), data))
    return contextlib.closing(connection)


def sweep(folder: Path) -> None:
    """Remove what unfinished uploads left, as ``multistore gc`` and its like do."""
    with open_store(f"file://{folder}") as store:
        for unfinished in store.pending():
            store.discard(unfinished.token)


def test_a_killed_worker_leaves_nothing_but_what_the_sweep_removes(tmp_path: Path) -> None:
    with Glance(environment(LIBRARY), tmp_path) as server:
        client = server.client()
        store = tmp_path / "fast"
        kept = put(client, DATA, chunked=True, expect=204)
        staged = client.create()
        client("PUT", f"/images/{staged}/stage", DATA, expect=204)
        image = client.create()
        with begin_upload(client, image, DATA):
            until("bytes in the store", lambda: len(os.listdir(store)) == 2)
            server.kill_worker()
        server.restart()
        assert client("GET", f"/images/{kept}/file").body == DATA
        assert client("GET", f"/images/{image}/file", expect=204).body == b""
        assert all(name.startswith(".") for name in set(os.listdir(store)) - {kept})
        sweep(store)
        assert os.listdir(store) == [kept]

        # what an operator does with an image that is stuck; the API has no way
        server.rows("update images set status = 'queued' where id = ?", image)
        client("PUT", f"/images/{image}/file", chunks(DATA), expect=204)
        assert client("GET", f"/images/{image}/file").body == DATA
        asked = {"method": {"name": "glance-direct"}}
        client("POST", f"/images/{staged}/import", asked, expect=202)
        until("the import to end", lambda: server.idle(staged))
        assert client("GET", f"/images/{staged}/file").body == DATA
        for each in (kept, staged, image):
            client("DELETE", f"/images/{each}", expect=204)
        assert os.listdir(store) == []
