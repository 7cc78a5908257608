"""The s3 store of the interface keeps what every store of it keeps, on the RADOS gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conformance.s3_rig import Backstage, bucket_of, rgw_settings
from facade.conformance import StoreConformance
from facade.houses import fresh_conf
from facade.rigs import Rig
from facade.s3_house import s3_house

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def back() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as found:
        yield found


@pytest.fixture
def conf(back: Backstage) -> Iterator[Any]:
    yield fresh_conf()
    back.empty()


class TestSingleStore(StoreConformance):
    @pytest.fixture
    def rig(self, conf: Any, back: Backstage) -> Iterator[Rig]:
        yield from s3_house(conf, back)


class TestMultiStore(StoreConformance):
    """Every image in parts."""

    @pytest.fixture
    def rig(self, conf: Any, back: Backstage) -> Iterator[Rig]:
        yield from s3_house(conf, back, "cloud", s3_store_large_object_size=0)
