"""From the errors of servers and of botocore to the tree of errors."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions as vendor
import pytest
import urllib3.exceptions
from fakes.s3_proxy import Proxy
from multistore.drivers.s3 import S3Driver
from multistore.drivers.s3.client import _moment
from multistore.drivers.s3.errors import code_of, translated
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Corrupt,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    RateLimited,
    StoreError,
    TimedOut,
    Unauthenticated,
    Unavailable,
    Unsupported,
)


def refused(status: int, code: str = "", **fields: str) -> StoreError:
    response: Any = {
        "Error": {"Code": code, "Message": "s3cr3t"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": fields},
    }
    error = vendor.ClientError(response, "PutObject")
    made = translated(error, "the object", 5)
    assert "s3cr3t" not in str(made)
    return made


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NoSuchKey", NotFound), (404, "404", NotFound), (404, "NoSuchUpload", NotFound), (403, "AccessDenied", AccessDenied),
        (403, "403", AccessDenied), (403, "InvalidAccessKeyId", Unauthenticated), (403, "SignatureDoesNotMatch", Unauthenticated),
        (403, "RequestTimeTooSkewed", Unauthenticated), (400, "ExpiredToken", Unauthenticated), (401, "", Unauthenticated),
        (403, "QuotaExceeded", NoSpace), (507, "", NoSpace), (413, "", NoSpace), (400, "EntityTooLarge", NoSpace),
        (503, "SlowDown", RateLimited), (429, "", RateLimited), (503, "ServiceUnavailable", Unavailable), (500, "InternalError", Unavailable),
        (400, "RequestTimeout", TimedOut), (504, "", TimedOut), (400, "BadDigest", Unavailable),
        (400, "XAmzContentSHA256Mismatch", Unavailable), (400, "InvalidPart", Corrupt), (412, "PreconditionFailed", AlreadyExists),
        (501, "NotImplemented", Unsupported), (403, "InvalidObjectState", Unsupported), (404, "NoSuchBucket", Misconfigured),
        (301, "PermanentRedirect", Misconfigured), (400, "AuthorizationHeaderMalformed", Misconfigured),
        (400, "InvalidStorageClass", Misconfigured), (418, "Teapot", Unavailable),
    ],
)  # fmt: skip
def test_each_refusal_has_its_error(status: int, code: str, kind: type[StoreError]) -> None:
    assert type(refused(status, code)) is kind


def test_what_a_repetition_cannot_cure_is_final() -> None:
    assert refused(418, "Teapot").final
    assert not refused(500).final
    assert refused(503, "SlowDown", **{"retry-after": "9"}).retry_after == 9
    assert refused(503, "SlowDown", **{"retry-after": "soon"}).retry_after is None


@pytest.mark.parametrize(
    ("error", "kind", "setting"),
    [
        (vendor.NoCredentialsError(), Unauthenticated, ""),
        (vendor.PartialCredentialsError(provider="env", cred_var="x"), Unauthenticated, ""),
        (vendor.ProfileNotFound(profile="x"), Misconfigured, "profile"),
        (vendor.EndpointConnectionError(endpoint_url="http://u:s3cr3t@h"), Unavailable, ""),
        (vendor.ConnectTimeoutError(endpoint_url="http://s3cr3t"), TimedOut, ""),
        (vendor.ReadTimeoutError(endpoint_url="http://s3cr3t"), TimedOut, ""),
        (vendor.ConnectionClosedError(endpoint_url="http://s3cr3t"), Unavailable, ""),
        (vendor.ProxyConnectionError(proxy_url="http://s3cr3t"), Unavailable, ""),
        (vendor.SSLError(endpoint_url="http://s3cr3t", error=ssl.SSLError("x")), Unavailable, ""),
        (vendor.ParamValidationError(report="s3cr3t"), InvalidRef, ""),
        (vendor.IncompleteReadError(actual_bytes=1, expected_bytes=2), Unavailable, ""),
        (urllib3.exceptions.ProtocolError("s3cr3t"), Unavailable, ""),
        (FileNotFoundError("s3cr3t"), Misconfigured, "ca_file"),
        (RuntimeError("s3cr3t"), Unavailable, ""),
    ],
)
def test_each_failure_has_its_error(error: Exception, kind: type[StoreError], setting: str) -> None:
    """And quotes no address, nor anything else that the vendor says."""
    made = translated(error, "the object", 5)
    assert type(made) is kind
    assert "s3cr3t" not in str(made)
    assert getattr(made, "setting", "") == setting


def test_a_certificate_that_is_refused_is_final() -> None:
    cause = ssl.SSLCertVerificationError(1, "self-signed")
    error = vendor.SSLError(endpoint_url="https://h", error=urllib3.exceptions.SSLError(cause))
    error.__cause__ = cause
    made = translated(error, "the object", 5)
    assert made.final
    assert "ca_file" in str(made)


def test_an_answer_without_a_body_is_explained(proxy: Proxy, driver: S3Driver) -> None:
    """HEAD says 403 and no more; the same question by GET says which."""
    proxy.trouble("head", "status", status=403)
    proxy.trouble("get", "status", status=403, code="SignatureDoesNotMatch")
    with pytest.raises(Unauthenticated) as caught:
        driver.stat(driver._ref("image"))
    assert code_of(caught.value) == "SignatureDoesNotMatch"


def test_a_bucket_that_is_missing_is_the_settings_fault(make: Callable[..., S3Driver]) -> None:
    """Of writes; of reads it is that nothing is there."""
    driver = make(bucket="nothing-here")
    upload = driver.begin("image", 3, {})
    upload.write_part(0, 0, b"abc")
    with pytest.raises(Misconfigured) as caught:
        upload.commit(3, {})
    assert caught.value.setting == "bucket"
    with pytest.raises(Misconfigured):
        driver.begin("image", None, {})
    for look in (driver.stat, lambda ref: driver.open(ref).read()):
        with pytest.raises(NotFound):
            look(driver._ref("image"))


def test_the_library_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ImportError('no boto3')")
    code = (
        "from multistore import open_store\n"
        "try: open_store('s3://images').stat('s3+https://s3.amazonaws.com/images/x')\n"
        "except Exception as error: print(error)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    assert "pip install 'multistore[s3]'" in ran.stdout


def test_headers_with_tokens_and_keys_are_not_logged(
    driver: S3Driver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        list(driver.list())
    assert not [each for each in caplog.records if each.name.startswith("botocore")]


@pytest.mark.parametrize(
    "text",
    [
        "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000", "2026-11-26T07:00:00.000Z",
        "2026-11-26T07:00:00+01:00", "2026-11-26T07:00:00", "20261126T070000Z", "1700000000", 1700000000.5,
    ],
)  # fmt: skip
def test_a_time_is_read_as_botocore_reads_it(text: str | float) -> None:
    """Those that servers write at a tenth of the cost, all others by botocore itself."""
    from botocore.utils import parse_timestamp

    assert _moment(text) == parse_timestamp(text)
    with pytest.raises(ValueError, match="rubbish"):
        _moment("rubbish")
