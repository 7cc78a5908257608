"""References: what they mean, whose they are, and what is none."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from multistore.driver import Driver, Ref
from multistore.errors import InvalidRef, NotFound, StoreError
from multistore.model import Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import content, needs, read
from multistore.testing.watch import no_io

__all__ = ["References"]

_ODD = "\0\n%/\\:?#@&=+;,.~*'\"<>|[] \u00e9\u2603\U0001f4be\u202e\ud800\udc80"


class References(Group):
    """Parsing, ownership, redaction."""

    def test_a_reference_survives_its_round_trip(self, driver: Driver, work: Work) -> None:
        """``str(parse(ref))`` is the reference that commit gave, and parses to the same value."""
        ref = work.image(content(5))
        with no_io():
            parsed = driver.parse(ref)
        assert isinstance(parsed, Ref)
        assert str(parsed) == ref
        assert driver.parse(str(parsed)) == parsed
        assert hash(driver.parse(ref)) == hash(parsed)

    def test_a_parsed_reference_is_frozen(self, driver: Driver, work: Work) -> None:
        """Its named parts cannot be changed."""
        parsed = driver.parse(work.image(b"x"))
        fields: dict[str, Any] = getattr(parsed, "__dataclass_fields__", {})
        assert fields, "a parsed reference is a dataclass"
        for name in fields:
            with pytest.raises(AttributeError):
                setattr(parsed, name, "changed")

    def test_what_is_no_reference_is_refused(
        self, rig: Rig, driver: Driver, raises: Raises
    ) -> None:
        """Garbage is InvalidRef, and says why."""
        schemes = driver.schemes
        garbage = [
            "",
            " ",
            "nonsense",
            "no-such-scheme://a/b",
            f"{schemes[0]}:",
            f"{schemes[0]}://",
        ]
        for text in (*garbage, *rig.bad_refs):
            with raises(InvalidRef), no_io():
                driver.parse(text)

    def test_every_verb_refuses_what_is_no_reference(
        self, rig: Rig, driver: Driver, raises: Raises
    ) -> None:
        """A verb gets the same answer as ``parse``."""
        verbs: list[Callable[[str], object]] = [driver.stat, lambda ref: read(driver, ref)]
        if Verb.DELETE in driver.capabilities.verbs:
            verbs.append(driver.delete)
        for text in ("", "no-such-scheme://a/b", *rig.bad_refs):
            for verb in verbs:
                with raises(InvalidRef):
                    verb(text)

    def test_any_text_parses_to_a_round_trip_or_is_refused(
        self, driver: Driver, work: Work
    ) -> None:
        """Nothing but InvalidRef ever comes out, and what is accepted means one thing only."""
        for text in _mutations(work.image(b"x"), 300):
            _judge(driver, text)

    def test_any_text_that_hypothesis_finds(self, bare: Driver) -> None:
        """The same, where hypothesis is installed."""
        hypothesis = pytest.importorskip("hypothesis")
        texts = hypothesis.strategies.text(max_size=60)
        schemes = hypothesis.strategies.sampled_from(["", *(f"{s}://" for s in bare.schemes)])

        def judge(scheme: str, text: str) -> None:
            _judge(bare, scheme + text)

        settings = hypothesis.settings(max_examples=100, deadline=None, database=None)
        settings(hypothesis.given(schemes, texts)(judge))()

    def test_a_store_owns_what_it_stored(self, driver: Driver, work: Work) -> None:
        """Its references begin with one of its prefixes."""
        ref = work.image(b"x")
        with no_io():
            assert driver.owns(ref)
            prefixes = driver.prefixes()
        assert isinstance(prefixes, tuple)
        assert not prefixes or any(ref.startswith(prefix) for prefix in prefixes)

    def test_ownership_ends_at_path_boundaries(self, driver: Driver) -> None:
        """``/images2`` does not lie in ``/images``; nothing of another scheme is owned."""
        for prefix in driver.prefixes():
            assert not driver.owns(f"{prefix.rstrip('/')}-other/x")
        for text in ("", "nonsense", "no-such-scheme://a/b"):
            assert not driver.owns(text)

    def test_references_of_other_stores_are_not_touched(
        self, rig: Rig, driver: Driver, raises: Raises
    ) -> None:
        """They are not owned, and lead to InvalidRef or NotFound."""
        if not rig.foreign_refs:
            pytest.skip("the rig has no `foreign_refs`")
        for ref in rig.foreign_refs:
            assert not driver.owns(ref)
            with raises(StoreError):
                _refused(driver.stat, ref)
            with raises(StoreError):
                _refused(partial(read, driver), ref)
            if Verb.DELETE in driver.capabilities.verbs:
                with raises(StoreError):
                    _refused(driver.delete, ref)

    def test_redacting_is_pure_and_never_fails(self, rig: Rig, driver: Driver, work: Work) -> None:
        """Whatever is about to be logged can be redacted, once or twice."""
        ref = work.image(b"x")
        for text in (ref, "", "nonsense", *rig.foreign_refs, *rig.bad_refs):
            with no_io():
                shown = driver.redact(text)
            assert driver.redact(shown) == shown
            for secret in rig.secrets:
                assert secret not in shown

    @needs(Verb.WRITE)
    def test_a_reference_is_printable_as_it_is(self, driver: Driver, work: Work) -> None:
        """No control character ends up in a database or a terminal."""
        ref = work.put(b"x")
        assert ref.isprintable()
        assert ref.partition(":")[0] in driver.schemes


def _judge(driver: Driver, text: str) -> None:
    try:
        parsed = driver.parse(text)
    except InvalidRef as error:
        why = error.why
        assert why
        return
    assert driver.parse(str(parsed)) == parsed, f"{text!r} does not survive its round trip"


def _refused(call: Callable[[str], object], ref: str) -> None:
    """Let NotFound and InvalidRef through, and make anything else a failure."""
    try:
        call(ref)
    except (NotFound, InvalidRef):
        raise
    except StoreError as error:
        raise AssertionError(f"{type(error).__name__} instead of InvalidRef or NotFound") from error


def _mutations(ref: str, count: int) -> Iterator[str]:
    """Give texts that are nearly references: cut, doubled, with odd characters put in."""
    chance = random.Random(7)  # noqa: S311  # the same texts each time
    yield from (ref[:end] for end in range(len(ref)))
    yield from (ref + each for each in _ODD)
    yield from (ref.replace("/", f"/{each}") for each in _ODD)
    for _ in range(count):
        text = list(ref)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text) + 1)
            text[at : at + chance.randint(0, 2)] = chance.choice(_ODD) * chance.randint(0, 2)
        yield "".join(text)
