"""The helpers that drivers share."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from glance_store.common import utils


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("9f27bb9e-0a4d-4c8a-8e7c-3f6c6d3b9a10", True),
        ("9F27BB9E-0A4D-4C8A-8E7C-3F6C6D3B9A10", False),
        ("9f27bb9e0a4d4c8a8e7c3f6c6d3b9a10", False),
        ("{9f27bb9e-0a4d-4c8a-8e7c-3f6c6d3b9a10}", False),
        ("x", False),
        (None, False),
        (5, False),
        (b"9f27bb9e", False),
    ],
)
def test_only_the_canonical_text_is_uuid_like(value: Any, answer: bool) -> None:
    assert utils.is_uuid_like(value) is answer


def test_a_readable_source_is_cut_into_chunks_and_an_iterable_left_alone() -> None:
    assert list(utils.chunkreadable(io.BytesIO(b"abcde"), 2)) == [b"ab", b"cd", b"e"]
    assert list(utils.chunkiter(io.BytesIO(b"abc"), 2)) == [b"ab", b"c"]
    chunks = [b"a", b"", b"bcd"]
    assert utils.chunkreadable(chunks) is chunks


def test_hashers_by_name() -> None:
    assert utils.get_hasher("md5", False).hexdigest() == hashlib.md5().hexdigest()
    assert utils.get_hasher("sha512").name == "sha512"
    with pytest.raises(ValueError, match="nosuch"):
        utils.get_hasher("nosuch")


def test_synchronized_is_a_named_lock() -> None:
    @utils.synchronized("a-lock")  # type: ignore[untyped-decorator,unused-ignore]
    def work(value: int) -> int:
        return value

    assert work(3) == 3
