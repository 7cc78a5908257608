"""put and get: images go in, and come back."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from cli.person import Person

DATA = bytes(range(256)) * 4096


def test_without_any_configuration_an_image_goes_in_and_comes_back(person: Person) -> None:
    person.file("disk.img", DATA)
    assert "put disk.img: 1.0 MiB into local" in person("put", "disk.img").out
    assert "got disk.img: 1.0 MiB from local, proved by" in person("get", "disk.img", "back").out
    assert (person.home / "back").read_bytes() == DATA
    assert (person.home / ".local/share/multistore/images/disk.img").exists()
    assert (person.home / ".local/share/multistore/catalog.db").exists()


def test_xdg_data_home_decides_where_images_go(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(person.home / "data"))
    person("put", person.file("disk.img"))
    assert (person.home / "data/multistore/images/disk.img").exists()


def test_standard_input_and_output_are_binary(person: Person) -> None:
    data = b"\r\n\x00\xff\x1a" * 100_000
    person("put", "-", "raw", stdin=data)
    assert person("get", "raw", "-").raw == data
    assert person("get", "raw", "-", "--json").raw == data


def test_standard_input_needs_a_name(person: Person) -> None:
    assert "needs a NAME" in person("put", "-", code=2).err


def test_an_empty_image_is_an_image(person: Person) -> None:
    person("put", "-", "empty", stdin=b"")
    person("get", "empty", "back")
    assert (person.home / "back").read_bytes() == b""


def test_a_put_tells_digests_and_the_machine_everything(person: Person) -> None:
    person.configure()
    path = person.file("disk.img", DATA)
    (line,) = person("put", path, "--json").lines
    assert line["type"] == "put"
    assert line["size"] == len(DATA)
    assert sorted(line["copies"]) == ["fast", "safe"]
    assert line["failures"] == {}
    assert line["digests"] == {
        name: hashlib.new(name, DATA).hexdigest() for name in ("md5", "sha512")
    }
    out = person("put", path, "second", "--digest", "sha256").out
    assert hashlib.sha256(DATA).hexdigest() in out
    assert "sha512" not in out


def test_several_expected_digests_are_computed_in_the_one_pass(person: Person) -> None:
    expected = {
        name: hashlib.new(name, DATA).hexdigest() for name in ("sha256", "sha1", "sha3_256")
    }
    arguments = [
        each for name, value in expected.items() for each in ("--expect", f"{name}:{value}")
    ]
    (line,) = person("put", "-", "disk", *arguments, "--json", stdin=DATA).lines
    assert expected.items() <= line["digests"].items()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--expect", "sha256:" + "0" * 64], 7),
        (["--expect", "sha256:" + "0" * 63], 2),
        (["--expect", "nosuch:00"], 6),
        (["--expect", "sha256"], 2),
        (["--expect", "md5:" + "0" * 32, "--expect", "md5:" + "1" * 32], 2),
        (["--size", "5"], 7),
        (["--size", "5000000"], 7),
        (["--size", "-5"], 2),
        (["--digest", "nosuch"], 6),
        (["--label", "novalue"], 2),
        (["--store", "nosuch"], 2),
        (["--minimum", "3"], 2),
        (["--minimum", "0"], 2),
        (["--nosuch"], 2),
    ],
)
def test_what_is_wrong_or_unexpected_leaves_nothing(
    person: Person, arguments: list[str], code: int
) -> None:
    person.configure()
    path = person.file("disk.img", DATA)
    done = person("put", path, *arguments, code=code)
    assert done.err.strip()
    person("stat", "disk.img", code=3)
    assert not person.leftovers()
    assert not any((person.home / store / "disk.img").exists() for store in ("fast", "safe"))


def test_a_name_is_never_overwritten(person: Person) -> None:
    person("put", person.file("disk.img"))
    done = person("put", person.file("other", b"other"), "disk.img", code=4)
    assert "multistore rm NAME" in done.err
    assert person("get", "disk.img", "-").raw == b"an image\n"


@pytest.mark.parametrize("source", ["missing", "missing/disk.img"])
def test_a_source_that_is_not_there_is_not_found(person: Person, source: str) -> None:
    assert source in person("put", source, code=3).err


def test_a_directory_is_no_source(person: Person) -> None:
    person.file("folder/disk.img")
    assert "folder" in person("put", "folder", code=6).err


def test_a_fifo_is_a_source(person: Person) -> None:
    os.mkfifo(person.home / "pipe")
    with person.start("put", "pipe", "disk") as process:
        (person.home / "pipe").write_bytes(DATA)
        process.communicate(timeout=15)
        assert process.returncode == 0
    assert person("get", "disk", "-").raw == DATA


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a\nb", "x" * 256])
def test_a_name_that_no_store_takes_is_refused(person: Person, name: str) -> None:
    person("put", "-", name, stdin=b"x", code=2)
    assert person("ls").out == ""


def test_an_empty_name_is_not_that_of_the_source(person: Person) -> None:
    person("put", person.file("disk.img"), "", code=2)
    assert person("ls").out == ""
    person("put", "disk.img")
    assert "TARGET is empty" in person("get", "disk.img", "", code=2).err


@pytest.mark.parametrize("source", ["s3://bucket/disk", "file:///disk", "FTP://h/disk"])
def test_a_url_that_nothing_reads_is_refused_as_one(person: Person, source: str) -> None:
    err = person("put", source, code=2).err
    assert f"a URL of {source.partition(':')[0].lower()} is not read" in err


def test_a_wrong_digest_sends_to_the_publisher_and_not_to_repair(person: Person) -> None:
    err = person("put", person.file("a"), "--expect", "sha256:" + "0" * 64, code=7).err
    assert "publisher" in err
    assert "--repair" not in err


def test_names_of_files_need_not_be_text(person: Person) -> None:
    path = os.fsencode(person.home) + b"/d\xff"
    Path(os.fsdecode(path)).write_bytes(DATA)
    assert person.apart("put", os.fsdecode(path), "disk").code == 0
    done = person.apart("get", "disk", os.fsdecode(b"b\xff"), "--json")
    assert done.lines[0]["target"] == "b\udcff"
    assert Path(os.fsdecode(os.fsencode(person.home) + b"/b\xff")).read_bytes() == DATA
    done = person.apart("put", os.fsdecode(path))
    assert done.code == 2
    assert "cannot be encoded" in done.err
    done = person.apart("put", os.fsdecode(b"no\xff"), "x")
    assert done.code == 3
    assert "no\\udcff" in done.err


def test_minimum_makes_do_with_fewer_stores(person: Person) -> None:
    person.configure(
        '[stores.fast]\nurl = "file:fast"\n[stores.broken]\nurl = "file:disk.img/below"\n'
    )
    path = person.file("disk.img", DATA)
    done = person("put", path, "--minimum", "1", code=9)
    assert "into fast" in done.out
    assert "broken: " in done.err
    assert "multistore cp" in done.err
    (line,) = person("put", path, "two", "--minimum", "1", "--json", code=9).lines
    assert list(line["failures"]) == ["broken"]
    assert person("get", "disk.img", "-").raw == DATA


def test_an_existing_directory_as_target_takes_the_name(person: Person) -> None:
    person("put", person.file("disk.img"))
    (person.home / "folder").mkdir()
    person("get", "disk.img", "folder")
    assert (person.home / "folder/disk.img").read_bytes() == b"an image\n"


def test_get_without_a_target_writes_a_file_of_the_name(person: Person) -> None:
    person("put", "-", "disk", stdin=DATA)
    person("get", "disk")
    assert (person.home / "disk").read_bytes() == DATA


def test_get_replaces_a_file_only_when_all_is_right(person: Person) -> None:
    person.configure()
    person("put", "-", "disk", stdin=DATA)
    target = person.file("back", b"old")
    for store in ("fast", "safe"):
        person.copy(store, "disk").write_bytes(DATA[:-1] + b"?")
    done = person("get", "disk", "back", code=7)
    assert "verify --repair" in done.err
    assert target.read_bytes() == b"old"
    assert not person.leftovers()


def test_a_damaged_copy_is_made_up_for_by_the_next(person: Person) -> None:
    person.configure()
    person("put", "-", "disk", stdin=DATA)
    person.copy("fast", "disk").write_bytes(DATA[:-1] + b"?")
    (line,) = person("get", "disk", "back", "--json").lines
    assert line["stores"][-1] == "safe"
    assert "sha512" in line["verified"]
    assert (person.home / "back").read_bytes() == DATA
    person("get", "disk", "again", "--store", "fast", code=7)
    assert not (person.home / "again").exists()


def test_ranges(person: Person) -> None:
    person("put", "-", "disk", stdin=DATA)
    assert person("get", "disk", "-", "--offset", "300", "--length", "5").raw == DATA[300:305]
    assert person("get", "disk", "-", "--offset", "1048570").raw == DATA[-6:]
    assert person("get", "disk", "-", "--length", "0").raw == b""
    out = person("get", "disk", "part", "--length", "10").out
    assert "not proved: a range has no digest on record" in out
    assert (person.home / "part").read_bytes() == DATA[:10]
    assert "proved by sha512" in person("get", "disk", "all", "--length", "5MiB").out


def test_sizes_may_have_units(person: Person) -> None:
    person("put", "-", "disk", "--size", "1MiB", stdin=DATA)
    assert person("get", "disk", "-", "--offset", "512K", "--length", "0.25KiB").raw == DATA[:256]
    assert "no size" in person("get", "disk", "-", "--offset", "many", code=2).err


@pytest.mark.parametrize("offset", ["1048577", "9999999999999999999999"])
def test_a_range_that_begins_behind_the_end_is_refused(person: Person, offset: str) -> None:
    person("put", "-", "disk", stdin=DATA)
    done = person("get", "disk", "back", "--offset", offset, code=2)
    assert done.err
    assert not (person.home / "back").exists()


def test_get_of_what_is_not_there(person: Person) -> None:
    done = person("get", "nosuch", code=3)
    assert "multistore ls" in done.err
    assert not (person.home / "nosuch").exists()


def test_get_into_a_directory_that_is_not_there(person: Person) -> None:
    person("put", "-", "disk", stdin=b"x")
    done = person("get", "disk", "nosuch/disk", code=3)
    assert done.err.splitlines()[0] == "multistore: No such file or directory: nosuch/disk"
    assert "hint: " in done.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_below_the_target_is_told_with_its_name(person: Person) -> None:
    person("put", "-", "disk", stdin=DATA)
    done = person("get", "disk", "/dev/full", code=6)
    assert done.err.splitlines()[0] == "multistore: No space left on device: /dev/full"
    assert "make room" in done.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_what_may_not_be_read_or_written_is_named(person: Person) -> None:
    path = person.file("disk.img")
    path.chmod(0)
    assert "Permission denied: disk.img" in person("put", "disk.img", code=6).err
    person("put", "-", "disk", stdin=DATA)
    (person.home / "folder").mkdir(0o500)
    for extra in ([], ["--dry-run"]):
        done = person("get", "disk", "folder/disk", *extra, code=6)
        assert done.err.splitlines()[0] == "multistore: Permission denied: folder/disk"


def test_labels_and_quiet(person: Person, tmp_path: Path) -> None:
    done = person("put", "-", "disk", "--label", "os=debian", "--quiet", stdin=b"x")
    assert done.raw == b""
    assert done.err == ""
