"""The part of the stand-in for Swift that lets in: Swift's own login, and what is asked of Keystone."""

from __future__ import annotations

import json
import time
import uuid
from email.message import Message
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fakes.swift_server import SwiftState

__all__ = ["KEY", "USER", "Logins"]

USER, KEY = "test:tester", "s3cr3t-canary"


class Logins:
    """Tokens and trusts; to be mixed with what answers requests."""

    state: SwiftState
    command: str
    headers: Message

    def answer(self, status: int, body: bytes = b"", fields: dict[str, str] | None = None) -> None:
        raise NotImplementedError

    def new_token(self) -> str:
        self.state.logins += 1
        token = uuid.uuid4().hex
        self.state.tokens.add(token)
        return token

    def log_in(self) -> None:
        if (self.headers.get("X-Auth-User"), self.headers.get("X-Auth-Key")) != (USER, KEY):
            return self.answer(401)
        fields = {
            "X-Auth-Token": self.new_token(),
            "X-Storage-Url": f"{self.state.base}/v1/AUTH_test",
        }
        return self.answer(200, b"", fields | {"X-Auth-Token-Expires": str(self.state.life)})

    def log_in_v3(self, asked: Any) -> None:
        identity = asked["auth"]["identity"]
        self.state.asked.append(asked["auth"])
        password = identity.get("password", {}).get("user", {}).get("password")
        secret = identity.get("application_credential", {}).get("secret")
        if KEY not in (password, secret):
            return self.answer(401)
        trust = asked["auth"].get("scope", {}).get("OS-TRUST:trust")
        if trust is not None and trust["id"] not in self.state.trusts:
            return self.answer(403)
        now = time.time()

        def stamp(at: float) -> str:
            return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(at))

        endpoint = {"interface": self.state.interface, "region": "RegionOne", "region_id": "RegionOne", "id": "e",
                    "url": f"{self.state.base}/v1/AUTH_test"}  # fmt: skip
        token = {"methods": list(identity["methods"]), "expires_at": stamp(now + self.state.life), "issued_at": stamp(now),
                 "user": {"id": "u", "name": "tester", "domain": {"id": "default", "name": "Default"}},
                 "project": {"id": "p", "name": "test", "domain": {"id": "default", "name": "Default"}}, "roles": [],
                 "catalog": [{"type": "object-store", "name": "swift", "id": "s", "endpoints": [endpoint]}]}  # fmt: skip
        body = json.dumps({"token": token}).encode()
        fields = {"X-Subject-Token": self.new_token(), "Content-Type": "application/json"}
        return self.answer(201, body, fields)

    def tell_token(self) -> None:
        if self.headers.get("X-Subject-Token") not in self.state.tokens:
            return self.answer(401)
        roles = [{"id": "r1", "name": "Member"}, {"id": "r2", "name": "reader"}]
        told = {"user": {"id": "alice"}, "project": {"id": "theirs"}, "roles": roles}
        return self.answer(200, json.dumps({"token": told}).encode())

    def on_trust(self, number: str, body: bytes) -> None:
        if self.command == "POST":
            number = uuid.uuid4().hex
            self.state.trusts[number] = json.loads(body)["trust"]
            told = json.dumps({"trust": {"id": number}}).encode()
            return self.answer(201, told, {"Content-Type": "application/json"})
        return self.answer(204 if self.state.trusts.pop(number, None) else 404)
