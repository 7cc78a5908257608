"""The group of commands, and what every run does around one: options that all share, signals, errors, exit codes."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

import click

from multistore import __version__
from multistore.cli.exits import CODES, describe, exit_code, notes_of, worst
from multistore.cli.foreign import check_command
from multistore.cli.output import STDOUT
from multistore.cli.session import Session
from multistore.cli.signals import CODES as SIGNALS
from multistore.cli.signals import Ended, Endings
from multistore.cli.streams import abandon

__all__ = ["cli", "run"]

_COMMANDS = ("put", "get", "ls", "stat", "rm", "cp", "verify", "stores", "gc", "completion")


#: The variable by which the shell asks what a word may be completed to.
_COMPLETE = "_MULTISTORE_COMPLETE"
_CLOSED = 141


class Commands(click.Group):
    """Loads a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"multistore.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in CODES.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="multistore", message="%(prog)s %(version)s")
@click.option(
    "--glance-conf",
    metavar="FILE",
    help="Look at the stores of a Glance service, glance-api.conf; with get, ls, stat, stores and verify.",
)
@click.pass_context
def cli(ctx: click.Context, glance_conf: str | None) -> None:
    """Put big immutable images into one or many stores in a single pass, and get them back right.

    Without any configuration images go into a file store of your own; multistore.toml describes others.
    """
    if glance_conf is not None:
        check_command(ctx.invoked_subcommand)
        ctx.ensure_object(Session).glance = glance_conf


def run(arguments: Sequence[str]) -> int:
    """Run one command line, and give its exit code."""
    session = Session(json="--json" in arguments)
    endings = Endings(json=session.json)
    try:
        try:
            endings.install()
            code = _invoke(session, list(arguments))
            return worst([code, _flush(session)])
        except Ended as end:
            endings.over = True
            return _ended(session, end, forced=endings.forced)
    finally:
        endings.restore()


def _ended(session: Session, end: Ended, *, forced: bool) -> int:
    """Say which signal ended the command, and what is left of it."""
    code = SIGNALS[end.number]
    what = {129: "the terminal was closed", 130: "interrupted", 143: "ended by SIGTERM"}[code]
    left = notes_of(end)
    if forced:
        left.append("not all of it was taken back: 'multistore gc' removes the rest")
    state = "; ".join(left) or "what had begun was taken back"
    abandon(1)  # what it holds is part of a line at most, and its reader may not read
    session.output.problem([(f"{what}; {state}", None)], code)
    return code


def _flush(session: Session) -> int:
    """Write what standard output still holds, and give the exit code of that."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        abandon(1)
        return _CLOSED  # whoever read has seen enough
    except OSError as error:
        abandon(1)
        if any(text.startswith(f"{error.strerror}") for text, _ in session.output.told):
            return exit_code(error)
        error.filename = STDOUT
        return _complain(session, error)
    return 0


def _called(session: Session, arguments: list[str]) -> object:
    """Call the command; unlike click's own ``main`` it leaves every error, a closed pipe above all, to its caller."""
    if instruction := os.environ.get(_COMPLETE):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "multistore", _COMPLETE, instruction)
    try:
        with cli.make_context("multistore", arguments, obj=session) as context:
            return cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code


def _invoke(session: Session, arguments: list[str]) -> int:
    try:
        with contextlib.closing(session):
            result = _called(session, arguments)
    except click.UsageError as error:
        return _misused(session, error)
    except click.ClickException as error:
        session.output.problem([(error.format_message(), None)], 6)
        return 6
    except BrokenPipeError:
        return _CLOSED
    except Exception as error:
        return _complain(session, error)
    return result if isinstance(result, int) else 0


def _misused(session: Session, error: click.UsageError) -> int:
    """Say what is wrong with the command line, for people with its usage."""
    if session.json:
        hint = None if error.ctx is None else f"see {error.ctx.command_path} --help"
        session.output.problem([(error.format_message(), hint)], 2)
    else:
        with session.output.messages():
            error.show()
    return 2


def _complain(session: Session, error: Exception) -> int:
    """Say what went wrong, and give the exit code."""
    code = exit_code(error)
    session.output.problem(describe(error), code)
    if session.debug:
        import traceback

        with session.output.messages():
            traceback.print_exception(error)
    return code
