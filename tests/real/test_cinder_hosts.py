"""Two hosts at one image of the lab's Cinder: this one, and this one again by another name and with locks of its own."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import lab_alone, lab_client, lab_leftovers, lab_settings
from multistore.drivers.cinder import CinderDriver
from multistore.errors import InUse, NoSpace
from multistore.store import Store
from multistore.testing.tools import content, one_image, read

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]

GIB = 1 << 30
DATA = content((9 << 20) + 5)
Hosts = Callable[..., CinderDriver]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Make a host by its name; nothing may be left of any."""
    places = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(lab_alone())

        def made(name: str, kind: str, **changes: Any) -> CinderDriver:
            place = tmp_path / name
            place.mkdir()
            places.append(place)
            changes = {"host": name, "busy_timeout": 2.0, "attach_attempts": 1, **changes}
            driver = CinderDriver(lab_settings(place, "rbd", volume_type=kind, **changes))
            stack.callback(driver.close)
            return driver

        yield made
        for place in places:
            left = lab_leftovers(place)
            assert not left, left


@contextlib.contextmanager
def type_of(name: str, **rules: str) -> Iterator[str]:
    """Have a type of volumes in Ceph with rules of its own."""
    types = lab_client("admin", "admin").volume_types
    made = types.create(name)
    made.set_keys({"volume_backend_name": "rbd", **rules})
    try:
        yield name
    finally:
        end = time.monotonic() + 30
        while True:  # not before the last volume of it is gone
            try:
                types.delete(made)
                break
            except Exception:
                assert time.monotonic() < end, "the type stays"
                time.sleep(0.5)


def test_hosts_read_side_by_side_where_the_type_allows_it(hosts: Hosts) -> None:
    """Whichever ends first takes nothing from the other, and none deletes what the other reads."""
    with type_of("rbd-shared", multiattach="<is> True") as kind:
        here, there = hosts("here", kind), hosts("there", kind)
        ref = one_image(here, "image", DATA).ref
        volume = CinderDriver.parse(ref).volume
        assert lab_client().volumes.get(volume).multiattach
        with there.open(ref) as reader:
            stream = reader.read()
            begun = next(stream)
            assert read(here, ref) == DATA
            with pytest.raises(InUse):
                here.delete(ref)
            assert begun + b"".join(stream) == DATA
        here.delete(ref)


def test_hosts_read_one_after_the_other_where_it_does_not(hosts: Hosts) -> None:
    here, there = hosts("here", "rbd"), hosts("there", "rbd")
    ref = one_image(here, "image", DATA).ref
    with there.open(ref) as reader:
        stream = reader.read()
        begun = next(stream)
        with pytest.raises(InUse):
            read(here, ref)
        assert begun + b"".join(stream) == DATA
    assert read(here, ref) == DATA
    there.delete(ref)


def test_what_another_host_writes_is_left_alone(hosts: Hosts) -> None:
    """Neither listed nor swept."""
    here, there = hosts("here", "rbd"), hosts("there", "rbd")
    upload = here.begin("image", None, {})
    upload.write_part(0, 0, DATA)
    with pytest.raises(InUse, match="another host"):
        there.discard(upload.token)
    assert not list(there.list())
    ref = upload.commit(len(DATA), {}).ref
    assert read(there, ref) == DATA
    there.delete(ref)


def over_a_gib() -> Iterator[bytes]:
    yield DATA
    for _ in range(GIB >> 20):
        yield bytes(1 << 20)


def test_an_extension_that_the_type_forbids_is_told_and_undone(hosts: Hosts) -> None:
    """Cinder's API itself refuses it."""
    with type_of("rbd-small", **{"provisioning:max_vol_size": "1"}) as kind:
        here = hosts("here", kind)
        for size in (None, GIB + 1):
            with pytest.raises(NoSpace, match="volume type 'rbd-small'"):
                Store(here, name="s").put("image", over_a_gib(), size=size)
            assert not list(here.pending())
