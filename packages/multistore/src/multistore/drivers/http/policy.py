"""Which servers may be reached: one policy for the first request and for every redirect.

The address that is connected to decides, not the name, so a name that resolves to something else the second time
gains nothing.
Special addresses after RFC 6890 and the IANA registries, as ``ipaddress`` knows them.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from multistore.errors import AccessDenied, Misconfigured

__all__ = ["Policy", "is_public"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Policy:
    """Says whether an address may be reached under a name.

    Public addresses may, unless they are in ``deny``; others only if ``allow`` lists them or the name.
    """

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        self.allow = _Rules(allow, "allow")
        self.deny = _Rules(deny, "deny")

    def check_name(self, host: str) -> None:
        """AccessDenied if the name, or the address that it is, may not be reached; no I/O.

        All that can be said where a proxy connects.
        """
        if self.deny.match_name(host):
            raise AccessDenied(f"the host {host} may not be reached: the setting 'deny' lists it")
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost"):
                self.check(host, ipaddress.IPv4Address("127.0.0.1"))
            return
        self.check(host, address)

    def check(self, host: str, address: Address, *, trusted: bool = False) -> None:
        """AccessDenied if ``address``, found for ``host``, may not be reached.

        ``trusted`` hosts, the one of ``base``, may have any address that ``deny`` does not list.
        """
        forms = (address, *_inner(address))
        if self.deny.match_name(host) or any(self.deny.match(form) for form in forms):
            raise AccessDenied(
                f"the host {host} ({address}) may not be reached: the setting 'deny' lists it"
            )
        if trusted or self.allow.match_name(host):
            return
        if not all(is_public(form) or self.allow.match(form) for form in forms):
            raise AccessDenied(
                f"the host {host} has the address {address}, which is not public: "
                "list the host or its network in the setting 'allow' if it may be reached"
            )


def is_public(address: Address) -> bool:
    """Say whether an address is a host's on the public Internet."""
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or address.is_private
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )
    wrapped = _inner(address)
    if wrapped:
        return all(is_public(form) for form in wrapped)
    return address.is_global and not special


def _inner(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Give the IPv4 addresses inside an IPv6 address: whoever routes it may unwrap it."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(form for form in found if form is not None)


class _Rules:
    """A list of host names, ``*.`` patterns, addresses and networks."""

    def __init__(self, items: Iterable[str], setting: str) -> None:
        self.networks: list[Network] = []
        self.names: list[str] = []
        for number, item in enumerate(items, 1):
            text = item.strip().lower().rstrip(".")
            try:
                self.networks.append(ipaddress.ip_network(text.strip("[]"), strict=False))
            except ValueError:
                if not text or set(text) & set("/:[]@ ") or "*" in text.removeprefix("*."):
                    raise Misconfigured(
                        f"setting {setting!r}: entry {number} is neither a host, nor *.DOMAIN, nor a network",
                        setting=setting,
                    ) from None
                self.names.append(text)

    def match(self, address: Address) -> bool:
        return any(address in network for network in self.networks)

    def match_name(self, host: str) -> bool:
        host = host.lower().rstrip(".")
        return any(
            host == name or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self.names
        )
