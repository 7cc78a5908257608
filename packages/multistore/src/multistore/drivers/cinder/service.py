"""Cinder's API as the driver uses it: one session to a store, values instead of the client's objects."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from multistore.driver import PerProcess
from multistore.drivers.cinder.errors import guard
from multistore.drivers.cinder.labels import GIB, Volume, is_of, unfinished
from multistore.drivers.cinder.refs import volume_name
from multistore.errors import Misconfigured, NotFound, StoreError, TimedOut, Unavailable

if TYPE_CHECKING:
    from multistore.drivers.cinder.sdk import Sdk
    from multistore.drivers.cinder.settings import CinderSettings
    from multistore.model import Caller

__all__ = ["Attachment", "Service", "insist"]

#: Between two looks at a volume: so long at first, then half as long again, up to the second.
_FIRST, _LONGEST = 0.2, 2.0
#: Storage takes so long to make a volume: there is no use in looking at once.
_MAKING = 0.4
#: How long what has to be undone is tried.
_INSISTENCE = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A volume's attachment to a host; ``info`` says how the host gets at it, and may hold passwords."""

    id: str
    status: str
    info: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Attachment({self.id!r}, {self.status!r})"


class _Clients:
    """What costs a login: one to a process."""

    def __init__(self, sdk: Sdk, settings: CinderSettings, caller: Caller | None) -> None:
        self.client = sdk.client(settings, caller)
        self.owner: str | None = None
        self.properties: dict[str, Any] | None = None


class Service:
    """Cinder's API for one store."""

    def __init__(self, sdk: Sdk, settings: CinderSettings, caller: Caller | None = None) -> None:
        self.sdk = sdk
        self.settings = settings
        self._caller = caller
        self._clients: PerProcess[_Clients] = PerProcess(lambda: _Clients(sdk, settings, caller))

    def for_caller(self, caller: Caller) -> Service:
        """Give the API as a caller may use it: with its own identity, a store shares its session."""
        if not self.settings.with_service:
            return Service(self.sdk, self.settings, caller)
        made = Service(self.sdk, self.settings, caller)
        made._clients = self._clients
        return made

    def owner(self) -> str:
        """Give the project that an image belongs to: the caller's, or else the one that the store works in."""
        if self._caller is not None and self._caller.project:
            return self._caller.project
        clients = self._clients.get()
        if clients.owner is None:
            with guard("asking Keystone"):
                clients.owner = self.sdk.owner(clients.client)
        return clients.owner

    def properties(self) -> dict[str, Any]:
        """Say what this host is; asked once, for some of it takes commands."""
        clients = self._clients.get()
        if clients.properties is None:
            with guard("asking this host for its addresses on storage networks"):
                api = self.sdk.endpoint(clients.client)
                clients.properties = self.sdk.properties(self.settings, api)
        return clients.properties

    def client(self) -> Any:
        """Give the client of the library."""
        return self._api

    def close(self) -> None:
        """Forget the session."""
        clients = self._clients.drop()
        session = getattr(getattr(clients and clients.client, "client", None), "session", None)
        inner = getattr(session, "session", None)
        if inner is not None:
            inner.close()

    @property
    def _api(self) -> Any:
        return self._clients.get().client

    # -- volumes -----------------------------------------------------------------------------

    def create(self, name: str, gib: int, nonce: str, source: str | None = None) -> Volume:
        """Ask for a volume, a copy of the volume ``source`` perhaps; it is being made when this returns."""
        try:
            with guard(f"making a volume for the image {name!r}"):
                volume = _volume(
                    self._api.volumes.create(
                        gib,
                        name=volume_name(name),
                        volume_type=self.settings.volume_type,
                        metadata=unfinished(name, nonce, self.settings.store),
                        source_volid=source,
                    )
                )
        except NotFound as error:
            if source is not None:
                raise
            raise Misconfigured(error.message, setting="volume_type") from error
        return volume

    def making(self, volume: Volume) -> None:
        """Give a new volume the time that it takes at the least."""
        if volume.status == "creating":
            time.sleep(_MAKING)

    def volume(self, volume_id: str) -> Volume:
        """Look at a volume; NotFound if there is none."""
        with guard(f"the volume {volume_id}"):
            return _volume(self._api.volumes.get(volume_id))

    def touch(self, volume: Volume) -> None:
        """Make Cinder note that a volume was changed just now."""
        with guard(f"the volume {volume.id}"):
            self._api.volumes.update(volume.id, name=volume.name)

    def now(self) -> float:
        """Tell the time by Cinder's clock, in seconds since the epoch; by this host's if its answers have no date."""
        with guard("asking Cinder for the time"):
            response, _ = self._api.client.get("/volumes?limit=1")
        try:
            return parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return time.time()

    def named(self, name: str, volume_id: str) -> list[Volume]:
        """Look at all volumes of an image's name, and surely at the one whose number is given, if it is there."""
        with guard(f"the volumes of the image {name!r}"):
            found = self._api.volumes.list(search_opts={"name": volume_name(name)})
            volumes = [_volume(each) for each in found if each.name == volume_name(name)]
        if all(each.id != volume_id for each in volumes):
            with contextlib.suppress(NotFound):
                volumes.append(self.volume(volume_id))
        return volumes

    def volumes(self) -> Iterator[Volume]:
        """List the volumes of the project that are this store's, as far as can be told."""
        with guard("the list of volumes"):
            found = self._api.volumes.list()
        for each in found:
            volume = _volume(each)
            if self.owns(volume):
                yield volume

    def owns(self, volume: Volume) -> bool:
        """Say whether a volume is this store's, and not of another one in the same project."""
        return is_of(volume, self.settings.store, self.settings.volume_type)

    def label(self, volume_id: str, labels: Mapping[str, str]) -> None:
        """Replace all labels of a volume at once."""
        with guard(f"labelling the volume {volume_id}"):
            self._api.volumes.update_all_metadata(volume_id, dict(labels))

    def protect(self, volume_id: str) -> None:
        """Make a volume read-only."""
        with guard(f"making the volume {volume_id} read-only"):
            self._api.volumes.update_readonly_flag(volume_id, True)

    def extend(self, volume_id: str, gib: int) -> None:
        """Ask for a larger volume; it is being extended when this returns."""
        with guard(f"extending the volume {volume_id} to {gib} GiB"):
            self._api.volumes.extend(volume_id, gib)

    def delete(self, volume_id: str) -> None:
        """Ask for a volume to be deleted; InUse while its state forbids it."""
        with guard(f"deleting the volume {volume_id}"):
            self._api.volumes.delete(volume_id)

    def check_type(self) -> None:
        """Make sure that the store's volume type is there."""
        wanted = self.settings.volume_type
        if wanted is None:
            return
        with guard("the volume types"):
            types = [str(each.name) for each in self._api.volume_types.list()]
        if wanted not in types:
            raise Misconfigured(
                f"Cinder has no volume type {wanted!r} for this project", setting="volume_type"
            )

    def default_type(self) -> str | None:
        """Give the name of the type that Cinder gives to volumes without one."""
        with guard("the default volume type"):
            found = self._api.volume_types.default()
        return str(found.name) if getattr(found, "name", None) else None

    def room(self) -> tuple[int, int | None]:
        """Give the bytes of all volumes of the project, and its quota; None: it has none."""
        with guard("the quota of volumes"):
            project = self.sdk.owner(self._api)
            found = self._api.quotas.get(project, usage=True).gigabytes
        limit = int(found["limit"])
        used = int(found["in_use"]) + int(found.get("reserved") or 0)
        return used * GIB, None if limit < 0 else limit * GIB

    def wait(
        self, look: Callable[[], Volume], through: tuple[str, ...], until: tuple[str, ...]
    ) -> Volume:
        """Look at a volume until its state is one of ``until``, as long as it is one of ``through``."""
        return self.expect(self.settled(look, through), through, until)

    def expect(self, volume: Volume, through: tuple[str, ...], until: tuple[str, ...]) -> Volume:
        """Give a volume if it is as it should be after it ``settled``; TimedOut or Unavailable if not."""
        if volume.status in through:
            seconds = self.settings.state_timeout
            raise TimedOut(
                f"the volume {volume.id} is still {volume.status} after {seconds:g} s: see state_timeout",
                seconds=seconds,
            )
        if volume.status not in until:
            raise Unavailable(
                f"the volume {volume.id} is {volume.status} and not {until[0]}; look at Cinder's logs"
            )
        return volume

    def settled(self, look: Callable[[], Volume], through: tuple[str, ...]) -> Volume:
        """Look at a volume until its state is none of ``through`` any more, or the time for that is over."""
        end = time.monotonic() + self.settings.state_timeout
        pause = _FIRST
        while True:
            volume = look()
            if volume.status not in through or time.monotonic() + pause > end:
                return volume
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST)

    # -- attachments -------------------------------------------------------------------------

    def attach(self, volume_id: str, mode: str) -> Attachment:
        """Attach a volume to this host; InUse while its state forbids it."""
        properties = {**self.properties(), "mountpoint": "multistore"}
        with guard(f"attaching the volume {volume_id}"):
            made = self._api.attachments.create(volume_id, properties, None, mode)
            return _attachment(made)

    def attachment(self, attachment_id: str) -> Attachment | None:
        """Look at an attachment; None if it is gone."""
        try:
            with guard(f"the attachment {attachment_id}"):
                return _attachment(self._api.attachments.show(attachment_id).to_dict())
        except NotFound:
            return None

    def attachments(self, volume_id: str) -> list[Attachment]:
        """List the attachments of a volume."""
        with guard(f"the attachments of the volume {volume_id}"):
            found = self._api.attachments.list(search_opts={"volume_id": volume_id})
            return [Attachment(each.id, str(each.status), {}) for each in found]

    def complete(self, attachment_id: str) -> None:
        """Say that the volume is in use by this host."""
        with guard(f"completing the attachment {attachment_id}"):
            self._api.attachments.complete(attachment_id)

    def detach(self, attachment_id: str) -> None:
        """Remove an attachment, with a few attempts; none is left if it is gone already."""

        def once() -> None:
            try:
                with guard(f"removing the attachment {attachment_id}"):
                    self._api.attachments.delete(attachment_id)
            except NotFound:
                pass

        insist(once)


def insist(work: Callable[[], object]) -> None:
    """Do what must not be left undone, several times if it fails; the last error comes out."""
    for pause in _INSISTENCE:
        try:
            work()
        except StoreError as error:
            if not error.retryable or error.final:
                raise
        else:
            return
        time.sleep(pause)
    work()


def _volume(found: Any) -> Volume:
    metadata = {str(key): str(value) for key, value in (found.metadata or {}).items()}
    return Volume(
        id=str(found.id),
        name=str(found.name or ""),
        status=str(found.status),
        size=int(found.size),
        metadata=metadata,
        type=getattr(found, "volume_type", None),
        created=getattr(found, "created_at", None),
        attached=bool(getattr(found, "attachments", None)),
        updated=getattr(found, "updated_at", None),
    )


def _attachment(found: Mapping[str, Any]) -> Attachment:
    return Attachment(
        str(found["id"]), str(found.get("status")), found.get("connection_info") or {}
    )
