"""Reading a stored image: prefetched where that pays, counted, verified on the way, or an error.

What is delivered is right or ends in ``Corrupt``: with an expected digest the last piece is held back until the
digest is known, so that nobody who counts bytes can take a wrong image for a complete one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing

from multistore.errors import Corrupt
from multistore.model import Info
from multistore.pipeline.digests import (
    Digester,
    DigestThread,
    FusedDigester,
    check_expected,
    hexdigests,
)
from multistore.pipeline.window import Window

__all__ = ["closable", "counted", "same_size", "verified"]

#: Images up to this size, in bytes, are verified in the caller's thread.
SMALL = 1 << 20
#: How many bytes may wait for their digest.
_BEHIND = 16 << 20


def counted(chunks: Iterator[bytes], expected: int | None, what: str) -> Iterator[bytes]:
    """Pass the pieces through; Corrupt if there are not ``expected`` bytes in all."""
    got = 0
    with closable(chunks):
        for chunk in chunks:
            got += len(chunk)
            if expected is not None and got > expected:
                raise Corrupt(f"{what} goes on after the {expected} bytes that it should have")
            yield chunk
    if expected is not None and got < expected:
        raise Corrupt(f"{what} ends after {got} of {expected} bytes")


def verified(
    chunks: Iterator[bytes],
    digesters: Iterable[Digester | FusedDigester],
    expect: Mapping[str, str],
    what: str,
) -> Iterator[bytes]:
    """Pass all bytes of an image through the digests; Corrupt at the end if one is not as expected.

    Digesters without an expectation only compute.
    The last piece comes after the digests were compared.
    """
    digesting = _Digesting(list(digesters))
    held = b""
    with closable(chunks), closing(digesting):
        for chunk in chunks:
            digesting.feed(chunk)
            if held:
                yield held
            held = chunk
        check_expected(expect, digesting.finish(), what)
    if held:
        yield held


def same_size(info: Info, size: int | None, what: str) -> int | None:
    """Give the size that is known of an image; Corrupt if the store's and the caller's differ."""
    if size is not None and info.size is not None and info.size != size:
        raise Corrupt(f"{what} has {info.size} bytes in the store where {size} were expected")
    return size if size is not None else info.size


class _Digesting:
    """Digests fed in order: inline while the image is small, in threads from there on."""

    def __init__(self, digesters: list[Digester | FusedDigester]) -> None:
        self._digesters = digesters
        self._threads: list[DigestThread] = []
        self._window = Window(_BEHIND)
        self._total = 0

    def feed(self, chunk: bytes) -> None:
        self._total += len(chunk)
        if self._total <= SMALL or not self._digesters:
            for digester in self._digesters:
                digester.update(chunk)
            return
        if not self._threads:
            for digester in self._digesters:
                self._threads.append(DigestThread(digester, self._window.wake))
                self._threads[-1].start()
        self._window.wait_for_room(len(chunk))
        for thread in self._threads:
            if thread.error is not None:
                raise thread.error
        block = self._window.block(chunk, len(self._threads))
        for thread in self._threads:
            thread.feed(block)

    def finish(self) -> dict[str, str]:
        for thread in self._threads:
            thread.finish()
        return hexdigests(self._digesters)

    def close(self) -> None:
        for thread in self._threads:
            thread.stop()


class closable:  # noqa: N801 - used like contextlib.closing
    """Closes pieces early, whether they come from a generator or from a plain iterator."""

    def __init__(self, chunks: object) -> None:
        self._chunks = chunks

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
