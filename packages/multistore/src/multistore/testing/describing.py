"""What a driver says of itself, before any I/O."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import islice

import pytest

from multistore.driver import Driver
from multistore.errors import Misconfigured, NoSpace, StoreError
from multistore.model import Access, Caller, Capabilities, Verb
from multistore.registry import open_driver
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, needs, read
from multistore.testing.watch import no_io, running_threads

__all__ = ["Describing"]

#: The methods that stand behind each verb.
_METHODS = {
    Verb.WRITE: ("begin", "pending", "discard", "published"),
    Verb.DELETE: ("delete",),
    Verb.LIST: ("list",),
    Verb.USAGE: ("usage",),
    Verb.COPY: ("begin_copy",),
    Verb.ACCESS: ("set_access",),
}

_IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"


class Describing(Group):
    """Construction, capabilities, settings, closing."""

    def test_making_a_driver_does_no_io_and_starts_no_thread(self, rig: Rig) -> None:
        """The constructor only keeps its settings."""
        with no_io():
            driver = rig.make()
        driver.close()

    def test_a_driver_for_a_backend_that_is_not_there_can_be_made_and_closed(
        self, rig: Rig
    ) -> None:
        """Trouble with the backend shows at the first call, not before."""
        if rig.unreachable is None:
            pytest.skip("the rig has no `unreachable`")
        threads = running_threads()
        with no_io():
            driver = rig.unreachable()
        driver.close()
        driver.close()
        assert running_threads() <= threads

    def test_importing_the_driver_loads_no_sdk(self, bare: Driver, rig: Rig) -> None:
        """The vendor's modules are imported when they are first used."""
        module = type(bare).__module__
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if module.startswith("test_"):
            pytest.skip("the driver stands in a test file")
        ran = subprocess.run(  # noqa: S603  # the interpreter that runs the tests
            [sys.executable, "-c", _IMPORT, module],
            env=env,
            capture_output=True,
            text=True,
            timeout=rig.patience,
            check=True,
        )
        loaded = set(ran.stdout.split())
        assert not loaded & set(rig.sdk), f"importing {module} loads {loaded & set(rig.sdk)}"

    def test_capabilities_are_facts_known_without_io(self, bare: Driver) -> None:
        """They are a frozen record, and the same each time."""
        with no_io():
            found = bare.capabilities
        assert isinstance(found, Capabilities)
        assert found == bare.capabilities
        assert found.parallel_reads >= 1
        assert found.parallel_parts >= 1
        assert found.hang_timeout is None or found.hang_timeout > 0

    def test_each_declared_verb_has_its_methods(self, bare: Driver) -> None:
        """A verb that is declared is written, not inherited from the base that refuses it."""
        missing = [
            method
            for verb in bare.capabilities.verbs
            for method in _METHODS[verb]
            if getattr(type(bare), method) is getattr(Driver, method)
        ]
        assert not missing, f"declared, but not there: {missing}"

    def test_schemes_are_lower_case_words(self, bare: Driver) -> None:
        """At least one, each usable in a URL."""
        assert bare.schemes
        for scheme in bare.schemes:
            assert scheme == scheme.lower()
            assert scheme[0].isalpha()
            assert scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()

    def test_settings_are_a_frozen_documented_dataclass(self, bare: Driver) -> None:
        """Each setting is made by ``option`` with its help."""
        settings = bare.settings_type
        assert dataclasses.is_dataclass(settings)
        assert settings.__dataclass_params__.frozen, f"{settings.__name__} is not frozen"  # type: ignore[attr-defined]  # every dataclass has it
        undocumented = [
            field.name
            for field in dataclasses.fields(settings)
            if field.init and not field.metadata.get("help")
        ]
        assert not undocumented, f"settings without help: {undocumented}"

    def test_a_url_becomes_settings_or_is_refused(self, bare: Driver) -> None:
        """A store URL is read without I/O; one that cannot be is Misconfigured."""
        for scheme in bare.schemes:
            for url in (f"{scheme}:", f"{scheme}://", f"{scheme}://somewhere/else"):
                with no_io():
                    try:
                        values = type(bare).settings_from_url(url)
                    except Misconfigured as error:
                        setting = error.setting
                        assert setting
                    else:
                        assert isinstance(values, Mapping)

    def test_the_registry_opens_it_by_url(self, rig: Rig, bare: Driver) -> None:
        """Its entry point is installed, and the URL makes the same kind of driver."""
        if rig.url is None:
            pytest.skip("the rig has no `url`")
        opened = open_driver(rig.url)
        opened.close()
        assert type(opened).__name__ == type(bare).__name__

    def test_no_secret_shows_in_the_driver(self, rig: Rig, bare: Driver) -> None:
        """Neither in the driver nor in its settings."""
        shown = [repr(bare), str(bare), *(repr(value) for value in vars(bare).values())]
        for secret in rig.secrets:
            assert not any(secret in text for text in shown)

    def test_check_passes_on_a_healthy_store(self, driver: Driver) -> None:
        """A store that works is found usable."""
        driver.check()

    def test_check_fails_where_there_is_no_backend(self, rig: Rig, raises: Raises) -> None:
        """A store that cannot be used is found out, by an error of the tree."""
        if rig.unreachable is None:
            pytest.skip("the rig has no `unreachable`")
        driver = rig.unreachable()
        with raises(StoreError):
            driver.check()
        driver.close()

    def test_close_is_idempotent_and_the_driver_usable_again(
        self, driver: Driver, work: Work
    ) -> None:
        """Closing releases; the next call opens anew."""
        ref = work.image(b"still there")
        driver.close()
        driver.close()
        assert read(driver, ref) == b"still there"

    def test_parts_are_positive_sizes_and_pure(self, driver: Driver) -> None:
        """The same sizes each time, none of them empty, whatever is declared."""
        for size in (None, 0, 1, 10 << 20, 1 << 40):
            with no_io():
                first = list(islice(driver.parts(size), 50))
            assert first == list(islice(driver.parts(size), 50))
            assert all(part > 0 for part in first)
            if Verb.WRITE in driver.capabilities.verbs:
                assert first, "no part at all"

    def test_another_caller_sees_the_same_store(self, rig: Rig, driver: Driver, work: Work) -> None:
        """``for_context`` gives a driver of the same store."""
        ref = work.image(content(10))
        caller = rig.caller or Caller()
        assert read(driver.for_context(caller), ref) == content(10)

    @needs(Verb.ACCESS)
    def test_access_can_be_set_and_leaves_the_image_alone(self, driver: Driver, work: Work) -> None:
        """Making an image public, and private again, changes no byte."""
        ref = work.image(content(10))
        driver.set_access(ref, Access(public=True))
        driver.set_access(ref, Access())
        assert read(driver, ref) == content(10)

    @needs(Verb.USAGE)
    def test_usage_is_sane(self, driver: Driver, work: Work) -> None:
        """What is known is not negative, and nothing is larger than the whole."""
        work.image(content(100))
        usage = driver.usage()
        known = [each for each in (usage.total, usage.used, usage.free) if each is not None]
        assert all(each >= 0 for each in known)
        if usage.total is not None:
            assert all(each <= usage.total for each in known)

    @needs(Verb.USAGE, Verb.WRITE)
    def test_an_image_too_large_is_refused_at_once(
        self, rig: Rig, work: Work, raises: Raises
    ) -> None:
        """A size that cannot fit is NoSpace before a byte goes out."""
        if rig.too_large is None:
            pytest.skip("the rig has no `too_large`")
        with raises(NoSpace):
            work.begin(size=rig.too_large)
        assert not work.left()
