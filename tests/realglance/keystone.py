"""People of the lab's Keystone: their tokens, their accounts in Swift, whom they trust."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import requests
from conformance.swift_rig import lab
from keystoneauth1 import session
from keystoneauth1.identity import v3
from realglance.server import until

__all__ = ["Person", "trusts"]


class Person:
    """A user with a project of the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = lab("MULTISTORE_LAB_KEYSTONE")
        plain = requests.Session()
        plain.trust_env = False
        login = v3.Password(
            self.url,
            username=name,
            password=f"{name}pass",
            project_name=name,
            user_domain_id="default",
            project_domain_id="default",
        )
        self.session = session.Session(auth=login, session=plain)

    @property
    def token(self) -> str:
        return str(self.session.get_token())

    @property
    def project(self) -> str:
        return str(self.session.get_project_id())

    @property
    def account(self) -> str:
        return f"{lab('MULTISTORE_LAB_KEYSTONE_SWIFT')}/v1/AUTH_{self.project}"

    def new_token(self) -> str:
        """Log in once more: a token that can be revoked without harm to the other."""
        return Person(self.name).token

    def end(self, token: str) -> None:
        """End a token of this person's before its time, for Keystone and for Swift."""
        fields = {"X-Subject-Token": token}
        self.session.delete(f"{self.url}/auth/tokens", headers=fields)
        until("Swift to refuse the token", lambda: self._refused(token))

    def _refused(self, token: str) -> bool:
        """Have Swift forget which tokens it has seen, as it would take a revoked one for good for minutes."""
        conf = Path(lab("MULTISTORE_LAB_SWIFT_ETC"), "proxy-keystone.conf").read_text()
        port = int(conf.partition("memcache_servers = 127.0.0.1:")[2].split()[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as memcached:
            memcached.sendall(b"flush_all\r\n")
            assert memcached.recv(100).startswith(b"OK")
        fields = {"X-Auth-Token": token}
        answer = self.session.head(
            self.account, authenticated=False, headers=fields, raise_exc=False
        )
        return bool(answer.status_code == 401)

    def swift(self, method: str, path: str = "") -> Any:
        """Ask Swift for something in this person's account; whatever it answers."""
        return self.session.request(f"{self.account}{path}", method, raise_exc=False)

    def names(self, container: str = "") -> list[str]:
        """List the account, or a container; nothing if it is not there."""
        answer = self.swift("GET", f"/{container}?format=json" if container else "?format=json")
        return [each["name"] for each in answer.json()] if answer.status_code == 200 else []

    def empty(self, prefix: str) -> None:
        """Remove the containers of these names, and what is in them."""
        for container in self.names():
            if container.startswith(prefix):
                for name in self.names(container):
                    self.swift("DELETE", f"/{container}/{name}")
                self.swift("DELETE", f"/{container}")


def trusts(trustee: str) -> list[dict[str, Any]]:
    """List the trusts in a user, as an administrator."""
    admin = Person("admin")
    (user,) = admin.session.get(f"{admin.url}/users?name={trustee}").json()["users"]
    place = f"{admin.url}/OS-TRUST/trusts?trustee_user_id={user['id']}"
    found: list[dict[str, Any]] = admin.session.get(place).json()["trusts"]
    return found
