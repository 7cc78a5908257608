"""Right variants of the memory driver: one that copies, one that only reads."""

from collections.abc import Mapping
from dataclasses import replace

from multistore.driver import Driver, Upload
from multistore.drivers.memory import MemoryDriver
from multistore.errors import Unsupported
from multistore.model import Access, Capabilities, Verb


class CopyingMemory(MemoryDriver):
    """Copies inside itself, and knows access rights."""

    capabilities = replace(
        MemoryDriver.capabilities,
        verbs=MemoryDriver.capabilities.verbs | Verb.COPY | Verb.ACCESS,
    )

    def begin_copy(
        self, source: Driver, ref: str, name: str, labels: Mapping[str, str]
    ) -> tuple[Upload, int]:
        data = self.copied(source, ref)
        upload = self.begin(name, len(data), labels)
        upload.write_part(0, 0, data)
        return upload, len(data)

    def copied(self, source: Driver, ref: str) -> bytes:
        """Give the bytes to be copied; Unsupported if they are another store's."""
        if not isinstance(source, MemoryDriver) or source.objects is not self.objects:
            raise Unsupported("these two stores share nothing")
        return source._find(self.parse(ref).name)[0]

    def set_access(self, ref: str, access: Access) -> None:
        self.stat(ref)


class ReadOnlyMemory(MemoryDriver):
    """Can do nothing but stat and open, one stream at a time."""

    capabilities = Capabilities()

    begin = Driver.begin
    pending = Driver.pending
    discard = Driver.discard
    published = Driver.published
    delete = Driver.delete
    list = Driver.list
    usage = Driver.usage
