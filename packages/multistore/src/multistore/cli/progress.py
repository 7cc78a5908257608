"""Bars on a terminal: how much, how fast, how long still."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from multistore.cli.session import Session

if TYPE_CHECKING:
    from multistore.observe import Snapshot

__all__ = ["showing"]


@contextmanager
def showing(session: Session, total: int | None = None) -> Iterator[None]:
    """Show the transfers within the block, if that is wanted; ``total`` is their size where they do not tell it."""
    wanted = session.progress
    if wanted is None:
        wanted = sys.stderr.isatty() and not session.json
    if not wanted or session.quiet:
        yield
        return
    try:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskID,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
    except ModuleNotFoundError:
        if session.progress:
            raise click.UsageError("bars need rich: pip install 'multistore[cli]'") from None
        yield
        return
    from multistore.cli.output import shown
    from multistore.observe import Progress as Events

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        # Results go where they were sent; only where both share a terminal they are fitted in above the bars.
        redirect_stdout=sys.stdout.isatty(),
    )
    tasks: dict[tuple[str, int], TaskID] = {}

    def show(snapshot: Snapshot) -> None:
        size = total if snapshot.total is None else snapshot.total
        key = (snapshot.store, snapshot.operation)
        if key not in tasks:
            image = (snapshot.image or "").rpartition("/")[2]  # of a reference the end
            label = f"{snapshot.verb} {shown(image)} ({snapshot.store})"
            tasks[key] = bars.add_task(label, total=size)
        bars.update(tasks[key], completed=snapshot.done, total=size)
        if snapshot.ended:
            bars.stop_task(tasks[key])

    session.events.append(Events(show))
    with bars:
        yield
