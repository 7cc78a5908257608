"""Processes that end with an image open, or just after the last answer came: they end as if nothing had been open."""

from __future__ import annotations

import subprocess
import sys

import pytest
from conformance.rbd_rig import clean_up, lab_back, lab_settings

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

#: What stands before each script: a store, and callbacks of the library that have not returned yet when the main thread
#: knows what they told it.  They ask for the interpreter again and again: whoever does while it ends aborts the process.
BEFORE = """
import sys, threading, time
from multistore.drivers.rbd import RbdDriver, RbdSettings
from multistore.drivers.rbd.sdk import load
from multistore.store import Store
from multistore.testing.tools import one_image

settings = RbdSettings(conf=sys.argv[1], user=sys.argv[2], object_size=1 << 20)
sdk = load(settings.bindings)

def dawdle():
    if threading.current_thread() is not threading.main_thread():
        for _ in range(200):
            time.sleep(0.001)

class Slow:
    def __init__(self, *args, **options):
        self.image = Image(*args, **options)

    def __getattr__(self, name):
        return getattr(self.image, name)

    def aio_close(self, oncomplete):
        self.image.aio_close(lambda completion: (oncomplete(completion), dawdle()))
        dawdle()

Image, sdk.rbd.Image = sdk.rbd.Image, Slow
driver = RbdDriver(settings)
data = bytes(range(256)) * (1 << 14)
ref = one_image(driver, "left", data).ref
"""

SCRIPTS = {
    "an image that was read": "with driver.open(ref) as reader: assert b''.join(reader.read()) == data",
    "an image that was looked at": "driver.open(ref).close()",
    "an image that is open": "reader = driver.open(ref)",
    "an image that is being read": "reading = driver.open(ref).read(); assert next(reading) == data[:1 << 20]",
    "an image that is being fetched": "content = iter(Store(driver, name='left').open(ref)); next(content)",
    "an upload": "upload = driver.begin('begun', None, {}); upload.write_part(0, 0, data)",
    "a list": "images = driver.list(); next(images)",
    "a driver that is closed": "driver.open(ref); driver.close()",
}
"""Each ends without a word to what it had open."""


@pytest.mark.parametrize("left", SCRIPTS)
def test_a_process_ends_well_whatever_it_leaves_open(left: str) -> None:
    settings = lab_settings()
    told = settings.conf or "", settings.user or ""
    script = BEFORE + SCRIPTS[left] + "\nprint('so far, so good')\n"
    try:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", script, *told],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "so far, so good\n", "")
            clean_up(lab_back())
    finally:
        clean_up(lab_back())
