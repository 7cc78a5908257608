"""Copies inside Cinder, and labels that Cinder cannot keep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes.cinder_cloud import Cloud
from multistore import Store
from multistore.drivers.cinder import CinderDriver
from multistore.errors import Unsupported
from multistore.testing.tools import one_image, read

Make = Callable[..., CinderDriver]


def test_an_image_goes_from_one_type_to_another_by_its_bytes(cloud: Cloud, make: Make) -> None:
    """Cinder clones within a type; where it would refuse, it is not asked."""
    source, target = make(volume_type="fast"), make(store="slow", volume_type="slow")
    ref = one_image(source, "image", b"12345").ref
    with pytest.raises(Unsupported):
        target.begin_copy(source, ref, "copy", {})
    stores = [Store(driver, name=driver.settings.store or "") for driver in (source, target)]
    copied = stores[0].copy(ref, stores[1], "copy").ref
    assert read(target, copied) == b"12345"
    assert target.type_of(copied) == "slow"
    target.delete(copied)
    source.delete(ref)


@pytest.mark.parametrize("value", ["\U0001f980", "x" * 256])
def test_a_label_that_cinder_cannot_keep_does_not_cost_the_image(
    cloud: Cloud, driver: CinderDriver, value: str
) -> None:
    upload = driver.begin("image", 5, {"kept": "é", "lost": value})
    upload.write_part(0, 0, b"12345")
    ref = upload.commit(5, {}).ref
    (volume,) = cloud.all("volumes").values()
    assert [name for name in volume["metadata"] if name.endswith(("kept", "lost"))] == [
        "label.kept"
    ]
    driver.delete(ref)
