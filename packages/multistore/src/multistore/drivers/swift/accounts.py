"""Which account a reference is in, and who we are there: nobody's credentials go anywhere but to the login they are for."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from multistore.config import shown
from multistore.driver import PerProcess
from multistore.drivers.swift.identity import Given, Identity, identity_of, keystone_url
from multistore.drivers.swift.references import read_accounts
from multistore.drivers.swift.refs import CONFIG, SwiftRef
from multistore.drivers.swift.settings import Account, SwiftSettings, account_of
from multistore.drivers.swift.wire import Server, Swift
from multistore.errors import InvalidRef, Misconfigured
from multistore.model import Caller

__all__ = ["Accounts", "Servers", "caller_identity", "same_server", "same_url"]

#: Accounts that old references name beside our own: so many are kept logged in.
_KEPT = 64
_PORTS = {"http": 80, "https": 443}


def same_url(one: str, other: str) -> bool:
    """Say whether two URLs lead to the same place."""
    return _normal(one) == _normal(other)


def same_server(one: str, other: str) -> bool:
    """Say whether two URLs are of accounts of the same Swift."""
    return same_url(one, other) or same_url(_parent(one), _parent(other))


def _normal(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port, parts.path.rstrip("/")


class Servers:
    """The servers of callers, whose accounts come and go."""

    def __init__(self, settings: SwiftSettings) -> None:
        self._settings = settings
        self._known: dict[str, Server] = {}

    def of(self, identity: Identity) -> Server:
        """Give the server of a caller's account."""
        key = urlsplit(identity.endpoint()).netloc.lower()
        return self._known.setdefault(key, Server(self._settings))

    def close(self) -> None:
        """Close all connections."""
        for server in list(self._known.values()):
            server.close()


class Accounts:
    """The accounts of one store."""

    def __init__(
        self,
        settings: SwiftSettings,
        identity: Identity | None = None,
        servers: Servers | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._servers = servers
        self._named: PerProcess[Mapping[str, Account]] = PerProcess(self._read)
        self._lock = threading.Lock()
        self._opened: dict[object, Swift] = {}

    def _read(self) -> Mapping[str, Account]:
        path = self._settings.config_file
        return {} if path is None else read_accounts(path)

    def close(self) -> None:
        """Close all connections; the file with accounts is read again at the next use."""
        with self._lock:
            opened = list(self._opened.values())
            self._opened.clear()
        for swift in opened:
            swift.close()
        if self._identity is not None:
            self._identity.close()
        self._named.drop()

    # -- the own account ---------------------------------------------------------------------

    def main(self) -> Swift:
        """Give the account of new images."""
        if self._identity is not None:
            return self._open("caller", self._identity)
        return self._log_in(self.account())

    def account(self) -> Account:
        """Give who we are; Misconfigured if nobody says."""
        name = self._settings.reference
        if name is not None and self._settings.config_file is not None:
            found = self._named.get().get(name)
            if found is None:
                raise Misconfigured(
                    f"the file with accounts has no section '{shown(name)}' with all that a login needs",
                    setting="reference",
                )
            return found
        found = account_of(self._settings)
        if found is None:
            raise Misconfigured("nothing says where to log in", setting="auth_url")
        return found

    def known_endpoint(self) -> str | None:
        """Give the URL of the account of new images, if that is known without asking anybody."""
        return self._identity.endpoint() if self._identity else self._settings.storage_url

    def is_own_login(self, ref: SwiftRef) -> bool:
        """Say whether a reference names the login of this store, by its place, and by its user if it has one."""
        try:
            account = self.account()
        except Misconfigured:
            return False
        user = account.user if account.version == "1" else f"{account.project}:{account.user}"
        return _logs_in(account, ref.url) and ref.user in (None, user)

    def _log_in(self, account: Account) -> Swift:
        found = self._opened.get(account)
        return found or self._open(account, identity_of(account, self._settings))

    def _open(self, key: object, identity: Identity) -> Swift:
        with self._lock:
            found = self._opened.get(key)
            if found is None:
                while len(self._opened) >= _KEPT:
                    self._opened.pop(next(iter(self._opened)))
                shared = self._servers.of(identity) if self._servers else None
                found = self._opened[key] = Swift(identity, self._settings, shared)
            return found

    # -- others ------------------------------------------------------------------------------

    def of(self, ref: SwiftRef) -> Swift:
        """Give the account that a reference is in; InvalidRef if this store has nothing to do with it."""
        if ref.scheme == CONFIG:
            return self._log_in(self._section(ref))
        if self._identity is not None:
            return self._beside(ref, self._identity)
        account = self._by_login(ref)
        if account is not None:
            return self._log_in(account)
        main = self.main()
        if same_url(ref.url, main.identity.endpoint()):
            return main
        raise _foreign("it leads neither to this store's login nor to its storage")

    def _section(self, ref: SwiftRef) -> Account:
        if ref.place == self._settings.reference and self._settings.config_file is None:
            return self.account()
        found = self._named.get().get(ref.place)
        if found is None:
            raise _foreign(
                "it names a section that the file with accounts does not have, or not whole"
            )
        return found

    def _by_login(self, ref: SwiftRef) -> Account | None:
        """Find whose login a reference names; its own credentials go there too, and nowhere else."""
        own = [account_of(self._settings)] if self._settings.auth_url else []
        if self._settings.reference is not None:
            own.insert(0, self._named.get().get(self._settings.reference))
        for account in (*own, *self._named.get().values()):
            if account is not None and _logs_in(account, ref.url):
                return account if ref.user is None else _as_in(ref, account)
        return None

    def _beside(self, ref: SwiftRef, identity: Identity) -> Swift:
        """Give an account of the same Swift, as the caller: an image that is shared is in its owner's."""
        endpoint = identity.endpoint()
        if same_url(ref.url, endpoint):
            return self.main()
        if ref.user is None and same_server(ref.url, endpoint):
            return self._open(ref.place, _At(identity, ref.url))
        raise _foreign("it leads to another server than the caller's Swift, where no token is sent")


class _At(Identity):
    """Somebody, at another account of the same server."""

    def __init__(self, identity: Identity, url: str) -> None:
        self._identity = identity
        self._url = url

    def endpoint(self) -> str:
        return self._url

    def token(self) -> str:
        return self._identity.token()

    def renew(self, refused: str) -> bool:
        return self._identity.renew(refused)

    def hold(self) -> None:
        self._identity.hold()

    def release(self) -> None:
        self._identity.release()


def _parent(url: str) -> str:
    return url.rstrip("/").rpartition("/")[0]


def _logs_in(account: Account, url: str) -> bool:
    if account.version == "1":
        return same_url(account.auth_url, url)
    return same_url(keystone_url(account.auth_url), keystone_url(url))


def _as_in(ref: SwiftRef, account: Account) -> Account:
    """Give the account with the credentials of a reference; the domains are those of who else logs in there."""
    user = ref.user or ""
    if account.version == "1":
        return replace(account, user=user, password=ref.key)
    project, colon, name = user.partition(":")
    if not colon or ":" in name:
        raise _foreign("its user is not PROJECT:USER")
    return replace(
        account,
        user=name,
        project=project,
        project_id=None,
        password=ref.key,
        application_credential_id=None,
        application_credential_secret=None,
        trust_id=None,
    )


def _foreign(why: str) -> InvalidRef:
    return InvalidRef(f"this reference is none of this store's: {why}", why=why)


def caller_identity(caller: Caller, settings: SwiftSettings) -> Identity:
    """Act with a caller's own token, at the Swift that the settings or the caller's catalog name.

    ``extra`` may have ``service_catalog``, a list of services as Keystone's second version wrote it.
    """
    if not caller.token:
        raise Misconfigured("the caller has no token", setting="token")
    url = settings.storage_url
    if url is None:
        url = _endpoint(caller.extra.get("service_catalog"), settings)
    return Given(caller.token, url)


def _endpoint(catalog: object, settings: SwiftSettings) -> str:
    for service in catalog if isinstance(catalog, list | tuple) else ():
        if not isinstance(service, Mapping) or service.get("type") != settings.service_type:
            continue
        for endpoint in service.get("endpoints") or ():
            region = endpoint.get("region") or endpoint.get("region_id")
            url = endpoint.get(f"{settings.interface}URL")
            if url and settings.region in (None, region):
                return str(url)
    raise Misconfigured(
        "the caller's catalog has no such Swift: look at 'region', 'interface' and 'service_type', or set 'storage_url'",
        setting="region",
    )
