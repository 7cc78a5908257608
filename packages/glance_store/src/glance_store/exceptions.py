"""The exceptions of the interface: names, bases and fields are fixed, for Glance maps them to HTTP statuses.

``GlanceStoreException`` is the base of almost all; ``BackendException``, ``UnsupportedBackend`` and ``RedirectException`` stand beside it,
as they always did.
``TimeoutError`` is the interface's own, not the builtin: write ``exceptions.TimeoutError``.
"""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import ParseResult, urlparse

from glance_store.i18n import _

__all__ = [
    "AuthBadRequest",
    "AuthUrlNotFound",
    "AuthorizationFailure",
    "AuthorizationRedirect",
    "BackendException",
    "BadAuthStrategy",
    "BadStoreConfiguration",
    "BadStoreUri",
    "DriverLoadFailure",
    "Duplicate",
    "Forbidden",
    "GlanceStoreException",
    "HasSnapshot",
    "HostNotInitialized",
    "InUseByStore",
    "Invalid",
    "MaxRedirectsExceeded",
    "MissingCredentialError",
    "NoServiceEndpoint",
    "NotAuthenticated",
    "NotFound",
    "RedirectException",
    "RegionAmbiguity",
    "RemoteServiceUnavailable",
    "StorageFull",
    "StorageWriteDenied",
    "StoreAddDisabled",
    "StoreDeleteNotSupported",
    "StoreGetNotSupported",
    "StoreRandomGetNotSupported",
    "UnknownHashingAlgo",
    "UnknownScheme",
    "UnsupportedBackend",
]

LOG = logging.getLogger(__name__)


class BackendException(Exception):
    """A store breaks the rules of the interface: it has no schemes, or its location metadata has a wrong shape."""


class UnsupportedBackend(BackendException):
    """A store cannot do what was asked of it; Glance catches it, nothing here raises it."""


class RedirectException(Exception):
    """The object is somewhere else: ``url`` holds the parsed address."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url: ParseResult = urlparse(url)


class GlanceStoreException(Exception):
    """The base: ``message`` is the class's template, ``msg`` and ``str()`` the text made of it.

    A ``message`` given by the caller replaces the template; keyword arguments are filled into either.
    A text that cannot be filled in is kept as it is.
    """

    message = _("The store failed in an unforeseen way")

    def __init__(self, message: Any = None, **kwargs: Any) -> None:
        text = message or self.message
        if not isinstance(text, str):
            text = str(text)
        if kwargs:
            try:
                text = text % kwargs
            except Exception as error:
                LOG.debug(
                    "the text of %s does not go with its arguments %s: %s",
                    type(self).__name__,
                    sorted(kwargs),
                    type(error).__name__,
                )
        self.msg = text
        super().__init__(text)


class MissingCredentialError(GlanceStoreException):
    """A credential is not configured."""

    message = _("The credential %(required)s is needed and not configured")


class BadAuthStrategy(GlanceStoreException):
    """The authentication strategy is another one than expected."""

    message = _('The auth strategy is "%(received)s" where "%(expected)s" is needed')


class NotFound(GlanceStoreException):
    """The object is not there."""

    message = _("Image %(image)s not found")  # Glance's tests look for these words


class UnknownHashingAlgo(GlanceStoreException):
    """No digest can be computed with that algorithm."""

    message = _("No digest of fixed length can be computed with %(algo)s")


class UnknownScheme(GlanceStoreException):
    """No store serves that scheme, or none has that identifier."""

    message = _("No store is known for the scheme '%(scheme)s'")


class BadStoreUri(GlanceStoreException):
    """The location is none of this store's."""

    message = _("This is not a location that the store understands: %(uri)s")


class Duplicate(GlanceStoreException):
    """An object of that name is there already."""

    message = _("Image %(image)s is stored already")


class StorageFull(GlanceStoreException):
    """The backend has no room for the object."""

    message = _("The storage has no room for this image")


class StorageWriteDenied(GlanceStoreException):
    """The backend does not let this service write."""

    message = _("The service has no permission to write to the storage")


class AuthBadRequest(GlanceStoreException):
    """The authentication service refused the request or cannot be reached."""

    message = _("The auth service at %(url)s refused the request or cannot be reached")


class AuthUrlNotFound(GlanceStoreException):
    """There is no authentication service at that address."""

    message = _("There is no auth service at %(url)s")


class AuthorizationFailure(GlanceStoreException):
    """The credentials were not accepted."""

    message = _("The credentials were not accepted")


class AuthorizationRedirect(GlanceStoreException):
    """Authentication goes on elsewhere."""

    message = _("Authorization goes on at %(uri)s")


class NotAuthenticated(GlanceStoreException):
    """The caller did not say who it is."""

    message = _("The request carries no valid authentication")


class Forbidden(GlanceStoreException):
    """The caller may not do this."""

    message = _("The store does not permit this")


class Invalid(GlanceStoreException):
    """The data is not what was announced: a size that differs, say."""

    message = _("The data is not valid")


class BadStoreConfiguration(GlanceStoreException):
    """An option of the store has to be corrected by the operator."""

    message = _("The store %(store_name)s is not configured correctly: %(reason)s")


class DriverLoadFailure(GlanceStoreException):
    """A driver cannot be loaded."""

    message = _("The driver %(driver_name)s cannot be loaded")


class StoreDeleteNotSupported(GlanceStoreException):
    """This store deletes nothing."""

    message = _("This store does not delete images")


class StoreGetNotSupported(GlanceStoreException):
    """This store gives nothing out."""

    message = _("This store does not give images out")


class StoreRandomGetNotSupported(StoreGetNotSupported):
    """This store gives out whole objects only."""

    message = _(
        "This store gives out whole images only, not from offset %(offset)s with length %(chunk_size)s"
    )


class StoreAddDisabled(GlanceStoreException):
    """This store takes nothing in: it cannot, or its configuration failed."""

    message = _(
        "This store takes no images: it is read-only, or its configuration failed (see the log)"
    )


class MaxRedirectsExceeded(GlanceStoreException):
    """The server sends from one address to the next."""

    message = _("Gave up after %(redirects)s redirects")


class NoServiceEndpoint(GlanceStoreException):
    """The service catalog has no address for the service."""

    message = _("The service catalog has no endpoint for this service")


class RegionAmbiguity(GlanceStoreException):
    """The service catalog has several addresses for the service."""

    message = _(
        "The service catalog has several endpoints for the region %(region)s: name one region"
    )


class RemoteServiceUnavailable(GlanceStoreException):
    """The server that has the object does not answer as it should."""

    message = _("The server that has the image does not answer")


class HasSnapshot(GlanceStoreException):
    """The object cannot go while it has snapshots."""

    message = _("The image has snapshots and cannot be deleted")


class InUseByStore(GlanceStoreException):
    """The object cannot go while somebody else uses it."""

    message = _("The image is used in the backend by others and cannot be deleted")


class HostNotInitialized(GlanceStoreException):
    """The state of the mounts on that host is not known yet."""

    message = _("The mounts of the host %(host)s are not set up yet")


class TimeoutError(GlanceStoreException):
    """An operation of the storage took too long; ``timeout`` is in seconds."""

    message = _("The storage did not answer within %(timeout)d seconds")
