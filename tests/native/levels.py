"""Which kernels can be judged on this machine; what cannot is skipped with the reason."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

import pytest
from multistore_digest import FusedDigest
from multistore_digest._choice import make

PAIR = {"avx512vl": "sha512", "avx2": "sha512", "sha_ni": "sha256"}
BUILT = importlib.util.find_spec("multistore_digest._kernels") is not None
HEADER = Path(sysconfig.get_path("include"), "Python.h").exists()
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
#: Why nothing can be built here; empty if it can.
LACKING = "" if COMPILER and HEADER else "no Python.h here" if COMPILER else "no C compiler here"

#: Every level with its SHA, hashlib's own with both.
EVERY = [*PAIR.items(), ("hashlib", "sha512"), ("hashlib", "sha256")]


#: Set where the proofs are run on a build of their own, which then must be the one that is judged.
FROM = os.environ.get("NATIVE_FROM", "")
if FROM:
    import multistore_digest._kernels

    assert multistore_digest._kernels.__file__.startswith(FROM), multistore_digest._kernels.__file__


def need(level: str) -> None:
    """Skip where the extension was not built, and where the processor lacks the instructions; fail where it should be there."""
    if level == "hashlib":
        return
    if not BUILT:
        assert LACKING, "there is a compiler, but the extension is not built: make native"
        pytest.skip(f"{LACKING}: the kernels of multistore-digest are not built")
    try:
        make(PAIR[level], level)
    except ValueError as error:
        pytest.skip(f"{error}: the processor lacks the instructions")


def fused(level: str, sha: str) -> FusedDigest:
    return FusedDigest(("md5", sha), level=level)


def right(data: bytes, sha: str) -> tuple[str, str]:
    return hashlib.md5(data).hexdigest(), hashlib.new(sha, data).hexdigest()


def found(digest: FusedDigest, sha: str) -> tuple[str, str]:
    return digest.hexdigest("md5"), digest.hexdigest(sha)
