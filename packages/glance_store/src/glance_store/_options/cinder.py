"""The options of the cinder driver."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

__all__ = ["OPTIONS"]

OPTIONS: list[Any] = [
    cfg.StrOpt(
        "cinder_catalog_info",
        default="volumev3::publicURL",
        help="""
Where Cinder stands in Keystone's catalog: ``TYPE:NAME:INTERFACE``; the name may be empty.

The interface is ``publicURL``, ``internalURL`` or ``adminURL``.
It holds whoever asks: the service user of this store, or a user with a token.
""",
    ),
    cfg.StrOpt(
        "cinder_endpoint_template",
        help="""
URL of Cinder's API, instead of what the catalog says, such as ``http://cinder.example.org:8776/v3/%(project_id)s``.

Fields are filled in from the request's context; ``%(tenant)s`` is the project, too.
With a service user, ``%(project_id)s`` is that user's project.
""",
    ),
    cfg.StrOpt(
        "cinder_os_region_name",
        deprecated_name="os_region_name",
        help="""
Region whose Cinder is used; without it any.
""",
    ),
    cfg.StrOpt(
        "cinder_ca_certificates_file",
        help="""
File with the certificates (PEM) that Keystone and Cinder are verified with, instead of those of the system.

Ignored when ``cinder_api_insecure`` is set.
""",
    ),
    cfg.IntOpt(
        "cinder_http_retries",
        default=3,
        min=0,
        help="""
How often a request that failed is repeated, with pauses that grow.

What has to be undone after a failure is tried several times in any case.
""",
    ),
    cfg.IntOpt(
        "cinder_state_transition_timeout",
        default=300,
        min=0,
        help="""
Seconds that Cinder may take to make a volume, or to extend one.
""",
    ),
    cfg.BoolOpt(
        "cinder_api_insecure",
        default=False,
        help="""
Do not verify the certificates of Keystone and Cinder: whoever is on the way can then read the password.
""",
    ),
    cfg.StrOpt(
        "cinder_store_auth_address",
        help="""
URL of Keystone, such as ``https://keystone.example.org/v3``, for the service user that owns the volumes.

With user, password and project, or with an application credential, all volumes are of one project, and users do not see them.
Without these options each user's token is used: images are then volumes of the users' own projects, and shared ones cannot be read.
""",
    ),
    cfg.StrOpt(
        "cinder_store_user_name",
        help="""
Service user that owns the volumes.
""",
    ),
    cfg.StrOpt(
        "cinder_store_user_domain_name",
        default="Default",
        help="""
Domain of the service user.
""",
    ),
    cfg.StrOpt(
        "cinder_store_password",
        secret=True,
        help="""
Password of the service user.
""",
    ),
    cfg.StrOpt(
        "cinder_store_application_credential_id",
        secret=True,
        help="""
Application credential, instead of user, password and project.
""",
    ),
    cfg.StrOpt(
        "cinder_store_application_credential_secret",
        secret=True,
        help="""
Secret of the application credential.
""",
    ),
    cfg.StrOpt(
        "cinder_store_project_name",
        help="""
Project that owns the volumes.
""",
    ),
    cfg.StrOpt(
        "cinder_store_project_domain_name",
        default="Default",
        help="""
Domain of that project.
""",
    ),
    cfg.StrOpt(
        "rootwrap_config",
        default="/etc/glance/rootwrap.conf",
        help="""
Configuration of ``glance-rootwrap``, by which the service mounts, changes owners and starts the helper of os-brick as root.

The service's user needs the right to run ``sudo glance-rootwrap`` with this file.
A service that runs as root does not use it.
""",
    ),
    cfg.StrOpt(
        "cinder_volume_type",
        help="""
Type of new volumes; without it Cinder's default.

For images that several hosts read at once, a type that allows multiattach.
""",
    ),
    cfg.BoolOpt(
        "cinder_enforce_multipath",
        default=False,
        help="""
Fail if several paths are asked for and multipathd does not run.
""",
    ),
    cfg.BoolOpt(
        "cinder_use_multipath",
        default=False,
        help="""
Attach volumes by several paths.
""",
    ),
    cfg.StrOpt(
        "cinder_mount_point_base",
        default="/var/lib/glance/mnt",
        help="""
Directory below which NFS exports are mounted, each once for all processes of this host.

Another one has to be written into the filters of ``glance-rootwrap`` as well.
""",
    ),
    cfg.BoolOpt(
        "cinder_do_extend_attached",
        default=False,
        help="""
Extend volumes while they are attached, whatever their backend; volumes in Ceph are in any case, files on NFS never.

Volumes grow when an image's size is not known beforehand: to twice their size, by 64 GiB at most.
An upload to a backend that cannot do this fails.
""",
    ),
    cfg.IntOpt(
        "cinder_attachment_retry_attempts",
        default=5,
        min=1,
        help="""
How often attaching a volume is tried while another host has it.
""",
    ),
]
