"""Proxies for one scheme alone, and what an Unavailable says of itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from multistore.config import Secret
from multistore.drivers.http import HttpDriver, HttpSettings
from multistore.errors import Misconfigured, Unavailable
from rawserver import RawServer, Request, Script, reply


@contextlib.contextmanager
def opened(**settings: object) -> Iterator[HttpDriver]:
    made = HttpSettings(allow=("127.0.0.0/8",), connect_timeout=2.0, read_timeout=2.0, **settings)  # type: ignore[arg-type]
    with contextlib.closing(HttpDriver(made)) as driver:
        yield driver


def good(_: Request) -> Script:
    return [reply(body=b"image")]


def test_a_proxy_for_http_is_used_for_http_alone() -> None:
    with RawServer(good) as proxy, RawServer(good) as plain:
        with (
            opened(http_proxy=Secret(proxy.url)) as driver,
            driver.open(plain.url + "/x") as reader,
        ):
            assert b"".join(reader.read()) == b"image"
        with opened(https_proxy=Secret(proxy.url)) as driver:
            driver.stat(plain.url + "/y")
        assert [each.target for each in proxy.requests] == [plain.url + "/x"]
        assert [each.target for each in plain.requests] == ["/y"]


def test_a_proxy_for_one_scheme_is_stronger_than_the_one_for_both() -> None:
    with RawServer(good) as one, RawServer(good) as both, RawServer(good) as plain:
        with opened(proxy=Secret(both.url), http_proxy=Secret(one.url)) as driver:
            driver.stat(plain.url + "/x")
        assert (len(one.requests), len(both.requests), len(plain.requests)) == (1, 0, 0)


@pytest.mark.parametrize("setting", ["proxy", "http_proxy", "https_proxy"])
def test_a_wrong_proxy_is_named(setting: str) -> None:
    with pytest.raises(Misconfigured) as caught, opened(**{setting: Secret("ftp://c4nary")}):
        pass
    assert caught.value.setting == setting
    assert "c4nary" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (reply("400 Bad"), "answer"), (reply("302 Found"), "answer"), (reply("302 Found", "Location: /x"), "redirects"),
        (reply("503 Busy"), ""), (b"", ""),
    ],
)  # fmt: skip
def test_an_unavailable_says_whether_the_server_answered(answer: bytes, why: str) -> None:
    with RawServer(lambda _: [answer]) as server, opened() as driver:
        with pytest.raises(Unavailable) as caught:
            driver.stat(server.url + "/x")
        assert caught.value.why == why
        assert caught.value.final == bool(why)
