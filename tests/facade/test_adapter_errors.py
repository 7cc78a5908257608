"""The error table: every error of multistore is an exception of the interface, the right one."""

from __future__ import annotations

import inspect
from typing import Any

import multistore
import pytest
from glance_store import exceptions
from glance_store._errors import Facts, translated
from multistore import errors

ALL = [
    cls
    for _name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.StoreError)
]
VERBS = ("add", "get", "size", "delete", "read", "configure")


@pytest.mark.parametrize("kind", ["file", "http", "rbd", "something new"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_error_has_an_exception_of_the_interface(kind: str, verb: str) -> None:
    for cls in ALL:
        error = cls("/secret/path")
        made = translated(Facts(kind, verb, "image-1"), error)
        assert isinstance(made, exceptions.GlanceStoreException), (cls, verb)
        assert isinstance(made.msg, str)
        if kind == "file" and verb != "configure":
            assert "/secret" not in str(made), (cls, verb)


def test_trap_14_while_reading_everything_is_an_unavailable_service() -> None:
    for cls in ALL:
        for kind in ("file", "http", "swift"):
            made = translated(Facts(kind, "read", "x"), cls("no"))
            assert type(made) is exceptions.RemoteServiceUnavailable


def test_trap_14_a_missing_container_is_not_a_missing_image() -> None:
    for verb in ("get", "size", "delete"):
        for what in ("container", "store"):
            made = translated(Facts("swift", verb, "x"), errors.NotFound("no", what=what))
            assert not isinstance(made, exceptions.NotFound)
        made = translated(Facts("swift", verb, "x"), errors.NotFound("no"))
        assert type(made) is exceptions.NotFound


def test_trap_14_an_http_outage_is_503_on_get_and_a_bad_location_on_size() -> None:
    for cls in (errors.Unavailable, errors.TimedOut, errors.RateLimited):
        facts = Facts("http", "get", "x")
        assert type(translated(facts, cls("no"))) is exceptions.RemoteServiceUnavailable
        facts = Facts("http", "size", "x")
        assert type(translated(facts, cls("no"))) is exceptions.BadStoreUri


@pytest.mark.parametrize(
    ("verb", "error", "kind"),
    [
        ("add", errors.AlreadyExists("no"), exceptions.Duplicate),
        ("add", errors.NoSpace("no"), exceptions.StorageFull),
        ("add", errors.AccessDenied("no"), exceptions.StorageWriteDenied),
        ("add", errors.SizeMismatch(expected=1, actual=2, exceeds=True), exceptions.Invalid),
        ("add", errors.InvalidRef(why="no"), exceptions.Invalid),
        ("add", errors.NotFound("no"), exceptions.RemoteServiceUnavailable),
        ("delete", errors.InUse("no"), exceptions.InUseByStore),
        ("delete", errors.AccessDenied("no"), exceptions.Forbidden),
        ("get", errors.AccessDenied("no"), exceptions.Forbidden),
        ("get", errors.InvalidRef(why="no"), exceptions.BadStoreUri),
        ("configure", errors.Misconfigured("no"), exceptions.BadStoreConfiguration),
    ],
)  # fmt: skip
def test_the_rows_for_all_drivers(
    verb: str, error: multistore.StoreError, kind: type[Exception]
) -> None:
    assert type(translated(Facts("any", verb, "x"), error)) is kind


def test_a_timeout_tells_the_limit_that_is_configured() -> None:
    made = translated(Facts("file", "get", "x", 7), errors.TimedOut("no", seconds=3))
    assert isinstance(made, exceptions.TimeoutError)
    assert "7 seconds" in str(made)


def test_texts_of_size_errors_begin_as_the_interface_has_them() -> None:
    texts: list[Any] = [
        str(translated(Facts("file", "add", "x"), errors.SizeMismatch(expected=5, actual=6, exceeds=exceeds)))
        for exceeds in (True, False)
    ]  # fmt: skip
    assert texts[0].startswith("Size exceeds: expected 5")
    assert texts[1].startswith("Size mismatch: expected 5")
