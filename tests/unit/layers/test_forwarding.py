"""Every layer has every verb, and each verb arrives below."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from doubles import TroubledDriver
from multistore.driver import Driver, Reader, Upload
from multistore.drivers.memory import MemoryDriver, MemorySettings
from multistore.errors import InvalidRef
from multistore.layers.base import LayerDriver, LayerReader, LayerUpload, unwrap
from multistore.layers.deadline import DeadlineLayer, DeadlineReader, DeadlineUpload
from multistore.layers.events import Events
from multistore.layers.faults import FaultLayer, FaultPlan, FaultReader, FaultUpload
from multistore.layers.limit import LimitLayer
from multistore.layers.observe import ObservedReader, ObservedUpload, ObserveLayer
from multistore.layers.retry import Policy, RetryLayer, RetryReader
from multistore.layers.stack import StoreOptions, stack
from multistore.model import Access, Caller, Capabilities, Info, Pending, Stored, Usage, Verb

Wrap = Callable[[Driver], Driver]

LAYERS: dict[str, Wrap] = {
    "base": LayerDriver,
    "faults": lambda driver: FaultLayer(driver, FaultPlan()),
    "limit": lambda driver: LimitLayer(driver, calls=2),
    "deadline": lambda driver: DeadlineLayer(driver, seconds=10),
    "rate": lambda driver: DeadlineLayer(driver, seconds=None, rate=1),
    "retry": lambda driver: RetryLayer(driver, Policy()),
    "observe": lambda driver: ObserveLayer(driver, Events("told", [lambda event: None])),
    "stack": lambda driver: stack(
        driver,
        name="full",
        options=StoreOptions(max_calls=3),
        events=[lambda event: None],
        faults=FaultPlan(),
    ),
}


@pytest.fixture(params=LAYERS)
def wrap(request: pytest.FixtureRequest) -> Wrap:
    return LAYERS[request.param]


class Recorder(MemoryDriver):
    """Has every verb, and remembers who was called with what."""

    capabilities = Capabilities(verbs=~Verb.NONE, ranged_read=True, hang_timeout=10.0)

    def __init__(self) -> None:
        super().__init__(MemorySettings())
        self.seen: list[tuple[object, ...]] = []

    def __getattribute__(self, name: str) -> object:
        found = super().__getattribute__(name)
        if inspect.ismethod(found) and not name.startswith("_") and hasattr(Driver, name):
            self.seen.append((name,))
        return found

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        assert source is self, "the source still has its layers"
        data = self.objects[self.parse(ref).name][0]
        upload = self.begin(name, len(data), labels)
        upload.write_part(0, 0, data)
        return upload, len(data)

    def set_access(self, ref: str, access: Access) -> None:
        assert access.public

    def for_context(self, caller: Caller) -> Driver:
        twin = Recorder()
        twin.objects = self.objects
        return twin

    def redact(self, ref: str) -> str:
        return ref.replace("secret", "***")


def methods(cls: type) -> set[str]:
    return {
        name
        for name, found in vars(cls).items()
        if not name.startswith("_")
        and (callable(found) or isinstance(found, property | classmethod))
    }


@pytest.mark.parametrize(
    ("seam", "layer"),
    [
        (Driver, LayerDriver),
        (Reader, LayerReader),
        (Upload, LayerUpload),
    ],
)
def test_the_base_layer_defines_every_method_of_the_seam_by_itself(seam: type, layer: type) -> None:
    assert methods(seam) <= methods(layer)


@pytest.mark.parametrize(
    "layer",
    [
        *(FaultLayer, LimitLayer, DeadlineLayer, RetryLayer, ObserveLayer),
        *(FaultReader, DeadlineReader, RetryReader, ObservedReader),
        *(FaultUpload, DeadlineUpload, ObservedUpload),
    ],
)
def test_every_layer_takes_what_it_does_not_define_from_the_base_layer(layer: type) -> None:
    bases: list[type] = [LayerDriver, LayerReader, LayerUpload]
    (base,) = (each for each in bases if issubclass(layer, each))
    seam = base.__bases__[0]
    for name in methods(seam):
        owner = next(each for each in layer.__mro__ if name in vars(each))
        assert issubclass(owner, base), f"{name} comes from {owner}"


def test_every_verb_reaches_the_driver(wrap: Wrap) -> None:
    bare = Recorder()
    layer = wrap(bare)
    use_everything(layer)
    reached = {name for (name,) in bare.seen}
    assert methods(Driver) - reached == set()
    layer.close()


def use_everything(layer: Driver) -> None:
    upload = layer.begin("one", None, {})
    assert [each.token for each in layer.pending()] == [upload.token]
    upload.write_part(0, 0, b"some ")
    upload.write_part(1, 5, b"bytes")
    stored = upload.commit(10, {})
    upload.abort()
    assert layer.published(upload.token) == stored
    with layer.open(stored.ref) as reader:
        assert reader.info.size == 10
        assert b"".join(reader.read(2, 4)) == b"me b"
        assert b"".join(reader.read()) == b"some bytes"
        assert list(reader.read(3, 0)) == []
        chunks = reader.read()
        getattr(chunks, "close", lambda: None)()
    copied, size = layer.begin_copy(layer, stored.ref, "two", {})
    assert copied.commit(size, {}).ref == "memory://two"
    assert sorted(info.ref for info in layer.list()) == ["memory://one", "memory://two"]
    assert layer.stat("memory://two").size == 10
    layer.set_access(stored.ref, Access(public=True))
    twin = layer.for_context(Caller(user="somebody"))
    assert twin is not layer
    assert twin.stat(stored.ref).size == 10
    twin.close()
    assert layer.usage().used == 20
    layer.check()
    layer.discard("unknown")
    layer.delete("memory://two")
    assert str(layer.parse("memory://x")) == "memory://x"
    assert layer.prefixes() == ("memory://",)
    assert layer.owns("memory://x")
    assert layer.redact("memory://secret") == "memory://***"
    assert next(layer.parts(5)) == 8 << 20
    assert layer.settings_from_url("memory:") == {}
    assert layer.schemes == ("memory",)
    assert layer.capabilities is Recorder.capabilities
    assert layer.settings_type is MemorySettings
    layer.close()


def test_a_driver_that_knows_no_other_callers_keeps_its_layers(wrap: Wrap) -> None:
    layer = wrap(MemoryDriver())
    assert layer.for_context(Caller(user="somebody")) is layer


def test_parse_refuses_what_the_driver_refuses(wrap: Wrap) -> None:
    with pytest.raises(InvalidRef):
        wrap(MemoryDriver()).parse("file:///x")


def test_unwrap_finds_the_driver_below(wrap: Wrap) -> None:
    bare = MemoryDriver()
    assert unwrap(wrap(bare)) is bare
    assert unwrap(bare) is bare


def openings(bare: TroubledDriver) -> list[Any]:
    """Give the list of all readers that will be opened."""
    opened: list[Any] = []
    original = bare.open

    def remember(ref: str) -> Reader:
        reader = original(ref)
        opened.append(reader)
        return reader

    bare.open = remember  # type: ignore[method-assign] # watched
    return opened


class Interrupt(BaseException):
    pass


def test_what_was_begun_is_not_lost_when_wrapping_it_is_interrupted() -> None:
    class Interrupted(LayerDriver):
        def upload(self, inner: Upload, name: str) -> Upload:
            raise Interrupt

        def reader(self, inner: Reader, ref: str) -> Reader:
            raise Interrupt

    bare = TroubledDriver()
    layer = Interrupted(bare)
    with pytest.raises(Interrupt):
        layer.begin("name", None, {})
    assert bare.calls == ["begin", "abort"]
    assert list(bare.pending()) == []
    bare.objects["there"] = (b"", "1", 0.0)
    opened = openings(bare)
    with pytest.raises(Interrupt):
        layer.open("memory://there")
    assert opened[0].closed


def test_an_iterator_that_is_closed_early_is_closed_below(wrap: Wrap) -> None:
    closed: list[str] = []

    class Lister(MemoryDriver):
        def list(self) -> Iterator[Info]:
            try:
                yield Info("memory://a")
                yield Info("memory://b")
            finally:
                closed.append("list")

        def pending(self) -> Iterator[Pending]:
            try:
                yield Pending("t")
                yield Pending("u")
            finally:
                closed.append("pending")

    layer = wrap(Lister())
    listings: list[Any] = [layer.list(), layer.pending()]
    for items in listings:
        next(items)
        items.close()
    assert closed == ["list", "pending"]
    layer.close()


def test_layers_with_nothing_to_do_are_left_out() -> None:
    bare = MemoryDriver()
    options = StoreOptions(attempts=1, min_rate=0)
    layer = stack(bare, name="thin", options=options, events=())
    assert isinstance(layer, ObserveLayer)
    assert layer.inner is bare
    upload = stack(bare, name="usual", options=StoreOptions(), events=()).begin("x", 1, {})
    assert isinstance(upload, ObservedUpload)
    names = []
    inner: object = upload
    while isinstance(inner, LayerUpload):
        names.append(type(inner).__name__)
        inner = inner.inner
    assert names == ["ObservedUpload", "LayerUpload"]


def test_stored_and_usage_pass_unchanged(wrap: Wrap) -> None:
    proof = Stored("memory://x", 1, {"etag": "1"})

    class Telling(MemoryDriver):
        def usage(self) -> Usage:
            return Usage(1, 2, 3)

        def published(self, token: str) -> Stored | None:
            return proof

    layer = wrap(Telling())
    assert layer.usage() == Usage(1, 2, 3)
    assert layer.published("t") is proof
    layer.close()
