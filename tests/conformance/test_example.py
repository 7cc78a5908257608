"""The example of "Write a driver in an hour", installed beside multistore, keeps the whole contract."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conformance.chunk_rig import EXAMPLE


def _example() -> Any:
    """Import the example's test file as it stands."""
    path = EXAMPLE / "tests" / "test_chunk_store.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_Chunks: Any = _example().TestChunks


class TestExample(_Chunks):  # type: ignore[misc]  # loaded by its path
    """The example's own test class, with its entry point in place."""

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Lay down what an installer writes: the entry points of pyproject.toml."""
        project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
        info = tmp_path / "site" / f"multistore_chunks-{project['version']}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        points = project["entry-points"]["multistore.drivers"]
        lines = [f"{name} = {target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[multistore.drivers]", *lines, ""]))
        monkeypatch.syspath_prepend(str(info.parent))
        monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
