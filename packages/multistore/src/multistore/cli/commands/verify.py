"""``multistore verify``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from multistore.cli.exits import DIFFERENT, UNVERIFIABLE, describe, exit_code, worst
from multistore.cli.options import dry_run, names, pairs, session_of, shared, stores
from multistore.cli.progress import showing
from multistore.cli.report import MARKS
from multistore.cli.session import Session
from multistore.errors import StoreError
from multistore.model import State

if TYPE_CHECKING:
    from multistore.model import Verdict

_WORDS = (*(state.value for state in State), "repaired")
_DAMAGED = (State.MISSING, State.SHORT, State.CORRUPT)


@dataclass(frozen=True)
class How:
    """What to hold the copies against, instead of what is on record, and what to do about damaged ones."""

    repair: bool
    dry_run: bool
    expect: Mapping[str, str]


@click.command("verify")
@names(required=False)
@stores("Verify the copies in this store only; may be repeated.")
@click.option(
    "--repair", is_flag=True, help="Write damaged and missing copies anew from an intact one."
)
@click.option(
    "--expect",
    metavar="ALG:HEX",
    multiple=True,
    help="Hold the one image NAME against this digest, not the one on record; may be repeated.",
)
@dry_run
@shared
@click.pass_context
def command(
    ctx: click.Context,
    names: tuple[str, ...],
    stores: tuple[str, ...],
    repair: bool,
    expect: tuple[str, ...],
    dry_run: bool,
) -> int:
    """Read every copy of the images NAME, or of all, and judge it by size and digest.

    \b
    = intact        the bytes are the ones that were put
    * corrupt       the bytes, or their number, are wrong
    * short         the end is missing
    - missing       the store does not have it
    ? unverifiable  the store does not answer, or there is nothing to compare with

    The exit code is 0 if all are intact (after the repair, with --repair), 7 if some are not, 8 if some could not be judged.
    """
    session = session_of(ctx)
    if repair and stores:
        raise click.UsageError("--repair looks at all copies: it cannot be limited by --store")
    if dry_run and not repair:
        raise click.UsageError("--dry-run goes with --repair: verifying changes nothing")
    if expect and (len(names) != 1 or repair):
        raise click.UsageError("--expect is about one image NAME, and changes nothing")
    how = How(repair, dry_run, pairs(expect, ":", "ALG:HEX, such as sha256:9f86d08..."))
    totals = Counter(dict.fromkeys(_WORDS, 0))
    codes = []
    with showing(session):
        chosen = dict.fromkeys(names, stores) if names else _all(session, stores)
        for name, wanted in chosen.items():
            try:
                codes.append(_verify(session, name, wanted, how, totals))
            except (StoreError, ExceptionGroup) as error:  # not what the output runs into
                codes.append(exit_code(error))
                session.output.problem(describe(error), codes[-1])
    parts = [f"{totals[word]} {word}" for word in _WORDS if totals[word]]
    text = f"{len(chosen)} images: {', '.join(parts) or 'no copies'}"
    session.output.record("total", {"images": len(chosen), **totals}, text)
    return worst(codes)


def _all(session: Session, stores: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Give the names of all images, or of those that have a copy in one of these stores, each with those stores."""
    copies = {record.name: record.copies for record in session.existing.list()}
    session.check_stores(set(stores).difference(*copies.values()))
    chosen = {name: tuple(each for each in stores if each in copies[name]) for name in copies}
    return {name: wanted for name, wanted in chosen.items() if wanted or not stores}


def _verify(
    session: Session, name: str, stores: tuple[str, ...], how: How, totals: Counter[str]
) -> int:
    if stores:
        session.check_stores(stores, session.existing.stat(name))
    verdicts = session.existing.verify(name, stores=stores or None, expect=how.expect)
    for verdict in verdicts:
        totals[verdict.state.value] += 1
        _show(session, name, verdict)
    damaged = [verdict.store for verdict in verdicts if verdict.state in _DAMAGED]
    if how.repair and damaged:
        if how.dry_run and not any(verdict.state is State.INTACT for verdict in verdicts):
            _hopeless(session, name)
        elif how.dry_run:
            text = f"would repair {name} in {', '.join(damaged)}"
            session.output.record("would repair", {"name": name, "stores": damaged}, text)
        else:
            verdicts = _repair(session, name, verdicts, totals)
    return worst(
        0
        if verdict.state is State.INTACT
        else DIFFERENT
        if verdict.state in _DAMAGED
        else UNVERIFIABLE
        for verdict in verdicts
    )


def _hopeless(session: Session, name: str) -> None:
    text = f"{name} has no intact copy to repair from"
    hint = "put it again from its source: multistore rm NAME, then multistore put"
    session.output.problem([(text, hint)], DIFFERENT)


def _repair(
    session: Session, name: str, before: list[Verdict], totals: Counter[str]
) -> list[Verdict]:
    """Write the damaged copies anew, and read them back."""
    result = session.existing.repair(name)
    for store, error in result.failures.items():
        session.output.problem(
            [(f"{store}: {line}", hint) for line, hint in describe(error)], exit_code(error)
        )
    if result.source is None:
        _hopeless(session, name)
        return before
    if not result.copies:
        return before
    totals["repaired"] += len(result.copies)
    written = ", ".join(result.copies)
    text = f"repaired {name} in {written} from {result.source}"
    session.output.record(
        "repaired", {"name": name, "stores": list(result.copies), "source": result.source}, text
    )
    again = session.existing.verify(name, stores=list(result.copies))
    for verdict in again:
        _show(session, name, verdict)
    return [each for each in before if each.store not in result.copies] + again


def _show(session: Session, name: str, verdict: Verdict) -> None:
    state = verdict.state
    session.output.record(
        "verdict",
        {
            "name": name,
            "store": verdict.store,
            "state": state.value,
            "proof": verdict.proof,
            "size": verdict.size,
            "digests": dict(verdict.digests),
        },
        f"{MARKS[state]} {name}  {verdict.store}  {state.value}: {verdict.proof}",
    )
