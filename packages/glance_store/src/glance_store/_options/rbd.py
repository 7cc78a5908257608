"""The options of the rbd driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from glance_store._options.reading import RANGED_READS

__all__ = ["OPTIONS"]

OPTIONS: list[Any] = [
    cfg.IntOpt(
        "rbd_store_chunk_size",
        default=8,
        min=1,
        help="""
Size in MiB of the objects that new images are made of, a power of two, at most 32.

Another number is rounded down to a power of two, with a warning; from 64 on the store takes no images.
""",
    ),
    cfg.StrOpt(
        "rbd_store_pool",
        default="images",
        help="""
Pool of new images, and of locations that name none.
""",
    ),
    cfg.StrOpt(
        "rbd_store_user",
        help="""
Ceph user, without ``client.``.

If it is not set, Ceph's library takes its own default, ``admin``.
""",
    ),
    cfg.StrOpt(
        "rbd_store_ceph_conf",
        default="",
        help="""
Path of ``ceph.conf``; empty: where Ceph looks for it, ``/etc/ceph/ceph.conf`` as a rule.

A changed file, or keyring, is noticed at the next call.
""",
    ),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        help="""
Seconds that connecting, and each single request to the cluster, may take; 0: for ever.

Below 0, ``rbd_store_connect_timeout`` and ``rbd_store_request_timeout`` count.
It is set as ``rados_mon_op_timeout``, ``rados_osd_op_timeout`` and ``client_mount_timeout``, so that a short one also ends the
writing of one object to a slow cluster: the two other options tell them apart.
""",
    ),
    cfg.FloatOpt(
        "rbd_store_connect_timeout",
        default=10.0,
        min=1.0,
        help="""
Seconds that connecting to the cluster may take.
""",
    ),
    cfg.FloatOpt(
        "rbd_store_request_timeout",
        default=60.0,
        min=1.0,
        help="""
Seconds that a single request to the cluster may take, such as the writing of one object; a transfer may take as long as it takes.
""",
    ),
    cfg.BoolOpt(
        "rbd_thin_provisioning",
        default=False,
        help="""
Leave runs of zeros out when an image is written.

Such an image takes less space, and is written faster; it reads the same.
""",
    ),
    cfg.StrOpt(
        "rbd_store_data_pool",
        help="""
Pool of the data of new images, an erasure-coded one for instance; their headers stay in ``rbd_store_pool``.

If it is not set, ``rbd_default_data_pool`` of ``ceph.conf`` counts.
""",
    ),
    cfg.ListOpt(
        "rbd_store_pools",
        default=["*"],
        help="""
Further pools whose images may be read and deleted by their locations, ``*`` for all that the user may open.

Whoever may add locations to images reaches these pools: empty, it is the own pool only.
""",
    ),
    cfg.StrOpt(
        "rbd_store_foreign_fsid",
        default="any",
        choices=["refuse", "read", "any"],
        help="""
What is done with a location that names another cluster.

``any``: the image is read and deleted in this cluster, for pools that were moved here; ``read``: it is read only; ``refuse``: it
is a bad location.
Deletes are logged either way.
""",
    ),
    cfg.StrOpt(
        "rbd_store_foreign_snapshots",
        default="trash",
        choices=["trash", "refuse"],
        help="""
What becomes of an image that is deleted and has snapshots which this store did not make.

``trash``: it goes into the trash of its pool, and their names into the log; ``refuse``: the delete is refused.
""",
    ),
    RANGED_READS,
]
