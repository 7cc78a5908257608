"""Images in buckets, on any server that speaks the S3 interface."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import multistore
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver, S3Ref, S3Settings
from multistore.drivers.s3.endpoint import region_of_host
from multistore.errors import Misconfigured, StoreError

from glance_store import exceptions, location
from glance_store._adapter import UNSEEN, CoreBacked, closing_when_unused, sweep_once
from glance_store._options.s3 import OPTIONS
from glance_store._streams import ImageStream, IndexableStream
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = ["Store", "StoreLocation", "get_s3_location"]

LOG = logging.getLogger(__name__)

_MIB = 1 << 20
_SMALLEST_PART, _LARGEST_PART = 5, 5120
_PIECE = 1 << 20
_MOST_THREADS = 64
#: The most asked of an image's data at once, in bytes.
_LARGEST_READ = 16 * _MIB
_RANGES = BitMasks.READ_RANDOM & ~BitMasks.READ_ACCESS
_SCHEMES = ("s3", "s3+http", "s3+https")
_REQUIRED = ("s3_store_host", "s3_store_access_key", "s3_store_secret_key", "s3_store_bucket")
#: The options by the settings of the core, for what the core says of these.
_OPTION_OF = {
    "endpoint": "s3_store_host",
    "region": "s3_store_region_name",
    "access_key": "s3_store_access_key",
    "secret_key": "s3_store_secret_key",
    "session_token": "s3_store_session_token",
    "bucket": "s3_store_bucket",
    "addressing": "s3_store_bucket_url_format",
    "encryption": "s3_store_encryption",
    "kms_key": "s3_store_kms_key",
    "storage_class": "s3_store_storage_class",
    "ca_file": "s3_store_cacert",
    "part_size": "s3_store_large_object_chunk_size",
    "conditional_writes": "s3_store_conditional_writes",
}


def get_s3_location(s3_host: str) -> str:
    """Give the region that one of Amazon's hosts names, or nothing."""
    host = s3_host.rpartition("://")[2].partition("/")[0].partition(":")[0]
    return region_of_host(host)


class StoreLocation(location.StoreLocation):
    """``s3[+http[s]]://HOST[:PORT][/PATH]/BUCKET/KEY``, nothing of it encoded.

    Credentials, which older locations begin with, are dropped when one is read; no location has any.
    """

    scheme: str = "s3"
    s3serviceurl: str = ""
    bucket: str = ""
    key: str = ""

    def process_specs(self) -> None:
        specs = self.specs or {}
        self.scheme = specs.get("scheme", "s3")
        host = str(specs.get("s3serviceurl") or "")
        if host.startswith("https://"):
            self.scheme = "s3+https"
        self.s3serviceurl = host.removeprefix("https://").removeprefix("http://").strip("/")
        self.bucket, self.key = specs.get("bucket", ""), specs.get("key", "")

    def get_uri(self) -> str:
        return f"{self.scheme}://{self.s3serviceurl}/{self.bucket}/{self.key}"

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri, without quoting it, if it does not name server, bucket and key."""
        self.validate_schemas(uri, tuple(f"{scheme}://" for scheme in _SCHEMES))
        try:
            found = S3Driver.parse(uri)
        except multistore.InvalidRef as error:
            text = _("the location is none of an S3 object: %s")
            raise exceptions.BadStoreUri(text % error.why) from error
        self.scheme, self.s3serviceurl = found.scheme, found.host
        self.bucket, self.key = found.bucket, found.key


class Store(CoreBacked):
    """Images as objects of a bucket, asked for at the configured server whatever server a location names."""

    KIND = "s3"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.WRITE_ACCESS | BitMasks.DRIVER_REUSABLE
    READ_CHUNKSIZE = _PIECE
    WRITE_CHUNKSIZE = 5 * _MIB

    #: In bytes, as others read them.
    s3_store_large_object_size = 100 * _MIB
    s3_store_large_object_chunk_size = 10 * _MIB
    s3_store_thread_pools = 10

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self._made: tuple[S3Settings, multistore.Store] | None = None
        self._warned: set[str] = set()

    def get_schemes(self) -> Sequence[str]:
        return _SCHEMES

    # -- what others read of a store ---------------------------------------------------------

    @property
    def s3_host(self) -> str:
        """The server, as it is configured."""
        return str(self._view.s3_store_host or "")

    @property
    def bucket(self) -> str:
        """The bucket of new images."""
        return str(self._view.s3_store_bucket or "")

    @property
    def access_key(self) -> str:
        """The access key."""
        return str(self._view.s3_store_access_key or "")

    @property
    def secret_key(self) -> str:
        """The secret key."""
        return str(self._view.s3_store_secret_key or "")

    # -- configuration -----------------------------------------------------------------------

    def configure_add(self) -> None:
        """Take the options over and load boto3; no server is asked."""
        conf = self._view
        if not conf.ranged_reads:
            self.unset_capabilities(_RANGES)
        self.s3_store_large_object_size = conf.s3_store_large_object_size * _MIB
        self.s3_store_large_object_chunk_size = conf.s3_store_large_object_chunk_size * _MIB
        self.s3_store_thread_pools = conf.s3_store_thread_pools
        self._made = None
        self._url_prefix = None
        self._insist()
        if self.s3_store_thread_pools > _MOST_THREADS:
            LOG.warning(
                "s3_store_thread_pools is %d: %d are used",
                self.s3_store_thread_pools,
                _MOST_THREADS,
            )
        self._made = self._open(self._settings())
        if self.backend_group:
            self._url_prefix = self._place() + "/"

    def _insist(self) -> None:
        """Refuse what upstream refuses, and what could only fail at the first image."""
        conf = self._view
        if importlib.util.find_spec("boto3") is None:
            raise _bad(_("boto3 is not installed: pip install 'glance_store[s3]'"))
        for name in _REQUIRED:
            if not getattr(conf, name):
                raise _bad(_("%s is not set") % name)
        if not _SMALLEST_PART <= conf.s3_store_large_object_chunk_size <= _LARGEST_PART:
            raise _bad(_("s3_store_large_object_chunk_size must be at least 5, and at most 5120"))
        if conf.s3_store_thread_pools < 1:
            raise _bad(_("s3_store_thread_pools must be at least 1"))
        if conf.s3_store_cacert and not os.access(conf.s3_store_cacert, os.R_OK):
            raise _bad(_("the file of s3_store_cacert cannot be read"))

    def _settings(self) -> S3Settings:
        conf = self._view
        part = conf.s3_store_large_object_chunk_size * _MIB
        return _checked(
            conf,
            part_size=part,
            largest_part=max(64 * _MIB, part),
            multipart_from=conf.s3_store_large_object_size * _MIB,
            parallel=min(conf.s3_store_thread_pools, _MOST_THREADS),
            create_bucket=conf.s3_store_create_bucket_on_put,
            conditional_writes=conf.s3_store_conditional_writes,
            encryption=conf.s3_store_encryption or None,
            kms_key=conf.s3_store_kms_key or None,
            storage_class=conf.s3_store_storage_class or None,
        )

    def _open(self, settings: S3Settings) -> tuple[S3Settings, multistore.Store]:
        name = self.backend_group or "s3"
        driver = S3Driver(settings)
        try:
            driver.prepare()  # at the service's start, not at its first image
        except StoreError as error:
            raise _bad(error.message) from error
        return settings, closing_when_unused(multistore.Store(driver, name=name))

    def _place(self) -> str:
        """Give what new locations begin with: the server as it is configured, without a slash at its end."""
        host = self.s3_host.rstrip("/")
        scheme = "s3+https" if host.lower().startswith("https://") else "s3"
        return f"{scheme}://{host.rpartition('://')[2].rstrip('/')}/{self.bucket}"

    def core_driver(self) -> S3Driver:
        self._insist()
        return S3Driver(self._settings())

    # -- the hooks of the adapter ------------------------------------------------------------

    def owns(self, uri: str) -> bool:
        """Say whether a location leads to this store's server and bucket."""
        try:
            found = S3Driver.parse(uri)
        except multistore.InvalidRef:
            return False
        own = self._place().partition("://")[2]
        return f"{found.host}/{found.bucket}".lower() == own.lower()

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        made = self._made
        if made is None:
            made = self._made = self._readable()
        settings, core = made
        if ref is None:
            return core, None
        found = S3Driver.parse(ref)
        if found.bucket != self.bucket:
            self._warn_of_bucket(verb, found.bucket)
        server = settings.server
        return core, str(S3Ref(server.scheme, server.place, found.bucket, found.key))

    def _readable(self) -> tuple[S3Settings, multistore.Store]:
        """Make a core store to read from, however wrong the options for new images are."""
        for name in _REQUIRED:
            if not getattr(self._view, name):
                raise _bad(_("%s is not set") % name)
        return self._open(_checked(self._view))

    def _warn_of_bucket(self, verb: str, bucket: str) -> None:
        if bucket not in self._warned:
            self._warned.add(bucket)
            LOG.warning(
                "%s of an image in the bucket %s, which is not the store's own", verb, bucket
            )

    def _before_add(self, core: multistore.Store, image_id: str) -> None:
        sweep_once(core, core.driver.prefixes(), grace=UNSEEN)

    def _most_read(self) -> int:
        """Ask for a whole part at once: one that came in pieces is copied together, which costs a tenth of all."""
        part = self.s3_store_large_object_chunk_size
        return part if part <= _LARGEST_READ else super()._most_read()

    def _uri_of(self, receipt: multistore.Receipt) -> str:
        """Write the location with the server as it is configured, like all before it."""
        return f"{self._place()}/{S3Driver.parse(receipt.ref).key}"

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> IndexableStream:
        limit = self.READ_CHUNKSIZE if self.READ_CHUNKSIZE < _PIECE else None
        return IndexableStream(ImageStream(pieces, limit=limit, **held), size)


def _checked(conf: Any, **more: Any) -> S3Settings:
    """Make the core's settings of what concerns the server, and more; BadStoreConfiguration names the option."""
    protected = conf.s3_store_enable_data_integrity_protection
    sums = protected and conf.s3_store_request_checksum_calculation == "when_supported"
    verified = protected and conf.s3_store_response_checksum_validation == "when_supported"
    if conf.s3_store_bucket_url_format not in ("auto", "virtual", "path"):
        raise _bad(_("s3_store_bucket_url_format must be auto, virtual or path"))
    token = conf.s3_store_session_token
    try:
        return S3Settings(
            endpoint=conf.s3_store_host,
            region=conf.s3_store_region_name or None,
            access_key=conf.s3_store_access_key,
            secret_key=Secret(conf.s3_store_secret_key),
            session_token=Secret(token) if token else None,
            bucket=conf.s3_store_bucket,
            buckets=tuple(conf.s3_store_allowed_buckets or ()),
            addressing=conf.s3_store_bucket_url_format,
            ca_file=conf.s3_store_cacert or None,
            parallel_reads=conf.s3_store_read_threads,
            checksum="crc32" if sums else "sha256",
            verify_downloads=verified,
            delete_versions=conf.s3_store_delete_versions,
            connect_timeout=conf.s3_store_connect_timeout,
            timeout=conf.s3_store_read_timeout,
            **more,
        )
    except Misconfigured as error:
        option = _OPTION_OF.get(error.setting, error.setting)
        raise _bad(f"{option}: {error.message}") from error


def _bad(reason: str) -> Exception:
    return exceptions.BadStoreConfiguration(store_name="s3", reason=reason)
