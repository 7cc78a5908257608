"""Connecting: addresses by the policy, TLS and proxies by urllib3."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from multistore.config import shown
from multistore.driver import PerProcess
from multistore.drivers.http.policy import Policy
from multistore.drivers.http.refs import HttpRef, parse
from multistore.drivers.http.settings import HttpSettings
from multistore.drivers.http.wire import Wire
from multistore.errors import AccessDenied, InvalidRef, Misconfigured, Unavailable

if TYPE_CHECKING:
    from types import ModuleType

    from urllib3.connection import HTTPConnection

__all__ = ["Dialler", "basic", "check_engine"]


class Dialler:
    """Makes connections to the server of a URL, or to the proxy in front of it."""

    def __init__(self, settings: HttpSettings, policy: Policy) -> None:
        self.settings = settings
        self.policy = policy
        self._known = PerProcess(lambda: self.make_context(known=True))
        self._any = PerProcess(lambda: self.make_context(known=False))
        self._fixed = {
            scheme: _proxy(named.reveal(), setting)
            for scheme in ("http", "https")
            for setting in ("proxy", f"{scheme}_proxy")
            if (named := getattr(settings, setting)) is not None
        }

    def proxy_for(self, url: HttpRef) -> HttpRef | None:
        """Give the proxy for a URL: the one set, or the environment's if that is trusted."""
        fixed = self._fixed.get(url.scheme)
        if fixed is not None or not self.settings.trust_env:
            return fixed
        from urllib.request import getproxies_environment, proxy_bypass

        found = getproxies_environment()
        if proxy_bypass(url.host):
            return None
        named = found.get(url.scheme) or found.get("all")
        return _proxy(named, "trust_env") if named else None

    def proxy_headers(self, proxy: HttpRef) -> dict[str, str]:
        """Give what the proxy wants to know."""
        known = proxy.credentials()
        return {} if known is None else {"Proxy-Authorization": basic(*known)}

    def connect(self, url: HttpRef, *, trusted: bool) -> Wire:
        """Connect to the server of ``url``, TLS included; ``trusted`` ones may have a private address."""
        proxy = self.proxy_for(url)
        if proxy is not None and not trusted:
            self.policy.check_name(url.host)
        connection = self._connection(url, proxy, trusted=trusted)
        try:
            connection.connect()
            sock = connection.sock
            wire = Wire(sock, self.settings.read_timeout)
        except BaseException:
            connection.close()
            raise
        return wire

    def _connection(self, url: HttpRef, proxy: HttpRef | None, *, trusted: bool) -> HTTPConnection:
        engine = check_engine()
        peer = proxy or url
        until = time.monotonic() + self.settings.connect_timeout

        def dial(host: str, port: int) -> socket.socket:
            return self.dial(host, port, until, trusted=trusted, checked=proxy is None)

        options: dict[str, Any] = {"timeout": self.settings.connect_timeout, "dial": dial}
        if url.scheme == "http":
            plain: HTTPConnection = engine.Plain(peer.host, peer.port, **options)
            return plain
        # A client certificate is a credential: it is shown to the server of ``base`` alone.
        options["ssl_context"] = (self._known if trusted else self._any).get()
        connection: HTTPConnection = engine.Secure(peer.host, peer.port, **options)
        if proxy is not None:
            connection.set_tunnel(url.host, url.port, self.proxy_headers(proxy))
        return connection

    def dial(
        self, host: str, port: int, until: float, *, trusted: bool, checked: bool
    ) -> socket.socket:
        """Connect to the first address of a host that may be reached and answers."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        problem: Exception | None = None
        for family, kind, protocol, _, place in found:
            try:
                if checked:
                    address = ipaddress.ip_address(str(place[0]).partition("%")[0])
                    self.policy.check(host, address, trusted=trusted)
                return _connected(family, kind, protocol, place, until)
            except (OSError, AccessDenied) as error:
                # Of several reasons, that of an address that was tried says more.
                if problem is None or isinstance(problem, AccessDenied):
                    problem = error
        try:
            raise problem or Unavailable(f"the host {host} has no address")
        finally:
            problem = None  # no cycle of error and frame

    def make_context(self, *, known: bool) -> ssl.SSLContext:
        """Make the TLS settings, for ``known`` with the client certificate; Misconfigured names the bad file."""
        settings = self.settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Some Pythons, 3.11.2 among them, set this: any end would then be an orderly one.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        context.set_alpn_protocols(["http/1.1"])
        if not settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif settings.ca_file is not None:
            _load("ca_file", settings.ca_file, context.load_verify_locations)
        else:
            self._system_authorities(context)
        if known and settings.client_cert is not None:
            _load(
                "client_cert",
                settings.client_cert,
                # an encrypted key must not make OpenSSL ask at the terminal
                lambda path: context.load_cert_chain(path, settings.client_key, password=b""),
            )
        return context

    def _system_authorities(self, context: ssl.SSLContext) -> None:
        if self.settings.trust_env:
            named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            if named:
                _load("trust_env", named, context.load_verify_locations)
            else:
                context.load_default_certs()
            return
        # load_default_certs would let SSL_CERT_FILE decide; these are the places OpenSSL was built with.
        paths = ssl.get_default_verify_paths()
        if os.path.isfile(paths.openssl_cafile):
            context.load_verify_locations(cafile=paths.openssl_cafile)
        if os.path.isdir(paths.openssl_capath):
            context.load_verify_locations(capath=paths.openssl_capath)


def basic(user: str, password: str) -> str:
    """Give the field value of basic authentication (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")


def _proxy(text: str, setting: str) -> HttpRef:
    try:
        found = parse(text)
    except InvalidRef as error:
        why = error.why
    else:
        if found.scheme == "http" and found.target == "/":
            return found
        why = "not of the form http://[USER:PASSWORD@]HOST:PORT"
    raise Misconfigured(f"setting {setting!r}: {why}", setting=setting)


def _connected(family: int, kind: int, protocol: int, place: Any, until: float) -> socket.socket:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no connection in time")
    sock = socket.socket(family, kind, protocol)
    try:
        sock.settimeout(left)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(place)
        sock.settimeout(max(until - time.monotonic(), 0.001))
    except BaseException:
        sock.close()
        raise
    return sock


def _load(setting: str, path: str, load: Any) -> None:
    try:
        load(path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None)
        raise Misconfigured(
            f"setting {setting!r}: {shown(path)} cannot be used ({why or type(error).__name__})",
            setting=setting,
        ) from None


def check_engine() -> ModuleType:
    """Import what connects; Misconfigured says what to install."""
    try:
        from multistore.drivers.http import engine
    except ImportError:
        raise Misconfigured(
            "the http store needs urllib3: pip install 'multistore[http]'", setting="driver"
        ) from None
    return engine
