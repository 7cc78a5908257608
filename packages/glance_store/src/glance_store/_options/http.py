"""The options of the http driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from glance_store._options.reading import RANGED_READS

__all__ = ["OPTIONS"]

OPTIONS: list[Any] = [
    cfg.StrOpt(
        "https_ca_certificates_file",
        help="""
File with the certificates (PEM) that servers are verified with.

If it is set, ``https_insecure`` has no effect.
""",
    ),
    cfg.BoolOpt(
        "https_insecure",
        default=True,
        help="""
Do not verify the certificates of servers: whoever is on the way can then hand out another image.

If this is off, they are verified with the certificates of the system.
Ignored when ``https_ca_certificates_file`` is set.
""",
    ),
    cfg.DictOpt(
        "http_proxy_information",
        default={},
        help="""
Proxies, as ``SCHEME:PROXY`` pairs with commas between them, such as ``http:10.0.0.1:3128, https:10.0.0.1:1080``.

The scheme is that of the location.
A scheme without a proxy here takes the one of the environment, if there is one.
""",
    ),
    cfg.FloatOpt(
        "http_store_connect_timeout",
        default=10.0,
        min=0.01,
        help="""
Seconds that connecting to a server may take, TLS included.
""",
    ),
    cfg.FloatOpt(
        "http_store_read_timeout",
        default=30.0,
        min=0.01,
        help="""
Seconds that a server may be silent.

The whole head of an answer may take twice that long.
""",
    ),
    cfg.ListOpt(
        "http_store_allowed_hosts",
        default=["0.0.0.0/0", "::/0"],
        help="""
Hosts (``mirror.example.org``, ``*.example.org``) and networks (``10.0.0.0/8``) that images may be read from, beside public
addresses; redirects are held to it as well.

Empty: public addresses only.
Everything is allowed by default, as locations may lead to servers of the same cloud.
""",
    ),
    cfg.ListOpt(
        "http_store_denied_hosts",
        default=["169.254.0.0/16", "fe80::/10"],
        help="""
Hosts and networks that are never asked, whatever is allowed, so that a location, or a redirect, cannot make the service talk
to them.

By default the link-local addresses, where clouds have their metadata service.
""",
    ),
    RANGED_READS,
]
