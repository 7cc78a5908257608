"""Several hosts at one image: side by side where its type allows multiattach, and one after the other where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conformance.cinder_rig import fake_settings, leftovers
from fakes.cinder_cloud import Cloud
from multistore.drivers.cinder import CinderDriver
from multistore.errors import InUse
from multistore.testing.tools import content, one_image, read

Make = Callable[..., CinderDriver]
DATA = content((8 << 20) + 5)  # in three pieces


@pytest.fixture
def here(make: Make) -> CinderDriver:
    """This host, which is not patient."""
    return make(busy_timeout=0.0, attach_attempts=1)


@pytest.fixture
def there(cloud: Cloud, make: Make, tmp_path: Path) -> Iterator[CinderDriver]:
    """Another host, with locks of its own."""
    place = tmp_path / "there"
    locks = fake_settings(place).lock_path
    yield make(host="there", lock_path=locks, busy_timeout=0.0, attach_attempts=1)
    assert not leftovers(cloud, fake_settings(place))


def hosts(cloud: Cloud) -> list[str]:
    """Give the hosts that have attached a volume."""
    return sorted(each["host"] for each in cloud.all("attachments").values())


@pytest.mark.parametrize("first", ["here", "there"])
def test_hosts_read_at_once_where_the_type_allows_it(
    cloud: Cloud, here: CinderDriver, there: CinderDriver, first: str
) -> None:
    """Each has an attachment of its own, and whichever ends first takes nothing from the other."""
    cloud.multiattach = True
    ref = one_image(here, "image", DATA).ref
    both = {"here": here.open(ref), "there": there.open(ref)}
    streams = {name: reader.read() for name, reader in both.items()}
    seen = {name: next(stream) for name, stream in streams.items()}
    assert hosts(cloud) == ["here", "there"]
    (last,) = set(both) - {first}
    for name in (first, last):
        assert seen[name] + b"".join(streams[name]) == DATA
        both[name].close()
        assert hosts(cloud) == ([last] if name == first else [])
    here.delete(ref)


def test_what_another_host_reads_is_not_deleted(
    cloud: Cloud, here: CinderDriver, there: CinderDriver
) -> None:
    """Nor is it detached, also when this host reads it, too."""
    cloud.multiattach = True
    ref = one_image(here, "image", DATA).ref
    with there.open(ref) as reader:
        stream = reader.read()
        begun = next(stream)
        assert read(here, ref) == DATA
        with pytest.raises(InUse):
            here.delete(ref)
        assert hosts(cloud) == ["there"]
        assert begun + b"".join(stream) == DATA
    here.delete(ref)
    assert not cloud.all("volumes")


def test_hosts_read_one_after_the_other_where_it_does_not(
    cloud: Cloud, here: CinderDriver, there: CinderDriver
) -> None:
    ref = one_image(here, "image", DATA).ref
    with there.open(ref) as reader:
        stream = reader.read()
        begun = next(stream)
        with here.open(ref) as late, pytest.raises(InUse):
            late.read()
        assert hosts(cloud) == ["there"]
        assert begun + b"".join(stream) == DATA
    assert read(here, ref) == DATA
    here.delete(ref)
