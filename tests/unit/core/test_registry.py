"""From names, schemes and URLs to drivers."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from collections.abc import Iterable

import pytest
from multistore.drivers.memory import MemoryDriver
from multistore.errors import Misconfigured
from multistore.registry import driver_class, driver_names, open_driver


class Plugin(MemoryDriver):
    schemes = ("tape",)


def provide(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Pretend that another distribution provides the driver ``tape``."""
    module = types.ModuleType("tape_store")
    module.Plugin = Plugin  # type: ignore[attr-defined]
    module.number = 7  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tape_store", module)
    point = importlib.metadata.EntryPoint("tape", value, "multistore.drivers")

    def entry_points(**wanted: str) -> Iterable[importlib.metadata.EntryPoint]:
        return [point] if wanted.get("name", "tape") == "tape" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_a_url_opens_a_driver_with_the_settings_of_its_query() -> None:
    driver = open_driver("memory:?capacity=1KiB&part_size=10")
    assert isinstance(driver, MemoryDriver)
    assert (driver.settings.capacity, driver.settings.part_size) == (1024, 10)


def test_a_scheme_is_read_in_any_case() -> None:
    assert isinstance(open_driver("MEMORY:"), MemoryDriver)


@pytest.mark.parametrize("key", ["driver", "url"])
def test_a_table_names_a_driver_or_a_url(key: str) -> None:
    name = "memory" if key == "driver" else "memory:"
    driver = open_driver({key: name, "capacity": "2K"})
    assert isinstance(driver, MemoryDriver)
    assert driver.settings.capacity == 2048


def test_a_table_overrides_the_query_of_its_url() -> None:
    driver = open_driver({"url": "memory:?capacity=1", "capacity": 2})
    assert isinstance(driver, MemoryDriver)
    assert driver.settings.capacity == 2


def test_a_table_is_not_changed() -> None:
    table = {"driver": "memory", "capacity": "2K"}
    open_driver(table)
    assert table == {"driver": "memory", "capacity": "2K"}


def test_secrets_are_resolved_before_settings_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_CAPACITY", "3K")
    driver = open_driver({"driver": "memory", "capacity": {"env": "THE_CAPACITY"}})
    assert isinstance(driver, MemoryDriver)
    assert driver.settings.capacity == 3072


@pytest.mark.parametrize("target", ["", "memory", "/srv/images", {"url": 7}, {"url": ""}])
def test_what_is_no_url_is_misconfigured(target: str) -> None:
    with pytest.raises(Misconfigured, match=r"SCHEME") as caught:
        open_driver(target)
    assert caught.value.setting == "url"


@pytest.mark.parametrize("table", [{}, {"driver": 7}, {"capacity": 1}])
def test_a_table_without_a_driver_is_misconfigured(table: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match=r"^here: a store needs 'url' or 'driver'") as caught:
        open_driver(table, where="here")
    assert caught.value.setting == "driver"


@pytest.mark.parametrize("target", ["nosuch://x", {"driver": "nosuch"}, ":", "://"])
def test_an_unknown_driver_is_misconfigured_with_the_known_ones(target: str) -> None:
    with pytest.raises(Misconfigured, match=r"known: .*memory") as caught:
        open_driver(target)
    assert caught.value.setting == "driver"


def test_a_wrong_setting_is_named_with_its_place() -> None:
    with pytest.raises(Misconfigured, match=r"^here: .*did you mean 'capacity'"):
        open_driver("memory:?capacities=1", where="here")


def test_another_distribution_adds_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, "tape_store:Plugin")
    assert driver_class("tape") is Plugin
    assert type(open_driver("tape:")) is Plugin
    assert "tape" in driver_names()


@pytest.mark.parametrize("value", ["tape_store:Missing", "no_such_module:Plugin"])
def test_a_driver_that_cannot_be_imported_is_misconfigured(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    provide(monkeypatch, value)
    with pytest.raises(Misconfigured, match=r"'tape'.*cannot be imported"):
        driver_class("tape")


@pytest.mark.parametrize("attribute", ["number"])
def test_what_is_no_driver_is_misconfigured(
    monkeypatch: pytest.MonkeyPatch, attribute: str
) -> None:
    provide(monkeypatch, f"tape_store:{attribute}")
    with pytest.raises(Misconfigured, match=r"no multistore Driver"):
        driver_class("tape")


def test_the_names_are_sorted_and_hold_the_built_in_ones() -> None:
    names = driver_names()
    assert list(names) == sorted(set(names))
    assert {"file", "filesystem", "http", "https", "memory"} <= set(names)


def test_a_built_in_name_is_not_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    provide(monkeypatch, "tape_store:Plugin")
    assert driver_class("memory") is MemoryDriver
