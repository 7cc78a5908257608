"""Locations of web servers, and what the store says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, make_http
from glance_store import exceptions
from glance_store._drivers import http

SECRET = "c4nary"


def parsed(conf: Any, uri: str) -> http.StoreLocation:
    place = http.StoreLocation({}, conf)
    place.parse_uri(uri)
    return place


@pytest.mark.parametrize(
    "uri",
    [
        "http://h/p?q", "https://h/p/q", "http://u:p@h/p", "http://u:@h/p", "http://h:80/p", "http://h:/p", "http://[::1]/p",
        "http://[::1]:80/p", "http://h", "http://h/p;v=1?q=1", "http://h/%20a%zz b", "http://h/p?a=b&c=%2f",
    ],
)  # fmt: skip
def test_h8_a_location_is_kept_as_it_is(conf: Any, uri: str) -> None:
    place = parsed(conf, uri)
    assert place.get_uri() == uri
    assert place.scheme == uri.partition(":")[0]


def test_h8_only_the_fragment_is_dropped(conf: Any) -> None:
    place = parsed(conf, "http://me:secret@h:81/p;v=1?q=1&r#f")
    assert (place.user, place.password, place.netloc) == ("me", "secret", "h:81")
    assert (place.path, place.query) == ("/p;v=1", "q=1&r")
    assert place.get_uri() == "http://me:secret@h:81/p;v=1?q=1&r"
    assert parsed(conf, "http://h/p").user is None


@pytest.mark.parametrize(
    "uri",
    [
        "http://u@h/p", "http://u:p:q@h/p", "http://u:p@x@h/p", "http:///p", "http://h:x/p", "http://h:-1/p",
        "http://[::1]:x/p", "http://h:80:90/p", "http://h:99999/p", "http://h:\u0661/p", "http://a b/p", "http://[x/p",
        "HTTP://h/p", "http:/h/p", "ftp://h/p", "http://", "http://@h/p",
    ],
)  # fmt: skip
def test_h9_a_location_that_cannot_be_is_bad(conf: Any, uri: str) -> None:
    with pytest.raises(exceptions.BadStoreUri):
        parsed(conf, uri)


def test_h21_no_text_tells_a_secret(conf: Any) -> None:
    for uri in (
        f"http://me:{SECRET}@h:x/p",
        f"http://{SECRET}@h/p",
        f"http://a:{SECRET}:b@h/p",
        f"http://h:x/?{SECRET}",
    ):
        with pytest.raises(exceptions.BadStoreUri) as caught:
            parsed(conf, uri)
        assert SECRET not in str(caught.value)


def test_h10_a_location_is_made_of_specs(conf: Any) -> None:
    specs = {
        "scheme": "https",
        "netloc": "h:8",
        "path": "/p",
        "query": "q",
        "user": "",
        "password": "x",
    }
    place = http.StoreLocation(specs, conf)
    assert place.get_uri() == "https://:x@h:8/p?q"
    assert http.StoreLocation({"netloc": "h"}, conf).get_uri() == "http://h"
    with pytest.raises(KeyError):
        http.StoreLocation({"path": "/p"}, conf)
    assert http.StoreLocation({}, conf).path == "", "c43"


def test_h25_the_capabilities_are_those_of_a_store_that_reads_ranges(conf: Any) -> None:
    store = make_http(conf)
    assert store.capabilities == 71
    assert make_http(conf, "web", ranged_reads=False).capabilities == 65
    assert list(store.get_schemes()) == ["http", "https"]


def test_the_store_is_read_only(conf: Any) -> None:
    """Trap 11: the check comes before everything else."""
    store = make_http(conf)
    with pytest.raises(exceptions.StoreAddDisabled):
        store.add(None, None, None, None)
    with pytest.raises(exceptions.StoreDeleteNotSupported):
        store.delete(None)
    with pytest.raises(NotImplementedError):
        store.set_acls(None)
    assert {store.add.__name__, store.get.__name__, store.delete.__name__} == {"op_checker"}


def test_the_prefix_is_that_of_both_schemes_in_multi_store_mode(conf: Any) -> None:
    assert make_http(conf).url_prefix is None
    store = make_http(conf, "web")
    assert store.url_prefix == "http"
    assert store.owns("https://h/x")
    assert not store.owns("file:///x")
    assert at(store, "https://h/x").get_store_uri() == "https://h/x"


def test_a_response_is_iterated_over_and_its_connection_closed() -> None:
    assert http.MAX_REDIRECTS == 5
    closed = []
    connection = SimpleNamespace(close=lambda: closed.append(1))
    data = ["abc", "de", ""]
    response = SimpleNamespace(read=lambda _size: data.pop(0))
    assert list(http.http_response_iterator(connection, response, 3)) == ["abc", "de"]
    assert closed == [1]
