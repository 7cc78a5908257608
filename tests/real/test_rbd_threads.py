"""Many threads on one connection: librbd's own threads must survive it, or the whole process dies."""

from __future__ import annotations

import contextlib

import pytest
from conformance.rbd_rig import clean_up, lab_back, lab_settings
from multistore.drivers.rbd import RbdDriver
from multistore.testing.tools import in_threads, one_image
from multistore.testing.watch import in_child

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

THREADS, TIMES = 6, 300


def test_images_that_are_closed_as_soon_as_they_are_open_kill_no_process() -> None:
    """Librbd 16 takes an image's lock once more after its open has returned; closing freed the lock meanwhile."""

    def look() -> int:
        with contextlib.closing(RbdDriver(lab_settings())) as driver:
            ref = one_image(driver, "threads", b"looked at").ref

            def open_and_close() -> int:
                for _ in range(TIMES):
                    driver.open(ref).close()
                return TIMES

            looks = in_threads([open_and_close] * THREADS, 120)
            driver.delete(ref)
        return sum(each for each in looks if isinstance(each, int))

    try:
        assert in_child(look, 150) == THREADS * TIMES
    finally:
        clean_up(lab_back())
