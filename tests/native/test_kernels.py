"""Every kernel against hashlib: all short lengths, random ones, any split, any alignment, copies, published vectors."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from native.levels import EVERY, fused, need, right
from native.levels import found as digests

pytestmark = pytest.mark.timeout(60)

#: RFC 1321 appendix A.5.
MD5 = {
    "": "d41d8cd98f00b204e9800998ecf8427e",
    "a": "0cc175b9c0f1b6a831c399e269772661",
    "abc": "900150983cd24fb0d6963f7d28e17f72",
    "message digest": "f96b697d7cb7938d525a2f31aaf161d0",
    "abcdefghijklmnopqrstuvwxyz": "c3fcd3d76192e4007dfb496cca67e13b",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "d174ab98d277d9f5a5611c2c9f419d9f",
    "1234567890" * 8: "57edf4a22be3c955ac49da2e2107b67a",
}
_LONG = (
    "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"
)
#: FIPS 180-4, the examples published with it.
SHA = {
    ("sha512", "abc"): "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ("sha512", _LONG): "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
    "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
    ("sha512", "a" * 1_000_000): "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
    "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b",
    ("sha256", "abc"): "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    (
        "sha256",
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    ): "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    (
        "sha256",
        "a" * 1_000_000,
    ): "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
}


@pytest.fixture(params=EVERY, ids=lambda each: f"{each[0]}-{each[1]}")
def kernel(request: pytest.FixtureRequest) -> tuple[str, str]:
    level, sha = request.param
    need(level)
    return level, sha


def test_every_length_up_to_1100(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    data = random.Random(1).randbytes(1100)
    for length in range(1101):
        digest = fused(level, sha)
        digest.update(data[:length])
        assert digests(digest, sha) == right(data[:length], sha), length


def test_every_length_continued_from_every_place_in_a_block(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    data = random.Random(2).randbytes(400)
    expected = {length: right(data[:length], sha) for length in range(401)}
    for first in range(129):
        digest = fused(level, sha)
        digest.update(data[:first])
        for second in (first, first + 1, first + 63, first + 127, first + 128, first + 200):
            grown = digest.copy()
            grown.update(data[first:second])
            assert digests(grown, sha) == expected[second], (first, second)
        assert digests(digest, sha) == expected[first]


@pytest.mark.parametrize("seed", range(3))
def test_random_lengths_splits_alignments_and_looks_in_between(
    kernel: tuple[str, str], seed: int
) -> None:
    level, sha = kernel
    chosen = random.Random(seed)
    pool = memoryview(chosen.randbytes(1 << 20))
    for limit in (300, 5000, 1 << 20):
        for _ in range(60 if limit < 1 << 20 else 4):
            digest, seen = fused(level, sha), b""
            length = chosen.randrange(limit)
            start = chosen.randrange(len(pool) - length) if length < len(pool) else 0
            data = pool[start : start + length]  # starts at any address
            at = 0
            while at < length:
                step = chosen.choice((1, chosen.randrange(140), chosen.randrange(1, limit)))
                digest.update(data[at : at + step])
                at += step
                if chosen.random() < 0.1:
                    seen = bytes(data[:at])
                    assert digests(digest, sha) == right(seen, sha)
            assert digests(digest, sha) == right(bytes(data), sha)


def test_random_lengths_up_to_64_mebibytes_in_random_pieces(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    chosen = random.Random(64)
    pool = memoryview(chosen.randbytes(1 << 20) * 64)
    for length in (len(pool), *(chosen.randrange(len(pool)) for _ in range(3))):
        start = chosen.randrange(len(pool) - length + 1)
        data, at = pool[start : start + length], 0
        digest = fused(level, sha)
        while at < length:
            step = chosen.randrange(1, 9 << 20)
            digest.update(data[at : at + step])
            at += step
        assert digests(digest, sha) == right(bytes(data), sha), (length, start)


def test_what_the_standards_publish(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    for text, expected in MD5.items():
        digest = fused(level, sha)
        digest.update(text.encode())
        assert digest.hexdigest("md5") == expected
    for (name, text), expected in SHA.items():
        if name == sha:
            digest = fused(level, sha)
            digest.update(text.encode())
            assert digest.hexdigest(sha) == expected


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.one_of(st.binary(max_size=300), st.sampled_from(["look", "copy"])), max_size=12
    )
)
def test_any_sequence_of_calls(kernel: tuple[str, str], steps: list[bytes | str]) -> None:
    level, sha = kernel
    digest, data = fused(level, sha), b""
    for step in steps:
        if isinstance(step, bytes):
            digest.update(step)
            data += step
        elif step == "look":
            assert digests(digest, sha) == right(data, sha)
        else:
            old, digest = digest, digest.copy()
            old.update(b"what the copy must not see")
    assert digests(digest, sha) == right(data, sha)


def test_any_contiguous_buffer_will_do(kernel: tuple[str, str]) -> None:
    level, sha = kernel
    digest = fused(level, sha)
    for piece in (b"bytes", bytearray(b"bytearray"), memoryview(b"-memoryview-")[1:-1], b""):
        digest.update(piece)
    assert digests(digest, sha) == right(b"bytesbytearraymemoryview", sha)
    with pytest.raises(TypeError):
        digest.update("text")  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        digest.update(memoryview(b"abcdef")[::2])
    assert digests(digest, sha) == right(b"bytesbytearraymemoryview", sha)
    with pytest.raises(ValueError, match="sha1"):
        digest.digest("sha1")
