"""The real Glance with an s3 store on the RADOS gateway, and images of release 5.7.0 read by ours and the other way round."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from conformance.s3_rig import Backstage, bucket_of, lab, rgw_settings
from realglance.client import Client
from realglance.server import LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

DATA = os.urandom((12 << 20) + 12345)
STORE = {"X-Image-Meta-Store": "cloud"}


def with_s3(server: Glance, back: Backstage) -> Glance:
    """Add the store ``cloud:s3`` to a server's configuration."""
    file = server.place / "etc/glance-api.conf"
    text = file.read_text().replace("web:http", "web:http,cloud:s3")
    file.write_text(
        f"{text}\n[cloud]\ns3_store_host = {back.settings.endpoint}\ns3_store_bucket = {back.settings.bucket}\n"
        f"s3_store_access_key = {lab('MULTISTORE_LAB_RGW_ACCESS')}\n"
        f"s3_store_secret_key = {lab('MULTISTORE_LAB_RGW_SECRET')}\ns3_store_large_object_size = 6\n"
        "s3_store_large_object_chunk_size = 5\n"
    )
    return server


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


@pytest.fixture(scope="module")
def glance(back: Backstage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    with with_s3(Glance(environment(LIBRARY), tmp_path_factory.mktemp("glance")), back) as server:
        yield server


def keys(back: Backstage) -> set[str]:
    return {each["Key"] for each in back.ask("list_objects_v2").get("Contents", ())}


def upload(client: Client, data: bytes | Iterable[bytes]) -> str:
    image = client.create()
    client("PUT", f"/images/{image}/file", data, expect=204, headers=STORE)
    return image


def download(client: Client, image: str) -> bytes:
    return client("GET", f"/images/{image}/file").body


@pytest.mark.parametrize("known", [True, False], ids=["known", "chunked"])
def test_an_image_makes_the_round(glance: Glance, back: Backstage, known: bool) -> None:
    """Upload, location, whole and in part, copies to and fro, deletion; nothing is left."""
    client = glance.client()
    image = upload(client, DATA if known else iter([DATA[: 5 << 20], DATA[5 << 20 :]]))
    shown = client.show(image)
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    place = (back.settings.endpoint or "").removeprefix("http://")
    assert client.locations(image) == {"cloud": f"s3://{place}/{back.settings.bucket}/{image}"}
    assert download(client, image) == DATA
    part = client("GET", f"/images/{image}/file", expect=206, headers={"Range": "bytes=10-19"})
    assert part.body == DATA[10:20]
    asked = {"method": {"name": "copy-image"}, "stores": ["fast"], "all_stores_must_succeed": True}
    client("POST", f"/images/{image}/import", asked, expect=202)
    until("the copy to end", lambda: glance.idle(image))
    assert set(client.locations(image)) == {"cloud", "fast"}
    client("DELETE", f"/images/{image}", expect=204)
    assert image not in keys(back)
    assert not back.leftovers()


def test_a_client_that_hangs_up_leaves_nothing(glance: Glance, back: Backstage) -> None:
    client = glance.client()
    image = client.create()
    connection = client.connection()
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for key, value in (client.who | STORE | {"Content-Type": "application/octet-stream"}).items():
        connection.putheader(key, value)
    connection.putheader("Content-Length", str(len(DATA)))
    connection.endheaders(DATA[: 11 << 20])
    until("the upload to begin", lambda: client.show(image)["status"] == "saving")
    connection.close()
    until("the upload to fail", lambda: client.show(image)["status"] == "queued")
    assert image not in keys(back)
    assert not back.leftovers()


def test_locations_with_credentials_are_read_and_healed(glance: Glance, back: Backstage) -> None:
    """As older services wrote them into the database; no secret is logged."""
    client = glance.client()
    image = upload(client, b"image")
    place = (back.settings.endpoint or "").removeprefix("http://")
    older = f"s3://labaccess:sec/ret@canary@{place}/{back.settings.bucket}/{image}"
    glance.rows("update image_locations set value = ? where image_id = ?", older, image)
    assert download(client, image) == b"image"
    assert client.locations(image) == {"cloud": f"s3://{place}/{back.settings.bucket}/{image}"}
    client("DELETE", f"/images/{image}", expect=204)
    assert image not in keys(back)


def test_the_store_is_shown_with_its_details(glance: Glance) -> None:
    listed = glance.client()("GET", "/info/stores/detail").json["stores"]
    (cloud,) = (each for each in listed if each["id"] == "cloud")
    assert cloud["type"] == "s3"
    assert cloud["properties"] == {
        "s3_store_large_object_size": 6 << 20,
        "s3_store_large_object_chunk_size": 5 << 20,
        "s3_store_thread_pools": 10,
    }


@pytest.mark.parametrize("pair", [("peer", "ours"), ("ours", "peer")], ids=" then ".join)
def test_images_of_one_are_images_of_the_other(
    pair: tuple[str, str], back: Backstage, tmp_path: Path
) -> None:
    """A service changes the library and reads, measures and deletes what the other one has written."""
    writer, reader = pair
    first = with_s3(Glance(environment(writer), tmp_path), back)
    with first:
        images = {upload(first.client(), data): data for data in (DATA, b"small")}
    first.venv = environment(reader)
    with first:
        client = first.client()
        for image, data in images.items():
            assert client.show(image)["size"] == len(data)
            assert download(client, image) == data
            client("DELETE", f"/images/{image}", expect=204)
    assert not set(images) & keys(back)
