"""Performs scripts against the glance_store of this interpreter: a JSON line in, a JSON line out.

Each script runs in a forked child, so that none sees what another left in the process; as root, without root's power over
permissions.  Standard library only, and the glance_store under test: it runs in the environment of the peer as well.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import platform
import signal
import stat
import sys
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from differential.actions import Actions, SkippedError
from differential.wire import Source, Verifier, data_of, error_facts, plain, short, source_of

LIMIT = 30


class Script(Actions):
    """One script under way: its configuration, what it saved, and what the disk looked like last."""

    def __init__(self, script: dict[str, Any], interface: Any) -> None:
        super().__init__(script, interface)
        self.disk: dict[str, list[Any]] = {}
        self.logged: list[list[str]] = []

    # -- arguments --------------------------------------------------------------------------

    def value(self, given: Any) -> Any:
        """Decode one argument."""
        if isinstance(given, str):
            return self.fill(given)
        if isinstance(given, list):
            return [self.value(each) for each in given]
        if not isinstance(given, dict):
            return given
        kind = given.get("$")
        if kind is None:
            return {self.fill(key): self.value(each) for key, each in given.items()}
        if kind == "conf":
            return self.conf
        if kind == "data":
            return data_of(given["runs"])
        if kind == "source":
            return source_of(given)
        if kind == "verifier":
            return Verifier(given.get("error", ""))
        if kind == "saved":
            found = self.recall(given["name"])
            return found if given.get("index") is None else found[given["index"]]
        if kind == "tuple":
            return tuple(self.value(each) for each in given["items"])
        if kind == "bytes":
            return given["text"].encode()
        if kind == "slice":
            return slice(*given["items"])
        if kind == "object":
            return object()
        raise ValueError(kind)

    # -- steps ------------------------------------------------------------------------------

    def step(self, step: dict[str, Any]) -> dict[str, Any]:
        """Do one step and say what came of it."""
        self.logged.clear()
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        try:
            args = [self.value(each) for each in step.get("args", ())]
            kwargs = {key: self.value(each) for key, each in step.get("kwargs", {}).items()}
            result = self.target(step["target"])
            if not step.get("value"):
                result = result(*args, **kwargs)
            if step.get("save"):
                self.saved[step["save"]] = result
            told = self.result(result, step.get("read", ""))
            outcome = {"returned": type(told).__name__ if step.get("vague") else told}
        except SkippedError:
            outcome = {"skipped": True}
        except Exception as error:
            look = [self.hide(self.fill(each)) for each in step.get("look", ())]
            facts = error_facts(error, self.interface.exceptions, self.hide, look)
            outcome = facts
        for each in (*args, *kwargs.values()):
            if isinstance(each, Source) and step.get("consumed"):
                outcome["consumed"] = each.consumed
            if isinstance(each, Verifier):
                outcome["verifier"] = plain(each, self.hide)
        if self.logged:
            outcome["log"] = list(self.logged)
        changed = self.changes()
        if changed:
            outcome["disk"] = changed
        return outcome

    def result(self, result: Any, read: str) -> Any:
        """Normalise a result; of ``(data, size)`` the data is read first if ``read`` says so."""
        if not read:
            return plain(result, self.hide)
        if not isinstance(result, tuple):
            return self.consumed(result, read)
        return {"data": self.consumed(result[0], read), "size": plain(result[1], self.hide)}

    def consumed(self, data: Any, read: str) -> Any:
        """Read all of ``data``; what came before an error counts as well."""
        kept: list[bytes] = []
        facts: dict[str, Any] = {}
        if hasattr(data, "__len__"):
            facts["len"] = len(data)
        try:
            for piece in data:
                kept.append(piece)
                if read == "first":
                    break
        except Exception as error:
            facts["failed"] = error_facts(error, self.interface.exceptions, self.hide, [])
        if read == "first" and hasattr(data, "close"):
            data.close()
        types = {type(piece).__name__ for piece in kept}
        whole = b"".join(kept)
        facts["read"] = len(whole)
        facts["sha1"] = short(whole)
        if types - {"bytes"}:
            facts["types"] = sorted(types)
        return facts

    def changes(self) -> dict[str, Any]:
        """Say what is on the disk below ``disk`` that was not so after the last step; None for what went."""
        now: dict[str, list[Any]] = {}
        top = os.path.join(self.root, "disk")
        for folder, folders, names in os.walk(top):
            for name in folders + names:
                path = os.path.join(folder, name)
                now[os.path.relpath(path, top)] = seen(path)
        changed = {path: now.get(path) for path in now.keys() | self.disk.keys()}
        changed = {path: each for path, each in changed.items() if each != self.disk.get(path)}
        self.disk = now
        return dict(sorted(changed.items()))


class Note(logging.Handler):
    """Notes level and kind of what the library logs from warnings upwards."""

    def __init__(self, script: Script) -> None:
        super().__init__(logging.WARNING)
        self.script = script

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(("glance_store", "multistore")):
            return
        try:
            text = self.script.hide(record.getMessage())
        except Exception:
            text = "unformattable"
        kinds = ["secret"] if "s3cr3t" in text else []
        self.script.logged.append([record.levelname, *kinds])


def seen(path: str) -> list[Any]:
    """Describe a directory entry: kind, permissions, and what is in it."""
    found = os.lstat(path)
    mode = f"{stat.S_IMODE(found.st_mode):o}"
    if stat.S_ISLNK(found.st_mode):
        return ["link"]
    if stat.S_ISDIR(found.st_mode):
        return ["folder", mode]
    try:
        with open(path, "rb") as file:
            return ["file", mode, found.st_size, short(file.read())]
    except OSError:
        return ["file", mode, found.st_size]


def without_power() -> None:
    """Give up every capability, so that permissions count for root as for anybody (capset of all, none kept)."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        if libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
            raise OSError(ctypes.get_errno(), "capset")


def perform(script: dict[str, Any], interface: Any) -> list[dict[str, Any]]:
    """Do all steps of one script."""
    signal.alarm(LIMIT)
    without_power()
    os.umask(0o022)
    run = Script(script, interface)
    os.makedirs(os.path.join(run.root, "disk"), exist_ok=True)
    logging.getLogger().addHandler(Note(run))
    logging.getLogger().setLevel(logging.DEBUG)
    return [run.step(step) for step in script["steps"]]


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    import glance_store
    from glance_store._drivers import filesystem, http

    assert filesystem.Store.__name__ == http.Store.__name__ == "Store"
    answers.write(json.dumps({"ready": platform.python_version()}) + "\n")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                answers.write(json.dumps(perform(json.loads(line), glance_store)) + "\n")
                answers.flush()
                status = 0
            except BaseException as error:
                print(repr(error), file=sys.stderr)
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        if status:
            answers.write(json.dumps([{"died": status}]) + "\n")


if __name__ == "__main__":
    main()
