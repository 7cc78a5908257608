"""Trusts: whoever has given a token lets the store's user act for them, until a transfer is through that the token may not outlive."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from multistore.drivers.swift.identity import Identity, Keystone
from multistore.drivers.swift.settings import Account, SwiftSettings
from multistore.errors import Misconfigured, NotFound, StoreError, Unauthenticated, Unavailable

__all__ = ["Trusted", "Trustee"]

LOG = logging.getLogger(__name__)

#: A trust that could not be deleted ends by itself.
_LIFE = timedelta(hours=24)
#: What follows a transfer, as setting rights does, has so many seconds where the caller's token is over.
_AFTER = 10.0


class Trustee:
    """The user of the settings, whom callers trust."""

    def __init__(self, account: Account, settings: SwiftSettings) -> None:
        self._account = account
        self._settings = settings
        self._keystone = Keystone(account, settings)
        self._lock = threading.Lock()
        #: Callers whose tokens are over and whose transfers have just ended, by token.
        self._kept: dict[str, tuple[Trusted, threading.Timer]] = {}
        #: Why there was no trust, so that each reason is told once.
        self._told: set[str] = set()

    def stand_behind(self, given: Identity) -> Identity:
        """Give the identity of a caller, who has given a token."""
        with self._lock:
            kept = self._kept.get(given.token())
        return kept[0] if kept else Trusted(given, self)

    def make(self, token: str) -> tuple[str, Keystone]:
        """Have the caller whose token this is trust the user: the trust's id, and the login with it."""
        try:
            number = self._make(token)
        except (KeyError, TypeError) as error:
            raise Unavailable("Keystone's answer makes no sense", why="answer") from error
        return number, Keystone(replace(self._account, trust_id=number), self._settings)

    def _make(self, token: str) -> str:
        """Make the trust, with the rights of the token and no others; it cannot be passed on."""
        # Names of roles that come with a request may be in lower case, as Glance's do: the token tells their ids.
        told = self._keystone.ask("GET", "/auth/tokens?nocatalog", token, subject=token)["token"]
        if "project" not in told:
            raise Misconfigured("the caller's token is of no project", setting="token")
        trust = {
            "trustor_user_id": told["user"]["id"],
            "trustee_user_id": self._keystone.user_id(),
            "project_id": told["project"]["id"],
            "roles": [{"id": role["id"]} for role in told["roles"]],
            "impersonation": True,
            "allow_redelegation": False,
            # Keystone has no second trust of the same people that ends at the same moment.
            "expires_at": (datetime.now(UTC) + _LIFE).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        found = self._keystone.ask("POST", "/OS-TRUST/trusts", token, body={"trust": trust})
        return str(found["trust"]["id"])

    def delete(self, number: str, token: str) -> None:
        """Delete a trust, with a token of who has given it."""
        self._keystone.ask("DELETE", f"/OS-TRUST/trusts/{number}", token)

    def tell(self, error: StoreError) -> None:
        """Warn, once for each reason, that a transfer goes without a trust."""
        reason = str(error)
        level = logging.DEBUG if reason in self._told else logging.WARNING
        self._told.add(reason)
        LOG.log(
            level,
            "no trust could be made, so an image must be through before its user's token ends: %s",
            reason,
        )

    def keep(self, caller: Trusted, token: str) -> bool:
        """Let a caller's trust last for what follows the transfer; False if another one of the same token does already."""
        with self._lock:
            if token not in self._kept:
                timer = threading.Timer(_AFTER, self._drop, (token,))
                timer.daemon = True
                self._kept[token] = caller, timer
                timer.start()
            return self._kept[token][0] is caller

    def _drop(self, token: str) -> None:
        with self._lock:
            caller, timer = self._kept.pop(token, (None, None))
        if caller is not None and timer is not None:
            timer.cancel()
            caller.end()

    def close(self) -> None:
        """Delete the trusts that are kept, and release connections."""
        for token in list(self._kept):
            self._drop(token)
        self._keystone.close()


class Trusted(Identity):
    """A caller, by the token that was given; while a transfer is under way a trust stands behind it."""

    def __init__(self, given: Identity, trustee: Trustee) -> None:
        self._given = given
        self._trustee = trustee
        self._lock = threading.Lock()
        self._transfers = 0
        self._trust: tuple[str, Keystone] | None = None
        #: Whether the given token was refused.
        self._over = False

    def endpoint(self) -> str:
        return self._given.endpoint()

    def token(self) -> str:
        trust = self._trust
        return trust[1].token() if self._over and trust else self._given.token()

    def renew(self, refused: str) -> bool:
        with self._lock:
            if self._trust is None:
                return False
            if refused == self._given.token():
                self._over = True
                return True
            return self._trust[1].renew(refused)

    def hold(self) -> None:
        """Make the trust at the beginning of the first of several transfers; without it the given token is all."""
        with self._lock:
            self._transfers += 1
            if self._transfers > 1 or self._trust is not None:
                return
            try:
                self._trust = self._trustee.make(self._given.token())
            except StoreError as error:
                self._trustee.tell(error)

    def release(self) -> None:
        """Delete the trust after the last transfer; a moment later if the token is over."""
        with self._lock:
            self._transfers = max(0, self._transfers - 1)
            if not self._transfers:
                self._settle()

    def close(self) -> None:
        with self._lock:
            self._transfers = 0
            self._settle()

    def end(self) -> None:
        """Delete the trust unless a transfer needs it."""
        with self._lock:
            if not self._transfers:
                self._end()

    def _settle(self) -> None:
        if self._trust is None:
            return
        if not (self._over and self._trustee.keep(self, self._given.token())):
            self._end()

    def _end(self) -> None:
        trust, self._trust = self._trust, None
        if trust is None:
            return
        number, keystone = trust
        try:
            self._delete(number, keystone)
        except NotFound:
            pass
        except StoreError as error:
            LOG.warning(
                "the trust %s could not be deleted, it ends by itself within a day: %s",
                number,
                error,
            )
        finally:
            keystone.close()

    def _delete(self, number: str, keystone: Keystone) -> None:
        """Delete it by the token that made it, or else with a token of its own."""
        if not self._over:
            try:
                return self._trustee.delete(number, self._given.token())
            except Unauthenticated:
                self._over = True
        self._trustee.delete(number, keystone.token())
        return None
