"""Every row of the list of known defects of Swift stores has tests that name it, SW-1 to SW-37; those of time and trouble."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from fakes.swift_server import KEY, SwiftState, swift_server
from multistore import Store, StoreOptions
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver, SwiftSettings
from multistore.errors import Corrupt, Misconfigured, NoSpace, TimedOut, Unavailable

Make = Any
TESTS = Path(__file__).parents[2]
SEGMENT = 64 << 10
ONCE = StoreOptions(attempts=1)
QUICK = StoreOptions(attempts=5, backoff=0.001, backoff_limit=0.01)
APPLICATION: dict[str, Any] = {
    "auth_version": "3",
    "user": None,
    "password": None,
    "application_credential_id": Secret("i"),
    "application_credential_secret": Secret(KEY),
}


def names(server: SwiftState) -> list[str]:
    return sorted(server.containers.get("images", ()))


def read(store: Store, ref: str) -> bytes:
    with store.open(ref) as image:
        return b"".join(image)


def test_every_row_has_a_test() -> None:
    found = {
        int(number)
        for path in TESTS.rglob("test_*swift*.py")
        for name in re.findall(r"^ *def test((?:_sw\d+)+)_", path.read_text(), re.MULTILINE)
        for number in re.findall(r"\d+", name)
    }
    assert set(range(1, 38)) - found == set()


# -- who logs in -----------------------------------------------------------------------------------


def test_sw6_a_trust_is_used_and_none_is_made(make: Make, server: SwiftState) -> None:
    """Keystone is asked for tokens alone, of the trust that the settings name; callers' trusts are made elsewhere."""
    server.trusts["given"] = {"trustor_user_id": "somebody"}
    driver = make(auth_url=f"{server.base}/v3", auth_version="3", trust_id="given")
    store = Store(driver, name="swift", options=ONCE)
    store.delete(store.put("x", iter([b"x" * (2 * SEGMENT)])).ref)
    assert [asked["scope"] for asked in server.asked] == [{"OS-TRUST:trust": {"id": "given"}}]
    assert {path for _, path in server.requests if path.startswith("/v3")} == {"/v3/auth/tokens"}


def test_sw23_domains_are_those_of_the_account_that_a_reference_names(
    tmp_path: Path, make: Make, server: SwiftState
) -> None:
    """Also where the reference has credentials of its own: then those of who else logs in there."""
    file = tmp_path / "accounts"
    told = f"auth_address = {server.base}/v3\nkey = {KEY}\n"
    file.write_text(
        f"[one]\n{told}user = p1:u1\nuser_domain_name = D1\nproject_domain_name = D1\n"
        f"[two]\n{told}user = p2:u2\nuser_domain_id = d2\nproject_domain_id = d3\n"
    )
    none: dict[str, Any] = {"auth_url": None, "auth_version": "3", "user": None, "password": None}
    driver = make(config_file=str(file), reference="one", containers=("*",), **none)
    store = Store(driver, name="swift", options=ONCE)
    store.put("x", b"abc")
    place = server.base.removeprefix("http://")
    for account in ("swift+config://two", f"swift+http://p3%3Au3:{KEY}@{place}/v3"):
        assert driver.stat(f"{account}/images/x").size == 3
    seen = [
        (asked["identity"]["password"]["user"]["domain"], asked["scope"]["project"]["domain"])
        for asked in server.asked
    ]
    first = ({"name": "D1"}, {"name": "D1"})
    assert seen == [first, ({"id": "d2"}, {"id": "d3"}), first]
    assert server.asked[2]["identity"]["password"]["user"]["name"] == "u3"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_sw28_an_application_credential_heeds_certificates_and_interface_in_every_verb() -> None:
    """What concerns the connection is no matter of who logs in; a token that is refused is renewed in each."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with swift_server(context) as server, authority.cert_pem.tempfile() as file:
        server.interface = "internal"
        common = {"auth_url": f"{server.base}/v3", "container": "images", "create_container": True}
        settings: list[dict[str, Any]] = [{"ca_file": file}, {"verify": False}]
        for each in settings:
            driver = SwiftDriver(
                SwiftSettings(**common, **APPLICATION, **each, interface="internal")  # type: ignore[arg-type]
            )
            store = Store(driver, name="swift", options=ONCE)
            ref = store.put("x", b"abc").ref
            for verb in (store.stat, lambda ref: read(store, ref), store.delete):  # noqa: B023
                server.tokens.clear()
                verb(ref)
            store.close()
        wrong = SwiftDriver(SwiftSettings(**common, **APPLICATION))  # type: ignore[arg-type]
        for work in _verbs(wrong):
            with pytest.raises(Unavailable, match="certificate"):
                work()
        wrong.close()
        public = SwiftDriver(SwiftSettings(**common, **APPLICATION, ca_file=file))  # type: ignore[arg-type]
        for work in _verbs(public):
            with pytest.raises(Misconfigured, match="interface"):
                work()
        public.close()


def test_sw29_an_application_credential_with_a_trust_is_refused_at_once(make: Make) -> None:
    """Keystone does not scope one to a trust: nothing is left out silently."""
    with pytest.raises(Misconfigured, match="trust"):
        make(**APPLICATION, trust_id="given")


@pytest.mark.parametrize(
    "changes",
    [{"region": "Mars"}, {"interface": "internal"}, {"service_type": "object-stores"}],
)
def test_sw30_a_catalog_without_such_a_swift_is_told(
    changes: dict[str, Any], make: Make, server: SwiftState
) -> None:
    """By every verb, with the settings to look at."""
    driver = make(auth_url=f"{server.base}/v3", auth_version="3", project="p", **changes)
    for work in _verbs(driver):
        with pytest.raises(Misconfigured, match="'region', 'interface' and 'service_type'"):
            work()


# -- reading ---------------------------------------------------------------------------------------


def test_sw16_sw20_a_cut_download_goes_on_or_fails(make: Make, server: SwiftState) -> None:
    """Where it broke off, through refusals too; never is a short one an image."""
    driver = make(parallel_reads=1)
    store = Store(driver, name="swift", options=QUICK)
    data = bytes(range(256)) * (6 << 12)
    ref = store.put("x", data).ref
    server.cut = [("GET", "/images/x")] * 3
    server.refuse[("GET", "/images/x")] = [(503, {}), (429, {"Retry-After": "0"})]
    assert read(store, ref) == data
    assert not server.cut
    asked = [heard["range"] for heard in server.heard if "range" in heard]
    assert asked[0] == "bytes=3145728-", "it goes on where it broke off"
    assert len(set(asked)) > 1
    single = Store(driver, name="swift", options=ONCE)
    server.cut = [("GET", "/images/x")] * 20
    with pytest.raises(Unavailable):
        read(single, ref)


def test_sw17_a_dynamic_image_waits_for_the_list(make: Make, server: SwiftState) -> None:
    """A manifest is written once every segment is in the list that it is read by."""
    driver = make(manifest="dynamic")
    upload = driver.begin("x", 3 * SEGMENT, {})
    for index in range(3):
        upload.write_part(index, index * SEGMENT, bytes([index]) * SEGMENT)
    server.hidden = {name for name in names(server) if name.endswith("-00002")}
    with pytest.raises(Unavailable, match="lacks 1 segments"):
        upload.commit(3 * SEGMENT, {})
    assert "x" not in names(server)
    server.hidden = set()
    ref = upload.commit(3 * SEGMENT, {}).ref
    assert read(Store(driver, name="swift"), ref) == b"".join(
        bytes([index]) * SEGMENT for index in range(3)
    )


def test_sw17_no_more_segments_than_five_digits_count(make: Make) -> None:
    """So that their names sort as they were written; what would need more is refused before anything is sent."""
    driver = make(segment_size=1)
    counted = [*driver.parts(None)]
    assert len(counted) == 99_999
    upload = driver.begin("x", None, {})
    names = [upload._token.segment(number) for number in (1, 2, 9_999, 10_000, 99_999)]
    assert names == sorted(names)
    upload.abort()
    with pytest.raises(NoSpace):
        driver.begin("x", 99_999 * (32 << 20) + 1, {})


def test_sw16_sw17_a_size_that_is_not_told_is_added_up(make: Make, server: SwiftState) -> None:
    """As of dynamic images with more segments than a list has: neither nothing, nor read beyond its end."""
    driver = make(manifest="dynamic")
    store = Store(driver, name="swift", options=ONCE)
    data = b"".join(bytes([index]) * SEGMENT for index in range(5))
    ref = store.put("x", data).ref
    server.tells_size, server.page = False, 2
    assert store.stat(ref).size == len(data)
    assert read(store, ref) == data
    with driver.open(ref) as reader:
        for offset, length in ((10, 20), (3 * SEGMENT, 100), (5 * SEGMENT - 10, None), (0, None)):
            end = len(data) if length is None else offset + length
            assert b"".join(reader.read(offset, length)) == data[offset:end]
    with driver.open(ref) as reader:
        assert b"".join(reader.read(10, 20)) == data[10:30]
        assert reader.info.size == len(data)
    server.cut = [("GET", "/images/x")]
    with pytest.raises((Unavailable, Corrupt)):
        read(store, ref)


# -- time and trouble ------------------------------------------------------------------------------


def _verbs(driver: SwiftDriver) -> list[Callable[[], object]]:
    """Give every way to a server."""
    ref = driver._places.ref("images", "x")
    return [
        lambda: driver.stat(ref),
        lambda: b"".join(driver.open(ref).read()),
        lambda: Store(driver, name="swift", options=ONCE).put("new", b"abc"),
        lambda: driver.delete(ref),
        lambda: list(driver.list()),
        driver.usage,
        driver.check,
    ]


@pytest.mark.parametrize("version", ["1", "3"])
@pytest.mark.parametrize("verb", range(7))
def test_sw26_a_login_that_hangs_is_given_up(
    verb: int, version: str, make: Make, server: SwiftState
) -> None:
    path = "/auth/v1.0" if version == "1" else "/v3"
    driver = make(auth_url=server.base + path, auth_version=version, project="p", timeout=0.2)
    server.stall = [("GET", "/auth/v1.0"), ("POST", "/auth/tokens")]
    with pytest.raises(TimedOut):
        _verbs(driver)[verb]()


@pytest.mark.parametrize(
    ("request_", "verb"),
    [
        (("HEAD", "/images/x"), 0), (("GET", "/images/x"), 1), (("PUT", "/images/new"), 2), (("DELETE", "/images/x"), 3),
        (("GET", "/images"), 4), (("HEAD", "/images"), 5), (("PUT", ".begun"), 6),
    ],
)  # fmt: skip
def test_sw26_a_server_that_hangs_is_given_up(
    request_: tuple[str, str], verb: int, make: Make, server: SwiftState
) -> None:
    """And the next try, on another connection, is answered."""
    driver = make(timeout=0.3)
    Store(driver, name="swift").put("x", b"abc")
    server.stall = [request_]
    with pytest.raises(TimedOut):
        _verbs(driver)[verb]()
    assert not server.stall
    _verbs(driver)[verb]()


def test_sw26_a_body_that_stops_is_given_up(make: Make, server: SwiftState) -> None:
    driver = make(timeout=0.3)
    ref = Store(driver, name="swift").put("x", b"x" * SEGMENT).ref
    server.half = True
    server.stall = [("GET", "/images/x")]
    with pytest.raises(TimedOut):
        b"".join(driver.open(ref).read())


def test_sw27_a_refused_segment_is_sent_again(make: Make, server: SwiftState) -> None:
    """From memory, whatever the source is: one that is read once."""
    store = Store(make(), name="swift", options=QUICK)
    data = b"".join(bytes([index]) * SEGMENT for index in range(5))
    server.refuse[("PUT", "-00005")] = [(503, {}), (408, {}), (422, {})]
    server.lose = [("PUT", "-00002")]
    server.refuse[("PUT", "/images/x")] = [(500, {})]
    receipt = store.put("x", (data[at : at + 1000] for at in range(0, len(data), 1000)))
    assert read(store, receipt.ref) == data
    assert not any(server.refuse.values())


def test_sw27_what_was_the_matter_is_told_at_last(make: Make, server: SwiftState) -> None:
    store = Store(make(), name="swift", options=QUICK)
    server.refuse[("PUT", "-00003")] = [(503, {})] * 50
    with pytest.raises(Unavailable, match="503") as told:
        store.put("x", iter([b"x" * (3 * SEGMENT)]))
    assert getattr(told.value, "attempts") == QUICK.attempts  # noqa: B009
    assert names(server) == []


@pytest.mark.parametrize("trouble", ["list", "login", "delete"])
def test_sw35_trouble_in_the_clean_up_hides_nothing(
    trouble: str, make: Make, server: SwiftState
) -> None:
    """The first error comes out, all that can be removed is, and a sweep finds the rest."""
    driver = make()
    store = Store(driver, name="swift", options=ONCE)
    server.refuse[("PUT", "/images/x")] = [(413, {})]
    if trouble == "list":
        server.refuse[("GET", "/images")] = [(503, {})]
    elif trouble == "delete":
        server.refuse[("DELETE", "-00002")] = [(503, {})]
    else:
        driver.usage()
        # Each look before this is answered, the one of the clean-up is refused.
        server.refuse[("HEAD", "/images/x")] = [(404, {}), (404, {}), (401, {})]
        server.refuse[("GET", "/auth/v1.0")] = [(503, {})]
    with pytest.raises(NoSpace):
        store.put("x", b"x" * (3 * SEGMENT))
    left = names(server)
    segments = [name for name in left if not name.endswith(".begun")]
    assert len(segments) == {"list": 0, "delete": 1, "login": 3}[trouble]
    (found,) = store.pending()
    store.discard(found.token)
    assert names(server) == []
