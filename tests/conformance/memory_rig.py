"""A rig over the memory driver, or over a broken variant of it."""

from multistore.drivers.memory import MemoryDriver, MemoryRef
from multistore.testing import Rig

SECRET = "s3cr3t-canary"


def memory_rig(driver_class: type[MemoryDriver] = MemoryDriver, *, patience: float = 15.0) -> Rig:
    """Several drivers of one process that see one dictionary."""
    settings = driver_class.settings_type(part_size=64 * 1024, capacity=1 << 30)
    first = MemoryDriver(settings)

    def make() -> MemoryDriver:
        driver = driver_class(settings)
        vars(driver).update(vars(first))
        return driver

    def plant(name: str, data: bytes) -> str:
        first.objects[name] = (data, "planted", 1.0)
        return str(MemoryRef(name))

    def rewrite(ref: str, data: bytes) -> None:
        first.objects[MemoryDriver.parse(ref).name] = (data, "rewritten", 1.0)

    def corrupt(ref: str) -> None:
        name = MemoryDriver.parse(ref).name
        data, token, modified = first.objects[name]
        middle = len(data) // 2
        damaged = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        first.objects[name] = (damaged, token, modified)

    return Rig(
        make=make,
        shared=False,
        url="memory:",
        plant=plant,
        rewrite=rewrite,
        corrupt=corrupt,
        leftovers=first.uploads.values,
        foreign_refs=("memories://x", "file:///x"),
        secrets=(SECRET,),
        too_large=1 << 31,
        patience=patience,
    )
