"""The vendor's client: made at first use, one for each process, with its own retries off."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from multistore.driver import PerProcess
from multistore.drivers.s3.errors import translated
from multistore.drivers.s3.settings import S3Settings, customer_key_bytes
from multistore.drivers.s3.signing import sign_known_parts
from multistore.errors import Misconfigured, StoreError

__all__ = ["Client", "encryption", "own_key"]


def _moment(text: Any) -> datetime:
    """Read a time as servers write it; botocore's way, which knows every other, takes a quarter of a small request."""
    from botocore.utils import parse_timestamp

    for read in (parsedate_to_datetime, datetime.fromisoformat) if isinstance(text, str) else ():
        with contextlib.suppress(ValueError, TypeError):
            found: datetime = read(text)
            if found.tzinfo is not None:
                return found
    other: datetime = parse_timestamp(text)
    return other


class _Sessions:
    """What clients are made of: a session costs 80 ms, a client of it 3 ms.

    Stores that have keys share one, which has no profile, whatever the environment says.
    Whoever looks for keys around itself has a session of its own, for that keeps what it has found.
    """

    def __init__(self) -> None:
        # A session is not safe for threads; its clients are.
        self.lock = threading.Lock()
        self._shared: Any = None

    def session(self, settings: S3Settings) -> Any:
        if settings.access_key is None:
            return self._make(None, settings.profile)
        if self._shared is None:
            self._shared = self._make({"profile": (None, None, None, None)}, None)
        return self._shared

    def _make(self, variables: Mapping[str, Any] | None, profile: str | None) -> Any:
        try:
            import boto3.session
            import botocore.session
        except ImportError as error:
            raise Misconfigured(
                "boto3 is not installed: pip install 'multistore[s3]'", setting="driver"
            ) from error
        _keep_quiet()
        inner = botocore.session.get_session(variables)
        parsers = inner.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=_moment)
        return boto3.session.Session(botocore_session=inner, profile_name=profile)


_SESSIONS = PerProcess(_Sessions)


def _keep_quiet() -> None:
    """Keep botocore from logging the headers of requests, session tokens and customers' keys among them.

    Whoever has set the level of its logger has decided otherwise.
    """
    logger = logging.getLogger("botocore")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


class Client:
    """Asks the server, and translates what goes wrong.

    Safe for threads; a forked child makes its own.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._cell = PerProcess(self._make)

    def ask(self, operation: str, what: str, **parameters: Any) -> Any:
        """Do one request; ``what`` is what an error speaks of."""
        with self.guard(what):
            return getattr(self._cell.get(), operation)(**parameters)

    @contextlib.contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Translate what botocore, urllib3 and the server's refusals raise."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            raise translated(error, what, self._settings.timeout) from error

    def prepare(self) -> None:
        """Make this process's client now, for which boto3 is loaded; Misconfigured if there can be none."""
        self._cell.get()

    def close(self) -> None:
        """Close the idle connections of this process."""
        client = self._cell.drop()
        if client is not None:
            client.close()

    def _make(self) -> Any:
        settings, server = self._settings, self._settings.server
        sessions = _SESSIONS.get()
        with sessions.lock, self.guard("setting up the client"):
            session = sessions.session(settings)
            config = _config(settings)
            region = server.region
            if region is None and settings.access_key is None:
                region = (
                    session.region_name
                )  # whoever leaves the keys to the environment means its region too
            client = session.client(
                "s3",
                region_name=region or "us-east-1",
                endpoint_url=server.url,
                use_ssl=server.tls,
                verify=(settings.ca_file or True) if settings.tls_verify else False,
                aws_access_key_id=settings.access_key,
                aws_secret_access_key=settings.secret_key and settings.secret_key.reveal(),
                aws_session_token=settings.session_token and settings.session_token.reveal(),
                config=config,
            )
        sign_known_parts(client)
        return client


def _config(settings: S3Settings) -> Any:
    from botocore.config import Config

    with_proxy = {}
    if settings.proxy is not None:
        proxy = settings.proxy.reveal()
        urls = {} if proxy == "none" else {"http": proxy, "https": proxy}
        with_proxy = {"proxies": urls}
    return Config(
        signature_version="s3v4",
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.timeout,
        # Those that an image takes at once are kept as well, or each of its parts would connect anew.
        max_pool_connections=max(settings.connections, settings.parallel, settings.parallel_reads),
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        ignore_configured_endpoint_urls=True,
        # botocore's own would be sent behind the body, which not every server takes.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_supported"
        if settings.verify_downloads
        else "when_required",
        s3={
            "addressing_style": settings.addressing,
            "payload_signing_enabled": settings.checksum == "sha256",
        },
        **with_proxy,
    )


def encryption(settings: S3Settings) -> dict[str, Any]:
    """Give what goes with every request for new objects."""
    found: dict[str, Any] = {"ContentType": "application/octet-stream"}
    if settings.encryption is not None:
        found["ServerSideEncryption"] = settings.encryption
    if settings.kms_key is not None:
        found["SSEKMSKeyId"] = settings.kms_key
    if settings.storage_class is not None:
        found["StorageClass"] = settings.storage_class
    if settings.acl is not None:
        found["ACL"] = settings.acl
    return found


def own_key(settings: S3Settings, *, source: bool = False) -> dict[str, Any]:
    """Give the customer's key as it goes with every request for bytes."""
    if settings.customer_key is None:
        return {}
    prefix = "CopySource" if source else ""
    return {
        f"{prefix}SSECustomerAlgorithm": "AES256",
        f"{prefix}SSECustomerKey": customer_key_bytes(settings),
    }
