"""Ctrl-C and SIGTERM in the middle of things: nothing is left, and the exit code says which it was."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.person import Person
from multistore.cli.signals import Ended, Endings
from rawserver import RawServer, reply

ENDS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
DATA = b"x" * 20_000_000  # more than a pipe and the parts in memory hold


def wait_for(there: Callable[[], object]) -> None:
    """Wait until something is there; it has to be within ten seconds."""
    end = time.monotonic() + 10
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def ended(process: subprocess.Popen[bytes], number: signal.Signals) -> tuple[int, str]:
    """Send a signal; give the exit code and what was said.

    It is sent again, as people do, where nothing comes of it: the exception of the first may come in a finalizer,
    which lets none out.
    """
    assert process.stderr is not None
    for _ in range(3):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(5)
            return code, process.stderr.read().decode()
    raise AssertionError("it does not end")


@contextlib.contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    with process:
        try:
            yield process
        finally:
            process.kill()
            if process.stdin is not None:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()


def nothing_left(person: Person) -> None:
    assert not person.leftovers()
    assert person("gc", "--grace", "0").out == "nothing to clean up\n"


@pytest.mark.parametrize(("number", "code"), ENDS)
@pytest.mark.parametrize("data", [b"", b"a few bytes", DATA], ids=["none", "few", "many"])
def test_a_put_from_a_blocked_input_leaves_nothing(
    person: Person, number: signal.Signals, code: int, data: bytes
) -> None:
    person.configure()
    with running(person.start("put", "-", "disk", stdin=subprocess.PIPE)) as process:
        assert process.stdin is not None
        process.stdin.write(data)
        process.stdin.flush()
        # the catalog is made, and the upload noted, before the source is read
        wait_for(
            lambda: person.leftovers() if data is DATA else (person.home / "catalog.db").exists()
        )
        wait_for(lambda: asleep(process.pid))
        got, said = ended(process, number)
    assert got == code
    assert "taken back" in said
    assert "Traceback" not in said
    person("stat", "disk", code=3)
    nothing_left(person)
    person("put", "-", "disk", stdin=b"again")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.timeout(60)
def test_a_signal_that_comes_twice_does_not_keep_anything_from_being_taken_back(
    person: Person, number: signal.Signals
) -> None:
    person.configure()
    for pause in (0.0, 0.0003, 0.001, 0.003):
        with running(person.start("put", "-", "disk", stdin=subprocess.PIPE)) as process:
            assert process.stdin is not None
            process.stdin.write(DATA)
            process.stdin.flush()
            wait_for(person.leftovers)
            process.send_signal(number)
            time.sleep(pause)  # so that it comes at different moments of the taking back
            got, said = ended(process, number)
        assert got == dict(ENDS)[number]
        assert "taken back" in said
        assert "Traceback" not in said
        nothing_left(person)


def test_who_does_not_want_to_wait_presses_three_times() -> None:
    endings = Endings(json=True)

    def take_back() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert not endings.forced
        signal.raise_signal(signal.SIGINT)

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            take_back()

    before = signal.getsignal(signal.SIGTERM)
    endings.install()
    try:
        with pytest.raises(Ended):
            work()
        assert endings.forced
        with pytest.raises(Ended) as caught:  # nothing is being taken back any more
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.number == signal.SIGTERM
    finally:
        endings.restore()
    assert signal.getsignal(signal.SIGTERM) == before


LAST = """
import os, signal
from multistore.cli.signals import Ended, Endings

class Last:
    def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
        kill(pid, number)

last = Last()
endings = Endings(json=True)
endings.install()
try:
    signal.raise_signal(signal.SIGTERM)
except Ended:
    endings.over = True
endings.restore()
raise SystemExit(143)
"""


def test_a_signal_that_comes_as_the_interpreter_ends_does_not_change_the_exit_code() -> None:
    """It gives all handlers back to the system, which would kill the process."""
    done = subprocess.run([sys.executable, "-c", LAST], timeout=30, check=False)
    assert done.returncode == 143


@pytest.fixture
def endings() -> Iterator[Endings]:
    made = Endings(json=True)
    made.install()
    yield made
    made.restore()


def test_a_signal_that_comes_while_a_lock_is_being_taken_is_raised_once_it_is_held(
    endings: Endings,
) -> None:
    """Python code enters a condition: raised in there, the exception would leave the lock taken for ever."""
    steps: list[str] = []
    lock = types.SimpleNamespace(
        acquire=None,
        release=None,
        __enter__=functools.partial(signal.raise_signal, signal.SIGTERM),
        __exit__=lambda *_: steps.append("given back"),
    )

    condition = threading.Condition(lock)  # type: ignore[arg-type]

    def enter() -> None:
        with condition:
            steps.append("taken")
            time.sleep(10)

    with pytest.raises(Ended):
        enter()
    assert steps == ["taken", "given back"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_wait_for_another_thread_is_ended_at_once(endings: Endings) -> None:
    other = threading.Timer(0.1, signal.pthread_kill, (threading.get_ident(), signal.SIGTERM))
    other.start()
    with pytest.raises(Ended):
        threading.Event().wait(30)
    other.join()


def test_a_signal_is_not_put_off_for_ever(endings: Endings) -> None:
    module: dict[str, Any] = {"__name__": "logging"}
    exec("def stuck(send):\n    send()\n    while True: pass\n", module)
    with pytest.raises(Ended):
        module["stuck"](functools.partial(signal.raise_signal, signal.SIGTERM))


def test_a_signal_that_is_switched_off_stays_off(person: Person) -> None:
    with running(
        person.start("put", "-", "disk", stdin=subprocess.PIPE, preexec_fn=ignore_hangup)
    ) as process:
        assert process.stdin is not None
        wait_for((person.home / ".local/share/multistore/catalog.db").exists)
        wait_for(lambda: asleep(process.pid))
        process.send_signal(signal.SIGHUP)
        process.communicate(b"data", timeout=15)
    assert process.returncode == 0
    assert person("get", "disk", "-").raw == b"data"


def ignore_hangup() -> None:
    """Do what nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def asleep(pid: int) -> bool:
    """Say whether the main thread of a process waits for something, a pipe say."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_put_from_a_silent_server_leaves_nothing(
    person: Person, number: signal.Signals, code: int
) -> None:
    head = reply(body=DATA[:12_000_000], length=len(DATA))
    with RawServer(lambda _: [head, 60.0]) as server:
        person.configure(
            f'[stores.web]\ndriver = "http"\nbase = "{server.url}/"\n[stores.here]\nurl = "file:here"\n'
        )
        with running(person.start("put", f"{server.url}/disk")) as process:
            wait_for(person.leftovers)
            assert ended(process, number)[0] == code
        nothing_left(person)


def make_endless(person: Person, store: str) -> None:
    """Make the image ``disk`` so large, all holes, that nobody lives to see its end."""
    os.truncate(person.copy(store, "disk"), 1 << 40)
    with contextlib.closing(sqlite3.connect(person.home / "catalog.db")) as catalog, catalog:
        catalog.execute("UPDATE images SET size = 1 << 40")


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_get_to_a_path_leaves_nothing_and_the_old_file(
    person: Person, number: signal.Signals, code: int
) -> None:
    person.configure()
    person("put", "-", "disk", "--store", "fast", stdin=b"x")
    make_endless(person, "fast")
    target = person.file("out/back", b"old")
    with running(person.start("get", "disk", target)) as process:
        wait_for(lambda: len(os.listdir(person.home / "out")) == 2)
        got, said = ended(process, number)
    assert got == code, said
    assert "Traceback" not in said
    assert os.listdir(person.home / "out") == ["back"]
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize(("number", "code"), ENDS)
@pytest.mark.parametrize("command", ["verify", "verify --repair"])
def test_a_long_verify_can_be_ended(
    person: Person, number: signal.Signals, code: int, command: str
) -> None:
    person.configure()
    person("put", "-", "disk", "--store", "fast", stdin=b"x")
    make_endless(person, "fast")
    with running(person.start(*command.split())) as process:
        wait_for(lambda: str(person.copy("fast", "disk")) in opened(process.pid))
        got, said = ended(process, number)
    assert got == code, said
    assert "Traceback" not in said
    os.truncate(person.copy("fast", "disk"), 1)
    assert not person.leftovers()
    assert person("gc", "--grace", "0").out == "nothing to clean up\n"


def opened(pid: int) -> set[str]:
    """Give the paths of the files that a process has open."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(each))
    return found


@pytest.mark.parametrize(("number", "code"), ENDS)
def test_a_get_to_a_reader_that_does_not_read(
    person: Person, number: signal.Signals, code: int
) -> None:
    person("put", "-", "disk", stdin=DATA)
    with running(person.start("get", "disk", "-")) as process:
        assert process.stdout is not None
        assert process.stdout.read(10) == b"x" * 10
        wait_for(lambda: asleep(process.pid))
        got, said = ended(process, number)
    assert got == code
    assert "Traceback" not in said
    nothing_left(person)


def test_json_tells_the_signal_too(person: Person) -> None:
    with running(person.start("put", "-", "disk", "--json", stdin=subprocess.PIPE)) as process:
        wait_for((person.home / ".local/share/multistore/catalog.db").exists)
        wait_for(lambda: asleep(process.pid))
        code, said = ended(process, signal.SIGTERM)
    assert code == 143
    assert '"exit_code": 143' in said
