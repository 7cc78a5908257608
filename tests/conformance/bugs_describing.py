"""Drivers that say wrong things of themselves and their references, tell secrets, or leak."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, ClassVar

from conformance.memory_rig import SECRET
from conformance.planting import Bugs
from multistore.config import option
from multistore.driver import Driver, Reader, Ref
from multistore.drivers.memory import MemoryDriver, MemoryRef
from multistore.errors import Misconfigured, NotFound
from multistore.model import Caller, Info, Usage, Verb

BUGS = Bugs()


@BUGS.plant("test_what_is_no_reference_is_refused", "test_every_verb_refuses_what_is_no_reference")
class GarbageParsed(MemoryDriver):
    """Any text is a reference."""

    @classmethod
    def parse(cls, text: str) -> MemoryRef:
        return MemoryRef(text.removeprefix("memory://"))


@BUGS.plant("test_any_text_parses_to_a_round_trip_or_is_refused")
class LossyReferences(MemoryDriver):
    """The text of a parsed reference leads to another object."""

    class Ref(MemoryRef):
        def __str__(self) -> str:
            return super().__str__().removesuffix("*")

    @classmethod
    def parse(cls, text: str) -> MemoryRef:
        return cls.Ref(super().parse(text).name)


@BUGS.plant("test_a_reference_survives_its_round_trip")
class OtherCanonicalForm(MemoryDriver):
    """The canonical form is not what commit gave."""

    class Ref(MemoryRef):
        def __str__(self) -> str:
            return f"memory:///{self.name}"

    @classmethod
    def parse(cls, text: str) -> MemoryRef:
        return cls.Ref(super().parse(text).name.lstrip("/") or "x")


@BUGS.plant("test_ownership_ends_at_path_boundaries")
class OwnsItsNeighbours(MemoryDriver):
    """A prefix without its boundary."""

    def owns(self, ref: str) -> bool:
        return ref.startswith("memory:")


@BUGS.plant("test_redacting_is_pure_and_never_fails")
class RedactFails(MemoryDriver):
    """Only what parses can be redacted."""

    def redact(self, ref: str) -> str:
        return str(self.parse(ref))


@BUGS.plant("test_a_missing_image_is_not_found")
class SecretInAnError(MemoryDriver):
    """A message quotes the settings."""

    def stat(self, ref: str) -> Info:
        try:
            return super().stat(ref)
        except NotFound as error:
            raise NotFound("not there") from ConnectionError(f"login root:{SECRET}", error)


@BUGS.plant("test_stat_describes_the_image")
class SecretInALog(MemoryDriver):
    """Each request is logged with its headers."""

    def stat(self, ref: str) -> Info:
        logging.getLogger("vendor").debug("X-Auth: %s", SECRET)
        return super().stat(ref)


@BUGS.plant("test_no_secret_shows_in_the_driver")
class SecretInTheDriver(MemoryDriver):
    """The password is an attribute like any other."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.password = SECRET


@BUGS.plant("test_an_empty_image_has_no_bytes_anywhere", patience=0.2)
class LeaksAThread(MemoryDriver):
    """Each reader has a thread that nobody ends."""

    end = threading.Event()

    def open(self, ref: str) -> Reader:
        threading.Thread(target=self.end.wait, args=(2.0,), daemon=True).start()
        return super().open(ref)


@BUGS.plant("test_an_empty_image_has_no_bytes_anywhere", patience=0.2)
class LeaksADescriptor(MemoryDriver):
    """Each reader opens something that nobody closes."""

    opened: ClassVar[list[int]] = []

    def open(self, ref: str) -> Reader:
        self.opened.append(os.open(os.devnull, os.O_RDONLY))
        return super().open(ref)


@BUGS.plant("test_making_a_driver_does_no_io_and_starts_no_thread")
class ConstructorAsks(MemoryDriver):
    """The constructor looks at the backend."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        os.listdir("/")


@BUGS.plant("test_making_a_driver_does_no_io_and_starts_no_thread")
class ConstructorStartsAThread(MemoryDriver):
    """The constructor has a thread for later."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        threading.Thread(target=time.sleep, args=(0.1,), daemon=True).start()


@BUGS.plant("test_close_is_idempotent_and_the_driver_usable_again")
class ClosedForGood(MemoryDriver):
    """A closed driver cannot be used again."""

    def close(self) -> None:
        self.objects = {}


@BUGS.plant("test_each_declared_verb_has_its_methods")
class DeclaredButMissing(MemoryDriver):
    """Copies are declared, and nobody wrote them."""

    capabilities = replace(
        MemoryDriver.capabilities, verbs=MemoryDriver.capabilities.verbs | Verb.COPY
    )


@BUGS.plant("test_an_undeclared_verb_is_refused_without_io")
class UndeclaredButWorks(MemoryDriver):
    """Listing works, and is not declared."""

    capabilities = replace(
        MemoryDriver.capabilities, verbs=MemoryDriver.capabilities.verbs & ~Verb.LIST
    )


@BUGS.plant("test_an_undeclared_verb_is_refused_without_io")
class RefusedAfterIO(UndeclaredButWorks):
    """The backend is asked before the refusal."""

    def list(self) -> Iterator[Info]:
        os.listdir("/")
        return Driver.list(self)


@BUGS.plant("test_usage_is_sane")
class NegativeUsage(MemoryDriver):
    """More is used than there is."""

    def usage(self) -> Usage:
        return Usage(100, 150, -50)


@dataclass
class _LooseSettings:
    capacity: int = option(1 << 62, help="how many bytes the store takes", unit="bytes")
    part_size: int = 8 << 20


@BUGS.plant("test_settings_are_a_frozen_documented_dataclass")
class LooseSettings(MemoryDriver):
    """Settings that can be changed, and are not explained."""

    settings_type = _LooseSettings  # type: ignore[assignment]  # the bug

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        return {}


@BUGS.plant("test_check_passes_on_a_healthy_store")
class NeverHealthy(MemoryDriver):
    """The check fails whatever there is."""

    def check(self) -> None:
        raise Misconfigured("no", setting="capacity")


@BUGS.plant("test_another_caller_sees_the_same_store")
class AnotherCallerAnotherStore(MemoryDriver):
    """A caller gets a store of his own."""

    def for_context(self, caller: Caller) -> Driver:
        return MemoryDriver(self.settings)


@dataclass
class _LooseRef(Ref):
    name: str

    def __str__(self) -> str:
        return f"memory://{self.name}"


@BUGS.plant("test_a_parsed_reference_is_frozen")
class LooseReferences(MemoryDriver):
    """The parts of a reference can be changed."""

    @classmethod
    def parse(cls, text: str) -> Any:
        return _LooseRef(super().parse(text).name)


@BUGS.plant("test_schemes_are_lower_case_words")
class LoudScheme(MemoryDriver):
    """A scheme with a colon in it."""

    schemes = ("Memory:",)


@BUGS.plant("test_parts_are_positive_sizes_and_pure")
class EmptyParts(MemoryDriver):
    """The parts of an empty image are empty."""

    def parts(self, size: int | None) -> Iterator[int]:
        while True:
            yield self.settings.part_size if size is None else size


@BUGS.plant("test_capabilities_are_facts_known_without_io")
class RestlessCapabilities(MemoryDriver):
    """What it can do depends on when it is asked."""

    asked: ClassVar[Iterator[int]] = count(2)

    @property
    def capabilities(self) -> Any:  # type: ignore[override]  # the bug
        return replace(MemoryDriver.capabilities, parallel_parts=next(self.asked))


@BUGS.plant("test_a_url_becomes_settings_or_is_refused")
class UrlBreaks(MemoryDriver):
    """A URL that it does not like ends in an index error."""

    @classmethod
    def settings_from_url(cls, url: str) -> Mapping[str, object]:
        return {"path": url.split("/")[2]}


@BUGS.plant("test_a_store_owns_what_it_stored")
class Disowns(MemoryDriver):
    """Its own references are not its own."""

    def owns(self, ref: str) -> bool:
        return False


@BUGS.plant("test_references_of_other_stores_are_not_touched")
class AnswersForOthers(MemoryDriver):
    """A reference to another store is answered."""

    def stat(self, ref: str) -> Info:
        return Info(ref) if ref.startswith("file:") else super().stat(ref)
