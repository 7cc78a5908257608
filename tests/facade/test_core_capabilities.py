"""Capability masks, and the check before each operation."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import capabilities, driver, exceptions
from glance_store.capabilities import BitMasks, StoreCapability
from oslo_config import cfg

MASKS = {
    "NONE": 0, "ALL": 255, "READ_ACCESS": 1, "READ_OFFSET": 3, "READ_CHUNK": 5, "READ_RANDOM": 7, "WRITE_ACCESS": 8,
    "WRITE_OFFSET": 24, "WRITE_CHUNK": 40, "WRITE_RANDOM": 56, "RW_ACCESS": 9, "RW_OFFSET": 27, "RW_CHUNK": 45,
    "RW_RANDOM": 63, "DRIVER_REUSABLE": 64,
}  # fmt: skip


def test_the_masks_have_the_numbers_of_the_interface() -> None:
    assert {name: int(mask) for name, mask in BitMasks.__members__.items()} == MASKS


class Readable(StoreCapability):
    _CAPABILITIES = BitMasks.READ_RANDOM


def test_bits_come_and_go_without_a_cascade() -> None:
    store = Readable()
    assert store.is_capable()
    assert store.is_capable(BitMasks.READ_OFFSET, BitMasks.READ_CHUNK)
    store.set_capabilities(BitMasks.WRITE_RANDOM)
    store.unset_capabilities(BitMasks.WRITE_ACCESS)
    assert store.capabilities == 7 | 48
    assert not store.is_capable(BitMasks.WRITE_OFFSET)
    assert Readable().capabilities == 7
    assert StoreCapability().capabilities == 0
    assert StoreCapability.contains(7, 5)
    assert not StoreCapability.contains(5, 7)
    with pytest.raises(AttributeError):
        store.capabilities = 3  # type: ignore[misc]


class Plain(driver.Store):
    def get_schemes(self) -> tuple[str, ...]:
        return ("plain",)


class Capable(Plain):
    _CAPABILITIES = BitMasks.RW_RANDOM


def test_operations_without_their_capability_are_refused_before_anything_else() -> None:
    store = Plain(None)
    with pytest.raises(exceptions.StoreGetNotSupported) as error:
        store.get(None)
    assert not isinstance(error.value, exceptions.StoreRandomGetNotSupported)
    with pytest.raises(exceptions.StoreAddDisabled):
        store.add(None, None, None, None)  # type: ignore[arg-type]
    with pytest.raises(exceptions.StoreDeleteNotSupported):
        store.delete(None)


def test_operations_of_the_base_are_not_implemented_once_checked() -> None:
    store = Capable(None)
    calls: list[Callable[[], Any]] = [
        lambda: store.get(None, offset=1, chunk_size=2),
        lambda: store.add(None, None, None, None),  # type: ignore[arg-type]
        lambda: store.delete(None),
        lambda: store.get_size(None),
        lambda: store.set_acls(None),
        lambda: driver.Store(None).get_schemes(),
    ]
    for call in calls:
        with pytest.raises(NotImplementedError):
            call()


def test_the_wrappers_have_the_name_that_tests_look_for() -> None:
    for store in (Capable, fakes.Memory):
        for name in ("get", "add", "delete"):
            assert getattr(store, name).__name__ == "op_checker"


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {"offset": 5}),
        ((), {"chunk_size": 9}),
        ((5,), {}),
        ((0, 9), {}),
        ((5,), {"chunk_size": 9}),
    ],
)
def test_c16_a_range_is_seen_however_it_is_passed(
    args: tuple[int, ...], kwargs: dict[str, int]
) -> None:
    class Whole(Plain):
        _CAPABILITIES = BitMasks.READ_ACCESS

    with pytest.raises(exceptions.StoreRandomGetNotSupported) as error:
        Whole(None).get(None, *args, **kwargs)
    asked = dict(zip(("offset", "chunk_size"), args, strict=False)) | kwargs
    assert f"offset {asked.get('offset', 0)} " in error.value.msg
    assert f"length {asked.get('chunk_size')}" in error.value.msg


def test_c16_a_driver_s_own_order_of_arguments_is_respected() -> None:
    class Odd(Plain):
        _CAPABILITIES = BitMasks.READ_ACCESS

        @capabilities.check
        def get(  # type: ignore[override]
            self, location: Any, context: Any = None, chunk_size: int | None = None, offset: int = 0
        ) -> Any:
            return context

    assert Odd(None).get("there", "context") == "context"
    with pytest.raises(exceptions.StoreRandomGetNotSupported):
        Odd(None).get("there", "context", 9)


def test_an_operation_of_another_name_runs_unchecked_with_a_warning_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Plain):
        @capabilities.check
        def Shrink(self, value: int) -> int:  # noqa: N802
            return value

    assert [Odd(None).Shrink(1), Odd(None).Shrink(2)] == [1, 2]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "shrink" in caplog.text


def test_trap_11_mocks_and_nothing_reach_the_capability_check_first() -> None:
    incapable, capable = mock.Mock(), mock.Mock()
    add = glance_store.store_add_to_backend_with_multihash
    incapable.is_capable.return_value = False
    with pytest.raises(exceptions.StoreAddDisabled):
        driver.Store.add(incapable, None, None, None, None)  # type: ignore[arg-type]
    with pytest.raises(exceptions.StoreDeleteNotSupported):
        driver.Store.delete(incapable, None, context={})
    with pytest.raises(NotImplementedError):
        driver.Store.add(capable, None, None, None, None)  # type: ignore[arg-type]
    with pytest.raises(exceptions.StoreAddDisabled):
        add("1", None, 0, "sha512", Plain(None), context={})


# -- configure -----------------------------------------------------------------------------------


def failing(conf: Any) -> fakes.Memory:
    conf.register_opts(fakes.Memory.OPTIONS, group="one")
    conf.set_override("mem_place", "forbidden", group="one")
    return fakes.Memory(conf, "one")


def test_a_failed_configuration_refuses_adding_with_one_warning(conf: Any) -> None:
    store = failing(conf)
    with (
        mock.patch.object(driver.LOG, "warning") as warning,
        mock.patch.object(store, "update_capabilities") as update,
    ):
        store.configure()
    ((text,), kwargs) = warning.call_args
    assert warning.call_count == update.call_count == 1
    assert not kwargs
    assert "no such place" in text
    assert "isabled" in text
    assert store.capabilities == (BitMasks.RW_RANDOM | BitMasks.DRIVER_REUSABLE) & ~8
    with pytest.raises(exceptions.StoreAddDisabled):
        store.add("1", io.BytesIO(), 0)


def test_a_failed_configuration_is_raised_on_request(conf: Any) -> None:
    store = failing(conf)
    with pytest.raises(exceptions.BadStoreConfiguration):
        store.configure(re_raise_bsc=True)
    assert not store.is_capable(BitMasks.WRITE_ACCESS)


def test_other_errors_escape_and_the_hook_runs_all_the_same(conf: Any) -> None:
    store = failing(conf)
    conf.set_override("mem_place", "explosive", group="one")
    with (
        mock.patch.object(store, "update_capabilities") as update,
        pytest.raises(OSError, match="gone"),
    ):
        store.configure()
    assert update.call_count == 1


def test_c14_a_store_whose_configuration_failed_still_deletes(conf: Any) -> None:
    store = failing(conf)
    store.configure()
    fakes.put("forbidden", "1")
    place = glance_store.location.Location("mem", fakes.StoreLocation, conf, "mem://forbidden/1")
    store.delete(place)
    assert not fakes.Memory.objects


def test_c14_a_store_that_never_wrote_or_gave_it_up_itself_does_not_delete(conf: Any) -> None:
    class ReadOnly(fakes.Memory):
        _CAPABILITIES = BitMasks.READ_RANDOM

    class GivesUp(fakes.Memory):
        def update_capabilities(self) -> None:
            self.unset_capabilities(BitMasks.WRITE_ACCESS)

    for kind in (ReadOnly, GivesUp):
        failing(conf)
        store = kind(conf, "one")
        store.configure()
        with pytest.raises(exceptions.StoreDeleteNotSupported):
            store.delete(None)


def test_trap_7_reads_work_after_a_failed_configuration(conf: Any) -> None:
    store = failing(conf)
    store.configure()
    place = glance_store.location.Location("mem", fakes.StoreLocation, conf, fakes.put("x", "1"))
    assert b"".join(store.get(place, offset=0, chunk_size=3)[0]) == b"data"
    assert store.place == "forbidden"


def test_c15_a_later_successful_configuration_gives_everything_back(conf: Any) -> None:
    store = failing(conf)
    before = store.capabilities
    store.configure()
    conf.clear_override("mem_place", group="one")
    store.configure()
    assert store.capabilities == before
    assert store.add("1", io.BytesIO(b"x"), 1)[1] == 1


def test_c15_what_the_constructor_decided_survives_configuring(conf: Any) -> None:
    class Limited(fakes.Memory):
        def __init__(self, conf: Any, backend: str | None = None) -> None:
            super().__init__(conf, backend)
            self.unset_capabilities(BitMasks.READ_RANDOM)

    store = Limited(conf, "one")
    store.configure()
    store.configure()
    assert not store.is_capable(BitMasks.READ_ACCESS)


def test_c40_the_warning_of_a_failed_configuration_holds_no_secret(conf: Any) -> None:
    class Talkative(fakes.Memory):
        def configure_add(self) -> None:
            raise exceptions.BadStoreConfiguration(
                store_name="t", reason="http://me:s3cret@host/x refused"
            )

    with mock.patch.object(driver.LOG, "warning") as warning:
        Talkative(conf, "one").configure()
    assert "s3cret" not in str(warning.call_args)
    assert "host/x refused" in str(warning.call_args)


def test_the_location_class_comes_from_the_module_of_the_store(conf: Any) -> None:
    store = fakes.Memory(conf, "one")
    assert fakes.Memory(conf, "two").store_location_class is None
    assert store.get_store_location_class() is fakes.StoreLocation
    assert store.store_location_class is fakes.StoreLocation
    with pytest.raises(ImportError, match="StoreLocation"):
        type("Lost", (fakes.Memory,), {"__module__": "io"})(conf, "one").get_store_location_class()


def test_the_attributes_of_a_new_store(conf: Any) -> None:
    store = fakes.Memory(conf)
    assert (store.conf, store.backend_group, store.url_prefix, store.weight) == (
        conf,
        None,
        None,
        0,
    )
    assert store.READ_CHUNKSIZE == store.WRITE_CHUNKSIZE == 4 * 1024 * 1024
    assert [option.name for option in store.MULTI_BACKEND_OPTIONS] == [
        "store_description",
        "weight",
    ]
    assert conf.glance_store.mem_count == conf.backend_defaults.mem_count == 3
    assert "one" not in conf
    fakes.Memory(conf, "one")
    assert conf.one.mem_count == 3
    assert conf.one.weight == 0


def test_c35_a_driver_without_options_has_the_weight_0(conf: Any) -> None:
    store = fakes.NoOptions(conf, "one")
    assert store.weight == 0
    conf.set_override("weight", 5, group="one")
    assert store.weight == 5
    bare = fakes.NoOptions(cfg.ConfigOpts(), None)
    bare.backend_group = "nothing"
    assert bare.weight == 0
