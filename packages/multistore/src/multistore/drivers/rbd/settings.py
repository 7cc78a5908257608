"""The settings of an RBD store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import unquote

from multistore.config import option
from multistore.errors import Misconfigured

__all__ = ["FEATURES", "RbdSettings", "feature_bits", "settings_of_url"]

#: The features of images by the names that Ceph's own commands use, and their bits.
FEATURES = {
    "layering": 1,
    "striping": 2,
    "exclusive-lock": 4,
    "object-map": 8,
    "fast-diff": 16,
    "deep-flatten": 32,
    "journaling": 64,
}


def _no_options() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RbdSettings:
    """The settings of an RBD store."""

    pool: str = option("images", help="the pool of new images, and of references that name none")
    user: str | None = option(
        None, help="the Ceph user, without 'client.'; without it the cluster's tools would be admin"
    )
    conf: str | None = option(
        None, help="the path of ceph.conf; without it Ceph's own search: CEPH_CONF, /etc/ceph"
    )
    fsid: str | None = option(
        None, help="the cluster that is expected; another one is refused, whatever ceph.conf says"
    )
    data_pool: str | None = option(
        None, help="the pool of the data, an erasure-coded one say; the headers stay in 'pool'"
    )
    pools: tuple[str, ...] = option(
        (), help="further pools whose images may be read and deleted by reference; *: all"
    )
    foreign_fsid: str = option(
        "refuse",
        help="what is done with references that name another cluster, moved here perhaps: refuse them, "
        "read them from this cluster, or any: delete here too",
        choices=("refuse", "read", "any"),
    )
    foreign_snapshots: str = option(
        "refuse",
        help="what becomes of an image to be deleted that has snapshots of others: refuse, or trash",
        choices=("refuse", "trash"),
    )
    object_size: int = option(
        8 << 20,
        help="the size of the objects that an image is made of, a power of two",
        unit="bytes",
        minimum=4096,
        maximum=32 << 20,
    )
    features: tuple[str, ...] = option(
        (),
        help="the features of new images, such as layering; without it rbd_default_features of ceph.conf",
    )
    thin: bool = option(True, help="leave runs of zeros out; false: write all of an image")
    parallel: int = option(
        8, help="how many parts of an image are written side by side", minimum=1, maximum=64
    )
    parallel_reads: int = option(
        6, help="how many ranges of an image are read side by side", minimum=1, maximum=64
    )
    connect_timeout: float = option(
        10.0, help="how long connecting may take", unit="seconds", minimum=1
    )
    timeout: float = option(
        60.0,
        help="how long a single request to the cluster may take, one object's write say; no limit on a transfer",
        unit="seconds",
        minimum=1,
    )
    busy_timeout: float = option(
        3.0,
        help="how long a deletion waits for others to close the image; a dead client holds it up to 30 seconds",
        unit="seconds",
        minimum=0,
    )
    bindings: str = option(
        "/usr/lib/python3/dist-packages",
        help="the directory of the modules rados and rbd, where they cannot be imported as they are",
    )
    options: Mapping[str, str] = field(
        default_factory=_no_options,
        metadata={"help": "further options of Ceph, as they stand in ceph.conf"},
    )

    def __post_init__(self) -> None:
        if self.object_size & (self.object_size - 1):
            raise Misconfigured(
                "setting 'object_size' must be a power of two, 4MiB or 8MiB say",
                setting="object_size",
            )
        for name in ("pool", "user", "conf", "fsid", "data_pool", "bindings"):
            text = getattr(self, name)
            if text is not None and not (text and text.isprintable()):
                raise Misconfigured(
                    f"setting {name!r} is empty or has unprintable characters", setting=name
                )
        feature_bits(self)


def feature_bits(settings: RbdSettings) -> int | None:
    """Give the features of new images as a number; None: as the cluster's configuration says."""
    bits = 0
    for number, name in enumerate(settings.features, 1):
        if name.strip() not in FEATURES:
            raise Misconfigured(
                f"setting 'features': entry {number} is none of {', '.join(FEATURES)}",
                setting="features",
            )
        bits |= FEATURES[name.strip()]
    return bits or None


def settings_of_url(url: str) -> dict[str, str]:
    """Take the pool out of ``rbd:``, ``rbd:images`` or ``rbd://images``."""
    pool = url.partition(":")[2].removeprefix("//").removesuffix("/")
    if "/" in pool:
        raise Misconfigured(
            "the URL of an RBD store names a pool and nothing else: write rbd://POOL?conf=PATH&user=NAME",
            setting="url",
        )
    return {"pool": unquote(pool)} if pool else {}
