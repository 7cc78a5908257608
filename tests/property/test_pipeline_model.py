"""The pipeline against a model: whatever goes in, the outcome is known beforehand.

Parts, grains and thresholds are made tiny, so that a few dozen bytes take every way through the code.
"""

# ruff: noqa: PT017, PLR0917 - whether it raises is part of the model; given() fills the arguments
from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from doubles import TroubledDriver, failing
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Corrupt,
    NoSpace,
    RateLimited,
    SizeMismatch,
    StoreError,
    TimedOut,
    Unavailable,
)
from multistore.fleet import Fleet
from multistore.layers.stack import StoreOptions
from multistore.pipeline import download, image, upload, zeros
from multistore.store import Store

QUICK = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
GRAIN = 4
REF = "memory://image"


@contextmanager
def tiny(*, inline: bool) -> Iterator[None]:
    """Shrink every threshold; ``inline`` decides whether small images have a way of their own."""
    small = 40 if inline else -1
    with (
        mock.patch.object(upload, "SMALL", small),
        mock.patch.object(download, "SMALL", small),
        mock.patch.object(download, "_BEHIND", 8),
        mock.patch.object(image, "RANGE", 16),
        mock.patch.object(image, "prefetched", _prefetched),
        mock.patch.object(zeros, "GRAIN", GRAIN),
        mock.patch.object(zeros, "_ZEROS", bytes(GRAIN)),
    ):
        before = set(threading.enumerate())
        yield
        assert set(threading.enumerate()) == before, "a thread is left running"


def _prefetched(reader: object, offset: int, length: int, parallel: int) -> Iterator[bytes]:
    from multistore.pipeline.prefetch import prefetched

    return prefetched(reader, offset, length, parallel, 7)  # type: ignore[arg-type]


runs = st.one_of(
    st.binary(max_size=12),
    st.integers(0, 20).map(bytes),
    st.sampled_from([b"\0\0\0\1", b"x" * GRAIN]),
)
contents = st.lists(runs, max_size=10).map(b"".join)
part_sizes = st.sampled_from([1, 3, 4, 5, 8, 17, 64, 1000])


class Sips:
    """A file object of short reads."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def read(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > size:
            self.pieces.insert(0, piece[size:])
        return piece[:size]


def source_of(kind: str, data: bytes, cuts: list[int]) -> object:
    places = sorted({min(cut, len(data)) for cut in cuts})
    edges = list(zip([0, *places], [*places, len(data)], strict=True))
    pieces = [data[start:end] for start, end in edges]
    return {
        "bytes": data,
        "bytearray": bytearray(data),
        "file": io.BytesIO(data),
        "sips": Sips(pieces),
        "list": pieces,
        "with empty pieces": [each for piece in pieces for each in (b"", piece, b"")],
        "mutable": (bytearray(piece) for piece in pieces),
        "views": [memoryview(piece) for piece in pieces],
    }[kind]


SOURCES = ["bytes", "bytearray", "file", "sips", "list", "with empty pieces", "mutable", "views"]
sources = st.tuples(st.sampled_from(SOURCES), st.lists(st.integers(0, 120), max_size=8))
declarations = st.sampled_from(["none", "right", "right", "short", "long"])
expectations = st.sampled_from(["none", "right", "wrong", "right and wrong"])
algorithms = st.lists(st.sampled_from(["md5", "sha1", "sha256", "blake2s"]), max_size=3)


def declared(kind: str, data: bytes) -> int | None:
    return {"none": None, "right": len(data), "short": len(data) - 1, "long": len(data) + 3}[kind]


def expected(kind: str, data: bytes) -> dict[str, str]:
    right = {"sha224": hashlib.sha224(data).hexdigest()}
    wrong = {"sha384": hashlib.sha384(data + b"!").hexdigest()}
    return {"none": {}, "right": right, "wrong": wrong, "right and wrong": {**right, **wrong}}[kind]


def plain(driver: TroubledDriver, name: str = "a") -> Store:
    """Give a Store that does not try again, so that each fault shows."""
    return Store(driver, name=name, options=StoreOptions(attempts=1))


def assert_nothing(driver: TroubledDriver) -> None:
    assert driver.objects == {}
    assert driver.uploads == {}


@QUICK
@given(contents, sources, declarations, expectations, algorithms, part_sizes, st.booleans())
def test_a_put_stores_exactly_the_image_or_raises_the_right_error(
    data: bytes,
    source: tuple[str, list[int]],
    declaration: str,
    expectation: str,
    names: list[str],
    part_size: int,
    inline: bool,
) -> None:
    driver = TroubledDriver(part_size=part_size)
    seen: list[bytes] = []
    size = declared(declaration, data)
    sized_wrong = declaration in {"long", "short"}
    with tiny(inline=inline):
        try:
            receipt = plain(driver).put(
                "image",
                source_of(source[0], data, source[1]),  # type: ignore[arg-type]
                size=size,
                digests=names,
                expect=expected(expectation, data),
                observers=[mock.Mock(update=seen.append)],
            )
        except StoreError as error:
            wanted = SizeMismatch if sized_wrong else Corrupt
            assert type(error) is wanted
            assert sized_wrong or "wrong" in expectation
            assert error.store == "a"
            assert_nothing(driver)
            return
        assert not sized_wrong
        assert "wrong" not in expectation
        assert driver.objects["image"][0] == data
        assert driver.uploads == {}
        assert b"".join(seen) == data
        assert (receipt.size, receipt.ref) == (len(data), REF)
        wanted_names = dict.fromkeys([*names, *expected(expectation, data)])
        assert dict(receipt.digests) == {
            name: hashlib.new(name, data).hexdigest() for name in wanted_names
        }


ERRORS: list[type[StoreError]] = [NoSpace, AccessDenied, Unavailable, RateLimited, TimedOut]


@dataclass(frozen=True)
class Fault:
    """An error at one call of a driver: ``after`` the call has had its effect, or instead of it."""

    step: str
    at: int
    after: bool
    error: type[StoreError]


faults = (
    st.builds(
        Fault,
        st.sampled_from(["begin", "write_part", "write_part", "commit"]),
        st.integers(1, 6),
        st.booleans(),
        st.sampled_from(ERRORS),
    )
    .filter(lambda fault: fault.step != "begin" or not fault.after)
    .filter(
        # Only the loss of a reply can follow a commit that has happened.
        lambda fault: fault.step != "commit" or not fault.after or fault.error.retryable
    )
)


def troubled(fault: Fault, part_size: int) -> tuple[TroubledDriver, StoreError]:
    error = fault.error("planted")
    trouble = failing(fault.step, error, at=fault.at)
    if fault.after:
        return TroubledDriver(part_size=part_size, after=trouble), error
    return TroubledDriver(part_size=part_size, before=trouble), error


@QUICK
@given(contents, sources, faults, part_sizes, st.booleans())
def test_a_fault_anywhere_ends_in_that_error_and_leaves_nothing(
    data: bytes, source: tuple[str, list[int]], fault: Fault, part_size: int, inline: bool
) -> None:
    driver, error = troubled(fault, part_size)
    with tiny(inline=inline):
        try:
            plain(driver).put("image", source_of(*_named(source, data)))  # type: ignore[arg-type]
        except StoreError as caught:
            event("struck")
            assert caught is error
            assert error.store == "a"
            assert_nothing(driver)
            # Nothing hinders another attempt.
            driver.before = driver.after = lambda _: None
            plain(driver).put("image", data)
        else:
            # The call that was to fail never came.
            assert driver.calls.count(fault.step) < fault.at
        assert driver.objects["image"][0] == data
        assert driver.uploads == {}


def _named(source: tuple[str, list[int]], data: bytes) -> tuple[str, bytes, list[int]]:
    return source[0], data, source[1]


@QUICK
@given(
    contents,
    sources,
    st.lists(st.tuples(part_sizes, st.none() | faults), min_size=1, max_size=3),
    st.integers(1, 3),
    st.booleans(),
)
def test_a_fleet_keeps_enough_copies_or_none(
    data: bytes,
    source: tuple[str, list[int]],
    members: list[tuple[int, Fault | None]],
    minimum: int,
    inline: bool,
) -> None:
    minimum = min(minimum, len(members))
    made = [
        (TroubledDriver(part_size=size), None) if fault is None else troubled(fault, size)
        for size, fault in members
    ]
    fleet = Fleet([plain(driver, str(place)) for place, (driver, _) in enumerate(made)])
    with tiny(inline=inline):
        try:
            receipt = fleet.put("image", source_of(*_named(source, data)), minimum=minimum)  # type: ignore[arg-type]
        except (StoreError, ExceptionGroup) as caught:
            event("too few")
            errors = caught.exceptions if isinstance(caught, ExceptionGroup) else (caught,)
            assert len(made) - len(errors) < minimum
            assert all(any(error is each for _, each in made) for error in errors)
            for driver, _ in made:
                assert_nothing(driver)
            return
        assert len(receipt.copies) >= minimum
        assert {*receipt.copies, *receipt.failures} == set(fleet.stores)
        assert not {*receipt.copies} & {*receipt.failures}
        for place, (driver, error) in enumerate(made):
            assert driver.uploads == {}
            if str(place) in receipt.copies:
                assert driver.objects["image"][0] == data
            else:
                assert receipt.failures[str(place)] is error
                assert driver.objects == {}


@QUICK
@given(
    contents,
    st.integers(0, 130),
    st.none() | st.integers(0, 130),
    part_sizes,
    st.booleans(),
    st.none() | st.integers(0, 1000),
    st.booleans(),
)
def test_a_read_gives_exactly_the_range_or_corrupt(
    data: bytes,
    offset: int,
    length: int | None,
    part_size: int,
    verify: bool,
    flip: int | None,
    inline: bool,
) -> None:
    """``flip`` damages one byte in the store."""
    stored = bytearray(data)
    if flip is not None and stored:
        stored[flip % len(stored)] ^= 1
    damaged = bytes(stored) != data
    driver = TroubledDriver(part_size=part_size)
    driver.objects["image"] = (bytes(stored), "token", 0.0)
    expect = {"sha256": hashlib.sha256(data).hexdigest()} if verify else None
    whole = offset == 0 and length is None
    end = None if length is None else offset + length
    got = b""
    with tiny(inline=inline), plain(driver).open(REF, expect=expect) as opened:
        try:
            for piece in opened.read(offset, length):
                assert piece
                got += piece
        except Corrupt as error:
            assert damaged
            assert whole
            assert verify
            assert error.store == "a"
            assert len(got) < len(data)
        else:
            assert not (damaged and whole and verify)
            assert got == bytes(stored)[offset:end]


@QUICK
@given(contents, st.integers(1, 30), part_sizes, st.booleans(), st.booleans())
def test_a_fleet_reads_through_a_break_anywhere(
    data: bytes, at: int, part_size: int, inline: bool, verify: bool
) -> None:
    broken = TroubledDriver(part_size=part_size, before=failing("piece", Unavailable("cut"), at=at))
    sound = TroubledDriver(part_size=5)
    for driver in (broken, sound):
        driver.objects["image"] = (data, "token", 0.0)
    expect = {"md5": hashlib.md5(data).hexdigest()} if verify else None
    fleet = Fleet([plain(broken, "broken"), plain(sound, "sound")])
    target = io.BytesIO()
    with tiny(inline=inline):
        fetched = fleet.get({"broken": REF, "sound": REF}, target, expect=expect)
    assert target.getvalue() == data
    assert fetched.size == len(data)


@QUICK
@given(contents, contents, part_sizes, st.booleans())
def test_a_second_put_of_a_name_changes_nothing(
    first: bytes, second: bytes, part_size: int, inline: bool
) -> None:
    driver = TroubledDriver(part_size=part_size)
    store = plain(driver)
    with tiny(inline=inline):
        store.put("image", first)
        try:
            store.put("image", second)
        except AlreadyExists:
            assert driver.objects["image"][0] == first
            assert driver.uploads == {}
        else:
            raise AssertionError("both were acknowledged")
