"""The metadata of new locations, for consumers that have the directory mounted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from facade.houses import make_file
from glance_store import exceptions


def refused(work: Any) -> None:
    with pytest.raises(exceptions.BadStoreConfiguration) as caught:
        work()
    assert "filesystem" in str(caught.value)


def with_metadata(conf: Any, tmp_path: Path, content: object, place: Path | None = None) -> Any:
    (tmp_path / "meta.json").write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    return make_file(
        conf,
        place or tmp_path / "images",
        "fast",
        filesystem_store_metadata_file=str(tmp_path / "meta.json"),
    )


def added(store: Any, name: str = "image") -> dict[str, Any]:
    found: dict[str, Any] = store.add(name, io.BytesIO(b"x"), 1)[3]
    return found


def test_f9_metadata_is_the_caller_s_own(conf: Any, tmp_path: Path) -> None:
    entry = {"id": "a", "mountpoint": str(tmp_path), "more": ["x", {"y": "z"}]}
    store = with_metadata(conf, tmp_path, entry)
    first = added(store)
    assert first == {**entry, "store": "fast"}
    first["more"].append("changed")
    first["id"] = "changed"
    assert added(store, "other") == {**entry, "store": "fast"}
    assert [entry] == store.FILESYSTEM_STORE_METADATA


def test_f10_the_longest_mount_point_counts_at_path_boundaries(conf: Any, tmp_path: Path) -> None:
    entries = [
        {"id": "any", "mountpoint": ""},
        {"id": "part", "mountpoint": str(tmp_path / "ima")},
        {"id": "above", "mountpoint": str(tmp_path)},
        {"id": "right", "mountpoint": str(tmp_path / "images") + "/"},
        {"id": "below", "mountpoint": str(tmp_path / "images" / "image")},
    ]
    store = with_metadata(conf, tmp_path, entries)
    assert added(store)["id"] == "right"
    store.FILESYSTEM_STORE_METADATA = entries[:2]
    assert added(store, "two")["id"] == "any"


def test_no_mount_point_is_an_error_in_the_log(
    conf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = with_metadata(conf, tmp_path, [{"id": "a", "mountpoint": "/elsewhere"}])
    assert added(store) == {"store": "fast"}
    assert any(record.levelname == "ERROR" for record in caplog.records)


@pytest.mark.parametrize("content", ["[]", '{"id": "", "mountpoint": ""}'])
def test_metadata_may_be_empty(conf: Any, tmp_path: Path, content: str) -> None:
    with_metadata(conf, tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        "{", "1", '"text"', '{"id": "a"}', '[{"mountpoint": "a"}]', '{"id": 1, "mountpoint": "a"}',
        '{"id": "a", "mountpoint": "b", "more": 1}', '{"id": "a", "mountpoint": "b", "more": [null]}', "[[]]", "\xff",
    ],
)  # fmt: skip
def test_wrong_metadata_is_refused(conf: Any, tmp_path: Path, content: str) -> None:
    refused(lambda: with_metadata(conf, tmp_path, content))


def test_f38_metadata_is_forgotten_with_its_file(conf: Any, tmp_path: Path) -> None:
    store = with_metadata(conf, tmp_path, {"id": "a", "mountpoint": str(tmp_path)})
    conf.clear_override("filesystem_store_metadata_file", group="fast")
    store.configure()
    assert store.FILESYSTEM_STORE_METADATA is None
    assert added(store) == {"store": "fast"}
