"""The verbs of a Cinder store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from multistore.driver import Driver, Reader, Upload
from multistore.drivers.cinder import removal
from multistore.drivers.cinder.holds import Holds
from multistore.drivers.cinder.labels import info_of
from multistore.drivers.cinder.mounts import sweep_mounts
from multistore.drivers.cinder.reader import CinderReader
from multistore.drivers.cinder.refs import CinderRef, check_name, parse_ref, parse_token
from multistore.drivers.cinder.sdk import Sdk
from multistore.drivers.cinder.service import Service
from multistore.drivers.cinder.settings import CinderSettings, settings_of_url
from multistore.drivers.cinder.upload import CinderUpload
from multistore.errors import InvalidRef, StoreError, Unsupported
from multistore.model import Caller, Capabilities, Info, Pending, Stored, Usage, Verb

__all__ = ["CinderDriver"]

#: Whole objects or extents of every storage that is known; larger ones gain nothing.
_PART = 8 << 20
#: A volume's size in GiB is a signed number of 32 bits for Cinder.
_LARGEST = ((1 << 31) - 1) << 30


class CinderDriver(Driver):
    """Images as volumes of Cinder, one each, with the labels that Cinder and Glance know."""

    schemes: ClassVar[tuple[str, ...]] = ("cinder",)
    settings_type = CinderSettings

    def __init__(
        self, settings: CinderSettings, *, sdk: Sdk | None = None, service: Service | None = None
    ) -> None:
        self.settings = settings
        self._service = service or Service(sdk or Sdk(), settings)
        self._holds = Holds(settings.lock_path, settings.state_timeout + settings.timeout)
        self.capabilities = Capabilities(
            verbs=Verb.WRITE | Verb.DELETE | Verb.LIST | Verb.USAGE | Verb.COPY,
            ranged_read=True,
            parallel_reads=settings.parallel_reads,
            parallel_parts=settings.parallel,
            # Volumes may have the same name: two hosts that commit at the same moment both find that there is none.
            exclusive_create=False,
            hang_timeout=settings.hang_timeout,
        )

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        """Read ``cinder:``, ``cinder:NAME`` or ``cinder://NAME``."""
        return settings_of_url(url)

    @classmethod
    def parse(cls, text: str) -> CinderRef:
        return parse_ref(text)

    def prefixes(self) -> tuple[str, ...]:
        store = self.settings.store
        return ("cinder://" if store is None else f"cinder://{store}/",)

    def owns(self, ref: str) -> bool:
        """Say whether a reference names this store, or none: what it names exactly, not what begins like it."""
        try:
            return parse_ref(ref).store in (None, self.settings.store)
        except InvalidRef:
            return False

    def for_context(self, caller: Caller) -> CinderDriver:
        """Give this store for a caller: its token where the store has no user of its own, its project in any case."""
        return CinderDriver(self.settings, service=self._service.for_caller(caller))

    # -- reading -----------------------------------------------------------------------------

    def stat(self, ref: str) -> Info:
        return info_of(removal.image(self._service, parse_ref(ref), ref), ref)

    def open(self, ref: str) -> Reader:
        volume = removal.image(self._service, parse_ref(ref), ref)
        return CinderReader(self._service, self._holds, volume, info_of(volume, ref))

    # -- writing -----------------------------------------------------------------------------

    def parts(self, size: int | None) -> Iterator[int]:
        """Parts of 8 MiB, up to the largest volume that there can be."""
        left = _LARGEST
        while left:
            yield _PART
            left -= _PART

    def begin(self, name: str, size: int | None, labels: Mapping[str, str]) -> Upload:
        check_name(name)
        self._holds.check()
        upload = CinderUpload(self._service, self._holds, name, labels)
        with _given_up(upload):
            upload.start(size)
        return upload

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        """Let Cinder copy a volume of the same project: a clone, where the backend can."""
        if not (isinstance(source, CinderDriver) and _same_project(self, source)):
            raise Unsupported("only volumes of the same project can be copied inside Cinder")
        check_name(name)
        self._holds.check()
        volume = removal.image(source._service, parse_ref(ref), ref)
        if self.settings.volume_type not in (None, volume.type):
            raise Unsupported("Cinder copies a volume within its type")
        upload = CinderUpload(self._service, self._holds, name, labels)
        with _given_up(upload):
            upload.copy(volume)
            removal.image(source._service, parse_ref(ref), ref)  # it was an image all the time
        return upload, volume.image_size

    def pending(self) -> Iterator[Pending]:
        yield from removal.pending(self._service)

    def discard(self, token: str) -> None:
        parsed = parse_token(token)
        if parsed is not None:
            removal.discard(self._service, self._holds, parsed)

    def published(self, token: str) -> Stored | None:
        parsed = parse_token(token)
        if parsed is None:
            return None
        return removal.published(self._service, parsed, self.settings.store)

    # -- the other verbs ---------------------------------------------------------------------

    def delete(self, ref: str) -> None:
        removal.delete(self._service, self._holds, parse_ref(ref), ref)

    def list(self) -> Iterator[Info]:
        """List the volumes that are images, those of the store's type if it has one."""
        for each in self._service.volumes():
            if each.image is not None:
                yield info_of(each, store=self.settings.store)

    def usage(self) -> Usage:
        """Tell the project's quota of volumes, and how much of it is taken, by others' volumes too."""
        used, total = self._service.room()
        return Usage(total, used, None if total is None else max(0, total - used))

    def check(self) -> None:
        """Make sure of the locks, Cinder, the volume type, and that this host can be described to storage."""
        self.check_host()
        self.check_type()
        self._service.properties()

    def check_host(self) -> None:
        """Make sure of what needs no server: locks, and the libraries; and remove mounts and locks that nobody uses."""
        self._holds.check()
        self._service.sdk.check()
        sweep_mounts(self._holds, self.settings.root_helper, self.settings.mount_base)
        removal.sweep_holds(self._holds)

    def check_type(self) -> None:
        """Make sure that Cinder has the store's volume type."""
        self._service.check_type()

    def client(self) -> Any:
        """Give the client of Cinder's API that this store uses."""
        return self._service.client()

    def default_type(self) -> str | None:
        """Give the type that Cinder gives to volumes for which none is asked."""
        return self._service.default_type()

    def type_of(self, ref: str) -> str | None:
        """Give the type of a volume; NotFound if there is none."""
        return self._service.volume(parse_ref(ref).volume).type

    def close(self) -> None:
        self._service.close()


@contextlib.contextmanager
def _given_up(upload: CinderUpload) -> Iterator[None]:
    """Leave nothing of an upload that could not be begun in the block."""
    try:
        yield
    except BaseException as error:
        try:
            upload.abort()
        except StoreError as trouble:
            upload.leave()
            error.add_note(f"an unfinished volume may be left: {trouble}")
        raise


def _same_project(one: CinderDriver, other: CinderDriver) -> bool:
    """Say whether two stores work in one project of one Cinder with one identity of their own."""
    names = (
        "auth_url",
        "username",
        "project",
        "project_domain",
        "application_credential_id",
        "region",
        "endpoint",
    )
    same = all(getattr(one.settings, name) == getattr(other.settings, name) for name in names)
    return same and (one.settings.with_service or one._service is other._service)
