"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from multistore.cli.session import Session
from multistore.config import parse_size, shown

__all__ = [
    "Size",
    "complete_store",
    "dry_run",
    "names",
    "one_name",
    "pairs",
    "session_of",
    "shared",
    "stores",
]

Function = TypeVar("Function", bound=Callable[..., Any])


class Size(click.ParamType[int]):
    """A number of bytes such as 512, 8MiB or 1.5G."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(str(value))
        except ValueError:
            self.fail(f"'{shown(str(value))}' is no size such as 512, 8MiB or 1.5G", param, ctx)


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Session), param.name or "", value)
    elif value is False and param.name == "progress":
        ctx.ensure_object(Session).progress = False


def shared(function: Function) -> Function:
    """Add the options of every command; they set the Session."""
    for option in (
        click.option("--progress/--no-progress", default=None, expose_value=False, callback=_set,
                     help="Show progress; the default on a terminal."),
        click.option("--debug", is_flag=True, expose_value=False, callback=_set,
                     help="Log every step to standard error, and show where an error came from."),
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_set,
                     help="Say nothing but what is wrong."),
        click.option("--json", is_flag=True, expose_value=False, callback=_set,
                     help="Write one JSON object a line."),
        click.option("--config", metavar="FILE", expose_value=False, callback=_set,
                     help="Read this multistore.toml."),
    ):  # fmt: skip
        function = option(function)
    return function


def session_of(ctx: click.Context) -> Session:
    """Give the Session of a run, with its logging."""
    session = ctx.ensure_object(Session)
    if session.debug and not session.events:
        import logging

        from multistore.observe import Log

        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s"
        )
        logging.getLogger("multistore").setLevel(logging.DEBUG)
        session.events.append(Log())
    return session


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of images."""
    session = _completing(ctx)
    try:
        return [
            record.name
            for record, _ in zip(session.existing.list(incomplete), range(200), strict=False)
        ]
    except Exception:
        return []  # completion has nowhere to complain
    finally:
        session.close()


def complete_store(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Offer the names of stores."""
    try:
        return [
            name for name in _completing(ctx).configuration.stores if name.startswith(incomplete)
        ]
    except Exception:
        return []  # completion has nowhere to complain


def _completing(ctx: click.Context) -> Session:
    """Give a Session of its own for what is being completed, with the --config that was typed."""
    given = ctx.obj if isinstance(ctx.obj, Session) else None
    return Session(config=given.config if given else None)


def one_name(function: Function) -> Function:
    """Add the argument NAME."""
    return click.argument("name", shell_complete=_complete)(function)


def names(*, required: bool) -> Callable[[Function], Function]:
    """Add the argument NAME, any number of times."""
    return click.argument(
        "names", metavar="NAME...", nargs=-1, required=required, shell_complete=_complete
    )


def stores(text: str) -> Callable[[Function], Function]:
    """Add the option --store, any number of times."""
    return click.option(
        "-s",
        "--store",
        "stores",
        metavar="STORE",
        multiple=True,
        help=text,
        shell_complete=complete_store,
    )


def dry_run(function: Function) -> Function:
    """Add the option --dry-run."""
    return click.option(
        "-n", "--dry-run", is_flag=True, help="Say what would be done, and do nothing."
    )(function)


def pairs(texts: Sequence[str], sign: str, what: str) -> Mapping[str, str]:
    """Take texts such as ``KEY=VALUE`` apart."""
    found: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition(sign)
        if not separator or not key:
            raise click.UsageError(f"'{shown(text)}' is not of the form {what}")
        if found.get(key, value) != value:
            raise click.UsageError(f"{key} is given twice")
        found[key] = value
    return found
