"""A small client of Glance's API: one connection a request, so that nothing of one request is left to the next."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Client", "Refused"]


class Refused(AssertionError):
    """Glance answered with another status than the one that was asked for."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Speaks to one server as an administrator, with the headers that keystonemiddleware would have set."""

    def __init__(self, port: int, log: Callable[[], str]) -> None:
        self.port = port
        self.log = log
        self.who = {
            "X-Identity-Status": "Confirmed",
            "X-User-Id": "tester",
            "X-Project-Id": "tests",
            "X-Roles": "admin,member,service",
        }

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | Mapping[str, Any] | list[Any] | None = None,
        *,
        expect: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Do one request below /v2; a mapping or a list goes as JSON, an iterator of bytes in chunks, without a length.

        Refused if the status is not the expected one, by default any below 300.
        """
        fields = self.who | dict(headers or {})
        if isinstance(body, (dict, list)):
            fields.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        elif body is not None:
            fields.setdefault("Content-Type", "application/octet-stream")
        connection = self.connection()
        try:
            # a server that refuses may hang up before it has read everything; its answer is there all the same
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, f"/v2{path}", body, fields)  # type: ignore[arg-type]  # a mapping is JSON by now
            reply = connection.getresponse()
            answer = Answer(reply.status, reply.headers, reply.read())  # type: ignore[arg-type]  # headers are a mapping of text
        finally:
            connection.close()
        if answer.status != expect and (expect is not None or answer.status >= 300):
            more = self.log()[-3000:] if answer.status >= 500 else answer.body[:500].decode()
            raise Refused(f"{method} {path}: {answer.status}\n{more}")
        return answer

    def create(self, **properties: Any) -> str:
        """Register an image without data, and give its id."""
        described = {"name": "image", "disk_format": "raw", "container_format": "bare"}
        return str(self("POST", "/images", described | properties, expect=201).json["id"])

    def show(self, image: str) -> dict[str, Any]:
        found: dict[str, Any] = self("GET", f"/images/{image}").json
        return found

    def locations(self, image: str) -> dict[str, str]:
        """Give the references by store."""
        return {each["metadata"]["store"]: each["url"] for each in self.show(image)["locations"]}
