"""What a command works with: the options that all share, and the stores, opened when they are first needed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from multistore.cli import foreign
from multistore.cli.output import Output

if TYPE_CHECKING:
    from multistore.catalog import ImageRecord, Repository
    from multistore.cli.configfile import Configuration
    from multistore.model import Event, EventHandler
    from multistore.registry import Foreign
    from multistore.store import Store

__all__ = ["Session"]


@dataclass
class Session:
    """One run of the command line."""

    config: str | None = None
    #: The configuration file of a Glance service, whose stores are used instead.
    glance: str | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False
    progress: bool | None = None
    events: list[EventHandler] = field(default_factory=list)
    foreign: Foreign | None = None
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def output(self) -> Output:
        """Where results go."""
        return Output(json=self.json, quiet=self.quiet)

    @cached_property
    def configuration(self) -> Configuration:
        """The stores' settings."""
        from multistore.cli.configfile import load

        return load(self.config) if self.glance is None else foreign.configuration(self)

    @cached_property
    def stores(self) -> dict[str, Store]:
        """Every configured store."""
        from multistore.errors import Misconfigured
        from multistore.store import open_store

        if self.glance is not None:
            return foreign.stores(self)
        made: dict[str, Store] = {}
        for name, settings in self.configuration.stores.items():
            try:
                store = open_store(
                    settings, name=name, options=self.configuration.options, events=[self.tell]
                )
            except Misconfigured as error:
                where = f"{self.configuration.path or 'the defaults'}, [stores.{name}]"
                raise Misconfigured(f"{where}: {error.message}", setting=error.setting) from error
            self.closing.callback(store.close)
            made[name] = store
        return made

    def check_stores(self, names: Iterable[str], record: ImageRecord | None = None) -> None:
        """Refuse the name of a store that is neither configured nor, if ``record`` is given, on record with a copy."""
        from multistore.errors import Misconfigured

        for name in names:
            if name not in self.stores and (record is None or name not in record.copies):
                known = ", ".join(self.stores)
                raise Misconfigured(f"no store is called {name!r}; known: {known}", setting="store")

    def check_writable(self, names: Iterable[str], name: str) -> None:
        """Refuse what a put of the image ``name`` into these stores would refuse."""
        from multistore.errors import Unsupported
        from multistore.model import Verb

        self.check_stores(names)
        for each in names:
            if Verb.WRITE not in self.stores[each].capabilities.verbs:
                error = Unsupported(f"a {self.stores[each].driver.schemes[0]} store cannot write")
                error.stamp(store=each, verb="put", ref=name)
                raise error

    @cached_property
    def default(self) -> tuple[str, ...]:
        """The stores that a put goes into: those of the configuration, or all that can be written."""
        from multistore.model import Verb

        return self.configuration.default or tuple(
            name for name, store in self.stores.items() if Verb.WRITE in store.capabilities.verbs
        )

    @cached_property
    def repository(self) -> Repository:
        """The stores and the catalog, as one; the catalog is made if it is not there."""
        catalog = self.configuration.catalog
        try:
            os.makedirs(os.path.dirname(catalog), exist_ok=True)
        except OSError as error:
            from multistore.errors import AccessDenied

            raise AccessDenied(
                f"the directory of the catalog {catalog} cannot be made: {error.strerror}"
            ) from error
        return self._repository(catalog)

    @cached_property
    def existing(self) -> Repository:
        """The same for commands that add no image: where there is no catalog none is made, an empty one stands in."""
        if self.glance is None and os.path.exists(self.configuration.catalog):
            return self.repository
        import tempfile

        scratch = self.closing.enter_context(tempfile.TemporaryDirectory(prefix="multistore-"))
        repository = self._repository(os.path.join(scratch, "catalog.db"))
        if self.glance is not None:
            foreign.record(self, repository.catalog)
        return repository

    def _repository(self, path: str) -> Repository:
        from multistore.catalog import Catalog, Repository
        from multistore.fleet import Fleet

        fleet = Fleet(self.stores, weights=self.configuration.weights)
        catalog = Catalog(path, durable=self.glance is None)
        self.closing.callback(catalog.close)
        return Repository(fleet, catalog)

    def tell(self, event: Event) -> None:
        """Hand an event to whoever listens."""
        for handler in self.events:  # some come when the stores are open already
            handler(event)

    def close(self) -> None:
        """Release everything, whatever goes wrong with a part of it."""
        self.closing.close()
