"""The real Glance with Keystone's middleware: each image in Swift in its user's own account, and what Keystone's trusts are for."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

import pytest
from conformance.swift_rig import lab
from realglance.client import Client
from realglance.keystone import Person, trusts
from realglance.server import CONFIG, LIBRARY, Glance, environment, until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SEGMENT = 1_024_000
DATA = os.urandom(9 * SEGMENT + 12345)
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
#: The beginning of the containers' names.
OWN = f"glance-{uuid.uuid4().hex[:8]}"

MIDDLEWARE = """
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
"""
LOGIN = """
[keystone_authtoken]
auth_type = password
auth_url = {keystone}
www_authenticate_uri = {keystone}
username = glance
password = glancepass
project_name = service
user_domain_id = default
project_domain_id = default
token_cache_time = -1
"""
STORE = """
[{name}]
swift_store_multi_tenant = true
swift_store_container = {own}
swift_store_region = RegionOne
swift_store_large_object_chunk_size = 1
swift_store_auth_address = {keystone}
swift_store_user = service:glance
swift_store_key = glancepass
swift_store_use_trusts = {trusts}
"""


@pytest.fixture(scope="module")
def people() -> Iterator[dict[str, Person]]:
    found = {name: Person(name) for name in ("demo", "other", "admin")}
    yield found
    for person in found.values():
        person.empty(OWN)


@pytest.fixture(scope="module")
def demo(people: dict[str, Person]) -> Person:
    return people["demo"]


@pytest.fixture(scope="module")
def glance(tmp_path_factory: pytest.TempPathFactory, people: dict[str, Person]) -> Iterator[Glance]:
    """A server that asks Keystone who is who, with ``tenants:swift``, the default, and ``alone:swift`` without trusts."""
    config = CONFIG.replace("enabled_backends = ", "enabled_backends = tenants:swift,alone:swift,")
    config = config.replace("default_backend = fast", "default_backend = tenants")
    keystone = lab("MULTISTORE_LAB_KEYSTONE")
    config += LOGIN.format(keystone=keystone)
    for name, trusting in (("tenants", "true"), ("alone", "false")):
        config += STORE.format(name=name, own=OWN, keystone=keystone, trusts=trusting)
    server = Glance(environment(LIBRARY), tmp_path_factory.mktemp("glance"), config)
    paste = server.place / "etc/glance-api-paste.ini"
    text = paste.read_text().replace(
        "versionnegotiation context", "versionnegotiation authtoken context"
    )
    paste.write_text(text + MIDDLEWARE)
    with server:
        yield server
        assert "glancepass" not in server.log()


@pytest.fixture
def acting(glance: Glance) -> Callable[..., Client]:
    """Give a client that acts as somebody, with a token of theirs."""

    def act(person: Person, token: str | None = None) -> Client:
        client = glance.client()
        client.who = {"X-Auth-Token": token or person.token}
        return client

    return act


def chunks(data: bytes, size: int = 300_000) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def upload(
    client: Client, data: bytes | Iterable[bytes] = DATA, store: str = "tenants", **properties: str
) -> str:
    image = client.create(**properties)
    fields = {"X-Image-Meta-Store": store}
    client("PUT", f"/images/{image}/file", data, expect=204, headers=fields)
    return image


def download(client: Client, image: str) -> bytes:
    return client("GET", f"/images/{image}/file").body


def containers(person: Person) -> list[str]:
    return [name for name in person.names() if name.startswith(OWN)]


def readers(person: Person, image: str) -> str:
    answer = person.swift("HEAD", f"/{OWN}_{image}")
    assert answer.status_code == 204
    return str(answer.headers.get("X-Container-Read", ""))


def set_visibility(client: Client, image: str, to: str) -> None:
    change = [{"op": "replace", "path": "/visibility", "value": to}]
    client("PATCH", f"/images/{image}", change, headers=PATCH)


def ending(person: Person, token: str, wait: Callable[[], object]) -> Iterator[bytes]:
    """Give the data, in whose middle the user's token ends."""
    data = chunks(DATA)
    for _ in range(12):
        yield next(data)
    until("the upload to begin", wait)
    person.end(token)
    yield from data


def test_an_upload_outlives_the_token_of_its_user(
    glance: Glance, acting: Callable[..., Client], demo: Person
) -> None:
    """By a trust in the store's user; the last test sees that it goes."""
    token = demo.new_token()
    seen: list[dict[str, object]] = []

    def begun() -> bool:
        seen[:] = trusts("glance")
        return bool(seen)

    image = upload(acting(demo, token), ending(demo, token, begun))
    (trust,) = seen
    assert trust["impersonation"] is True
    assert trust["expires_at"]
    acting(demo, token)("GET", f"/images/{image}", expect=401)
    client = acting(demo)
    assert client.show(image)["status"] == "active"
    assert download(client, image) == DATA
    client("DELETE", f"/images/{image}", expect=204)
    assert not containers(demo)
    assert token not in glance.log()


@pytest.mark.parametrize("known", [True, False], ids=["known", "chunked"])
@pytest.mark.parametrize("size", [len(DATA), 1000])
def test_an_image_makes_the_round_in_the_account_of_its_user(
    size: int, known: bool, acting: Callable[..., Client], demo: Person
) -> None:
    client, data = acting(demo), DATA[:size]
    image = upload(client, data if known else chunks(data))
    shown = client.show(image)
    assert (shown["status"], shown["size"]) == ("active", size)
    assert shown["os_hash_value"] == hashlib.sha512(data).hexdigest()
    url = urlsplit(demo.account)
    place = f"swift+http://{url.netloc}{url.path}/{OWN}_{image}/{image}"
    assert client.locations(image) == {"tenants": place}
    assert containers(demo) == [f"{OWN}_{image}"]
    assert readers(demo, image) == ""
    assert download(client, image) == data
    fields = {"Range": f"bytes={size - 500}-{size - 401}"}
    part = client("GET", f"/images/{image}/file", expect=206, headers=fields)
    assert part.body == data[size - 500 : size - 400]
    client("DELETE", f"/images/{image}", expect=204)
    assert not containers(demo)


def test_staged_data_is_imported_into_the_account_of_its_user(
    glance: Glance, acting: Callable[..., Client], demo: Person
) -> None:
    client = acting(demo)
    image = client.create()
    client("PUT", f"/images/{image}/stage", DATA, expect=204)
    asked = {"method": {"name": "glance-direct"}, "stores": ["tenants", "fast"]}
    client("POST", f"/images/{image}/import", asked, expect=202)
    until("the import to end", lambda: glance.idle(image))
    assert set(client.locations(image)) == {"tenants", "fast"}
    assert download(client, image) == DATA
    client("DELETE", f"/images/{image}", expect=204)
    assert not containers(demo)


def test_an_image_is_shared_and_no_longer(
    acting: Callable[..., Client], people: dict[str, Person]
) -> None:
    """Its reader needs no right but that of its container, in the account of another."""
    demo, other = people["demo"], people["other"]
    owner, reader = acting(demo), acting(other)
    image = upload(owner)
    reader("GET", f"/images/{image}/file", expect=404)
    owner("POST", f"/images/{image}/members", {"member": other.project})
    assert readers(demo, image) == f"{other.project}:*"
    accepted = {"status": "accepted"}
    reader("PUT", f"/images/{image}/members/{other.project}", accepted)
    assert download(reader, image) == DATA
    owner("DELETE", f"/images/{image}/members/{other.project}", expect=204)
    assert readers(demo, image) == ""
    reader("GET", f"/images/{image}/file", expect=404)
    url = f"{demo.account}/{OWN}_{image}/{image}"
    assert other.session.get(url, raise_exc=False).status_code == 403
    owner("DELETE", f"/images/{image}", expect=204)
    assert not containers(demo)


def test_a_public_image_is_everybodys_to_read(
    acting: Callable[..., Client], people: dict[str, Person]
) -> None:
    admin = people["admin"]
    owner, reader = acting(admin), acting(people["other"])
    image = upload(owner)
    set_visibility(owner, image, "public")
    assert readers(admin, image) == "*:*"
    assert download(reader, image) == DATA
    set_visibility(owner, image, "private")
    assert readers(admin, image) == ""
    reader("GET", f"/images/{image}/file", expect=404)
    owner("DELETE", f"/images/{image}", expect=204)
    assert not containers(admin)


def test_without_trusts_nothing_is_acknowledged_once_the_token_has_ended(
    acting: Callable[..., Client], demo: Person
) -> None:
    token, client = demo.new_token(), acting(demo)
    image = client.create()
    answer = acting(demo, token)(
        "PUT",
        f"/images/{image}/file",
        ending(demo, token, lambda: containers(demo)),
        headers={"X-Image-Meta-Store": "alone"},
        expect=500,
    )
    assert token not in answer.body.decode()
    assert client.show(image)["status"] == "queued"
    client("DELETE", f"/images/{image}", expect=204)
    demo.empty(OWN)


def test_all_trusts_are_gone() -> None:
    until("the trusts to go", lambda: not trusts("glance"))
