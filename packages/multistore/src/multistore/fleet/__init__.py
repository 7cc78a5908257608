"""Fleet: many stores as one."""

from multistore.fleet.fleet import Fleet
from multistore.fleet.receipts import FleetReceipt, Repair

__all__ = ["Fleet", "FleetReceipt", "Repair"]
