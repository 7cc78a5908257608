"""The suite leaves none of its tests idle."""

import inspect
from collections.abc import Callable

import pytest
from conformance.variants import CopyingMemory
from multistore.testing import DriverConformance
from multistore.testing.tools import NEEDS, lacking

TESTS = {
    name: test
    for name, test in inspect.getmembers(DriverConformance, inspect.isfunction)
    if name.startswith("test_")
}


@pytest.mark.parametrize("name", TESTS)
def test_each_test_is_admitted_for_the_driver_that_can_do_everything(name: str) -> None:
    """A capability that is misspelt, or that nobody has, would skip its tests for ever."""
    assert not lacking(CopyingMemory.capabilities, getattr(TESTS[name], NEEDS, ()))


@pytest.mark.parametrize("name", TESTS)
def test_each_test_says_what_it_shows(name: str) -> None:
    """Its docstring is what the author of a driver reads when it fails."""
    test: Callable[..., object] = TESTS[name]
    assert test.__doc__
    assert test.__doc__.endswith(".")


def test_no_two_groups_have_a_test_of_one_name() -> None:
    """One of them would never run."""
    groups = [group for group in DriverConformance.__mro__ if group is not DriverConformance]
    names = [name for group in groups for name in vars(group) if name.startswith("test_")]
    assert len(names) == len(set(names))
