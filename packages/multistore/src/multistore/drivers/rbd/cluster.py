"""One connection to a cluster, counted by those who use it."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multistore.drivers.rbd import sdk
from multistore.drivers.rbd.errors import BROKEN, translated
from multistore.drivers.rbd.pools import Pool
from multistore.drivers.rbd.sdk import Sdk
from multistore.drivers.rbd.settings import FEATURES
from multistore.errors import Misconfigured, NotFound, StoreError, TimedOut, Unauthenticated

if TYPE_CHECKING:
    from multistore.drivers.rbd.images import OpenImage

__all__ = ["Connection", "Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What makes two stores share a connection."""

    conf: str | None
    user: str | None
    connect_timeout: float
    timeout: float
    options: tuple[tuple[str, str], ...]
    bindings: str
    sdk: Sdk | None = None

    @property
    def conf_file(self) -> str:
        """The path of ceph.conf that the library will find."""
        return self.conf or os.environ.get("CEPH_CONF") or "/etc/ceph/ceph.conf"

    @property
    def who(self) -> str:
        """The name of the client."""
        return f"client.{self.user or 'admin'}"

    def settings(self) -> dict[str, str]:
        """Give what is set before ceph.conf has its say."""
        request = str(max(1, round(self.timeout)))
        return {
            # Parts are whole objects: a cache would copy them once more, and hold memory.
            "rbd_cache": "false",
            # The library ignores the argument of connect(); it heeds these.
            "client_mount_timeout": str(max(1, round(self.connect_timeout))),
            "rados_mon_op_timeout": request,
            "rados_osd_op_timeout": request,
            **dict(self.options),
        }


class Connection:
    """One client of one cluster; ``hold`` and ``drop`` count who uses it, the last one shuts it down."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.sdk = profile.sdk or sdk.load(profile.bindings)
        self.fsid = ""
        self.instance = 0
        #: Everything that is open, so that nothing is ever closed by the garbage collector, least of all in a forked
        #: child, where the library's threads are missing and closing hangs.
        self.open: set[OpenImage] = set()
        #: What had not ended closing when somebody stopped waiting for it.
        self.closing: set[OpenImage] = set()
        self._lock = threading.Lock()
        self._users = 0
        #: It is shut down.
        self.ended = False
        self._broken = False
        self._pools: dict[str, Pool] = {}
        self._former: list[Pool] = []
        self._files: tuple[str, ...] = (profile.conf_file,)
        self._stamps = _stamps(self._files)
        try:
            self.rados: Any = self.sdk.rados.Rados(
                conffile=profile.conf or "", rados_id=profile.user, conf=profile.settings()
            )
        except self.sdk.rados.Error as error:
            raise self._unreadable(error) from error

    # -- the beginning and the end -------------------------------------------------------------

    def connect(self) -> None:
        """Connect, within the limit; a failure leaves nothing behind."""
        rados = self.rados
        try:
            keyrings = str(rados.conf_get("keyring") or "").split(",")
            self._files += tuple(each.strip() for each in keyrings if each.strip())
            self._stamps = _stamps(self._files)
            _in_a_thread(rados.connect)
            self.fsid = str(rados.get_fsid())
            self.instance = int(rados.get_instance_id())
        except BaseException as error:
            rados.shutdown()
            if isinstance(error, self.sdk.rados.Error):
                raise self._refused(error) from error
            raise

    def hold(self) -> bool:
        """Count one more user; False if it cannot be used any more: broken, shut down, or made with old keys."""
        if self._broken or self._stamps != _stamps(self._files):
            return False
        with self._lock:
            if self.ended:
                return False
            self._users += 1
            return True

    def settle(self) -> None:
        """Let go of what has ended closing meanwhile."""
        for image in list(self.closing):
            image.settle()

    def keep(self) -> None:
        """Count one more user while there is another, be it with old keys."""
        with self._lock:
            self._users += 1

    def drop(self) -> None:
        """Count one user less; the last one shuts the connection down."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            self.ended = True
            pools = [*self._pools.values(), *self._former]
            self._pools.clear()
            self._former.clear()
        for pool in pools:
            pool.close()
        self.rados.shutdown()

    def leave(self, until: float) -> bool:
        """Close what is open, at the end of the process; False if something still is open when it is ``until``."""
        while self.open and time.monotonic() < until:
            for image in list(self.open):
                image.abandon()
                image.settle()
            time.sleep(0.001)
        return not self.open

    # -- pools ---------------------------------------------------------------------------------

    def pool(self, name: str) -> Pool:
        """Give the I/O context of a pool, the same one each time; NotFound if there is no such pool."""
        with self.guard(f"the pool {name!r}"):
            number = self.rados.pool_lookup(name)
            if number is None:
                raise no_pool(name)
            with self._lock:
                pool = self._pools.get(name)
                if pool is not None and pool.number == number:
                    return pool
                if pool is not None:  # removed, and made again
                    self._former.append(pool)
                made = Pool(self, name, number)
                self._pools[name] = made
                return made

    def features(self) -> int:
        """Give the features of new images by the cluster's configuration, and layering: nobody could clone them without."""
        with self.guard("reading the configuration"):
            text = str(self.rados.conf_get("rbd_default_features") or "")
        if text.isdecimal():
            return int(text) | FEATURES["layering"]
        named = (FEATURES.get(each.strip(), 0) for each in text.split(","))
        return sum(set(named)) | FEATURES["layering"]

    # -- errors --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def guard(self, what: str, pool: Pool | None = None) -> Iterator[None]:
        """Let none of the library's errors out of the block."""
        try:
            yield
        except (self.sdk.rados.Error, self.sdk.rbd.Error) as error:
            raise self.translated(error, what, pool) from error

    def translated(self, error: Exception, what: str, pool: Pool | None = None) -> StoreError:
        """Give the error of the tree; a pool that is gone is told from an image that is."""
        number = abs(getattr(error, "errno", 0) or 0)
        if number in BROKEN:
            self._broken = True
        if number == errno.ENOENT and pool is not None and not pool.exists():
            return no_pool(pool.name)
        return translated(error, what, self.profile.timeout)

    def _unreadable(self, error: Exception) -> Misconfigured:
        file = self._files[0]
        if not os.access(file, os.R_OK):
            why = "does not exist" if not os.path.exists(file) else "cannot be read"
            return Misconfigured(f"the configuration {file} {why}", setting="conf")
        setting = "options" if self.profile.options else "conf"
        return Misconfigured(
            f"Ceph's library refuses {file}, or {setting!r}: {error}", setting=setting
        )

    def _refused(self, error: Exception) -> StoreError:
        number = abs(getattr(error, "errno", 0) or 0)
        who, (conf, *keyrings) = self.profile.who, self._files
        if number == errno.ETIMEDOUT:
            seconds = self.profile.connect_timeout
            told = f"no monitor of the cluster answered within {seconds:g} s: look at mon_host in {conf}"
            return TimedOut(told, seconds=seconds)
        if number == errno.ENOENT:
            where = ", ".join(keyrings) or "any keyring"
            return Misconfigured(f"{who} cannot connect: its key is not in {where}", setting="user")
        if number in (errno.EACCES, errno.EPERM):
            return Unauthenticated(f"the cluster does not accept the key of {who}")
        if number == errno.EINVAL:
            told = f"{conf}, or the keyring of {who}, has something in it that Ceph does not take"
            return Misconfigured(told, setting="conf")
        return translated(error, "connecting to the cluster", self.profile.connect_timeout)


def _in_a_thread(work: Callable[[], object]) -> None:
    """Do ``work`` in a thread of its own.

    A client tells itself apart by a random number, which the library draws from a generator of the calling thread.
    A forked child has a copy of that generator: parent and child would draw the same number next, and when a cluster
    blocks the dead child it blocks the parent.
    The generator of a new thread is new.
    """
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="multistore-rbd-connect", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no thread can be had, and so no second client to be mistaken for
        work()
        return
    try:
        thread.join()
    except BaseException:
        thread.join()  # it ends within the limit on connecting; only then may the client be shut down
        raise
    if errors:
        raise errors[0]


def no_pool(name: str) -> NotFound:
    """Make the error of a pool that is not there; ``what`` tells it from an image that is not."""
    return NotFound(f"the cluster has no pool {name!r}", what="container")


def _stamps(files: tuple[str, ...]) -> tuple[tuple[int, int, int] | None, ...]:
    """Give what changes when one of the files does: a new keyring is used without a restart."""
    return tuple(_stamp(file) for file in files)


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
