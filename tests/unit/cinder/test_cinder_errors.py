"""From the libraries' errors to the tree of errors: the kind, the advice, and nothing that may hold a password."""

from __future__ import annotations

from typing import Any

import pytest
from cinderclient import exceptions as cinder
from keystoneauth1 import exceptions as keystone
from multistore import errors
from multistore.drivers.cinder.errors import guard, translated


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (cinder.Unauthorized(401, "no"), errors.Unauthenticated, "password"),
        (cinder.Forbidden(403, "no"), errors.AccessDenied, "policy"),
        (cinder.NotFound(404, "no"), errors.NotFound, "no"),
        (cinder.OverLimit(413, "VolumeLimitExceeded"), errors.NoSpace, "quota"),
        (
            cinder.BadRequest(
                400,
                "Invalid input received: Specified volume size of '2' is greater than the maximum"
                " allowable size of '1' for volume type 'small'.",
            ),
            errors.NoSpace,
            "volume type",
        ),
        (cinder.ClientException(429, "slower"), errors.RateLimited, "slower"),
        (cinder.BadRequest(400, "Volume status must be available"), errors.InUse, "status"),
        (cinder.BadRequest(400, "no such field"), errors.Unavailable, "field"),
        (cinder.ClientException(503, "busy"), errors.Unavailable, "logs"),
        (keystone.EndpointNotFound("no volumev3"), errors.Misconfigured, "volumev3"),
        (keystone.SSLError("self-signed"), errors.Misconfigured, "self-signed"),
        (keystone.ConnectTimeout("slow"), errors.TimedOut, "slow"),
        (keystone.ConnectFailure("refused"), errors.Unavailable, "refused"),
    ],
)
def test_an_error_is_translated(error: Exception, kind: type[errors.StoreError], said: str) -> None:
    made = translated(error, "the volume 1")
    assert type(made) is kind
    assert str(made).startswith("the volume 1: ")
    assert said in str(made)


def test_a_request_that_cannot_succeed_is_final() -> None:
    for status, final in ((400, True), (503, False)):
        made: Any = translated(cinder.ClientException(status, "no"), "x")
        assert made.final is final


def of_library(module: str, name: str, text: str) -> Exception:
    kind = type(name, (Exception,), {"__module__": module})
    made: Exception = kind(text)
    vars(made)["msg"] = text
    return made


def test_the_words_of_os_brick_are_not_repeated() -> None:
    """They may hold a command line, and that a password of storage."""
    error = of_library("os_brick.exception", "BrickException", "chap s3cret")
    assert str(translated(error, "x")) == "x: BrickException"


def test_whoever_cannot_become_root_hears_of_the_setting() -> None:
    """It is not tried again: no pause makes a line for sudo."""
    error = of_library("oslo_privsep.daemon", "FailedToDropPrivileges", "exited with 1")
    with pytest.raises(errors.Misconfigured, match="root_helper") as caught, guard("x"):
        raise error
    assert caught.value.setting == "root_helper"


def test_a_bug_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), guard("x"):
        raise ZeroDivisionError
