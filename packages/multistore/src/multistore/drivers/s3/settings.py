"""The settings of an S3 store."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote

from multistore.config import Secret, option
from multistore.drivers.s3.endpoint import Endpoint, resolve
from multistore.errors import Misconfigured

__all__ = ["LARGEST_PART", "PARTS", "S3Settings", "settings_of_url"]

#: The limits of the interface, after the Amazon S3 User Guide, "Amazon S3 multipart upload limits".
PARTS = 10_000
SMALLEST_PART, LARGEST_PART = 5 << 20, 5 << 30

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,254}")
#: Names that can stand in a host: after the Amazon S3 User Guide, "General purpose bucket naming rules", without dots.
_IN_A_HOST = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class S3Settings:
    """The settings of an S3 store."""

    bucket: str = option(help="the bucket of new images")
    endpoint: str | None = option(
        None,
        help="the server: https://s3.example.com, or bare, s3.example.com:8080; without it Amazon's, by 'region'",
    )
    region: str | None = option(
        None,
        help="the region that requests are signed for; without it the endpoint's own, else us-east-1",
    )
    access_key: str | None = option(
        None,
        help="the access key; without it whatever the AWS tools would use: environment, profile, instance role",
    )
    secret_key: Secret | None = option(None, help="the secret key that goes with it")
    session_token: Secret | None = option(
        None, help="the session token, where the keys are temporary ones"
    )
    profile: str | None = option(
        None, help="a profile of the AWS configuration files, where there is no 'access_key'"
    )
    prefix: str = option("", help="what the keys of all images of this store begin with; no slash")
    buckets: tuple[str, ...] = option(
        (), help="further buckets whose images may be read and deleted by reference; *: all"
    )
    foreign_hosts: str = option(
        "refuse",
        help="what is done with references that name another server: refuse, or use: look for them on this one",
        choices=("refuse", "use"),
    )
    tls: bool = option(True, help="https, where 'endpoint' is bare; false: http")
    tls_verify: bool = option(True, help="check the server's certificate")
    ca_file: str | None = option(
        None, help="the certificates to check it against; without it those that come with certifi"
    )
    addressing: str = option(
        "auto",
        help="where the bucket stands in a URL: path, or virtual: in the host; auto: in the path, but for Amazon",
        choices=("auto", "path", "virtual"),
    )
    proxy: Secret | None = option(
        None, help="the URL of a proxy; without it those of the environment, none with 'none'"
    )
    part_size: int = option(
        8 << 20,
        help="the size of the first parts of an image; one of a single part is sent in one request",
        unit="bytes",
        minimum=SMALLEST_PART,
        maximum=LARGEST_PART,
    )
    multipart_from: int = option(
        LARGEST_PART,
        help="images of so many bytes are sent as an upload in parts even if there is only one of them",
        unit="bytes",
        minimum=0,
    )
    largest_part: int = option(
        64 << 20,
        help="what the parts of an image of unknown size grow to, doubling after every 1000; such an image has up to"
        " 10000 parts: 492 GiB with this and the default of 'part_size'",
        unit="bytes",
        minimum=SMALLEST_PART,
        maximum=LARGEST_PART,
    )
    largest_image: int = option(
        5 << 40, help="the largest image that the server takes", unit="bytes", minimum=1
    )
    parallel: int = option(
        8, help="how many parts of an image are sent side by side", minimum=1, maximum=64
    )
    parallel_reads: int = option(
        4, help="how many ranges of an image are read side by side", minimum=1, maximum=64
    )
    connections: int = option(
        50, help="how many connections are kept open for the next request", minimum=1, maximum=10000
    )
    connect_timeout: float = option(
        10.0,
        help="how long connecting may take, and how long the server may take nothing of what is sent",
        unit="seconds",
        minimum=0.1,
    )
    timeout: float = option(
        60.0,
        help="how long the server may be silent once a request is sent; no limit on a transfer",
        unit="seconds",
        minimum=0.1,
    )
    conditional_writes: str = option(
        "auto",
        help="whether the server refuses by itself to replace an object (If-None-Match): always; never: look before"
        " writing; auto: both, and only Amazon is relied on",
        choices=("auto", "always", "never"),
    )
    checksum: str = option(
        "sha256",
        help="what the server checks each part by: sha256 (the signature, every server), md5, crc32 (Amazon, and"
        " servers of 2025), or none",
        choices=("sha256", "md5", "crc32", "none"),
    )
    verify_downloads: bool = option(
        False,
        help="ask for the server's checksums and compare them as well, where whole objects are read",
    )
    create_bucket: bool = option(False, help="make the bucket at the first upload if it is missing")
    storage_class: str | None = option(
        None, help="the storage class of new images, STANDARD_IA say"
    )
    acl: str | None = option(
        None, help="the canned ACL of new images, bucket-owner-full-control say"
    )
    encryption: str | None = option(
        None, help="encryption by the server: AES256, aws:kms or aws:kms:dsse"
    )
    kms_key: str | None = option(None, help="the key for aws:kms, by its name or ARN")
    customer_key: Secret | None = option(
        None, help="a key of your own for encryption by the server: 32 bytes in base64"
    )
    delete_versions: bool = option(
        False,
        help="in a bucket with versions, delete the version itself instead of hiding it behind a marker",
    )

    def __post_init__(self) -> None:
        _check_texts(self)
        _check_bucket(self)
        _check_credentials(self)
        _check_encryption(self)
        resolve(self.endpoint, self.region, tls=self.tls)
        if self.largest_part < self.part_size:
            raise Misconfigured(
                "setting 'largest_part' must not be less than 'part_size'", setting="largest_part"
            )

    @property
    def server(self) -> Endpoint:
        """Where the server is."""
        return resolve(self.endpoint, self.region, tls=self.tls)


def settings_of_url(url: str) -> dict[str, str]:
    """Take a URL apart: ``s3://BUCKET`` at Amazon, ``s3+http://HOST[:PORT]/BUCKET`` or ``s3+https://`` elsewhere."""
    scheme, _, rest = url.partition(":")
    rest = rest.removeprefix("//").strip("/")
    if "@" in rest:
        raise Misconfigured(
            "the URL of an S3 store holds no credentials: set 'access_key' and 'secret_key'",
            setting="url",
        )
    host, slash, bucket = rest.rpartition("/")
    if scheme.lower() != "s3" and not (slash and host):
        raise Misconfigured(
            f"the URL of an {scheme} store names server and bucket: {scheme}://HOST[:PORT]/BUCKET",
            setting="url",
        )
    values = {"bucket": unquote(bucket)} if bucket else {}
    if slash:
        plain = "http" if scheme.lower() == "s3+http" else "https"
        values["endpoint"] = f"{plain}://{host}"
    return values


def _check_texts(settings: S3Settings) -> None:
    for name in ("access_key", "profile", "ca_file", "storage_class", "acl", "kms_key", "proxy"):
        value = getattr(settings, name)
        text = value.reveal() if isinstance(value, Secret) else value
        if text is not None and not (text and text.isprintable() and text.isascii()):
            raise Misconfigured(
                f"setting {name!r} is empty or has characters that it cannot have", setting=name
            )
    prefix = settings.prefix
    if not prefix.isprintable() or set(prefix) & set("/?#") or prefix.startswith("."):
        raise Misconfigured(
            "setting 'prefix' must not begin with a dot nor have /, ?, # or unprintable characters",
            setting="prefix",
        )


def _check_bucket(settings: S3Settings) -> None:
    if _BUCKET.fullmatch(settings.bucket) is None:
        raise Misconfigured("setting 'bucket' is no name of a bucket", setting="bucket")
    if settings.addressing == "virtual" and _IN_A_HOST.fullmatch(settings.bucket) is None:
        raise Misconfigured(
            "this bucket cannot stand in a host name (3 to 63 of a-z, 0-9 and -): set 'addressing' to path",
            setting="addressing",
        )


def _check_credentials(settings: S3Settings) -> None:
    key, secret = settings.access_key, settings.secret_key
    if (key is None) != (secret is None):
        missing = "access_key" if key is None else "secret_key"
        raise Misconfigured("set both 'access_key' and 'secret_key', or neither", setting=missing)
    if key is None and settings.session_token is not None:
        raise Misconfigured("a 'session_token' goes with keys: set them", setting="session_token")
    if key is not None and settings.profile is not None:
        raise Misconfigured("set either 'access_key' or 'profile'", setting="profile")
    for name in ("secret_key", "session_token"):
        given = getattr(settings, name)
        text = "x" if given is None else given.reveal()
        if not (text and text.isprintable() and text.isascii()):
            raise Misconfigured(
                f"setting {name!r} is empty or has characters that it cannot have", setting=name
            )


def _check_encryption(settings: S3Settings) -> None:
    if settings.encryption not in (None, "AES256", "aws:kms", "aws:kms:dsse"):
        raise Misconfigured(
            "setting 'encryption' must be AES256, aws:kms or aws:kms:dsse", setting="encryption"
        )
    if settings.kms_key is not None and not (settings.encryption or "").startswith("aws:kms"):
        raise Misconfigured("'kms_key' goes with an 'encryption' of aws:kms", setting="kms_key")
    if settings.customer_key is None:
        return
    if settings.encryption is not None:
        raise Misconfigured("set either 'encryption' or 'customer_key'", setting="customer_key")
    customer_key_bytes(settings)
    if not settings.server.tls:
        raise Misconfigured(
            "a 'customer_key' goes with every request: it needs https", setting="customer_key"
        )


def customer_key_bytes(settings: S3Settings) -> bytes:
    """Give the key of ``customer_key``; Misconfigured if it is none."""
    text = settings.customer_key.reveal() if settings.customer_key else ""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:  # noqa: PLR2004 - AES-256
        raise Misconfigured(
            "setting 'customer_key' must be 32 bytes in base64", setting="customer_key"
        )
    return key
