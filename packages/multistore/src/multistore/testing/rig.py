"""Rig: all that the author of a driver tells the suite."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from multistore.driver import Driver
from multistore.model import Caller

__all__ = ["Rig"]


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A backend, made ready to be judged; only ``make`` is required.

    Every further field lets the suite look closer: what is not given is skipped, with the reason shown.
    """

    #: Makes a fresh driver on the same backend each time, as another process would.
    make: Callable[[], Driver]
    #: Another process sees the same backend; False for memory.
    shared: bool = True
    #: Makes a driver whose backend does not exist (a missing directory, a closed port), to prove that nothing is asked of it.
    unreachable: Callable[[], Driver] | None = None
    #: A URL that opens the backend by the registry.
    url: str | None = None

    #: Puts an image into the backend past the driver, and gives its reference; needed for a driver that cannot write.
    plant: Callable[[str, bytes], str] | None = None
    #: Replaces the bytes behind a reference past the driver.
    rewrite: Callable[[str, bytes], None] | None = None
    #: Damages some stored bytes past the driver; the size stays.
    corrupt: Callable[[str], None] | None = None
    #: Gives whatever lies in the backend and is no published image: temporary files, staged parts, open uploads.
    leftovers: Callable[[], Iterable[object]] | None = None

    #: Names that must be refused with InvalidRef.
    hostile_names: Sequence[str] = ()
    #: References that must be refused with InvalidRef.
    bad_refs: Sequence[str] = ()
    #: References of other stores: ``owns`` is false, and they are InvalidRef or NotFound.
    foreign_refs: Sequence[str] = ()
    #: A well-formed reference to nothing; needed for a driver that cannot delete.
    missing_ref: str | None = None
    #: A size, in bytes, that cannot fit.
    too_large: int | None = None
    #: Texts that must never be seen: passwords, tokens, keys.
    secrets: Sequence[str] = ()
    #: The vendor's modules, which importing the driver must not load.
    sdk: Sequence[str] = ()
    #: Somebody on whose behalf calls may be made.
    caller: Caller | None = None
    #: This backend can copy inside itself; None: it may find out that it cannot.
    copies: bool | None = None

    #: Images of up to so many bytes are sent by their commit alone: before it nothing of them is in the backend, and pending.
    unstaged: int = 0
    #: The largest image that the suite may write, in bytes.
    largest: int = 64 << 20
    #: How long the suite waits for anything, in seconds.
    patience: float = 15.0
    #: How many fault positions are tried; None: all.
    faults: int | None = None
    #: What every name begins with.
    prefix: str = "conformance-"

    def new_name(self) -> str:
        """Give a name that nobody has used."""
        return f"{self.prefix}{uuid.uuid4()}"
