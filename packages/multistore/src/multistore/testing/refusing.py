"""What is not declared is refused, before any I/O."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from multistore.driver import Driver
from multistore.errors import Unsupported
from multistore.model import Access, Verb
from multistore.testing.base import Group, Raises, Work
from multistore.testing.rig import Rig
from multistore.testing.tools import lacking
from multistore.testing.watch import no_io

__all__ = ["Refusing"]

_CALLS: dict[str, tuple[Verb, Callable[[Driver, str], object]]] = {
    "begin": (Verb.WRITE, lambda driver, _: driver.begin("name", 1, {})),
    "pending": (Verb.WRITE, lambda driver, _: list(driver.pending())),
    "discard": (Verb.WRITE, lambda driver, _: driver.discard("token")),
    "published": (Verb.WRITE, lambda driver, _: driver.published("token")),
    "delete": (Verb.DELETE, lambda driver, ref: driver.delete(ref)),
    "begin_copy": (Verb.COPY, lambda driver, ref: driver.begin_copy(driver, ref, "name", {})),
    "list": (Verb.LIST, lambda driver, _: list(driver.list())),
    "usage": (Verb.USAGE, lambda driver, _: driver.usage()),
    "set_access": (Verb.ACCESS, lambda driver, ref: driver.set_access(ref, Access())),
}


class Refusing(Group):
    """Unsupported: nothing was sent anywhere."""

    @pytest.mark.parametrize("method", _CALLS)
    def test_an_undeclared_verb_is_refused_without_io(
        self, rig: Rig, driver: Driver, work: Work, raises: Raises, method: str
    ) -> None:
        """Also where there is nothing that could be asked."""
        verb, call = _CALLS[method]
        if not lacking(driver.capabilities, [verb]):
            pytest.skip(f"{verb.name} is declared")
        ref = rig.missing_ref or work.image(b"untouched")
        with raises(Unsupported), no_io():
            call(driver, ref)
        if rig.unreachable is not None:
            nowhere = rig.unreachable()
            with raises(Unsupported), no_io():
                call(nowhere, ref)
            nowhere.close()
