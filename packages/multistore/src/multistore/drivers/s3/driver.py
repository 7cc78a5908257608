"""The verbs of an S3 store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from multistore.driver import Driver, Reader, Upload
from multistore.drivers.s3 import sweep
from multistore.drivers.s3.checking import try_out
from multistore.drivers.s3.client import Client
from multistore.drivers.s3.copying import copy_parts
from multistore.drivers.s3.marks import listed
from multistore.drivers.s3.multipart import MultipartUpload
from multistore.drivers.s3.objects import Bucket, Conditions, info_of
from multistore.drivers.s3.reader import S3Reader
from multistore.drivers.s3.refs import (
    SCHEMES,
    S3Ref,
    Token,
    check_name,
    new_token,
    parse_ref,
    parse_token,
)
from multistore.drivers.s3.settings import LARGEST_PART, PARTS, S3Settings, settings_of_url
from multistore.drivers.s3.single import SingleUpload
from multistore.errors import (
    AlreadyExists,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unsupported,
)
from multistore.model import Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["S3Driver"]

#: The parts of an image of unknown size double after so many.
_GROWTH = 1000


class S3Driver(Driver):
    """Images in a bucket, each an object of its name."""

    schemes: ClassVar[tuple[str, ...]] = SCHEMES
    settings_type = S3Settings

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self._server = settings.server
        self._client = Client(settings)
        self._conditions = Conditions(self._conditional())
        self._bucket = self._bucket_called(settings.bucket)
        self.capabilities = Capabilities(
            verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE | Verb.COPY,
            ranged_read=True,
            parallel_reads=settings.parallel_reads,
            parallel_parts=settings.parallel,
            part_digest="sha256" if settings.checksum == "sha256" else "",
            exclusive_create=self._conditions.setting == "always",
        )

    def prepare(self) -> None:
        """Load boto3 and make its client, which else the first request does and takes 150 ms longer; no server is asked.

        For a service at its start: what is loaded before it forks, its children have as well.
        Misconfigured if boto3 is not installed or takes no such settings.
        """
        self._client.prepare()

    def _conditional(self) -> str:
        """Rely on Amazon's conditional writes; on others' only if the settings say so."""
        setting = self.settings.conditional_writes
        return "always" if setting == "auto" and self._server.url is None else setting

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``s3://BUCKET``, ``s3+http://HOST[:PORT]/BUCKET`` or ``s3+https://HOST[:PORT]/BUCKET``."""
        return settings_of_url(url)

    # -- references --------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> S3Ref:
        return parse_ref(text)

    def redact(self, ref: str) -> str:
        """Give the reference without credentials, or say that it is none."""
        if ref in self.prefixes():
            return ref
        try:
            return str(parse_ref(ref))
        except InvalidRef:
            return super().redact("")

    def prefixes(self) -> tuple[str, ...]:
        buckets = (self.settings.bucket, *self.settings.buckets)
        place = f"{self._server.scheme}://{self._server.place}"
        return tuple(f"{place}/{bucket}/" for bucket in buckets if bucket != "*")

    def owns(self, ref: str) -> bool:
        try:
            return self._takes(parse_ref(ref))
        except InvalidRef:
            return False

    def _own_schemes(self) -> tuple[str, ...]:
        return ("s3+https",) if self._server.tls else ("s3", "s3+http")

    def _takes(self, ref: S3Ref) -> bool:
        buckets = (self.settings.bucket, *self.settings.buckets)
        here = ref.host == self._server.place and ref.scheme in self._own_schemes()
        known = ref.bucket in buckets or "*" in buckets
        ours = ref.bucket != self.settings.bucket or ref.key.startswith(self.settings.prefix)
        return known and ours and (here or self.settings.foreign_hosts == "use")

    def _own(self, ref: str) -> tuple[Bucket, S3Ref]:
        """Find what a reference names; InvalidRef if this store has nothing to do with it."""
        parsed = parse_ref(ref)
        if not self._takes(parsed):
            why = "it names another server, bucket or prefix: see 'foreign_hosts' and 'buckets'"
            raise InvalidRef(f"{parsed} is none of this store's: {why}", why=why)
        return self._bucket_called(parsed.bucket), parsed

    def _bucket_called(self, name: str) -> Bucket:
        return Bucket(self._client, self.settings, self._conditions, name)

    def _ref(self, key: str) -> str:
        return str(S3Ref(self._server.scheme, self._server.place, self.settings.bucket, key))

    def _name(self, key: str) -> str:
        return key.removeprefix(self.settings.prefix)

    # -- reading -----------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        bucket, parsed = self._own(ref)
        what = str(parsed)
        try:
            return info_of(ref, self._name(parsed.key), bucket.head(parsed.key, what))
        except StoreError as error:
            told = bucket.explain(parsed.key, what, error)
            raise told from told.__cause__

    def open(self, ref: str) -> Reader:
        bucket, parsed = self._own(ref)
        return S3Reader(bucket, parsed.key, ref, self._name(parsed.key))

    # -- writing -----------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        """Up to 10000 parts: alike where the size is known, growing up to a bound where it is not."""
        smallest, largest = self.settings.part_size, self.settings.largest_part
        if size is not None:
            if size > PARTS * smallest:
                smallest = min(-(-size // (PARTS << 20)) << 20, LARGEST_PART)
            largest = smallest
        for index in range(PARTS):
            yield min(smallest << min(index // _GROWTH, 20), largest)

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        check_name(name, self.settings.prefix)
        key = self.settings.prefix + name
        if size is not None and size > self.settings.largest_image:
            raise NoSpace(
                f"the image has {size} bytes, and the server takes {self.settings.largest_image}: see 'largest_image'"
            )
        whole = (
            size is not None
            and size <= next(self.parts(size))
            and size < self.settings.multipart_from
        )
        self._refuse_existing(key, parts=not whole)
        if whole:
            token = new_token(self.settings.bucket, key)
            return SingleUpload(self._bucket, token, self._ref(key), labels)
        return self._started(key, labels)

    def _refuse_existing(self, key: str, *, parts: bool) -> None:
        if self._bucket.in_the_way(key, f"the object {key!r}", parts=parts) is not None:
            raise AlreadyExists(f"the object {key!r} is there already")

    def _started(self, key: str, labels: Mapping[str, str]) -> MultipartUpload:
        upload = MultipartUpload(self._bucket, key, self._ref(key))
        try:
            upload.start(labels)
        except BaseException as error:
            _give_up(upload, error)
            raise
        return upload

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Copy inside the server, however large, within requests of 256 MiB each."""
        if not isinstance(source, S3Driver) or source._server.place != self._server.place:
            raise Unsupported("the two stores are on different servers")
        check_name(name, self.settings.prefix)
        key = self.settings.prefix + name
        bucket, parsed = source._own(ref)
        head = bucket.head(parsed.key, str(parsed))
        self._refuse_existing(key, parts=head.size > 0)
        if head.size == 0:
            token = new_token(self.settings.bucket, key)
            return SingleUpload(self._bucket, token, self._ref(key), labels), 0
        upload = self._started(key, labels)
        try:
            copy_parts(upload, bucket, parsed.key, head)
        except BaseException as error:
            _give_up(upload, error)
            raise
        return upload, head.size

    def pending(self) -> Iterator[Pending]:
        return sweep.pending(self._bucket)

    def discard(self, token: str) -> None:
        parsed = self._own_token(token)
        if parsed is not None:
            sweep.discard(self._bucket, parsed)

    def published(self, token: str) -> Stored | None:
        parsed = self._own_token(token)
        return None if parsed is None else sweep.published(self._bucket, parsed, self._ref)

    def _own_token(self, text: str) -> Token | None:
        token = parse_token(text)
        ours = token is not None and token.bucket == self.settings.bucket
        return (
            token
            if ours and token is not None and token.key.startswith(self.settings.prefix)
            else None
        )

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        """Remove an object; in a bucket with versions it is hidden, or removed if the settings say so."""
        bucket, parsed = self._own(ref)
        what = str(parsed)
        try:
            head = bucket.head(parsed.key, what)
        except NotFound:
            # Whoever hears NotFound takes the image for deleted; a bucket may come back.
            self._insist_on_bucket(bucket)
            raise
        except StoreError as error:
            told = bucket.explain(parsed.key, what, error)
            raise told from told.__cause__
        bucket.remove(parsed.key, what, head.version_id)

    def _insist_on_bucket(self, bucket: Bucket) -> None:
        try:
            bucket.client.ask("head_bucket", f"the bucket {bucket.name!r}", Bucket=bucket.name)
        except NotFound as error:
            raise Misconfigured(
                f"the bucket {bucket.name!r} is not there", setting="bucket"
            ) from error
        except StoreError:
            pass  # no right to look: it was there when it said that the object is not

    def list(self) -> Iterator[Info]:
        """List the objects whose keys can be named in a reference: those without a slash."""
        bucket, prefix = self._bucket, self.settings.prefix
        for each in listed(bucket, prefix, "/"):
            key = str(each["Key"])
            ref = self._ref(key)
            try:
                if parse_ref(ref).key != key:
                    continue  # of a key with ? or #, it is the reference of another object
            except InvalidRef:
                continue
            modified = each.get("LastModified")
            yield Info(
                ref,
                int(each["Size"]),
                str(each.get("ETag") or "").strip('"') or None,
                self._name(key),
                modified.timestamp() if modified is not None else None,
            )

    def usage(self) -> Usage:
        """Add up what the list says; the interface does not tell how much room there is."""
        return Usage(None, sum(info.size or 0 for info in self.list()), None)

    def check(self) -> None:
        """Do all that an upload does, under keys that are no image's, and remove it again."""
        try_out(self._bucket)

    def close(self) -> None:
        self._client.close()


def _give_up(upload: MultipartUpload, error: BaseException) -> None:
    """Leave nothing of an upload that could not be begun; ``error`` is why."""
    try:
        upload.abort()
    except StoreError as trouble:
        error.add_note(f"an unfinished upload may be left: {trouble}")
