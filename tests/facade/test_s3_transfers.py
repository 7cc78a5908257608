"""Images in and out of the s3 store of the interface, and each defect of its predecessor (S3-n) not repeated."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conformance.s3_rig import Backstage, s3_settings
from facade.houses import S3_KEY as KEY
from facade.houses import add_s3 as add
from facade.houses import at, make_s3
from facade.rigs import Noting
from fakes.s3_proxy import Proxy
from glance_store import capabilities, exceptions
from glance_store._drivers import s3
from multistore import Store
from multistore.drivers.s3 import S3Driver
from multistore.testing.tools import content

HOST = "s3.example.com"
CANARY = "c4nary"
MIB = 1 << 20
LARGE = 12 * MIB

Make = Callable[..., s3.Store]


# -- writing ---------------------------------------------------------------------------------------


def test_the_source_is_not_read_far_ahead(make: Make, proxy: Proxy) -> None:
    """S3-3, S3-4, S3-22: parts that wait are bounded; an image of unknown size is not gathered."""
    store = make(s3_store_thread_pools=2)
    proxy.trouble("part", "stall", times=99)
    read = 0
    stalled = threading.Event()

    class Endless:
        def read(self, size: int) -> bytes:
            nonlocal read
            read += size
            if read > 200 * MIB:
                raise AssertionError("the source is read without bound")
            return bytes(size)

    def run() -> None:
        with pytest.raises((exceptions.BackendException, exceptions.StorageWriteDenied)):
            store.add(KEY, Endless(), 0, "sha256")
        stalled.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    for _ in range(100):
        if len(proxy.seen("part")) == 2:
            break
        stalled.wait(0.05)
    assert len(proxy.seen("part")) == 2
    assert read <= 8 * 5 * MIB
    proxy.troubles.clear()
    proxy.trouble("any", "status", times=10_000, status=403, code="AccessDenied")
    proxy.ended.set()
    thread.join(15)


def test_a_part_that_fails_ends_the_upload_and_leaves_nothing(
    make: Make, proxy: Proxy, back: Backstage
) -> None:
    """S3-5, S3-7, S3-8: no other part is begun, and the abort comes after those under way."""
    store = make(s3_store_thread_pools=2)
    proxy.trouble("part", "status", times=99, status=403, code="AccessDenied")
    with pytest.raises(exceptions.StorageWriteDenied):
        add(store, content(8 * 5 * MIB))
    seen = proxy.seen("part", "abort")
    assert seen.count("part") <= 3
    assert seen[-1] == "abort"
    assert not back.leftovers()


def test_whatever_goes_wrong_nothing_is_left(make: Make, proxy: Proxy, back: Backstage) -> None:
    """S3-6: the source, the verifier, the completion."""

    class Broken:
        left = LARGE

        def read(self, size: int) -> bytes:
            self.left -= size
            if self.left < 0:
                raise ZeroDivisionError
            return bytes(size)

    class Refusing:
        def update(self, data: bytes) -> None:
            if not any(data):
                raise LookupError

    store = make()
    with pytest.raises(ZeroDivisionError):
        store.add(KEY, Broken(), 0, "sha256")
    with pytest.raises(LookupError):
        store.add(KEY, io.BytesIO(bytes(LARGE)), LARGE, "sha256", verifier=Refusing())
    proxy.trouble("complete", "status", times=99, status=403, code="AccessDenied")
    with pytest.raises(exceptions.StorageWriteDenied):
        add(store, content(LARGE))
    assert not back.leftovers()


def test_short_reads_cost_nothing(make: Make) -> None:
    """S3-9: a part is joined once, whatever its pieces are."""

    class Dripping:
        def __init__(self, data: bytes) -> None:
            self.view = io.BytesIO(data)

        def read(self, size: int) -> bytes:
            return self.view.read(min(size, 16_000))

    store = make()
    uri = store.add(KEY, Dripping(content(LARGE)), 0, "sha256")[0]
    assert store.get_size(at(store, uri)) == LARGE


@pytest.mark.parametrize(("part", "asked"), [(5, 5), (10, 10), (16, 16), (17, 5)])
def test_data_is_asked_for_whole_parts(make: Make, part: int, asked: int) -> None:
    """A part that comes in one piece is not copied; pieces of large ones have a bound."""
    store = make(s3_store_large_object_chunk_size=part)
    data = Noting(content(LARGE))
    store.add(KEY, data, 0, "sha256")
    assert data.sizes[0] == max(data.sizes) == asked * MIB


def test_surplus_is_noticed_before_it_is_sent(make: Make, proxy: Proxy, back: Backstage) -> None:
    """S3-29."""
    store = make()
    with pytest.raises(exceptions.Invalid):
        add(store, content(6 * MIB), size=5 * MIB)
    assert not proxy.seen("put", "complete")
    assert not back.leftovers()


def test_of_two_that_race_one_is_told(make: Make) -> None:
    """S3-10: where the server refuses by itself, and where it is looked at before."""
    for setting in ("always", "never"):
        store = make(s3_store_conditional_writes=setting)
        name = f"raced-{setting}"
        inner: dict[str, str] = {}

        class Racing:
            done = False

            def read(self, size: int) -> bytes:
                if self.done:
                    return b""
                inner["uri"] = add(store, b"first", name)  # noqa: B023
                self.done = True
                return b"second"

        with pytest.raises(exceptions.Duplicate):
            store.add(name, Racing(), 0, "sha256")
        assert b"".join(store.get(at(store, inner["uri"]))[0]) == b"first"


def test_clients_and_connections_are_kept(make: Make, proxy: Proxy) -> None:
    """S3-11, S3-16: one client; a look and a put; one get; one look for a size; a look and a delete."""
    store = make(s3_store_conditional_writes="always")
    add(store, name="first")
    client = store._made[1].driver  # type: ignore[index]
    proxy.requests.clear()
    uri = add(store)
    assert b"".join(store.get(at(store, uri))[0]) == b"data"
    assert store.get_size(at(store, uri)) == 4
    store.delete(at(store, uri))
    assert proxy.seen() == ["head", "put", "get", "head", "head", "delete"]
    assert store._made[1].driver is client  # type: ignore[index]
    assert store.is_capable(capabilities.BitMasks.DRIVER_REUSABLE)


def test_the_client_is_made_when_the_store_is_configured(
    make: Make, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first image of a service does not wait for boto3, and nothing is asked before it."""
    store = make()
    assert proxy.seen() == []
    monkeypatch.setattr("boto3.session.Session.client", None)
    assert store.get_size(at(store, add(store))) == 4


def test_a_client_that_cannot_be_made_is_an_error_of_the_configuration(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever boto3 dislikes, the files of its own configuration among it."""
    from botocore.exceptions import ConfigParseError

    def fail(*_: object, **__: object) -> None:
        raise ConfigParseError(path="/etc/aws")

    monkeypatch.setattr("boto3.session.Session.client", fail)
    with pytest.raises(exceptions.BadStoreConfiguration):
        make()


def test_the_server_checks_what_it_gets(make: Make, proxy: Proxy) -> None:
    """S3-13, S3-34: by the signature alone; a digest that is known anyway goes along."""
    store = make()
    add(store, name="small")
    put = next(each for each in proxy.requests if each.operation == "put")
    assert "content-md5" in put.fields
    add(store, content(LARGE))
    for part in (each for each in proxy.requests if each.operation == "part"):
        assert len(part.fields["x-amz-content-sha256"]) == 64


def test_an_object_of_other_parts_is_not_acknowledged(
    make: Make, proxy: Proxy, back: Backstage
) -> None:
    """S3-13."""
    store = make()
    proxy.trouble("head", "etag", skip=2)
    with pytest.raises(exceptions.BackendException):
        add(store, content(LARGE))
    assert not back.leftovers()


def test_a_download_that_breaks_goes_on(make: Make, proxy: Proxy) -> None:
    """S3-14: from where it broke, of the same version."""
    store = make()
    uri = add(store, content(LARGE))
    proxy.trouble("get", "half")
    assert b"".join(store.get(at(store, uri))[0]) == content(LARGE)
    assert any("range" in each.fields and "if-match" in each.fields for each in proxy.requests)


def test_images_of_unknown_size_may_be_large(conf: Any) -> None:
    """S3-15: the parts grow."""
    store = make_s3(conf, f"https://{HOST}", "images", s3_store_large_object_chunk_size=10)
    assert sum(store.core_driver().parts(None)) > 500 << 30


def test_pieces_are_large_and_ranges_are_served(make: Make, proxy: Proxy) -> None:
    """S3-23, S3-24: also by position."""
    store = make()
    uri = add(store, content(LARGE))
    pieces = list(store.get(at(store, uri))[0])
    assert max(map(len, pieces)) == MIB
    assert b"".join(store.get(at(store, uri), 5, 7)[0]) == content(LARGE)[5:12]
    off = make("off", ranged_reads=False)
    with pytest.raises(exceptions.StoreRandomGetNotSupported):
        off.get(at(off, uri), offset=5)


def test_why_an_image_was_not_stored_is_logged(
    make: Make, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """S3-20: with what the server said, and without a traceback."""
    proxy.trouble("part", "status", times=99, status=403, code="AccessDenied")
    with caplog.at_level(logging.ERROR), pytest.raises(exceptions.StorageWriteDenied):
        add(make(), content(LARGE))
    assert "403 AccessDenied" in caplog.text
    assert CANARY not in caplog.text


def test_the_old_form_of_add_works(make: Make) -> None:
    """S3-32."""
    store = make()
    uri, size, checksum, metadata = store.add(KEY, io.BytesIO(b"data"), 4)
    assert (size, metadata) == (4, {})
    assert len(checksum) == 32
    assert b"".join(store.get(at(store, uri))[0]) == b"data"


def test_a_zero_threshold_sends_every_image_in_parts(make: Make, proxy: Proxy) -> None:
    store = make(s3_store_large_object_size=0)
    for data in (b"", b"data"):
        uri = add(store, data, f"image-{len(data)}")
        assert b"".join(store.get(at(store, uri))[0]) == data
    assert proxy.seen("create", "put") == ["create", "create"]


def test_a_deleted_image_takes_no_space_if_the_options_say_so(make: Make, back: Backstage) -> None:
    """S3-31: in a bucket with versions it is hidden otherwise."""
    back.versioned()
    for gone in (False, True):
        store = make(s3_store_delete_versions=gone)
        uri = add(store)
        store.delete(at(store, uri))
        with pytest.raises(exceptions.NotFound):
            store.get_size(at(store, uri))
        assert back.versions() == [("marker", KEY), ("version", KEY)]  # those of the first


def test_a_copy_between_two_stores_is_the_servers_work(
    make: Make, proxy: Proxy, back: Backstage, moto: str
) -> None:
    """S3-35: for whoever copies by the core's drivers of the two, as the command line does."""
    other = Backstage(s3_settings(moto, back.settings.bucket + "-other"))
    other.make()
    near, far = make("near"), make("far", bucket=other.settings.bucket)
    data = content(LARGE)
    ref = near.core_driver().parse(add(near, data))
    source, target = (
        Store(each.core_driver(), name=str(each.backend_group)) for each in (near, far)
    )
    proxy.requests.clear()
    copied = source.copy(str(ref), target, KEY)
    assert not proxy.seen("get")
    assert max(each.size for each in proxy.requests) < 1000
    uri = f"{far._place()}/{S3Driver.parse(copied.ref).key}"
    assert b"".join(far.get(at(far, uri))[0]) == data
    for each in (source, target):
        each.close()
