"""``multistore get``."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from multistore.cli.options import Size, dry_run, one_name, session_of, shared, stores
from multistore.cli.output import STDOUT, size_text
from multistore.cli.progress import showing
from multistore.cli.session import Session
from multistore.errors import StoreError

if TYPE_CHECKING:
    from multistore.catalog import ImageRecord
    from multistore.model import Fetched


@click.command("get")
@one_name
@click.argument("target", required=False)
@stores("Read from this store only; may be repeated.")
@click.option("--offset", type=Size(), default=0, metavar="SIZE", help="Begin here.")
@click.option(
    "--length",
    type=Size(),
    metavar="SIZE",
    help="Give so many bytes, or up to the end if it is nearer.",
)
@dry_run
@shared
@click.pass_context
def command(
    ctx: click.Context,
    name: str,
    target: str | None,
    stores: tuple[str, ...],
    offset: int,
    length: int | None,
    dry_run: bool,
) -> int:
    """Write the image NAME to the file TARGET, or to standard output if that is -.

    A file appears only when it is complete and its digest is right; one that is there is replaced in that moment.
    TARGET is NAME if it is not given.
    A range cannot be compared with the digest of the whole.
    """
    session = session_of(ctx)
    target = _target_of(name, target)
    record = session.existing.stat(name)
    session.check_stores(stores, record)
    if offset > record.size:
        raise click.UsageError(
            f"--offset {offset} is behind the end: {name!r} has {record.size} bytes"
        )
    wanted = record.size - offset if length is None else min(length, record.size - offset)
    if dry_run:
        return _pretend(session, record, target, stores, wanted)
    with showing(session, wanted), _telling(target):
        fetched = session.existing.get(
            name,
            sys.stdout.buffer if target == "-" else target,
            stores=stores or None,
            offset=offset,
            length=None if wanted == record.size else length,  # the whole can be proved
        )
        if target == "-":
            sys.stdout.buffer.flush()
    if target != "-":
        _report(session, name, target, fetched, part=wanted < record.size)
    return 0


def _target_of(name: str, target: str | None) -> str:
    if target is None:
        if "/" in name:
            raise click.UsageError(f"{name!r} is no name of a file: give a TARGET")
        return name
    if not target:
        raise click.UsageError("TARGET is empty: leave it out for a file called NAME")
    return os.path.join(target, os.path.basename(name)) if os.path.isdir(target) else target


@contextlib.contextmanager
def _telling(target: str) -> Iterator[None]:
    """Tell errors of this machine with the name of the target, not of the unfinished file beside it."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, StoreError):
            error.filename = STDOUT if target == "-" else target
        raise


def _pretend(
    session: Session, record: ImageRecord, target: str, stores: tuple[str, ...], size: int
) -> int:
    """Look at what could be wrong, short of reading and writing."""
    from multistore.catalog.choice import usable

    sources = list(usable(record, stores or None, session.stores))
    if target != "-":
        folder = os.path.dirname(target) or "."
        if not os.path.isdir(folder):
            code = errno.ENOTDIR if os.path.exists(folder) else errno.ENOENT
            raise OSError(code, os.strerror(code), target)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), target)
    session.output.record(
        "would get",
        {"name": record.name, "target": target, "size": size, "stores": sources},
        f"would get {record.name}: {size_text(size)} from {' or '.join(sources)} into {target}",
    )
    return 0


def _report(session: Session, name: str, target: str, fetched: Fetched, *, part: bool) -> None:
    proof = f"proved by {' and '.join(fetched.digests)}"
    if not fetched.digests:
        proof = f"not proved: {'a range has' if part else 'there is'} no digest on record"
    session.output.record(
        "get",
        {
            "name": name,
            "target": target,
            "size": fetched.size,
            "verified": dict(fetched.digests),
            "stores": list(fetched.stores),
        },
        f"got {name}: {size_text(fetched.size)} from {', '.join(fetched.stores)}, {proof}",
    )
