"""The settings of an HTTP store."""

from __future__ import annotations

from dataclasses import dataclass

from multistore.config import Secret, option
from multistore.errors import Misconfigured

__all__ = ["HttpSettings"]


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """The settings of an HTTP store; credentials are sent only to references below ``base``."""

    base: str | None = option(
        None,
        help="the URL that all references start with; without it any public server may be read, without credentials",
    )
    username: str | None = option(None, help="the user name for basic authentication")
    password: Secret | None = option(None, help="the password for basic authentication")
    token: Secret | None = option(None, help="a bearer token")
    headers: Secret | None = option(None, help="further request headers, 'Name: value', one a line")
    ca_file: str | None = option(
        None, help="the certificates (PEM) that servers are verified with; default: the system's"
    )
    verify: bool = option(True, help="verify the certificates of servers")
    client_cert: str | None = option(None, help="a client certificate (PEM)")
    client_key: str | None = option(
        None, help="the key of the client certificate, if it is in a file of its own"
    )
    connect_timeout: float = option(
        10.0, help="how long connecting may take, TLS included", unit="seconds", minimum=0.01
    )
    read_timeout: float = option(
        30.0, help="how long a server may be silent", unit="seconds", minimum=0.01
    )
    header_timeout: float = option(
        60.0,
        help="how long the head of an answer may take in all",
        unit="seconds",
        minimum=0.01,
    )
    max_redirects: int = option(5, help="how many redirects are followed", minimum=0, maximum=50)
    allow: tuple[str, ...] = option(
        (),
        help="hosts (mirror.lan, *.lan) and networks (10.0.0.0/8) that may be reached although they are not public",
    )
    deny: tuple[str, ...] = option(
        (), help="hosts and networks that are never reached; stronger than 'allow' and 'base'"
    )
    proxy: Secret | None = option(
        None, help="the proxy, http://[USER:PASSWORD@]HOST:PORT; it connects instead of us"
    )
    http_proxy: Secret | None = option(None, help="the proxy for http references, if not 'proxy'")
    https_proxy: Secret | None = option(None, help="the proxy for https references, if not 'proxy'")
    trust_env: bool = option(
        False,
        help="take what is unset from the environment: proxies, REQUESTS_CA_BUNDLE, SSL_CERT_FILE, and .netrc for 'base'",
    )

    def __post_init__(self) -> None:
        for name in ("username", "password"):
            value = getattr(self, name)
            try:
                (value.reveal() if isinstance(value, Secret) else value or "").encode()
            except UnicodeEncodeError:
                raise Misconfigured(
                    f"setting {name!r} holds characters that cannot be sent: half of a surrogate pair",
                    setting=name,
                ) from None
