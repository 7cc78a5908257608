"""put from a URL: with the store of the configuration that covers it, or without any."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator

import pytest
from cli.person import Person
from rawserver import RawServer, Request, Script, reply

DATA = b"from the web" * 100_000


def answer(request: Request) -> Script:
    return [reply(body=b"" if request.method == "HEAD" else DATA, length=len(DATA))]


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(answer) as server:
        yield server


def configured(person: Person, *tables: str) -> None:
    here = '[options]\nattempts = 1\n[stores.here]\nurl = "file:here"\n'
    person.configure(here + "".join(tables))


def test_the_store_whose_base_covers_a_url_reads_it_with_its_credentials(
    person: Person, server: RawServer
) -> None:
    configured(
        person,
        f'[stores.outer]\ndriver = "http"\nbase = "{server.url}/"\ntoken = "outer"\n',
        f'[stores.inner]\ndriver = "http"\nbase = "{server.url}/in/"\ntoken = "inner"\n',
    )
    url = f"{server.url}/in/disk.img?part=1"
    digest = hashlib.sha256(DATA).hexdigest()
    assert (
        "put disk.img: 1.1 MiB into here" in person("put", url, "--expect", f"sha256:{digest}").out
    )
    assert {each.fields["authorization"] for each in server.requests} == {"Bearer inner"}
    assert person("get", "disk.img", "-").raw == DATA
    person("put", f"{server.url}/other.img")
    assert server.requests[-1].fields["authorization"] == "Bearer outer"


def test_the_scheme_of_a_url_may_be_in_capitals(person: Person, server: RawServer) -> None:
    configured(person, f'[stores.web]\ndriver = "http"\nbase = "{server.url}/"\n')
    person("put", f"{server.url}/disk.img".replace("http", "HTTP"))
    assert person("get", "disk.img", "-").raw == DATA


def test_a_store_that_allows_the_address_reads_it_without_credentials(
    person: Person, server: RawServer
) -> None:
    configured(person, '[stores.web]\ndriver = "http"\nallow = ["127.0.0.0/8"]\n')
    person("put", f"{server.url}/disk.img")
    assert not any("authorization" in each.fields for each in server.requests)
    assert person("get", "disk.img", "-").raw == DATA


def test_without_such_a_store_inner_addresses_are_refused(
    person: Person, server: RawServer
) -> None:
    done = person("put", f"{server.url}/disk.img", code=6)
    assert "is not public" in done.err
    configured(person, '[stores.web]\ndriver = "http"\nbase = "http://127.0.0.1:1/"\n')
    person("put", f"{server.url}/disk.img", code=6)
    assert server.connections == 0
    person("stat", "disk.img", code=3)


def test_a_dry_run_asks_for_the_size_only(person: Person, server: RawServer) -> None:
    configured(person, f'[stores.web]\ndriver = "http"\nbase = "{server.url}/"\n')
    before = person.tree()
    assert "(1.1 MiB)" in person("put", f"{server.url}/disk.img", "--dry-run").out
    person("put", f"{server.url}/disk.img", "--dry-run", "--size", "5", code=7)
    assert person.tree() == before


@pytest.mark.parametrize(
    ("status", "code"),
    [("404 Not Found", 3), ("403 Forbidden", 6), ("401 Unauthorized", 6), ("503 Busy", 5), ("429 Slow", 5)],
)  # fmt: skip
def test_what_the_server_refuses_has_its_exit_code(person: Person, status: str, code: int) -> None:
    with RawServer(lambda _: [reply(status)]) as server:
        configured(person, f'[stores.web]\ndriver = "http"\nbase = "{server.url}/"\n')
        done = person("put", f"{server.url}/disk.img", code=code)
    assert done.err.startswith("multistore: ")
    assert not person.leftovers()


def test_a_body_that_is_cut_short_is_not_kept(person: Person) -> None:
    with RawServer(lambda _: [reply(body=DATA[:-5], length=len(DATA)), b""]) as server:
        configured(person, f'[stores.web]\ndriver = "http"\nbase = "{server.url}/"\n')
        person("put", f"{server.url}/disk.img", code=5)
    person("stat", "disk.img", code=3)
    assert not person.leftovers()
    assert not (person.home / "here/disk.img").exists()


def test_a_server_that_is_not_there(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configured(person, f'[stores.web]\ndriver = "http"\nbase = "http://127.0.0.1:{port}/"\n')
    assert "stores --check" in person("put", f"http://127.0.0.1:{port}/disk.img", code=5).err


@pytest.mark.parametrize(
    "url",
    ["http://", "https://h", "https://h/", "http://h:99999/x", "https://h/a/../b", "http://[/x"],
)
def test_what_is_no_url_of_an_image_is_refused(person: Person, url: str) -> None:
    before = person.tree()
    person("put", url, code=2)
    assert person.tree() == before
