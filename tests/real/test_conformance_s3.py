"""The s3 driver keeps the whole contract on the RADOS gateway, by HTTPS too, and on Swift."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.s3_rig import Backstage, bucket_of, rgw_settings, s3_rig, swift_settings
from multistore.testing import DriverConformance, Rig
from multistore.testing.copying import Copying
from multistore.testing.writing import Writing

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def plain() -> Iterator[Backstage]:
    with bucket_of(rgw_settings) as back:
        yield back


@pytest.fixture(scope="module")
def secure() -> Iterator[Backstage]:
    with bucket_of(lambda name: rgw_settings(name, tls=True)) as back:
        yield back


@pytest.fixture(scope="module")
def unsigned() -> Iterator[Backstage]:
    with bucket_of(lambda name: rgw_settings(name, tls=True, checksum="md5")) as back:
        yield back


@pytest.fixture(scope="module")
def swift() -> Iterator[Backstage]:
    with bucket_of(swift_settings) as back:
        yield back


class TestGateway(DriverConformance):
    @pytest.fixture
    def rig(self, plain: Backstage) -> Rig:
        return s3_rig(plain.settings, patience=60.0)


class TestGatewayTls(DriverConformance):
    """By HTTPS, with a certificate of a private authority."""

    @pytest.fixture
    def rig(self, secure: Backstage) -> Rig:
        return s3_rig(secure.settings, patience=60.0, faults=4)


class TestGatewayTlsUnsigned(Writing, Copying):
    """By HTTPS, with the body outside of the signature and a digest in its stead."""

    @pytest.fixture
    def rig(self, unsigned: Backstage) -> Rig:
        return s3_rig(unsigned.settings, patience=60.0)


class TestSwift(DriverConformance):
    """OpenStack Swift with its s3api."""

    @pytest.fixture
    def rig(self, swift: Backstage) -> Rig:
        # Its password is a word that stands in every traceback of a test.
        return s3_rig(swift.settings, patience=60.0, faults=4, secrets=())
