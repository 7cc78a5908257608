"""An s3 store by keys that may do little, on the RADOS gateway: the policy of the manual, and one right less each time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.person import Person
from conformance.s3_rig import Backstage, bucket_of, rgw_settings
from fakes.s3_proxy import Proxy, proxied
from multistore import Store
from multistore.config import Secret
from multistore.drivers.s3 import S3Driver
from multistore.errors import AccessDenied, NotFound, StoreError
from multistore.testing.tools import content, digests_of, one_image, read

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MANUAL = Path(__file__).parents[2] / "docs" / "how-to" / "s3.md"
SMALL, LARGE = 100_000, (5 << 20) + 7
KEYS: dict[str, Any] = {"access_key": "otheraccess", "secret_key": Secret("othersecret")}
#: What else there is to allow; this gateway does not heed NotAction.
EVERYTHING = frozenset(
    f"s3:{verb}{what}"
    for verb, things in {
        "Get": (
            "Object", "ObjectVersion", "ObjectAcl", "ObjectTagging", "BucketAcl", "BucketLocation", "BucketVersioning",
            "BucketPolicy", "BucketTagging", "BucketCORS", "LifecycleConfiguration",
        ),
        "Put": (
            "Object", "ObjectAcl", "ObjectTagging", "BucketAcl", "BucketVersioning", "BucketPolicy", "LifecycleConfiguration",
        ),
        "Delete": ("Object", "ObjectVersion", "ObjectTagging", "Bucket", "BucketPolicy"),
        "List": ("Bucket", "BucketVersions", "BucketMultipartUploads", "MultipartUploadParts"),
        "Abort": ("MultipartUpload",),
        "Create": ("Bucket",),
    }.items()
    for what in things
)  # fmt: skip
WHO = {"AWS": ["arn:aws:iam:::user/other"]}


def _blocks() -> list[dict[str, Any]]:
    """Give what the manual has in JSON: the policy, and the rule of the bucket."""
    return [
        json.loads(each) for each in re.findall(r"```json\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    ]


def _allow(back: Backstage, without: tuple[str, ...] = ()) -> None:
    """Let the other user do what the manual's policy allows, without some of it, and nothing beyond.

    Who wrote an object may do all with it here, whatever a policy allows, so that the rest is forbidden.
    """
    (policy,) = (each for each in _blocks() if "Statement" in each)
    bucket = back.settings.bucket
    allowed: list[str] = []
    for each in policy["Statement"]:
        each["Principal"] = WHO
        each["Resource"] = each["Resource"].replace(":::images", f":::{bucket}")
        each["Action"] = [action for action in each["Action"] if action not in without]
        allowed += each["Action"]
    policy["Statement"].append(
        {
            "Effect": "Deny",
            "Principal": WHO,
            "Action": sorted(EVERYTHING - set(allowed)),
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
    )
    back.ask("put_bucket_policy", Policy=json.dumps(policy))


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    """A bucket of somebody else's."""
    with bucket_of(rgw_settings) as found:
        yield found


@pytest.fixture
def proxy(back: Backstage) -> Iterator[Proxy]:
    with proxied(back.settings.endpoint or "") as found:
        yield found


@pytest.fixture
def driver(back: Backstage, proxy: Proxy) -> Iterator[S3Driver]:
    """One with the keys of the other user."""
    found = S3Driver(rgw_settings(back.settings.bucket, endpoint=proxy.address, **KEYS))
    yield found
    found.close()
    back.empty()


def test_the_policy_of_the_manual_is_enough(
    back: Backstage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For every command, by whoever follows the manual."""
    _allow(back)
    monkeypatch.setenv("S3_SECRET_KEY", KEYS["secret_key"].reveal())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "MULTISTORE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "multistore.toml").write_text(
        f"""
        [stores.cloud]
        driver = "s3"
        endpoint = "{back.settings.endpoint}"
        bucket = "{back.settings.bucket}"
        access_key = "{KEYS["access_key"]}"
        secret_key = {{ env = "S3_SECRET_KEY" }}
        part_size = "5MiB"
        """
    )
    person = Person(tmp_path)
    person("stores", "--check")
    for size in (SMALL, LARGE):
        (tmp_path / "image").write_bytes(content(size))
        person("put", "image", f"known-{size}")
        person("put", "-", f"unknown-{size}", stdin=content(size))
    names = {f"{kind}-{size}": size for kind in ("known", "unknown") for size in (SMALL, LARGE)}
    listed = person("ls", "--json").lines
    assert {each["name"]: each["size"] for each in listed if "name" in each} == names
    for name, size in names.items():
        assert person("get", name, "-").raw == content(size)
    theirs = S3Driver(rgw_settings(back.settings.bucket, **KEYS))
    theirs.begin("left", None, {}).write_part(0, 0, content(SMALL))
    assert back.leftovers()
    person("gc", "--grace", "0s")
    assert not back.leftovers()
    copy = Store(theirs, name="cloud").copy(
        theirs._ref(f"known-{LARGE}"), Store(theirs, name="cloud"), "copy"
    )
    assert read(theirs, copy.ref) == content(LARGE)
    theirs.delete(copy.ref)
    for name in names:
        person("rm", name)
    assert not list(theirs.list())
    theirs.close()


def test_the_rule_of_the_manual_is_taken(back: Backstage) -> None:
    (rule,) = (each for each in _blocks() if "Rules" in each)
    back.ask("put_bucket_lifecycle_configuration", LifecycleConfiguration=rule)
    (kept,) = back.ask("get_bucket_lifecycle_configuration")["Rules"]
    assert kept["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    back.ask("delete_bucket_lifecycle")


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_without_the_right_to_put(
    back: Backstage, driver: S3Driver, proxy: Proxy, size: int
) -> None:
    """It is told by the first request that would write, and nothing is there; what is there is read."""
    ref = one_image(S3Driver(back.settings), "kept", b"kept").ref
    _allow(back, without=("s3:PutObject",))
    with pytest.raises(AccessDenied):
        Store(driver, name="judged").put("image", content(size))
    assert proxy.seen() == (["head", "head", "put"] if size == SMALL else ["head", "create"])
    assert not back.leftovers()
    with pytest.raises(AccessDenied):
        driver.check()
    key = S3Driver.parse(ref).key
    assert read(driver, driver._ref(key)) == b"kept"
    assert [each.name for each in driver.list()] == ["kept"]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_without_the_right_to_get(back: Backstage, driver: S3Driver, size: int) -> None:
    """Images are written and not read, and none is replaced; each way to one is told to be closed."""
    _allow(back, without=("s3:GetObject",))
    stored = Store(driver, name="judged").put("image", content(size))
    assert stored.digests == digests_of(content(size))
    for work in (driver.stat, lambda ref: driver.open(ref).read(), driver.delete):
        with pytest.raises(AccessDenied):
            work(stored.ref)
    with pytest.raises(AccessDenied):
        driver.check()
    with pytest.raises(StoreError):
        Store(driver, name="judged").put("image", b"other")
    assert not back.leftovers()
    _allow(back)
    assert read(driver, stored.ref) == content(size)


def test_without_the_right_to_delete(back: Backstage, driver: S3Driver) -> None:
    """An image stays, and is not taken for deleted; what cannot be removed of an upload is its mark alone."""
    _allow(back, without=("s3:DeleteObject",))
    store = Store(driver, name="judged")
    refs = [store.put(f"image-{size}", content(size)).ref for size in (SMALL, LARGE)]
    for ref in refs:
        with pytest.raises(AccessDenied):
            store.delete(ref)
        assert store.stat(ref).size in (SMALL, LARGE)
    upload = driver.begin("aborted", None, {})
    upload.write_part(0, 0, content(SMALL))
    with pytest.raises(AccessDenied):
        upload.abort()
    assert not [each for each in back.uploads() if "aborted" in each]
    _allow(back)
    for each in driver.pending():
        driver.discard(each.token)
    assert not back.leftovers()


def test_without_the_right_to_list(back: Backstage, driver: S3Driver) -> None:
    """Lists are refused; an image of one request is written, one in parts is refused before a byte is sent."""
    _allow(back, without=("s3:ListBucket",))
    store = Store(driver, name="judged")
    ref = store.put("image", content(SMALL)).ref
    assert read(driver, ref) == content(SMALL)
    for work in (lambda: list(driver.list()), lambda: list(driver.pending()), driver.check):
        with pytest.raises(AccessDenied):
            work()
    with pytest.raises(AccessDenied):
        driver.stat(driver._ref("missing"))
    with pytest.raises(AccessDenied, match="rights to read and to list"):
        store.put("large", content(LARGE))
    assert not back.leftovers()
    store.delete(ref)


def test_without_the_right_to_abort(back: Backstage, driver: S3Driver) -> None:
    """An image is written all the same; an upload that fails says so, and is found by whoever has the right."""
    _allow(back, without=("s3:AbortMultipartUpload",))
    store = Store(driver, name="judged")
    ref = store.put("image", content(LARGE)).ref
    assert read(driver, ref) == content(LARGE)
    upload = driver.begin("aborted", None, {})
    upload.write_part(0, 0, content(SMALL))
    with pytest.raises(AccessDenied):
        upload.abort()
    (left,) = driver.pending()
    assert left.name == "aborted"
    _allow(back)
    driver.discard(left.token)
    assert not back.leftovers()


def test_without_the_rights_to_list_uploads_and_parts(back: Backstage, driver: S3Driver) -> None:
    """Nothing needs the first but the search for what a lost answer began, nor here the second to see an upload gone."""
    _allow(back, without=("s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts"))
    store = Store(driver, name="judged")
    for size in (SMALL, LARGE):
        store.put(f"image-{size}", content(size))
    driver.check()
    assert not back.leftovers()


# -- buckets with versions ---------------------------------------------------------------------------


@pytest.fixture
def versioned() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


def test_versions_are_hidden_or_gone(versioned: Backstage) -> None:
    """With ``delete_versions`` nothing is left of an image, one from before the bucket had versions included."""
    settings = versioned.settings
    hides = S3Driver(settings)
    removes = S3Driver(rgw_settings(settings.bucket, delete_versions=True))
    early = one_image(S3Driver(settings), "early", content(SMALL)).ref
    versioned.versioned()
    for size in (SMALL, LARGE):
        for driver in (removes, hides):
            name = f"image-{size}-{driver is hides}"
            ref = one_image(driver, name, content(size)).ref
            assert read(driver, ref) == content(size)
            driver.delete(ref)
            with pytest.raises(NotFound):
                driver.stat(ref)
            kept = {("marker", name), ("version", name)} if driver is hides else set()
            assert set(versioned.versions(name)) == kept
    removes.delete(early)
    assert not versioned.versions("early")
    before = versioned.versions()
    source = one_image(removes, "source", content(LARGE)).ref
    store = Store(removes, name="judged")
    for ref in (store.copy(source, store, "copy").ref, source):
        assert read(removes, ref) == content(LARGE)
        removes.delete(ref)
    upload = removes.begin("aborted", None, {})
    upload.write_part(0, 0, content(SMALL))
    upload.abort()
    removes.check()
    assert versioned.versions() == before
    for each in (hides, removes):
        each.close()


def test_versions_need_a_right_of_their_own(versioned: Backstage) -> None:
    """To hide an image is what the manual's policy allows; to remove its version is told to be forbidden."""
    versioned.versioned()
    _allow(versioned)
    name = versioned.settings.bucket
    hides = S3Driver(rgw_settings(name, **KEYS))
    removes = S3Driver(rgw_settings(name, delete_versions=True, **KEYS))
    ref = one_image(hides, "image", content(SMALL)).ref
    with pytest.raises(AccessDenied):
        removes.delete(ref)
    assert read(removes, ref) == content(SMALL)
    hides.delete(ref)
    with pytest.raises(NotFound):
        removes.stat(ref)
    for each in (hides, removes):
        each.close()
