"""A cloud in a directory, and drivers on it; a mount is a link."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from conformance.cinder_rig import fake_settings, leftovers, link_for_mounting
from fakes.cinder_cloud import Cloud, FakeSdk
from multistore.drivers.cinder import CinderDriver, abandoned, service

Make = Callable[..., CinderDriver]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_INSISTENCE", (0.0, 0.0))
    monkeypatch.setattr(service, "_FIRST", 0.0)
    monkeypatch.setattr(service, "_MAKING", 0.0)
    monkeypatch.setattr(abandoned, "_COMPLETION", 0.0)


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud(tmp_path / "cloud")


@pytest.fixture
def make(cloud: Cloud, tmp_path: Path) -> Iterator[Make]:
    """Make drivers, and see that nothing is left of them in the cloud or on this host."""
    with ExitStack() as stack:

        def made(**changes: Any) -> CinderDriver:
            sdk: Any = FakeSdk(cloud)
            driver = CinderDriver(fake_settings(tmp_path, **changes), sdk=sdk)
            stack.callback(driver.close)
            return driver

        yield made
    cloud.before = cloud.after = lambda _name: None
    assert not leftovers(cloud, fake_settings(tmp_path))


@pytest.fixture
def driver(make: Make) -> CinderDriver:
    return make()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record what is run as root."""
    return link_for_mounting(monkeypatch)
