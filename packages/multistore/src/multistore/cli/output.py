"""Results: tables for people, one JSON object a line for programs; messages go to standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from multistore.cli.streams import abandon

__all__ = ["STDOUT", "Output", "moment", "shown", "size_text"]

#: What errors call the place where results go.
STDOUT = "standard output"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Output:
    """Where a command writes; what it says is either for people or for programs."""

    def __init__(self, *, json: bool, quiet: bool) -> None:
        self.json = json
        self.quiet = quiet
        #: The problems that were told, each with its hint.
        self.told: list[tuple[str, str | None]] = []

    def record(self, kind: str, facts: Mapping[str, object], text: str | None = None) -> None:
        """Give one result: ``facts`` to programs, ``text`` to people, unless they asked for quiet."""
        if self.json:
            self._line(json.dumps({"type": kind, **facts}, default=str))
        elif text is not None and not self.quiet:
            self._line(shown(text))

    def line(self, text: str) -> None:
        """Give people a line that they asked for, even when they asked for quiet."""
        if not self.json:
            self._line(shown(text))

    def table(
        self, header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
    ) -> None:
        """Give people a table; ``right`` are the columns that are aligned on the right."""
        if self.json:
            return
        cells = [[shown(cell) for cell in row] for row in rows]
        if not cells:
            return
        everything = [list(header), *cells]
        widths = [max(len(row[place]) for row in everything) for place in range(len(header))]
        for row in everything:
            parts = [
                cell.rjust(width) if header[place] in right else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self._line("  ".join(parts).rstrip())

    def problem(self, lines: Sequence[tuple[str, str | None]], code: int) -> None:
        """Say what went wrong, on standard error."""
        self.told.extend(lines)
        with self.messages():
            for text, hint in lines:
                if self.json:
                    facts = {"type": "error", "error": text, "hint": hint, "exit_code": code}
                    sys.stderr.write(json.dumps(facts) + "\n")
                else:
                    sys.stderr.write(f"multistore: {shown(text)}\n")
                    if hint:
                        sys.stderr.write(f"hint: {hint}\n")

    @contextlib.contextmanager
    def messages(self) -> Iterator[None]:
        """Write to standard error; messages that nobody can get are dropped, and change nothing else."""
        try:
            yield
            sys.stderr.flush()
        except OSError:
            abandon(2)

    def _line(self, text: str) -> None:
        """Write a line at once: programs act on it, and messages on standard error come behind it."""
        # A terminal that cannot show a letter gets its escape instead of an error.
        encoding = sys.stdout.encoding or "utf-8"
        try:
            sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            sys.stdout.flush()
        except OSError as error:
            error.filename = STDOUT
            raise


def shown(text: str) -> str:
    """Give a text that cannot steer a terminal: control characters are escaped."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def size_text(size: int | None) -> str:
    """Give a number of bytes for people."""
    if size is None:
        return "?"
    power = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    return f"{size} B" if power == 0 else f"{size / 1024**power:.1f} {_UNITS[power]}"


def moment(when: float | None) -> str:
    """Give a time for people, in their own zone."""
    return "never" if when is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
