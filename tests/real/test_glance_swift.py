"""The real Glance with Swift as its default store, in one account."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conformance.swift_rig import lab
from multistore.drivers.swift.refs import is_segment
from realglance.client import Client
from realglance.keystone import Person
from realglance.server import CONFIG, LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

#: The least that the options allow, in bytes.
SEGMENT = 1_024_000
DATA = os.urandom(5 * SEGMENT + 12345)
KEY = "demopass"


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    """The container of the default store, and the beginning of the names of another's."""
    name = f"glance-{uuid.uuid4().hex[:8]}"
    yield name
    Person("demo").empty(name)


@pytest.fixture(scope="module")
def demo() -> Person:
    return Person("demo")


def on_swift(venv: Path, place: Path, container: str) -> Glance:
    """Make a server with ``cloud:swift``, the default, and ``seeded:swift`` with several containers; both know the file of accounts."""
    config = CONFIG.replace("enabled_backends = ", "enabled_backends = cloud:swift,seeded:swift,")
    config = config.replace("default_backend = fast", "default_backend = cloud")
    for name, more in (
        ("cloud", f"weight = 300\nswift_store_container = {container}"),
        (
            "seeded",
            f"swift_store_container = {container}-seeded\nswift_store_multiple_containers_seed = 2",
        ),
    ):
        config += (
            f"\n[{name}]\nswift_store_config_file = {{place}}/etc/swift.conf\ndefault_swift_reference = lab\n"
            "swift_store_create_container_on_put = true\nswift_store_region = RegionOne\n"
            f"swift_store_large_object_size = 1\nswift_store_large_object_chunk_size = 1\n{more}\n"
        )
    server = Glance(venv, place, config)
    (place / "etc/swift.conf").write_text(
        f"[lab]\nauth_address = {lab('MULTISTORE_LAB_KEYSTONE')}\nuser = demo:demo\nkey = {KEY}\n"
    )
    return server


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory, container: str) -> Iterator[Glance]:
    place = tmp_path_factory.mktemp("glance")
    with on_swift(environment(LIBRARY), place, container) as server:
        yield server
        assert KEY not in server.log()


@pytest.fixture
def client(glance: Glance) -> Client:
    return glance.client()


def chunks(data: bytes, size: int = 300_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def upload(client: Client, data: bytes | Iterable[bytes] = DATA) -> str:
    image = client.create()
    client("PUT", f"/images/{image}/file", data, expect=204)
    return image


def download(client: Client, image: str, store: str = "") -> bytes:
    prefer = f"?prefer={store}" if store else ""
    return client("GET", f"/images/{image}/file{prefer}").body


def brought(glance: Glance, image: str, method: str, *stores: str) -> None:
    """Import or copy an image into these stores."""
    client = glance.client()
    asked = {"method": {"name": method}, "stores": list(stores), "all_stores_must_succeed": True}
    client("POST", f"/images/{image}/import", asked, expect=202)
    until("the import to end", lambda: glance.idle(image))
    assert not client.show(image).get("os_glance_failed_import")
    assert set(client.locations(image)) >= set(stores)


@pytest.mark.parametrize("known", [True, False], ids=["known", "chunked"])
@pytest.mark.parametrize("size", [len(DATA), 4 * SEGMENT, 1000])
def test_an_image_makes_the_round(
    size: int, known: bool, client: Client, demo: Person, container: str
) -> None:
    """Upload, location, whole and in part, deletion; nothing is left."""
    data = DATA[:size]
    image = upload(client, data if known else chunks(data))
    shown = client.show(image)
    assert (shown["status"], shown["size"]) == ("active", size)
    assert shown["checksum"] == hashlib.md5(data).hexdigest()
    assert shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert client.locations(image) == {"cloud": f"swift+config://lab/{container}/{image}"}
    segments = [name for name in demo.names(container) if is_segment(name)]
    assert len(segments) == (-(-size // SEGMENT) if size > SEGMENT else 0)
    assert download(client, image) == data
    for asked, start, end in (
        ("10-19", 10, 20),
        ("-5", size - 5, size),
        (f"{size // 2}-", size // 2, size),
    ):
        fields = {"Range": f"bytes={asked}"}
        part = client("GET", f"/images/{image}/file", expect=206, headers=fields)
        assert part.body == data[start:end]
    client("DELETE", f"/images/{image}", expect=204)
    client("GET", f"/images/{image}", expect=404)
    assert not demo.names(container)


def test_an_empty_image_is_an_image(client: Client, demo: Person, container: str) -> None:
    image = upload(client, iter([b""]))
    assert client.show(image)["status"] == "active"
    assert download(client, image) == b""
    client("DELETE", f"/images/{image}", expect=204)
    assert not demo.names(container)


def test_an_image_is_brought_into_several_stores_and_deleted_store_by_store(
    glance: Glance, client: Client, demo: Person, container: str
) -> None:
    image = client.create()
    client("PUT", f"/images/{image}/stage", chunks(DATA), expect=204)
    brought(glance, image, "glance-direct", "cloud", "fast")
    brought(glance, image, "copy-image", "seeded")
    for store in ("cloud", "fast", "seeded"):
        assert download(client, image, store) == DATA
    other = f"{container}-seeded_{image[:2]}"
    assert client.locations(image)["seeded"] == f"swift+config://lab/{other}/{image}"
    client("DELETE", f"/stores/cloud/{image}", expect=204)
    assert not demo.names(container)
    assert download(client, image, "seeded") == DATA
    client("DELETE", f"/images/{image}", expect=204)
    assert not demo.names(other)


def test_a_client_that_hangs_up_leaves_nothing(
    client: Client, demo: Person, container: str
) -> None:
    image = client.create()
    connection = client.connection()
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for key, value in (client.who | {"Content-Type": "application/octet-stream"}).items():
        connection.putheader(key, value)
    connection.putheader("Content-Length", str(len(DATA)))
    connection.endheaders(DATA[: 4 * SEGMENT])
    until("segments", lambda: len(demo.names(container)) > 2)
    connection.close()
    until("the upload to fail", lambda: client.show(image)["status"] == "queued")
    assert not demo.names(container)
    client("PUT", f"/images/{image}/file", DATA, expect=204)
    assert download(client, image) == DATA
    client("DELETE", f"/images/{image}", expect=204)
    assert not demo.names(container)


def test_locations_with_a_password_are_read_and_deleted(
    glance: Glance, client: Client, demo: Person, container: str
) -> None:
    """As older services wrote them into the database."""
    image = upload(client)
    place = lab("MULTISTORE_LAB_KEYSTONE").removeprefix("http://")
    older = f"swift+http://demo%3Ademo:{KEY}@{place}/{container}/{image}"
    glance.rows("update image_locations set value = ? where image_id = ?", older, image)
    assert download(client, image) == DATA
    client("DELETE", f"/images/{image}", expect=204)
    assert not demo.names(container)


def test_the_stores_are_shown_with_their_details(client: Client, container: str) -> None:
    listed = client("GET", "/info/stores/detail").json["stores"]
    (cloud,) = (each for each in listed if each["id"] == "cloud")
    assert (cloud["type"], cloud["default"]) == ("swift", "true")
    assert cloud["properties"] == {
        "container": container,
        "large_object_size": SEGMENT,
        "large_object_chunk_size": SEGMENT,
    }
