"""``multistore ls``."""

from __future__ import annotations

import click

from multistore.cli.options import session_of, shared
from multistore.cli.output import moment, size_text
from multistore.cli.report import facts_of


@click.command("ls")
@click.argument("prefix", default="")
@click.option("-l", "--long", is_flag=True, help="Show what is known of each copy, too.")
@shared
@click.pass_context
def command(ctx: click.Context, prefix: str, long: bool) -> int:
    """List the images whose names begin with PREFIX, or all."""
    session = session_of(ctx)
    rows = []
    images = size = 0
    for record in session.existing.list(prefix):
        images += 1
        size += record.size
        if session.json:
            session.output.record("image", facts_of(record))
            continue
        start = [record.name, size_text(record.size), moment(record.created)]
        if not long:
            rows.append([*start, ", ".join(record.copies)])
        for copy in record.copies.values() if long else ():
            state = copy.state.value if copy.state else "not verified"
            rows.append([*start, copy.store, state, moment(copy.verified)])
    header = ["NAME", "SIZE", "CREATED", "STORES"]
    if long:
        header = ["NAME", "SIZE", "CREATED", "IN", "STATE", "VERIFIED"]
    session.output.table(header, rows, right=("SIZE",))
    session.output.record("total", {"images": images, "size": size})
    return 0
