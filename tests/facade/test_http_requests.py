"""Reading from web servers through the interface: what is sent, what is believed, what is raised."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from facade.houses import at, let_go, make_http
from glance_store import exceptions
from glance_store._drivers import http
from rawserver import RawServer, Request, Script, reply

SECRET = "c4nary"
Answer = Callable[[Request], Script]


def get(store: Any, uri: str, **kwargs: Any) -> tuple[bytes, int]:
    stream, size = store.get(at(store, uri), **kwargs)
    return b"".join(stream), size


def size_of(store: Any, uri: str) -> int:
    found: int = store.get_size(at(store, uri))
    return found


def always(*steps: Any) -> Answer:
    return lambda _request: list(steps)


def raised(work: Callable[[], object], kind: type[Exception]) -> Any:
    with pytest.raises(kind) as caught:
        work()
    assert type(caught.value) is kind
    found: Any = caught.value
    assert isinstance(found.msg, str)
    return found


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
def test_h1_a_silent_server_is_given_up(conf: Any) -> None:
    store = make_http(conf, http_store_read_timeout=0.2)
    with RawServer(always(30.0)) as server:
        started = time.monotonic()
        raised(lambda: get(store, server.url + "/x"), exceptions.RemoteServiceUnavailable)
        raised(lambda: size_of(store, server.url + "/x"), exceptions.BadStoreUri)
        assert time.monotonic() - started < 15
        let_go(store)


def test_h1_the_limits_are_finite_by_default(conf: Any) -> None:
    settings = http.Store(conf)._settings()
    assert 0 < settings.connect_timeout <= 30
    assert 0 < settings.read_timeout <= 60


# -- answers -------------------------------------------------------------------------------------


def test_h3_the_body_of_an_error_is_neither_read_nor_told(
    conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = reply("400 Bad", length=1 << 40) + SECRET.encode() * 100
    with RawServer(always(answer, 30.0)) as server:
        store = make_http(conf)
        error = raised(lambda: get(store, server.url + "/x"), exceptions.BadStoreUri)
        assert SECRET not in str(error)
        assert SECRET not in caplog.text
        let_go(store)


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "304 x", "307 x", "308 x", "300 x"])
def test_h4_a_redirect_to_nowhere_is_a_bad_location(conf: Any, status: str) -> None:
    with RawServer(always(reply(status))) as server:
        store = make_http(conf)
        for work in (get, size_of):
            raised(lambda: work(store, server.url + "/x"), exceptions.BadStoreUri)  # noqa: B023
        let_go(store)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", ["/there", "there", "{}/there", "//{}/there", "HTTP://{}/there"])
def test_h5_redirects_of_every_code_and_form_are_followed(
    conf: Any, status: int, place: str
) -> None:
    def answer(request: Request) -> Script:
        if request.target == "/there":
            return [reply(body=b"image")]
        host = request.fields["host"]
        where = place.format(f"http://{host}" if place.startswith("{}") else host)
        return [reply(f"{status} x", f"Location: {where}")]

    with RawServer(answer) as server:
        store = make_http(conf)
        assert get(store, server.url + "/x") == (b"image", 5)
        let_go(store)


def test_redirects_come_to_an_end(conf: Any) -> None:
    def answer(request: Request) -> Script:
        left = int(request.target[1:])
        if left == 0:
            return [reply(body=b"" if request.method == "HEAD" else b"image", length=5)]
        return [reply("302 x", f"Location: /{left - 1}")]

    with RawServer(answer) as server:
        store = make_http(conf)
        assert get(store, server.url + "/4") == (b"image", 5)
        for work in (get, size_of):
            error = raised(
                lambda: work(store, server.url + "/5"),  # noqa: B023
                exceptions.MaxRedirectsExceeded,
            )
            assert "5 redirects" in str(error)
        assert len([r for r in server.requests if r.method == "GET"]) == 10
        let_go(store)


def test_h7_bytes_are_asked_for_as_they_are_and_nothing_else_is_taken(conf: Any) -> None:
    with RawServer(always(reply("200 OK", "Content-Encoding: gzip", body=b"zipped"))) as server:
        store = make_http(conf)
        raised(lambda: get(store, server.url + "/x"), exceptions.BadStoreUri)
        assert server.requests[0].fields["accept-encoding"] == "identity"
        let_go(store)


def test_h8_parameters_of_the_path_are_sent(conf: Any) -> None:
    with RawServer(always(reply(body=b"image"))) as server:
        store = make_http(conf)
        get(store, server.url + "/p;v=1?q=1#f")
        assert server.requests[0].target == "/p;v=1?q=1"
        let_go(store)


def test_h11_a_refused_redirect_has_a_text(conf: Any) -> None:
    with RawServer(always(reply("302 x", "Location: ftp://h/x"))) as server:
        store = make_http(conf)
        error = raised(lambda: get(store, server.url + "/x"), exceptions.BadStoreUri)
        assert "redirect" in error.msg
        let_go(store)


@pytest.mark.parametrize(
    ("status", "on_get", "on_size"),
    [
        ("404 x", exceptions.NotFound, exceptions.NotFound), ("410 x", exceptions.NotFound, exceptions.NotFound),
        ("400 x", exceptions.BadStoreUri, exceptions.BadStoreUri), ("401 x", exceptions.BadStoreUri, exceptions.BadStoreUri),
        ("403 x", exceptions.BadStoreUri, exceptions.BadStoreUri), ("405 x", exceptions.BadStoreUri, exceptions.BadStoreUri),
        ("418 x", exceptions.BadStoreUri, exceptions.BadStoreUri),
        ("500 x", exceptions.RemoteServiceUnavailable, exceptions.BadStoreUri),
        ("503 x", exceptions.RemoteServiceUnavailable, exceptions.BadStoreUri),
        ("429 x", exceptions.RemoteServiceUnavailable, exceptions.BadStoreUri),
        ("204 x", exceptions.BadStoreUri, exceptions.BadStoreUri),
    ],
)  # fmt: skip
def test_h13_h18_h20_every_answer_has_its_exception(
    conf: Any, status: str, on_get: type[Exception], on_size: type[Exception]
) -> None:
    """Trap 14: an outage is 503 when an image is fetched, and a bad location when its size is asked for."""
    with RawServer(always(reply(status, length=None if status[0] == "2" else 0))) as server:
        store = make_http(conf)
        raised(lambda: get(store, server.url + "/x"), on_get)
        raised(lambda: size_of(store, server.url + "/x"), on_size)
        let_go(store)


@pytest.mark.parametrize(
    "answer",
    [b"rubbish\r\n\r\n", reply("200 OK", "Content-Length: abc", length=None), b"", None],
    ids=["no http", "length", "end", "reset"],
)
def test_h13_what_is_no_proper_answer_is_an_outage(conf: Any, answer: Any) -> None:
    with RawServer(always(answer)) as server:
        store = make_http(conf)
        raised(lambda: get(store, server.url + "/x"), exceptions.RemoteServiceUnavailable)
        raised(lambda: size_of(store, server.url + "/x"), exceptions.BadStoreUri)
        let_go(store)


def test_h13_a_server_that_cannot_be_reached_is_an_outage(conf: Any) -> None:
    with RawServer(always()) as server:
        gone = server.url
    store = make_http(conf)
    raised(lambda: get(store, gone + "/x"), exceptions.RemoteServiceUnavailable)
    raised(lambda: size_of(store, gone + "/x"), exceptions.BadStoreUri)


def test_h18_a_part_that_nobody_asked_for_is_no_image(conf: Any) -> None:
    answer = reply("206 Part", "Content-Range: bytes 0-2/5", body=b"ima")
    with RawServer(always(answer)) as server:
        store = make_http(conf)
        raised(lambda: get(store, server.url + "/x"), exceptions.BadStoreUri)
        let_go(store)


def test_h14_an_unknown_length_is_zero_and_an_image_all_the_same(conf: Any) -> None:
    with RawServer(always(reply(body=b"image", length=None), b"")) as server:
        store = make_http(conf)
        stream, size = store.get(at(store, server.url + "/x"))
        assert (size, len(stream), bool(stream)) == (0, 0, True)
        assert b"".join(stream) == b"image"
        assert size_of(store, server.url + "/x") == 0
        let_go(store)


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_h19_a_size_is_found_without_head(conf: Any, status: int) -> None:
    def answer(request: Request) -> Script:
        if request.method == "HEAD":
            return [reply(f"{status} x")]
        assert request.fields["range"] == "bytes=0-0"
        return [reply("206 Part", "Content-Range: bytes 0-0/12345", body=b"i")]

    with RawServer(answer) as server:
        store = make_http(conf)
        assert size_of(store, server.url + "/x") == 12345
        let_go(store)


def test_h15_a_body_that_is_cut_is_an_error_and_not_an_end(conf: Any) -> None:
    with RawServer(always(reply(body=b"ima", length=5), b"")) as server:
        store = make_http(conf)
        stream, size = store.get(at(store, server.url + "/x"))
        assert size == 5
        with pytest.raises(exceptions.RemoteServiceUnavailable):
            list(stream)
        let_go(store)


def test_h15_a_cut_body_of_a_known_version_is_read_on(conf: Any) -> None:
    def answer(request: Request) -> Script:
        if "range" in request.fields:
            return [reply("206 Part", 'ETag: "1"', "Content-Range: bytes 3-4/5", body=b"ge")]
        return [reply("200 OK", 'ETag: "1"', body=b"ima", length=5), b""]

    with RawServer(answer) as server:
        store = make_http(conf)
        assert get(store, server.url + "/x") == (b"image", 5)
        let_go(store)


def test_h16_an_image_that_nobody_reads_is_released(conf: Any) -> None:
    with RawServer(always(reply(body=b"i" * 10, length=1 << 30), 30.0)) as server:
        store = make_http(conf)
        stream, _size = store.get(at(store, server.url + "/x"))
        wire = stream.wrapped._release.__self__._stream._reader  # whatever is below
        del wire
        stream.close()
        stream.close()
        another, _size = store.get(at(store, server.url + "/x"))
        del another
        gc.collect()
        with store.get(at(store, server.url + "/x"))[0] as third:
            assert next(iter(third)) == b"i" * 10
        let_go(store)


def test_h17_slicing_ends_in_empty_bytes(conf: Any) -> None:
    with RawServer(always(reply(body=b"image"))) as server:
        store = make_http(conf)
        stream, size = store.get(at(store, server.url + "/x"))
        assert len(stream) == size == 5
        assert stream[0:] == b"image"
        assert stream[3:] == b"ge"
        assert stream[5:] == b""
        let_go(store)


def test_h22_the_configuration_is_read_once_per_instance_and_followed(
    conf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(always(reply(body=b"image"))) as server:
        store = make_http(conf, "web")
        get(store, server.url + "/x")
        view, made = store._view, store._made
        monkeypatch.setattr(conf, "set_default", None)
        get(store, server.url + "/x")
        assert store._view is view
        assert store._made is made
        assert server.connections == 1
        conf.set_override("http_store_read_timeout", 5.0, group="web")
        get(store, server.url + "/x")
        assert store._made is not made
        del made
        let_go(store)
        gc.collect()


def test_h23_the_length_comes_from_the_header(conf: Any) -> None:
    with RawServer(
        always(reply("200 OK", "content-length: 5", body=b"image", length=None))
    ) as server:
        store = make_http(conf)
        assert get(store, server.url + "/x") == (b"image", 5)
        let_go(store)


def test_h25_ranges_are_asked_of_the_server(conf: Any) -> None:
    answer = reply("206 Part", "Content-Range: bytes 2-3/5", body=b"ag")
    with RawServer(always(answer)) as server:
        store = make_http(conf)
        assert get(store, server.url + "/x", offset=2, chunk_size=2) == (b"ag", 2)
        assert server.requests[0].fields["range"] == "bytes=2-3"
        off = make_http(conf, "off", ranged_reads=False)
        with pytest.raises(exceptions.StoreRandomGetNotSupported):
            get(off, server.url + "/x", offset=2)
        assert len(server.requests) == 1
        let_go(store)


def test_trap_5_a_download_goes_on_when_the_store_is_configured_anew(conf: Any) -> None:
    data = bytes(range(256)) * 8192
    with RawServer(always(reply(body=data))) as server:
        store = make_http(conf, "web")
        pieces = iter(store.get(at(store, server.url + "/x"))[0])
        first = next(pieces)
        conf.set_override("http_store_read_timeout", 5.0, group="web")
        assert get(store, server.url + "/x")[1] == len(data)
        gc.collect()
        assert first + b"".join(pieces) == data
        let_go(store)
