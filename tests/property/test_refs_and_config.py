"""References, URLs and settings made of anything: an answer or an error of our own, no secret told, no hang."""

# ruff: noqa: PT017 - raising is one of two right answers
from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multistore.config import Secret, build, parse_size
from multistore.driver import Driver
from multistore.drivers.memory import MemoryDriver, MemoryRef, MemorySettings
from multistore.errors import InvalidRef, Misconfigured, StoreError
from multistore.registry import driver_class, open_driver
from property.nasty import (
    CANARY,
    COUNT,
    DRIVERS,
    VARIABLE,
    chance_of,
    strange_tables,
    strange_texts,
    tables,
    texts,
    told,
)

# 100,000 inputs take seconds; the limit is there to find an input that never ends.
fuzzed = pytest.mark.timeout(300)
every_driver = pytest.mark.parametrize("scheme", DRIVERS)
SMALLER = settings(max_examples=1000, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    """Look for the drivers of other distributions once instead of at each unknown name, and set ``VARIABLE``."""
    found = importlib.metadata.entry_points(group="multistore.drivers")

    def entry_points(*, group: str, name: str | None = None) -> importlib.metadata.EntryPoints:
        assert group == "multistore.drivers"
        return found if name is None else found.select(name=name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.metadata, "entry_points", entry_points)
        patch.setenv(VARIABLE, f"user:{CANARY}@host")
        yield


# -- the judges: each says whether the input was accepted ----------------------------------------


def refused(given: object, error: Exception, allowed: type[StoreError]) -> bool:
    """Judge an error: one of ours, without the secret, wherever in the input that stood."""
    assert isinstance(error, allowed), f"{given!r} gives {error!r}"
    assert CANARY.lower() not in told(error), f"{given!r} is told by {error!r}"
    return False


def is_reference(text: str, scheme: str) -> bool:
    cls = driver_class(scheme)
    try:
        ref = cls.parse(text)
    except Exception as error:
        return refused(text, error, InvalidRef)
    assert cls.parse(str(ref)) == ref
    assert str(cls.parse(str(ref))) == str(ref)
    assert hash(cls.parse(text)) == hash(ref)
    return True


def is_store(target: str | Mapping[str, object]) -> bool:
    try:
        driver = open_driver(target)
    except Exception as error:
        return refused(target, error, Misconfigured)
    assert isinstance(driver, Driver)
    assert CANARY not in f"{driver} {driver!r}"
    return True


def is_url(text: str, scheme: str) -> bool:
    try:
        driver_class(scheme).settings_from_url(text)
    except Exception as error:
        return refused(text, error, Misconfigured)
    return True


OWN = {"memory": ("memory://",), "file": ("file:///", "filesystem:///"), "rbd": ("rbd://",)}


def is_redacted(text: str, driver: Driver) -> bool:
    """Judge what people are shown of a reference: what names the image, and nothing else.

    The references of memory, file and rbd stores are nothing but a name, and all others are never shown.  In one of an http store the path is the name,
    unless it has another URL in it.
    """
    driver.owns(text)
    try:
        driver.parse(text)
    except InvalidRef:
        accepted = False
    else:
        accepted = True
    if driver.schemes[0] != "http":
        own = text.startswith(OWN[driver.schemes[0]])
        assert own or not accepted
        assert CANARY.lower() not in driver.redact("" if own else text).lower()
        return accepted
    if (url := re.fullmatch(r"(?is)(https?://[^/?#]*)([^?#]*)(.*)", text)) is not None:
        path = url[2] if f"//user:{CANARY}@" in url[2] else "/image"
        text = url[1] + path + url[3]
    assert CANARY.lower() not in driver.redact(text).lower(), text
    return accepted


@functools.cache
def a_driver(scheme: str) -> Driver:
    return open_driver({"driver": scheme, **({"path": "/srv"} if scheme == "file" else {})})


# -- 100,000 of each: of the tables in all, of the texts for every driver ---------------------------


@fuzzed
@every_driver
def test_any_text_is_a_reference_that_survives_the_round_trip_or_is_refused(scheme: str) -> None:
    assert sum(is_reference(text, scheme) for text in strange_texts(f"refs {scheme}")) > COUNT / 60


@fuzzed
@every_driver
def test_any_url_gives_settings_or_is_misconfigured(scheme: str) -> None:
    assert sum(is_url(text, scheme) for text in strange_texts(f"urls {scheme}")) > COUNT / 60


@fuzzed
def test_any_url_opens_a_driver_or_is_misconfigured() -> None:
    assert sum(is_store(text) for text in strange_texts("stores")) > COUNT / 60


@fuzzed
@every_driver
def test_no_reference_is_redacted_into_its_secret(scheme: str) -> None:
    driver = a_driver(scheme)
    assert sum(is_redacted(text, driver) for text in strange_texts(f"redact {scheme}")) > COUNT / 60


@fuzzed
@every_driver
def test_any_table_opens_a_driver_or_is_misconfigured(scheme: str) -> None:
    assert sum(is_store(table) for table in strange_tables("tables", scheme)) > COUNT / 200


@fuzzed
def test_any_text_is_a_size_or_a_value_error() -> None:
    chance = chance_of("sizes")
    alphabet = "0123456789.-+eE_ KMGTPkmgtpiBb\t\0٣xX,"
    accepted = 0
    for _ in range(COUNT):
        text = "".join(chance.choices(alphabet, k=chance.randint(0, 8)))
        try:
            size = parse_size(text)
        except ValueError as error:
            assert type(error) is ValueError
            continue
        accepted += 1
        assert size >= 0
        assert parse_size(str(size)) == size
    assert accepted > COUNT / 60


# -- what the fuzzers found, and hypothesis to make the next one small ---------------------------

CASES = {
    "a parameter of a query that looks like a user": f"http://host/a?size=1;//user:{CANARY}@host/a=",
    "a parameter of a query without a value": f"http://host/a?a=1&{CANARY}",
    "a token that ends in =": f"http://host/a?{CANARY}==",
    "a setting that looks like a user": f"memory:?//user:{CANARY}@host/a=1",
    "a user instead of a host": f"file://user:{CANARY}@host/a",
    "a user before another scheme": f"swift+https://user:{CANARY}@host/a",
    "a user as a scheme": f"user@{CANARY}:",
    "a secret behind the path of a file": f"file:///a/../b?token={CANARY}",
    "a user in a list": f"file:?paths=//user:{CANARY}@host/a",
    "a user among the hosts": f"http:?allow=a,user:{CANARY}@host",
    "a user in the path": f"http://host/http://user:{CANARY}@host/a",
    "half a character in a user name": "http://host/?username=\ud800",
}


def judge_text(text: str) -> None:
    is_store(text)
    for scheme in DRIVERS:
        is_reference(text, scheme)
        is_url(text, scheme)
        is_redacted(text, a_driver(scheme))


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CASES.items()])
def test_a_text_that_once_failed(text: str) -> None:
    judge_text(text)


@fuzzed
@SMALLER
@given(texts)
def test_any_text_whatever_it_is_taken_for(text: str) -> None:
    judge_text(text)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param({"driver": "file", "paths": [f"//user:{CANARY}@host/a"]}, id="entry of paths"),
        pytest.param({"driver": "file", "path": f"\n{CANARY}"}, id="unprintable path"),
        pytest.param({"driver": "file", "paths": [f"/{CANARY}"] * 2}, id="path listed twice"),
        pytest.param({"driver": "file", "path": "/a", "file_mode": CANARY}, id="file mode"),
        pytest.param({"driver": "http", "deny": [f"{CANARY}@host"]}, id="entry of deny"),
        pytest.param({"driver": f"http://user:{CANARY}@host/"}, id="a URL as the driver"),
        pytest.param({"driver": "memory", f"user:{CANARY}@host": 1}, id="name of a setting"),
        pytest.param({"driver": "memory", "capacity": {"env": f"a:{CANARY}"}}, id="variable"),
        pytest.param({"driver": "memory", "capacity": {"file": f"a:{CANARY}"}}, id="file"),
        pytest.param({"driver": "memory", "capacity": {"env": VARIABLE}}, id="value of a variable"),
    ],
)
def test_a_table_that_once_failed(table: dict[str, object]) -> None:
    assert not is_store(table)


@fuzzed
@SMALLER
@given(tables)
def test_any_table_whatever_its_driver(table: dict[str, object]) -> None:
    is_store(table)


# -- what must be accepted -----------------------------------------------------------------------


@settings(deadline=None)
@given(st.text(min_size=1))
def test_every_name_makes_a_memory_reference(name: str) -> None:
    ref = MemoryRef(name)
    assert MemoryDriver.parse(str(ref)) == ref


@settings(deadline=None)
@given(st.text())
def test_memory_parses_what_it_wrote_and_nothing_else(text: str) -> None:
    try:
        ref = MemoryDriver.parse(text)
    except InvalidRef:
        assert not text.removeprefix("memory://") or not text.startswith("memory://")
    else:
        assert str(ref) == text


@settings(deadline=None)
@given(st.integers(0, 1 << 62), st.integers(1, 1 << 62))
def test_settings_survive_being_written_as_texts(capacity: int, part_size: int) -> None:
    made = build(
        MemorySettings, {"capacity": str(capacity), "part_size": str(part_size)}, where="x"
    )
    assert made == MemorySettings(capacity, part_size)


@settings(deadline=None)
@given(
    st.integers(0, 1 << 50), st.sampled_from(["", "B", "K", "KiB", "kB", "MiB", "MB", "G", "TiB"])
)
def test_sizes_with_units_are_exact(number: int, unit: str) -> None:
    factor = {
        "": 1,
        "B": 1,
        "K": 2**10,
        "KiB": 2**10,
        "kB": 10**3,
        "MiB": 2**20,
        "MB": 10**6,
        "G": 2**30,
        "TiB": 2**40,
    }
    assert parse_size(f"{number}{unit}") == number * factor[unit]


@settings(deadline=None)
@given(st.text())
def test_a_secret_shows_nothing_of_itself(text: str) -> None:
    assert f"{Secret(text)}{Secret(text)!r}" == "***Secret('***')"
