"""The tree of errors: flat, closed, and telling."""

from __future__ import annotations

import pickle

import pytest
from multistore import errors
from multistore.errors import (
    AccessDenied,
    InvalidRef,
    Misconfigured,
    NotFound,
    SizeMismatch,
    StoreError,
    TimedOut,
)

CLASSES = [getattr(errors, name) for name in errors.__all__]
RETRYABLE = {"InUse", "Unavailable", "RateLimited", "TimedOut"}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_a_direct_child_of_the_root(cls: type[StoreError]) -> None:
    assert cls is StoreError or cls.__bases__[0] is StoreError


def test_the_tree_has_no_other_member() -> None:
    found = {cls for cls in vars(errors).values() if isinstance(cls, type)}
    assert {cls for cls in found if issubclass(cls, StoreError)} == set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_only_what_may_pass_by_itself_is_retryable(cls: type[StoreError]) -> None:
    assert cls.retryable == (cls.__name__ in RETRYABLE)
    assert cls("text").final is False


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_can_be_made_without_a_word_and_still_says_something(
    cls: type[StoreError],
) -> None:
    assert str(cls())
    assert cls().message
    assert cls("a text").message == "a text"
    assert str(cls("a text")) == "a text"


@pytest.mark.parametrize("cls", CLASSES)
def test_exit_codes_are_those_of_the_command_line(cls: type[StoreError]) -> None:
    expected = {
        "InvalidRef": 2,
        "Misconfigured": 2,
        "NotFound": 3,
        "AlreadyExists": 4,
        "Corrupt": 7,
        "SizeMismatch": 7,
        "Cancelled": 130,
        **dict.fromkeys(RETRYABLE, 5),
    }
    assert cls.exit_code == expected.get(cls.__name__, 6)


@pytest.mark.parametrize(
    ("cls", "base"),
    [
        (NotFound, LookupError),
        (AccessDenied, PermissionError),
        (InvalidRef, ValueError),
        (TimedOut, TimeoutError),
    ],
)
def test_some_are_also_what_python_calls_them(cls: type[StoreError], base: type[Exception]) -> None:
    assert issubclass(cls, base)


def test_the_first_stamp_stays() -> None:
    error = StoreError("no luck")
    error.stamp(store="a", verb="put", ref="memory://x")
    error.stamp(store="b", verb="get", ref="memory://y")
    assert (error.store, error.verb, error.ref) == ("a", "put", "memory://x")
    assert str(error) == "no luck (store 'a', put, memory://x)"


def test_a_reference_that_the_message_names_is_not_repeated() -> None:
    error = StoreError("memory://x is not there")
    error.stamp(store="a", verb="get", ref="memory://x")
    assert str(error).count("memory://x") == 1


def test_attempts_are_told_when_there_was_more_than_one() -> None:
    error = StoreError("no luck")
    error.attempts = 3
    assert str(error) == "no luck (after 3 attempts)"


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickling(cls: type[StoreError]) -> None:
    error = cls("a text")
    error.stamp(store="a", verb="put", ref="r")
    error.final = True
    error.retry_after = 1.5
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert (copy.final, copy.retry_after, copy.store) == (True, 1.5, "a")


def test_a_size_mismatch_says_which_way() -> None:
    short = SizeMismatch(expected=5, actual=3)
    assert str(short) == "the data has 3 bytes instead of the declared 5 bytes"
    long = SizeMismatch(expected=5, actual=6, exceeds=True)
    assert str(long) == "the data has more than the declared 5 bytes"


def test_details_are_kept_where_a_class_has_some() -> None:
    assert NotFound("gone", what="container").what == "container"
    assert NotFound("gone").what == "object"
    assert TimedOut(seconds=2.5).seconds == 2.5
    assert "2.5 s" in str(TimedOut(seconds=2.5))
    assert InvalidRef(why="two slashes").why == "two slashes"
    assert str(InvalidRef(why="two slashes")) == "two slashes"
    assert InvalidRef("a text").why == "a text"
    assert "'part_size'" in str(Misconfigured(setting="part_size"))
    assert TimedOut("slow", retry_after=3.0).retry_after == 3.0
