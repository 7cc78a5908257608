"""The ground that every group of tests stands on: fixtures, and the checks around each test."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping

import pytest

from multistore.driver import Driver, Upload
from multistore.errors import InUse, NotFound, StoreError
from multistore.layers.stack import StoreOptions
from multistore.model import Pending, Receipt, Stored, Verb
from multistore.store import Store
from multistore.testing.rig import Rig
from multistore.testing.tools import NEEDS, assert_secret_free, lacking, one_image
from multistore.testing.watch import leaked, open_files, running_threads

__all__ = ["OPTIONS", "Group", "Work"]

#: A Store that loses no time.
OPTIONS = StoreOptions(attempts=3, backoff=0.001, backoff_limit=0.01)


class Work:
    """What one test does with a driver, so that everything can be taken away again afterwards."""

    def __init__(self, rig: Rig, driver: Driver) -> None:
        self.rig = rig
        self.driver = driver
        self.can = driver.capabilities
        self._refs: list[str] = []

    def name(self) -> str:
        """Give a fresh name."""
        return self.rig.new_name()

    def begin(self, name: str | None = None, size: int | None = None) -> Upload:
        """Begin an upload."""
        return self.driver.begin(name or self.name(), size, {})

    def put(
        self, data: bytes, name: str | None = None, labels: Mapping[str, str] | None = None
    ) -> str:
        """Write an image through the driver, and give its reference."""
        return self.keep(one_image(self.driver, name or self.name(), data, labels)).ref

    def keep(self, stored: Stored) -> Stored:
        """Remember an image, to be removed after the test."""
        self._refs.append(stored.ref)
        return stored

    def image(self, data: bytes) -> str:
        """Give an image to read: written by the driver, or planted for one that cannot write."""
        if Verb.WRITE in self.can.verbs:
            return self.put(data)
        if self.rig.plant is None:
            pytest.skip("the driver cannot write, and the rig has no `plant`")
        return self.rig.plant(self.name(), data)

    def missing(self) -> str:
        """Give a well-formed reference to nothing."""
        if self.rig.missing_ref is not None:
            return self.rig.missing_ref
        if not {Verb.WRITE, Verb.DELETE} <= set(self.can.verbs):
            pytest.skip("the driver cannot delete, and the rig has no `missing_ref`")
        ref = self.put(b"gone")
        self.driver.delete(ref)
        return ref

    def trust(self, receipt: Receipt) -> None:
        """Remember an image that a Store wrote, to be removed after the test."""
        self._refs.append(receipt.ref)

    def absent(self, ref: str) -> None:
        """Assert that nothing is there under a reference."""
        with pytest.raises(NotFound):
            self.driver.stat(ref)
        with pytest.raises(NotFound), self.driver.open(ref) as reader:
            reader.read()

    def pending(self) -> list[Pending]:
        """List the unfinished uploads."""
        return list(self.driver.pending())

    def left(self) -> list[object]:
        """List what is in the backend and is no image: by the driver's word and from outside."""
        found: list[object] = []
        if Verb.WRITE in self.can.verbs:
            found += self.pending()
        if self.rig.leftovers is not None:
            found += self.rig.leftovers()
        return found

    def clean(self) -> None:
        """Remove the images of the test."""
        if Verb.DELETE in self.can.verbs:
            for ref in self._refs:
                with contextlib.suppress(NotFound):
                    self.driver.delete(ref)
        self._refs.clear()

    def sweep(self) -> None:
        """Remove what a failed test left unfinished, so that only that test fails."""
        if Verb.WRITE in self.can.verbs:
            for each in self.driver.pending():
                with contextlib.suppress(InUse):
                    self.driver.discard(each.token)


Raises = Callable[[type[StoreError]], contextlib.AbstractContextManager[None]]


class Group:
    """The base of all groups; a driver's class supplies the fixture ``rig``."""

    @pytest.fixture
    def rig(self) -> Rig:
        """Say what is to be judged."""
        raise NotImplementedError("the test class of a driver supplies a fixture called `rig`")

    @pytest.fixture(autouse=True)
    def _admitted(self, request: pytest.FixtureRequest, rig: Rig) -> None:
        """Skip what the driver does not declare."""
        wanted = getattr(request.function, NEEDS, ())
        driver = rig.make()
        missing = lacking(driver.capabilities, wanted)
        driver.close()
        if missing:
            pytest.skip(f"not declared: {', '.join(missing)}")

    @pytest.fixture(autouse=True)
    def _no_leaks(self, rig: Rig, _admitted: None) -> Iterator[None]:
        """Compare descriptors and threads before and after each test."""
        files, threads = open_files(), running_threads()
        yield
        left = leaked(files, threads, min(2.0, rig.patience))
        assert not left, f"leaked: {'; '.join(left)}"

    @pytest.fixture(autouse=True)
    def _no_secrets(self, rig: Rig, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        """Look for secrets in everything that was logged."""
        if not rig.secrets:
            yield
            return
        with caplog.at_level(logging.DEBUG):
            yield
        logged = [
            each.getMessage() for when in ("setup", "call") for each in caplog.get_records(when)
        ]
        for secret in rig.secrets:
            assert not any(secret in message for message in logged), "a secret was logged"

    @pytest.fixture
    def make(self, rig: Rig, _no_leaks: None) -> Iterator[Callable[[], Driver]]:
        """Make drivers that are closed after the test."""
        with contextlib.ExitStack() as stack:

            def make() -> Driver:
                driver = rig.make()
                stack.callback(driver.close)
                return driver

            yield make

    @pytest.fixture
    def bare(self, make: Callable[[], Driver]) -> Driver:
        """Give the driver itself."""
        return make()

    @pytest.fixture(params=["bare", "layers"])
    def driver(self, request: pytest.FixtureRequest, bare: Driver) -> Driver:
        """Give the driver itself, and then under all layers: the same contract holds."""
        if request.param == "bare":
            return bare
        return Store(bare, name="judged", options=OPTIONS).driver

    @pytest.fixture
    def other(self, make: Callable[[], Driver]) -> Driver:
        """Give a second driver on the same backend."""
        return make()

    @pytest.fixture
    def work_of(self, rig: Rig, make: object) -> Iterator[Callable[[Driver], Work]]:
        """Make what a test works with; nothing unfinished may be left of it."""
        with contextlib.ExitStack() as stack:
            yield lambda driver: stack.enter_context(_cleaned(Work(rig, driver)))

    @pytest.fixture
    def work(self, driver: Driver, work_of: Callable[[Driver], Work]) -> Work:
        """Give what the test works with."""
        return work_of(driver)

    @pytest.fixture
    def raises(self, rig: Rig) -> Raises:
        """Expect an error of the tree, and look for secrets in it."""

        @contextlib.contextmanager
        def expect(kind: type[StoreError]) -> Iterator[None]:
            with pytest.raises(kind) as caught:
                yield
            assert_secret_free(caught.value, rig.secrets)

        return expect


@contextlib.contextmanager
def _cleaned(work: Work) -> Iterator[Work]:
    try:
        yield work
        work.clean()
        left = work.left()
        assert not left, f"left behind: {left}"
    except BaseException:
        work.clean()
        work.sweep()
        raise
