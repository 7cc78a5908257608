"""The real Glance on our library, over HTTP.

One scenario also runs on the release that ours stands in for, to prove that what fails is not the harness.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from realglance.client import Client
from realglance.server import LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STORE = "X-Image-Meta-Store"
DATA = os.urandom((8 << 20) + 12345)


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    with Glance(environment(LIBRARY), tmp_path_factory.mktemp("glance")) as server:
        yield server


@pytest.fixture
def client(glance: Glance) -> Client:
    return glance.client()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with the image."""
    folder = tmp_path_factory.mktemp("www")
    (folder / "image").write_bytes(DATA)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/image"
        server.shutdown()
        thread.join(10)


def chunks(data: bytes, size: int = 1 << 18) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def upload(
    client: Client, data: bytes | Iterable[bytes] = DATA, headers: dict[str, str] | None = None
) -> str:
    image = client.create()
    client("PUT", f"/images/{image}/file", data, expect=204, headers=headers)
    return image


def download(client: Client, image: str, store: str = "") -> bytes:
    prefer = f"?prefer={store}" if store else ""
    return client("GET", f"/images/{image}/file{prefer}").body


def finished(glance: Glance, image: str, stores: set[str]) -> None:
    """Wait until no task is at work on the image any more; it is then in these stores."""
    until("the import to end", lambda: glance.idle(image))
    shown = glance.client().show(image)
    assert not shown.get("os_glance_failed_import"), shown
    assert {each["metadata"]["store"] for each in shown["locations"]} == stores


def start_import(client: Client, image: str, name: str, *stores: str, **method: Any) -> None:
    asked = {"method": {"name": name, **method}, "all_stores_must_succeed": True}
    client("POST", f"/images/{image}/import", asked | {"stores": list(stores)}, expect=202)


def files(glance: Glance, folder: str) -> set[str]:
    place = glance.place / folder
    return set(os.listdir(place)) if place.exists() else set()


@pytest.mark.parametrize("library", ["ours", "peer"])
def test_an_image_makes_the_round(library: str, tmp_path: Path) -> None:
    with Glance(environment(library), tmp_path) as server:
        client = server.client()
        image = upload(client)
        assert download(client, image) == DATA
        start_import(client, image, "copy-image", "slow")
        finished(server, image, {"fast", "slow"})
        assert download(client, image, "slow") == DATA
        client("DELETE", f"/images/{image}", expect=204)
        assert files(server, "fast") == files(server, "slow") == set()


@pytest.mark.parametrize(
    "send", [bytes, chunks, partial(chunks, size=9_999_999)], ids=["known", "chunked", "one chunk"]
)
def test_uploads_arrive_whole(send: Callable[[bytes], Any], glance: Glance, client: Client) -> None:
    image = upload(client, send(DATA))
    shown = client.show(image)
    assert (shown["status"], shown["size"]) == ("active", len(DATA))
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()
    assert shown["os_hash_algo"] == "sha512"
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert client.locations(image) == {"fast": f"file://{glance.place}/fast/{image}"}
    assert hashlib.sha512(download(client, image)).hexdigest() == shown["os_hash_value"]


def test_an_empty_image_is_an_image(client: Client) -> None:
    image = upload(client, iter([b""]))
    assert client.show(image)["status"] == "active"
    assert download(client, image) == b""


def test_uploads_go_to_the_store_that_is_asked_for(glance: Glance, client: Client) -> None:
    image = upload(client, headers={STORE: "slow"})
    assert set(client.locations(image)) == {"slow"}
    assert image in files(glance, "slow")
    read_only = client.create()
    client("PUT", f"/images/{read_only}/file", b"x", expect=410, headers={STORE: "web"})
    client("PUT", f"/images/{read_only}/file", b"x", expect=400, headers={STORE: "none"})
    client("PUT", f"/images/{read_only}/file", b"x", expect=204)


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1), ("10-19", 10, 20), ("65530-70000", 65530, 70001), ("-10", len(DATA) - 10, len(DATA)),
        ("8388608-", 8 << 20, len(DATA)), ("0-", 0, len(DATA)), ("8388600-99999999", 8388600, len(DATA)),
    ],
)  # fmt: skip
def test_ranges_are_served(asked: str, start: int, end: int, client: Client) -> None:
    image = upload(client)
    answer = client("GET", f"/images/{image}/file", expect=206, headers={"Range": f"bytes={asked}"})
    assert answer.body == DATA[start:end]
    assert answer.headers["Content-Length"] == str(end - start)
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(DATA)}"
    client("GET", f"/images/{image}/file", expect=416, headers={"Range": f"bytes={len(DATA)}-"})


def test_many_download_at_once(client: Client) -> None:
    image = upload(client)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda _: download(client, image), range(16)))
    assert all(each == DATA for each in read)


@pytest.mark.parametrize("send", [bytes, chunks], ids=["known", "chunked"])
def test_staged_data_is_imported_into_several_stores(
    send: Callable[[bytes], Any], glance: Glance, client: Client
) -> None:
    image = client.create()
    client("PUT", f"/images/{image}/stage", send(DATA), expect=204)
    assert image in files(glance, "staging")
    client("PUT", f"/images/{image}/stage", b"other", expect=409)
    start_import(client, image, "glance-direct", "fast", "slow")
    finished(glance, image, {"fast", "slow"})
    assert client.show(image)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert download(client, image, "fast") == download(client, image, "slow") == DATA
    until("the staged data to go", lambda: image not in files(glance, "staging"))


def test_an_image_is_copied_and_deleted_store_by_store(glance: Glance, client: Client) -> None:
    image = upload(client)
    start_import(client, image, "copy-image", "slow")
    finished(glance, image, {"fast", "slow"})
    assert download(client, image, "slow") == DATA
    assert files(glance, "staging") == set()

    client("DELETE", f"/stores/fast/{image}", expect=204)
    assert set(client.locations(image)) == {"slow"}
    assert image not in files(glance, "fast")
    assert download(client, image) == DATA
    client("DELETE", f"/stores/slow/{image}", expect=403)
    assert download(client, image) == DATA


def test_locations_are_in_the_order_of_the_weights(glance: Glance, client: Client) -> None:
    image = upload(client, b"image", {STORE: "slow"})
    start_import(client, image, "copy-image", "fast")
    finished(glance, image, {"fast", "slow"})
    stores = [each["metadata"]["store"] for each in client.show(image)["locations"]]
    assert stores == ["fast", "slow"]


def test_the_database_is_told_the_store_of_an_image(glance: Glance, client: Client) -> None:
    image = upload(client, b"image")  # before a read, on which Glance would add what is missing
    rows = glance.rows("select value, meta_data from image_locations where image_id = ?", image)
    assert rows == [(f"file://{glance.place}/fast/{image}", '{"store": "fast"}')]


def test_a_url_is_downloaded_into_a_store(web: str, client: Client, glance: Glance) -> None:
    image = client.create()
    start_import(client, image, "web-download", "fast", uri=web)
    finished(glance, image, {"fast"})
    assert client.show(image)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert download(client, image) == DATA
    assert files(glance, "staging") == set()


def test_the_location_of_a_web_server_is_added(web: str, glance: Glance, client: Client) -> None:
    image = client.create()
    client("POST", f"/images/{image}/locations", {"url": web}, expect=202)
    finished(glance, image, {"web"})
    until("the digest of the location", lambda: client.show(image)["os_hash_value"])
    assert client.show(image)["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    assert client.show(image)["size"] == len(DATA)
    assert download(client, image) == DATA
    part = client("GET", f"/images/{image}/file", expect=206, headers={"Range": "bytes=5-9"})
    assert part.body == DATA[5:10]
    start_import(client, image, "copy-image", "slow")
    finished(glance, image, {"web", "slow"})
    assert download(client, image, "slow") == DATA
    client("DELETE", f"/images/{image}", expect=204)


def test_locations_are_checked_when_they_are_added(web: str, client: Client) -> None:
    patch = "application/openstack-images-v2.1-json-patch"

    def add(url: str, store: str, expect: int) -> str:
        image = client.create()
        value = {"url": url, "metadata": {"store": store}}
        operation = [{"op": "add", "path": "/locations/-", "value": value}]
        client(
            "PATCH", f"/images/{image}", operation, expect=expect, headers={"Content-Type": patch}
        )
        return image

    assert download(client, add(web, "web", 200)) == DATA
    add(web + "-that-is-not-there", "web", 400)
    add(web.replace("127.0.0.1", "127.0.0.1:x"), "web", 400)
    add("gopher://127.0.0.1/image", "web", 400)


def test_a_deleted_image_leaves_nothing(glance: Glance, client: Client) -> None:
    image = upload(client)
    client("DELETE", f"/images/{image}", expect=204)
    client("GET", f"/images/{image}", expect=404)
    assert image not in files(glance, "fast")


def test_data_is_not_replaced(glance: Glance, client: Client) -> None:
    image = upload(client)
    client("PUT", f"/images/{image}/file", b"other", expect=409)
    assert download(client, image) == DATA


def test_what_lies_there_is_not_overwritten(glance: Glance, client: Client) -> None:
    image = client.create()
    stray = glance.place / "fast" / image
    stray.write_bytes(b"stray")
    # Glance knows no answer to Duplicate here
    client("PUT", f"/images/{image}/file", DATA, expect=500)
    assert stray.read_bytes() == b"stray"
    assert client.show(image)["status"] == "queued"
    stray.unlink()
    client("PUT", f"/images/{image}/file", DATA, expect=204)


def test_an_image_whose_data_was_lost_is_no_content(glance: Glance, client: Client) -> None:
    image = upload(client)
    (glance.place / "fast" / image).unlink()
    assert client("GET", f"/images/{image}/file", expect=204).body == b""
    client("DELETE", f"/images/{image}", expect=204)


def test_the_next_location_is_read_when_one_was_lost(glance: Glance, client: Client) -> None:
    image = upload(client)
    start_import(client, image, "copy-image", "slow")
    finished(glance, image, {"fast", "slow"})
    (glance.place / "fast" / image).unlink()
    assert download(client, image) == DATA


def test_a_client_that_hangs_up_leaves_nothing(glance: Glance, client: Client) -> None:
    image = client.create()
    before = files(glance, "fast")
    connection = client.connection()
    connection.putrequest("PUT", f"/v2/images/{image}/file")
    for key, value in (client.who | {"Content-Type": "application/octet-stream"}).items():
        connection.putheader(key, value)
    connection.putheader("Content-Length", str(len(DATA)))
    connection.endheaders(DATA[: 4 << 20])
    until("the upload to begin", lambda: client.show(image)["status"] == "saving")
    connection.close()
    until("the upload to fail", lambda: client.show(image)["status"] == "queued")
    assert files(glance, "fast") == before
    client("PUT", f"/images/{image}/file", DATA, expect=204)
    assert download(client, image) == DATA


def test_stores_are_listed_with_details_and_weights(glance: Glance, client: Client) -> None:
    listed = {each["id"]: each for each in client("GET", "/info/stores").json["stores"]}
    assert {name: each.get("default") for name, each in listed.items()} == {
        "fast": "true",
        "slow": None,
        "web": None,
    }
    assert listed["web"]["read-only"] == "true"
    detailed = {each["id"]: each for each in client("GET", "/info/stores/detail").json["stores"]}
    assert {name: (each["type"], each["weight"]) for name, each in detailed.items()} == {
        "fast": ("file", 200), "slow": ("file", 100), "web": ("http", 0),
    }  # fmt: skip
    assert detailed["slow"]["description"] == "slow files"
    assert detailed["slow"]["properties"] == {
        "data_dir": f"{glance.place}/slow", "chunk_size": 65536, "thin_provisioning": False,
    }  # fmt: skip
    assert detailed["web"]["properties"] == {}


def test_images_survive_a_restart(glance: Glance, client: Client) -> None:
    images = [upload(client, bytes([n]) * 100_000) for n in range(3)]
    glance.restart()
    for n, image in enumerate(images):
        assert download(client, image) == bytes([n]) * 100_000
        client("DELETE", f"/images/{image}", expect=204)
    assert not set(images) & files(glance, "fast")
