"""The options of the filesystem driver, and what becomes of wrong ones."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from facade.houses import at, files, make_file
from glance_store import exceptions
from glance_store._drivers import filesystem
from glance_store._drivers._directories import parsed


def several(conf: Any, *entries: str, identifier: str | None = None, **options: Any) -> Any:
    return make_file(conf, None, identifier, filesystem_store_datadirs=list(entries), **options)


def refused(work: Any) -> str:
    with pytest.raises(exceptions.BadStoreConfiguration) as caught:
        work()
    assert "filesystem" in str(caught.value)
    return str(caught.value)


# -- which directories ---------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", [None, "fast"])
def test_f1_directories_that_were_set_beat_the_default_of_the_single_one(
    conf: Any, tmp_path: Path, identifier: str | None
) -> None:
    store = several(conf, f"{tmp_path}/a:1", f"{tmp_path}/b:2", identifier=identifier)
    assert store.multiple_datadirs
    assert store.priority_data_map == {1: [f"{tmp_path}/a"], 2: [f"{tmp_path}/b"]}
    assert store.priority_list == [2, 1]
    assert store.add("image", io.BytesIO(b"x"), 1)[0] == f"file://{tmp_path}/b/image"


@pytest.mark.parametrize("identifier", [None, "fast"])
def test_f1_both_that_were_set_contradict_each_other(
    conf: Any, tmp_path: Path, identifier: str | None
) -> None:
    work = lambda: make_file(  # noqa: E731
        conf, tmp_path / "a", identifier, filesystem_store_datadirs=[f"{tmp_path}/b"]
    )
    assert "not both" in refused(work)


def test_f1_the_own_section_comes_before_the_shared_one(conf: Any, tmp_path: Path) -> None:
    filesystem.Store(conf, backend="fast")
    conf.set_override("filesystem_store_datadir", f"{tmp_path}/shared", group="backend_defaults")
    assert several(conf, f"{tmp_path}/own", identifier="fast").datadir == f"{tmp_path}/own"
    conf.clear_override("filesystem_store_datadirs", group="fast")
    assert make_file(conf, None, "fast").datadir == f"{tmp_path}/shared"


def test_f1_a_blank_single_directory_does_not_contradict(conf: Any, tmp_path: Path) -> None:
    """That is how release 5.7.0 wants it written."""
    store = several(conf, f"{tmp_path}/a", filesystem_store_datadir="")
    assert store.datadir == f"{tmp_path}/a"
    conf.clear_override("filesystem_store_datadirs", group="glance_store")
    assert "set" in refused(lambda: store.configure(re_raise_bsc=True))


@pytest.mark.parametrize(
    ("entry", "path", "priority"),
    [
        ("/a", "/a", 0), ("/a:", "/a", 0), (" /a : 7 ", "/a", 7), ("/a:-1", "/a", -1), ("/a:+3", "/a", 3),
        ("/a:1_0", "/a", 10), ("/a:b:5", "/a:b", 5),
    ],
)  # fmt: skip
def test_an_entry_is_a_path_and_a_priority(entry: str, path: str, priority: int) -> None:
    assert parsed([entry], str) == [(path, priority)]


@pytest.mark.parametrize("entry", ["/a:0x1", "/a:1.5", "/a:b", ":5", " : 5"])
def test_f32_a_wrong_entry_is_told_as_it_stands(entry: str) -> None:
    text = refused(lambda: parsed(["/fine", entry], str))
    assert entry in text


def test_f40_a_directory_listed_twice_is_left_out_or_refused(
    conf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    a = str(tmp_path / "a")
    for other in (a, a + "/", str(tmp_path / "link")):
        caplog.clear()
        store = several(conf, a + ":5", other + ":5")
        assert store.priority_data_map == {5: [a]}
        assert "more than once" in caplog.text
        assert "two priorities" in refused(lambda: several(conf, a + ":5", other + ":6"))  # noqa: B023


def test_f40_two_stores_that_share_a_directory_are_told_of(
    conf: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    one = make_file(conf, tmp_path, "one")
    make_file(conf, tmp_path, "one")
    assert "share" not in caplog.text
    make_file(conf, tmp_path / "link", "two")
    assert "the stores one and two share" in caplog.text
    assert one.datadir == str(tmp_path)


def test_f35_the_directory_can_always_be_asked_for(conf: Any, tmp_path: Path) -> None:
    assert several(conf, f"{tmp_path}/low", f"{tmp_path}/high:9").datadir == f"{tmp_path}/high"
    store = filesystem.Store(conf)
    conf.set_override("filesystem_store_datadir", f"{tmp_path}/x", group="glance_store")
    store.configure()  # both are set
    assert store.capabilities & 8 == 0
    assert store.datadir is not None
    assert store.url_prefix is None


def test_f8_a_store_owns_what_is_below_its_directories_and_nothing_beside_them(
    conf: Any, tmp_path: Path
) -> None:
    store = several(conf, f"{tmp_path}/images", f"{tmp_path}/more:3", identifier="fast")
    assert store.url_prefix == f"file://{tmp_path}/more"
    for path in ("images/x", "more/x", "images/sub/x"):
        assert store.owns(f"file://{tmp_path}/{path}")
        assert store.owns(f"filesystem://{tmp_path}/{path}")
    for path in ("images2/x", "images", "other/x", "images/../x"):
        assert not store.owns(f"file://{tmp_path}/{path}")
    assert not store.owns("http://host/x")


def test_the_prefix_is_the_directory_exactly_as_it_is_configured(conf: Any, tmp_path: Path) -> None:
    for text in (f"{tmp_path}/a/", f"{tmp_path}//b"):
        conf.clear()
        store = make_file(conf, None, "fast", filesystem_store_datadir=text)
        assert store.url_prefix == f"file://{text}"
        uri = store.add("image", io.BytesIO(b"x"), 1)[0]
        assert uri.startswith(store.url_prefix)
        assert uri == "file://" + os.path.join(text, "image")
        assert store.get_size(at(store, uri)) == 1
    assert make_file(conf, tmp_path / "c").url_prefix is None, "in single-store mode"


# -- making and trying them ----------------------------------------------------------------------


def test_a_missing_directory_is_made_with_its_parents_and_nothing_in_it(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path / "deep" / "er")
    assert files(tmp_path / "deep" / "er") == []
    store.add("image", io.BytesIO(b"x"), 1)
    assert files(tmp_path / "deep" / "er") == ["image"], "one file per image, and nothing else"


def test_f28_a_file_is_no_directory(conf: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    refused(lambda: make_file(conf, tmp_path / "file"))
    refused(lambda: make_file(conf, tmp_path / "file" / "below"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("mode", [0o555, 0o666, 0o755])
def test_f28_rights_are_those_of_the_effective_user(conf: Any, tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(0o755)
    for parent in list(tmp_path.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    place = tmp_path / "images"
    place.mkdir()
    if mode != 0o755:  # which belongs to root
        os.chown(place, 1, 1)
    place.chmod(mode)
    os.setegid(1)
    os.seteuid(1)
    try:
        refused(lambda: make_file(conf, place))
    finally:
        os.seteuid(0)
        os.setegid(0)


def test_f7_a_full_disk_does_not_keep_a_store_from_starting(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = SimpleNamespace(f_bavail=0, f_frsize=4096, f_blocks=100, f_bfree=0, f_bsize=4096)
    for name in ("statvfs", "fstatvfs"):
        monkeypatch.setattr(os, name, lambda *_: full)
    store = several(conf, f"{tmp_path}/a", f"{tmp_path}/b", identifier="fast")
    assert store.url_prefix == f"file://{tmp_path}/a"
    with pytest.raises(exceptions.StorageFull):
        store.add("image", io.BytesIO(bytes(10)), 10)
    (tmp_path / "a" / "old").write_bytes(b"x")
    store.delete(at(store, f"file://{tmp_path}/a/old"))


@pytest.mark.parametrize(
    ("before", "permissions", "after"),
    [(0o700, 744, 0o711), (0o700, 640, 0o710), (0o700, 600, 0o700), (0o755, 644, 0o755), (0o700, 0, 0o700)],
)  # fmt: skip
def test_whoever_may_read_the_images_may_pass_through_their_directory(
    conf: Any, tmp_path: Path, before: int, permissions: int, after: int
) -> None:
    place = tmp_path / "above" / "images"
    place.mkdir(parents=True)
    place.chmod(before)
    place.parent.chmod(0o700)
    make_file(conf, place, filesystem_store_file_perm=permissions)
    assert stat.S_IMODE(place.stat().st_mode) == after
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_rights_that_cannot_be_given_are_a_warning(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o700)

    def no(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(os, "fchmod", no)
    make_file(conf, tmp_path, filesystem_store_file_perm=644)
    assert "keeps its mode" in caplog.text


@pytest.mark.parametrize("permissions", [888, 9, 144, 40])
def test_f27_a_mode_that_is_not_octal_or_keeps_the_owner_out_is_refused(
    conf: Any, tmp_path: Path, permissions: int
) -> None:
    work = lambda: make_file(conf, tmp_path, filesystem_store_file_perm=permissions)  # noqa: E731
    assert "filesystem_store_file_perm" in refused(work)


# -- what stays possible -------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", [None, "fast"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"filesystem_store_file_perm": 888}, {"filesystem_store_datadirs": ["{}/images:x"]},
        {"filesystem_store_metadata_file": "/nowhere"}, {"filesystem_store_datadirs": ["{}/other"]},
    ],
    ids=["mode", "priority", "metadata", "both"],
)  # fmt: skip
def test_a_store_whose_configuration_failed_still_reads_and_deletes(
    conf: Any, tmp_path: Path, identifier: str | None, wrong: dict[str, Any]
) -> None:
    """Trap 7: its attributes are there as well."""
    place = tmp_path / "images"
    place.mkdir()
    (place / "old").write_bytes(b"old data")
    store = make_file(conf, place, identifier, configure=False, filesystem_store_chunk_size=5)
    for name, value in wrong.items():
        made = [text.format(tmp_path) for text in value] if isinstance(value, list) else value
        conf.set_override(name, made, group=identifier or "glance_store")
    store.configure()
    with pytest.raises(exceptions.StoreAddDisabled):
        store.add("image", io.BytesIO(b"x"), 1)
    location = at(store, f"file://{place}/old")
    assert b"".join(store.get(location)[0]) == b"old data"
    assert store.get_size(location) == 8
    assert (store.chunk_size, store.READ_CHUNKSIZE, store.WRITE_CHUNKSIZE) == (5, 5, 5)
    assert store.thin_provisioning is False
    assert store.datadir
    store.delete(location)
    assert files(place) == []


def test_f26_a_store_reads_and_deletes_before_it_is_configured(conf: Any, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old data")
    store = make_file(conf, tmp_path, "fast", configure=False)
    assert store.timeout_executor is None
    location = at(store, f"file://{tmp_path}/old")
    assert store.get_size(location) == 8
    assert b"".join(store.get(location)[0]) == b"old data"
    store.delete(location)
    with pytest.raises(exceptions.NotFound):
        store.get(location)


def test_a_second_configuration_starts_afresh(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path / "a", "fast", filesystem_store_file_perm=888, configure=False)
    store.configure()
    assert store.capabilities == 79 - 8
    conf.set_override("filesystem_store_file_perm", 0, group="fast")
    conf.set_override("filesystem_store_datadir", f"{tmp_path}/b", group="fast")
    store.configure()
    assert store.capabilities == 79
    assert store.add("image", io.BytesIO(b"x"), 1)[0] == f"file://{tmp_path}/b/image"


def test_trap_5_an_operation_goes_on_with_the_store_it_began_with(
    conf: Any, tmp_path: Path
) -> None:
    store = make_file(conf, tmp_path / "a", "fast")
    (tmp_path / "a" / "old").write_bytes(b"old data")
    stream, _size = store.get(at(store, f"file://{tmp_path}/a/old"))

    def data() -> Any:
        yield b"first "
        conf.set_override("filesystem_store_datadir", f"{tmp_path}/b", group="fast")
        store.configure()
        yield b"second"

    uri = store.add("image", data(), 12)[0]
    assert uri == f"file://{tmp_path}/a/image"
    assert (tmp_path / "a" / "image").read_bytes() == b"first second"
    assert b"".join(stream) == b"old data"


# -- ranged reads, chunk sizes -------------------------------------------------------------------


def test_ranged_reads_can_be_switched_off(conf: Any, tmp_path: Path) -> None:
    store = make_file(conf, tmp_path, "fast", ranged_reads=False)
    (tmp_path / "old").write_bytes(b"old data")
    location = at(store, f"file://{tmp_path}/old")
    assert store.capabilities == 79 - 6
    with pytest.raises(exceptions.StoreRandomGetNotSupported):
        store.get(location, offset=1)
    assert b"".join(store.get(location)[0]) == b"old data"
    conf.set_override("ranged_reads", True, group="fast")
    store.configure()
    assert b"".join(store.get(location, offset=4)[0]) == b"data"


@pytest.mark.parametrize("size", [1, 65537, 1 << 30])
def test_trap_6_f41_odd_chunk_sizes_are_kept_as_attributes_and_read_in_sane_steps(
    conf: Any, tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_file(conf, tmp_path, filesystem_store_chunk_size=size)
    assert store.chunk_size == store.READ_CHUNKSIZE == store.WRITE_CHUNKSIZE == size
    assert ("8388608 are used" in caplog.text) == (size > 8 << 20)
    asked = []

    class Wary:
        data = io.BytesIO(bytes(range(200)))

        def read(self, count: int) -> bytes:
            asked.append(count)
            assert count < 128 << 20
            return self.data.read(count)

    uri = store.add("image", Wary(), 200)[0]
    assert max(asked) <= min(size, 8 << 20)
    pieces = list(store.get(at(store, uri))[0])
    assert b"".join(pieces) == bytes(range(200))
    assert max(map(len, pieces)) <= size
