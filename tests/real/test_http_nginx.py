"""The http driver against nginx of the lab, by every kind of path it offers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from multistore.config import Secret
from multistore.drivers.http import HttpDriver, HttpSettings
from multistore.errors import (
    AccessDenied,
    RateLimited,
    StoreError,
    Unauthenticated,
    Unavailable,
    Unsupported,
)

pytestmark = pytest.mark.real


def lab(name: str) -> str:
    """Give what the lab says: in the environment, or in the file it left."""
    file = Path(__file__).parents[2] / "lab" / ".data" / "env"
    found = dict(os.environ)
    if file.exists():
        pairs = (line.partition("=") for line in file.read_text().splitlines())
        found = {key: value.strip("'") for key, _, value in pairs} | found
    if name not in found:
        pytest.fail(f"{name} is not known: 'make lab-up' first, as root")
    return found[name]


@pytest.fixture
def data() -> bytes:
    return Path(lab("MULTISTORE_LAB_NGINX_FILES"), "image").read_bytes()


@contextlib.contextmanager
def opened(path: str, **values: object) -> Iterator[tuple[HttpDriver, str]]:
    base = lab("MULTISTORE_LAB_NGINX") + path
    values = {"base": base, "allow": ("127.0.0.0/8", "localhost"), **values}
    made = HttpSettings(**values)  # type: ignore[arg-type]  # values of any type
    with contextlib.closing(HttpDriver(made)) as driver:
        yield driver, base


def fetch(driver: HttpDriver, ref: str, offset: int = 0, length: int | None = None) -> bytes:
    with driver.open(ref) as reader:
        return b"".join(reader.read(offset, length))


@pytest.mark.parametrize(
    "path", ["/files/", "/norange/", "/nolength/", "/weak/", "/slow/", "/redirect/", "/nohead/"]
)
def test_images_are_read_by_every_honest_path(path: str, data: bytes) -> None:
    offset = 4_500_000 if path == "/slow/" else 1
    with opened(path) as (driver, base):
        driver.check()
        assert fetch(driver, base + "image", offset) == data[offset:]
        assert fetch(driver, base + "image", 10, 1000) == data[10:1010]
        assert fetch(driver, base + "image", len(data) + 1) == b""
        assert fetch(driver, base + "empty") == b""
        info = driver.stat(base + "image")
        assert info.size == (None if path == "/nolength/" else len(data))
        assert (info.version is None) == (path in ("/weak/", "/nolength/"))


def test_tls_is_verified_with_the_labs_own_authority(data: bytes) -> None:
    base = lab("MULTISTORE_LAB_NGINX_TLS") + "/files/"
    ca = lab("MULTISTORE_LAB_NGINX_CA")
    with opened("", base=base, ca_file=ca) as (driver, _):
        assert fetch(driver, base + "image") == data
    with opened("", base=base) as (driver, _), pytest.raises(Unavailable, match="certificate"):
        driver.stat(base + "image")


def test_http_may_lead_up_to_https_and_never_down(data: bytes) -> None:
    ca = lab("MULTISTORE_LAB_NGINX_CA")
    with opened("/absolute/", ca_file=ca) as (driver, base):
        assert fetch(driver, base + "image") == data
    down = lab("MULTISTORE_LAB_NGINX_TLS") + "/down/"
    with opened("", base=down, ca_file=ca) as (driver, _), pytest.raises(AccessDenied):
        driver.stat(down + "image")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/loop/", Unavailable), ("/tofile/", AccessDenied), ("/auth/", Unauthenticated), ("/gzip/", Unsupported),
        ("/deny/", AccessDenied), ("/busy/", Unavailable), ("/patience/", RateLimited), ("/cut/", Unavailable),
    ],
)  # fmt: skip
def test_each_refusal_has_its_error(path: str, kind: type[StoreError]) -> None:
    with opened(path) as (driver, base), pytest.raises(kind) as caught:
        fetch(driver, base + "image")
    if kind is RateLimited:
        assert caught.value.retry_after == 7.0


def test_credentials_open_what_is_closed(data: bytes) -> None:
    with opened("/auth/", username="user", password=Secret("pass")) as (driver, base):
        assert fetch(driver, base + "image") == data
    with opened("/bearer/", token=Secret("secret")) as (driver, base):
        assert fetch(driver, base + "image") == data
