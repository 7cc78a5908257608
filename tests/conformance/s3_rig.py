"""A rig over an S3 store: on a real server, or on moto."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver, S3Settings
from multistore.drivers.s3.client import Client
from multistore.testing import Rig

HOSTILE = ("a/b", "a?b", "a#b", "a\0b", "a\nb", "n" * 513, ".", "..", "a ", "\udc80")
SECRET = "s3cr3t-canary"

# pytest's log file has a lock that a forked child never gets if another thread is just writing.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def s3_settings(endpoint: str, bucket: str, **changes: Any) -> S3Settings:
    """Give the settings of a store with small parts, for servers that take them."""
    values: dict[str, Any] = {
        "endpoint": endpoint,
        "bucket": bucket,
        "access_key": "tester",
        "secret_key": Secret(SECRET),
        "part_size": 64 << 10,
        "largest_part": 64 << 10,
        "parallel": 3,
        "connect_timeout": 5.0,
        "timeout": 15.0,
    }
    return S3Settings(**values | changes)


class _Looking(Client):
    """A client that is kept, as making one costs more than most looks."""

    def hang_up(self) -> None:
        """Close the connections; the next look makes others."""
        self._cell.get().close()


_looking = functools.lru_cache(maxsize=16)(_Looking)


class Backstage:
    """The bucket seen past the driver, by a client whose connections are gone after each look."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.keeps = False

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        client = _looking(self.settings)
        try:
            yield client
        finally:
            client.hang_up()

    def ask(self, operation: str, **parameters: Any) -> Any:
        with self.client() as client:
            return client.ask(operation, "backstage", Bucket=self.settings.bucket, **parameters)

    def rewrite(self, ref: str, data: bytes) -> None:
        self.ask("put_object", Key=S3Driver.parse(ref).key, Body=data)

    def bytes_of(self, ref: str) -> bytes:
        with self.client() as client:
            key = S3Driver.parse(ref).key
            answer = client.ask("get_object", "backstage", Bucket=self.settings.bucket, Key=key)
            data: bytes = answer["Body"].read()
            return data

    def corrupt(self, ref: str) -> None:
        """Flip a bit in the middle."""
        data = bytearray(self.bytes_of(ref))
        data[len(data) // 2] ^= 1
        self.rewrite(ref, bytes(data))

    def uploads(self) -> list[str]:
        """Give the server's uploads that are neither completed nor aborted: what costs money for ever."""
        with self.client() as client:
            return self._uploads(client)

    def _uploads(self, client: Client) -> list[str]:
        answer = client.ask("list_multipart_uploads", "backstage", Bucket=self.settings.bucket)
        return [f"upload of {each['Key']}" for each in answer.get("Uploads", ())]

    def leftovers(self) -> list[str]:
        """Give all that is no image: uploads, and objects that no reference can name."""
        with self.client() as client:
            answer = client.ask("list_objects_v2", "backstage", Bucket=self.settings.bucket)
            odd = [each["Key"] for each in answer.get("Contents", ()) if "/" in each["Key"]]
            return [*self._uploads(client), *(f"object {key}" for key in odd)]

    def make(self) -> None:
        """Make the bucket."""
        self.ask("create_bucket")

    def versioned(self) -> None:
        """Have the bucket keep versions from now on."""
        self.keeps = True
        self.ask("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})

    def versions(self, prefix: str = "") -> list[tuple[str, str]]:
        """List what a bucket with versions keeps, as kind and key: versions, and the markers that hide them."""
        found = self.ask("list_object_versions", Prefix=prefix)
        return sorted(
            (kind, str(each["Key"]))
            for kind, field in (("version", "Versions"), ("marker", "DeleteMarkers"))
            for each in found.get(field, ())
        )

    def empty(self) -> None:
        """Remove every object and upload of the bucket."""
        with self.client() as client:
            name = self.settings.bucket
            answer = client.ask("list_multipart_uploads", "backstage", Bucket=name)
            for each in answer.get("Uploads", ()):
                client.ask(
                    "abort_multipart_upload",
                    "backstage",
                    Bucket=name,
                    Key=each["Key"],
                    UploadId=each["UploadId"],
                )
            while found := client.ask("list_objects_v2", "backstage", Bucket=name).get("Contents"):
                for each in found:
                    client.ask("delete_object", "backstage", Bucket=name, Key=each["Key"])
            if not self.keeps:
                return
            kept = client.ask("list_object_versions", "backstage", Bucket=name)
            for each in (*kept.get("Versions", ()), *kept.get("DeleteMarkers", ())):
                of = {"Key": each["Key"], "VersionId": each["VersionId"]}
                client.ask("delete_object", "backstage", Bucket=name, **of)


def s3_rig(settings: S3Settings, **changes: Any) -> Rig:
    """One bucket, looked at from outside as well."""
    back = Backstage(settings)
    server = settings.server
    nowhere = s3_settings("http://127.0.0.1:1", settings.bucket)
    base = f"{server.scheme}://{server.place}"
    values: dict[str, Any] = {
        "make": lambda: S3Driver(settings),
        "unreachable": lambda: S3Driver(nowhere),
        "url": f"s3+http{'s' * server.tls}://{server.place}/{settings.bucket}",
        "rewrite": back.rewrite,
        "corrupt": back.corrupt,
        "leftovers": back.leftovers,
        "hostile_names": HOSTILE,
        "bad_refs": (
            f"{base}/{settings.bucket}", f"{base}//x", "s3://", "s3:///b/k", "S3://h/b/k", f"{base}/b/k\0x", "s3://h/b/..",
            "s3://u:p@https://h/b/k", "s3://[h/b/k", "s3://h/b c/k",
        ),
        "foreign_refs": (f"{base}/{settings.bucket}-other/x", f"s3://elsewhere.example/{settings.bucket}/x", "memory://x"),
        "too_large": 1 << 60,
        "secrets": (settings.secret_key.reveal(),) if settings.secret_key else (),
        "sdk": ("boto3", "botocore"),
        "copies": True,
        "unstaged": settings.part_size,
        "faults": 12,
    }  # fmt: skip
    return Rig(**values | changes)


# -- the lab's servers -------------------------------------------------------------------------------


def lab(name: str) -> str:
    """Give what the lab says: in the environment, or in the file it left."""
    file = Path(__file__).parents[2] / "lab" / ".data" / "env"
    found = dict(os.environ)
    if file.exists():
        pairs = (line.partition("=") for line in file.read_text().splitlines())
        found = {key: value.strip("'") for key, _, value in pairs} | found
    if name not in found:
        pytest.fail(f"{name} is not known: 'make lab-up' first, as root")
    return found[name]


def rgw_settings(bucket: str, *, tls: bool = False, **changes: Any) -> S3Settings:
    """Give the settings of a store on the lab's RADOS gateway, with the smallest parts that it takes."""
    values: dict[str, Any] = {
        "access_key": lab("MULTISTORE_LAB_RGW_ACCESS"),
        "secret_key": Secret(lab("MULTISTORE_LAB_RGW_SECRET")),
        "part_size": 5 << 20,
        "largest_part": 5 << 20,
        "timeout": 60.0,
    }
    if tls:
        values["ca_file"] = lab("MULTISTORE_LAB_RGW_CA")
    endpoint = changes.pop("endpoint", None) or lab(
        "MULTISTORE_LAB_RGW_TLS" if tls else "MULTISTORE_LAB_RGW"
    )
    return s3_settings(endpoint, bucket, **values | changes)


def swift_settings(bucket: str, **changes: Any) -> S3Settings:
    """Give the settings of a store on the lab's Swift, by its middleware for S3."""
    values: dict[str, Any] = {
        "access_key": lab("MULTISTORE_LAB_SWIFT_USER"),
        "secret_key": Secret(lab("MULTISTORE_LAB_SWIFT_KEY")),
        "part_size": 5 << 20,
        "largest_part": 5 << 20,
        "timeout": 60.0,
    }
    return s3_settings(lab("MULTISTORE_LAB_SWIFT"), bucket, **values | changes)


@contextlib.contextmanager
def bucket_of(make: Callable[[str], S3Settings]) -> Iterator[Backstage]:
    """Make a bucket for some tests, see that nothing is left of an upload in it, and remove it."""
    back = Backstage(make(f"multistore-{uuid.uuid4().hex[:12]}"))
    back.make()
    try:
        yield back
        assert not back.leftovers()
    finally:
        back.empty()
        back.ask("delete_bucket")
