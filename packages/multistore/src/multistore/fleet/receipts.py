"""What a Fleet hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from multistore.errors import StoreError
from multistore.model import Receipt, Verdict
from multistore.pipeline.upload import Uploaded
from multistore.store import receipt_of

__all__ = ["FleetReceipt", "Repair", "fleet_receipt"]


@dataclass(frozen=True, slots=True)
class FleetReceipt:
    """What ``Fleet.put`` acknowledges: whole and published copies, by store; ``failures`` has the stores without one.

    ``seconds`` is that of the pass over the source; each copy's own is in its Receipt.
    """

    name: str
    size: int
    digests: Mapping[str, str]
    copies: Mapping[str, Receipt]
    failures: Mapping[str, StoreError] = field(default_factory=lambda: MappingProxyType({}))
    seconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def refs(self) -> dict[str, str]:
        """Where the copies are: what ``open`` and the other verbs take."""
        return {store: receipt.ref for store, receipt in self.copies.items()}


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair found, and did: ``copies`` has the receipt of each copy that was written anew from ``source``."""

    verdicts: Mapping[str, Verdict]
    source: str | None
    copies: Mapping[str, Receipt]
    failures: Mapping[str, StoreError]


def fleet_receipt(
    name: str, uploaded: Uploaded | None, made: Mapping[str, Receipt]
) -> FleetReceipt:
    """Put together what the pipeline wrote and what the backends copied by themselves."""
    if uploaded is None:
        first = next(iter(made.values()))
        return FleetReceipt(name, first.size, first.digests, MappingProxyType(dict(made)))
    written = {
        sink.store: receipt_of(sink, uploaded.digests, uploaded.seconds) for sink in uploaded.sinks
    }
    return FleetReceipt(
        name,
        uploaded.size,
        MappingProxyType(dict(uploaded.digests)),
        MappingProxyType({**made, **written}),
        MappingProxyType(dict(uploaded.failures)),
        MappingProxyType(dict(uploaded.seconds)),
    )
