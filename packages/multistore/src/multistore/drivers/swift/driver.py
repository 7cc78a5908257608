"""The verbs of a Swift store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from multistore.driver import Driver, Reader, Upload
from multistore.drivers.swift import removal, sweep
from multistore.drivers.swift.accounts import Accounts, Servers, caller_identity, same_url
from multistore.drivers.swift.container import Container
from multistore.drivers.swift.copying import copy_into
from multistore.drivers.swift.identity import Identity
from multistore.drivers.swift.naming import Naming
from multistore.drivers.swift.places import Places
from multistore.drivers.swift.reader import SwiftReader
from multistore.drivers.swift.refs import (
    SCHEMES,
    SwiftRef,
    Token,
    check_name,
    is_segment,
    new_token,
    parse_ref,
    parse_token,
)
from multistore.drivers.swift.settings import (
    Account,
    SwiftSettings,
    account_of,
    settings_of_url,
)
from multistore.drivers.swift.single import SingleUpload
from multistore.drivers.swift.trusts import Trustee
from multistore.drivers.swift.upload import SegmentedUpload
from multistore.errors import (
    AccessDenied,
    AlreadyExists,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unauthenticated,
    Unsupported,
)
from multistore.model import Access, Caller, Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["SwiftDriver"]

#: As many as the five digits of a segment's name can count, so that a list has them in order.
_PARTS = 99_999
#: The segments of an image grow to this, so that there are not too many of them.
_LARGEST_PART = 32 << 20
_MANY = 1000
#: Images up to this size, in bytes, are in memory when their upload begins.
_SMALL = 1 << 20


class SwiftDriver(Driver):
    """Images in a container of Swift, each an object of its name, large ones with segments beside it."""

    schemes: ClassVar[tuple[str, ...]] = SCHEMES
    settings_type = SwiftSettings

    def __init__(
        self,
        settings: SwiftSettings,
        *,
        identity: Identity | None = None,
        servers: Servers | None = None,
    ) -> None:
        self.settings = settings
        self._accounts = Accounts(settings, identity, servers)
        self._servers = Servers(settings)
        self._naming = Naming(settings)
        self._places = Places(
            settings, self._naming, self._accounts, as_caller=identity is not None
        )
        self._trustee: Trustee | None = None
        account = account_of(settings)
        if settings.trusts and account is not None and identity is None:
            self._trustee = Trustee(account, settings)
        rights = Verb.ACCESS if settings.container_per_image else Verb.NONE
        self.capabilities = Capabilities(
            verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE | Verb.COPY | rights,
            ranged_read=True,
            parallel_reads=settings.parallel_reads,
            parallel_parts=settings.parallel,
            part_digest="md5",
        )

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``swift+https://AUTH-HOST[:PORT][/PATH]/CONTAINER``, and ``swift+http`` likewise."""
        return settings_of_url(url)

    def for_context(self, caller: Caller) -> SwiftDriver:
        """Act with a caller's token, in the caller's account, where each image has a container of its own."""
        if not self.settings.container_per_image:
            return self
        identity = caller_identity(caller, self.settings)
        if self._trustee is not None:
            identity = self._trustee.stand_behind(identity)
        return SwiftDriver(self.settings, identity=identity, servers=self._servers)

    @property
    def account(self) -> Account:
        """Who logs in for new images; Misconfigured if nobody says."""
        return self._accounts.account()

    # -- references --------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str) -> SwiftRef:
        return parse_ref(text)

    def redact(self, ref: str) -> str:
        """Give the reference without credentials, or say that it is none."""
        if ref in self.prefixes():
            return ref
        try:
            return parse_ref(ref).redacted
        except InvalidRef:
            return super().redact("")

    def prefixes(self) -> tuple[str, ...]:
        """Give what new references begin with, unless that depends on a caller or on the catalog."""
        return self._places.prefixes()

    def owns(self, ref: str) -> bool:
        """Say whether a reference is in this store: by its section, its login, or the storage in the settings."""
        return self._places.own(ref)

    def _own(self, ref: str) -> tuple[Container, SwiftRef]:
        """Find what a reference names; InvalidRef if this store has nothing to do with it."""
        parsed = self._places.taken(ref)
        own = (
            self.settings.container_per_image
            and self._naming.container(parsed.object) == parsed.container
        )
        return Container(self._accounts.of(parsed), parsed.container, create=False, own=own), parsed

    def _container(self, name: str) -> Container:
        own = self.settings.container_per_image
        create = self.settings.create_container or own
        return Container(self._accounts.main(), name, create=create, own=own)

    # -- reading -----------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        container, parsed = self._own(ref)
        return container.head(parsed.object, parsed.redacted).info(ref, parsed.object)

    def open(self, ref: str) -> Reader:
        container, parsed = self._own(ref)
        return SwiftReader(container, parsed.object, ref)

    # -- writing -----------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        """Alike where the size is known, growing up to a bound where it is not."""
        smallest = self.settings.segment_size
        largest = max(smallest, _LARGEST_PART)
        if size is not None:
            if size > _MANY * smallest:
                smallest = min(max(smallest, -(-size // (_MANY << 20)) << 20), largest)
            largest = smallest
        for index in range(_PARTS):
            yield min(smallest << min(index // _MANY, 20), largest)

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        check_name(name)
        if size is not None and size > _PARTS * max(self.settings.segment_size, _LARGEST_PART):
            raise NoSpace(f"an image of {size} bytes has more segments than can be counted")
        container = self._container(self._naming.container(name))
        # Of a small image nothing is gained by a look: its only request, which is about to be sent, is refused as early.
        if size is None or size > _SMALL or not container.swift.server.conditional:
            self._refuse_existing(container, name)
        token, ref = new_token(container.name, name), self._places.ref(container.name, name)
        if size is not None and size <= next(self.parts(size)):
            single = SingleUpload(container, token, ref, labels)
            single.start(size)
            return single
        return self._started(container, token, ref, labels)

    def _refuse_existing(self, container: Container, name: str) -> None:
        if container.find(name, f"the object {name!r}") is not None:
            raise AlreadyExists(f"the object {name!r} is there already")

    def _started(
        self, container: Container, token: Token, ref: str, labels: Mapping[str, str]
    ) -> SegmentedUpload:
        static = self.settings.manifest == "static"
        upload = SegmentedUpload(container, token, ref, labels, static=static)
        try:
            upload.start()
        except (AccessDenied, Misconfigured, Unauthenticated):
            upload.forget()
            raise
        except BaseException as error:
            _give_up(upload, error)
            raise
        return upload

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Let Swift copy inside an account."""
        if not isinstance(source, SwiftDriver):
            raise Unsupported("only objects of Swift can be copied inside Swift")
        check_name(name)
        theirs, parsed = source._own(ref)
        container = self._container(self._naming.container(name))
        if not same_url(theirs.swift.identity.endpoint(), container.swift.identity.endpoint()):
            raise Unsupported("the two stores are in different accounts")
        head = theirs.head(parsed.object, parsed.redacted)
        self._refuse_existing(container, name)
        token, new = new_token(container.name, name), self._places.ref(container.name, name)
        if head.size == 0:
            return SingleUpload(container, token, new, labels), 0
        upload = self._started(container, token, new, labels)
        try:
            copy_into(upload, theirs, parsed.object, head, self.settings.parallel)
        except BaseException as error:
            _give_up(upload, error)
            raise
        return upload, head.size

    def pending(self) -> Iterator[Pending]:
        for container in self._all():
            yield from sweep.pending(container)

    def discard(self, token: str) -> None:
        parsed = self._own_token(token)
        if parsed is not None:
            container = self._container(parsed.container)
            sweep.discard(container, parsed)
            container.remove_own()

    def published(self, token: str) -> Stored | None:
        parsed = self._own_token(token)
        if parsed is None:
            return None
        ref = self._places.ref(parsed.container, parsed.name)
        return sweep.published(self._container(parsed.container), parsed, ref)

    def _own_token(self, text: str) -> Token | None:
        token = parse_token(text)
        ours = token is not None and self._naming.container(token.name) == token.container
        return token if ours else None

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        """Remove an object with its segments, and a container that was its own."""
        container, parsed = self._own(ref)
        try:
            head = container.head(parsed.object, parsed.redacted)
        except NotFound:
            # Whoever hears NotFound takes the image for deleted; a container may come back.
            if not self.settings.container_per_image and not container.there():
                raise Misconfigured(
                    f"the container {container.name!r} is not there", setting="container"
                ) from None
            raise
        removal.delete(container, parsed.object, parsed.redacted, head)
        container.remove_own()

    def _all(self) -> Iterator[Container]:
        """Give the containers of this store."""
        if not self._naming.several:
            yield self._container(self.settings.container)
            return
        for name in self._naming.listed(self._accounts.main()):
            yield self._container(name)

    def list(self) -> Iterator[Info]:
        """List the objects that are images, and no segments of them."""
        for container in self._all():
            for each in container.entries():
                if is_segment(each.name) or "/" in each.name:
                    continue
                if self._naming.several and self._naming.container(each.name) != container.name:
                    continue
                ref = self._places.ref(container.name, each.name)
                try:
                    parse_ref(ref)
                    if each.size == 0:  # empty, or a manifest that the list does not add up
                        yield container.head(each.name, ref).info(ref, each.name)
                    else:
                        yield Info(ref, each.size, each.version, each.name, each.modified)
                except (InvalidRef, NotFound):
                    continue

    def usage(self) -> Usage:
        """Add up the containers; the room is that of a quota, if there is one."""
        used, total = 0, None
        for container in self._all():
            found, total = container.usage()
            used += found
        if self._naming.several:
            total = None
        return Usage(total, used, None if total is None else max(0, total - used))

    def set_access(self, ref: str, access: Access) -> None:
        """Set the rights of the container that is the image's own."""
        if Verb.ACCESS not in self.capabilities.verbs:
            self._refuse("access")
        container, parsed = self._own(ref)
        if self._naming.container(parsed.object) != container.name:
            raise Unsupported(f"{parsed.redacted} has no container of its own")
        readers = ["*:*"] if access.public else [f"{project}:*" for project in access.read]
        writers = [
            f"{project}:*"
            for project in dict.fromkeys((*access.write, *self.settings.write_projects))
        ]
        fields = {"X-Container-Read": ",".join(readers), "X-Container-Write": ",".join(writers)}
        container.swift.ask("POST", (container.name,), parsed.redacted, fields=fields)

    def check(self) -> None:
        """Do all that an upload does but for the manifest, under names that are no image's, and remove it again."""
        container = self._container(self._naming.container("check"))
        upload = self._started(container, new_token(container.name, "check"), "", {})
        try:
            upload.write_part(0, 0, b"multistore")
        finally:
            upload.abort()
            container.remove_own()

    def close(self) -> None:
        self._accounts.close()
        self._servers.close()
        if self._trustee is not None:
            self._trustee.close()


def _give_up(upload: SegmentedUpload, error: BaseException) -> None:
    """Leave nothing of an upload that could not be begun; ``error`` is why."""
    try:
        upload.abort()
    except StoreError as trouble:
        error.add_note(f"an unfinished upload may be left: {trouble}")
