"""The extension as it is built: without a warning, from what the generator makes, and clean under the sanitizers."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from native.levels import COMPILER, LACKING

#: What goes through a lot of bytes learns nothing more of the sanitizers, and hashlib is not what they judge.
#: Their allocator has locks that a child forked meanwhile finds taken for ever.
LIGHT = "not 64_mebibytes and not others_run and not forked and not hashlib"
ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "packages/multistore_digest"
pytestmark = pytest.mark.timeout(240)


def build(package: Path, **environment: str) -> str:
    """Compile a copy of the package in place, and give what the compiler said."""
    shutil.copytree(
        PACKAGE,
        package,
        ignore=shutil.ignore_patterns("*.so", "build", "*.egg-info", "__pycache__"),
    )
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        check=False,
        cwd=package,
        env={**os.environ, "MULTISTORE_DIGEST_REQUIRED": "1", **environment},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_what_is_kept_is_what_the_generator_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE / "csrc"))
    made = runpy.run_path(str(PACKAGE / "csrc/generate.py"))["generated"]()
    kept = {path.name: path.read_text() for path in (PACKAGE / "csrc/made").iterdir()}
    assert kept == made


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_compiler_warns(tmp_path: Path, compiler: str) -> None:
    found = shutil.which(compiler) or shutil.which(f"{compiler}-14")
    if LACKING:
        pytest.skip(f"{LACKING}: nothing is compiled")
    if found is None:
        pytest.skip(f"{compiler} is not installed: what it would warn of is not known")
    said = build(tmp_path / "package", CC=found, CFLAGS="-Werror")
    assert "warning:" not in [
        word for line in said.splitlines() if ".c:" in line for word in line.split()
    ]


def test_a_kernel_that_cannot_be_compiled_is_left_out(tmp_path: Path) -> None:
    package = tmp_path / "package"
    said = build_without_compiler(package)
    assert not list(package.glob("src/multistore_digest/*.so")), said
    done = subprocess.run(
        [sys.executable, "-m", "multistore_digest"],
        env={**os.environ, "PYTHONPATH": str(package / "src")},
        capture_output=True,
        text=True,
        check=True,
        timeout=15,
    )
    assert "md5 with sha512: hashlib (the extension cannot be loaded" in done.stdout


def build_without_compiler(package: Path) -> str:
    return build(package, CC="/nonexistent/cc", MULTISTORE_DIGEST_REQUIRED="")


def test_it_is_clean_under_the_address_and_undefined_behaviour_sanitizers(tmp_path: Path) -> None:
    """Runs the proofs of the kernels once more, in a process that has the sanitizers loaded."""
    if LACKING:
        pytest.skip(f"{LACKING}: nothing is judged under the sanitizers")
    loaded = [library(each) for each in ("libasan.so", "libubsan.so")]
    if None in loaded:
        pytest.skip(f"{COMPILER} comes without its sanitizers: nothing is judged under them")
    package = tmp_path / "package"
    build(package, MULTISTORE_DIGEST_SANITIZE="address,undefined")
    environment = {
        **os.environ,
        "PYTHONPATH": str(package / "src"),
        "LD_PRELOAD": " ".join(filter(None, loaded)),
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter's own, at its end
        "PYTHONMALLOC": "malloc",  # so that every object has its red zones
        "NATIVE_FROM": str(package),
    }
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        environment.pop(name, None)
    chosen = ["test_kernels.py", "test_sharing.py", "test_parts.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", LIGHT, "--durations=8", "-p", "no:cacheprovider", "-p", "no:xdist",
         *(str(Path(__file__).with_name(name)) for name in chosen)],
        check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    print(done.stdout)


def library(name: str) -> str | None:
    """Find a library of the compiler's, None if it has none."""
    assert COMPILER is not None
    done = subprocess.run(
        [COMPILER, f"-print-file-name={name}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=15,
    )
    path = done.stdout.strip()
    return path if os.path.isabs(path) else None
