"""Who lives, and who is dead: across processes, containers, reboots and machines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.killing import lines_of
from multistore.catalog.owner import NOBODY, Owners, Place, describe


@pytest.fixture
def directory(tmp_path: Path) -> str:
    return str(tmp_path / "owners")


@pytest.fixture
def owners(directory: str) -> Iterator[Owners]:
    owners = Owners(directory)
    yield owners
    owners.close()


def moved(owner: str, **changes: object) -> str:
    """Give the owner text of the same file, as if its process ran elsewhere."""
    host, machine, boot, space, pid, started, file, number = owner.split()
    place = replace(Place(host, machine, boot, space, int(pid), started), **changes)  # type: ignore[arg-type] # a test's freedom
    return f"{place} {file} {number}"


def start_elsewhere(directory: str) -> tuple[subprocess.Popen[str], str]:
    """Start a process that owns an operation until its input ends."""
    program = (
        "import sys; from multistore.catalog.owner import Owners;"
        "owners = Owners(sys.argv[1]); print(owners.start(), flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)


def test_nobody_is_dead(owners: Owners) -> None:
    assert owners.alive(NOBODY) is False


def test_an_operation_lives_until_it_ends(owners: Owners) -> None:
    first, second = owners.start(), owners.start()
    assert owners.alive(first) is True
    owners.end(first)
    assert owners.alive(first) is False
    assert owners.alive(second) is True


def test_a_process_lives_until_it_is_killed(owners: Owners, directory: str) -> None:
    process, owner = start_elsewhere(directory)
    try:
        assert owners.alive(owner) is True
    finally:
        stop(process)
    assert owners.alive(owner) is False


def test_the_lock_tells_across_containers(owners: Owners, directory: str) -> None:
    process, owner = start_elsewhere(directory)
    inside = moved(owner, host="pod", machine="-", space="1", pid=1)
    try:
        assert owners.alive(inside) is True
    finally:
        stop(process)
    assert owners.alive(inside) is False


def test_another_catalog_of_this_process_is_seen(owners: Owners, directory: str) -> None:
    other = Owners(directory)
    owner = other.start()
    assert owners.alive(owner) is True
    other.close()


def test_a_pid_used_again_is_dead(owners: Owners, directory: str) -> None:
    other = Owners(directory)
    assert owners.alive(moved(other.start(), started="1")) is False
    other.close()


def test_a_reboot_ends_everything(owners: Owners, directory: str) -> None:
    assert owners.alive(moved(Owners(directory).start(), boot="before")) is False


def test_of_another_machine_nothing_is_known(owners: Owners, directory: str) -> None:
    other = Owners(directory)
    owner = other.start()
    assert owners.alive(moved(owner, host="far", boot="other")) is None
    assert owners.alive(moved(owner, host="far", boot="-", machine="m")) is None
    other.close()
    assert owners.alive(owner) is None, "its file is gone, yet its process runs"


@pytest.mark.parametrize("text", ["nonsense", "a b c d e f g h", "a b c d 1 f g", " " * 7])
def test_of_a_text_that_makes_no_sense_nothing_is_known(owners: Owners, text: str) -> None:
    assert owners.alive(text) is None


def test_a_child_does_not_keep_its_dead_parent_alive(owners: Owners, directory: str) -> None:
    program = (
        "import os, sys, time; from multistore.catalog.owner import Owners;"
        "owners = Owners(sys.argv[1]); owner = owners.start();"
        "pid = os.fork();"
        "os.write(1, f'{owner} {pid}\\n'.encode() if pid else b'ready\\n');"  # whole lines
        "pid or (os.close(1), sys.stdin.read()); os._exit(0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, directory],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    first, second = process.stdout.readline().strip(), process.stdout.readline().strip()
    owner, _, child = (second if first == "ready" else first).rpartition(" ")
    process.wait(10)
    try:
        os.kill(int(child), 0)
        assert owners.alive(owner) is False
        assert owners.alive(moved(owner, space="1")) is False, "the child has let go of the lock"
    finally:
        process.communicate(timeout=10)  # the child ends with its input


def test_a_child_is_an_owner_of_its_own(owners: Owners) -> None:
    parents = owners.start()

    def child() -> None:
        assert owners.alive(parents) is True
        own = owners.start()
        assert own.split()[4] == str(os.getpid())
        assert owners.alive(own) is True
        owners.close()

    lines_of(child)
    assert owners.alive(parents) is True


def test_only_files_of_the_dead_that_nobody_needs_are_swept(owners: Owners, directory: str) -> None:
    owner = owners.start()
    living, lives = start_elsewhere(directory)
    dead, needed = start_elsewhere(directory)
    gone, forgotten = start_elsewhere(directory)
    stop(dead)
    stop(gone)
    try:
        owners.sweep({needed, "nonsense"})
        files = {each.split()[6] for each in (owner, lives, needed)}
        assert set(os.listdir(directory)) == files
        assert forgotten.split()[6] not in files
    finally:
        stop(living)


def test_an_owner_is_described_for_people(owners: Owners) -> None:
    assert describe(owners.start()) == f"process {os.getpid()} on {Place.here().host}"
    assert describe("") == "nobody"
