"""The rbd driver keeps the whole contract on a real cluster, and what concerns data with the data in another pool."""

from __future__ import annotations

import pytest
from conformance.rbd_rig import lab_settings, rbd_rig
from multistore.testing import DriverConformance, Rig
from multistore.testing.copying import Copying
from multistore.testing.reading import Reading
from multistore.testing.writing import Writing

#: A request takes some milliseconds, and the monitor some more for each snapshot; a dead child's watch lasts longer.
pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


class TestRbd(DriverConformance):
    @pytest.fixture
    def rig(self) -> Rig:
        return rbd_rig(lab_settings(), patience=60.0)


class TestRbdDataPool(Reading, Writing, Copying):
    """The data in another pool, large objects, zeros written out, and no more features than a clone needs."""

    @pytest.fixture
    def rig(self) -> Rig:
        settings = lab_settings(
            data_pool="images-data", object_size=8 << 20, features=("layering",), thin=False
        )
        return rbd_rig(settings, patience=60.0)
