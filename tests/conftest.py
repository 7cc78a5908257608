"""What holds for every test: which real ones may run side by side, one moto for all, and what is kept from pytest."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

# Where one of these is set pytest shows differences whole, and computes for minutes what two images differ in.
for _name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(_name, None)

#: Tests of one of these share a pool, or a project's volumes, whose leftovers they count.
SHARING = re.compile(r"tests/real/test_\w*(cinder|rbd)")


class Groups(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """What shares a pool of the cluster is one group, and so is each class, or file, of all else."""

    def _split_scope(self, nodeid: str) -> str:
        shared = SHARING.match(nodeid)
        if shared:
            return shared[1]
        file, _, inner = nodeid.partition("::")
        return f"{file}::{inner.partition('::')[0]}" if inner.startswith("Test") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Have ``--dist loadscope`` go by our groups; its own ``loadgroup`` does nothing with pytest 9.2."""
    return Groups(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the tests themselves, half a million objects, out of every garbage collection that a test asks for."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run moto, once for all tests of a process: starting it costs more than a dozen of them."""
    from fakes.moto_server import moto_server

    with moto_server() as address:
        yield f"http://{address}"
