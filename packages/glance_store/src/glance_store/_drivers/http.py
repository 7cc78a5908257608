"""Images on web servers, read only."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

import multistore
from multistore.config import Secret
from multistore.drivers.http import HttpDriver, HttpSettings

from glance_store import exceptions, location
from glance_store._adapter import CoreBacked, closing_when_unused
from glance_store._options.http import OPTIONS
from glance_store._streams import ImageStream, IndexableStream
from glance_store.capabilities import BitMasks
from glance_store.i18n import _

__all__ = ["MAX_REDIRECTS", "Store", "StoreLocation", "http_response_iterator"]

LOG = logging.getLogger(__name__)

#: How many answers may be asked for: the last one must not be a redirect.
MAX_REDIRECTS = 5

_RANGES = BitMasks.READ_RANDOM & ~BitMasks.READ_ACCESS
_URI = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_USER = re.compile(r"(?P<user>[^:@]*):(?P<password>[^:@]*)")


def http_response_iterator(conn: Any, response: Any, size: int) -> Iterator[Any]:
    """Yield the body of a response in pieces of ``size`` bytes, and close the connection at the end."""
    try:
        while chunk := response.read(size):
            yield chunk
    finally:
        close = getattr(conn, "close", None)
        if close is not None:
            close()


class StoreLocation(location.StoreLocation):
    """``http[s]://[USER:PASSWORD@]HOST[:PORT][/PATH][?QUERY]``, its parts as they are written; a fragment is dropped."""

    scheme: str = ""
    user: str | None = None
    password: str | None = None
    netloc: str = ""
    path: str = ""
    query: str = ""

    def process_specs(self) -> None:
        specs = self.specs or {}
        self.scheme = specs.get("scheme", "http")
        self.netloc = specs["netloc"]
        self.user, self.password = specs.get("user"), specs.get("password")
        self.path, self.query = specs.get("path", ""), specs.get("query", "")

    def get_uri(self) -> str:
        user = "" if self.user is None else f"{self.user}:{self.password or ''}@"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{user}{self.netloc}{self.path}{query}"

    def parse_uri(self, uri: str) -> None:
        """Take a location apart; BadStoreUri, without quoting it, if user, host or port cannot be what they should be."""
        self.validate_schemas(uri, ("http://", "https://"))
        found = _URI.fullmatch(uri)
        if found is None:
            raise exceptions.BadStoreUri(_("the location cannot be taken apart"))
        user, at, netloc = found["authority"].rpartition("@")
        known = _USER.fullmatch(user) if at else None
        if at and known is None:
            raise exceptions.BadStoreUri(_("the credentials in the location must be USER:PASSWORD"))
        try:
            HttpDriver.parse(f"{found['scheme']}://{netloc}/")
        except multistore.InvalidRef as error:
            raise exceptions.BadStoreUri(_("the location's host or port is wrong")) from error
        self.scheme, self.netloc = found["scheme"], netloc
        self.user, self.password = known.groups() if known else (None, None)
        self.path, self.query = found["path"], found["query"] or ""


class Store(CoreBacked):
    """Images on web servers; the options may change between two requests."""

    KIND = "http"
    OPTIONS = OPTIONS
    _CAPABILITIES = BitMasks.READ_RANDOM | BitMasks.DRIVER_REUSABLE

    def __init__(self, conf: Any, backend: str | None = None) -> None:
        super().__init__(conf, backend)
        self._made: tuple[HttpSettings, multistore.Store] | None = None
        self._warned = False
        if backend:
            self._url_prefix = "http"

    def get_schemes(self) -> Sequence[str]:
        return ("http", "https")

    def configure_add(self) -> None:
        if not self._view.ranged_reads:
            self.unset_capabilities(_RANGES)

    def owns(self, uri: str) -> bool:
        """Say whether a location is one of a web server: several http stores cannot be told apart."""
        return uri.startswith(("http://", "https://"))

    def _settings(self) -> HttpSettings:
        conf = self._view
        proxies = {
            key.strip().lower(): value.strip()
            for key, value in (conf.http_proxy_information or {}).items()
        }
        return HttpSettings(
            ca_file=conf.https_ca_certificates_file or None,
            verify=bool(conf.https_ca_certificates_file) or not conf.https_insecure,
            connect_timeout=conf.http_store_connect_timeout,
            read_timeout=conf.http_store_read_timeout,
            header_timeout=2 * conf.http_store_read_timeout,
            max_redirects=MAX_REDIRECTS - 1,
            allow=tuple(conf.http_store_allowed_hosts or ()),
            deny=tuple(conf.http_store_denied_hosts or ()),
            http_proxy=_proxy(proxies.get("http") or proxies.get("all")),
            https_proxy=_proxy(proxies.get("https") or proxies.get("all")),
            trust_env=True,  # for what is not set here, and never for credentials: there is no 'base'
        )

    def core_driver(self) -> HttpDriver:
        return HttpDriver(self._settings())

    # -- the hooks of the adapter ------------------------------------------------------------

    def _core_for(
        self, verb: str, ref: str | None, context: Any
    ) -> tuple[multistore.Store, str | None]:
        settings = self._settings()
        self._warn_of_trust(ref or "", settings)
        made = self._made
        if made is None or made[0] != settings:
            core = multistore.Store(
                HttpDriver(settings),
                name=self.backend_group or "http",
                options=multistore.StoreOptions(attempts=3, backoff=0.25),
            )
            made = self._made = (settings, closing_when_unused(core))
        return made[1], ref

    def _warn_of_trust(self, ref: str, settings: HttpSettings) -> None:
        if ref.startswith("https:") and not settings.verify and not self._warned:
            self._warned = True
            LOG.warning(
                "the http store%s does not verify the certificates of https servers: set https_insecure to false, or"
                " https_ca_certificates_file",
                f" {self.backend_group}" if self.backend_group else "",
            )

    def _limit_of(self, verb: str) -> float:
        return MAX_REDIRECTS

    def _shown(self, ref: str) -> str:
        return ref.partition("://")[2].partition("?")[0].partition("/")[2] or "/"

    def _stream_of(
        self, ref: str, pieces: Iterator[bytes], size: int, asked: int | None, **held: Any
    ) -> IndexableStream:
        return IndexableStream(ImageStream(pieces, limit=self.READ_CHUNKSIZE, **held), size)


def _proxy(text: str | None) -> Secret | None:
    """Give a proxy as the core wants it; a plain HOST:PORT is one of http."""
    if not text:
        return None
    return Secret(text if "://" in text else f"http://{text}")
