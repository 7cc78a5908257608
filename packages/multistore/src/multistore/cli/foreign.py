"""The stores of another program: opened from its configuration, their images found by listing them.

What is where is in that program's own database, so nothing is changed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from multistore.catalog import Catalog
    from multistore.cli.configfile import Configuration
    from multistore.cli.session import Session
    from multistore.model import Info, Receipt
    from multistore.registry import Foreign
    from multistore.store import Store

__all__ = ["COMMANDS", "check_command", "configuration", "record", "stores"]

#: The commands that change nothing.
COMMANDS = ("get", "ls", "stat", "stores", "verify")


def check_command(name: str | None) -> None:
    """Refuse a command that would change what another program keeps."""
    if name is not None and name not in COMMANDS:
        raise click.UsageError(
            f"--glance-conf goes with {', '.join(COMMANDS)}: what is where is in Glance's own database, and only the"
            " service may change it"
        )


def configuration(session: Session) -> Configuration:
    """Give the part of the configuration that such a file has."""
    from pathlib import Path

    from multistore.cli.configfile import Configuration

    read = _read(session)
    default = (read.default,) if read.default in read.drivers else ()
    return Configuration(
        "none, the images are those that the stores list",
        {name: {} for name in read.drivers},
        read.weights,
        tuple(name for name in default if name is not None),
        path=Path(session.glance or ""),
    )


def stores(session: Session) -> dict[str, Store]:
    """Open the stores; those that cannot be opened are told, and left out."""
    from multistore.store import Store

    read = _read(session)
    for name, why in read.failures.items():
        session.output.problem([(f"the store {name} is left out: {why}", None)], 2)
    made = {}
    for name, driver in read.drivers.items():
        made[name] = Store(driver, name=name, events=[session.tell])
        session.closing.callback(made[name].close)
    return made


def _read(session: Session) -> Foreign:
    if session.foreign is None:
        from multistore.registry import read_foreign

        session.foreign = read_foreign("glance", session.glance or "")
    return session.foreign


def record(session: Session, catalog: Catalog) -> None:
    """Write what the stores list into an empty catalog; a store that cannot be listed is told, and left out."""
    from multistore.cli.exits import describe, exit_code
    from multistore.errors import StoreError
    from multistore.model import Receipt, Verb

    found: dict[str, list[Receipt]] = {}
    for name, store in session.stores.items():
        if Verb.LIST not in store.capabilities.verbs:
            continue
        try:
            for info in store.list():
                if info.name:
                    copy = Receipt(name, info.ref, _size(store, info), {})
                    found.setdefault(info.name, []).append(copy)
        except StoreError as error:
            session.output.problem(describe(error), exit_code(error))
    for name, copies in found.items():
        with catalog.operation() as operation:
            operation.hold(name, state="uploading")
            operation.publish(copies[0].size, {}, copies)


def _size(store: Store, info: Info) -> int:
    size = store.stat(info.ref).size if info.size is None else info.size
    return size or 0
