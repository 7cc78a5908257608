"""The options of the swift driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from glance_store._options.reading import RANGED_READS

__all__ = ["OPTIONS"]

OPTIONS: list[Any] = [
    cfg.BoolOpt(
        "swift_store_auth_insecure",
        default=False,
        help="""
Do not verify the certificates of Keystone and Swift: whoever is on the way can then read the password, and hand out another image.
""",
    ),
    cfg.StrOpt(
        "swift_store_cacert",
        help="""
File with the certificates (PEM) that Keystone and Swift are verified with.

Without it, those of the system.
""",
    ),
    cfg.StrOpt(
        "swift_store_region",
        help="""
Region whose Swift is used; without it the first of the catalog.
""",
    ),
    cfg.StrOpt(
        "swift_store_endpoint",
        help="""
URL of the account, without the container, instead of what the catalog says.
""",
    ),
    cfg.StrOpt(
        "swift_store_endpoint_type",
        default="publicURL",
        choices=("publicURL", "adminURL", "internalURL"),
        help="""
Which of the endpoints in the catalog is used.
""",
    ),
    cfg.StrOpt(
        "swift_store_service_type",
        default="object-store",
        help="""
Type of the service in the catalog.
""",
    ),
    cfg.StrOpt(
        "swift_store_container",
        default="glance",
        help="""
Container of the images, or the beginning of the containers' names: see ``swift_store_multiple_containers_seed`` and
``swift_store_multi_tenant``.
""",
    ),
    cfg.IntOpt(
        "swift_store_large_object_size",
        default=5120,
        min=1,
        help="""
Size from which on an image is stored in segments, in units of 1024000 bytes.

Images larger than a segment are stored in segments in any case, as they are sent side by side.
""",
    ),
    cfg.IntOpt(
        "swift_store_large_object_chunk_size",
        default=200,
        min=1,
        help="""
Largest size of a segment, in units of 1024000 bytes.

Segments are held in memory while they are sent, and are made of 16 MiB, or less if this says so; only above 16 GiB do they grow, to
32 MiB.
""",
    ),
    cfg.BoolOpt(
        "swift_store_create_container_on_put",
        default=False,
        help="""
Make a container that is missing when an image is stored.
""",
    ),
    cfg.BoolOpt(
        "swift_store_multi_tenant",
        default=False,
        help="""
Store images in the account of whoever adds them, each in a container of its own.
""",
    ),
    cfg.IntOpt(
        "swift_store_multiple_containers_seed",
        default=0,
        min=0,
        max=32,
        help="""
How many characters of an image's id choose its container; 0: there is one container.

Ignored with ``swift_store_multi_tenant``.
""",
    ),
    cfg.ListOpt(
        "swift_store_admin_tenants",
        default=[],
        help="""
Projects that may write to the containers of all images, with ``swift_store_multi_tenant``.
""",
    ),
    cfg.BoolOpt(
        "swift_store_ssl_compression",
        default=True,
        help="""
Has no effect: TLS does not compress any more.
""",
    ),
    cfg.IntOpt(
        "swift_store_retry_get_count",
        default=0,
        min=0,
        help="""
How often a download that broke off is resumed, beyond the four times that it is anyway.
""",
    ),
    cfg.IntOpt(
        "swift_store_expire_soon_interval",
        default=60,
        min=0,
        help="""
A token is renewed when it has less than so many seconds to live.
""",
    ),
    cfg.BoolOpt(
        "swift_store_use_trusts",
        default=True,
        help="""
With ``swift_store_multi_tenant``: whoever stores or reads an image of 8 MiB and more, or stores one in segments, trusts the user of
this group, ``swift_store_user``, until it is through, so that it may take longer than their token lives.

The trust has the user's roles in the project, is deleted at the end, and ends by itself after a day.
Where none can be made the user's token is used alone, and a warning says why.
""",
    ),
    cfg.BoolOpt(
        "swift_buffer_on_upload",
        default=False,
        help="""
Has no effect: a segment is held in memory until it is stored, and is sent again if that fails.
""",
    ),
    cfg.StrOpt(
        "swift_upload_buffer_dir",
        help="""
Has no effect: see ``swift_buffer_on_upload``.
""",
    ),
    cfg.StrOpt(
        "default_swift_reference",
        default="ref1",
        help="""
The account of new images: the section of ``swift_store_config_file``, or the name that stands for the options of this group.

Locations hold this name, and no password.
""",
    ),
    cfg.StrOpt(
        "swift_store_config_file",
        help="""
File with accounts, each a section; it is searched for like a configuration file, and read again when it has changed.
""",
    ),
    cfg.StrOpt(
        "swift_store_auth_version",
        default="3",
        choices=("3",),
        help="""
Version of Keystone's interface.
""",
    ),
    cfg.StrOpt(
        "swift_store_auth_address",
        help="""
URL of Keystone, where there is no ``swift_store_config_file``.
""",
    ),
    cfg.StrOpt(
        "swift_store_user",
        secret=True,
        help="""
User as ``PROJECT:USER``, where there is no ``swift_store_config_file``.
""",
    ),
    cfg.StrOpt(
        "swift_store_key",
        secret=True,
        help="""
Password of the user.
""",
    ),
    cfg.StrOpt(
        "swift_store_application_credential_id",
        secret=True,
        help="""
Id of an application credential, instead of user and password.
""",
    ),
    cfg.StrOpt(
        "swift_store_application_credential_secret",
        secret=True,
        help="""
Secret of the application credential.
""",
    ),
    cfg.StrOpt(
        "swift_store_project_name",
        help="""
Has no effect: an application credential is a project's.
""",
    ),
    cfg.StrOpt(
        "swift_store_project_id",
        help="""
Has no effect: an application credential is a project's.
""",
    ),
    RANGED_READS,
]
