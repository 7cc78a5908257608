"""Logging in: a token, and the URL of the account's storage; renewed before it expires, and once it was refused."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

from multistore.config import Secret
from multistore.driver import PerProcess
from multistore.drivers.swift.errors import asking_refused, guarded, guarding_login, refusal
from multistore.drivers.swift.sdk import load, trust
from multistore.drivers.swift.settings import Account, SwiftSettings
from multistore.errors import Misconfigured, NotFound, Unauthenticated, Unavailable

__all__ = [
    "Given",
    "Identity",
    "Keystone",
    "V1",
    "end_wire",
    "identity_of",
    "keystone_url",
    "new_session",
]

_REFUSED = 401


class Identity(ABC):
    """Who we are to Swift."""

    @abstractmethod
    def endpoint(self) -> str:
        """Give the URL of the account, without a slash at its end."""

    @abstractmethod
    def token(self) -> str:
        """Give a token that will live for a while."""

    def renew(self, refused: str) -> bool:
        """Forget a token that was refused; False if there can be no other."""
        return False

    def hold(self) -> None:
        """Hear that a transfer begins which may outlive a token; never raises."""

    def release(self) -> None:
        """Hear that such a transfer is over; never raises."""

    def close(self) -> None:
        """Release connections."""


def identity_of(account: Account, settings: SwiftSettings) -> Identity:
    """Make the way in for an account; Misconfigured if it has nothing to log in with."""
    if not account.complete:
        raise Misconfigured(
            "there is no user with a password, and no application credential", setting="user"
        )
    return V1(account, settings) if account.version == "1" else Keystone(account, settings)


def keystone_url(url: str) -> str:
    """Give the URL of the third version of Keystone's interface."""
    url = url.rstrip("/")
    return url if urlsplit(url).path.endswith("/v3") else f"{url}/v3"


def new_session(settings: SwiftSettings) -> Any:
    """Make a session that follows no redirect, and takes nothing from the environment."""
    requests = load().requests.Session()
    requests.trust_env = False
    session = load().session.Session(session=requests, verify=trust(settings), redirect=False)
    session.timeout = (settings.connect_timeout, settings.timeout)  # its constructor takes only one
    return session


class Keystone(Identity):
    """A user's password, an application credential or a trust, at Keystone."""

    def __init__(self, account: Account, settings: SwiftSettings) -> None:
        self._account = account
        self._settings = settings
        self._where = "Keystone"
        self._made: PerProcess[tuple[Any, Any]] = PerProcess(self._make)
        #: What a catalog was read for, and the URL in it: keystoneauth1 copies the whole of it each time.
        self._found: tuple[Any, str] | None = None

    def _make(self) -> tuple[Any, Any]:
        plugin = self._plugin(self._account)
        plugin.MIN_TOKEN_LIFE_SECONDS = self._settings.token_margin
        return new_session(self._settings), plugin

    def _plugin(self, account: Account) -> Any:
        v3, url = load().v3, keystone_url(account.auth_url)
        if account.application_credential_id and account.application_credential_secret:
            return v3.ApplicationCredential(
                url,
                application_credential_id=account.application_credential_id.reveal(),
                application_credential_secret=account.application_credential_secret.reveal(),
            )
        project: dict[str, Any] = {"trust_id": account.trust_id}
        if account.trust_id is None:
            if not (account.project or account.project_id):
                raise Misconfigured("the user's project is missing", setting="project")
            project = {"project_id": account.project_id}
            if account.project_id is None:
                project = {
                    "project_name": account.project,
                    **_domain(
                        "project_domain", account.project_domain_id, account.project_domain_name
                    ),
                }
        password = account.password.reveal() if account.password else None
        user = _domain("user_domain", account.user_domain_id, account.user_domain_name)
        return v3.Password(url, username=account.user, password=password, **user, **project)

    def _guard(self) -> AbstractContextManager[None]:
        application = self._account.application_credential_id is not None
        return guarding_login(self._where, self._settings.timeout, application=application)

    def _access(self) -> Any:
        session, plugin = self._made.get()
        with self._guard():
            return plugin.get_access(session)

    def user_id(self) -> str:
        """Give the id of who logs in."""
        return str(self._access().user_id)

    def ask(
        self,
        method: str,
        path: str,
        token: str,
        *,
        body: Mapping[str, object] | None = None,
        subject: str | None = None,
    ) -> Any:
        """Ask Keystone for something in the name of whose token this is; ``subject`` is the token asked about."""
        session, _plugin = self._made.get()
        fields = {"X-Auth-Token": token, "Accept": "application/json"}
        if subject is not None:
            fields["X-Subject-Token"] = subject
        with guarding_login(self._where, self._settings.timeout, application=False):
            answer = session.request(
                keystone_url(self._account.auth_url) + path,
                method,
                json=body,
                headers=fields,
                authenticated=False,
                raise_exc=False,
                log=False,
            )
        if not 200 <= answer.status_code < 300:  # noqa: PLR2004 - of HTTP
            raise asking_refused(self._where, answer.status_code)
        try:
            return answer.json() if answer.content else None
        except ValueError:
            raise Unavailable(f"{self._where} sent no JSON", why="answer") from None

    def endpoint(self) -> str:
        if self._settings.storage_url is not None:
            return self._settings.storage_url.rstrip("/")
        access, found = self._access(), self._found
        if found is None or found[0] is not access:
            with self._guard():
                url = access.service_catalog.url_for(
                    service_type=self._settings.service_type,
                    interface=self._settings.interface,
                    region_name=self._settings.region,
                )
            found = self._found = (access, _checked_endpoint(str(url)))
        return found[1]

    def token(self) -> str:
        return str(self._access().auth_token)

    def renew(self, refused: str) -> bool:
        _session, plugin = self._made.get()
        if plugin.auth_ref is not None and plugin.auth_ref.auth_token == refused:
            plugin.invalidate()
        return True

    def close(self) -> None:
        made = self._made.drop()
        if made is not None:
            made[0].session.close()


def _domain(prefix: str, number: str | None, name: str | None) -> dict[str, str]:
    if number:
        return {f"{prefix}_id": number}
    return {f"{prefix}_name": name} if name else {f"{prefix}_id": "default"}


def _checked_endpoint(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(
            "the catalog's URL of Swift is none of http or https", setting="interface"
        )
    return url.rstrip("/")


class V1(Identity):
    """Swift's own users, and those of Ceph's gateway: user and key in a header, the token in another."""

    def __init__(self, account: Account, settings: SwiftSettings) -> None:
        self._account = account
        self._settings = settings
        self._cell: PerProcess[_Cell] = PerProcess(_Cell)

    def _login(self) -> _Cell:
        cell = self._cell.get()
        with cell.lock:
            if cell.token is None or time.monotonic() > cell.until:
                self._ask(cell)
        return cell

    def _ask(self, cell: _Cell) -> None:
        parts = urlsplit(self._account.auth_url)
        user, password = self._account.user or "", self._account.password or Secret("")
        with guarded("logging in", self._settings.timeout):
            wire = new_wire(f"{parts.scheme}://{parts.netloc}", self._settings)
            try:
                fields = {"X-Auth-User": user, "X-Auth-Key": password.reveal()}
                wire.request("GET", parts.path or "/", b"", fields)
                status, headers = int(wire.resp.status_code), dict(wire.resp.headers)
                wire.resp.raw.read(4096)
            finally:
                end_wire(wire)
        fields = {name.lower(): value for name, value in headers.items()}
        if status in (_REFUSED, 403):
            raise Unauthenticated("Swift's login refuses the user, or the password")
        if not 200 <= status < 300:  # noqa: PLR2004 - of HTTP
            error = refusal(status, "logging in", fields.get("retry-after"))
            if isinstance(error, NotFound):
                raise Misconfigured(
                    "there is no login of Swift's own at this URL", setting="auth_url"
                )
            raise error
        token = fields.get("x-storage-token") or fields.get("x-auth-token")
        url = fields.get("x-storage-url")
        if not token or not url:
            raise Unavailable("what answered the login is no Swift: see 'auth_url'", why="answer")
        life = fields.get("x-auth-token-expires", "")
        left = float(life) if life.isdigit() else 3600.0
        cell.until = time.monotonic() + max(left - self._settings.token_margin, left / 2)
        cell.url, cell.token = _checked_endpoint(url), token

    def endpoint(self) -> str:
        if self._settings.storage_url is not None:
            return self._settings.storage_url.rstrip("/")
        return self._login().url

    def token(self) -> str:
        return self._login().token or ""

    def renew(self, refused: str) -> bool:
        cell = self._cell.get()
        with cell.lock:
            if cell.token == refused:
                cell.token = None
        return True


class _Cell:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: str | None = None
        self.url = ""
        self.until = 0.0


class Given(Identity):
    """A token that somebody else got, a user's say, and the URL of their account."""

    def __init__(self, token: str, url: str) -> None:
        self._token = token
        self._url = _checked_endpoint(url)

    def endpoint(self) -> str:
        return self._url

    def token(self) -> str:
        return self._token


def new_wire(base: str, settings: SwiftSettings) -> Any:
    """Make a connection of swiftclient to a server: no redirects, which would take the token along, no environment."""
    wire = load().client.HTTPConnection(
        base,
        timeout=(settings.connect_timeout, settings.timeout),
        default_user_agent="multistore",
    )
    wire.request_session.trust_env = False
    # Whom a connection serves next is another: nothing of a request stays but the connection.
    wire.request_session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    wire.requests_args["verify"] = trust(settings)
    wire.requests_args["allow_redirects"] = False
    return wire


def end_wire(wire: Any) -> None:
    """Close a connection of swiftclient now: what an answer holds on to would else be open until it is collected."""
    wire.close()
    wire.resp = None
