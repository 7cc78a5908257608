"""The pieces of a read when nobody listens: passed on untouched, with errors that leave as they always do."""

from __future__ import annotations

import traceback

import pytest
from doubles import TroubledDriver, failing
from multistore.errors import StoreError, Unavailable
from multistore.layers.stack import StoreOptions
from multistore.store import Store

SECRET = "c4nary"


def opened(error: BaseException | None = None, at: int = 2) -> tuple[Store, str]:
    driver = TroubledDriver(before=None if error is None else failing("piece", error, at=at))
    store = Store(driver, name="quiet", options=StoreOptions(attempts=1, min_rate=0))
    return store, store.put("image", b"0123456789").ref


def test_all_pieces_come_whether_they_are_iterated_over_or_asked_for() -> None:
    store, ref = opened()
    with store.driver.open(ref) as reader:
        assert b"".join(reader.read()) == b"0123456789"
        mixed = reader.read(2)
        assert next(mixed) == b"2345"
        assert b"".join(mixed) == b"6789"


def test_an_error_names_the_store() -> None:
    store, ref = opened(Unavailable("broken"))
    with store.driver.open(ref) as reader, pytest.raises(Unavailable) as caught:
        list(reader.read())
    assert (caught.value.store, caught.value.verb) == ("quiet", "get")


def test_a_foreign_error_is_translated_and_its_text_is_cut_off() -> None:
    store, ref = opened(RuntimeError(SECRET))
    with store.driver.open(ref) as reader, pytest.raises(StoreError) as caught:
        list(reader.read())
    told = "".join(traceback.format_exception(caught.value))
    assert SECRET not in told
    assert "RuntimeError" in told


def test_what_is_no_exception_passes() -> None:
    store, ref = opened(KeyboardInterrupt())
    with store.driver.open(ref) as reader, pytest.raises(KeyboardInterrupt):
        list(reader.read())


def test_closing_early_closes_what_is_below() -> None:
    store, ref = opened()
    with store.driver.open(ref) as reader:
        pieces = reader.read()
        iterated = iter(pieces)
        next(iterated)
        close = getattr(pieces, "close")  # noqa: B009  # iterators have none by their type
        close()
        assert list(iterated) == []


def test_no_piece_of_an_image_is_held_back_when_nothing_is_compared() -> None:
    store, ref = opened(Unavailable("broken"), at=2)
    with store.open(ref) as image:
        pieces = iter(image)
        assert next(pieces) == b"0123"
        with pytest.raises(Unavailable):
            next(pieces)
