"""The conformance suite: a driver's whole test file is a subclass and one fixture.

It needs pytest (the extra ``testing``); hypothesis is used where it is installed.
The backend that is judged belongs to the suite alone while it runs.
"""

from __future__ import annotations

import pkgutil

import pytest

# The suite's assertions are to be explained like those of a test file.
pytest.register_assert_rewrite(
    *(each.name for each in pkgutil.iter_modules(__path__, f"{__name__}."))
)

from multistore.layers.faults import Fault, FaultLayer, FaultPlan  # noqa: E402  # after the line above
from multistore.testing.conformance import DriverConformance  # noqa: E402  # after the line above
from multistore.testing.rig import Rig  # noqa: E402  # after the line above

__all__ = ["DriverConformance", "Fault", "FaultLayer", "FaultPlan", "Rig"]
