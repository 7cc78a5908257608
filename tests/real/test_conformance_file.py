"""The file driver keeps the whole contract on real file systems, each made for the occasion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from conformance.file_rig import file_rig
from crashing.disks import make_disk, mounted, run
from multistore.testing import DriverConformance, Rig


class _OnADisk(DriverConformance):
    """A loop device with one kind of file system; each test has a directory of its own on it."""

    kind: ClassVar[str]
    #: What it can do about copies.
    reflinks: ClassVar[bool]

    @pytest.fixture(scope="class")
    @classmethod
    def disk(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        place = tmp_path_factory.mktemp(cls.kind)
        make_disk(str(place / "disk"), cls.kind)
        with mounted(str(place / "disk"), str(place / "mnt")) as at:
            yield Path(at)

    @pytest.fixture
    def rig(self, disk: Path, tmp_path: Path) -> Rig:
        return file_rig(disk / tmp_path.name, copies=self.reflinks)


@pytest.mark.real
class TestExt4(_OnADisk):
    kind = "ext4"
    reflinks = False


@pytest.mark.real
class TestXfs(_OnADisk):
    kind = "xfs"
    reflinks = True


@pytest.mark.real
class TestBtrfs(_OnADisk):
    kind = "btrfs"
    reflinks = True


@pytest.mark.real
class TestTmpfs(_OnADisk):
    kind = "tmpfs"
    reflinks = False

    @pytest.fixture(scope="class")
    @classmethod
    def disk(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        place = tmp_path_factory.mktemp(cls.kind)
        run("mount", "-t", "tmpfs", "-o", "size=64m", "none", str(place))
        try:
            yield place
        finally:
            run("umount", str(place))
