"""What is checked around ``add``: the hash algorithm before any byte, the location's metadata after the last one."""

# ruff: noqa: PLR0917  # the interface takes its arguments by position
from __future__ import annotations

import functools
import hashlib
import logging
from typing import Any

from glance_store import exceptions, location
from glance_store._redact import redact, redact_text
from glance_store.common.utils import get_hasher
from glance_store.i18n import _

__all__ = [
    "check_location_metadata",
    "check_metadata",
    "store_add_to_backend",
    "store_add_to_backend_with_multihash",
]

LOG = logging.getLogger(__name__)

#: Deeper metadata than this is refused: it would not be stored either.
_DEPTH = 64


def check_location_metadata(val: Any, key: str = "") -> None:
    """Return if ``val`` is made of dictionaries, lists and texts only; BackendException names the place where it is not."""
    _check(val, key, _DEPTH)


def _check(value: Any, path: str, depth: int) -> None:
    if isinstance(value, str):
        return
    if depth == 0:
        raise exceptions.BackendException(
            _("The location metadata is nested too deeply, below the key %s") % path
        )
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise exceptions.BackendException(
                    _("The location metadata has a key that is no text, %(key)r below %(path)s")
                    % {"key": key, "path": path or _("its top")}
                )
            _check(inner, f"{path}.{key}" if path else key, depth - 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check(inner, f"{path}[{index}]", depth - 1)
    else:
        raise exceptions.BackendException(
            _(
                "The location metadata key %(path)s has a value of the type %(type)s; "
                "texts, lists and dictionaries are allowed"
            )
            % {"path": path, "type": type(value).__name__}
        )


def check_metadata(store: Any, metadata: Any) -> None:
    """Return if a store's metadata is a dictionary of the right shape; BackendException names store and metadata."""
    try:
        if not isinstance(metadata, dict):
            raise exceptions.BackendException(
                _("The location metadata is a %s, not a dictionary") % type(metadata).__name__
            )
        check_location_metadata(metadata)
    except exceptions.BackendException as error:
        text = _("The store %(store)s returned bad location metadata %(metadata)s: %(reason)s") % {
            "store": getattr(store, "backend_group", None) or store,
            "metadata": redact_text(repr(metadata)),
            "reason": error,
        }
        LOG.error(text)  # noqa: TRY400  # the trace says nothing that the text does not
        raise exceptions.BackendException(text) from error


def check_algorithm(name: Any) -> None:
    """Return if digests of a fixed length can be computed with that algorithm; UnknownHashingAlgo otherwise."""
    try:
        usable = _is_usable(name)
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise exceptions.UnknownHashingAlgo(algo=name)


@functools.lru_cache(maxsize=32)  # whoever names algorithms may be a stranger
def _is_usable(name: Any) -> bool:
    size: int = get_hasher(name, usedforsecurity=False).digest_size
    return name in hashlib.algorithms_available and size > 0  # SHAKE has none


def store_add_to_backend(
    image_id: str, data: Any, size: int, store: Any, context: Any = None, verifier: Any = None
) -> tuple[str, int, str, Any]:
    """Store an image the old way: its location, size, md5 and metadata, whose shape is checked."""
    result = store.add(image_id, data, size, context=context, verifier=verifier)
    url, stored, checksum, metadata = result
    _accept(store, url, metadata, context)
    return url, stored, checksum, metadata


def store_add_to_backend_with_multihash(
    image_id: str,
    data: Any,
    size: int,
    hashing_algo: str,
    store: Any,
    context: Any = None,
    verifier: Any = None,
) -> tuple[str, int, str, str, Any]:
    """Store an image: its location, size, md5, multihash and metadata, whose shape is checked.

    UnknownHashingAlgo, before a byte is read, for an algorithm without digests of fixed length.
    """
    check_algorithm(hashing_algo)
    result = store.add(image_id, data, size, hashing_algo, context=context, verifier=verifier)
    url, stored, checksum, multihash, metadata = result
    _accept(store, url, metadata, context)
    return url, stored, checksum, multihash, metadata


def _accept(store: Any, url: str, metadata: Any, context: Any) -> None:
    """Check the metadata; an image whose metadata is refused does not stay behind."""
    if metadata is None:
        return
    try:
        check_metadata(store, metadata)
    except exceptions.BackendException:
        _undo(store, url, context)
        raise


def _undo(store: Any, url: str, context: Any) -> None:
    try:
        place = location.Location(
            location.scheme_of(url),
            store.get_store_location_class(),
            store.conf,
            uri=url,
            backend=store.backend_group,
        )
        store.delete(place, context=context)
    except Exception as error:
        LOG.warning(
            "the image at %s could not be removed again and stays behind: %s: %s",
            redact(url),
            type(error).__name__,
            redact_text(error),
        )
