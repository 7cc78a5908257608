"""The memory driver keeps the whole contract."""

from dataclasses import replace

import pytest
from conformance.memory_rig import memory_rig
from conformance.variants import CopyingMemory, ReadOnlyMemory
from multistore.testing import DriverConformance, Rig


class TestMemory(DriverConformance):
    """A dictionary, seen by several drivers of one process."""

    @pytest.fixture
    def rig(self) -> Rig:
        return memory_rig()


class TestCopyingMemory(DriverConformance):
    """With the verbs that memory does not have."""

    @pytest.fixture
    def rig(self) -> Rig:
        return replace(memory_rig(CopyingMemory), url=None, copies=True)


class TestReadOnlyMemory(DriverConformance):
    """With none of the verbs that memory has: the reading part alone, and refusals."""

    @pytest.fixture
    def rig(self) -> Rig:
        return replace(memory_rig(ReadOnlyMemory), url=None, missing_ref="memory://missing")
