"""Texts and tables that nobody would write, each with a secret somewhere, and where that secret may be seen: nowhere.

Two ways lead to the same judges: plain generators, fast enough for 100,000 inputs each, and hypothesis, which finds a
smaller input that fails alike.
"""

from __future__ import annotations

import os
import random
import traceback
from collections.abc import Iterator
from dataclasses import fields

from hypothesis import strategies as st
from multistore.config import Secret
from multistore.registry import driver_class

__all__ = [
    "CANARY", "COUNT", "DRIVERS", "SEED", "VARIABLE", "chance_of", "strange_tables", "strange_texts", "tables",
    "texts", "told",
]  # fmt: skip

#: How many inputs each generator makes.
COUNT = 100_000
#: Chooses other inputs than those that are tried every time; see the settings of hypothesis beside this file.
SEED = os.environ.get("FUZZ_SEED", "")
CANARY = "cAnArY5eCrEt"
#: An environment variable whose value is the secret.
VARIABLE = "MULTISTORE_TEST_CANARY"
DRIVERS = ("memory", "file", "http", "rbd")

STARTS = [
    "memory:", "memory://", "memory:///", "file:", "file://", "file:///", "file://localhost/", "filesystem:///", "http:",
    "http://", "http://", "https://host", "HTTP://", "File:///", "swift+https://", "rbd://", "://", "", "nosuch:", "memory",
    "\0://",
]  # fmt: skip
ATOMS = [
    "", "/", "//", "///", ":", "?", "#", "&", "=", "@", "%", "%2F", "%2f", "%00", "%2e%2e", "%zz", "\0", "\n", "\r\n", " ",
    ".", "..", "../", "/../../etc/passwd", "./", "~", "*", "\\", "[", "]", "[::1]", "[::1", "localhost", "host:80", "host:99999",
    "host:x", "host:-1", "a", "image", "é", "日本", "\ud800", "\u202e", "\u2028", "\x7f", "x" * 300, "0", "-1", "9" * 40, "nan",
    "@host", "user@", "true", "8MiB", "1e400", "+", ";", ",", "|", "xn--", "\u2100", "\uff0f", "host", "host/a", ":3", "=1",
    "?size=1", "?capacity=1", "?directories=/a,/b", "?durable=no", "?part_size=0", "?base=", "&paths=", "?file_mode=",
]  # fmt: skip
#: The secret with what makes it one, whatever stands before or behind; a text has one of these at most, unchanged.
SECRETS = [
    f"user:{CANARY}@", f"user:{CANARY}@host", f"//user:{CANARY}@host/a", f"http://user:{CANARY}@host/a",
    f"user:{CANARY}%40host", f"?token={CANARY}", f"?{CANARY}&", f"?a=1&{CANARY}&b", f"?a=1&sig={CANARY}=", f"#{CANARY}",
]  # fmt: skip
VALUES: list[object] = [
    *ATOMS, *SECRETS, None, True, False, 0, -1, 1, 10**30, 1.5, float("nan"), float("inf"), b"bytes", [], ["a"], [1], [None], {},
    {"a": "b"}, (), ("a", "b"), object(), "/srv/images", ["/a", "/b:7"], "http://host/a", "*.host", "10.0.0.0/8",
    {"env": "NO_SUCH_VARIABLE_HERE"}, {"env": 7}, {"env": ""}, {"env": "A=B"}, {"env": "A", "file": "B"}, {"env": VARIABLE},
    {"file": "/nonexistent/file"}, {"file": "/"}, {"file": None}, {"file": "a\0b"}, {"file": "\ud800"},
    CANARY, [CANARY], ["/a", f"/b:{CANARY}"], {"key": CANARY}, {CANARY: "value"}, Secret(CANARY), Secret(f"\n{CANARY}: x"),
    {"env": f"user:{CANARY}@host"}, {"file": f"//user:{CANARY}@host/a"}, {"file": f"/{'x' * 300}?{CANARY}"}, CANARY.encode(),
]  # fmt: skip
KEYS = [
    "",
    "driver ",
    "url",
    "nosuch",
    "\0",
    "Capacity",
    f"//user:{CANARY}@host/a",
    f"token={CANARY}",
]


def chance_of(name: str) -> random.Random:
    """Give the random numbers of one test: always the same ones, unless others are asked for."""
    return random.Random(f"{name} {SEED}")


def mutated(text: str, chance: random.Random) -> str:
    """Change one place of a text."""
    at = chance.randrange(len(text) + 1)
    to = min(len(text), at + chance.choice([0, 0, 1, 1, 3]))
    odd = chance.choice(
        ["", "\0", "\n", "%", "/", ":", "@", "\\", "?", "#", "İ", "\ud800", text[to:]]
    )
    return text[:at] + odd + text[to:]


def strange_text(chance: random.Random) -> str:
    """Make a reference or URL, right, wrong or worse; every second one has a secret in it."""
    before, after = (
        "".join(chance.choices(ATOMS, k=chance.choice([0, 1, 2, 3]))) for _ in range(2)
    )
    before = chance.choice(STARTS) + before
    if chance.random() < 0.2:
        before = mutated(before, chance)
    return before + (chance.choice(SECRETS) if chance.random() < 0.5 else "") + after


def strange_texts(name: str) -> Iterator[str]:
    """Make ``COUNT`` of them."""
    chance = chance_of(name)
    return (strange_text(chance) for _ in range(COUNT))


def _keys(scheme: str) -> list[str]:
    return [each.name for each in fields(driver_class(scheme).settings_type)]


def strange_tables(name: str, scheme: str) -> Iterator[dict[str, object]]:
    """Make one driver's share of ``COUNT`` tables of settings; some of them name another driver."""
    chance = chance_of(f"{name} {scheme}")
    known = _keys(scheme)
    for _ in range(COUNT // len(DRIVERS) + 1):
        table: dict[str, object] = {"driver": scheme}
        for _ in range(chance.randint(0, 4)):
            key = chance.choice(KEYS if chance.random() < 0.1 else known)
            table[key] = chance.choice(VALUES) if chance.random() < 0.9 else strange_text(chance)
        if chance.random() < 0.1:
            table[chance.choice(["driver", "url"])] = strange_text(chance)
        yield table


#: The same for hypothesis.
_pieces = st.lists(st.sampled_from(ATOMS) | st.text(max_size=5), max_size=4).map("".join)
texts = st.tuples(st.sampled_from(STARTS), _pieces, st.sampled_from(["", *SECRETS]), _pieces).map(
    "".join
)
tables = st.sampled_from(DRIVERS).flatmap(
    lambda scheme: st.dictionaries(
        st.sampled_from([*_keys(scheme), *KEYS]), st.sampled_from(VALUES) | st.text(), max_size=4
    ).map(lambda table: {"driver": scheme} | table)
)


def told(error: BaseException) -> str:
    """Give everything of an error that a log, a traceback or a report could show, with what it came from.

    In lower case, as schemes and hosts are.
    """
    shown = "".join(traceback.format_exception_only(error))
    text = f"{error} {error!r} {error.args} {vars(error)} {shown}"
    for chained in (error.__cause__, None if error.__suppress_context__ else error.__context__):
        if chained is not None:
            text += told(chained)
    return text.lower()
