"""The settings of a Cinder store."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from urllib.parse import unquote

from multistore.config import Secret, option
from multistore.errors import Misconfigured

__all__ = ["CinderSettings", "settings_of_url"]


@dataclass(frozen=True, slots=True)
class CinderSettings:
    """The settings of a Cinder store."""

    lock_path: str = option(
        help="a directory of this host for lock files, the same one for all services that attach volumes here"
    )
    auth_url: str | None = option(
        None, help="the URL of Keystone; without it a store works with its callers' tokens"
    )
    username: str | None = option(None, help="the user that owns the volumes")
    password: Secret | None = option(None, help="its password")
    user_domain: str = option("Default", help="the name of the user's domain")
    project: str | None = option(None, help="the name of the project that owns the volumes")
    project_domain: str = option("Default", help="the name of the project's domain")
    application_credential_id: Secret | None = option(
        None, help="an application credential, instead of user, password and project"
    )
    application_credential_secret: Secret | None = option(None, help="its secret")
    endpoint: str | None = option(
        None, help="the URL of Cinder's API with the project; without it Keystone's catalog says"
    )
    service_type: str = option("volumev3", help="the type of Cinder in the catalog")
    service_name: str | None = option(
        None, help="the name of Cinder in the catalog, if there are several"
    )
    interface: str = option(
        "public", help="which of its URLs", choices=("public", "internal", "admin")
    )
    region: str | None = option(None, help="the region of Cinder")
    ca_file: str | None = option(
        None, help="certificates of authorities to trust, instead of the usual ones"
    )
    verify: bool = option(True, help="check the servers' certificates")
    timeout: float = option(
        70.0,
        help="how long a request may take; Cinder itself waits 60 s for its volume service",
        unit="seconds",
        minimum=1,
    )
    state_timeout: float = option(
        300.0,
        help="how long Cinder may take to make, grow or release a volume",
        unit="seconds",
        minimum=0,
    )
    volume_type: str | None = option(
        None, help="the type of new volumes; without it Cinder's default"
    )
    store: str | None = option(
        None, help="the name of the store in references: cinder://NAME/VOLUME"
    )
    root_helper: str | None = option(
        None,
        help="the command that runs another as root: 'sudo multistore-rootwrap /etc/multistore/rootwrap.conf';"
        " not needed by root itself",
    )
    host: str | None = option(None, help="the name of this host; without it the system's")
    my_ip: str | None = option(
        None,
        help="the address of this host for storage; without it the one that reaches Cinder's API",
    )
    multipath: bool = option(False, help="attach by several paths")
    enforce_multipath: bool = option(False, help="fail if multipathd does not run")
    mount_base: str = option(
        "/var/lib/multistore/mnt", help="the directory below which NFS exports are mounted"
    )
    extend: str = option(
        "auto",
        help="how volumes grow: attached, detached, or attached where that is known to work, which is Ceph (auto)",
        choices=("auto", "attached", "detached"),
    )
    growth_limit: int = option(
        64 << 30,
        help="the most by which a volume is grown at once, and so the most that an image of unknown size wastes",
        unit="bytes",
        minimum=1 << 30,
    )
    attach_attempts: int = option(
        5, help="how often attaching is tried while somebody else holds the volume", minimum=1
    )
    busy_timeout: float = option(
        3.0,
        help="how long a deletion waits for readers to let go of a volume",
        unit="seconds",
        minimum=0,
    )
    parallel: int = option(
        4, help="how many parts of an image are written side by side", minimum=1, maximum=64
    )
    parallel_reads: int = option(
        4, help="how many ranges of an image are read side by side", minimum=1, maximum=64
    )
    hang_timeout: float | None = option(
        None,
        help="how long any call may hang, in a dead NFS mount say, before it is given up; longer than state_timeout",
        unit="seconds",
        minimum=1,
    )
    bindings: str = option(
        "/usr/lib/python3/dist-packages",
        help="the directory of the modules rados and rbd, where they cannot be imported as they are",
    )

    def __post_init__(self) -> None:
        for field in fields(self):
            text = getattr(self, field.name)
            if isinstance(text, str) and not (text and text.isprintable()):
                raise Misconfigured(
                    f"setting {field.name!r} is empty or has unprintable characters",
                    setting=field.name,
                )
        _check_credentials(self)
        if self.store is not None and not all(self.store.split("/")):
            raise Misconfigured("setting 'store' has an empty part", setting="store")
        try:
            shlex.split(self.root_helper or "")
        except ValueError:
            raise Misconfigured(
                "setting 'root_helper' has a quote that does not end", setting="root_helper"
            ) from None

    @property
    def with_credential(self) -> bool:
        """Whether the store logs in by an application credential."""
        return self.auth_url is not None and self.application_credential_id is not None

    @property
    def with_service(self) -> bool:
        """Whether the store has an identity of its own, and does not work with its callers' tokens."""
        return self.with_credential or (self.auth_url is not None and self.username is not None)


def _check_credentials(settings: CinderSettings) -> None:
    if (settings.application_credential_id is None) != (
        settings.application_credential_secret is None
    ):
        raise Misconfigured(
            "application_credential_id and application_credential_secret go together",
            setting="application_credential_secret",
        )
    if settings.username is not None and not settings.with_credential:
        for name in ("auth_url", "password", "project"):
            if getattr(settings, name) is None:
                raise Misconfigured(f"'username' needs {name!r} as well", setting=name)
    if settings.auth_url is not None and settings.username is None and not settings.with_credential:
        raise Misconfigured(
            "'auth_url' needs a user with password and project, or an application credential",
            setting="username",
        )


def settings_of_url(url: str) -> dict[str, str]:
    """Take the name of the store out of ``cinder:``, ``cinder:NAME`` or ``cinder://NAME``."""
    name = url.partition(":")[2].removeprefix("//").removesuffix("/")
    if "/" in name:
        raise Misconfigured(
            "the URL of a Cinder store names the store and nothing else: write cinder://NAME?lock_path=PATH",
            setting="url",
        )
    return {"store": unquote(name)} if name else {}
