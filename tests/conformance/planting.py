"""How a bug is planted: a broken variant of a driver, and the suite's tests that must catch it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from multistore.driver import Driver

D = TypeVar("D", bound=type[Driver])


@dataclass(frozen=True)
class Bug:
    """One broken driver; ``rig`` is the function and the module that make a rig of it."""

    driver: type[Driver]
    caught_by: tuple[str, ...]
    patience: float
    rig: str


class Bugs(dict[str, Bug]):
    """All bugs of a file, by name."""

    def __init__(self, rig: str = "memory_rig") -> None:
        super().__init__()
        self.rig = rig

    def plant(self, *caught_by: str, patience: float = 15.0) -> Callable[[D], D]:
        """Register a driver class as a bug that these tests catch, each of them."""

        def register(driver: D) -> D:
            assert driver.__doc__, "say what is wrong with it"
            self[driver.__name__] = Bug(driver, caught_by, patience, self.rig)
            return driver

        return register
