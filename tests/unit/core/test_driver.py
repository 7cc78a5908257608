"""The seam's base class and its two tools for handles."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from itertools import islice
from typing import ClassVar

import pytest
from multistore.driver import PART_SIZE, Driver, PerProcess, Pool, Reader, Ref
from multistore.drivers.memory import MemoryDriver
from multistore.errors import InvalidRef, Misconfigured, Unsupported
from multistore.model import Access, Caller, Capabilities, Info


class BareRef(Ref):
    def __str__(self) -> str:
        return "bare://"


class Bare(Driver):
    """What a driver must define, and nothing else."""

    schemes: ClassVar[tuple[str, ...]] = ("bare",)

    @classmethod
    def parse(cls, text: str) -> Ref:
        if text != "bare://":
            raise InvalidRef("no")
        return BareRef()

    def stat(self, ref: str) -> Info:
        return Info(ref)

    def open(self, ref: str) -> Reader:
        raise NotImplementedError


REFUSED: dict[str, Callable[[Driver], object]] = {
    "write begin": lambda driver: driver.begin("x", 1, {}),
    "write pending": lambda driver: driver.pending(),
    "write discard": lambda driver: driver.discard("t"),
    "write published": lambda driver: driver.published("t"),
    "delete": lambda driver: driver.delete("bare://"),
    "copy": lambda driver: driver.begin_copy(MemoryDriver(), "memory://x", "x", {}),
    "list": lambda driver: driver.list(),
    "usage": lambda driver: driver.usage(),
    "access": lambda driver: driver.set_access("bare://", Access()),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_verb_that_is_not_there_is_refused_by_the_call_itself(what: str) -> None:
    with pytest.raises(Unsupported, match=f"a bare store cannot {what.partition(' ')[0]}"):
        REFUSED[what](Bare())


def test_a_driver_without_a_scheme_is_named_by_its_class() -> None:
    class Nameless(Bare):
        schemes: ClassVar[tuple[str, ...]] = ()

    with pytest.raises(Unsupported, match="a Nameless store cannot list"):
        Nameless().list()


def test_a_driver_that_cannot_be_named_by_a_url_says_so() -> None:
    with pytest.raises(Misconfigured, match="a bare store cannot be named by a URL") as caught:
        Bare.settings_from_url("bare://user:secret@x")
    assert "secret" not in str(caught.value)
    assert caught.value.setting == "url"


def test_what_is_optional_does_nothing() -> None:
    driver = Bare()
    driver.check()
    driver.close()
    driver.close()
    assert driver.prefixes() == ()
    assert not driver.owns("bare://")
    assert driver.redact("bare://x") == "bare://x"
    assert driver.for_context(Caller()) is driver
    assert driver.capabilities == Capabilities()
    assert list(islice(driver.parts(None), 3)) == [PART_SIZE] * 3


class Counting:
    """Makes a new number at each call."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> list[int]:
        self.made += 1
        return [self.made]


def in_child(action: Callable[[], bool]) -> bool:
    """Say what ``action`` gives in a forked child."""
    child = os.fork()
    if not child:
        try:
            code = 0 if action() else 1
        except BaseException:
            code = 2
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


class TestPerProcess:
    def test_makes_its_value_once(self) -> None:
        value = PerProcess(make := Counting())
        assert value.get() is value.get()
        assert make.made == 1

    def test_makes_another_in_a_child_and_leaves_the_parents_alone(self) -> None:
        value = PerProcess(Counting())
        ours = value.get()
        assert in_child(lambda: value.get() == [2] and value.drop() == [2] and ours == [1])
        assert value.get() is ours

    def test_a_child_waits_for_no_lock_of_the_parent(self) -> None:
        inside, go = threading.Event(), threading.Event()

        def make() -> str:
            inside.set()
            assert go.wait(10)
            return "made"

        value = PerProcess(make)
        thread = threading.Thread(target=value.get)
        thread.start()
        assert inside.wait(10)
        child = os.fork()
        if not child:
            go.set()
            os._exit(0 if value.get() == "made" else 1)
        go.set()
        thread.join(10)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_threads_agree_on_one_value(self) -> None:
        make = Counting()
        value = PerProcess(make)
        together = threading.Barrier(8)
        seen: list[list[int]] = []

        def get() -> None:
            together.wait(10)
            seen.append(value.get())

        threads = [threading.Thread(target=get) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert make.made == 1
        assert all(each is seen[0] for each in seen)
        assert len(seen) == 8

    def test_a_failure_is_tried_again_at_the_next_use(self) -> None:
        results: list[object] = [OSError("not now"), "made"]

        def make() -> object:
            result = results.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        value = PerProcess(make)
        with pytest.raises(OSError, match="not now"):
            value.get()
        assert value.drop() is None
        assert value.get() == "made"

    def test_drop_gives_the_value_back_and_the_next_use_makes_another(self) -> None:
        value = PerProcess(Counting())
        assert value.drop() is None
        value.get()
        assert value.drop() == [1]
        assert value.drop() is None
        assert value.get() == [2]


class TestPool:
    def test_a_handle_given_back_is_used_again(self) -> None:
        closed: list[list[int]] = []
        pool = Pool(Counting(), closed.append)
        first, second = pool.take(), pool.take()
        assert first is not second
        pool.give(first)
        assert pool.take() is first
        assert closed == []

    def test_no_more_are_kept_than_asked(self) -> None:
        closed: list[list[int]] = []
        pool = Pool(Counting(), closed.append, keep=1)
        first, second = pool.take(), pool.take()
        pool.give(first)
        pool.give(second)
        assert closed == [second]

    def test_close_closes_the_idle_ones_and_the_pool_can_be_used_again(self) -> None:
        closed: list[list[int]] = []
        pool = Pool(Counting(), closed.append)
        pool.close()
        pool.give(pool.take())
        pool.close()
        assert closed == [[1]]
        assert pool.take() == [2]

    def test_a_child_neither_uses_nor_closes_the_parents_handles(self) -> None:
        closed: list[list[int]] = []
        pool = Pool(Counting(), closed.append)
        ours = pool.take()
        pool.give(ours)

        def child() -> bool:
            pool.close()
            return closed == [] and pool.take() is not ours

        assert in_child(child)
        assert pool.take() is ours
