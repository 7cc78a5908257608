"""What goes with requests: conditions, checksums, encryption, marks; and how few requests there are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest
from conformance.s3_rig import Backstage
from fakes.s3_proxy import Proxy
from multistore import Store
from multistore.drivers.s3 import S3Driver
from multistore.drivers.s3.body import Body
from multistore.errors import AccessDenied, AlreadyExists, Misconfigured, SizeMismatch, Unsupported
from multistore.known import knowing
from multistore.testing.tools import content, one_image, read, write_parts

SMALL, LARGE = 1000, 200_000


def test_few_requests_are_made(proxy: Proxy, make: Callable[..., S3Driver]) -> None:
    """A look and a put; one get; a look and a delete."""
    store = Store(make(conditional_writes="always"), name="judged")
    ref = store.put("image", content(SMALL)).ref
    assert proxy.seen() == ["head", "put"]
    proxy.requests.clear()
    with store.open(ref) as image:
        assert image.size == SMALL
        assert b"".join(image) == content(SMALL)
    assert proxy.seen() == ["get"]
    proxy.requests.clear()
    store.delete(ref)
    assert proxy.seen() == ["head", "delete"]


def test_the_server_is_found_to_refuse_once_for_each_process(
    proxy: Proxy, driver: S3Driver
) -> None:
    """The first object is sent twice; from then on the look before it is left out."""
    for place in range(3):
        one_image(driver, f"image-{place}", content(SMALL))
    assert driver._conditions.single is True
    assert proxy.seen() == ["head", "head", "put", "put", "head", "put", "head", "put"]


def test_a_server_that_knows_no_conditions_is_asked_without(proxy: Proxy, driver: S3Driver) -> None:
    """And looked at before each write."""
    proxy.trouble("put", "status", times=1, status=501, code="NotImplemented")
    one_image(driver, "image", content(SMALL))
    assert driver._conditions.single is False
    puts = [each for each in proxy.requests if each.operation == "put"]
    assert ["if-none-match" in each.fields for each in puts] == [True, False]
    upload = driver.begin("other", SMALL, {})
    commit = write_parts(driver, upload, content(SMALL))
    one_image(driver, "other", b"winner")
    with pytest.raises(AlreadyExists):
        commit()


def test_a_server_that_ignores_conditions_is_looked_at_before(
    proxy: Proxy, driver: S3Driver
) -> None:
    proxy.ignored = {"if-none-match"}
    one_image(driver, "image", content(SMALL))
    assert driver._conditions.single is False
    upload = driver.begin("other", SMALL, {})
    commit = write_parts(driver, upload, content(SMALL))
    one_image(driver, "other", b"winner")
    with pytest.raises(AlreadyExists):
        commit()
    upload.abort()


def test_a_condition_that_is_relied_on_is_insisted_on(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    driver = make(conditional_writes="always")
    proxy.trouble("put", "status", times=9, status=501, code="NotImplemented")
    with pytest.raises(Unsupported):
        one_image(driver, "image", content(SMALL))
    proxy.troubles.clear()
    proxy.ignored = {"if-none-match"}
    with pytest.raises(Misconfigured) as caught:
        driver.check()
    assert caught.value.setting == "conditional_writes"


def test_never_means_never(proxy: Proxy, make: Callable[..., S3Driver]) -> None:
    driver = make(conditional_writes="never")
    for size in (SMALL, LARGE):
        one_image(driver, f"image-{size}", content(size))
    driver.check()
    assert not any("if-none-match" in each.fields for each in proxy.requests)


def test_without_the_right_to_list_absence_looks_like_a_ban(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    """A server that refuses by itself is written to all the same, another one is not."""
    for each in ("head", "list"):
        proxy.trouble(each, "status", times=99, status=403, code="AccessDenied")
    one_image(make(conditional_writes="always"), "image", content(SMALL))
    with pytest.raises(AccessDenied):
        one_image(make(conditional_writes="never"), "other", content(SMALL))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_cannot_be_read_is_not_replaced(
    proxy: Proxy, make: Callable[..., S3Driver], size: int
) -> None:
    """By keys without the right to read: the list tells that it is there, or the server refuses, or nobody writes."""
    winner = one_image(make(), "image", b"winner")
    driver = make()
    proxy.ignored = {
        "if-none-match"
    }  # as some servers do, and more of them for what is made of parts
    proxy.trouble("head", "status", times=99, status=403)
    with pytest.raises(AlreadyExists):
        one_image(driver, "image", content(size))
    if size == LARGE:
        driver._conditions.single = True  # which says nothing about those
    proxy.trouble("list", "status", times=99, status=403, code="AccessDenied")
    with pytest.raises(AccessDenied, match="rights to read and to list"):
        one_image(driver, "image", content(size))
    assert not proxy.seen("create", "part", "complete")
    proxy.troubles.clear()
    assert read(driver, winner.ref) == b"winner"


def test_keys_that_may_only_write_can_write(proxy: Proxy, make: Callable[..., S3Driver]) -> None:
    """Where the list says that the name is free, or the server refuses, which is found out by an object that is none."""
    proxy.trouble("head", "status", times=99, status=403)
    stored = [one_image(make(), f"image-{size}", content(size)) for size in (SMALL, LARGE)]
    proxy.trouble("list", "status", times=99, status=403, code="AccessDenied")
    proxy.trouble("mark-delete", "status", times=99, status=403, code="AccessDenied")
    driver = make()
    stored.append(one_image(driver, "image", content(SMALL)))
    assert driver._conditions.single is True
    with pytest.raises(AccessDenied):  # whose the one that is there is cannot be told
        one_image(make(conditional_writes="always"), "image", content(LARGE))
    proxy.troubles.clear()
    assert [read(driver, each.ref) for each in stored] == [
        content(size) for size in (SMALL, LARGE, SMALL)
    ]
    names = {each.name for each in driver.list()}
    assert names == {"image", f"image-{SMALL}", f"image-{LARGE}"}


@pytest.mark.parametrize(
    ("checksum", "field"),
    [("md5", "content-md5"), ("crc32", "x-amz-checksum-crc32"), ("sha256", None), ("none", None)],
)
def test_parts_are_checked_by_the_server(
    proxy: Proxy, make: Callable[..., S3Driver], checksum: str, field: str | None
) -> None:
    """By the signature, or by a field of their own and not by the signature; never by a trailer."""
    driver = make(checksum=checksum)
    stored = one_image(driver, "image", content(LARGE))
    assert read(driver, stored.ref) == content(LARGE)
    parts = [each for each in proxy.requests if each.operation == "part"]
    for part in parts:
        assert (field is None) or field in part.fields
        signed = part.fields["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"
        assert signed == (checksum == "sha256")
        assert "x-amz-trailer" not in part.fields
    small = one_image(driver, "small", content(SMALL))
    assert read(driver, small.ref) == content(SMALL)


def test_settings_go_with_the_requests_that_make_objects(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    driver = make(storage_class="STANDARD_IA", acl="bucket-owner-full-control", encryption="AES256")
    for size in (SMALL, LARGE):
        one_image(driver, f"image-{size}", content(size), {"kind": "image"})
    for each in proxy.requests:
        if each.operation in ("put", "create"):
            assert each.fields["x-amz-storage-class"] == "STANDARD_IA"
            assert each.fields["x-amz-acl"] == "bucket-owner-full-control"
            assert each.fields["x-amz-server-side-encryption"] == "AES256"
            assert each.fields["x-amz-meta-multistore-label-kind"] == "image"


def test_a_missing_bucket_is_made_if_the_settings_say_so(make: Callable[..., S3Driver]) -> None:
    """Also when another one makes it at the same moment, and in a region that must not be named."""
    for size, region in ((SMALL, None), (LARGE, "us-east-1"), (SMALL, "eu-west-1")):
        name = f"made-{size}-{region}"
        driver = make(bucket=name, create_bucket=True, region=region)
        stored = one_image(driver, "image", content(size))
        assert read(driver, stored.ref) == content(size)
        driver._bucket.create()


def test_a_wrong_size_is_never_published(driver: S3Driver, back: Backstage) -> None:
    for size in (SMALL, LARGE):
        upload = driver.begin("image", size, {})
        write_parts(driver, upload, content(size))
        with pytest.raises(SizeMismatch):
            upload.commit(size + 1, {})
        upload.abort()
    assert not back.leftovers()
    assert not list(driver.list())


def test_uploads_of_others_are_left_alone(driver: S3Driver, back: Backstage) -> None:
    """In a shared bucket only what is marked is ours."""
    back.ask("create_multipart_upload", Key="backup-of-somebody")
    assert not list(driver.pending())
    upload = driver.begin("image", None, {})
    assert [each.name for each in driver.pending()] == ["image"]
    upload.abort()
    assert back.uploads() == ["upload of backup-of-somebody"]
    back.empty()


def test_other_objects_of_the_bucket_are_not_listed(
    driver: S3Driver, make: Callable[..., S3Driver], back: Backstage
) -> None:
    """Those whose keys have a slash; with a prefix, those without it."""
    back.ask("put_object", Key="backups/today", Body=b"x")
    one_image(driver, "image", content(SMALL))
    one_image(make(prefix="img-"), "other", content(SMALL))
    assert [each.name for each in driver.list()] == ["image", "img-other"]
    assert [each.name for each in make(prefix="img-").list()] == ["other"]
    assert driver.usage().used == 2 * SMALL


def test_a_part_whose_digest_is_known_is_not_hashed_again(
    proxy: Proxy, driver: S3Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is signed like any other; with other bytes in between, or without the signature, the digest is of no use."""
    data = content(LARGE)
    right = hashlib.sha256(data).hexdigest()
    upload = driver.begin("image", None, {})
    read = Body.read
    hashed: list[int] = []

    def reading(body: Body, size: int | None = -1) -> memoryview:
        hashed.append(size or 0)
        return read(body, size)

    monkeypatch.setattr(Body, "read", reading)
    for known, passes in ((right, 1), (None, 2)):
        hashed.clear()
        with knowing(data, "sha256", known):
            upload.write_part(0, 0, data)
        assert (1 << 20 in hashed) is (passes == 2)
    with knowing(content(LARGE, "other"), "sha256", "0" * 64):
        upload.write_part(0, 0, data)
    assert upload.commit(LARGE, {}).size == LARGE
    parts = [each for each in proxy.requests if each.operation == "part"]
    assert {each.fields["x-amz-content-sha256"] for each in parts} == {right}


def test_a_part_that_is_not_signed_for_is_sent_as_it_was(
    proxy: Proxy, make: Callable[..., S3Driver]
) -> None:
    driver = make(checksum="md5")
    assert not driver.capabilities.part_digest
    data = content(LARGE)
    upload = driver.begin("image", None, {})
    with knowing(data, "sha256", "0" * 64):
        upload.write_part(0, 0, data)
    upload.abort()
    (part,) = (each for each in proxy.requests if each.operation == "part")
    assert part.fields["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"


def test_a_body_is_handed_out_without_copies() -> None:
    data = os.urandom(600_000)
    body = Body(data)
    assert len(body) == len(data)
    pieces = list(iter(lambda: body.read(16384), b""))
    assert all(piece.obj is data for piece in pieces)
    assert b"".join(pieces) == data
    assert len(pieces) == 3
    body.seek(0)
    assert body.read() == data
    assert body.tell() == len(data)
    assert body.seek(-1, 2) == len(data) - 1


def test_a_check_tries_all_and_leaves_nothing(driver: S3Driver, back: Backstage) -> None:
    driver.check()
    assert not back.leftovers()
    assert driver._conditions.single is True
