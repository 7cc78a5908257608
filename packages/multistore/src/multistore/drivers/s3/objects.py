"""One bucket: looking at objects, and what goes with every request for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from multistore.drivers.s3.client import Client, encryption, own_key
from multistore.drivers.s3.errors import code_of
from multistore.drivers.s3.refs import HIDDEN, Token, new_token
from multistore.drivers.s3.settings import S3Settings
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    Misconfigured,
    NotFound,
    StoreError,
    Unsupported,
)
from multistore.model import Info

__all__ = ["Bucket", "Conditions", "Head", "etag_of", "info_of", "version_of"]

T = TypeVar("T")

#: What an object keeps of the upload that made it: x-amz-meta-multistore-upload.
_MADE_BY = "multistore-upload"
_LABEL = "multistore-label-"
#: Bytes of labels that are kept; the interface takes 2 KB of all metadata.
_LABELS = 1500


class Conditions:
    """What is known of the server's conditional writes: None is not known yet."""

    def __init__(self, setting: str) -> None:
        self.setting = setting
        #: Whether the server refuses to replace an object by a request that forbids it.
        self.single: bool | None = {"always": True, "never": False}.get(setting)
        #: Whether the server takes such a request at all.
        self.sent = setting != "never"

    @property
    def fields(self) -> dict[str, str]:
        """What goes with a request that publishes."""
        return {"IfNoneMatch": "*"} if self.sent else {}

    def relied_on(self, *, parts: bool) -> bool:
        """Say whether the server is known to refuse: of an object that is made of parts nobody can find that out."""
        return self.setting == "always" if parts else self.single is True

    def refuse(self, error: StoreError) -> None:
        """Go on without, as the server knows no conditions; raises ``error`` if they were relied on."""
        if not self.sent or self.setting == "always":
            raise error
        self.sent, self.single = False, False


@dataclass(frozen=True, slots=True)
class Head:
    """What the server says of one object."""

    size: int
    etag: str
    modified: float | None
    made_by: str
    #: "null", or None on some servers, is that of an object from before the bucket had versions.
    version_id: str | None
    #: Whether the server says that it is encrypted with a key of a service, as a bucket may have it done by itself.
    encrypted: bool = False


class Bucket:
    """A bucket, by the settings of the store."""

    def __init__(
        self, client: Client, settings: S3Settings, conditions: Conditions, name: str
    ) -> None:
        self.client = client
        self.settings = settings
        self.conditions = conditions
        self.name = name
        self.made_with = encryption(settings)
        self.own_key = own_key(settings)

    @property
    def encrypted(self) -> bool:
        """Whether objects are encrypted with a key of their own, so that entity tags need not be digests."""
        settings = self.settings
        return settings.customer_key is not None or (settings.encryption or "").startswith("aws:")

    def ask(self, operation: str, key: str, what: str, **parameters: Any) -> Any:
        """Do one request for one object."""
        return self.client.ask(operation, what, Bucket=self.name, Key=key, **parameters)

    # -- looking -----------------------------------------------------------------------------

    def head(self, key: str, what: str) -> Head:
        """Describe an object; NotFound if it, or the bucket, is not there."""
        try:
            return _head(self.ask("head_object", key, what, **self.own_key))
        except StoreError as error:
            if code_of(error) != "400":  # of a token that has ended, for one
                raise
            told = self.explain(key, what, error)
            raise told from told.__cause__

    def find(self, key: str, what: str) -> Head | None:
        """Describe an object, or say that it is not there."""
        try:
            return self.head(key, what)
        except NotFound:
            return None

    def explain(self, key: str, what: str, error: StoreError) -> StoreError:
        """Ask once more for what an answer without a body left open: HEAD says 403 or 400 and nothing else."""
        if code_of(error) not in ("403", "400"):
            return error
        try:
            answer = self.ask("get_object", key, what, Range="bytes=0-0", **self.own_key)
            answer["Body"].close()
        except StoreError as told:
            return told
        return error

    def in_the_way(self, key: str, what: str, *, parts: bool) -> Head | None:
        """Look for an object before it is written, at once or in ``parts``.

        Where neither that nor a list is allowed, the server must be known to refuse by itself: AccessDenied if it is
        not.
        """
        try:
            return self.find(key, what)
        except AccessDenied as error:
            denied = error  # it is missing and there is no right to list, or it is there and there is none to read
        conditions = self.conditions
        if conditions.relied_on(parts=parts):
            return None
        try:
            return self._listed(key, what)
        except AccessDenied:
            if conditions.single is None:
                self._try_conditions(what)
            if conditions.relied_on(parts=parts):
                return None
        raise AccessDenied(
            f"{what}: whether it exists cannot be told without the rights to read and to list, and this server is"
            " not known to refuse by itself"
        ) from denied

    def _listed(self, key: str, what: str) -> Head | None:
        """Look for an object in the list of the bucket, which does not say whose it is."""
        answer = self.client.ask("list_objects_v2", what, Bucket=self.name, Prefix=key, MaxKeys=1)
        for each in answer.get("Contents", ()):
            if each["Key"] == key:
                return Head(int(each["Size"]), etag_of(each), None, "", None)
        return None

    # -- what the server does ----------------------------------------------------------------

    def _try_conditions(self, what: str) -> None:
        key = f"{self.settings.prefix}{HIDDEN}check-{new_token(self.name, 'check').id}"
        fields = {**self.made_with, **self.own_key}
        made = self.with_bucket(lambda: self.ask("put_object", key, what, Body=b"x", **fields))
        try:
            self.learn(key, what)
        finally:
            with contextlib.suppress(AccessDenied):  # a byte stays, under a key that is no image's
                self.remove(key, what, version_of(made))

    def learn(self, key: str, what: str) -> None:
        """Find out whether the server refuses to replace an object, by one that is there and is no image."""
        fields = {**self.made_with, **self.own_key, "IfNoneMatch": "*"}
        try:
            again = self.ask("put_object", key, what, Body=b"multistore", **fields)
        except AlreadyExists:
            self.conditions.single = True
            return
        except Unsupported as error:
            if code_of(error) != "NotImplemented":
                raise
            self.conditions.sent = self.conditions.single = False
            return
        self.conditions.single = False
        version = version_of(again)
        if version is not None:
            self.remove(key, what, version)

    # -- removing ----------------------------------------------------------------------------

    def remove(self, key: str, what: str, version: str | None) -> None:
        """Remove an object: that version of it, if the settings say so; else it may be hidden only.

        "null" names what has none: all in a bucket without versions, and what is from before it had them.
        """
        by = {"VersionId": version or "null"} if self.settings.delete_versions else {}
        self.ask("delete_object", key, what, **by)

    # -- making ------------------------------------------------------------------------------

    def made(self, token: Token, labels: Mapping[str, str]) -> dict[str, Any]:
        """Give what goes with the request that makes an object."""
        kept, room = {_MADE_BY: token.id}, _LABELS
        for name, value in labels.items():
            text = quote(value, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~").strip()
            room -= len(name) + len(text)
            if room >= 0 and name.isascii() and name.replace("-", "").isalnum() and text:
                kept[_LABEL + name.lower()] = text
        return {**self.made_with, **self.own_key, "Metadata": kept}

    def with_bucket(self, work: Callable[[], T]) -> T:
        """Do what fails if the bucket is not there, and make the bucket if the settings ask for that."""
        try:
            return work()
        except Misconfigured as error:
            if code_of(error) != "NoSuchBucket" or not self.settings.create_bucket:
                raise
        self.create()
        return work()

    def create(self) -> None:
        """Make the bucket, unless it is there and ours."""
        what = f"making the bucket {self.name!r}"
        region = self.settings.server.region
        where = (
            {"CreateBucketConfiguration": {"LocationConstraint": region}}
            if region not in (None, "us-east-1")  # the one region that must not be named
            else {}
        )
        try:
            self.client.ask("create_bucket", what, Bucket=self.name, **where)
        except StoreError as error:
            if code_of(error) == "BucketAlreadyExists":
                raise Misconfigured(
                    f"{what}: somebody else has a bucket of this name", setting="bucket"
                ) from error
            if code_of(error) != "BucketAlreadyOwnedByYou":
                raise


def etag_of(answer: Mapping[str, Any]) -> str:
    """Give the entity tag of an answer, without its quotes."""
    return str(answer.get("ETag") or "").strip('"')


def version_of(answer: Mapping[str, Any]) -> str | None:
    """Give the version that an answer speaks of; None where the bucket has none."""
    version = answer.get("VersionId")
    return str(version) if version else None


def info_of(ref: str, name: str, head: Head) -> Info:
    """Describe an object by its head."""
    return Info(ref, head.size, head.etag or None, name, head.modified)


def _head(answer: Mapping[str, Any]) -> Head:
    modified = answer.get("LastModified")
    metadata = {str(name).lower(): value for name, value in answer.get("Metadata", {}).items()}
    return Head(
        int(answer.get("ContentLength", 0)),
        etag_of(answer),
        modified.timestamp() if modified is not None else None,
        str(metadata.get(_MADE_BY, "")),
        version_of(answer),
        str(answer.get("ServerSideEncryption") or "").startswith("aws:"),
    )
