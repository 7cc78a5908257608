"""The real Glance with a Ceph cluster as its default store, and Nova's and Cinder's clones of its images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import pytest
from conformance.rbd_clones import clone, remove_volume, with_volume
from conformance.rbd_rig import Backstage, clean_up, lab, lab_back
from realglance.client import Client
from realglance.server import CONFIG, LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

DATA = os.urandom((9 << 20) + 12345)
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.fixture(scope="module")
def back() -> Backstage:
    return lab_back()


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory, back: Backstage) -> Iterator[Glance]:
    """A server with ``ceph:rbd``, the default, and ``thin:rbd``, whose data is in a pool of its own."""
    config = CONFIG.replace("enabled_backends = ", "enabled_backends = ceph:rbd,thin:rbd,")
    config = config.replace("default_backend = fast", "default_backend = ceph")
    for name, more in (
        ("ceph", "weight = 300"),
        ("thin", "rbd_thin_provisioning = true\nrbd_store_pool = images-data"),
    ):
        config += f"\n[{name}]\nrbd_store_ceph_conf = {lab('MULTISTORE_LAB_CEPH')}\n"
        config += f"rbd_store_user = images\n{more}\n"
    place = tmp_path_factory.mktemp("glance")
    with Glance(environment(LIBRARY), place, config) as server:
        yield server
    clean_up(back)
    clean_up(lab_back(pool="images-data"))


@pytest.fixture
def client(glance: Glance) -> Client:
    return glance.client()


def chunks(data: bytes, size: int = 1 << 18) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def upload(client: Client, data: bytes | Iterable[bytes] = DATA, **properties: str) -> str:
    image = client.create(**properties)
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


def names(back: Backstage) -> set[str]:
    with back.pool() as io:
        return set(back.sdk.rbd.RBD().list(io))


@pytest.mark.parametrize(
    "send", [bytes, chunks, partial(chunks, size=9_999_999)], ids=["known", "chunked", "one chunk"]
)
def test_uploads_arrive_whole(send: Callable[[bytes], Any], client: Client) -> None:
    image = upload(client, send(DATA))
    shown = client.show(image)
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    (location,) = client.locations(image).items()
    assert location[0] == "ceph"
    assert location[1].startswith("rbd://")
    assert location[1].endswith(f"/images/{image}/snap")
    assert download(client, image) == DATA


def test_an_empty_image_is_an_image(client: Client) -> None:
    image = upload(client, iter([b""]))
    assert client.show(image)["status"] == "active"
    assert download(client, image) == b""


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("0-0", 0, 1), ("8388600-8388700", 8388600, 8388701), ("-10", len(DATA) - 10, len(DATA)),
     ("0-", 0, len(DATA)), ("8388608-99999999", 8388608, len(DATA))],
)  # fmt: skip
def test_ranges_are_served(asked: str, start: int, end: int, client: Client) -> None:
    image = upload(client)
    answer = client("GET", f"/images/{image}/file", expect=206, headers={"Range": f"bytes={asked}"})
    assert answer.body == DATA[start:end]
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    client("GET", f"/images/{image}/file", expect=416, headers={"Range": f"bytes={len(DATA)}-"})


def test_staged_data_is_imported_into_several_stores(glance: Glance, client: Client) -> None:
    image = client.create()
    client("PUT", f"/images/{image}/stage", chunks(DATA), expect=204)
    brought(glance, image, "glance-direct", "ceph", "thin", "fast")
    for store in ("ceph", "thin", "fast"):
        assert download(client, image, store) == DATA
    assert client.show(image)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    client("DELETE", f"/images/{image}", expect=204)


def test_an_image_is_copied_and_deleted_store_by_store(
    glance: Glance, client: Client, back: Backstage
) -> None:
    image = upload(client)
    brought(glance, image, "copy-image", "thin")
    assert download(client, image, "thin") == DATA
    client("DELETE", f"/stores/ceph/{image}", expect=204)
    assert set(client.locations(image)) == {"thin"}
    assert image not in names(back)
    assert download(client, image) == DATA
    brought(glance, image, "copy-image", "ceph")
    assert download(client, image, "ceph") == DATA
    client("DELETE", f"/images/{image}", expect=204)
    client("GET", f"/images/{image}", expect=404)
    assert image not in names(back)


def test_a_location_is_added_and_its_image_deleted(
    glance: Glance, client: Client, back: Backstage
) -> None:
    first = upload(client)
    url = client.locations(first)["ceph"]
    second = client.create()
    client("POST", f"/images/{second}/locations", {"url": url}, expect=202)
    until("the import to end", lambda: glance.idle(second))
    until("the digest", lambda: client.show(second)["os_hash_value"])
    assert client.show(second)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert set(client.locations(second)) == {"ceph"}
    assert download(client, second) == DATA
    client("DELETE", f"/images/{first}", expect=204)
    assert first not in names(back)
    client("GET", f"/images/{second}/file", expect=204)
    client("DELETE", f"/images/{second}", expect=204)


def test_wrong_locations_are_refused(client: Client) -> None:
    image = upload(client, b"image")
    good = client.locations(image)["ceph"]
    for url in (
        good + "x",
        good.replace(image, "nothing"),
        "rbd://a/b",
        good.replace("images", "nowhere"),
    ):
        other = client.create()
        value = {"url": url, "metadata": {"store": "ceph"}}
        client("PATCH", f"/images/{other}", [{"op": "add", "path": "/locations/-", "value": value}],
               expect=400, headers=PATCH)  # fmt: skip


@pytest.mark.parametrize("form", ["1", "2"])
def test_a_clone_keeps_its_image_until_it_is_flattened(
    form: str, client: Client, back: Backstage
) -> None:
    """Nova's and Cinder's clones: of the first format they forbid the deletion, of the second they outlive it."""
    image = upload(client, disk_format="raw")
    url = client.locations(image)["ceph"]
    clone(back, url, f"volume-{form}", form)
    try:
        if form == "1":
            client("DELETE", f"/images/{image}", expect=409)
            assert client.show(image)["status"] == "active"
            assert download(client, image) == DATA
            clone(back, url, "second", form)
            remove_volume(back, "second")
            with_volume(back, f"volume-{form}", lambda volume: volume.flatten())
        client("DELETE", f"/images/{image}", expect=204)
        assert image not in names(back)
        assert with_volume(back, f"volume-{form}", lambda v: v.read(0, len(DATA))) == DATA
    finally:
        remove_volume(back, f"volume-{form}")


def test_a_client_that_hangs_up_leaves_nothing(client: Client, back: Backstage) -> None:
    image = client.create()
    before = names(back)
    connection = client.connection()
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for key, value in (client.who | {"Content-Type": "application/octet-stream"}).items():
        connection.putheader(key, value)
    connection.putheader("Content-Length", str(len(DATA)))
    connection.endheaders(DATA[: 4 << 20])
    until("the upload to begin", lambda: client.show(image)["status"] == "saving")
    connection.close()
    until("the upload to fail", lambda: client.show(image)["status"] == "queued")
    until("the image to go", lambda: names(back) == before)
    client("PUT", f"/images/{image}/file", DATA, expect=204)
    assert download(client, image) == DATA


def test_details_of_the_stores(client: Client) -> None:
    listed = client("GET", "/info/stores/detail").json["stores"]
    shown = {each["id"]: each for each in listed}
    properties = shown["ceph"]["properties"]
    fsid = properties.pop("fsid")
    assert len(fsid) == 36
    assert properties == {"chunk_size": 8 << 20, "pool": "images", "thin_provisioning": False}
    assert shown["thin"]["properties"] == {
        "chunk_size": 8 << 20, "pool": "images-data", "thin_provisioning": True, "fsid": fsid,
    }  # fmt: skip
    assert (shown["ceph"]["type"], shown["ceph"]["default"]) == ("rbd", "true")


def test_images_survive_a_restart(glance: Glance, client: Client) -> None:
    image = upload(client)
    glance.restart()
    assert download(client, image) == DATA
    client("DELETE", f"/images/{image}", expect=204)
