"""Which store of the core serves a file: that of the data directories, of a further directory, or of none of them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import multistore
from multistore.drivers.file import FileDriver, FileSettings
from multistore.errors import StoreError

from glance_store._drivers._directories import Directory
from glance_store._drivers._timeouts import TimeoutExecutor

__all__ = ["Place", "Places"]

LOG = logging.getLogger(__name__)


class Place:
    """A store of the core, and the driver below its layers."""

    __slots__ = ("core", "driver", "prefixes")

    def __init__(self, core: multistore.Store, driver: FileDriver) -> None:
        self.core = core
        self.driver = driver
        self.prefixes = driver.prefixes()


class Places:
    """The core stores of one filesystem store, all with the same settings and the same time limit."""

    def __init__(
        self, name: str, settings: Mapping[str, Any], executor: TimeoutExecutor | None
    ) -> None:
        self._name = name
        self._settings = settings
        self._executor = executor or TimeoutExecutor()
        self.main: Place | None = None
        self.further: tuple[Place, ...] = ()

    def open(self, directories: Sequence[Directory], *, file_mode: str | None = None) -> Place:
        """Make the store of some data directories, without touching them; StoreError for what is wrong with them."""
        if len(directories) == 1:
            return self._make(path=directories[0].path, file_mode=file_mode)
        paths = tuple(f"{each.path}:{each.priority}" for each in directories)
        return self._make(paths=paths, file_mode=file_mode)

    def allow(self, paths: Iterable[str]) -> None:
        """Serve files of further directories; one that cannot be a directory is left out."""
        found = []
        for path in paths:
            try:
                found += [self._make(path=path.strip())] if path.strip() else []
            except StoreError as error:
                LOG.warning("a directory that may be read is left out: %s", error)
        self.further += tuple(found)

    def elsewhere(self, folder: str) -> multistore.Store:
        """Make the store of a directory that is none of ours."""
        return self._make(path=folder).core

    def _make(self, **where: Any) -> Place:
        driver = FileDriver(FileSettings(**where, **self._settings))
        # No second attempts: what they could cure here, the caller's own can.
        options = multistore.StoreOptions(attempts=1, min_rate=0)
        layered = self._executor.layer(driver)
        return Place(multistore.Store(layered, name=self._name, options=options), driver)

    @property
    def all(self) -> tuple[Place, ...]:
        """Every place of this store."""
        return self.further if self.main is None else (self.main, *self.further)

    def owns(self, ref: str) -> bool:
        """Say whether a reference leads into one of the places; no I/O."""
        return any(place.core.owns(ref) for place in self.all)

    def find(self, ref: str) -> tuple[multistore.Store, str] | None:
        """Give the store that has the directory of a file, and the file's reference there; None if none has it.

        Links on the way to the directory are resolved: it may be known under another name.
        """
        for place in self.all:
            if place.core.owns(ref):
                return place.core, ref
        folder, name = os.path.split(ref.partition("://")[2])
        real = os.path.join(self.resolved(folder), name)
        for place in self.all:
            for prefix in place.prefixes:
                root = os.path.join(self.resolved(prefix.removeprefix("file://")), "")
                if real.startswith(root):
                    return place.core, prefix + real.removeprefix(root)
        return None

    def resolved(self, path: str) -> str:
        """Say where a path really leads."""
        return str(self._executor.execute(os.path.realpath, path))

    def prepare(self, place: Place) -> tuple[str, ...]:
        """Make the directories of a place, and try them."""
        return self._executor.execute(place.driver.prepare)

    def taken(self, place: Place, name: str) -> bool:
        """Say whether something in a place has that name already."""
        return self._executor.execute(place.driver.taken, name)
