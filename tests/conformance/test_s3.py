"""The s3 driver keeps the whole contract over moto; real servers are in tests/real."""

from __future__ import annotations

import uuid

import pytest
from conformance.s3_rig import Backstage, s3_rig, s3_settings
from multistore.testing import DriverConformance, Rig


@pytest.fixture(scope="module")
def bucket(moto: str) -> str:
    name = f"conformance-{uuid.uuid4().hex[:8]}"
    Backstage(s3_settings(moto, name)).make()
    return name


class TestS3(DriverConformance):
    @pytest.fixture
    def rig(self, moto: str, bucket: str) -> Rig:
        return s3_rig(s3_settings(moto, bucket))
