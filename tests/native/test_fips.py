"""FIPS mode is found by OpenSSL's flag and by the operating system's."""

from __future__ import annotations

import _hashlib
from pathlib import Path

import pytest
from multistore_digest import _choice


@pytest.mark.parametrize(("said", "expected"), [("1\n", True), ("0\n", False), (None, False)])
def test_the_operating_systems_flag(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None, expected: bool
) -> None:
    flag = tmp_path / "fips_enabled"
    if said is not None:
        flag.write_text(said)
    monkeypatch.setattr(_choice, "_KERNEL_FIPS", str(flag))
    monkeypatch.setattr(_hashlib, "get_fips_mode", lambda: 0)
    assert _choice._fips() is expected


def test_openssls_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hashlib, "get_fips_mode", lambda: 1)
    assert _choice._fips()
