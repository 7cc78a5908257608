"""``multistore stat``."""

from __future__ import annotations

import click

from multistore.cli.options import one_name, session_of, shared
from multistore.cli.output import moment, size_text
from multistore.cli.report import facts_of


@click.command("stat")
@one_name
@shared
@click.pass_context
def command(ctx: click.Context, name: str) -> int:
    """Show what is on record of the image NAME: its size, digests and copies, and when each copy was last proved."""
    session = session_of(ctx)
    record = session.existing.stat(name)
    if session.json:
        session.output.record("image", facts_of(record))
        return 0
    line = session.output.line
    line(f"name     {record.name}")
    line(f"size     {record.size} bytes ({size_text(record.size)})")
    line(f"created  {moment(record.created)}")
    for algorithm, digest in record.digests.items():
        line(f"{algorithm:<8} {digest}")
    for copy in record.copies.values():
        line(f"copy     {copy.store}: {copy.ref}")
        state = f"{copy.state.value}, {copy.proof}" if copy.state else "not verified yet"
        line(
            f"         {state}; last verified {moment(copy.verified)}, last proved intact {moment(copy.proved)}"
        )
    return 0
