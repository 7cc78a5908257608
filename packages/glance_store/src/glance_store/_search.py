"""Finding the store of a location when the caller names none.

A delete goes to a store that owns the location, or to nobody; a read may fall back on the others of the scheme.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from glance_store import exceptions, location
from glance_store._maps import prefix_of
from glance_store._redact import redact
from glance_store.i18n import _

__all__ = ["owns", "search"]

LOG = logging.getLogger(__name__)

T = TypeVar("T")

Call = Callable[[Any, location.Location], T]


def owns(store: Any, uri: str) -> bool | None:
    """Say whether a location points into that store; None if it cannot be told."""
    answer = None
    ask = getattr(store, "owns", None)
    if callable(ask):
        try:
            answer = ask(uri)
        except Exception as error:
            LOG.debug("a store does not know its own locations: %s", type(error).__name__)
    if isinstance(answer, bool):
        return answer
    prefix = prefix_of(store)
    return None if prefix is None else _below(uri, prefix)


def _below(uri: str, prefix: str) -> bool:
    """Say whether ``uri`` begins with ``prefix`` at the boundary of a path segment, and stays below it."""
    if not uri.startswith(prefix):
        return False
    rest = uri[len(prefix) :]
    if rest and not prefix.endswith("/") and not rest.startswith("/"):
        return False
    return ".." not in rest.split("/")


def search(uri: str, call: Call[T], order: Mapping[str, str], conf: Any, *, reading: bool) -> T:
    """Give what ``call`` gives for the first store that does not raise.

    Owners come first, the more specific one before the other, then, for reads, the rest in the order of ``order``.
    The first error other than NotFound and UnknownScheme is raised if no store succeeds, otherwise NotFound.
    """
    LOG.warning(
        "no store was named for %s: all stores of its scheme are searched; name the store to save the search",
        redact(uri),
    )
    first: Exception | None = None
    for identifier, store in _candidates(uri, order, reading=reading):
        try:
            place = location.get_location_from_uri_and_backend(uri, identifier, conf=conf)
            return call(store, place)
        except (exceptions.NotFound, exceptions.UnknownScheme):
            continue
        except Exception as error:
            LOG.debug("the store %s refused: %s", identifier, type(error).__name__)
            first = first or error
    if first is not None:
        raise first
    # users read the text, and the server's paths are none of their business
    shown = redact(uri).partition("?")[0].rstrip("/").rpartition("/")[2]
    raise exceptions.NotFound(
        _("Image %(image)s not found: no configured store has it"), image=shown
    )


def _candidates(uri: str, order: Mapping[str, str], *, reading: bool) -> list[tuple[str, Any]]:
    """Give the stores to ask, the likeliest first."""
    entries = location.SCHEME_TO_CLS_BACKEND_MAP.get(location.scheme_of(uri), {})
    stores = {name: info["store"] for name, info in entries.items() if info.get("store")}
    claims = {name: owns(store, uri) for name, store in stores.items()}
    places = {name: place for place, name in enumerate(order)}

    def rank(name: str) -> tuple[int, int, int]:
        specific = len(prefix_of(stores[name]) or "") if claims[name] else 0
        return (
            {True: 0, None: 1, False: 2}[claims[name]],
            -specific,
            places.get(name, len(places)),
        )

    asked = [name for name in stores if reading or _may_delete(claims, name)]
    return [(name, stores[name]) for name in sorted(asked, key=rank)]


def _may_delete(claims: Mapping[str, bool | None], name: str) -> bool:
    """Say whether a delete may go to that store: it owns the location, or it alone could."""
    return claims[name] is True or (claims[name] is None and len(claims) == 1)
