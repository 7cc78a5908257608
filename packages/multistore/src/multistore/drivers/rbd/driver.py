"""The verbs of an RBD store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from multistore.driver import Driver, Reader, Upload
from multistore.drivers.rbd import listing, removal, sweep
from multistore.drivers.rbd.cluster import Profile
from multistore.drivers.rbd.connections import Leases
from multistore.drivers.rbd.images import open_image
from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.reader import RbdReader
from multistore.drivers.rbd.refs import SNAPSHOT, RbdRef, check_name, parse_ref, parse_token
from multistore.drivers.rbd.sdk import Sdk
from multistore.drivers.rbd.settings import FEATURES, RbdSettings, feature_bits, settings_of_url
from multistore.drivers.rbd.upload import Layout, RbdUpload
from multistore.errors import (
    AlreadyExists,
    InvalidRef,
    Misconfigured,
    NoSpace,
    NotFound,
    StoreError,
    Unavailable,
    Unsupported,
)
from multistore.model import Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["RbdDriver"]

#: Parts are so large: whole objects, or aligned shares of larger ones; each costs its size in memory three times.
_PART = 4 << 20
#: Images up to this size are not held against the room that the cluster has.
_SMALL = 64 << 20


class RbdDriver(Driver):
    """Images in a pool of a Ceph cluster, each with the protected snapshot ``snap`` that Nova and Cinder clone.

    All drivers of a process that name the same cluster and user share one connection.
    """

    schemes: ClassVar[tuple[str, ...]] = ("rbd",)
    settings_type = RbdSettings

    def __init__(self, settings: RbdSettings, *, sdk: Sdk | None = None) -> None:
        self.settings = settings
        user = settings.user.removeprefix("client.") if settings.user else None
        self._leases = Leases(
            Profile(
                settings.conf,
                user,
                settings.connect_timeout,
                settings.timeout,
                tuple(sorted(settings.options.items())),
                settings.bindings,
                sdk,
            )
        )
        self._fsid = settings.fsid
        self.capabilities = Capabilities(
            verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE | Verb.COPY,
            ranged_read=True,
            parallel_reads=settings.parallel_reads,
            parallel_parts=settings.parallel,
            sparse=settings.thin,
            # A journal has to be told of a name by librbd, which looks first and takes it then.
            exclusive_create="journaling" not in settings.features,
        )

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``rbd:``, ``rbd:images`` or ``rbd://images``."""
        return settings_of_url(url)

    @classmethod
    def parse(cls, text: str) -> RbdRef:
        return parse_ref(text)

    def prefixes(self) -> tuple[str, ...]:
        """Give the prefixes of the pools, once the cluster is known: by a call before, or by the setting ``fsid``."""
        if self._fsid is None:
            return ()
        return tuple(
            str(RbdRef("x", pool, self._fsid, "x")).removesuffix("x/x")
            for pool in (self.settings.pool, *self.settings.pools)
            if pool != "*"
        )

    def owns(self, ref: str) -> bool:
        """Say whether a reference points into this store; none that names a cluster does before ours is known."""
        try:
            parsed = parse_ref(ref)
        except InvalidRef:
            return False
        return self._takes(parsed) and parsed.fsid in (None, self._fsid)

    def _takes(self, ref: RbdRef) -> bool:
        pools = (None, self.settings.pool, *self.settings.pools)
        return ref.pool in pools or "*" in self.settings.pools

    # -- places ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _own_pool(self) -> Iterator[Pool]:
        """Give the pool of new images; Misconfigured if it is not there."""
        with self._leases.connection() as connection:
            self._know(connection.fsid)
            try:
                yield connection.pool(self.settings.pool)
            except NotFound as error:
                if error.what != "container":
                    raise
                raise Misconfigured(error.message, setting="pool") from error

    @contextlib.contextmanager
    def _pool_of(self, ref: RbdRef, text: str, *, deleting: bool = False) -> Iterator[Pool]:
        """Give the pool that a reference names; InvalidRef if this store has nothing to do with it."""
        if not self._takes(ref):
            why = "its pool is none of this store's; the setting 'pools' allows others"
            raise InvalidRef(f"{text}: {why}", why=why)
        with self._leases.connection() as connection:
            self._know(connection.fsid)
            lax = ("any",) if deleting else ("any", "read")
            if ref.fsid not in (None, connection.fsid) and self.settings.foreign_fsid not in lax:
                why = f"it names another cluster than {connection.fsid}; see the setting 'foreign_fsid'"
                raise InvalidRef(f"{text}: {why}", why=why)
            yield connection.pool(ref.pool or self.settings.pool)

    @contextlib.contextmanager
    def client(self) -> Iterator[Any]:
        """Give the vendor's own client of the cluster, connected, for as long as the block lasts."""
        with self._leases.connection() as connection:
            self._know(connection.fsid)
            yield connection.rados

    def _know(self, fsid: str) -> None:
        if self.settings.fsid not in (None, fsid):
            raise Misconfigured(
                f"the cluster is {fsid}, and not the one that the setting 'fsid' expects",
                setting="fsid",
            )
        self._fsid = fsid

    # -- reading -----------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        parsed = parse_ref(ref)
        with self._pool_of(parsed, ref) as pool:
            image_id = removal.find(pool, parsed.image, ref)
            number = pool.snapshot(image_id, parsed.snapshot or SNAPSHOT)
            if number is None and parsed.snapshot is None:
                return self._live(pool, ref, parsed, image_id)
            info = (
                None
                if number is None
                else listing.info_of(pool, ref, parsed.image, image_id, number)
            )
            if info is None:
                raise NotFound(f"{ref} is not there: the image has no such snapshot")
            return info

    def _live(self, pool: Pool, ref: str, parsed: RbdRef, image_id: str) -> Info:
        """Describe an image without a snapshot, which only the old form of references can mean."""
        image = open_image(pool, ref, image_id=image_id)
        try:
            with image.connection.guard(ref, pool):
                size = int(image.raw.size())
        finally:
            image.close()
        return Info(ref, size, None, parsed.image, pool.created(image_id))

    def open(self, ref: str) -> Reader:
        parsed = parse_ref(ref)
        with self._pool_of(parsed, ref) as pool:
            info = self.stat(ref)
            image_id, _, number = (info.version or "").partition(".")
            image_id = image_id or removal.find(pool, parsed.image, ref)
            snapshot = (parsed.snapshot or SNAPSHOT) if number else None
            image = open_image(pool, ref, image_id=image_id, snapshot=snapshot)
            try:
                return RbdReader(image, info, image_id, int(number) if number else None)
            except BaseException:
                image.close()
                raise

    # -- writing -----------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        """Whole objects, several of them where they are small, aligned shares of them where they are large."""
        while True:
            yield _PART

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        check_name(name)
        with self._own_pool() as pool:
            _refuse_existing(pool, name)
            if size is not None and size > _SMALL:
                self._refuse_too_large(pool, size)
            upload = self._new(pool, name)
            try:
                upload.start(pool, size or 0)
                upload.label(labels)
            except BaseException as error:
                _give_up(upload, error)
                raise
            return upload

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Let librbd copy an image of the same cluster: no byte passes through Python, and holes stay holes."""
        if not isinstance(source, RbdDriver):
            raise Unsupported("only RBD images can be copied inside an RBD store")
        check_name(name)
        with self._own_pool() as pool, source.open(ref) as reader:
            if (
                not isinstance(reader, RbdReader)
                or reader.image.connection.fsid != pool.connection.fsid
            ):
                raise Unsupported("the two stores are in different clusters")
            _refuse_existing(pool, name)
            upload = self._new(pool, name)
            try:
                size = upload.copy(pool, reader.image)
                reader.verify()
                upload.label(labels)
            except BaseException as error:
                _give_up(upload, error)
                raise
            return upload, size

    def _new(self, pool: Pool, name: str) -> RbdUpload:
        settings = self.settings
        features = self._features(pool)
        layout = Layout(settings.object_size.bit_length() - 1, features, settings.data_pool)
        return RbdUpload(self._leases, pool.name, name, layout)

    def _features(self, pool: Pool) -> int:
        """Give the features of new images; a journal, which doubles every write, only where it is asked for."""
        ours = feature_bits(self.settings)
        return pool.connection.features() & ~FEATURES["journaling"] if ours is None else ours

    def _refuse_too_large(self, pool: Pool, size: int) -> None:
        """Refuse what does not fit: into all there is if holes are kept, else into what is free."""
        counted = self._data(pool).room()
        if counted is None:
            return
        used, free = counted
        room = used + free if self.settings.thin else free
        if size > room:
            raise NoSpace(f"the pool {pool.name!r} has room for {room} bytes, the image has {size}")

    def _data(self, pool: Pool) -> Pool:
        name = self.settings.data_pool
        if name is None:
            return pool
        try:
            return pool.connection.pool(name)
        except NotFound as error:
            raise Misconfigured(error.message, setting="data_pool") from error

    def pending(self) -> Iterator[Pending]:
        with self._own_pool() as pool:
            yield from sweep.pending(pool)

    def discard(self, token: str) -> None:
        parsed = parse_token(token)
        if parsed is not None and parsed.pool == self.settings.pool:
            with self._own_pool() as pool:
                sweep.discard(pool, parsed, self.settings.busy_timeout)

    def published(self, token: str) -> Stored | None:
        parsed = parse_token(token)
        if parsed is None or parsed.pool != self.settings.pool:
            return None
        with self._own_pool() as pool:
            return sweep.published(pool, parsed)

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        parsed = parse_ref(ref)
        try:
            with self._pool_of(parsed, ref, deleting=True) as pool:
                removal.delete(
                    pool,
                    parsed.image,
                    parsed.snapshot,
                    ref,
                    patience=self.settings.busy_timeout,
                    trash=self.settings.foreign_snapshots == "trash",
                )
        except NotFound as error:
            if error.what != "container":
                raise
            # Whoever hears NotFound takes the image for deleted; a pool may come back.
            raise Misconfigured(error.message, setting="pool") from error

    def list(self) -> Iterator[Info]:
        """List the images of the pool that have the snapshot."""
        with self._own_pool() as pool:
            yield from listing.images(pool)

    def usage(self) -> Usage:
        with self._own_pool() as pool:
            data = self._data(pool)
            counted = data.room()
            if counted is None:
                raise Unavailable(f"the cluster has not counted the pool {data.name!r} yet")
            used, free = counted
            return Usage(used + free, used, free)

    def check(self) -> None:
        """Do all that an upload does, but for the name of an image, and remove it again."""
        with self._own_pool() as pool:
            self._data(pool).room()
            upload = self._new(pool, "check")
            if (
                not (feature_bits(self.settings) or pool.connection.features())
                & FEATURES["layering"]
            ):
                raise Misconfigured(
                    "new images would not have the feature layering, and could not be cloned",
                    setting="features",
                )
            try:
                upload.start(pool, 0)
                upload.rehearse()
            except BaseException as error:
                _give_up(upload, error)
                raise
            upload.abort()

    def close(self) -> None:
        self._leases.close()


def _refuse_existing(pool: Pool, name: str) -> None:
    if pool.taken(name):
        raise AlreadyExists(f"the image {name!r} is there already")


def _give_up(upload: RbdUpload, error: BaseException) -> None:
    """Leave nothing of an upload that could not be begun; ``error`` is why."""
    try:
        upload.abort()
    except StoreError as trouble:
        error.add_note(f"an unfinished image may be left: {trouble}")
