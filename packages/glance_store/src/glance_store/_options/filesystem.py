"""The options of the filesystem driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from glance_store._options.reading import RANGED_READS

__all__ = ["OPTIONS"]

OPTIONS: list[Any] = [
    cfg.StrOpt(
        "filesystem_store_datadir",
        default="/var/lib/glance/images",
        help="""
Directory that images are written to, one file each, named after the image.

An absolute path.
It is made, with whatever is missing above it, when the service starts; the service needs the right to write to it and to
pass through it.
Set either this or ``filesystem_store_datadirs``; a default value of this one gives way.
""",
    ),
    cfg.MultiStrOpt(
        "filesystem_store_datadirs",
        deprecated_for_removal=True,
        deprecated_since="Flamingo",
        deprecated_reason="Several stores, one directory each, do the same, and users can see and choose them.",
        help="""
Several directories, each ``PATH`` or ``PATH:PRIORITY``; may be given several times.

A new image goes into the directory with most free space among those of the highest priority that have room for it.
The priority is a whole number after the last colon, 0 if there is none, so a path with a colon needs one.
An image is in the store when any of the directories has it.
""",
    ),
    cfg.MultiStrOpt(
        "filesystem_store_allowed_dirs",
        default=[],
        help="""
Further directories whose files this store reads and deletes, but never writes; may be given several times.

A location that leads anywhere else than into a data directory or one of these is not found.
List the old directory here after images were moved, or after a data directory was given another name.

In single-store mode other locations are served all the same, and logged, because Glance's task flow deletes files of its work
directory through the store.
""",
    ),
    cfg.StrOpt(
        "filesystem_store_metadata_file",
        help="""
JSON file that tells consumers under which mount point they find the images: an object, or an array of objects, each with the
texts ``id`` and ``mountpoint``.

The entry whose mount point is the longest one that holds the new image's path is attached to the image's location.
Further keys may hold texts, and lists or objects of texts.
""",
    ),
    cfg.IntOpt(
        "filesystem_store_file_perm",
        default=0,
        help="""
Permissions of image files; the decimal digits are read as octal, so ``640`` means ``rw-r-----``.

They apply from the first byte on.
Whoever may read the files by it also gets the right to pass through the data directory.
0: what the umask of the service leaves.
""",
    ),
    cfg.IntOpt(
        "filesystem_store_chunk_size",
        default=64 * 1024,
        min=1,
        help="""
Bytes that are asked of the incoming data at once, and that a reader gets at once.

Beyond 8 MiB, 8 MiB are used.
""",
    ),
    cfg.BoolOpt(
        "filesystem_thin_provisioning",
        default=False,
        help="""
Leave runs of zeros out when an image is written, as holes of a sparse file.

Such an image takes less space, and is written faster.
If this is off, the space of an image of known size is reserved before its first byte.
""",
    ),
    cfg.BoolOpt(
        "filesystem_store_durable",
        default=True,
        help="""
Report an image as stored, or as deleted, only when that would survive a power failure: file and directory are synced.

If this is off, a crash of the machine may cost, or damage, images that were stored in the seconds before it.
A crash of the service costs nothing either way.
""",
    ),
    cfg.IntOpt(
        "filesystem_store_timeout",
        default=0,
        min=0,
        help="""
Seconds after which an operation of the file system is given up, for directories that are mounted over a network.

It applies to every single call: opening, reading or writing a piece, publishing, deleting, asking for a size.
What has been begun and hangs may still take effect when the storage comes back; what had to wait is not begun any more.
0: operations are waited for, however long they take.
""",
    ),
    cfg.IntOpt(
        "filesystem_store_thread_pool_size",
        default=10,
        min=1,
        help="""
How many operations may hang before further ones are refused at once, if ``filesystem_store_timeout`` is set.
""",
    ),
    cfg.IntOpt(
        "filesystem_store_threadpool_threshold",
        default=75,
        min=0,
        max=100,
        help="""
Percentage of ``filesystem_store_thread_pool_size`` that is running or hanging from which on each operation logs a warning.
""",
    ),
    RANGED_READS,
]
