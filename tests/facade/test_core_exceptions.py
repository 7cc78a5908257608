"""The exceptions: templates, fields, pickling."""

from __future__ import annotations

import builtins
import copy
import logging
import pickle
from typing import Any

import pytest
from glance_store import exceptions

FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("MissingCredentialError", {"required": "r1"}),
    ("BadAuthStrategy", {"expected": "e1", "received": "r1"}),
    ("AuthorizationRedirect", {"uri": "u1"}),
    ("NotFound", {"image": "i1"}),
    ("UnknownHashingAlgo", {"algo": "a1"}),
    ("UnknownScheme", {"scheme": "s1"}),
    ("BadStoreUri", {"uri": "u1"}),
    ("Duplicate", {"image": "i1"}),
    ("AuthBadRequest", {"url": "u1"}),
    ("AuthUrlNotFound", {"url": "u1"}),
    ("BadStoreConfiguration", {"store_name": "s1", "reason": "r1"}),
    ("DriverLoadFailure", {"driver_name": "d1"}),
    ("StoreRandomGetNotSupported", {"offset": 7, "chunk_size": 9}),
    ("MaxRedirectsExceeded", {"redirects": 5}),
    ("RegionAmbiguity", {"region": "r1"}),
    ("HostNotInitialized", {"host": "h1"}),
    ("TimeoutError", {"timeout": 30}),
]
PLAIN = [
    "StorageFull",
    "StorageWriteDenied",
    "AuthorizationFailure",
    "NotAuthenticated",
    "Forbidden",
    "Invalid",
    "StoreDeleteNotSupported",
    "StoreGetNotSupported",
    "StoreAddDisabled",
    "NoServiceEndpoint",
    "RemoteServiceUnavailable",
    "HasSnapshot",
    "InUseByStore",
]


@pytest.mark.parametrize(("name", "fields"), FIELDS)
def test_the_text_is_the_template_filled_in(name: str, fields: dict[str, Any]) -> None:
    kind = getattr(exceptions, name)
    error = kind(**fields)
    assert all(str(value) in error.msg for value in fields.values())
    assert str(error) == error.msg
    assert error.args == (error.msg,)
    assert error.message == kind.message
    assert all(f"%({field})" in kind.message for field in fields)
    assert isinstance(error, exceptions.GlanceStoreException)


@pytest.mark.parametrize("name", PLAIN)
def test_an_exception_without_fields_says_something(name: str) -> None:
    error = getattr(exceptions, name)()
    assert error.msg == error.message == str(error) != ""
    assert "%" not in error.msg


def test_the_words_that_observers_look_for() -> None:
    assert str(exceptions.NotFound(image="abc")) == "Image abc not found"
    assert str(exceptions.NotFound()) == "Image %(image)s not found"
    assert exceptions.NotFound.message == "Image %(image)s not found"


def test_a_text_of_the_caller_is_filled_in_too() -> None:
    assert exceptions.NotFound("no %(what)s", what="luck").msg == "no luck"
    assert exceptions.NotFound(message="as it is: 100%").msg == "as it is: 100%"
    assert exceptions.NotFound("", image=3).msg == "Image 3 not found"


@pytest.mark.parametrize("error", [exceptions.NotFound(image="x"), exceptions.NotFound("50%")])
def test_instances_survive_pickling_and_copying(error: Exception) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(twin) is type(error)
        assert twin.args == error.args
        assert twin.msg == error.msg  # type: ignore[attr-defined]


def test_the_bases_are_the_interface_s() -> None:
    assert issubclass(exceptions.StoreRandomGetNotSupported, exceptions.StoreGetNotSupported)
    assert exceptions.BackendException.__bases__ == (Exception,)
    assert exceptions.UnsupportedBackend.__bases__ == (exceptions.BackendException,)
    assert not issubclass(exceptions.TimeoutError, builtins.TimeoutError | OSError)
    redirect = exceptions.RedirectException("http://host:8/path")
    assert (redirect.url.netloc, redirect.url.path) == ("host:8", "/path")


def test_c28_a_text_that_cannot_be_filled_in_is_kept_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    error = exceptions.NotFound(wrong="field")
    assert error.msg == "Image %(image)s not found"
    assert "NotFound" in caplog.text
    assert "wrong" in caplog.text
    assert exceptions.NotFound("%d done", image="x").msg == "%d done"


def test_c28_a_message_that_is_no_text_becomes_one() -> None:
    assert exceptions.NotFound(["a", 1]).msg == "['a', 1]"
    assert exceptions.NotFound(ValueError("why")).msg == "why"


def test_a_limit_in_seconds_is_a_whole_number() -> None:
    assert "within 2 seconds" in exceptions.TimeoutError(timeout=2.9).msg
