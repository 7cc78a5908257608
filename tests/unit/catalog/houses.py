"""A repository over memory stores whose troubles and clock a test decides."""

from __future__ import annotations

from pathlib import Path

from doubles import TroubledDriver
from multistore import Fleet, Store, StoreOptions
from multistore.catalog import Catalog, Repository
from multistore.catalog.operation import Operation

__all__ = ["House", "died"]


class House:
    """A repository with the stores ``a``, ``b`` and ``c``; each driver can be told to fail."""

    def __init__(self, root: Path) -> None:
        self.path = root / "catalog.db"
        self.now = 1_000_000.0
        self.drivers = {name: TroubledDriver(part_size=1000) for name in "abc"}
        self.catalog = self.open_catalog()
        self.repo = self.over(self.catalog)

    def open_catalog(self) -> Catalog:
        return Catalog(self.path, durable=False, busy_timeout=5, clock=lambda: self.now)

    def over(self, catalog: Catalog, stores: str = "abc") -> Repository:
        options = StoreOptions(attempts=1)
        members = [Store(self.drivers[name], name=name, options=options) for name in stores]
        return Repository(Fleet(members), catalog)

    def objects(self) -> dict[str, list[str]]:
        """Give the names of what is published, by store."""
        return {
            name: sorted(driver.objects) for name, driver in self.drivers.items() if driver.objects
        }

    def nothing_under_way(self) -> bool:
        pending = any(driver.uploads for driver in self.drivers.values())
        return not (pending or self.catalog.uploads() or self.catalog.unfinished())


def died(house: House, name: str, *steps: str, state: str = "uploading") -> Operation:
    """Leave an operation as its process would, had it died: ``a:began`` and the like say how far each store came."""
    operation = house.catalog.operation()
    operation.hold(name, state=state)
    for step in steps:
        store, _, last = step.partition(":")
        driver = house.drivers[store]
        key = operation.intend(store, name)
        if last == "intended":
            continue
        upload = driver.begin(name, None, {})
        operation.began(key, upload.token)
        upload.write_part(0, 0, name.encode())
        if last == "committed":
            operation.committing(key, len(name), {})
            operation.committed(key, upload.commit(len(name), {}))
    house.catalog.owners.end(operation.owner)
    return operation
