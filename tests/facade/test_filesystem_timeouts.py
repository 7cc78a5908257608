"""Time limits for directories that may not answer, with a file system that hangs where it is told to."""

from __future__ import annotations

import errno
import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from facade.houses import at, files, make_file
from facade.rigs import in_child
from glance_store import exceptions
from glance_store._drivers.filesystem import TimeoutExecutor
from multistore.drivers.file.syscalls import Libc
from multistore.layers.workers import Workers


class Hang:
    """Makes a system call wait until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.go = threading.Event()
        self.entered = threading.Event()
        self.left = threading.Event()
        module: Any = Libc if name == "rename_new" else os
        real = getattr(module, name)

        def hang(*args: Any, **kwargs: Any) -> Any:
            if threading.current_thread().name.startswith("multistore-deadline"):
                self.entered.set()
                self.go.wait(15)
            try:
                return real(*args, **kwargs)
            finally:
                self.left.set()

        monkeypatch.setattr(module, name, hang)


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Hang]]:
    made = []

    def make(name: str) -> Hang:
        made.append(Hang(monkeypatch, name))
        return made[-1]

    yield make
    for each in made:
        each.go.set()


def mounted(conf: Any, place: Path, **options: Any) -> Any:
    return make_file(conf, place, "fast", filesystem_store_timeout=1, **options)


@pytest.mark.parametrize(
    ("call", "work"),
    [
        ("stat", "get_size"), ("open", "get"), ("unlink", "delete"), ("open", "get_size"), ("lstat", "add"),
        ("pwrite", "add"), ("rename_new", "add"),
    ],
)  # fmt: skip
def test_f25_whatever_hangs_is_given_up(
    conf: Any, tmp_path: Path, hang: Callable[[str], Hang], call: str, work: str
) -> None:
    store = mounted(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    arguments = ("other", io.BytesIO(b"x"), 1) if work == "add" else (location,)
    held = hang(call)
    with pytest.raises(exceptions.TimeoutError) as caught:
        getattr(store, work)(*arguments)
    assert "1 second" in str(caught.value)
    assert not isinstance(caught.value, OSError)
    held.go.set()


def test_f25_a_read_that_hangs_is_an_unavailable_service(
    conf: Any, tmp_path: Path, hang: Callable[[str], Hang]
) -> None:
    store = mounted(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    stream, _size = store.get(location)
    hang("pread")
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        list(stream)


def test_f20_the_operation_s_own_time_limit_is_not_ours(
    conf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for timeout in (0, 5):
        store = make_file(conf, tmp_path, "fast", filesystem_store_timeout=timeout)
        (tmp_path / "image").write_bytes(b"x")

        def stat(*_: Any, **__: Any) -> Any:
            raise OSError(errno.ETIMEDOUT, "the server")

        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", stat)
            with pytest.raises(exceptions.RemoteServiceUnavailable):
                store.get_size(at(store, f"file://{tmp_path}/image"))

        def own() -> None:
            raise TimeoutError(errno.ETIMEDOUT, "the server")

        with pytest.raises(TimeoutError) as caught:
            TimeoutExecutor(timeout, 10, 75).execute(own)
        assert type(caught.value) is TimeoutError


def test_f21_what_was_not_begun_is_never_done(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Any] = []
    monkeypatch.setattr(Workers, "_submit", lambda _self, job: jobs.append(job))
    done: list[int] = []
    with pytest.raises(exceptions.TimeoutError):
        TimeoutExecutor(1, 10, 75).execute(done.append, 1)
    (job,) = jobs
    assert not job.begin()
    assert done == []


def test_f21_what_was_begun_may_still_be_done(
    conf: Any, tmp_path: Path, hang: Callable[[str], Hang]
) -> None:
    store = mounted(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    held = hang("unlink")
    with pytest.raises(exceptions.TimeoutError):
        store.delete(location)
    assert files(tmp_path) == ["image"]
    held.go.set()
    assert held.left.wait(10)
    assert files(tmp_path) == []


def test_f22_many_operations_at_once_have_their_results() -> None:
    executor = TimeoutExecutor(10, 4, 100)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda n: executor.execute(lambda: n * n), range(500))) == [
            n * n for n in range(500)
        ]


def test_f23_a_store_used_before_a_fork_works_after_it(conf: Any, tmp_path: Path) -> None:
    store = mounted(conf, tmp_path)
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    assert in_child(lambda: store.get_size(location) == 1)
    assert store.get_size(location) == 1


def test_f24_when_too_much_hangs_further_operations_are_refused_at_once(
    conf: Any, tmp_path: Path, hang: Callable[[str], Hang], caplog: pytest.LogCaptureFixture
) -> None:
    store = mounted(conf, tmp_path, filesystem_store_thread_pool_size=2)
    location = at(store, store.add("image", io.BytesIO(b"x"), 1)[0])
    caplog.clear()
    held = hang("stat")
    for _ in range(2):
        with pytest.raises(exceptions.TimeoutError):
            store.get_size(location)
    assert "threshold: 75%" in caplog.text, "one hangs, and the second runs"
    started = time.monotonic()
    with pytest.raises(exceptions.RemoteServiceUnavailable):
        store.get_size(location)
    assert time.monotonic() - started < 0.9
    assert all(t.daemon for t in threading.enumerate() if "deadline" in t.name)
    held.go.set()


def test_f24_the_old_threads_end_with_a_new_configuration(conf: Any, tmp_path: Path) -> None:
    store = mounted(conf, tmp_path)
    store.add("image", io.BytesIO(b"x"), 1)
    before = store.timeout_executor.executor
    (idle,) = before._idle
    store.configure()
    assert not idle.is_alive()
    assert store.get_size(at(store, f"file://{tmp_path}/image")) == 1
    assert store.timeout_executor.executor is not before


def test_a_directory_that_does_not_answer_at_the_start_disables_adding(
    conf: Any, tmp_path: Path, hang: Callable[[str], Hang]
) -> None:
    (tmp_path / "images").mkdir()
    hang("open")
    store = make_file(
        conf, tmp_path / "images", "fast", configure=False, filesystem_store_timeout=1
    )
    with pytest.raises(exceptions.BadStoreConfiguration):
        store.configure(re_raise_bsc=True)


def test_the_executor_has_the_attributes_of_the_interface() -> None:
    plain = TimeoutExecutor(0, 3, 50)
    assert (plain.timeout, plain.pool_size, plain.threshold) == (0, 3, 50)
    assert plain.execute(threading.current_thread) is threading.current_thread()
    assert plain.executor is None
    limited = TimeoutExecutor(5, 3, 50)
    assert limited.execute(threading.current_thread) is not threading.current_thread()
    assert limited.execute(lambda a, b=0: (a, b), 1, b=2) == (1, 2)
    assert limited.executor is not None
    limited.shutdown(wait=True)
    with pytest.raises(ZeroDivisionError):
        limited.execute(lambda: 1 / 0)
