"""The refusal to run over another distribution's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import glance_store
import pytest
from glance_store import _leftovers

FOLDER = Path(glance_store.__file__).parent


def imported(site: Path) -> subprocess.CompletedProcess[str]:
    # without coverage: the copies are not what is measured
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environment |= {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    script = "import glance_store; print(glance_store.__file__)"
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(FOLDER, tmp_path / "glance_store", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.timeout(120)
def test_a_clean_installation_is_imported(site: Path) -> None:
    (site / "glance_store" / "__pycache__").mkdir(exist_ok=True)
    (site / "glance_store" / ".hidden").mkdir()
    (site / "glance_store" / "notes.orig").touch()
    (site / "glance_store-5.7.0+multistore.1.dist-info").mkdir()
    (site / "glance_store_vfs-1.0.dist-info").mkdir()
    done = imported(site)
    assert done.stdout.strip().startswith(str(site)), done.stderr


@pytest.mark.timeout(120)
def test_leftovers_refuse_the_import_and_say_what_to_do(site: Path) -> None:
    (site / "glance_store" / "rbd.py").touch()
    done = imported(site)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError")
    assert "rbd.py" in last
    assert "pip uninstall glance_store" in last


@pytest.mark.parametrize(
    "stranger",
    [
        "glance_store/tests",
        "glance_store/rbd.py",
        "glance_store/_speed.so",
        "glance_store-5.7.0.dist-info",
        "glance_store-4.9.1-py3.11.egg-info",
        "glance-store-5.7.0.dist-info",
    ],
)
def test_modules_and_metadata_of_others_are_found(tmp_path: Path, stranger: str) -> None:
    folder = tmp_path / "glance_store"
    folder.mkdir()
    (folder / "driver.py").touch()
    _leftovers.check(str(folder))
    path = tmp_path / stranger
    if path.suffix in (".py", ".so"):
        path.touch()
    else:
        path.mkdir()
    with pytest.raises(ImportError, match=path.name):
        _leftovers.check(str(folder))


def test_the_list_of_our_own_files_is_complete() -> None:
    present = {name for name in os.listdir(FOLDER) if not name.startswith((".", "__pycache__"))}
    assert present == _leftovers.OURS


def test_a_folder_that_cannot_be_listed_is_accepted(tmp_path: Path) -> None:
    _leftovers.check(str(tmp_path / "archive.zip" / "glance_store"))
