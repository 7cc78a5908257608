"""What the tests of the suite are made of."""

from __future__ import annotations

import hashlib
import random
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import pytest

from multistore.driver import Driver, Upload
from multistore.errors import StoreError
from multistore.model import Capabilities, Stored, Verb

__all__ = [
    "SIZES",
    "assert_secret_free",
    "content",
    "cut",
    "digests_of",
    "drop",
    "in_threads",
    "interleaved",
    "lacking",
    "needs",
    "one_image",
    "part_size",
    "read",
    "size_of",
    "write_parts",
]

T = TypeVar("T")
Test = TypeVar("Test", bound=Callable[..., object])

#: The sizes at which drivers break, in words: they depend on the driver's part size.
SIZES = ("0", "1", "part-1", "part", "part+1", "3 parts+7")
#: Where the decorator ``needs`` leaves its mark.
NEEDS = "__multistore_needs__"
_FLAGS = ("ranged_read", "sparse", "exclusive_create")


def needs(*wanted: Verb | str) -> Callable[[Test], Test]:
    """Admit a test only for drivers that declare these verbs and capabilities; others skip it, and say why."""

    def mark(test: Test) -> Test:
        setattr(test, NEEDS, (*getattr(test, NEEDS, ()), *wanted))
        return test

    return mark


def lacking(capabilities: Capabilities, wanted: Sequence[Verb | str]) -> list[str]:
    """Give what is wanted and not declared."""
    missing = []
    for each in wanted:
        if isinstance(each, Verb):
            missing += [str(verb.name) for verb in each if verb not in capabilities.verbs]
        elif int(getattr(capabilities, each)) < (1 if each in _FLAGS else 2):
            missing.append(each)
    return missing


# -- bytes ---------------------------------------------------------------------------------------


def content(size: int, seed: object = 0) -> bytes:
    """Give ``size`` bytes that look like nothing else, the same ones each time, and hold no zero."""
    table = bytes(range(1, 256)) + b"\xff"
    return random.Random(repr(seed)).randbytes(size).translate(table)  # noqa: S311  # no secret is made


def digests_of(data: bytes) -> dict[str, str]:
    """Give the digests that the core hands to ``commit``."""
    return {name: hashlib.new(name, data).hexdigest() for name in ("md5", "sha512")}


def part_size(driver: Driver) -> int:
    """Give the size of the first part of an image of unknown size."""
    return next(iter(driver.parts(None)))


def size_of(words: str, driver: Driver, largest: int) -> int:
    """Turn one of ``SIZES`` into bytes; skips the test where that is more than the rig allows."""
    part = part_size(driver)
    known = {
        "0": 0,
        "1": 1,
        "part-1": part - 1,
        "part": part,
        "part+1": part + 1,
        "3 parts+7": sum(islice(driver.parts(None), 3)) + 7,
    }
    if known[words] > largest:
        pytest.skip(f"{words} is more than the {largest} bytes that the rig allows")
    return known[words]


def cut(driver: Driver, data: bytes, declared: int | None) -> Iterator[tuple[int, int, bytes]]:
    """Cut an image into the parts that the driver asks for: index, offset, data."""
    sizes = driver.parts(declared)
    index = at = 0
    while at < len(data):
        size = next(sizes)
        yield index, at, data[at : at + size]
        index, at = index + 1, at + size


def write_parts(
    driver: Driver, upload: Upload, data: bytes, declared: int | None = None
) -> Callable[[], Stored]:
    """Write all parts in order, and give the call that commits them."""
    for index, at, part in cut(driver, data, len(data) if declared is None else declared):
        upload.write_part(index, at, part)
    return lambda: upload.commit(len(data), digests_of(data))


def one_image(
    driver: Driver, name: str, data: bytes, labels: Mapping[str, str] | None = None
) -> Stored:
    """Write one image as the core would, and publish it; aborts when anything fails."""
    upload = driver.begin(name, len(data), labels or {})
    try:
        return write_parts(driver, upload, data)()
    except BaseException:
        upload.abort()
        raise


def read(driver: Driver, ref: str, offset: int = 0, length: int | None = None) -> bytes:
    """Read an image, or a range of it, and check each piece on the way."""
    with driver.open(ref) as reader:
        pieces = list(reader.read(offset, length))
    for piece in pieces:
        assert isinstance(piece, bytes), f"a piece is {type(piece).__name__}, not bytes"
        assert piece, "a piece is empty"
    return b"".join(pieces)


def drop(chunks: Iterator[bytes]) -> None:
    """Close an iterator early, as a reader who has seen enough does."""
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def interleaved(streams: Sequence[Iterator[bytes]]) -> list[bytes]:
    """Read several streams to their ends, piece by piece in turn."""
    found = [bytearray() for _ in streams]
    running = list(enumerate(streams))
    while running:
        for place, stream in list(running):
            piece = next(stream, None)
            if piece is None:
                running.remove((place, stream))
            else:
                found[place] += piece
    return [bytes(each) for each in found]


# -- side by side --------------------------------------------------------------------------------


def in_threads(jobs: Sequence[Callable[[], T]], patience: float) -> list[T | BaseException]:
    """Run all jobs at the same moment, and give what each returned or raised."""
    results: list[T | BaseException] = [TimeoutError("did not end in time")] * len(jobs)
    start = threading.Barrier(len(jobs))

    def run(place: int) -> None:
        try:
            start.wait(patience)
            results[place] = jobs[place]()
        except BaseException as error:
            results[place] = error

    threads = [
        threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(jobs))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
    return results


# -- secrets -------------------------------------------------------------------------------------


def assert_secret_free(error: BaseException, secrets: Sequence[str]) -> None:
    """Look for secrets in everything that an error shows of itself, its causes and notes included."""
    shown = [str(error), repr(error), *map(str, error.args), *traceback.format_exception(error)]
    if isinstance(error, StoreError):
        shown.append(error.message)
    for secret in secrets:
        assert not any(secret in text for text in shown), (
            f"a secret shows in {type(error).__name__}"
        )
