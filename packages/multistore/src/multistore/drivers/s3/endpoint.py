"""Where the server is: from a host or a URL, and the region that an Amazon host names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from multistore.errors import Misconfigured

__all__ = ["AMAZON", "Endpoint", "region_of_host", "resolve"]

#: The host that references of a store at Amazon name, whatever its region.
AMAZON = "s3.amazonaws.com"

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PLACE = re.compile(
    rf"(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?(?P<path>(?:/[A-Za-z0-9._~-]+)*)"
)
#: Amazon's own servers, in any of the forms that they have had.
_OF_AMAZON = re.compile(
    r"s3(?P<kind>-fips)?(?P<stack>[.-]dualstack)?(?:[.-](?P<region>[a-z]{2,3}(?:-[a-z]+)+-[0-9]+))?\.amazonaws\.com(?:\.cn)?"
)
_PORTS = {"http": 80, "https": 443}
_LARGEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server: ``url`` is None where Amazon's own is meant, ``place`` is how references name it."""

    url: str | None
    region: str | None
    place: str
    tls: bool

    @property
    def scheme(self) -> str:
        """The scheme of references."""
        return "s3+https" if self.tls else "s3"


def resolve(text: str | None, region: str | None, *, tls: bool = True) -> Endpoint:
    """Read the settings ``endpoint`` and ``region``; Misconfigured if they are none."""
    if region is not None and re.fullmatch(r"[A-Za-z0-9-]+", region) is None:
        raise Misconfigured("setting 'region' is no name of a region", setting="region")
    if text is None:
        return Endpoint(None, region, AMAZON, True)
    scheme, sign, rest = text.rpartition("://")
    scheme = scheme.lower() if sign else ("https" if tls else "http")
    found = _PLACE.fullmatch(rest.rstrip("/"))
    if (
        found is None
        or scheme not in _PORTS
        or int(found["port"] or 1) not in range(1, _LARGEST_PORT + 1)
    ):
        raise Misconfigured(
            "setting 'endpoint' must be HOST[:PORT] or http[s]://HOST[:PORT], without user, query or fragment",
            setting="endpoint",
        )
    host = found["host"].lower()
    port = f":{found['port']}" if found["port"] and int(found["port"]) != _PORTS[scheme] else ""
    place = host + port + found["path"]
    amazon = _OF_AMAZON.fullmatch(host)
    plain = amazon is not None and not (amazon["kind"] or amazon["stack"] or found["path"] or port)
    if amazon is not None and plain and scheme == "https":
        # Left to botocore, which knows the buckets' own hosts there.
        return Endpoint(None, region or amazon["region"], place, True)
    known = amazon["region"] if amazon is not None else None
    return Endpoint(f"{scheme}://{place}", region or known, place, scheme == "https")


def region_of_host(host: str) -> str:
    """Give the region that one of Amazon's hosts names, or nothing."""
    found = _OF_AMAZON.fullmatch(host.lower())
    return (found["region"] or "") if found is not None else ""
