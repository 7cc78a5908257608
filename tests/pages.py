"""Runs the examples of a Markdown page, top to bottom, in one directory and one Python namespace.

What a page may hold:

- ``python`` blocks: sessions with ``>>>`` are compared as doctests, anything else is executed.
- ``console`` blocks: lines after ``$ `` are run by bash, what follows is compared with their output, ``...``
  standing for any text.  A command that fails must be followed by ``$ echo $?``.
- A block whose first line is a comment with a file's name, ``# multistore.toml``, is written to that file.
- ``<!-- example: ... -->`` holds Python that the reader does not see: the making of a server, say.
- Commands that work on the machine or the tree (``pip``, ``make``, ``git``) and blocks of other languages are not run.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Block", "Page", "blocks"]

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FILE_NAME = re.compile(r"# ([\w.-]+\.(?:toml|py|txt|conf))\n")
NOT_RUN = re.compile(r"(sudo|apt|apt-get|pip|pipx|make|git|cd|python -m pip|python -m venv)\b")
BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<body>.*?)^(?P=indent)```$"
    r"|^<!-- example:\n(?P<hidden>.*?)-->$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One example: its language (``hidden`` for what readers do not see), its text, its line."""

    language: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """Find the examples of a page, in order."""
    for found in BLOCK.finditer(page):
        line = page.count("\n", 0, found.start()) + 2
        if found["hidden"] is not None:
            yield Block("hidden", found["hidden"], line)
        else:
            indent = len(found["indent"])
            text = "".join(each[indent:] for each in found["body"].splitlines(keepends=True))
            yield Block(found["language"], text, line)


class Page:
    """Where the examples of one page run: a directory, a namespace, an environment of their own."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.path = path
        self.directory = directory
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.status = 0

    def run(self, block: Block) -> None:
        """Run one block; AssertionError shows what differs, other exceptions are the example's own."""
        if (named := FILE_NAME.match(block.text)) is not None:
            (self.directory / named[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            self.console(block)
        elif block.language == "python" and block.text.lstrip().startswith(">>>"):
            self.session(block)
        elif block.language in ("python", "hidden"):
            where = f"{self.path.name}, line {block.line}"
            exec(compile("\n" * (block.line - 1) + block.text, where, "exec"), self.names)

    def session(self, block: Block) -> None:
        test = doctest.DocTestParser().get_doctest(
            block.text, self.names, self.path.name, str(self.path), block.line - 1
        )
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=OPTIONS, verbose=False)
        runner.run(test, out=said.append, clear_globs=False)
        self.names.update(test.globs)
        assert not runner.summarize(verbose=False).failed, "".join(said)

    def console(self, block: Block) -> None:
        for command, wanted in commands(block.text):
            if NOT_RUN.match(command):
                continue
            where = f"{self.path.name}, line {block.line}: $ {command}"
            assert self.status == 0 or command == "echo $?", f"{where}: the one before failed"
            got = self.shell(command)
            assert self.status == 0 or wanted is not None, f"{where}\n{got}"
            if wanted is not None:
                same = doctest.OutputChecker().check_output(wanted, got, OPTIONS)
                assert same, f"{where}\n-- wanted\n{wanted}-- got\n{got}"

    def shell(self, command: str) -> str:
        """Run one command as the next of a session; its output, and its errors among it."""
        kept = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", "COVERAGE_FILE")
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.directory),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "120",
            **{name: os.environ[name] for name in kept if name in os.environ},
        }
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.status}); {command}"],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=15,
            check=False,
        )
        self.status = done.returncode
        return done.stdout


def commands(text: str) -> Iterator[tuple[str, str | None]]:
    """Take a console block apart: each command with the output shown after it, None if nothing is shown."""
    command: list[str] = []
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield "\n".join(command), "".join(shown) or None
            command, shown = [line[2:]], []
        elif command and not shown and (command[-1].endswith("\\") or line.startswith("> ")):
            command.append(line.removeprefix("> "))
        else:
            shown.append(line + "\n")
    if command:
        yield "\n".join(command), "".join(shown) or None
