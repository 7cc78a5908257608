"""Any sequence of operations, failures and deaths, against a dictionary of what must be there."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from doubles import failing
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from multistore import AlreadyExists, InUse, Misconfigured, NotFound, State, Unavailable
from unit.catalog.houses import House, died

NAMES = st.sampled_from(["x", "y"])
STORES = st.sets(st.sampled_from("abc"), min_size=1).map(sorted)
STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["intended", "began", "committed"])),
    unique_by=lambda step: step[0],
    max_size=3,
)


class Images(RuleBasedStateMachine):
    """``images`` maps names to bytes and stores."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="catalog-model-"))
        self.house = House(self.root)
        self.images: dict[str, tuple[bytes, set[str]]] = {}

    def teardown(self) -> None:
        list(self.house.repo.gc(grace=0))
        assert self.house.nothing_under_way()
        wanted = {(name, store) for name, (_, stores) in self.images.items() for store in stores}
        there = {(name, store) for store, names in self.house.objects().items() for name in names}
        assert there == wanted
        self.house.repo.close()
        shutil.rmtree(self.root)

    @rule(name=NAMES, stores=STORES, data=st.binary(max_size=50))
    def put(self, name: str, stores: list[str], data: bytes) -> None:
        try:
            self.house.repo.put(name, data, stores=stores)
        except AlreadyExists:
            assert name in self.images
        else:
            assert name not in self.images
            self.images[name] = (data, set(stores))

    @rule(name=NAMES, stores=STORES, step=st.sampled_from(["begin", "write_part", "commit"]))
    def put_that_fails(self, name: str, stores: list[str], step: str) -> None:
        with self.trouble(stores[-1], step), contextlib.suppress(AlreadyExists, Unavailable):
            self.house.repo.put(name, b"never", stores=stores)
            raise AssertionError("it cannot succeed")

    @precondition(lambda self: len(self.images) < 2)
    @rule(name=NAMES, steps=STEPS)
    def put_that_dies(self, name: str, steps: list[tuple[str, str]]) -> None:
        if name not in self.images and not self.house.catalog.unfinished():
            died(self.house, name, *(f"{store}:{step}" for store, step in steps))

    @rule(name=NAMES, stores=st.none() | STORES)
    def delete(self, name: str, stores: list[str] | None) -> None:
        there = self.images.get(name, (b"", set[str]()))[1]
        try:
            self.house.repo.delete(name, stores=stores)
        except NotFound:
            assert not there or not there.issuperset(stores or ())
        except Misconfigured:
            assert there == set(stores or ())
        else:
            assert there
            there.difference_update(there if stores is None else stores)
            if not there:
                del self.images[name]

    @rule(name=NAMES)
    def delete_that_is_refused(self, name: str) -> None:
        if name not in self.images:
            return
        data, stores = self.images[name]
        refusing = min(stores)
        self.house.drivers[refusing].before = failing("delete", InUse("a clone"))
        with contextlib.suppress(InUse):
            self.house.repo.delete(name)
            raise AssertionError("it cannot succeed")
        self.house.drivers[refusing].before = lambda _: None
        self.images[name] = (data, {refusing})

    @rule(name=NAMES, to=STORES)
    def copy(self, name: str, to: list[str]) -> None:
        try:
            self.house.repo.copy(name, to)
        except NotFound:
            assert name not in self.images
        except AlreadyExists:
            assert self.images[name][1].intersection(to)
        else:
            self.images[name][1].update(to)

    @rule(name=NAMES, number=st.integers(0, 2))
    def damage_and_repair(self, name: str, number: int) -> None:
        if name not in self.images or len(self.images[name][1]) < 2:
            return
        stores = sorted(self.images[name][1])
        store = stores[number % len(stores)]
        del self.house.drivers[store].objects[name]
        assert set(self.house.repo.repair(name).copies) == {store}

    @rule()
    def gc(self) -> None:
        assert not [each for each in self.house.repo.gc() if each.error]
        assert self.house.nothing_under_way()

    @invariant()
    def every_image_is_whole_and_where_it_should_be(self) -> None:
        assert {record.name for record in self.house.repo.list()} == set(self.images)
        for name, (data, stores) in self.images.items():
            verdicts = self.house.repo.verify(name)
            assert {each.store for each in verdicts} == stores
            assert {each.state for each in verdicts} == {State.INTACT}
            with self.house.repo.open(name) as image:
                assert b"".join(image) == data

    @contextlib.contextmanager
    def trouble(self, store: str, step: str) -> Iterator[None]:
        driver = self.house.drivers[store]
        driver.before = failing(step, Unavailable("no route"), always=True)
        try:
            yield
        finally:
            driver.before = lambda _: None


TestImages = pytest.mark.timeout(120)(Images.TestCase)  # a failure takes its time to shrink
TestImages.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, derandomize=True, database=None
)
