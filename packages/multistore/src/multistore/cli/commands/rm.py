"""``multistore rm``."""

from __future__ import annotations

import click

from multistore.cli.exits import describe, exit_code, worst
from multistore.cli.options import dry_run, names, session_of, shared, stores
from multistore.cli.session import Session


@click.command("rm")
@names(required=True)
@stores("Remove only the copy in this store, but never the last one; may be repeated.")
@dry_run
@shared
@click.pass_context
def command(
    ctx: click.Context, names: tuple[str, ...], stores: tuple[str, ...], dry_run: bool
) -> int:
    """Remove images, each from all its stores.

    What one name runs into does not keep the others.
    """
    session = session_of(ctx)
    codes = [_remove(session, name, list(stores) or None, dry_run) for name in dict.fromkeys(names)]
    done = codes.count(0)
    word = "would remove" if dry_run else "removed"
    session.output.record("total", {word: done, "failed": len(codes) - done})
    return worst(codes)


def _remove(session: Session, name: str, stores: list[str] | None, dry_run: bool) -> int:
    from multistore.catalog.choice import check_deletable

    repository = session.existing
    try:
        record = repository.stat(name)
        session.check_stores(stores or (), record)
        found = [store for store in record.copies if stores is None or store in stores]
        if dry_run:
            check_deletable(record, stores, repository.fleet.stores)
        else:
            repository.delete(name, stores=stores)
    except Exception as error:
        code = exit_code(error)
        session.output.problem(describe(error), code)
        return code
    verb = "would remove" if dry_run else "removed"
    session.output.record(
        verb, {"name": name, "stores": found}, f"{verb} {name} from {', '.join(found)}"
    )
    return 0
