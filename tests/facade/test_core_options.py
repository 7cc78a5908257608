"""Options: registration, the view with its precedence, the listings."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import _config, _loading, backend, driver, multi_backend
from oslo_config import cfg

STAGING = "os_glance_staging_store"
DATADIR = "filesystem_store_datadir"
NUMBER = cfg.IntOpt("number", default=3)
TEXT = cfg.StrOpt("text")
Create = Callable[..., int]


def view(conf: Any, *options: Any, group: str = "one") -> Any:
    return driver.BackendGroupConfiguration(options or (NUMBER, TEXT), group, conf=conf)


# -- the view ------------------------------------------------------------------------------------


def test_trap_4_a_value_counts_by_being_there_not_by_where_it_was_set(conf: Any) -> None:
    store = view(conf)
    assert (store.number, store.text) == (3, None)
    conf.set_override("number", 5, group="backend_defaults")
    assert store.number == 5
    conf.set_default("number", 6, group="one")
    assert store.number == 6
    for value in (0, 7):
        conf.set_override("number", value, group="one")
        assert store.number == value
    conf.set_override("text", "", group="one")
    conf.set_override("text", "shared", group="backend_defaults")
    assert store.text == ""
    conf.clear_override("text", group="one")
    assert store.text == "shared"


def test_values_come_from_files_and_follow_a_reload(conf: Any, tmp_path: Any) -> None:
    file = tmp_path / "glance.conf"
    file.write_text("[backend_defaults]\nnumber = 4\n[two]\nnumber = 3\nweight = 1\n")
    conf([], default_config_files=[str(file)])
    one, two = view(conf), view(conf, group="two")
    store = fakes.Memory(conf, "two")
    assert (one.number, two.number, store.weight) == (4, 3, 1)  # 3 is the default, yet it was set
    file.write_text("[backend_defaults]\nnumber = 8\n[one]\nnumber = 9\n[two]\nweight = 2\n")
    conf.reload_config_files()
    assert (one.number, two.number, store.weight) == (9, 8, 2)
    conf.mutate_config_files()
    assert (one.number, two.number, store.weight) == (9, 8, 2)


def test_the_attributes_and_methods_of_the_view(conf: Any) -> None:
    store = view(conf)
    assert (store.config_group, store.conf) == ("one", conf)
    assert store.backend_conf.number is None
    assert store.shared_backend_conf.number == 3
    store.append_config_values([cfg.IntOpt("later", default=1)])
    assert store.later == store.get("later") == 1
    store.set_default("number", 12)
    assert store.number == conf.backend_defaults.number == 12
    assert store.get("nosuch") is None
    assert store.get("nosuch", 5) == 5
    with pytest.raises(cfg.NoSuchOptError):
        _ = store.nosuch
    with pytest.raises(AttributeError):
        _ = store.nosuch
    assert driver.BackendGroupConfiguration([], "empty", conf=conf).backend_conf is not None
    assert driver.BackendGroupConfiguration([NUMBER], conf=conf).number == 12
    with pytest.raises(AttributeError):
        copy.copy(store).__nosuch__  # noqa: B018


def test_the_view_of_the_shared_group_is_that_group(conf: Any) -> None:
    assert view(conf, group="backend_defaults").number == conf.backend_defaults.number == 3


def test_without_a_configuration_the_view_reads_the_global_one() -> None:
    assert driver.BackendGroupConfiguration([], "some_store").conf is cfg.CONF


def test_c30_a_view_reads_defaults_where_the_group_says_none(conf: Any) -> None:
    store = view(conf)
    assert conf.one.number is None
    assert conf.backend_defaults.number == store.number == 3


@pytest.mark.parametrize("first", ["plain", "unset"])
def test_trap_1_the_group_of_a_store_says_none_whoever_registered_it_first(
    conf: Any, first: str
) -> None:
    _config.register(conf, [NUMBER], "one", first)
    store = view(conf)
    assert conf.one.number is None
    assert store.number == 3
    _config.register(conf, [NUMBER], "one", "plain")
    assert conf.one.number is None


def test_trap_1_a_default_that_a_consumer_set_is_not_wiped(conf: Any) -> None:
    conf.register_opt(NUMBER, group="one")
    conf.set_default("number", 44, group="one")
    store = view(conf)
    assert conf.one.number == store.number == 44


def test_trap_1_an_override_that_goes_leaves_the_shared_value(conf: Any) -> None:
    conf.register_opt(NUMBER, group="one")
    conf.set_override("number", 44, group="one")
    store = view(conf)
    conf.set_override("number", 5, group="backend_defaults")
    conf.clear_override("number", group="one")
    assert store.number == 5


def test_c31_looking_at_options_never_touches_the_configuration(stores: Create, conf: Any) -> None:
    stores(one="mem", two="mem")
    store = glance_store.get_store_from_store_identifier("one")
    assert store._view.mem_count == 3  # made once
    with (
        mock.patch.object(conf, "set_default") as changed,
        mock.patch.object(conf, "register_opt") as registered,
    ):
        for _ in range(3):
            assert glance_store.get_store_from_store_identifier("one") is store
            assert glance_store.get_store_weight("one") == 0
            assert store._view.mem_count == 3
            multi_backend._list_config_opts()
            backend._list_opts()
    assert not changed.called
    assert not registered.called


def test_the_view_of_a_store_follows_the_mode(conf: Any) -> None:
    multi, single = fakes.Memory(conf, "one"), fakes.Memory(conf)
    conf.set_override("mem_count", 8, group="backend_defaults")
    assert (multi._view.mem_count, single._view.mem_count) == (8, 3)
    assert multi._view is multi._view
    conf.set_override("mem_count", 9, group="glance_store")
    assert single._view.mem_count == 9


# -- reserved stores -----------------------------------------------------------------------------


@pytest.fixture
def file_driver() -> Any:
    return pytest.importorskip("glance_store._drivers.filesystem").Store


@pytest.mark.parametrize("registered", [True, False])
def test_c1_a_reserved_store_uses_its_own_directory(
    conf: Any, file_driver: Any, registered: bool
) -> None:
    if registered:
        glance_store.register_store_opts(conf, {STAGING: "file"})
    conf.register_opts(file_driver.OPTIONS, group="backend_defaults")
    conf.set_override(DATADIR, "/somewhere/shared", group="backend_defaults")
    with mock.patch.object(file_driver, "configure"):
        assert glance_store.create_multi_stores(conf, {STAGING: "file"}) == 1
    store = glance_store.get_store_from_store_identifier(STAGING)
    assert store._view.filesystem_store_datadir == f"/var/lib/glance/{STAGING}"
    assert conf[STAGING].filesystem_store_datadir == f"/var/lib/glance/{STAGING}"
    conf.set_override(DATADIR, "/own", group=STAGING)
    assert store._view.filesystem_store_datadir == conf[STAGING].filesystem_store_datadir == "/own"


def test_c36_a_reserved_store_has_the_real_options_of_its_type(
    conf: Any, file_driver: Any, install: Any
) -> None:
    install(mem=fakes.Memory)
    glance_store.register_store_opts(conf, {STAGING: "file", "os_glance_tasks_store": "mem"})
    for option in file_driver.OPTIONS:
        assert option.dest in conf[STAGING]
    assert conf[STAGING].filesystem_store_datadir == f"/var/lib/glance/{STAGING}"
    assert "mem_place" in conf.os_glance_tasks_store
    assert DATADIR not in conf.os_glance_tasks_store


def test_trap_1_registering_and_creating_twice_changes_nothing_and_complains_of_nothing(
    conf: Any, file_driver: Any, caplog: pytest.LogCaptureFixture
) -> None:
    conf.set_override("enabled_backends", {"fast": "file"})
    with mock.patch.object(file_driver, "configure"):
        for _ in range(2):
            glance_store.register_store_opts(conf, {STAGING: "file"})
            glance_store.create_multi_stores(conf, {STAGING: "file"})
    assert conf[STAGING].filesystem_store_datadir == f"/var/lib/glance/{STAGING}"
    assert conf.fast.filesystem_store_datadir is None
    assert not caplog.records


# -- registration --------------------------------------------------------------------------------


def test_c13_a_conflicting_option_costs_that_option_only(
    conf: Any, install: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(mem=fakes.Memory)
    conf.set_override("enabled_backends", {"one": "mem"})
    conf.register_opt(cfg.StrOpt("mem_place", default="mine", help="different"), group="one")
    conf.register_opt(cfg.StrOpt("weight", default="9", help="different"), group="one")
    glance_store.register_store_opts(conf)
    assert (conf.one.mem_place, conf.one.mem_count, conf.one.weight) == ("mine", 3, "9")
    assert conf.one.store_description is None
    assert "mem_place" in caplog.text
    assert "weight" in caplog.text
    assert "mem_count" not in caplog.text
    assert glance_store.create_multi_stores(conf) == 1
    assert glance_store.get_store_from_store_identifier("one").place == "mine"


def test_options_of_the_configured_and_reserved_stores_are_registered(
    conf: Any, install: Any
) -> None:
    install(mem=fakes.Memory, raw=fakes.Raw)
    conf.set_override("enabled_backends", {"one": "mem", "two": "raw"})
    assert glance_store.register_store_opts(conf, {STAGING: "mem"}) is None  # type: ignore[func-returns-value]
    assert conf.glance_store.default_backend is None
    assert conf.one.mem_count == conf[STAGING].mem_count or conf[STAGING].mem_count is None
    assert conf.two.raw_count == 7
    assert (conf.one.store_description, conf.one.weight) == (None, 0)


def test_a_third_party_driver_that_reads_its_group_itself_finds_the_defaults(
    conf: Any, install: Any
) -> None:
    install(raw=fakes.Raw)
    conf.set_override("enabled_backends", {"two": "raw"})
    glance_store.register_store_opts(conf)
    install(raw=type("Raw", (fakes.Raw,), {"__module__": "facade.fakes"}))
    assert glance_store.create_multi_stores(conf) == 1
    assert glance_store.get_store_from_store_identifier("two").count == 7


def test_c38_without_enabled_backends_there_is_nothing_to_do(conf: Any) -> None:
    bare = cfg.ConfigOpts()
    for unset in (conf, bare):
        glance_store.register_store_opts(unset)
        assert glance_store.create_multi_stores(unset) == 0
        with pytest.raises(RuntimeError):
            glance_store.verify_store()


def test_c38_a_creation_without_registered_options_is_judged_without_a_crash(conf: Any) -> None:
    bare = cfg.ConfigOpts()
    assert glance_store.create_multi_stores(bare) == 0
    with pytest.raises(RuntimeError, match="default_backend"):
        glance_store.verify_store()


def test_registering_single_store_options_raises_on_a_conflict() -> None:
    fresh = cfg.ConfigOpts()
    backend.register_opts(fresh)
    backend.register_opts(fresh)
    assert fresh.glance_store.stores == ["file", "http"]
    assert fresh.glance_store.default_store == "file"
    other = cfg.ConfigOpts()
    other.register_opt(cfg.IntOpt("default_store"), group="glance_store")
    with pytest.raises(cfg.DuplicateOptError):
        backend.register_opts(other)


def test_required_options_do_not_stop_the_service_where_they_are_shared(conf: Any) -> None:
    store = view(conf, cfg.StrOpt("needed", required=True))
    conf.clear()
    conf.set_override("needed", "x", group="backend_defaults")
    assert store.needed == "x"


# -- listings ------------------------------------------------------------------------------------


def names(options: list[Any]) -> list[str]:
    return [option.name for option in options]


def test_the_single_store_listing(install: Any) -> None:
    install(mem=fakes.Memory, sub=type("Sub", (fakes.Memory,), {}), none=fakes.NoOptions)
    core, drivers = backend._list_opts()
    assert core[0] == drivers[0] == "glance_store"
    assert names(core[1]) == ["stores", "default_store"]
    own = [name for name in names(drivers[1]) if name.startswith("mem_")]
    assert own == ["mem_place", "mem_count"]
    assert len(names(drivers[1])) == len(set(names(drivers[1])))


def test_c10_a_driver_is_listed_once_by_its_short_name(install: Any) -> None:
    long = {"a.long.alias.Store": fakes.Memory}
    install(**long, mem=fakes.Memory, m=fakes.Raw, memory2=fakes.NoOptions, no_conf=fakes.NoConf)
    listed = multi_backend._list_driver_opts()
    assert {"mem", "m"} <= set(listed)
    assert not {"a.long.alias.Store", "memory2", "glance.store.http.Store"} & set(listed)
    assert names(listed["m"]) == ["raw_count"]
    assert list(listed) == sorted(listed)
    install(no_conf=type("NoConf", (fakes.NoConf,), {"OPTIONS": [NUMBER]}))
    assert "no_conf" in multi_backend._list_driver_opts()
    assert "no_conf" not in dict(multi_backend._list_config_opts())


def test_c29_description_and_weight_are_listed_in_every_section(install: Any) -> None:
    install(mem=fakes.Memory)
    sections = dict(multi_backend._list_config_opts())
    assert names(sections.pop("glance_store")) == ["default_backend"]
    assert names(sections["mem"]) == ["store_description", "weight", "mem_place", "mem_count"]
    for options in sections.values():
        assert names(options)[:2] == ["store_description", "weight"]


def test_every_core_option_says_what_it_is_for() -> None:
    for group, options in [*backend._list_opts()[:1], *multi_backend._list_config_opts()[:1]]:
        assert group == "glance_store"
        assert all(option.help.strip() for option in options)


def test_c26_drivers_are_loaded_once_for_all_listings(
    install: Any, caplog: pytest.LogCaptureFixture
) -> None:
    install(broken=ImportError("no module named http://me:s3cret@host/"), mem=fakes.Memory)
    with mock.patch.object(_loading, "driver_class", wraps=_loading.driver_class) as load:
        for _ in range(3):
            backend._list_opts()
            multi_backend._list_config_opts()
    asked = [call.args[0] for call in load.call_args_list]
    assert len(asked) == len(set(asked))
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([record for record in lines if "broken" in record.getMessage()]) == 1
    assert "s3cret" not in caplog.text


def test_c26_no_test_driver_is_installed() -> None:
    from importlib.metadata import distribution

    points = distribution("glance_store").entry_points
    assert "no_conf" not in {point.name for point in points}


def test_c42_default_store_takes_any_scheme(conf: Any) -> None:
    backend.register_opts(conf)
    conf.set_override("default_store", "s3+https", group="glance_store")
    assert conf.glance_store.default_store == "s3+https"


def test_the_table_of_own_drivers_is_what_the_distribution_declares() -> None:
    from importlib.metadata import distribution

    declared = {
        point.name: point.value
        for point in distribution("glance_store").entry_points
        if point.group == _loading.GROUP
    }
    assert declared == _loading.OWN
