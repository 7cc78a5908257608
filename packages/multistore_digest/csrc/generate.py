"""Writes the interleaved kernels: ``python generate.py`` after a change here, and commit what it makes.

A kernel is one C function that runs several streams of statements at once: the rounds of md5, the rounds of the SHA, and
the preparation of what both add in each round.  Each stream is written on its own below, as if it were alone; ``merge`` then shuffles
them together like cards, every statement at its place between 0 and 1 of the block.  ``README.md`` says why this pays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rounds import (
    MD5_KEYS,
    SHA256_KEYS,
    SHA512_KEYS,
    by_word,
    md5_rounds,
    sha256_rounds,
    sha512_rounds_gpr,
    sha512_rounds_vector,
    sha512_schedule_avx2,
    sha512_schedule_avx512,
)

Placed = tuple[float, str]
HERE = Path(__file__).parent


def spread(statements: Sequence[str], start: float = 0.0, end: float = 1.0) -> list[Placed]:
    """Place statements evenly over a stretch of the block."""
    step = (end - start) / len(statements)
    return [(start + (at + 0.5) * step, each) for at, each in enumerate(statements)]


def merge(*streams: Iterable[Placed]) -> list[str]:
    """Shuffle streams together; each keeps its own order, and at equal places the first stream goes first."""
    placed = [
        (place, number, at, each)
        for number, stream in enumerate(streams)
        for at, (place, each) in enumerate(stream)
    ]
    return [each for *_, each in sorted(placed)]


def md5_keys(target: str, source: str, bits: int = 256) -> list[str]:
    """Add the 64 constants of md5 to the words of a block of the message, in the order of the words."""
    words = bits // 32
    return [
        statement
        for at in range(0, 16, words)
        for statement in (
            f"words = LOAD{bits}({source} + {4 * at});",
            *(
                f"STORE_SUM32_{bits}({target} + {16 * turn + at}, words, MD5_KEYS + {16 * turn + at});"
                for turn in range(4)
            ),
        )
    ]


def sha512_load(source: str) -> list[str]:
    """Take the sixteen words of the next block, and add the first constants."""
    return [
        statement
        for group in range(4)
        for statement in (
            f"w{group} = BIG_ENDIAN64({source} + {32 * group});",
            f"STORE_SUM64(schedule + {4 * group}, w{group}, SHA512_KEYS + {4 * group});",
        )
    ]


def sha512_preparation(schedule: list[list[str]]) -> list[Placed]:
    """Place the message schedule: four words at a time, ahead of the rounds, and after round 66 the next block."""
    placed = [
        each
        for number, group in enumerate(schedule)
        for each in spread(group, 4 * number / 80, (4 * number + 4) / 80)
    ]
    return placed + spread(sha512_load("next"), 66 / 80, 76 / 80)


MD5_ADD = ["ma = md5[0] += ma;", "mb = md5[1] += mb;", "mc = md5[2] += mc;", "md = md5[3] += md;"]
MD5_START = "uint32_t ma = md5[0], mb = md5[1], mc = md5[2], md = md5[3];"
KEYS_START = "uint32_t keys0[64] ALIGNED, keys1[64] ALIGNED;"


#: sha256's names where sha512's vectors have these already.
BESIDE = {"w0": "v0", "w1": "v1", "w2": "v2", "w3": "v3", "sum": "sum256"}


def renamed(statements: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Give the statements with other variables."""
    pattern = re.compile(r"\b(" + "|".join(names) + r")\b")
    return [pattern.sub(lambda found: names[found[0]], each) for each in statements]


def sha256_beside() -> list[str]:
    """Give sha256's rounds for both halves of a block of 128 bytes."""
    return [
        statement.replace("data +", f"data + {half} +")
        for half in (0, 64)
        for statement in renamed(sha256_rounds(), BESIDE)
    ]


#: md5 of a block of 128 bytes, and the same into another state.
MD5_TWO = [*md5_rounds("keys0"), *MD5_ADD, *md5_rounds("keys1"), *MD5_ADD]
OTHER_MD5 = {"ma": "na", "mb": "nb", "mc": "nc", "md": "nd", "md5": "part"}


def md5_sha512(level: str, start: list[str], rounds: list[str], end: list[str], part: str) -> str:
    """Make a kernel for blocks of 128 bytes: two of md5, one of sha512, and two of ``part``, which has a state of its own."""
    beside: list[str] = []
    if part == "sha256":
        beside = sha256_beside()
        start = [
            "__m128i v0, v1, v2, v3, sum256, old0, old1;",
            "__m128i state0 = SHA256_FIRST(part), state1 = SHA256_SECOND(part);",
            *start,
        ]
        end = [*end, "SHA256_STORE(part, state0, state1);"]
    elif part == "md5":
        beside = renamed(MD5_TWO, OTHER_MD5)
        start = [*renamed([MD5_START], OTHER_MD5), *start]
    schedule = sha512_schedule_avx512() if level == "avx512vl" else sha512_schedule_avx2()
    body = merge(
        spread(MD5_TWO),
        spread(rounds),
        *([spread(beside)] if beside else []),
        sha512_preparation(schedule),
        # The keys of each half are made while the other half is hashed.
        [
            *spread(md5_keys("keys1", "data + 64"), 0.25, 0.47),
            *spread(md5_keys("keys0", "next"), 0.62, 0.98),
        ],
    )
    before = [
        MD5_START,
        KEYS_START,
        "uint64_t schedule[80] ALIGNED;",
        "__m256i words;",
        *start,
        *md5_keys("keys0", "data"),
        *sha512_load("data"),
    ]
    return function("sha512", level, 128, part, before=before, body=body, end=end)


def sha512_vector(part: str = "") -> str:
    start = [
        "__m256i w0, w1, w2, w3, low, high;",
        "__m128i tail, head, sigma, r0, r1, r2, chosen, either, both, moved, sum, first = _mm_setzero_si128();",
        "const __m128i turn0 = LANES(14, 28), turn1 = LANES(18, 34), turn2 = LANES(41, 39), upper = LANES(0, -1);",
        "__m128i s0 = LANES(sha[4], sha[1]), s1 = LANES(sha[5], sha[2]), s2 = LANES(sha[6], sha[3]), s3 = LANES(sha[7], 0);",
        "__m128i total0 = s0, total1 = s1, total2 = s2, total3 = s3, total_a = LANES(0, sha[0]);",
    ]
    end = [
        "sha[0] = UPPER(total_a);",
        *(f"sha[{4 + at}] = LOWER(total{at});" for at in range(4)),
        *(f"sha[{1 + at}] = UPPER(total{at});" for at in range(3)),
    ]
    return md5_sha512("avx512vl", start, sha512_rounds_vector(), end, part)


def sha512_gpr(part: str = "") -> str:
    names = "abcdefgh"
    start = [
        "__m256i w0, w1, w2, w3, low, high, bits;",
        "__m128i tail, head, sigma, other;",
        "uint64_t sum0, sum1, differ, majority;",
        *(f"uint64_t {name} = sha[{at}];" for at, name in enumerate(names)),
    ]
    rounds = [
        *sha512_rounds_gpr(),
        *(f"{name} = sha[{at}] += {name};" for at, name in enumerate(names)),
    ]
    return md5_sha512("avx2", start, rounds, [], part)


def md5_sha256() -> str:
    """Make the kernel for blocks of 64 bytes, one of each; the keys alternate between two arrays."""
    before = [
        MD5_START,
        KEYS_START,
        "uint32_t *keys = keys0, *spare = keys1, *swap;",
        "__m128i words, w0, w1, w2, w3, sum, old0, old1;",
        "__m128i state0 = SHA256_FIRST(sha), state1 = SHA256_SECOND(sha);",
        *md5_keys("keys", "data", 128),
    ]
    body = merge(
        spread([*md5_rounds("keys"), *MD5_ADD]),
        spread(sha256_rounds()),
        spread(md5_keys("spare", "next", 128), 0.2, 0.9),
    )
    body.append("swap = keys; keys = spare; spare = swap;")
    end = ["SHA256_STORE(sha, state0, state1);"]
    return function("sha256", "sha_ni", 64, before=before, body=body, end=end)


def function(
    sha: str,
    level: str,
    size: int,
    part: str = "",
    *,
    before: list[str],
    body: list[str],
    end: list[str],
) -> str:
    words = {"sha512": "uint64_t", "sha256": "uint32_t"}[sha]
    state = f"{words} *sha" + (", uint32_t *part" if part else "")
    beside = f", and {part} of parts" if part else ""
    name = f"{sha}_{part}" if part else sha
    target = level.upper() + ("_SHA" if part == "sha256" else "")
    lines = [
        f"/* md5 and {sha}{beside}, {level}; made by generate.py, see README.md. */",
        '#include "../kernels.h"',
        "",
        "#ifdef HAVE_KERNELS",
        '#include "../intrinsics.h"',
        '#include "md5_keys.h"',
        *(f'#include "{each}_keys.h"' for each in (sha, part) if each not in ("", "md5")),
        "",
        f"TARGET_{target}",
        f"void fused_{name}_{level}(uint32_t *md5, {state}, const uint8_t *data, size_t blocks)",
        "{",
        *(f"    {each}" for each in before),
        "    for (;;) {",
        # The last block prepares itself once more: nothing past the end is read.
        f"        const uint8_t *next = blocks > 1 ? data + {size} : data;",
        *(f"        {each}" for each in body),
        "        if (--blocks == 0)",
        "            break;",
        "        data = next;",
        "    }",
        *(f"    {each}" for each in end),
        "}",
        "#endif",
    ]
    return "\n".join(lines) + "\n"


def table(name: str, kind: str, values: Sequence[int], digits: int) -> str:
    suffix = "ULL" if digits == 16 else "U"
    cells = [f"0x{value:0{digits}x}{suffix}" for value in values]
    rows = [", ".join(cells[at : at + 4]) for at in range(0, len(cells), 4)]
    return (
        f"static const {kind} {name}[{len(values)}] ALIGNED = {{\n    "
        + ",\n    ".join(rows)
        + ",\n};\n"
    )


def constants() -> dict[str, str]:
    """Make the tables: RFC 1321 section 3.4 (in the order of the message's words), FIPS 180-4 sections 4.2.2 and 4.2.3."""
    note = "/* Made by generate.py. */\n"
    in_order = [math.floor(abs(math.sin(at + 1)) * 2**32) for at in range(64)]
    assert by_word(in_order) == MD5_KEYS  # noqa: S101  # the generator's own check
    return {
        "md5_keys.h": note + table("MD5_KEYS", "uint32_t", MD5_KEYS, 8),
        "sha256_keys.h": note + table("SHA256_KEYS", "uint32_t", SHA256_KEYS, 8),
        "sha512_keys.h": note + table("SHA512_KEYS", "uint64_t", SHA512_KEYS, 16),
    }


def generated() -> dict[str, str]:
    """Give the text of every generated file, by its name."""
    return {
        "sha512_avx512vl.c": sha512_vector(),
        "sha512_avx2.c": sha512_gpr(),
        "sha256_sha_ni.c": md5_sha256(),
        "sha512_sha256_avx512vl.c": sha512_vector("sha256"),
        "sha512_sha256_avx2.c": sha512_gpr("sha256"),
        # In general registers there is no room for two of md5 and sha512: the same for AVX2 is slower than one after the other.
        "sha512_md5_avx512vl.c": sha512_vector("md5"),
        **constants(),
    }


if __name__ == "__main__":
    for name, text in generated().items():
        (HERE / "made" / name).write_text(text, encoding="ascii")
