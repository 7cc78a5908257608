"""Which kernel is taken, and when hashlib is."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from multistore_digest import FusedDigest, Status, _choice, status
from multistore_digest._plain import Plain
from native.levels import BUILT, found, fused, need, right


@pytest.fixture(autouse=True)
def _afresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(_choice.VARIABLE, raising=False)
    monkeypatch.setattr(_choice, "_fips", lambda: False)
    _choice._status.cache_clear()
    _choice._extension.cache_clear()
    yield
    _choice._status.cache_clear()
    _choice._extension.cache_clear()


def test_the_choice_is_a_kernel_that_the_processor_has() -> None:
    need("avx2")
    from multistore_digest import _kernels

    assert status().level in _kernels.levels("sha512")
    assert status() == Status(status().level)
    assert status().fused
    assert FusedDigest().level == status().level


def test_names_come_in_any_order_and_in_pairs_only() -> None:
    digest = FusedDigest(("sha256", "md5"))
    digest.update(b"abc")
    assert digest.names == ("sha256", "md5")
    assert found(digest, "sha256") == right(b"abc", "sha256")
    for wrong in (("md5",), ("md5", "sha1"), ("md5", "md5", "sha512"), ()):
        with pytest.raises(ValueError, match="wanted"):
            FusedDigest(wrong)
    assert status(("md5", "sha1")) == Status("hashlib", "there is no kernel for these digests")
    with pytest.raises(ValueError, match="no kernel quantum"):
        FusedDigest(level="quantum")


@pytest.mark.parametrize("level", ["avx512vl", "avx2"])
def test_the_environment_asks_for_a_kernel(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    need(level)
    monkeypatch.setenv(_choice.VARIABLE, f" {level.upper()} ")
    assert status() == Status(level)


def test_the_environment_turns_kernels_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_choice.VARIABLE, "hashlib")
    assert status() == Status("hashlib", "MULTISTORE_DIGEST asks for it")
    assert FusedDigest().level == "hashlib"


def test_an_unknown_level_is_told_and_ignored(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = status()
    _choice._status.cache_clear()
    monkeypatch.setenv(_choice.VARIABLE, "avx1024")
    assert status().fused == expected.fused
    assert "MULTISTORE_DIGEST=avx1024 is none of avx512vl, avx2, sha_ni, hashlib" in caplog.text


def test_fips_turns_kernels_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_choice, "_fips", lambda: True)
    assert status() == Status("hashlib", "FIPS mode is on")


def test_a_kernel_that_differs_steps_aside_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    need("avx2")

    class Wrong(Plain):
        def digest(self, name: str, /) -> bytes:
            return super().digest(name)[::-1]

    real = _choice.make
    monkeypatch.setattr(
        _choice, "make", lambda sha, level: Wrong(sha) if level == "avx2" else real(sha, level)
    )
    with caplog.at_level(logging.WARNING):
        assert [status().level != "avx2", status().level != "avx2"] == [True, True]
    assert caplog.text.count("differs from hashlib") == 1
    assert "kernel avx2" in caplog.text

    _choice._status.cache_clear()
    monkeypatch.setattr(_choice, "make", lambda sha, _level: Wrong(sha))
    assert status() == Status("hashlib", "the kernels differ from hashlib on this machine")


def test_without_the_extension_hashlib_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "multistore_digest._kernels", None)
    assert status().level == "hashlib"
    assert status().reason.startswith("the extension cannot be loaded")
    digest = FusedDigest()
    digest.update(b"abc")
    assert found(digest.copy(), "sha512") == right(b"abc", "sha512")
    with pytest.raises(ValueError, match="no kernel avx2 here"):
        fused("avx2", "sha512")


def test_the_module_run_as_a_program_says_what_is_in_use() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "multistore_digest"], capture_output=True, text=True, check=True, timeout=15
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first.startswith("md5 with sha512: ")
    assert second.startswith("md5 with sha256: ")
    assert BUILT or "the extension cannot be loaded" in first
