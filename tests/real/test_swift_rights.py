"""Who may read and write an image in its user's account: Keystone's people, each with a token of their own."""

from __future__ import annotations

import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from conformance.swift_rig import keystone
from facade.houses import at, fresh_conf, make_swift
from glance_store import exceptions, location, multi_backend
from glance_store._drivers import swift
from multistore.drivers.swift import SwiftDriver
from multistore.errors import AccessDenied
from multistore.model import Access, Caller
from multistore.testing.tools import content, one_image, read
from realglance.keystone import Person

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

OWN = f"rights-{uuid.uuid4().hex[:8]}"
DATA = content(1000)
Make = Callable[[Person], SwiftDriver]


@pytest.fixture(scope="module")
def demo() -> Iterator[Person]:
    person = Person("demo")
    yield person
    person.empty(OWN)


@pytest.fixture(scope="module")
def other() -> Person:
    return Person("other")


def catalog(person: Person) -> list[dict[str, Any]]:
    endpoint = {"publicURL": person.account, "region": "RegionOne"}
    return [{"type": "object-store", "endpoints": [endpoint]}]


@pytest.fixture
def acting() -> Iterator[Make]:
    """Give the store as somebody sees it."""
    whole = SwiftDriver(keystone(container=OWN, container_per_image=True, auth_url=None))
    made: list[SwiftDriver] = [whole]

    def act(person: Person) -> SwiftDriver:
        extra = {"service_catalog": catalog(person)}
        made.append(whole.for_context(Caller(token=person.token, extra=extra)))
        return made[-1]

    yield act
    for each in made:
        each.close()


def without_token(url: str) -> int:
    """Give what Swift answers to somebody who is not logged in."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def may_write(person: Person, url: str) -> bool:
    """Say whether somebody can put an object there; it is removed again."""
    answer = person.session.put(url, data=b"theirs", raise_exc=False)
    assert answer.status_code in (201, 403)
    if answer.status_code == 201:
        assert person.session.delete(url).status_code == 204
    return bool(answer.status_code == 201)


def may_read(driver: SwiftDriver, ref: str) -> bool:
    try:
        return read(driver, ref) == DATA
    except AccessDenied:
        return False


def test_sw9_another_project_may_what_the_rights_say(
    acting: Make, demo: Person, other: Person
) -> None:
    """From when they are set until they are set anew; whoever is not logged in may nothing, a public image not even read."""
    mine, theirs = acting(demo), acting(other)
    ref = one_image(mine, "x", DATA).ref
    url = f"{demo.account}/{OWN}_x"

    def rights() -> tuple[bool, bool, int]:
        return (
            may_read(theirs, ref),
            may_write(other, f"{url}/theirs"),
            without_token(f"{url}/x"),
        )

    assert rights() == (False, False, 401)
    mine.set_access(ref, Access(read=(other.project,)))
    assert rights() == (True, False, 401)
    mine.set_access(ref, Access(read=(other.project,), write=(other.project,)))
    assert rights() == (True, True, 401)
    mine.set_access(ref, Access(public=True))
    assert rights() == (True, False, 401)
    mine.set_access(ref, Access())
    assert rights() == (False, False, 401)
    with pytest.raises(AccessDenied):
        theirs.set_access(ref, Access(public=True))
    with pytest.raises(AccessDenied):
        theirs.delete(ref)
    mine.delete(ref)
    assert not [name for name in demo.names() if name.startswith(OWN)]


def test_the_projects_of_the_settings_may_write_and_an_image_is_found_without_its_stores_name(
    demo: Person, other: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the interface: rights, and a deletion of which only the location is known."""
    conf = fresh_conf()
    store = make_swift(
        conf,
        "http://127.0.0.1:1",
        "users",
        swift_store_multi_tenant=True,
        swift_store_use_trusts=False,
        swift_store_container=OWN,
        swift_store_admin_tenants=[other.project],
    )
    context = SimpleNamespace(
        auth_token=demo.token, user_id="demo", project_id="demo", service_catalog=catalog(demo)
    )
    image = str(uuid.uuid4())
    uri = store.add(image, iter([DATA]), len(DATA), "sha512", context=context)[0]
    assert uri == demo.account.replace("http", "swift+http", 1) + f"/{OWN}_{image}/{image}"
    url = f"{demo.account}/{OWN}_{image}/theirs"
    assert not may_write(other, url)
    store.set_acls(at(store, uri), context=context)
    assert may_write(other, url)
    entry = {"store": store, "location_class": swift.StoreLocation}
    monkeypatch.setattr(location, "SCHEME_TO_CLS_BACKEND_MAP", {"swift+http": {"users": entry}})
    multi_backend.delete(uri, None, context)
    assert not [name for name in demo.names() if name.startswith(OWN)]
    with pytest.raises(exceptions.NotFound):
        store.get_size(at(store, uri), context=context)
