"""The file driver keeps the whole contract on whatever the temporary directory lies on, and on tmpfs."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.file_rig import file_rig
from multistore.testing import DriverConformance, Rig


class TestFile(DriverConformance):
    """A durable, thin store in one directory."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return file_rig(tmp_path / "images")


class TestFileThick(DriverConformance):
    """Space reserved up front, nothing synced, one part at a time."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return file_rig(tmp_path / "images", thin=False, durable=False, parallel=1)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no tmpfs at /dev/shm")
class TestFileOnTmpfs(DriverConformance):
    """A file system in memory."""

    @pytest.fixture
    def rig(self) -> Iterator[Rig]:
        directory = tempfile.mkdtemp(prefix="multistore-conformance-", dir="/dev/shm")
        yield file_rig(Path(directory) / "images")
        shutil.rmtree(directory)
