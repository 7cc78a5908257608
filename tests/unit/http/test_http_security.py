# ruff: noqa: SIM117 -- the server outside, its client inside: closed in that order
"""Where requests may go, who sees credentials, and that no secret is ever told."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import logging
import os
import socket
import ssl
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import trustme
from multistore.config import Secret
from multistore.drivers.http import HttpDriver, HttpSettings
from multistore.drivers.http.policy import is_public
from multistore.errors import (
    AccessDenied,
    InvalidRef,
    NotFound,
    StoreError,
    Unavailable,
)
from rawserver import RawServer, Request, Script, authority, reply

CANARY = "CANARY"


def settings(**values: object) -> HttpSettings:
    made: dict[str, object] = {"connect_timeout": 2.0, "read_timeout": 2.0, **values}
    return HttpSettings(**made)  # type: ignore[arg-type]  # values of any type


@contextlib.contextmanager
def opened(**values: object) -> Iterator[HttpDriver]:
    with contextlib.closing(HttpDriver(settings(**values))) as driver:
        yield driver


def fetch(driver: HttpDriver, ref: str) -> bytes:
    with driver.open(ref) as reader:
        return b"".join(reader.read())


def failure(work: Callable[[str], object], ref: str) -> StoreError | None:
    try:
        work(ref)
    except StoreError as error:
        return error
    return None


def good(_: Request) -> Script:
    return [reply(body=b"image")]


def moved(place: str, status: int = 302) -> Script:
    return [reply(f"{status} Moved", f"Location: {place}")]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "100.64.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fec0::1", "::127.0.0.1", "198.18.0.1",
    ],
)  # fmt: skip
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_others_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_loopback_is_refused_unless_it_is_allowed_or_the_base() -> None:
    with RawServer(good) as server:
        name = f"http://localhost:{server.port}/x"
        for ref in (server.url + "/x", name):
            with opened() as driver, pytest.raises(AccessDenied, match="'allow'"):
                driver.stat(ref)
        assert server.connections == 0
        for allow in ("127.0.0.1", "127.0.0.0/8"):
            with opened(allow=(allow,)) as driver:
                assert fetch(driver, server.url + "/x") == b"image"
        with opened(allow=("localhost",)) as driver:
            assert fetch(driver, name) == b"image"
        with opened(base=server.url + "/") as driver:
            assert fetch(driver, server.url + "/x") == b"image"
        with opened(base=server.url + "/", deny=("127.0.0.0/8",)) as driver:
            with pytest.raises(AccessDenied, match="'deny'"):
                driver.stat(server.url + "/x")


def test_the_address_decides_and_not_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with opened() as driver, pytest.raises(AccessDenied, match=r"169\.254\.169\.254"):
        driver.stat("http://images.example.org/x")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_relative_ones_too(status: int) -> None:
    def answer(request: Request) -> Script:
        return good(request) if request.target == "/b/y?q=1" else moved("../b/y?q=1#z", status)

    with RawServer(answer) as server, opened(allow=("127.0.0.1",)) as driver:
        assert fetch(driver, server.url + "/a/x") == b"image"


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc/passwd", "ftp://h/x", "gopher://h/", "http://", "http://h:99999/", "//", "http://[::1",
        "http://h\tx/", "http://169.254.169.254/latest", "http://2130706433/", "http://0x7f.1/", "http://[::1]/",
        "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/", "javascript:alert(1)", "\\\\h\\x",
    ],
)  # fmt: skip
def test_redirects_to_strange_places_are_refused(place: str) -> None:
    def answer(request: Request) -> Script:
        return good(request) if request.fields.get("ok") else moved(place)

    with RawServer(answer) as server, opened(allow=("127.0.0.1",)) as driver:
        with pytest.raises((AccessDenied, Unavailable)):
            fetch(driver, server.url + "/x")


def test_endless_redirects_and_those_to_nowhere_end() -> None:
    with RawServer(lambda _: moved("/again")) as server, opened(allow=("127.0.0.1",)) as driver:
        with pytest.raises(Unavailable, match="more than 5") as caught:
            driver.stat(server.url)
        assert caught.value.final
        assert len(server.requests) == 6
    with RawServer(lambda _: [reply("302 M")]) as server, opened(allow=("127.0.0.1",)) as driver:
        with pytest.raises(Unavailable, match="without one place"):
            driver.stat(server.url)


def test_credentials_go_to_the_base_alone() -> None:
    with RawServer(good) as other:
        with RawServer(lambda r: moved(other.url) if r.target == "/b/x" else good(r)) as server:
            with opened(
                base=server.url + "/b", token=Secret(CANARY), headers=Secret("X-Key: 1"),
                allow=("127.0.0.1",),
            ) as driver:  # fmt: skip
                assert fetch(driver, server.url + "/b/x") == b"image"
                assert fetch(driver, server.url + "/b/y") == b"image"
                for outside in ("/other", "/bb/x"):
                    with pytest.raises(InvalidRef, match="not below"):
                        driver.open(server.url + outside)
                assert driver.owns(server.url + "/b/x")
                assert not driver.owns(server.url + "/bb")
            assert [r.fields.get("authorization") for r in server.requests] == [
                f"Bearer {CANARY}"
            ] * 2
            assert server.requests[0].fields["x-key"] == "1"
        assert "authorization" not in other.requests[0].fields
        assert "x-key" not in other.requests[0].fields


def test_the_references_own_password_stays_with_its_server() -> None:
    with RawServer(good) as other, RawServer(lambda _: moved(other.url)) as server:
        with opened(allow=("127.0.0.1",)) as driver:
            assert fetch(driver, server.url.replace("//", "//u:p%40@") + "/x") == b"image"
        assert server.requests[0].fields["authorization"] == "Basic dTpwQA=="
        assert "authorization" not in other.requests[0].fields


def test_no_secret_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    scripts: list[Script] = [
        good(Request("")), [b""], [b"nonsense\r\n"], moved("file:///"), moved("/y?key=CANARY"),
        [reply("500 CANARY", body=b"CANARY")], [b"HTTP/1.1 200 OK\r\nCANARY\r\n\r\n"],
        [reply(body=b"a", length=9), b""],
    ]  # fmt: skip
    for script in scripts:
        with (
            RawServer(lambda _, script=script: script) as server,  # type: ignore[misc]  # its default
            opened(base=server.url, token=Secret(CANARY), headers=Secret("X: CANARY")) as driver,
        ):
            ref = server.url.replace("//", "//CANARY:CANARY@") + "/x?key=CANARY"
            told += [driver.redact(ref), repr(driver.settings), repr(driver.parse(ref))]
            for work in (driver.stat, partial(fetch, driver)):
                error = failure(work, ref)
                if error is not None:
                    assert error.__context__ is None
                    told += [str(error), repr(error), "".join(traceback.format_exception(error))]
    assert len(told) > 4 * len(scripts)
    assert not any(CANARY in text for text in told)
    assert CANARY not in caplog.text


# -- TLS ---------------------------------------------------------------------------------------


def secured(ca: trustme.CA, **options: object) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", **options).configure_cert(context)  # type: ignore[arg-type]
    return context


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return authority()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def test_a_verified_server_is_read(ca: trustme.CA, ca_file: str) -> None:
    with RawServer(good, secured(ca)) as server:
        with opened(base=server.url, ca_file=ca_file) as driver:
            assert fetch(driver, server.url + "/x") == b"image"
            driver.check()


def test_bad_certificates_are_refused_once(ca: trustme.CA, ca_file: str) -> None:
    past = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    wrong = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("elsewhere.example").configure_cert(wrong)
    for context in (secured(authority()), secured(ca, not_after=past), wrong):
        with RawServer(good, context) as server:
            with opened(base=server.url, ca_file=ca_file) as driver:
                with pytest.raises(Unavailable, match="certificate is refused") as caught:
                    driver.stat(server.url + "/x")
                assert caught.value.final
            assert server.connections == 1
            with opened(base=server.url, verify=False) as driver:
                assert fetch(driver, server.url + "/x") == b"image"


def test_an_end_without_close_notify_is_no_end(ca: trustme.CA, ca_file: str) -> None:
    with RawServer(lambda _: [reply(length=None, body=b"abc"), b""], secured(ca)) as server:
        with opened(base=server.url, ca_file=ca_file) as driver, pytest.raises(Unavailable):
            fetch(driver, server.url + "/x")


def test_https_never_leads_down_to_http(ca: trustme.CA, ca_file: str) -> None:
    with RawServer(good) as plain, RawServer(lambda _: moved(plain.url), secured(ca)) as server:
        with opened(ca_file=ca_file, allow=("127.0.0.1",)) as driver:
            with pytest.raises(AccessDenied, match="from https down to http"):
                driver.stat(server.url + "/x")
        assert plain.connections == 0


def test_a_broken_handshake_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        with opened(base=url, connect_timeout=0.3) as driver, pytest.raises(StoreError) as caught:
            driver.stat(url + "x")
        assert caught.value.retryable
    with opened(base=url) as driver, pytest.raises(Unavailable, match="refused"):
        driver.stat(url + "x")


# -- the environment, proxies, processes and threads ---------------------------------------------


def test_the_environment_is_ignored_unless_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login u password p\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "")
    with RawServer(good) as proxy, RawServer(good) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        for trust_env in (False, True):
            with opened(base=server.url, trust_env=trust_env) as driver:
                assert fetch(driver, server.url + "/x") == b"image"
        assert [r.fields.get("authorization") for r in server.requests] == [None]
        assert proxy.requests[0].line == f"GET {server.url}/x HTTP/1.1"
        assert proxy.requests[0].fields["authorization"] == "Basic dTpw"


def test_a_proxy_gets_its_password_and_the_policy_still_holds() -> None:
    with RawServer(good) as proxy:
        with opened(proxy=Secret(proxy.url.replace("//", "//u:p@"))) as driver:
            assert fetch(driver, "http://images.example.org/x") == b"image"
            for ref in ("http://169.254.169.254/x", "http://localhost/x", "http://[::1]/"):
                with pytest.raises(AccessDenied):
                    driver.stat(ref)
            with pytest.raises(StoreError):
                driver.stat("https://images.example.org/x")
        assert proxy.requests[0].fields["proxy-authorization"] == "Basic dTpw"
        assert proxy.requests[-1].line.startswith("CONNECT images.example.org:443")


def test_threads_share_a_driver() -> None:
    def answer(request: Request) -> Script:
        return [reply(body=request.target.encode() * 1000)]

    with RawServer(answer) as server, opened(allow=("127.0.0.1",)) as driver:
        with ThreadPoolExecutor(32) as threads:
            paths = [f"/{number}" for number in range(128)]
            found = threads.map(lambda path: fetch(driver, server.url + path), paths)
            assert list(found) == [path.encode() * 1000 for path in paths]


def test_a_forked_child_makes_its_own_connection() -> None:
    with RawServer(good) as server, opened(allow=("127.0.0.1",)) as driver:
        assert fetch(driver, server.url) == b"image"
        child = os.fork()
        if child == 0:
            os._exit(0 if fetch(driver, server.url) == b"image" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert fetch(driver, server.url) == b"image"
        assert server.connections == 2


def test_a_missing_image_is_not_found_and_the_connection_is_kept() -> None:
    with RawServer(lambda _: [reply("404 No", body=b"sorry")]) as server:
        with opened(allow=("127.0.0.1",)) as driver:
            for _ in range(3):
                with pytest.raises(NotFound):
                    fetch(driver, server.url)
        assert server.connections == 1
