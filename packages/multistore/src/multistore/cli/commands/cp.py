"""``multistore cp``."""

from __future__ import annotations

import click

from multistore.cli.options import complete_store, dry_run, one_name, session_of, shared
from multistore.cli.output import size_text
from multistore.cli.progress import showing
from multistore.cli.session import Session


@click.command("cp")
@one_name
@click.option(
    "-t",
    "--to",
    "to",
    metavar="STORE",
    multiple=True,
    required=True,
    shell_complete=complete_store,
    help="Make a copy in this store; may be repeated.",
)
@dry_run
@shared
@click.pass_context
def command(ctx: click.Context, name: str, to: tuple[str, ...], dry_run: bool) -> int:
    """Make further copies of the image NAME, reading it once; all of them or none.

    A store that has a copy already is left alone, so the command may be repeated.
    """
    session = session_of(ctx)
    with showing(session):
        return _copy(session, name, to, dry_run)


def _copy(session: Session, name: str, to: tuple[str, ...], dry_run: bool) -> int:
    from multistore.catalog.choice import usable

    record = session.existing.stat(name)
    session.check_stores(to)
    wanted = [store for store in dict.fromkeys(to) if store not in record.copies]
    if not wanted:
        session.output.record(
            "copied",
            {"name": name, "size": record.size, "copies": {}},
            f"{name} is in {', '.join(to)} already",
        )
        return 0
    if dry_run:
        usable(record, None, session.stores)
        session.check_writable(wanted, name)
        text = f"would copy {name} ({size_text(record.size)}) to {', '.join(wanted)}"
        session.output.record("would copy", {"name": name, "stores": wanted}, text)
        return 0
    receipt = session.existing.copy(name, wanted)
    session.output.record(
        "copied",
        {"name": name, "size": receipt.size, "copies": receipt.refs},
        f"copied {name} ({size_text(receipt.size)}) to {', '.join(receipt.copies)}",
    )
    return 0
