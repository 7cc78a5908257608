"""Drivers that read wrongly."""

import time
from collections.abc import Iterator
from dataclasses import replace

from conformance.planting import Bugs
from multistore.driver import Reader
from multistore.drivers.memory import MemoryDriver, MemoryReader
from multistore.model import Info

BUGS = Bugs()


class Reading(MemoryDriver):
    """Opens with a reader of another class."""

    Broken: type[MemoryReader] = MemoryReader

    def open(self, ref: str) -> Reader:
        return self.Broken(self.stat(ref), self.objects[self.parse(ref).name][0])


@BUGS.plant("test_every_kind_of_range_is_exact", "test_store_reads_ranges")
class OffsetIgnored(Reading):
    """Every read begins at the start."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            return super().read(0, length)


@BUGS.plant("test_every_kind_of_range_is_exact")
class LengthIgnored(Reading):
    """Every read goes on to the end."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            return super().read(offset, None)


@BUGS.plant("test_every_kind_of_range_is_exact")
class NothingIsEverything(Reading):
    """A length of 0 is taken for no length."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            return super().read(offset, length or None)


@BUGS.plant("test_an_image_comes_back_whole", "test_ranges_across_pieces_are_exact")
class ShortReadEndsSilently(Reading):
    """A stream that breaks off just ends."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            yield from list(super().read(offset, length))[:1]

    def open(self, ref: str) -> Reader:
        reader = super().open(ref)
        assert isinstance(reader, MemoryReader)
        reader._data = reader._data[:150_000]
        return reader


@BUGS.plant("test_an_empty_image_has_no_bytes_anywhere")
class EmptyPieces(Reading):
    """A stream ends with an empty piece."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            yield from super().read(offset, length)
            yield b""


@BUGS.plant("test_an_image_comes_back_whole")
class MutablePieces(Reading):
    """Pieces are bytearrays."""

    class Broken(MemoryReader):
        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            return (bytearray(piece) for piece in super().read(offset, length))  # type: ignore[misc]  # the bug


@BUGS.plant("test_a_missing_image_is_not_found")
class RequestAtFirstNext(MemoryDriver):
    """What is missing is noticed only when the first piece is wanted."""

    def open(self, ref: str) -> Reader:
        driver = self

        class Late(MemoryReader):
            def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
                yield from MemoryDriver.open(driver, ref).read(offset, length)

        return Late(Info(ref), b"")


@BUGS.plant("test_streams_of_one_reader_may_be_interleaved")
class OnePlaceForAllStreams(Reading):
    """The streams of one reader share their place in the image."""

    class Broken(MemoryReader):
        at = 0

        def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
            self.at = offset
            end = len(self._data) if length is None else offset + length
            while piece := self._data[self.at : min(self.at + 65_536, end)]:
                self.at += len(piece)
                yield piece


@BUGS.plant("test_a_read_never_goes_over_into_the_next_image_of_a_name")
class SplicedReads(MemoryDriver):
    """Each piece is looked up by name again."""

    def open(self, ref: str) -> Reader:
        driver, name = self, self.parse(ref).name

        class Live(MemoryReader):
            def read(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
                at, end = offset, (self.info.size or 0) if length is None else offset + length
                while piece := driver._find(name)[0][at : min(at + 65_536, end)]:
                    at += len(piece)
                    yield piece

        return Live(self.stat(ref), b"")


@BUGS.plant("test_the_readers_info_is_right_before_and_after_reading")
class InfoNeverKnown(Reading):
    """The reader does not know its size, not even after reading."""

    def open(self, ref: str) -> Reader:
        reader = super().open(ref)
        assert isinstance(reader, MemoryReader)
        reader._info = Info(ref)
        return reader


@BUGS.plant("test_the_version_changes_with_the_bytes")
class ConstantVersion(MemoryDriver):
    """The version says nothing of the bytes."""

    def stat(self, ref: str) -> Info:
        return replace(super().stat(ref), version="1")


@BUGS.plant("test_the_version_stays_while_the_bytes_stay")
class RestlessVersion(MemoryDriver):
    """The version is another each time."""

    def stat(self, ref: str) -> Info:
        return replace(super().stat(ref), version=str(time.monotonic_ns()))


@BUGS.plant("test_an_image_comes_back_whole", "test_stat_describes_the_image")
class WrongSize(MemoryDriver):
    """stat counts one byte too many."""

    def stat(self, ref: str) -> Info:
        info = super().stat(ref)
        return replace(info, size=(info.size or 0) + 1)


@BUGS.plant("test_a_missing_image_is_not_found", "test_store_gives_verdicts")
class RawErrors(MemoryDriver):
    """What the dictionary raises comes through."""

    def _find(self, name: str) -> tuple[bytes, str, float]:
        return self.objects[name]
