"""Deleting images, undoing uploads, and sweeping what killed ones have left; only what carries our label is touched."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from multistore.drivers.cinder.abandoned import detach_left
from multistore.drivers.cinder.labels import Volume, nonce_of
from multistore.drivers.cinder.refs import CinderRef, Token
from multistore.drivers.cinder.service import insist
from multistore.errors import InUse, NotFound, TimedOut, Unavailable
from multistore.model import Pending, Stored

if TYPE_CHECKING:
    from multistore.drivers.cinder.holds import Holds
    from multistore.drivers.cinder.service import Service

__all__ = [
    "QUIET",
    "delete",
    "discard",
    "image",
    "pending",
    "published",
    "remove_unfinished",
    "sweep_holds",
]

_PAUSE = 0.25
#: Cinder lists no attachment in these states: it is still to be completed.
_HELD = ("reserved", "attaching")
#: After so many seconds without a change of its state, the writer of a volume that is not attached is dead on whatever host.
QUIET = 600.0


def image(service: Service, ref: CinderRef, text: str) -> Volume:
    """Look at the volume of an image; NotFound if it is not there, or no image."""
    try:
        volume = service.volume(ref.volume)
    except NotFound as error:
        raise NotFound(f"{text} is not there: Cinder knows no such volume") from error
    if volume.image is None:
        why = "is no image of this store, or not any more"
        raise NotFound(f"{text} is not there: the volume {why}")
    return volume


def delete(service: Service, holds: Holds, ref: CinderRef, text: str) -> None:
    """Delete an image, once those that read it have let go."""
    end = time.monotonic() + service.settings.busy_timeout
    volume = image(service, ref, text)
    while True:
        try:
            if not volume.attached and volume.status not in _HELD:
                service.delete(volume.id)
                return _gone(service, volume.id, text)
            # Attached, or about to be: by a living process of this host, by a dead one, or elsewhere.
            if detach_left(service, holds, volume.id, partial(service.delete, volume.id)):
                return _gone(service, volume.id, text)
        except InUse as error:
            busy = error
        else:
            busy = InUse(f"{text} is being read on this host")
        if time.monotonic() + _PAUSE > end:
            raise busy
        time.sleep(_PAUSE)
        volume = image(service, ref, text)


def _gone(service: Service, volume_id: str, text: str) -> None:
    """See a deletion end, for a while: storage that finds the volume in use makes Cinder take it back.

    Whoever dies with a Ceph volume open keeps it in use for half a minute.
    """
    end = time.monotonic() + service.settings.busy_timeout
    pause = _PAUSE / 2
    while time.monotonic() < end:
        try:
            volume = service.volume(volume_id)
        except NotFound:
            return
        if volume.status == "error_deleting":
            raise Unavailable(
                f"{text}: the deletion failed; look at Cinder's logs, and sweep later"
            )
        if volume.status != "deleting":
            raise InUse(f"{text} was not deleted: its storage says that somebody has it open")
        time.sleep(pause)
        pause *= 1.5


def remove_unfinished(service: Service, name: str, volume_id: str, nonce: str) -> None:
    """Remove the own volume of an upload; one whose number was never heard of is found by its label."""
    if not volume_id:
        for each in service.volumes():
            if each.name.endswith(name) and each.token and each.token.nonce == nonce:
                volume_id = each.id
        if not volume_id:
            return
    token = Token(volume_id, nonce)
    insist(lambda: _remove(service, token))


def discard(service: Service, holds: Holds, token: Token) -> None:
    """Remove the volume of an unfinished upload, and see it go; InUse while its writer may live.

    Of a writer of this host, its lock tells. One of another host is at work as long as its volume is attached, and between
    its attachments for less than ``QUIET`` seconds.
    """
    volume = _of_token(service, token)
    if volume is None and _is_gone(service, token.volume):
        if holds.known(f"volume-{token.volume}"):
            detach_left(service, holds, token.volume)  # another host has swept it
        return
    if volume is None or volume.token is None:
        return
    wanted = repr(volume.wanted)
    here = holds.known(f"volume-{volume.id}")

    def remove() -> None:
        if not here:
            _check_quiet(service, token)
        # Nobody of this host can publish it from here on; look once more, for somebody may have.
        _remove(service, token)

    if not detach_left(service, holds, volume.id, remove):
        raise InUse(f"the upload of {wanted} is still at it, on this host")
    _gone(service, volume.id, f"the volume {volume.id}")


def _check_quiet(service: Service, token: Token) -> None:
    """Leave alone, with InUse, what a writer of another host may just be about to attach or to label."""
    now = service.now()
    volume = _of_token(service, token)
    if volume is None or volume.status == "error_deleting":
        return  # nobody writes to that
    if volume.changed is None or now - volume.changed < QUIET:
        raise InUse(
            f"the upload of {volume.wanted!r} may still be at it, on another host: sweep there, or here once its volume"
            f" {volume.id} has been left alone for {QUIET / 60:g} minutes"
        )


def _remove(service: Service, token: Token) -> None:
    volume = _of_token(service, token)
    if volume is not None and volume.token is not None:
        with contextlib.suppress(NotFound):
            service.delete(volume.id)


def sweep_holds(holds: Holds) -> None:
    """Remove the lock files of volumes that nobody of this host uses, and that say of nothing to be undone.

    Their volumes may be another project's, so Cinder is not asked. A volume that is there after all is then swept like one
    of another host: later, and no less surely.
    """
    for key in holds.names():
        if not key.startswith("volume-"):
            continue
        with contextlib.suppress(TimedOut), holds.guard(key):
            if not holds.known(key):
                continue
            hold = holds.hold(key)
            hold.drop(remove=hold.alone() and not hold.read() and hold.quiet() > QUIET)


def _is_gone(service: Service, volume_id: str) -> bool:
    try:
        service.volume(volume_id)
    except NotFound:
        return True
    return False


def pending(service: Service) -> Iterator[Pending]:
    """List the volumes of unfinished uploads, living or not, and of deletions that failed."""
    for each in service.volumes():
        if each.token is not None:
            yield Pending(str(each.token), each.wanted, each.started)


def published(service: Service, token: Token, store: str | None) -> Stored | None:
    """Give the image that the upload of a token became, or None."""
    volume = _of_token(service, token)
    if volume is None or volume.image is None:
        return None
    return Stored(str(CinderRef(volume.id, store)), volume.image_size)


def _of_token(service: Service, token: Token) -> Volume | None:
    try:
        volume = service.volume(token.volume)
    except NotFound:
        return None
    if volume.status == "deleting" or nonce_of(volume) != token.nonce:
        return None
    return volume
