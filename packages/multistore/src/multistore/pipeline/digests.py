"""Digests beside the bytes: each digester in a thread of its own, in order, with no barrier per part.

With the package ``multistore-digest``, md5 and a SHA are one digester, which takes little more than md5 alone.
"""

from __future__ import annotations

import contextvars
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

from multistore.errors import Corrupt, Unsupported
from multistore.pipeline.window import Block, Known

if TYPE_CHECKING:
    from multistore_digest import PartDigest, Status

__all__ = [
    "DigestThread",
    "Digester",
    "FusedDigester",
    "check_expected",
    "digesters",
    "hexdigests",
    "kernel",
    "normalise_expected",
]

#: How much is hashed between two looks at whether to go on, in bytes.
_PIECE = 1 << 20
#: The pairs that there may be a kernel for, the one that saves more first.
_PAIRS = (frozenset({"md5", "sha512"}), frozenset({"md5", "sha256"}))


class Digester:
    """One digest of a stream of bytes, by its ``hashlib`` name.

    Unsupported for a name that hashlib does not offer here, or whose length is not fixed (``shake_128``).
    """

    def __init__(self, name: str) -> None:
        try:
            self._hash = hashlib.new(name, usedforsecurity=False)
        except (ValueError, TypeError):
            raise Unsupported(
                f"there is no digest {name!r} here; a hashlib name such as sha512 or sha256 is wanted"
            ) from None
        if not self._hash.digest_size:
            raise Unsupported(f"the digest {name!r} has no fixed length: choose another")
        self.name = name
        self.seconds = 0.0

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        started = time.monotonic()
        self._hash.update(data)
        self.seconds += time.monotonic() - started

    def hexdigest(self) -> str:
        """Give the digest of everything so far."""
        return self._hash.hexdigest()

    def hexdigests(self) -> dict[str, str]:
        """Give every digest of everything so far by its name; here it is one."""
        return {self.name: self.hexdigest()}


class FusedDigester:
    """Two digests of a stream of bytes by one kernel of ``multistore-digest``."""

    def __init__(self, names: Sequence[str]) -> None:
        from multistore_digest import FusedDigest

        self._hash = FusedDigest(names)
        self.name = "+".join(names)
        self.seconds = 0.0

    def part(self, name: str) -> PartDigest | None:
        """Begin a digest of a part, which ``update`` then computes as well; None where that is not cheap."""
        return self._hash.part(name)

    def update(self, data: bytes | memoryview, part: PartDigest | None = None) -> None:
        """Take the next bytes."""
        started = time.monotonic()
        self._hash.update(data, part)
        self.seconds += time.monotonic() - started

    def hexdigests(self) -> dict[str, str]:
        """Give both digests of everything so far by their names."""
        return {name: self._hash.hexdigest(name) for name in self._hash.names}


class DigestThread:
    """A digester fed through a queue, in a thread of its own.

    Where no thread can be started it hashes in the caller's.
    Keep it before you ``start`` it, so that whatever strikes, it can be stopped.
    ``on_failure`` is called when hashing fails; ``finish`` then raises the error.
    Each block gets a digest of its own too: the first of ``parts`` that is cheap, if any is.
    """

    def __init__(
        self,
        digester: Digester | FusedDigester,
        on_failure: Callable[[], None],
        *,
        parts: Iterable[str] = (),
    ) -> None:
        self.digester = digester
        self._with_parts: FusedDigester | None = None
        self._of_parts = ""
        if isinstance(digester, FusedDigester):
            self._of_parts = next((name for name in parts if digester.part(name) is not None), "")
            self._with_parts = digester if self._of_parts else None
        self._on_failure = on_failure
        self._queue: SimpleQueue[Block | None] = SimpleQueue()
        self._stopped = False
        self.error: BaseException | None = None
        run = contextvars.copy_context().run
        self._thread: threading.Thread | None = threading.Thread(
            target=run, args=(self._work,), name=f"multistore-{digester.name}", daemon=True
        )

    def start(self) -> None:
        """Start the thread, if one can be had."""
        try:
            if self._thread is not None:
                self._thread.start()
        except RuntimeError:
            self._thread = None

    def feed(self, block: Block) -> None:
        """Take a block, of which this thread is one of the holders."""
        if self._with_parts is not None:
            block.digest = Known(self._of_parts, self._alive)
        self._queue.put(block)
        if self._thread is None:
            self._take(self._queue.get())

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def finish(self) -> dict[str, str]:
        """Wait for the last block and give the digests by their names."""
        self._end()
        if self.error is not None:
            raise self.error
        return self.digester.hexdigests()

    def stop(self) -> None:
        """Drop what is queued and end the thread."""
        self._stopped = True
        self._end()

    def _end(self) -> None:
        self._queue.put(None)
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._take(self._queue.get()):
                pass
        except BaseException as error:
            self.error = error
            self._on_failure()

    def _take(self, block: Block | None) -> bool:
        if block is None:
            return False
        view = memoryview(block.data)
        update: Callable[[memoryview], None] = self.digester.update
        part = None
        if self._with_parts is not None:
            part = self._with_parts.part(self._of_parts)
            update = partial(self._with_parts.update, part=part)
        for at in range(0, len(view), _PIECE):
            if not self._stopped:
                update(view[at : at + _PIECE])
        if part is not None and block.digest is not None:
            block.digest.tell(None if self._stopped else part.hexdigest())
        block.drop()
        return True


def normalise_expected(expect: Mapping[str, str] | None) -> dict[str, str]:
    """Check and lower-case what the caller expects; ValueError for what cannot be such a digest."""
    wanted = {}
    for name, value in (expect or {}).items():
        text = value.strip().lower()
        size = _digits(name)
        if len(text) != size or text.strip("0123456789abcdef"):
            raise ValueError(f"a {name} digest has {size} hexadecimal digits")
        wanted[name] = text
    return wanted


def check_expected(expect: Mapping[str, str], actual: Mapping[str, str], what: str) -> None:
    """Raise Corrupt if a digest is not the expected one."""
    for name, value in expect.items():
        if actual[name] != value:
            raise Corrupt(f"{what} has the {name} {actual[name]} where {value} was expected")


def digesters(names: Iterable[str], *, fused: bool = True) -> list[Digester | FusedDigester]:
    """Make what computes these digests, repeats left out: one Digester per name, or one for a pair with a kernel.

    ``fused`` off leaves everything to hashlib.
    """
    wanted = dict.fromkeys(names)
    made: list[Digester | FusedDigester] = []
    for pair in _PAIRS if fused and "md5" in wanted else ():
        if pair <= wanted.keys() and (status := _kernel(pair)) is not None and status.fused:
            made.append(FusedDigester([name for name in wanted if name in pair]))
            wanted = {name: None for name in wanted if name not in pair}
    return [*made, *map(Digester, wanted)]


def hexdigests(sums: Iterable[Digester | FusedDigester]) -> dict[str, str]:
    """Give all that was computed, by the names of the digests."""
    return {name: value for each in sums for name, value in each.hexdigests().items()}


def kernel(names: Sequence[str]) -> Status | None:
    """Say which kernel of ``multistore-digest`` would compute a pair of digests; None without the package."""
    return _kernel(frozenset(names))


@cache
def _kernel(names: frozenset[str]) -> Status | None:
    try:
        from multistore_digest import status
    except ModuleNotFoundError as error:
        if error.name != "multistore_digest":
            import logging

            logging.getLogger(__name__).warning(
                "multistore-digest is installed but cannot be used: %s", error
            )
        return None
    return status(names)


@cache
def _digits(name: str) -> int:
    return len(Digester(name).hexdigest())
