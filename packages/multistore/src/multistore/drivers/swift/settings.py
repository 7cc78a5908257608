"""The settings of a Swift store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from multistore.config import Secret, option
from multistore.drivers.swift.refs import speaks
from multistore.errors import Misconfigured

__all__ = ["Account", "SwiftSettings", "account_of", "settings_of_url"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in, and where."""

    auth_url: str
    version: str = "3"
    user: str | None = None
    password: Secret | None = None
    project: str | None = None
    project_id: str | None = None
    user_domain_id: str | None = None
    user_domain_name: str | None = None
    project_domain_id: str | None = None
    project_domain_name: str | None = None
    application_credential_id: Secret | None = None
    application_credential_secret: Secret | None = None
    trust_id: str | None = None

    @property
    def complete(self) -> bool:
        """Whether there is something to log in with."""
        application = self.application_credential_id and self.application_credential_secret
        return bool(self.auth_url and ((self.user and self.password) or application))


@dataclass(frozen=True, slots=True)
class SwiftSettings:
    """The settings of a Swift store; credentials are sent to ``auth_url`` alone."""

    auth_url: str | None = option(
        None,
        help="where to log in: Keystone's URL, or with auth_version 1 Swift's own, .../auth/v1.0",
    )
    auth_version: str = option(
        "3",
        help="3: Keystone; 1: Swift's own users, or those of Ceph's gateway",
        choices=("3", "1"),
    )
    user: str | None = option(None, help="the user's name; with auth_version 1 as ACCOUNT:USER")
    password: Secret | None = option(None, help="the user's password")
    project: str | None = option(None, help="the name of the project")
    project_id: str | None = option(None, help="the id of the project, instead of its name")
    user_domain_id: str | None = option(
        None, help="the id of the user's domain; without id and name: default"
    )
    user_domain_name: str | None = option(None, help="the name of the user's domain")
    project_domain_id: str | None = option(
        None, help="the id of the project's domain; without id and name: default"
    )
    project_domain_name: str | None = option(None, help="the name of the project's domain")
    application_credential_id: Secret | None = option(
        None, help="the id of an application credential, instead of user and password"
    )
    application_credential_secret: Secret | None = option(
        None, help="the secret of the application credential"
    )
    trust_id: str | None = option(
        None, help="a trust that the user was given: it then acts for another"
    )
    trusts: bool = option(
        False,
        help="have callers trust the user for the time of a transfer, which may then outlive their token",
    )
    config_file: str | None = option(
        None,
        help="a file with further accounts, one a section, as references swift+config://SECTION/... name them",
    )
    reference: str | None = option(
        None, help="the section of config_file whose account is used; new references then name it"
    )
    region: str | None = option(
        None, help="the region whose Swift is used; without it the catalog's first"
    )
    service_type: str = option("object-store", help="the type of the service in Keystone's catalog")
    interface: str = option(
        "public",
        help="which of the service's endpoints is used",
        choices=("public", "internal", "admin"),
    )
    storage_url: str | None = option(
        None, help="the URL of the account, .../v1/AUTH_x, instead of what the catalog says"
    )
    container: str = option(
        "images", help="the container, or the beginning of the containers' names"
    )
    seed: int = option(
        0,
        help="how many characters of an image's name choose its container; 0: there is one",
        minimum=0,
        maximum=32,
    )
    container_per_image: bool = option(
        False,
        help="give each image a container of its own, CONTAINER_NAME, as rights are a container's",
    )
    create_container: bool = option(False, help="make a container that is missing")
    containers: tuple[str, ...] = option(
        (), help="further containers whose images may be read and deleted by reference"
    )
    segment_size: int = option(
        16 << 20,
        help="the size of segments; an image that is larger is made of several, and each upload holds some in memory",
        unit="bytes",
        minimum=1,
        maximum=5 << 30,
    )
    manifest: str = option(
        "static",
        help="what joins the segments: a static manifest, which lists them, or a dynamic one, which gives a prefix",
        choices=("static", "dynamic"),
    )
    write_projects: tuple[str, ...] = option(
        (), help="projects that may write to an image's container whenever its rights are set"
    )
    parallel: int = option(
        4, help="how many segments are written side by side", minimum=1, maximum=64
    )
    parallel_reads: int = option(
        4, help="how many ranges of an image are read side by side", minimum=1, maximum=64
    )
    ca_file: str | None = option(
        None, help="the certificates (PEM) that servers are verified with; default: the system's"
    )
    verify: bool = option(True, help="verify the certificates of servers")
    connect_timeout: float = option(
        10.0, help="how long connecting may take", unit="seconds", minimum=0.01
    )
    timeout: float = option(
        60.0, help="how long a server may be silent", unit="seconds", minimum=0.01
    )
    token_margin: float = option(
        60.0, help="a token is renewed when it has no longer to live", unit="seconds", minimum=0
    )

    def __post_init__(self) -> None:
        for name in ("auth_url", "storage_url"):
            value = getattr(self, name)
            if value is not None:
                _check_url(value, name)
        if bool(self.application_credential_id) != bool(self.application_credential_secret):
            raise Misconfigured(
                "an application credential is an id and a secret: one of them is missing",
                setting="application_credential_secret",
            )
        if self.application_credential_id and self.trust_id:
            raise Misconfigured(
                "Keystone takes no application credential for a trust: give the user's password instead",
                setting="trust_id",
            )
        password = self.auth_url and self.auth_version == "3" and self.user and self.password
        if self.trusts and (not password or self.application_credential_id):
            raise Misconfigured(
                "only a user of Keystone's with a password can be trusted", setting="trusts"
            )
        for name in (self.container, *self.containers):
            usual = name and "/" not in name and name.isprintable() and name not in (".", "..")
            if not usual or not speaks("x", name):
                raise Misconfigured("a container cannot have this name", setting="container")
        if self.reference is not None and not speaks(self.reference, "x"):
            raise Misconfigured(
                "a section of this name cannot stand in a reference: take one without blanks and any of / ? # @ %",
                setting="reference",
            )


def _check_url(text: str, setting: str) -> None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or "@" in parts.netloc or parts.query or parts.fragment:
        raise Misconfigured(
            f"setting {setting!r} is no URL of http or https without user, query and fragment",
            setting=setting,
        )


def account_of(settings: SwiftSettings) -> Account | None:
    """Give the account of the settings themselves, None if they have none."""
    if settings.auth_url is None:
        return None
    return Account(
        settings.auth_url,
        settings.auth_version,
        settings.user,
        settings.password,
        settings.project,
        settings.project_id,
        settings.user_domain_id,
        settings.user_domain_name,
        settings.project_domain_id,
        settings.project_domain_name,
        settings.application_credential_id,
        settings.application_credential_secret,
        settings.trust_id,
    )


def settings_of_url(url: str) -> Mapping[str, object]:
    """Read ``swift+https://AUTH-HOST[:PORT][/PATH]/CONTAINER``; ``swift`` is https, ``swift+http`` http."""
    scheme, mark, rest = url.partition("://")
    place, _, container = rest.rpartition("/")
    if not (mark and place and container) or "@" in place:
        raise Misconfigured(
            "a Swift store is named swift+https://AUTH-HOST[:PORT]/PATH/CONTAINER, without credentials",
            setting="url",
        )
    http = "http" if scheme.lower() == "swift+http" else "https"
    return {"auth_url": f"{http}://{place}", "container": container}
