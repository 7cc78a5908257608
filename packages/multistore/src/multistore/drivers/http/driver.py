# ruff: noqa: PLR2004 -- statuses of HTTP are known by their numbers
"""HttpDriver: images on web servers, read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from multistore.config import Secret
from multistore.driver import Driver, Reader
from multistore.drivers.http.client import Client, Reply
from multistore.drivers.http.dial import Dialler, basic, check_engine
from multistore.drivers.http.policy import Policy
from multistore.drivers.http.reader import HttpReader, described, failed, total
from multistore.drivers.http.refs import HttpRef, parse, redacted
from multistore.drivers.http.settings import HttpSettings
from multistore.errors import InvalidRef, Misconfigured, StoreError
from multistore.model import Capabilities, Info, Verb

__all__ = ["HttpDriver"]

#: Servers that do not like HEAD, and signed URLs made for GET alone, answer so.
_NO_HEAD = frozenset({400, 403, 405, 501})
#: What whoever writes further header fields must not set: we do.
_OURS = frozenset(
    {
        "host", "range", "if-range", "accept-encoding", "connection", "content-length",
        "transfer-encoding", "te", "upgrade", "expect", "proxy-authorization",
    }
)  # fmt: skip


class HttpDriver(Driver):
    """Reads images by HTTP and HTTPS.

    With a ``base``, only references below it are read, with the credentials of the settings.
    Without one, any reference whose server the policy lets us reach is read, without credentials.
    """

    schemes: ClassVar[tuple[str, ...]] = ("http", "https")
    settings_type = HttpSettings
    capabilities = Capabilities(verbs=Verb.NONE, ranged_read=True)

    def __init__(self, settings: HttpSettings | None = None) -> None:
        self.settings = settings or HttpSettings()
        self._base = _base(self.settings)
        self._fields = _credentials(self.settings)
        policy = Policy(self.settings.allow, self.settings.deny)
        self._client = Client(self.settings, Dialler(self.settings, policy))

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """``https://[USER:PASSWORD@]HOST/PATH/`` is the base; ``http:`` alone means any server."""
        if url.lower() in ("http:", "https:"):
            return {}
        try:
            found = parse(url)
        except InvalidRef as error:
            raise Misconfigured(f"setting 'url': {error.why}", setting="url") from None
        values: dict[str, object] = {"base": str(replace(found, userinfo=None))}
        if (known := found.credentials()) is not None:
            values |= {"username": known[0], "password": Secret(known[1])}
        return values

    @classmethod
    def parse(cls, text: str) -> HttpRef:
        return parse(text)

    def prefixes(self) -> tuple[str, ...]:
        return ("http://", "https://") if self._base is None else (str(self._base),)

    def owns(self, ref: str) -> bool:
        try:
            url = parse(ref)
        except InvalidRef:
            return False
        return self._base is None or self._below(url)

    def redact(self, ref: str) -> str:
        return redacted(ref)

    def stat(self, ref: str) -> Info:
        url = self._own(ref)
        reply = self._fetch("HEAD", url, {})
        reply.drop()
        if reply.status in _NO_HEAD:
            return self._probe(ref, url)
        if reply.status not in (200, 203):
            raise failed(reply)
        info = described(ref, reply, _announced(reply))
        if info.size is None:
            try:
                return replace(info, size=self._probe(ref, url).size)
            except StoreError:
                return info  # the size is the only thing that is not known
        return info

    def open(self, ref: str) -> Reader:
        url = self._own(ref)
        return HttpReader(
            ref, lambda fields: self._fetch("GET", url, fields), lambda: self.stat(ref)
        )

    def check(self) -> None:
        """Find out whether TLS can be set up and the server of ``base`` answers; any image may still be missing."""
        check_engine()
        self._client.dialler.make_context(known=True)
        if self._base is None:
            return
        reply = self._fetch("HEAD", self._base, {})
        if reply.status >= 500 or reply.status in (401, 407, 429):
            raise failed(reply)
        reply.drop()  # a directory that cannot be listed is the rule, not a fault

    def close(self) -> None:
        self._client.shelf.close()

    def _probe(self, ref: str, url: HttpRef) -> Info:
        """Ask for the first byte, to learn what HEAD did not tell."""
        reply = self._fetch("GET", url, {"Range": "bytes=0-0"})
        if reply.status in (206, 416):
            size = total(reply)
            if reply.status == 206 or size == 0:
                reply.drop()
                return described(ref, reply, size)
        if reply.status not in (200, 203):
            raise failed(reply)
        reply.drop()
        return described(ref, reply, _announced(reply))

    def _fetch(self, method: str, url: HttpRef, fields: Mapping[str, str]) -> Reply:
        below = self._below(url)
        credentials = dict(self._known() if below else {})
        if (own := url.credentials()) is not None:
            credentials["Authorization"] = basic(*own)
        return self._client.fetch(method, url, fields, credentials, trusted=below)

    def _known(self) -> Mapping[str, str]:
        """Give the credentials for ``base``, from .netrc only if the environment is trusted."""
        fields, base = self._fields, self._base
        if self.settings.trust_env and "Authorization" not in fields and base is not None:
            import netrc

            try:
                found = netrc.netrc().authenticators(base.host)
            except (OSError, netrc.NetrcParseError):
                found = None
            if found is not None:
                return {**fields, "Authorization": basic(found[0], found[2] or "")}
        return fields

    def _own(self, ref: str) -> HttpRef:
        url = parse(ref)
        if self._base is not None and not self._below(url):
            raise InvalidRef(
                f"{url.redacted()} is not below {self._base.redacted()}",
                why="points outside the store",
            )
        return url

    def _below(self, url: HttpRef) -> bool:
        base = self._base
        return base is not None and url.origin == base.origin and url.path.startswith(base.path)


def _announced(reply: Reply) -> int | None:
    """Give the size that an answer announces, if it is that of the image itself."""
    text = reply.field("Content-Length")
    coding = (reply.field("Content-Encoding") or "identity").lower()
    return int(text.partition(",")[0]) if text and coding == "identity" else None


def _base(settings: HttpSettings) -> HttpRef | None:
    if settings.base is None:
        for name in ("username", "password", "token", "headers", "client_cert"):
            if getattr(settings, name) is not None:
                raise Misconfigured(
                    f"setting {name!r} needs 'base': credentials are sent to one place only",
                    setting="base",
                )
        return None
    try:
        found = parse(settings.base)
    except InvalidRef as error:
        raise Misconfigured(f"setting 'base': {error.why}", setting="base") from None
    if found.userinfo is not None:
        raise Misconfigured(
            "setting 'base' holds a password: use 'username' and 'password'", setting="base"
        )
    if found.query:
        raise Misconfigured("setting 'base' must have no query", setting="base")
    return replace(found, path=found.path.rstrip("/") + "/")


def _credentials(settings: HttpSettings) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in (settings.headers.reveal() if settings.headers else "").splitlines():
        name, colon, value = (part.strip() for part in line.partition(":"))
        good = name and colon and name.replace("-", "").replace("_", "").isalnum()
        if line.strip() and not (good and name.isascii() and name.lower() not in _OURS):
            raise Misconfigured(
                "setting 'headers' must be lines 'Name: value', and none that http itself needs",
                setting="headers",
            )
        if name:
            fields[name] = _field("headers", value)
    if settings.username is not None or settings.password is not None:
        password = settings.password.reveal() if settings.password is not None else ""
        fields["Authorization"] = basic(settings.username or "", password)
    if settings.token is not None:
        if "Authorization" in fields:
            raise Misconfigured("set either 'token' or 'username' and 'password'", setting="token")
        fields["Authorization"] = "Bearer " + _field("token", settings.token.reveal().strip())
    return fields


def _field(setting: str, value: str) -> str:
    if not (value.isprintable() and value.isascii()):
        raise Misconfigured(
            f"setting {setting!r} holds characters that cannot stand in a header", setting=setting
        )
    return value
