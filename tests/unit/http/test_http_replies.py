# ruff: noqa: SIM117 -- the server outside, its client inside: closed in that order
"""Every answer that no honest server gives ends in the right error, soon, and never as a short image."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

import pytest
from multistore.drivers.http import HttpDriver, HttpSettings
from multistore.errors import (
    AccessDenied,
    Corrupt,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from rawserver import RawServer, Request, Script, reply

DATA = bytes(range(256)) * 40


def driver(**settings: object) -> HttpDriver:
    values: dict[str, object] = {
        "allow": ("127.0.0.0/8",),
        "connect_timeout": 2.0,
        "read_timeout": 0.3,
        "header_timeout": 0.6,
        **settings,
    }
    return HttpDriver(HttpSettings(**values))  # type: ignore[arg-type]  # values of any type


def ranged(request: Request, tag: str = '"one"', data: bytes = DATA) -> Script:
    """Answer as a good server does."""
    wanted = request.fields.get("range")
    if wanted is None:
        whole = reply("200 OK", f"ETag: {tag}", body=data)
        return [whole[: -len(data)] if request.method == "HEAD" and data else whole]
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    if int(first) >= len(data):
        return [reply("416 No", f"Content-Range: bytes */{len(data)}")]
    part = data[int(first) : int(last) + 1 if last else None]
    place = f"Content-Range: bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
    return [reply("206 Part", f"ETag: {tag}", place, body=part)]


def fetched(
    answer: Callable[[Request], Script], offset: int = 0, length: int | None = None
) -> bytes:
    before = len(os.listdir("/proc/self/fd"))
    try:
        with RawServer(answer) as server, contextlib.closing(driver()) as made:
            with made.open(server.url + "/x?key=CANARY") as reader:
                return b"".join(reader.read(offset, length))
    finally:
        assert len(os.listdir("/proc/self/fd")) == before, "a descriptor is left"


def chunked(*pieces: bytes) -> bytes:
    head = reply("200 OK", "Transfer-Encoding: chunked", length=None)
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@pytest.mark.parametrize(("offset", "length"), [(0, None), (5, None), (5, 7), (0, 1), (10239, 9)])
def test_a_range_is_read(offset: int, length: int | None) -> None:
    end = None if length is None else offset + length
    assert fetched(ranged, offset, length) == DATA[offset:end]


def test_nothing_is_past_the_end() -> None:
    assert fetched(ranged, len(DATA), 5) == b""
    assert fetched(ranged, len(DATA) + 9) == b""


@pytest.mark.parametrize(
    "script",
    [
        [chunked(DATA[:99], DATA[99:], b"")],
        [chunked(DATA), 0.05, b"0;ext=1\r\nTrailer: 1\r\n\r\n"],
        [reply(length=None, body=DATA), b""],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n", reply(body=DATA)],
        [reply(body=DATA)[:200], 0.1, reply(body=DATA)[200:]],
        [reply("200 OK", "Content-Length: 10240", body=DATA)],
    ],
)
def test_every_proper_framing_is_read(script: Script) -> None:
    assert fetched(lambda _: script) == DATA
    assert fetched(lambda _: script, 100, 50) == DATA[100:150]  # by reading and dropping


BROKEN: dict[str, Script] = {
    "length too long": [reply(body=DATA, length=len(DATA) + 1), b""],
    "reset": [reply(body=DATA, length=len(DATA) + 1), None],
    "no last chunk": [chunked(DATA), b""],
    "cut chunk": [chunked(DATA)[:-50], b""],
    "no size": [chunked() + b"\r\n"],
    "negative size": [chunked() + b"-5\r\nabc"],
    "underscored size": [chunked() + b"1_0\r\n" + DATA],
    "size with prefix": [chunked() + b"0x5\r\nabcde\r\n0\r\n\r\n"],
    "wrong chunk end": [chunked() + b"3\r\nabcXY0\r\n\r\n"],
    "endless chunk line": [chunked() + b"5;" + b"x" * 100_000],
    "endless trailers": [chunked() + b"0\r\n" + b"a: b\r\n" * 200_000],
    "tiny chunks with big extensions": [chunked() + (b"1;" + b"x" * 4000 + b"\r\na\r\n") * 500],
    "endless notices": [b"HTTP/1.1 102 Wait\r\n\r\n" * 50_000],
    "endless header": [b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000],
    "too many headers": [b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000],
    "no colon": [b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 3\r\n\r\nabc"],
    "two lengths": [reply("200 OK", "Content-Length: 3", body=DATA)],
    "bad length": [b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"],
    "no number": [b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\nabcabcabca"],
    "other coding": [reply("200 OK", "Transfer-Encoding: gzip, chunked", body=DATA)],
    "no http": [b"SSH-2.0-OpenSSH_9\r\n"],
    "no answer": [b""],
    "strange version": [b"HTTP/7.0 200 OK\r\n\r\n"],
    "strange status": [b"HTTP/1.1 2x0 OK\r\n\r\n"],
    "no content": [reply("204 None")],
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_is_unavailable_and_never_short(name: str) -> None:
    limits = (
        (TimedOut,) if name.startswith("endless") else ()
    )  # on a busy machine the time is over first
    with pytest.raises((Unavailable, *limits)) as caught:
        fetched(lambda _: BROKEN[name])
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "script",
    [
        [9.0],
        [b"HTTP/1.1 200", 9.0],
        [reply(body=DATA, length=99999), 9.0],
        [step for byte in b"HTTP/1.1 200 OK\r\nA: bcdefghij" for step in (bytes([byte]), 0.1)],
    ],
    ids=["mute", "half a head", "half a body", "a byte at a time"],
)
def test_a_stalled_server_times_out(script: Script) -> None:
    with pytest.raises(TimedOut):
        fetched(lambda _: script)


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("Content-Range: bytes 0-9/10240", Corrupt),
        ("Content-Range: bytes 5-15/10240", Corrupt),
        ("Content-Range: bytes 5-14/9", Corrupt),
        ("Content-Range: bytes 5-3/10240", Corrupt),
        ("Content-Range: lines 5-14/10240", Corrupt),
        ("Content-Range: bytes */10240", Corrupt),
        ("Content-Type: multipart/byteranges", Corrupt),
    ],
)
def test_another_range_than_asked_for_is_corrupt(place: str, kind: type[StoreError]) -> None:
    with pytest.raises(kind):
        fetched(lambda _: [reply("206 Part", place, body=b"a" * 10)], 5, 10)


def test_a_shorter_range_is_no_whole_one() -> None:
    part = reply("206 Part", "Content-Range: bytes 5-8/10240", body=b"abcd")
    with pytest.raises(Unavailable):
        fetched(lambda _: [part], 5, 10)


def test_a_part_that_nobody_asked_for_is_refused() -> None:
    part = reply("206 Part", "Content-Range: bytes 0-3/10240", body=b"abcd")
    with pytest.raises(StoreError):
        fetched(lambda _: [part])


def test_compressed_answers_are_refused() -> None:
    with pytest.raises(Unsupported, match="compresses"):
        fetched(lambda _: [reply("200 OK", "Content-Encoding: gzip", body=DATA)])


def test_two_versions_are_never_joined() -> None:
    tags = iter(['"one"', '"two"'])
    with (
        RawServer(lambda request: ranged(request, next(tags))) as server,
        contextlib.closing(driver()) as made,
        made.open(server.url) as reader,
    ):
        assert b"".join(reader.read(0, 10)) == DATA[:10]
        assert reader.info.version == '"one"'
        with pytest.raises(Corrupt, match="changed"):
            reader.read(10)
        assert server.requests[-1].fields["if-range"] == '"one"'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Unavailable), (401, Unauthenticated), (403, AccessDenied), (404, NotFound),
        (405, Unsupported), (408, TimedOut), (410, NotFound), (416, Unavailable),
        (429, RateLimited), (500, Unavailable), (501, Unsupported), (502, Unavailable),
        (503, Unavailable), (504, TimedOut), (304, Unavailable), (300, Unavailable), (999, Unavailable),
    ],
)  # fmt: skip
def test_each_status_has_its_error(status: int, kind: type[StoreError]) -> None:
    script = [reply(f"{status} X", "Retry-After: 7", body=b"CANARY" * 5000)]
    with pytest.raises(kind) as caught:
        fetched(lambda _: script)
    assert type(caught.value) is kind
    assert "CANARY" not in str(caught.value)
    if status in (429, 503):
        assert caught.value.retry_after == 7.0


def test_stat_describes_by_head_alone() -> None:
    with RawServer(ranged) as server, contextlib.closing(driver()) as made:
        info = made.stat(server.url + "/x")
        assert (info.size, info.version) == (len(DATA), '"one"')
        assert [request.method for request in server.requests] == ["HEAD"]


@pytest.mark.parametrize("status", [403, 405, 501])
def test_stat_falls_back_to_one_byte(status: int) -> None:
    def answer(request: Request) -> Script:
        return [reply(f"{status} No", length=0)] if request.method == "HEAD" else ranged(request)

    with RawServer(answer) as server:
        made = driver()
        assert made.stat(server.url + "/x").size == len(DATA)
        assert server.connections == 1
        made.close()


def test_a_weak_tag_is_no_version_but_a_date_is() -> None:
    date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"

    def answer(request: Request) -> Script:
        return [reply("200 OK", 'ETag: W/"x"', *([date] if "d" in request.target else []))]

    with RawServer(answer) as server:
        made = driver()
        assert made.stat(server.url + "/n").version is None
        dated = made.stat(server.url + "/d")
        assert dated.version == "modified Sun, 06 Nov 1994 08:49:37 GMT"
        assert dated.modified == 784111777.0
        made.close()


def test_connections_are_kept_and_dead_ones_replaced() -> None:
    def answer(request: Request) -> Script:
        return [*ranged(request), b""] if request.target == "/last" else ranged(request)

    with RawServer(answer) as server:
        made = driver()
        for path in ("/a", "/b", "/last", "/c"):
            with made.open(server.url + path) as reader:
                assert b"".join(reader.read()) == DATA
        assert server.connections == 2
        made.close()


def test_a_stream_given_up_is_closed_and_not_used_again() -> None:
    with RawServer(lambda _: [reply(body=DATA * 500)]) as server:
        made = driver()
        with made.open(server.url) as reader:
            next(reader.read())
        with made.open(server.url) as reader:
            assert len(b"".join(reader.read())) == 500 * len(DATA)
        assert server.connections == 2
        made.close()
