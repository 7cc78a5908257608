"""A person at a terminal of their own: a home directory with nothing in it, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multistore.cli.app import run

_KEPT = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START", "COVERAGE_FILE")


@dataclass(frozen=True)
class Done:
    """How one command ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What ``--json`` wrote: every line is an object."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What ``--json`` wrote to standard error."""
        return [json.loads(line) for line in self.err.splitlines()]


def _content(path: Path) -> bytes | None:
    if path.suffix == ".db":
        with contextlib.closing(sqlite3.connect(path)) as database:
            return "\n".join(database.iterdump()).encode()
    return path.read_bytes() if path.is_file() else None


class Person:
    """Runs commands in ``home``, in this process or in one of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", code: int = 0) -> Done:
        """Run a command here; it must end with ``code``."""
        out, err = io.BytesIO(), io.BytesIO()
        with contextlib.ExitStack() as stack:
            texts = [io.TextIOWrapper(each, encoding="utf-8", newline="") for each in (out, err)]
            stack.enter_context(contextlib.redirect_stdout(texts[0]))
            stack.enter_context(contextlib.redirect_stderr(texts[1]))
            before = sys.stdin
            stack.callback(setattr, sys, "stdin", before)
            sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
            got = run([str(each) for each in arguments])
            for text in texts:
                text.flush()
        done = Done(got, out.getvalue(), err.getvalue().decode())
        assert got == code, f"{got} instead of {code}\n{done.out}{done.err}"
        assert "Traceback" not in done.err
        return done

    def environment(
        self, more: Mapping[str, str] | None = None, *, measured: bool = True
    ) -> dict[str, str]:
        """What a process of theirs finds set; with ``measured`` its coverage counts, if coverage is on."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ and measured}
        return (
            {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
            | kept
            | dict(more or {})
        )

    def start(
        self,
        *arguments: str | Path,
        env: Mapping[str, str] | None = None,
        measured: bool = False,
        **pipes: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a command in a process of its own.

        What is sent signals is not measured: coverage has a lock that the exception of a signal can leave taken.
        """
        return subprocess.Popen(
            [sys.executable, "-m", "multistore.cli", *map(str, arguments)],
            cwd=self.home,
            env=self.environment(env, measured=measured),
            **{"stdin": subprocess.DEVNULL, "stdout": -1, "stderr": -1, **pipes},
        )

    def apart(
        self, *arguments: str | Path, env: Mapping[str, str] | None = None, **pipes: Any
    ) -> Done:
        """Run a command in a process of its own, to its end."""
        with self.start(*arguments, env=env, measured=True, **pipes) as process:
            try:
                out, err = process.communicate(timeout=15)
            finally:
                process.kill()
        return Done(process.returncode, out or b"", (err or b"").decode("utf-8", "replace"))

    def file(self, name: str, data: bytes = b"an image\n") -> Path:
        """Write a file into the home directory."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def configure(self, text: str = "") -> Path:
        """Write multistore.toml; without a text it has the stores ``fast`` and ``safe``."""
        default = '[stores.fast]\nurl = "file:fast"\n[stores.safe]\nurl = "file:safe"\n'
        return self.file("multistore.toml", (text or default).encode())

    def copy(self, store: str, name: str) -> Path:
        """The file that holds the copy of an image in one of the two stores."""
        return self.home / store / name

    def tree(self) -> dict[str, bytes | None]:
        """Everything below the home directory; of a catalog what it says, not how SQLite keeps it."""
        return {
            str(path.relative_to(self.home)): _content(path)
            for path in sorted(self.home.rglob("*"))
            if not path.name.endswith(("-wal", "-shm"))
        }

    def leftovers(self) -> list[str]:
        """The names of files that no finished command leaves."""
        return [name for name in self.tree() if name.endswith((".part", ".claim", ".tmp"))]
