"""Every row of the list of known defects of RBD stores has tests that name it: R1 to R32."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_row_has_a_test() -> None:
    texts = [path.read_text() for path in TESTS.rglob("test_*.py") if path != Path(__file__)]
    named = {
        int(number)
        for text in texts
        for words in re.findall(r'^ {4,8}"""((?:R\d+(?:, |[.: ]))+)', text, re.MULTILINE)
        for number in re.findall(r"R(\d+)", words)
    }
    assert set(range(1, 33)) - named == set()
