"""The streams of the kernels, each as if it were alone: rounds of md5, sha512 and sha256, and sha512's message schedule.

Every function gives C statements in their order; the macros are those of ``intrinsics.h``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, islice

__all__ = [
    "MD5_KEYS",
    "SHA256_KEYS",
    "SHA512_KEYS",
    "by_word",
    "md5_rounds",
    "sha256_rounds",
    "sha512_rounds_gpr",
    "sha512_rounds_vector",
    "sha512_schedule_avx2",
    "sha512_schedule_avx512",
]

PRIMES = list(islice((n for n in count(2) if all(n % d for d in range(2, math.isqrt(n) + 1))), 80))
#: RFC 1321 section 3.4: how far each round turns, by turn and round.
MD5_TURNS = [(7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21)]


def _cube_root(value: int) -> int:
    low, high = 0, 1 << 72
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= value else (low, middle - 1)
    return low


#: The first bits of the fractions of the cube roots of the primes.
SHA512_KEYS = [_cube_root(prime << 192) % 2**64 for prime in PRIMES]
SHA256_KEYS = [_cube_root(prime << 96) % 2**32 for prime in PRIMES[:64]]


def _md5_word(at: int) -> int:
    """Give the word of the message that round ``at`` takes."""
    return (at, 5 * at + 1, 3 * at + 5, 7 * at)[at // 16] % 16


def by_word(keys: Sequence[int]) -> list[int]:
    """Put 64 constants of md5 into the order of the message's words within each turn, so that four are added at once."""
    ordered = [0] * 64
    for at, key in enumerate(keys):
        ordered[at // 16 * 16 + _md5_word(at)] = key
    return ordered


MD5_KEYS = by_word([math.floor(abs(math.sin(at + 1)) * 2**32) for at in range(64)])


def md5_rounds(keys: str) -> list[str]:
    """Give md5's 64 rounds, in general registers; the array ``keys`` holds message plus constant.

    What depends on the newest word comes last, because that chain is what the whole kernel waits for.
    """
    statements = []
    for at in range(64):
        a, b, c, d = (("ma", "mb", "mc", "md")[(place - at) % 4] for place in range(4))
        turn = at // 16
        statements.append(f"{a} += {keys}[{16 * turn + _md5_word(at)}];")
        statements += (
            [f"{a} += (({c} ^ {d}) & {b}) ^ {d};"],
            # b&d | c&~d: the halves share no bit, so they can be added one after the other
            [f"{a} += {c} & ~{d};", f"{a} += {b} & {d};"],
            [f"{a} += ({c} ^ {d}) ^ {b};"],
            [f"{a} += {c} ^ ({b} | ~{d});"],
        )[turn]
        statements += [f"{a} = ROL32({a}, {MD5_TURNS[turn][at % 4]});", f"{a} += {b};"]
    return statements


def sha512_rounds_gpr() -> list[str]:
    """Give sha512's 80 rounds in general registers."""
    statements = ["majority = b ^ c;"]
    for at in range(80):
        a, b, _, d, e, f, g, h = ("abcdefgh"[(place - at) % 8] for place in range(8))
        statements += [
            f"{h} += schedule[{at}];",
            f"{h} += {g} & ~{e};",
            f"{h} += {e} & {f};",
            f"sum1 = ROR64({e}, 14) ^ ROR64({e}, 18) ^ ROR64({e}, 41);",
            f"{h} += sum1;",
            f"{d} += {h};",
            # a^b of this round is b^c of the next
            f"differ = {a} ^ {b};",
            f"majority = (majority & differ) ^ {b};",
            f"{h} += majority;",
            "majority = differ;",
            f"sum0 = ROR64({a}, 28) ^ ROR64({a}, 34) ^ ROR64({a}, 39);",
            f"{h} += sum0;",
        ]
    return statements


def sha512_rounds_vector() -> list[str]:
    """Give sha512's 80 rounds in vector registers with two lanes, both of which do the same instructions.

    The lower lanes of s0..s3 are e, f, g, h; the upper ones a, b, c, d as they were one round before.  Both need three
    rotations xored (by other amounts: variable rotation) and a function of three words (Ch below, Maj above).
    ``sum`` keeps in its lower lane what FIPS 180-4 calls T1, which the upper lane adds one round later.
    """
    statements = [f"s{at} = total{at};" if at < 4 else "first = total_a;" for at in range(5)]
    for at in range(80):
        s0, s1, s2, s3 = (f"s{(place - at) % 4}" for place in range(4))
        statements += [
            f"r0 = _mm_rorv_epi64({s0}, turn0);",
            f"r1 = _mm_rorv_epi64({s0}, turn1);",
            f"r2 = _mm_rorv_epi64({s0}, turn2);",
            # below d, above T1 of the round before
            f"moved = _mm_unpackhi_epi64({s2}, {s2});"
            if at == 0
            else f"moved = _mm_alignr_epi8(sum, {s2}, 8);",
            f"sum = _mm_add_epi64({s3}, _mm_set1_epi64x((long long)schedule[{at}]));",
            # below s1 and s2, above s1|s2 and s1&s2: choosing by s0 then gives Ch and Maj
            f"either = _mm_ternarylogic_epi64({s1}, {s2}, upper, 0xF8);",
            f"both = _mm_ternarylogic_epi64({s2}, {s1}, upper, 0xD0);",
            f"chosen = _mm_ternarylogic_epi64({s0}, either, both, 0xCA);",
            "moved = _mm_mask_add_epi64(moved, 1, moved, sum);",
            "r0 = XOR3(r0, r1, r2);",
            "r0 = _mm_add_epi64(r0, chosen);",
            f"{s3} = _mm_mask_add_epi64(first, 1, r0, moved);"
            if at == 0
            else f"{s3} = _mm_add_epi64(r0, moved);",
            "sum = _mm_add_epi64(r0, sum);",
        ]
    # The upper lanes are one round behind: their last round.
    statements += [
        "r0 = XOR3(_mm_rorv_epi64(s0, turn0), _mm_rorv_epi64(s0, turn1), _mm_rorv_epi64(s0, turn2));",
        "r0 = _mm_add_epi64(r0, _mm_ternarylogic_epi64(s0, s1, s2, 0xE8));",
        "total_a = _mm_add_epi64(total_a, _mm_add_epi64(r0, _mm_slli_si128(sum, 8)));",
        *(f"total{at} = _mm_add_epi64(total{at}, s{at});" for at in range(4)),
    ]
    return statements


def sha512_schedule_avx512() -> list[list[str]]:
    """Give the words 16 to 79 of the message schedule, four at a time, with vector rotations."""
    groups = []
    for group in range(4, 20):
        x0, x1, x2, x3 = (f"w{(group + place) % 4}" for place in range(4))
        groups.append([
            f"low = _mm256_alignr_epi64({x1}, {x0}, 1);",
            f"high = _mm256_alignr_epi64({x3}, {x2}, 1);",
            f"tail = _mm256_extracti128_si256({x3}, 1);",
            f"high = _mm256_add_epi64(high, {x0});",
            "low = SMALL_SIGMA0(low);",
            "tail = SMALL_SIGMA1(tail);",
            "low = _mm256_add_epi64(low, high);",
            # the upper two words need the lower two
            "tail = _mm_add_epi64(tail, _mm256_castsi256_si128(low));",
            "head = _mm256_extracti128_si256(low, 1);",
            "sigma = SMALL_SIGMA1(tail);",
            "head = _mm_add_epi64(head, sigma);",
            f"{x0} = _mm256_inserti128_si256(_mm256_castsi128_si256(tail), head, 1);",
            f"STORE_SUM64(schedule + {4 * group}, {x0}, SHA512_KEYS + {4 * group});",
        ])  # fmt: skip
    return groups


def sha512_schedule_avx2() -> list[list[str]]:
    """Give the same with shifts, where there are no vector rotations."""
    groups = []
    for group in range(4, 20):
        x0, x1, x2, x3 = (f"w{(group + place) % 4}" for place in range(4))
        groups.append([
            f"low = SHIFTED_IN({x1}, {x0});",
            f"high = SHIFTED_IN({x3}, {x2});",
            f"tail = _mm256_extracti128_si256({x3}, 1);",
            f"high = _mm256_add_epi64(high, {x0});",
            "bits = _mm256_srli_epi64(low, 7);",
            "bits = _mm256_xor_si256(bits, _mm256_srli_epi64(low, 1));",
            "bits = _mm256_xor_si256(bits, _mm256_slli_epi64(low, 63));",
            "low = _mm256_xor_si256(ROR64_BY_8(low), bits);",
            *_small_sigma1("tail", "tail"),
            "low = _mm256_add_epi64(low, high);",
            "tail = _mm_add_epi64(tail, _mm256_castsi256_si128(low));",
            "head = _mm256_extracti128_si256(low, 1);",
            *_small_sigma1("sigma", "tail"),
            "head = _mm_add_epi64(head, sigma);",
            f"{x0} = _mm256_inserti128_si256(_mm256_castsi128_si256(tail), head, 1);",
            f"STORE_SUM64(schedule + {4 * group}, {x0}, SHA512_KEYS + {4 * group});",
        ])  # fmt: skip
    return groups


def _small_sigma1(target: str, source: str) -> list[str]:
    return [
        f"other = _mm_xor_si128(_mm_srli_epi64({source}, 61), _mm_slli_epi64({source}, 3));",
        f"other = _mm_xor_si128(other, _mm_srli_epi64({source}, 6));",
        f"{target} = _mm_xor_si128(_mm_srli_epi64({source}, 19), _mm_slli_epi64({source}, 45));",
        f"{target} = _mm_xor_si128({target}, other);",
    ]


def sha256_rounds() -> list[str]:
    """Give sha256's 64 rounds, four at a time, with the processor's own instructions for them."""
    statements = ["old0 = state0;", "old1 = state1;"]
    for group in range(16):
        x0, x1, x2, x3 = (f"w{(group + place) % 4}" for place in range(4))
        if group < 4:
            statements.append(f"{x0} = BIG_ENDIAN32(data + {16 * group});")
        else:
            statements += [
                f"{x0} = _mm_sha256msg1_epu32({x0}, {x1});",
                f"{x0} = _mm_add_epi32({x0}, _mm_alignr_epi8({x3}, {x2}, 4));",
                f"{x0} = _mm_sha256msg2_epu32({x0}, {x3});",
            ]
        statements += [
            f"sum = _mm_add_epi32({x0}, LOAD128(SHA256_KEYS + {4 * group}));",
            "state1 = _mm_sha256rnds2_epu32(state1, state0, sum);",
            "sum = _mm_shuffle_epi32(sum, 0x0E);",
            "state0 = _mm_sha256rnds2_epu32(state0, state1, sum);",
        ]
    return [
        *statements,
        "state0 = _mm_add_epi32(state0, old0);",
        "state1 = _mm_add_epi32(state1, old1);",
    ]
