"""Several reads of one image at once: side by side, and all of one version."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from conformance.s3_rig import Backstage
from fakes.s3_proxy import Proxy
from multistore.driver import Reader
from multistore.drivers.s3 import S3Driver
from multistore.drivers.s3.reader import S3Reader
from multistore.errors import Corrupt, Unavailable
from multistore.testing.tools import content, one_image

LARGE = 200_000


@pytest.fixture
def reader(driver: S3Driver) -> Iterator[Reader]:
    ref = one_image(driver, "image", content(LARGE)).ref
    with driver.open(ref) as found:
        yield found


def _wait_for_gets(proxy: Proxy, count: int) -> None:
    end = time.monotonic() + 5
    while len(proxy.seen("get")) < count and time.monotonic() < end:
        time.sleep(0.005)
    assert len(proxy.seen("get")) == count


def _read(reader: Reader, offset: int, length: int) -> bytes:
    return b"".join(reader.read(offset, length))


def test_a_read_does_not_wait_for_the_answer_to_another(proxy: Proxy, reader: Reader) -> None:
    assert reader.info.size == LARGE
    proxy.trouble("get", "held")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(_read, reader, 100, 50)
        _wait_for_gets(proxy, 2)
        assert _read(reader, 1000, 50) == content(LARGE)[1000:1050]
        assert not held.done()
        proxy.released.set()
        assert held.result(5) == content(LARGE)[100:150]
    asked = [each for each in proxy.requests if each.operation == "get"]
    assert [("if-match" in each.fields) for each in asked] == [False, True, True]


def test_the_first_read_tells_the_others_the_version(proxy: Proxy, reader: Reader) -> None:
    """They wait for its answer, and for nothing of each other."""
    proxy.trouble("get", "held")
    with ThreadPoolExecutor(3) as pool:
        reads = [pool.submit(_read, reader, at, 50) for at in (0, 5000, 9000)]
        _wait_for_gets(proxy, 1)
        proxy.released.set()
        for each, at in zip(reads, (0, 5000, 9000), strict=True):
            assert each.result(5) == content(LARGE)[at : at + 50]
    asked = [each for each in proxy.requests if each.operation == "get"]
    assert [("if-match" in each.fields) for each in asked] == [False, True, True]


def test_the_next_read_learns_the_version_if_the_first_one_fails(
    proxy: Proxy, reader: Reader
) -> None:
    proxy.trouble("get", "cut")
    with ThreadPoolExecutor(2) as pool:
        reads = [pool.submit(_read, reader, 0, 50) for _ in range(2)]
        failed = [each for each in reads if each.exception(5) is not None]
    assert len(failed) == 1
    assert reader.info.size == LARGE


def test_of_reads_side_by_side_none_is_of_another_version(
    proxy: Proxy, reader: Reader, back: Backstage
) -> None:
    ref = reader.info.ref
    proxy.trouble("get", "held")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(_read, reader, 100, 50)
        _wait_for_gets(proxy, 2)
        back.rewrite(ref, content(LARGE, "other"))
        with pytest.raises(Corrupt):
            _read(reader, 1000, 50)
        proxy.released.set()
        with pytest.raises(Corrupt):
            held.result(5)


def test_a_reader_is_closed_while_others_read(reader: Reader) -> None:
    """Whatever they are at, none of them trips over it but by an error of the tree, and no answer stays open."""
    assert isinstance(reader, S3Reader)
    assert reader.info.size == LARGE
    over = threading.Event()

    def work(at: int) -> None:
        while not over.is_set():
            with contextlib.suppress(Unavailable):  # closed between two pieces
                list(reader.read(at, 10))

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(work, at * 1000) for at in range(6)]
        for _ in range(200):
            reader.close()
        over.set()
        for each in running:
            each.result(10)
    reader.close()
    assert not reader._streams
