"""Memory that pieces of images gave back serves the next."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
from multistore.driver import Reader
from multistore.model import Info
from multistore.pipeline import prefetch

_ROUNDS = """
import resource
from multistore.pipeline.memory import keep_freed_memory

keep_freed_memory()
for each in range(20):
    if each == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [b"x" * (1 << 20) for _ in range(8)]
    del pieces
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_pieces_of_an_image_are_not_in_new_memory_each_time() -> None:
    """Ten times 8 MiB in pieces take no new pages once they were taken, where each had 2048."""
    found = subprocess.run([sys.executable, "-c", _ROUNDS], check=True, capture_output=True)
    assert int(found.stdout) < 2048


def test_reading_ahead_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(prefetch, "keep_freed_memory", lambda: asked.append(True))

    class Empty(Reader):
        info = Info("ref", 0)

        def read(self, offset: int = 0, length: int | None = None) -> object:  # type: ignore[override]
            raise AssertionError

        def close(self) -> None:
            pass

    assert list(prefetch.prefetched(Empty(), 0, 0, 4)) == []
    assert asked == [True]
