"""Trusts on the real Keystone: who has given a token is served beyond its end, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

import pytest
from conformance.swift_rig import keystone
from keystoneauth1 import session
from keystoneauth1.identity import v3
from multistore import Store
from multistore.config import Secret
from multistore.drivers.swift import SwiftDriver
from multistore.errors import Unauthenticated
from multistore.model import Caller
from realglance.keystone import Person, trusts

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MIB = 1 << 20
DATA = os.urandom(17 * MIB)


@pytest.fixture(scope="module")
def demo() -> Person:
    return Person("demo")


@pytest.fixture
def driver(demo: Person) -> Iterator[SwiftDriver]:
    """A store whose user is trusted, and has no right in the account of its callers."""
    settings = keystone(
        user="other",
        password=Secret("otherpass"),
        project="other",
        storage_url=demo.account,
        container=f"trusts-{uuid.uuid4().hex[:8]}",
        container_per_image=True,
        segment_size=8 * MIB,
        trusts=True,
    )
    with contextlib.closing(SwiftDriver(settings)) as made:
        yield made
    demo.empty(settings.container)
    assert not trusts("other")


def test_an_upload_and_a_download_outlive_the_token(driver: SwiftDriver, demo: Person) -> None:
    """With bodies as large as they usually are, which Swift refuses before it has read them."""
    token = demo.new_token()
    mine = driver.for_context(Caller(token=token))
    upload = mine.begin("x", len(DATA), {})
    upload.write_part(0, 0, DATA[: 8 * MIB])
    demo.end(token)
    upload.write_part(1, 8 * MIB, DATA[8 * MIB : 16 * MIB])
    upload.write_part(2, 16 * MIB, DATA[16 * MIB :])
    ref = upload.commit(len(DATA), {}).ref
    token = demo.new_token()
    with driver.for_context(Caller(token=token)).open(ref) as image:
        assert b"".join(image.read(0, 8 * MIB)) == DATA[: 8 * MIB]
        demo.end(token)
        assert b"".join(image.read(8 * MIB)) == DATA[8 * MIB :]


def test_a_token_that_cannot_give_a_trust_is_used_alone(
    driver: SwiftDriver, demo: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as that of an application credential."""
    user = demo.session.get_user_id()
    place = f"{demo.url}/users/{user}/application_credentials"
    asked = {"name": driver.settings.container, "roles": [{"name": "member"}]}
    told = demo.session.post(place, json={"application_credential": asked}).json()
    made = told["application_credential"]
    login = v3.ApplicationCredential(
        demo.url,
        application_credential_id=made["id"],
        application_credential_secret=made["secret"],
    )
    token = str(session.Session(auth=login).get_token())
    mine = driver.for_context(Caller(token=token))
    for name in ("x", "y"):
        assert Store(mine, name="cloud").put(name, DATA).size == len(DATA)
    assert caplog.text.count("no trust could be made") == 1
    upload = mine.begin("z", len(DATA), {})
    demo.end(token)
    with pytest.raises(Unauthenticated):
        upload.write_part(0, 0, DATA[: 8 * MIB])
    demo.session.delete(f"{place}/{made['id']}")
