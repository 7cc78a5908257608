"""The options of the s3 driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from glance_store._options.reading import RANGED_READS

__all__ = ["OPTIONS"]

_CHECKSUMS = ["when_required", "when_supported"]

OPTIONS: list[Any] = [
    cfg.StrOpt(
        "s3_store_host",
        help="""
The server: ``https://s3.example.com``, ``http://10.0.0.1:8080``, or without a scheme, which means https.

Required.
""",
    ),
    cfg.StrOpt(
        "s3_store_region_name",
        default="",
        help="""
The region that requests are signed for, and in which a missing bucket is made.

If it is empty, the one that a host of Amazon's names, else us-east-1.
""",
    ),
    cfg.StrOpt(
        "s3_store_access_key",
        secret=True,
        help="""
The access key.

Required.
""",
    ),
    cfg.StrOpt(
        "s3_store_secret_key",
        secret=True,
        help="""
The secret key.

Required.
""",
    ),
    cfg.StrOpt(
        "s3_store_session_token",
        default="",
        secret=True,
        help="""
The session token, where the keys are temporary ones.
""",
    ),
    cfg.StrOpt(
        "s3_store_bucket",
        help="""
The bucket of new images.

Required.
""",
    ),
    cfg.ListOpt(
        "s3_store_allowed_buckets",
        default=["*"],
        help="""
Further buckets that locations may lead into; ``*`` is any that the keys reach.

Whoever may add locations can read, and delete, in all of these.
""",
    ),
    cfg.BoolOpt(
        "s3_store_create_bucket_on_put",
        default=False,
        help="""
Make the bucket when an image is stored and the bucket is missing.
""",
    ),
    cfg.StrOpt(
        "s3_store_bucket_url_format",
        default="auto",
        help="""
Where the bucket stands in requests: ``virtual``, in the host name; ``path``; ``auto``, in the path but for Amazon's hosts.
""",
    ),
    cfg.IntOpt(
        "s3_store_large_object_size",
        default=100,
        min=0,
        help="""
Images of so many MiB, or more, are sent in parts.

Smaller ones are sent in one request if they fit into one part, else in parts as well.
0 sends every image in parts.
""",
    ),
    cfg.IntOpt(
        "s3_store_large_object_chunk_size",
        default=10,
        help="""
The size of the first parts of an image, in MiB, at least 5.

An upload holds up to its number of threads and three more of them in memory.
""",
    ),
    cfg.IntOpt(
        "s3_store_thread_pools",
        default=10,
        help="""
How many parts of an image are sent side by side, at most 64.
""",
    ),
    cfg.IntOpt(
        "s3_store_read_threads",
        default=1,
        min=1,
        max=64,
        help="""
How many ranges of an image are read side by side.

More than one pays where a single connection is slow, as over a long way, and costs CPU where it is not.
""",
    ),
    cfg.StrOpt(
        "s3_store_cacert",
        default="",
        help="""
File with the certificates (PEM) that the server is verified with; if it is empty, those that come with certifi.
""",
    ),
    cfg.BoolOpt(
        "s3_store_enable_data_integrity_protection",
        default=False,
        help="""
Let the two options that follow have an effect.

Without them the server checks each part by the digest in its signature.
""",
    ),
    cfg.StrOpt(
        "s3_store_request_checksum_calculation",
        default="when_required",
        choices=_CHECKSUMS,
        help="""
``when_supported`` sends a CRC32 with each part instead of signing its digest, for servers that know it.
""",
    ),
    cfg.StrOpt(
        "s3_store_response_checksum_validation",
        default="when_required",
        choices=_CHECKSUMS,
        help="""
``when_supported`` compares the checksums that the server keeps, where whole images are read.
""",
    ),
    cfg.FloatOpt(
        "s3_store_connect_timeout",
        default=10.0,
        min=0.1,
        help="""
Seconds that connecting to the server may take, and that it may take nothing of what is sent.
""",
    ),
    cfg.FloatOpt(
        "s3_store_read_timeout",
        default=60.0,
        min=0.1,
        help="""
Seconds that the server may be silent once a request is sent.
""",
    ),
    cfg.StrOpt(
        "s3_store_conditional_writes",
        default="auto",
        choices=["auto", "always", "never"],
        help="""
Whether the server refuses by itself to replace an object (``If-None-Match``).

``always`` relies on it, ``never`` looks before writing, and so does ``auto``, which also asks the server to refuse; of two
services that store one image at the same moment then both may succeed.
Amazon's servers are relied on.
""",
    ),
    cfg.StrOpt(
        "s3_store_encryption",
        default="",
        help="""
Encryption of new images by the server: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
""",
    ),
    cfg.StrOpt(
        "s3_store_kms_key",
        default="",
        help="""
The key for ``aws:kms``, by its name or ARN.
""",
    ),
    cfg.StrOpt(
        "s3_store_storage_class",
        default="",
        help="""
The storage class of new images.
""",
    ),
    cfg.BoolOpt(
        "s3_store_delete_versions",
        default=False,
        help="""
In a bucket with versions, delete the version of an image itself instead of hiding it behind a marker, which frees no space.

The keys need the right ``s3:DeleteObjectVersion``.
""",
    ),
    RANGED_READS,
]
