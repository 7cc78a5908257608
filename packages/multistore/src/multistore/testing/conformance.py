"""DriverConformance: all groups in one class."""

from __future__ import annotations

from multistore.testing.copying import Copying
from multistore.testing.describing import Describing
from multistore.testing.faulting import Faulting
from multistore.testing.fleets import Membership
from multistore.testing.listing import Deleting, Listing
from multistore.testing.pending import Unfinished
from multistore.testing.publishing import Publishing
from multistore.testing.racing import Racing
from multistore.testing.reading import Reading
from multistore.testing.refs import References
from multistore.testing.refusing import Refusing
from multistore.testing.storing import Storing
from multistore.testing.writing import Writing

__all__ = ["DriverConformance"]


class DriverConformance(
    Describing,
    References,
    Refusing,
    Reading,
    Writing,
    Publishing,
    Unfinished,
    Deleting,
    Listing,
    Copying,
    Racing,
    Storing,
    Membership,
    Faulting,
):
    """The whole contract of ``multistore.driver``, to be subclassed once per driver.

    The subclass supplies one fixture, ``rig``, which gives a ``Rig``::

        class TestTape(DriverConformance):
            @pytest.fixture
            def rig(self, tmp_path):
                return Rig(make=lambda: TapeDriver(TapeSettings(path=str(tmp_path))))

    The tests of undeclared capabilities are skipped, and the reason is shown; that they are refused is tested instead.
    """
