"""A Cinder store without a user of its own: each caller's volumes are in the caller's project, by the caller's token."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conformance.cinder_rig import lab_alone, lab_client, lab_leftovers, lab_settings
from conformance.rbd_rig import lab
from facade.houses import at, fresh_conf, make_cinder
from glance_store import exceptions
from multistore.drivers.cinder import CinderDriver
from multistore.errors import Misconfigured, NotFound, Unauthenticated
from multistore.model import Caller
from multistore.store import Store
from multistore.testing.tools import content, digests_of, read

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]

DATA = content((9 << 20) + 5)


@pytest.fixture(autouse=True)
def _nothing_left(tmp_path: Path) -> Iterator[None]:
    with lab_alone():
        yield
        left = lab_leftovers(tmp_path)
        users = lab_client("demo", "demo")
        left += [f"volume {each.name}" for each in users.volumes.list()]
        left += [f"attachment {each.id}" for each in users.attachments.list()]
        assert not left, left


def caller(user: str, project: str, token: str | None = None) -> Caller:
    """Give a user of the lab as a service knows it: by a token, and by the catalog that came with it."""
    client = lab_client(user, project).client
    catalog = [{"type": "volumev3", "endpoints": [{"publicURL": client.get_endpoint()}]}]
    return Caller(
        token=token or client.get_token(),
        project=client.get_project_id(),
        extra={"service_catalog": catalog},
    )


def nobodys(place: Path, kind: str) -> CinderDriver:
    nobody: dict[str, Any] = {"username": None, "password": None, "project": None, "auth_url": None}
    return CinderDriver(lab_settings(place, kind, **nobody))


def store_of(place: Path, kind: str, who: Caller) -> CinderDriver:
    return nobodys(place, kind).for_context(who)


@pytest.mark.parametrize("kind", ["rbd", "nfs"])
def test_an_image_is_in_the_callers_project_and_nobody_elses(tmp_path: Path, kind: str) -> None:
    mine = caller("demo", "demo")
    with contextlib.closing(store_of(tmp_path, kind, mine)) as driver:
        store = Store(driver, name="s")
        receipt = store.put("image", iter([DATA[:5], DATA[5:]]))
        assert receipt.digests == digests_of(DATA)
        assert read(driver, receipt.ref) == DATA
        assert [each.ref for each in driver.list()] == [receipt.ref]
        (volume,) = lab_client("demo", "demo").volumes.list()
        assert volume.metadata["image_owner"] == mine.project
        with contextlib.closing(store_of(tmp_path, kind, caller("other", "other"))) as other:
            assert not list(other.list())
            for verb in (other.stat, other.delete, lambda ref: other.open(ref).read()):
                with pytest.raises(NotFound):
                    verb(receipt.ref)
        assert read(driver, receipt.ref) == DATA
        driver.delete(receipt.ref)


def test_what_a_caller_left_is_swept_by_the_caller_alone(tmp_path: Path) -> None:
    """Another project sees nothing of it."""
    with contextlib.closing(store_of(tmp_path, "rbd", caller("demo", "demo"))) as driver:
        upload = driver.begin("left", len(DATA), {})
        upload.write_part(0, 0, DATA)
        with contextlib.closing(store_of(tmp_path, "rbd", caller("other", "other"))) as other:
            assert not list(other.pending())
            other.discard(upload.token)
        assert [each.token for each in driver.pending()] == [upload.token]
        upload.abort()
        end = time.monotonic() + 60
        while list(lab_client("demo", "demo").volumes.list()):
            assert time.monotonic() < end, "the volume is not deleted"
            time.sleep(0.2)


def test_a_token_that_is_none_is_told(tmp_path: Path) -> None:
    wrong = caller("demo", "demo", token="gAAAAA-of-nobody")
    with contextlib.closing(store_of(tmp_path, "rbd", wrong)) as driver:
        with pytest.raises(Unauthenticated) as caught:
            driver.begin("image", 5, {})
        assert "of-nobody" not in str(caught.value)


def test_without_any_caller_it_is_told(tmp_path: Path) -> None:
    with contextlib.closing(nobodys(tmp_path, "rbd")) as driver:
        with pytest.raises(Misconfigured) as caught:
            driver.begin("image", 5, {})
        assert caught.value.setting == "username"


def request_of(who: Caller) -> SimpleNamespace:
    """Give the context of a user's request, as Glance makes one."""
    return SimpleNamespace(
        user_id=None,
        project_id=who.project,
        auth_token=who.token,
        service_catalog=who.extra["service_catalog"],
        to_dict=lambda: {"project_id": who.project},
    )


@pytest.mark.parametrize("kind", ["rbd", "nfs"])
def test_the_interface_acts_for_whoever_asks(tmp_path: Path, kind: str) -> None:
    """A store without a service user: by the context of each call, and not without one."""
    (tmp_path / "locks").mkdir()
    options: dict[str, Any] = {
        "cinder_store_auth_address": None,
        "cinder_store_user_name": None,
        "cinder_store_password": None,
        "cinder_store_project_name": None,
        "cinder_volume_type": kind,
        "cinder_mount_point_base": lab("MULTISTORE_LAB_CINDER_PLACE") + "/mnt-images",
    }
    store = make_cinder(fresh_conf(), tmp_path, kind, **options)
    mine, others = request_of(caller("demo", "demo")), request_of(caller("other", "other"))
    uri = store.add("image", iter([DATA[:5], DATA[5:]]), 0, "sha512", context=mine)[0]
    place = at(store, uri)
    (volume,) = lab_client("demo", "demo").volumes.list()
    assert (volume.metadata["image_owner"], volume.volume_type) == (mine.project_id, kind)
    for verb in (store.get, store.get_size, store.delete):
        with pytest.raises(exceptions.NotFound):
            verb(place, context=others)
        with pytest.raises(exceptions.BadStoreConfiguration):
            verb(place, context=None)
    stream, size = store.get(place, context=mine)
    assert (b"".join(stream), size) == (DATA, len(DATA))
    store.delete(place, context=mine)
    assert not lab_client("demo", "demo").volumes.list()
