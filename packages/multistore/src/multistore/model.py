"""The values that cross the seam between the core and its drivers, and the core and its callers.

All of them are frozen; sizes are bytes, times are seconds since the epoch unless said otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = [
    "Access",
    "Caller",
    "Capabilities",
    "Event",
    "EventHandler",
    "Fetched",
    "Info",
    "Pending",
    "Receipt",
    "State",
    "Stored",
    "Usage",
    "Verb",
    "Verdict",
]


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


class Verb(enum.Flag):
    """What a driver can do beyond ``stat`` and ``open``."""

    NONE = 0
    WRITE = enum.auto()
    DELETE = enum.auto()
    LIST = enum.auto()
    USAGE = enum.auto()
    COPY = enum.auto()
    ACCESS = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do, known from code and settings alone: asking costs no I/O.

    Everything defaults to "cannot".
    The conformance suite exercises each thing declared and shows that each thing undeclared is
    refused with ``Unsupported`` before any I/O.
    """

    verbs: Verb = Verb.NONE
    #: A read can start anywhere; without it an offset is honoured by reading and dropping.
    ranged_read: bool = False
    #: How many streams of one Reader may run at once; above 1 the core prefetches.
    parallel_reads: int = 1
    #: How many parts may be written at once; 1 means one at a time, in order.
    parallel_parts: int = 1
    #: Bytes that were never written read as zeros, so zero runs need not be sent.
    sparse: bool = False
    #: Each part is sent with this digest of it, ``sha256`` or ``md5``: where the core can have it for little,
    #: ``known.digest_of`` gives it.
    part_digest: str = ""
    #: Of two racing commits of one name exactly one succeeds.
    exclusive_create: bool = False
    #: Seconds after which a call is given up where no time limit on a wire reaches (a dead NFS mount):
    #: the deadline layer then runs calls in threads that can be abandoned.  None: calls end by themselves.
    hang_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What a store says of one object.

    ``version`` changes whenever the bytes behind ``ref`` may have changed (an ETag, an inode with
    its change time); a read that has to be resumed insists on the same one.
    """

    ref: str
    size: int | None = None
    version: str | None = None
    name: str | None = None
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The proof that an upload was published: its reference and its size in bytes."""

    ref: str
    size: int
    metadata: Mapping[str, object] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Pending:
    """An upload that was begun and neither published nor removed; it may well be alive.

    ``token`` is what ``Driver.discard`` takes; ``started`` is by the store's own clock.
    """

    token: str
    name: str | None = None
    started: float | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of a store; None where it does not know."""

    total: int | None = None
    used: int | None = None
    free: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf a call is made, for stores that act with the caller's own credentials."""

    user: str | None = None
    project: str | None = None
    token: str | None = field(default=None, repr=False)
    roles: tuple[str, ...] = ()
    extra: Mapping[str, object] = field(default_factory=_empty, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may read and write an object besides its owner; names are the backend's own."""

    public: bool = False
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What ``Store.put`` acknowledges: these bytes are in that store, whole and published.

    ``digests`` maps each algorithm to its lower-case hexadecimal digest of all bytes.
    ``seconds`` splits the wall time: ``total``, ``source`` (waiting for the source), ``hash`` and
    ``store`` (the thread that worked longest), ``commit``.
    """

    store: str
    ref: str
    size: int
    digests: Mapping[str, str]
    metadata: Mapping[str, object] = field(default_factory=_empty)
    seconds: Mapping[str, float] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What ``Store.get`` delivered: ``size`` bytes; ``digests`` are those that were compared and right.

    No digest means that nothing but the size was proved.
    ``stores`` names the stores that the bytes came from, in order.
    """

    size: int
    digests: Mapping[str, str]
    stores: tuple[str, ...]


class State(enum.Enum):
    """What a verification found."""

    INTACT = "intact"
    MISSING = "missing"
    SHORT = "short"
    CORRUPT = "corrupt"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one copy, and how: ``proof`` says what was compared with what.

    ``size`` is how many bytes were read.
    """

    store: str
    ref: str
    state: State
    proof: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened; logs, metrics and progress all derive from these.

    ==========  =====================================================================
    kind        when
    ==========  =====================================================================
    ``begin``   an operation starts; ``total`` is its size in bytes if known
    ``bytes``   ``count`` more bytes were read from, or written to, the store; holes count with what follows
    ``retry``   attempt ``attempt`` failed with ``error`` and will be repeated after ``delay`` s
    ``end``     the operation ended after ``elapsed`` s; ``error`` is None when it succeeded
    ==========  =====================================================================

    ``operation`` numbers the operation within its Store, so that events of calls running side by
    side can be told apart.  ``ref`` is redacted.  ``error`` is the class name only: messages can quote
    servers.
    """

    kind: str
    store: str
    verb: str
    operation: int
    ref: str | None = None
    name: str | None = None
    total: int | None = None
    count: int = 0
    attempt: int = 1
    delay: float | None = None
    elapsed: float | None = None
    error: str | None = None


#: Gets every event of a Store, in the thread where it happened; must be quick and must not raise.
EventHandler = Callable[[Event], None]
