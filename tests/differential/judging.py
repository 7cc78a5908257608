"""The judge: what differs between the two at a step, and which entries of the table excuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from differential.script import Outcome

__all__ = ["Intended", "Judge", "differing"]

#: What belongs to the ending of a step: an entry that says how ours ends covers all of it.
ENDING = frozenset({"returned", "raised", "bases", "has", "errno", "foreign", "odd", "skipped"})

When = Callable[[Outcome, Outcome], bool]


@dataclass(frozen=True)
class Intended:
    """One intended difference: the defect of 5.7.0 that it avoids, where it shows, and what ours does there.

    ``where`` are patterns of labels, in which ``*`` and brackets are as in the shell.  ``ours`` is how ours ends there: the name of an exception, "returned" or "skipped".
    ``aspects`` are what else may differ.  ``when`` is what must hold for 5.7.0's outcome and ours.
    """

    defect: str
    reason: str
    where: Sequence[str]
    ours: str = ""
    aspects: frozenset[str] = frozenset()
    when: When | None = None

    def excuses(self, label: str, peer: Outcome, ours: Outcome) -> frozenset[str]:
        """Give the aspects that this entry excuses at a step."""
        if not any(fnmatchcase(label, pattern) for pattern in self.where):
            return frozenset()
        if self.ours and ending(ours) != self.ours:
            return frozenset()
        if not self.holds(peer, ours):
            return frozenset()
        return self.aspects | (ENDING if self.ours else frozenset())

    def holds(self, peer: Outcome, ours: Outcome) -> bool:
        """Say whether the condition is met; not if an outcome lacks what it looks at."""
        try:
            return self.when is None or self.when(peer, ours)
        except (KeyError, TypeError):
            return False


def ending(outcome: Outcome) -> str:
    """Say in a word how a step ended."""
    if "raised" in outcome:
        return str(outcome["raised"])
    return "skipped" if "skipped" in outcome else "returned"


def differing(peer: Outcome, ours: Outcome) -> frozenset[str]:
    """Give the aspects of a step in which the two differ."""
    return frozenset(key for key in peer.keys() | ours.keys() if peer.get(key) != ours.get(key))


class Judge:
    """Compares step by step with one table, and remembers which entries were of use."""

    def __init__(self, table: Iterable[Intended]) -> None:
        self.table = list(table)
        self.used: set[int] = set()

    def unexplained(
        self, labels: Iterable[str], peers: Iterable[Outcome], ours: Iterable[Outcome]
    ) -> list[str]:
        """Describe every difference that no entry excuses."""
        found = []
        for label, theirs, own in zip(labels, peers, ours, strict=True):
            differences = left = differing(theirs, own)
            for number, entry in enumerate(self.table):
                excused = entry.excuses(label, theirs, own) & differences
                if excused:
                    self.used.add(number)
                    left -= excused
            if left:
                found.append(described(label, left, theirs, own))
        return found

    def unused(self) -> list[Intended]:
        """Give the entries that excused nothing so far."""
        return [entry for number, entry in enumerate(self.table) if number not in self.used]


def described(label: str, aspects: frozenset[str], peer: Outcome, ours: Outcome) -> str:
    """Say where and what differs."""
    lines = [f"{label}:"]
    for aspect in sorted(aspects):
        lines.append(f"    5.7.0  {aspect} = {peer.get(aspect)}")
        lines.append(f"    ours   {aspect} = {ours.get(aspect)}")
    return "\n".join(lines)
