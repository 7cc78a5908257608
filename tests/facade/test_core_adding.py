"""Adding: call forms old and new, algorithms, metadata."""

# ruff: noqa: PLR0917  # as the interface has it
from __future__ import annotations

import functools
import hashlib
import io
import itertools
from collections.abc import Callable
from typing import Any
from unittest import mock

import glance_store
import pytest
from facade import fakes
from glance_store import driver, exceptions

Create = Callable[..., int]
MD5 = hashlib.md5(b"data").hexdigest()
SHA = hashlib.sha512(b"data").hexdigest()


class Verifier:
    def update(self, data: bytes) -> None: ...


CONTEXT, VERIFIER, TEXT_CONTEXT = {"user": "me"}, Verifier(), "a context that is a text"


class Recorder:
    """What the wrapped ``add`` got."""

    @driver.back_compat_add
    def add(
        self,
        image_id: Any,
        image_file: Any,
        image_size: Any,
        hashing_algo: Any,
        context: Any = None,
        verifier: Any = None,
    ) -> Any:
        """Add it."""
        self.got = (hashing_algo, context, verifier)
        assert (image_id, image_file, image_size) == ("id", "file", 3)
        return ("url", 3, "md5", "multihash", {"a": "b"})


OLD = ("url", 3, "md5", {"a": "b"})
NEW = ("url", 3, "md5", "multihash", {"a": "b"})
BASE = ("id", "file", 3)


@pytest.mark.parametrize(
    ("args", "kwargs", "got", "result"),
    [
        ((), {}, ("md5", None, None), OLD),
        (("sha512",), {}, ("sha512", None, None), NEW),
        (("sha512", CONTEXT), {}, ("sha512", CONTEXT, None), NEW),
        (("sha512",), {"verifier": VERIFIER}, ("sha512", None, VERIFIER), NEW),
        (("sha512", CONTEXT, VERIFIER), {}, ("sha512", CONTEXT, VERIFIER), NEW),
        ((CONTEXT,), {}, ("md5", CONTEXT, None), OLD),
        ((CONTEXT, VERIFIER), {}, ("md5", CONTEXT, VERIFIER), OLD),
        ((None, VERIFIER), {}, ("md5", None, VERIFIER), OLD),
        ((CONTEXT,), {"verifier": VERIFIER}, ("md5", CONTEXT, VERIFIER), OLD),
        ((), {"hashing_algo": "sha512"}, ("sha512", None, None), NEW),
        ((), {"hashing_algo": "x", "context": CONTEXT}, ("x", CONTEXT, None), NEW),
        ((), {"context": CONTEXT}, ("md5", CONTEXT, None), OLD),
        ((), {"verifier": VERIFIER, "context": CONTEXT}, ("md5", CONTEXT, VERIFIER), OLD),
        (("x",), {"verifier": VERIFIER, "context": CONTEXT}, ("x", CONTEXT, VERIFIER), NEW),
        (("x", CONTEXT, VERIFIER), {}, ("x", CONTEXT, VERIFIER), NEW),
    ],
)
def test_the_forms_of_a_call(
    args: tuple[Any, ...], kwargs: dict[str, Any], got: Any, result: Any
) -> None:
    recorder = Recorder()
    assert recorder.add(*BASE, *args, **kwargs) == result
    assert recorder.got == got


@pytest.mark.parametrize(
    ("args", "kwargs", "got"),
    [
        ((TEXT_CONTEXT,), {}, ("md5", TEXT_CONTEXT, None)),
        ((TEXT_CONTEXT, VERIFIER), {}, ("md5", TEXT_CONTEXT, VERIFIER)),
        ((None,), {}, ("md5", None, None)),
        ((None, CONTEXT), {}, ("md5", CONTEXT, None)),
        ((None, CONTEXT, VERIFIER), {}, ("md5", CONTEXT, VERIFIER)),
        ((None, CONTEXT), {"verifier": VERIFIER}, ("md5", CONTEXT, VERIFIER)),
        ((None,), {"context": CONTEXT, "verifier": VERIFIER}, ("md5", CONTEXT, VERIFIER)),
        ((), {"hashing_algo": None, "context": CONTEXT}, ("md5", CONTEXT, None)),
    ],
)
def test_c17_a_text_or_nothing_in_the_algorithm_s_place_shifts_nothing(
    args: tuple[Any, ...], kwargs: dict[str, Any], got: Any, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    assert recorder.add(*BASE, *args, **kwargs) == OLD
    assert recorder.got == got
    assert bool(caplog.records) is (TEXT_CONTEXT in args)


def test_c17_every_order_of_keywords_is_one_call() -> None:
    names = {"image_id": "id", "image_file": "file", "image_size": 3, "context": CONTEXT}
    for order in itertools.permutations(names):
        recorder = Recorder()
        assert recorder.add(**{name: names[name] for name in order}) == OLD
        assert recorder.got == ("md5", CONTEXT, None)
    assert Recorder().add(**names, hashing_algo="sha512", verifier=VERIFIER) == NEW


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [(("id", "file"), {}), ((), {}), (BASE, {"nosuch": 1}), ((*BASE, "sha512", 1, 2, 3), {})],
)
def test_a_call_that_fits_neither_form_is_a_type_error(args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError):
        Recorder().add(*args, **kwargs)


def test_the_wrapped_function_keeps_its_face() -> None:
    assert Recorder.add.__name__ == "add"
    assert Recorder.add.__doc__ == "Add it."
    assert fakes.Memory.add.__name__ == "op_checker"


# -- the APIs ------------------------------------------------------------------------------------


def test_adding_with_an_identifier(stores: Create, conf: Any) -> None:
    stores(one="mem", two="mem")
    conf.set_override("default_backend", "two", group="glance_store")
    got = glance_store.add_with_multihash(
        conf, "1", io.BytesIO(b"data"), 4, "one", "sha512", None, CONTEXT, VERIFIER
    )
    assert got == ("mem://one/1", 4, MD5, SHA, {"store": "one"})
    assert fakes.Memory.log == [("add", "one", "sha512", CONTEXT, VERIFIER)]
    assert (
        glance_store.add_with_multihash(
            conf, "2", io.BytesIO(b"data"), 4, None, "sha512", scheme="ignored"
        )[0]
        == "mem://two/2"
    )
    assert glance_store.add(conf, "3", io.BytesIO(b"data"), 4, "", CONTEXT) == (
        "mem://two/3",
        4,
        MD5,
        {"store": "two"},
    )
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.add(conf, "4", io.BytesIO(b"data"), 4, "nosuch")


def test_adding_by_scheme(conf: Any, install: Any) -> None:
    install(mem=fakes.Memory)
    glance_store.register_opts(conf)
    conf.set_override("stores", ["mem"], group="glance_store")
    conf.set_override("default_store", "mem+alt", group="glance_store")
    glance_store.create_stores(conf)
    for scheme in (None, "mem"):
        data = io.BytesIO(b"data")
        assert glance_store.add_to_backend(conf, "1", data, 4, scheme, CONTEXT) == (
            "mem://common/1",
            4,
            MD5,
            {},
        )
    got = glance_store.add_to_backend_with_multihash(conf, "1", io.BytesIO(b"data"), 4, "sha512")
    assert got == ("mem://common/1", 4, MD5, SHA, {})
    with pytest.raises(exceptions.UnknownScheme):
        glance_store.add_to_backend(conf, "1", io.BytesIO(b""), 0, scheme="nosuch")


def test_the_store_is_called_with_the_algorithm_by_position() -> None:
    store = mock.Mock()
    store.add.return_value = ("url", 1, "md5", "multi", None)
    got = glance_store.store_add_to_backend_with_multihash(
        "1", "data", 4, "sha256", store, "c", "v"
    )
    assert got == ("url", 1, "md5", "multi", None)
    store.add.assert_called_once_with("1", "data", 4, "sha256", context="c", verifier="v")
    store.add.return_value = ("url", 1, "md5", {"store": "x"})
    assert glance_store.store_add_to_backend("1", "data", 4, store, "c", "v")[3] == {"store": "x"}
    store.add.assert_called_with("1", "data", 4, context="c", verifier="v")


@pytest.mark.parametrize(
    "algorithm", ["shake_128", "shake_256", "nosuch", "SHA512", "", None, 5, [], b"sha512"]
)
def test_c19_only_digests_of_fixed_length_and_before_any_byte(algorithm: Any) -> None:
    store = mock.Mock()
    with pytest.raises(exceptions.UnknownHashingAlgo) as error:
        glance_store.store_add_to_backend_with_multihash("1", "data", 4, algorithm, store)
    assert str(algorithm) in error.value.msg
    assert not store.mock_calls


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512", "blake2b", "sha3_512"])
def test_c19_the_usual_algorithms_are_accepted(algorithm: str) -> None:
    store = mock.Mock()
    store.add.return_value = ("url", 1, "md5", "multi", None)
    glance_store.store_add_to_backend_with_multihash("1", "data", 4, algorithm, store)


# -- metadata ------------------------------------------------------------------------------------

LOOP: dict[str, Any] = {}
LOOP["loop"] = LOOP


@pytest.mark.parametrize("value", [{}, "text", [], {"a": "b", "c": ["d", {"e": ["f"]}]}, ["", {}]])
def test_good_metadata(value: Any) -> None:
    glance_store.check_location_metadata(value)


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ({"k": 5}, "k", "int"),
        ({"k": [True]}, "k[0]", "bool"),
        ({"k": [["x", None]]}, "k[0][1]", "NoneType"),
        ({"a": {"b": [{"c": b"x"}]}}, "a.b[0].c", "bytes"),
        ([("a",)], "[0]", "tuple"),
        (5, "", "int"),
    ],
)
def test_c21_the_whole_path_is_named(value: Any, path: str, kind: str) -> None:
    with pytest.raises(exceptions.BackendException) as error:
        glance_store.check_location_metadata(value)
    assert f" {path} " in str(error.value)
    assert kind in str(error.value)


def test_c21_the_path_begins_with_the_key_given() -> None:
    with pytest.raises(exceptions.BackendException, match=r"top\.a"):
        glance_store.check_location_metadata({"a": 1}, key="top")


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {None: "b"}}, LOOP])
def test_c21_keys_are_checked_and_depth_is_bounded(value: Any) -> None:
    with pytest.raises(exceptions.BackendException):
        glance_store.check_location_metadata(value)


@pytest.mark.parametrize("metadata", [{"a": 1}, "text", ["list"], 5])
@pytest.mark.parametrize("multihash", [True, False])
def test_c20_an_image_with_bad_metadata_does_not_stay_behind(
    stores: Create, conf: Any, metadata: Any, multihash: bool
) -> None:
    stores(one="mem")
    store = glance_store.get_store_from_store_identifier("one")
    store.metadata = metadata
    args = (conf, "1", io.BytesIO(b"data"), 4, "one")
    call: Callable[..., Any] = glance_store.add
    if multihash:
        call = functools.partial(glance_store.add_with_multihash, hashing_algo="sha512")
    with pytest.raises(exceptions.BackendException, match="one"):
        call(*args)
    assert fakes.Memory.log[-1] == ("delete", "one", "mem://one/1")
    assert not fakes.Memory.objects


def test_c20_a_failed_removal_is_logged_and_the_refusal_stands(
    stores: Create, conf: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stores(one="mem")
    store = glance_store.get_store_from_store_identifier("one")
    store.metadata = {"a": 1}
    with (
        mock.patch.object(fakes.Memory, "delete", side_effect=OSError("http://me:s3cret@host")),
        pytest.raises(exceptions.BackendException),
    ):
        glance_store.add(conf, "1", io.BytesIO(b"data"), 4, "one")
    assert "mem://one/1" in caplog.text
    assert "s3cret" not in caplog.text


def test_metadata_of_a_store_is_checked_by_both_modules() -> None:
    for module in (glance_store.backend, glance_store.multi_backend):
        module._check_metadata("store", {"a": "b"})
        with pytest.raises(exceptions.BackendException, match="store"):
            module._check_metadata("store", {"a": 1})


def test_c34_a_position_that_is_gone_is_an_error() -> None:
    class Letters(glance_store.Indexable):
        def another(self) -> bytes:
            return next(self.wrapped, b"")

    letters = Letters(iter([b"abc", b"def"]), 6)
    assert len(letters) == 6
    assert letters[0:2] == b"ab"
    assert letters[1:] == b"bc"
    assert letters[3:5] == b"de"
    with pytest.raises((IndexError, ValueError)):
        letters[0:1]


def test_c37_a_source_may_read_more_or_less_than_asked(conf: Any, tmp_path: Any) -> None:
    pytest.importorskip("glance_store._drivers.filesystem")

    class Odd(io.RawIOBase):
        pieces = iter([b"a" * 100_000, b"b", b"c" * 70_000])

        def read(self, size: int = -1) -> bytes:
            return next(self.pieces, b"")

    conf.set_override("enabled_backends", {"one": "file"})
    glance_store.register_store_opts(conf)
    conf.set_override("filesystem_store_datadir", str(tmp_path), group="one")
    conf.set_override("filesystem_store_chunk_size", 64, group="one")
    glance_store.create_multi_stores(conf)
    got = glance_store.add(conf, "1", Odd(), 170_001, "one")
    assert got[1] == (tmp_path / "1").stat().st_size == 170_001
