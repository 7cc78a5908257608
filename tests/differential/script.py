"""The vocabulary of the cases: what is configured, which calls are made; and the worker that performs them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

__all__ = [
    "CONF",
    "Case",
    "Outcome",
    "Worker",
    "call",
    "create",
    "data",
    "multi",
    "saved",
    "single",
    "source",
    "text",
    "value",
    "verifier",
    "zeros",
]

Json = Any
Outcome = dict[str, Any]

CONF: Json = {"$": "conf"}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One script: a fresh process, a configuration, and steps; ``enabled`` None is single-store mode."""

    name: str
    steps: Sequence[Json]
    config: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    enabled: Mapping[str, str] | None = None
    reserved: Mapping[str, str] | None = None

    def labels(self) -> list[str]:
        """Name every step; unlabelled ones by their number, the second of a name with a mark."""
        found: list[str] = []
        for number, step in enumerate(self.steps):
            label = f"{self.name}/{step.get('label') or number}"
            while label in found:
                label += "'"
            found.append(label)
        return found


# -- steps ---------------------------------------------------------------------------------


def call(target: str, *args: Json, label: Json = "", **how: Json) -> Json:
    """Call something; ``how`` is ``save``, ``read``, ``look``, ``consumed`` or ``vague``, the rest are keywords."""
    kept = {
        key: how.pop(key) for key in ("save", "read", "look", "consumed", "vague") if key in how
    }
    if not target.startswith(("@", "worker.", "glance_store.")):
        target = "glance_store." + target
    return {"target": target, "args": list(args), "kwargs": how, "label": label, **kept}


def value(target: str, label: str = "") -> Json:
    """Look at an attribute."""
    return {"target": target, "value": True, "label": label or target}


def create() -> Json:
    """Create the stores."""
    return call("worker.create", label="create")


# -- arguments -----------------------------------------------------------------------------


def text(words: str) -> Json:
    """Give a run of bytes that is a text."""
    return ["text", words]


def zeros(size: int) -> Json:
    """Give a run of zeros."""
    return ["zero", size]


def random(size: int, seed: int = 1) -> Json:
    """Give a run of random bytes."""
    return ["random", seed, size]


def _runs(runs: tuple[Json, ...]) -> list[Json]:
    return [text(run) if isinstance(run, str) else run for run in runs]


def source(*runs: Json, form: str = "read", **how: Json) -> Json:
    """Give a source of an image: ``form`` is ``read`` or ``iter``; ``fail_at`` and ``error``, ``most``, ``pieces``."""
    return {"$": "source", "form": form, "runs": _runs(runs), **how}


def data(*runs: Json) -> Json:
    """Give plain bytes."""
    return {"$": "data", "runs": _runs(runs)}


def verifier(error: str = "") -> Json:
    """Give a verifier."""
    return {"$": "verifier", "error": error}


def saved(name: str, index: int | None = None) -> Json:
    """Give what an earlier step saved, or one element of it."""
    return {"$": "saved", "name": name, "index": index}


# -- configurations ------------------------------------------------------------------------

Options = Mapping[str, object]


def multi(name: str, *steps: Json, made: bool = True, **stores: Options) -> Case:
    """Make a case in multi-store mode: file stores by default, or what the option ``type`` says."""
    stores = stores or {"one": {}}
    types: dict[str, str] = {}
    config: dict[str, Options] = {}
    for ident, options in stores.items():
        kind = str(options.get("type", "file"))
        rest = {key: each for key, each in options.items() if key != "type"}
        if ident not in ("glance_store", "backend_defaults"):
            types[ident] = kind
            if kind == "file" and not rest.keys() & PLACES:
                rest["filesystem_store_datadir"] = "{root}/disk/" + ident
        config[ident] = rest
    config.setdefault("glance_store", {"default_backend": next(iter(types), "none")})
    return Case(name, [create(), *steps] if made else steps, config, types)


PLACES = {"filesystem_store_datadir", "filesystem_store_datadirs"}


def single(name: str, *steps: Json, **options: object) -> Case:
    """Make a case in single-store mode with ``options`` of the group glance_store."""
    if not options.keys() & PLACES:
        options["filesystem_store_datadir"] = "{root}/disk/images"
    return Case(name, [create(), *steps], {"glance_store": options})


# -- the worker ----------------------------------------------------------------------------


class Worker(contextlib.AbstractContextManager["Worker"]):
    """A process that performs cases with the glance_store of ``python``; ``places`` are placeholders besides ``{root}``."""

    def __init__(self, python: str = sys.executable, **places: str) -> None:
        kept = {key: each for key, each in os.environ.items() if key in ("PATH", "LANG", "TMPDIR")}
        self.places = {"{" + name + "}": place for name, place in places.items()}
        self.scratch = tempfile.mkdtemp(prefix="differential-")
        self.process = subprocess.Popen(
            [python, "-W", "ignore", "-B", str(HERE / "worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**kept, "HOME": self.scratch},
        )
        self.number = 0
        self.answer()

    def answer(self) -> Json:
        """Read one answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the worker is gone"
        return json.loads(line)

    def perform(self, case: Case, root: str | None = None) -> list[Outcome]:
        """Perform a case, in ``root`` or in a fresh directory that is removed afterwards."""
        assert self.process.stdin is not None
        self.number += 1
        place = root or os.path.join(self.scratch, str(self.number))
        os.makedirs(place, exist_ok=True)
        script = {
            "root": place,
            "places": self.places,
            "config": case.config,
            "enabled": case.enabled,
            "reserved": case.reserved,
            "steps": list(case.steps),
        }
        self.process.stdin.write(json.dumps(script) + "\n")
        self.process.stdin.flush()
        try:
            outcomes: list[Outcome] = self.answer()
        finally:
            if root is None:
                shutil.rmtree(place, ignore_errors=True)
        assert len(outcomes) == len(case.steps), f"{case.name}: the worker died: {outcomes}"
        return outcomes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
