"""The cinder store's own ways: credentials, configuration, locations, and what Glance asks of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from time import time
from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, make_cinder
from fakes.cinder_cloud import Cloud, FakeSdk, refuse
from glance_store import _adapter, exceptions, multi_backend
from glance_store._drivers import cinder
from multistore.driver import PerProcess
from multistore.drivers.cinder import driver

NUMBER = "01234567-89ab-cdef-0123-456789abcdef"
CATALOG = [{"type": "volumev3", "name": "", "endpoints": [{"publicURL": "http://here/v3/p"}]}]
CONTEXT = SimpleNamespace(
    user_id="u",
    project_id="p",
    auth_token="t0ken",
    service_catalog=CATALOG,
    to_dict=lambda: {"project_id": "p", "user_id": "u"},
)


class Seen(FakeSdk):
    """Remembers for whom clients were made."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.logins: list[Any] = []

    def client(self, settings: Any, caller: Any) -> Any:
        self.logins.append((settings, caller))
        return super().client(settings, caller)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    (tmp_path / "locks").mkdir()
    return Cloud(tmp_path / "cloud")


@pytest.fixture
def seen(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Seen:
    made = Seen(cloud)
    monkeypatch.setattr(driver, "Sdk", lambda: made)
    return made


@pytest.fixture
def store(conf: Any, tmp_path: Path, seen: Seen) -> cinder.Store:
    return make_cinder(conf, tmp_path, "fast")


def add(store: Any, name: str = "image", context: Any = CONTEXT) -> str:
    return str(store.add(name, iter([b"12345"]), 5, "sha512", context=context)[0])


# -- locations -------------------------------------------------------------------------------------


def test_locations_of_both_forms(store: cinder.Store) -> None:
    for text in (f"cinder://{NUMBER}", f"cinder://fast/{NUMBER}", f"cinder://other/{NUMBER}"):
        place: Any = at(store, text).store_location
        assert (place.scheme, place.volume_id) == ("cinder", NUMBER)
        assert place.get_uri() == f"cinder://fast/{NUMBER}"
    single = at(cinder.Store(store.conf), f"cinder://fast/{NUMBER}").store_location
    assert single.get_uri() == f"cinder://{NUMBER}"


@pytest.mark.parametrize(
    "text",
    [f"cinder://{NUMBER.upper()}", f"cinder://fast/{NUMBER}/", "cinder://fast", f"CINDER://{NUMBER}", f"cinder://{NUMBER}?a=b"],
)  # fmt: skip
def test_what_is_no_location(store: cinder.Store, text: str) -> None:
    with pytest.raises(exceptions.BadStoreUri):
        cinder.StoreLocation({}, store.conf).parse_uri(text)


def test_a_prefix_ends_at_its_boundary(conf: Any, tmp_path: Path, seen: Seen) -> None:
    """CI-24: and its value is what Glance puts a slash and a number behind."""
    fast, fast2 = make_cinder(conf, tmp_path, "fast"), make_cinder(conf, tmp_path, "fast2")
    assert fast.url_prefix == "cinder://fast"
    assert fast.owns(f"cinder://fast/{NUMBER}")
    assert not fast.owns(f"cinder://fast2/{NUMBER}")
    assert fast2.owns(f"cinder://fast2/{NUMBER}")


# -- credentials -----------------------------------------------------------------------------------


def test_each_store_logs_in_as_itself(conf: Any, tmp_path: Path, seen: Seen) -> None:
    """CI-5: and once, whatever it does."""
    one = make_cinder(conf, tmp_path, "one", cinder_store_user_name="a")
    two = make_cinder(conf, tmp_path, "two", cinder_store_user_name="b", cinder_api_insecure=True)
    for each in (one, two):
        uri = add(each)
        assert b"".join(each.get(at(each, uri))[0]) == b"12345"
        each.delete(at(each, uri))
    assert [each.username for each, _ in seen.logins] == ["a", "b"]
    assert [each.verify for each, _ in seen.logins] == [True, False]


def test_the_service_user_is_sent_where_the_options_say(
    conf: Any, tmp_path: Path, seen: Seen
) -> None:
    """CI-22, CI-23: the catalog's interface and the template count for it too; %(tenant)s is its project."""
    options: dict[str, Any] = {
        "cinder_catalog_info": "block-storage:cinder:internalURL",
        "cinder_endpoint_template": "http://there/v3/%(tenant)s",
        "cinder_os_region_name": "r1",
    }
    add(make_cinder(conf, tmp_path, "fast", **options))
    ((settings, _),) = seen.logins
    assert (settings.service_type, settings.service_name) == ("block-storage", "cinder")
    assert (settings.interface, settings.region) == ("internal", "r1")
    assert settings.endpoint == "http://there/v3/%(project_id)s"


def test_without_a_service_user_the_request_must_have_a_context(
    conf: Any, tmp_path: Path, seen: Seen
) -> None:
    options: dict[str, Any] = {
        "cinder_store_password": None,
        "cinder_endpoint_template": "http://t/%(tenant)s",
    }
    store = make_cinder(conf, tmp_path, "fast", **options)
    uri = add(store)
    place = at(store, uri)
    assert store.get_size(place, context=CONTEXT) == 5
    settings, caller = seen.logins[0]
    assert settings.endpoint == "http://t/p"
    assert (caller.token, caller.project) == ("t0ken", "p")
    for context in (None, SimpleNamespace(service_catalog=None)):
        for work in (
            lambda context=context: store.get(place, context=context),
            lambda context=context: store.get_size(place, context=context),
            lambda context=context: store.delete(place, context=context),
            lambda context=context: add(store, context=context),
        ):
            with pytest.raises(exceptions.BadStoreConfiguration):
                work()
    store.delete(place, context=CONTEXT)


def test_the_owner_is_the_requests_project(store: cinder.Store, cloud: Cloud) -> None:
    uri = add(store)
    (volume,) = cloud.all("volumes").values()
    assert volume["metadata"]["image_owner"] == "p"
    store.delete(at(store, uri))


# -- configuration ---------------------------------------------------------------------------------


def test_a_missing_lock_path_is_found_when_the_service_starts(
    conf: Any, tmp_path: Path, seen: Seen
) -> None:
    """CI-10: not when the first volume is detached."""
    store = make_cinder(conf, tmp_path, "fast", configure=False)
    conf.set_override("lock_path", None, group="oslo_concurrency")
    with pytest.raises(exceptions.BadStoreConfiguration, match="lock_path"):
        store.configure(re_raise_bsc=True)
    conf.set_override("lock_path", "/proc/nowhere", group="oslo_concurrency")
    with pytest.raises(exceptions.BadStoreConfiguration, match="lock files"):
        store.configure(re_raise_bsc=True)


def test_the_lock_path_of_os_brick_counts_from_the_start(
    conf: Any, tmp_path: Path, seen: Seen
) -> None:
    """Whoever came before os-brick's options are known uses the same locks as whoever comes after it."""
    mine = tmp_path / "brick"
    mine.mkdir()
    file = tmp_path / "glance-api.conf"
    file.write_text(f"[os_brick]\nlock_path = {mine}\n")
    conf([], default_config_files=[str(file)])
    store = make_cinder(conf, tmp_path, "fast", configure=False)
    for other in (str(tmp_path / "locks"), None):
        conf.set_override("lock_path", other, group="oslo_concurrency")
        store.configure(re_raise_bsc=True)
        assert store.core_driver().settings.lock_path == str(mine)


def test_each_store_of_a_project_is_swept(
    conf: Any, tmp_path: Path, cloud: Cloud, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_adapter, "_swept", PerProcess(set))
    stores = [make_cinder(conf, tmp_path, name) for name in ("fast", "slow")]
    for store in stores:
        left = store.core_driver().begin("left", 5, {})
        left._attached.close()  # type: ignore[attr-defined]  # its process dies
    monkeypatch.setattr("time.time", lambda: time() + 7200.0)
    for store in stores:
        add(store, f"image-{store.backend_group}")
    assert sorted(
        each["metadata"].get("glance_image_id") for each in cloud.all("volumes").values()
    ) == [
        "image-fast",
        "image-slow",
    ]


@pytest.mark.parametrize("text", ["volumev3", "volumev3::public", "a:b:c:d", ""])
def test_malformed_catalog_information_is_found_when_the_service_starts(
    conf: Any, tmp_path: Path, seen: Seen, text: str
) -> None:
    """CI-29."""
    store = make_cinder(conf, tmp_path, "fast", configure=False, cinder_catalog_info=text)
    with pytest.raises(exceptions.BadStoreConfiguration, match="TYPE:NAME:INTERFACE"):
        store.configure(re_raise_bsc=True)


@pytest.mark.parametrize("answer", [500, 401, 0])
def test_nothing_that_cinder_answers_keeps_the_service_from_starting(
    conf: Any, tmp_path: Path, seen: Seen, answer: int, caplog: Any
) -> None:
    """CI-27: an outage, an unknown type, or no service user, with a volume type."""

    def broken(_name: str) -> None:
        if answer:
            raise refuse("no", answer)

    seen.cloud.before = broken
    make_cinder(conf, tmp_path, "fast", cinder_volume_type="unheard-of")
    assert "unheard-of" in caplog.text
    make_cinder(conf, tmp_path, "slow", cinder_volume_type="slow", cinder_store_password=None)


def test_without_its_libraries_one_store_is_refused_and_no_other(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """CI-27: its options stay registered, and it says what to install."""
    (tmp_path / "locks").mkdir()
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "os_brick" else find(name)
    )
    conf.set_override("enabled_backends", {"fast": "cinder", "plain": "file"})
    multi_backend.register_store_opts(conf)
    conf.set_override("filesystem_store_datadir", str(tmp_path / "images"), group="plain")
    conf.set_override("default_backend", "plain", group="glance_store")
    make_cinder(conf, tmp_path, "fast", configure=False)
    multi_backend.create_multi_stores(conf)
    assert "os_brick" in caplog.text
    assert "multistore[cinder]" in caplog.text
    assert conf.fast.cinder_volume_type is None
    multi_backend.verify_store()


def test_every_secret_option_is_marked_as_one() -> None:
    """CI-29: also the application credential's number."""
    secret = {each.name for each in cinder.Store.OPTIONS if each.secret}
    assert secret == {
        "cinder_store_password",
        "cinder_store_application_credential_id",
        "cinder_store_application_credential_secret",
    }
    assert len(cinder.Store.OPTIONS) == 22


# -- errors ----------------------------------------------------------------------------------------


def test_errors_are_the_interfaces(store: cinder.Store, cloud: Cloud) -> None:
    """CI-4, CI-25, CI-26."""
    missing = at(store, f"cinder://fast/{NUMBER}")
    for work in (store.get, store.get_size, store.delete):
        with pytest.raises(exceptions.NotFound):
            work(missing)
    cloud.quota = 0
    with pytest.raises(exceptions.StorageFull):
        add(store)
    cloud.quota = 10
    uri = add(store)
    with pytest.raises(exceptions.StoreRandomGetNotSupported):
        store.get(at(store, uri), offset=2, chunk_size=-1)
    stream, size = store.get(at(store, uri), offset=2)
    assert (size, b"".join(stream)) == (3, b"345")
    stream, size = store.get(at(store, uri), offset=7, chunk_size=5)
    assert (size, b"".join(stream)) == (0, b"")
    answers = {403: exceptions.StorageWriteDenied, 500: exceptions.RemoteServiceUnavailable}
    for code, kind in answers.items():

        def broken(_name: str, code: int = code) -> None:
            raise refuse("no", code)

        cloud.before = broken
        with pytest.raises(kind):
            add(store, "another")
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        store.get_size(at(store, uri))
    cloud.before = lambda _name: None
    store.delete(at(store, uri))


def test_attaching_fails_before_get_returns(store: cinder.Store, cloud: Cloud) -> None:
    """CI-28: no answer with status 200 has begun by then; and the stream's end detaches."""
    uri = add(store)

    def broken(name: str) -> None:
        if name == "attach":
            raise refuse("no", 500)

    cloud.before = broken
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        store.get(at(store, uri))
    cloud.before = lambda _name: None
    stream, _size = store.get(at(store, uri))
    assert len(cloud.all("attachments")) == 1
    stream.close()
    assert not cloud.all("attachments")
    store.delete(at(store, uri))


# -- what Glance asks ------------------------------------------------------------------------------


def test_the_store_of_a_legacy_location_is_found_by_its_type(
    conf: Any, tmp_path: Path, seen: Seen, cloud: Cloud
) -> None:
    fast = make_cinder(conf, tmp_path, "one", cinder_volume_type="fast")
    slow = make_cinder(conf, tmp_path, "two", cinder_volume_type="slow")
    default = make_cinder(conf, tmp_path, "three")
    uri = add(slow)
    number = uri.rpartition("/")[2]
    found = [each.is_image_associated_with_store(CONTEXT, number) for each in (fast, slow, default)]
    assert found == [False, True, False]
    assert not slow.is_image_associated_with_store(CONTEXT, NUMBER)

    def broken(_name: str) -> None:
        raise refuse("no", 500)

    cloud.before = broken
    assert not slow.is_image_associated_with_store(CONTEXT, number)
    cloud.before = lambda _name: None
    slow.delete(at(slow, uri))


def test_what_glance_reads_of_a_store(store: cinder.Store) -> None:
    store.conf.set_override("cinder_volume_type", "gold", group="fast")
    assert store.store_conf.cinder_volume_type == "gold"
    assert store.store_conf.cinder_use_multipath is False
    assert store.get_cinderclient(CONTEXT).volumes is not None
