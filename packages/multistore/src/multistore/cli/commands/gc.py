"""``multistore gc``."""

from __future__ import annotations

import re
from collections import Counter

import click

from multistore.cli.exits import describe, exit_code, worst
from multistore.cli.options import dry_run, session_of, shared
from multistore.config import shown

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Duration(click.ParamType[float]):
    """A time such as 90, 30m, 1h or 2d."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw]?)", str(value).strip())
        if found is None:
            self.fail(f"'{shown(str(value))}' is no time such as 90s, 30m, 1h or 2d", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


@click.command("gc")
@click.option(
    "--grace",
    type=Duration(),
    default="1d",
    show_default=True,
    metavar="TIME",
    help="Leave alone what is younger, where nobody can tell whether it lives.",
)
@dry_run
@shared
@click.pass_context
def command(ctx: click.Context, grace: float, dry_run: bool) -> int:
    """Remove what killed processes left behind; nothing live and no image is touched."""
    session = session_of(ctx)
    totals = Counter({"would remove" if dry_run else "removed": 0, "kept": 0})
    codes = [0]
    repository = session.existing if dry_run else session.repository
    for each in repository.gc(grace=grace, dry_run=dry_run):
        totals[each.action] += 1
        facts = {"store": each.store, "name": each.name, "what": each.what, "action": each.action}
        if each.error is not None:
            codes.append(exit_code(each.error))
            session.output.problem(describe(each.error), codes[-1])
        session.output.record(
            "cleaned", facts, f"{each.action}: {each.what} {each.name} in {each.store}"
        )
    text = (
        ", ".join(f"{count} {action}" for action, count in totals.items() if count)
        or "nothing to clean up"
    )
    session.output.record("total", dict(totals), text)
    return worst(codes)
