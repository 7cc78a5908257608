"""Which references are a store's, and what its new ones look like."""

from __future__ import annotations

from urllib.parse import urlsplit

from multistore.drivers.swift.accounts import Accounts, same_server, same_url
from multistore.drivers.swift.identity import keystone_url
from multistore.drivers.swift.naming import Naming
from multistore.drivers.swift.refs import CONFIG, SwiftRef, parse_ref
from multistore.drivers.swift.settings import SwiftSettings, account_of
from multistore.errors import InvalidRef

__all__ = ["Places"]


class Places:
    """The places of one store, each a scheme and what follows it up to the container: a section, a login, or a storage."""

    def __init__(
        self, settings: SwiftSettings, naming: Naming, accounts: Accounts, *, as_caller: bool
    ) -> None:
        self._settings = settings
        self._naming = naming
        self._accounts = accounts
        self._as_caller = as_caller

    def prefixes(self) -> tuple[str, ...]:
        """Give what new references begin with, unless that depends on a caller or on the catalog."""
        place = self._place()
        if place is None or self._naming.several:
            return ()
        names = (self._settings.container, *self._settings.containers)
        return tuple(f"{place[0]}://{place[1]}/{name}/" for name in names if name != "*")

    def own(self, ref: str) -> bool:
        """Say whether a reference is in this store."""
        try:
            parsed = parse_ref(ref)
        except InvalidRef:
            return False
        if not self._naming.takes(parsed.container):
            return False
        settings, place = self._settings, self._place()
        if parsed.scheme == CONFIG:
            return place == (parsed.scheme, parsed.place)
        if place is not None and place[0] == CONFIG:
            return self._accounts.is_own_login(parsed)
        if settings.container_per_image:
            return self._own_image(parsed)
        account = account_of(settings)
        if account is not None and account.version == "3":
            return same_url(keystone_url(account.auth_url), keystone_url(parsed.url))
        urls = (settings.auth_url, settings.storage_url)
        return any(url is not None and same_url(url, parsed.url) for url in urls)

    def _own_image(self, parsed: SwiftRef) -> bool:
        """Tell by the container that is an image's own: whose account that is in, only a login or a caller says.

        Until then any server might be meant; it is compared with theirs before anything is sent there.
        """
        login = not (self._as_caller or self._settings.trusts)
        if login and self._accounts.is_own_login(parsed):
            return True
        if parsed.user is not None or self._naming.container(parsed.object) != parsed.container:
            return False
        known = self._accounts.known_endpoint()
        return known is None or same_server(known, parsed.url)

    def taken(self, ref: str) -> SwiftRef:
        """Take a reference apart; InvalidRef if its container is none of this store's."""
        parsed = parse_ref(ref)
        if not self._naming.takes(parsed.container):
            why = "its container is none of this store's; the setting 'containers' allows others"
            raise InvalidRef(f"{parsed.redacted} is none of this store's: {why}", why=why)
        return parsed

    def ref(self, container: str, name: str) -> str:
        """Make a new reference."""
        place = self._place() or _as_place(self._accounts.main().identity.endpoint())
        return str(SwiftRef(*place, container, name))

    def _place(self) -> tuple[str, str] | None:
        """Give the scheme and the place of new references; None if only a login can tell."""
        settings = self._settings
        if settings.reference is not None:
            return CONFIG, settings.reference
        url = settings.storage_url if self._as_caller else settings.auth_url
        if url is None or settings.container_per_image:
            return None
        return _as_place(url)


def _as_place(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    scheme = "swift+https" if parts.scheme == "https" else "swift+http"
    return scheme, f"{parts.netloc}{parts.path.rstrip('/')}"
