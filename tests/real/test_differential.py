"""Ours and release 5.7.0 side by side: the record still holds, and generated calls end alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differential.cases import CASES, PEER, recorded
from differential.drawing import cases, locations
from differential.intended import INTENDED
from differential.judging import Judge
from differential.script import Case, Worker
from differential.web import places
from hypothesis import HealthCheck, given, settings
from property.nasty import SEED

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Worker, Worker]]:
    if not PEER.exists():
        pytest.fail(
            "release 5.7.0 is not there: 'make lab-up' first, or sh lab/peer/environment.sh"
        )
    with places() as web, Worker(str(PEER), **web) as peer, Worker(**web) as ours:
        yield peer, ours


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_record_is_what_the_release_does(case: Case, both: tuple[Worker, Worker]) -> None:
    record = recorded()
    assert both[0].perform(case) == [record[label] for label in case.labels()]


def compare(case: Case, both: tuple[Worker, Worker]) -> None:
    peer, ours = both
    labels = case.labels()
    unexplained = Judge(INTENDED).unexplained(labels, peer.perform(case), ours.perform(case))
    assert not unexplained, "\n".join(unexplained)


@settings(
    max_examples=60, deadline=None, derandomize=not SEED, suppress_health_check=list(HealthCheck)
)
@given(case=cases())
def test_generated_calls_end_alike(case: Case, both: tuple[Worker, Worker]) -> None:
    compare(case, both)


@settings(
    max_examples=20, deadline=None, derandomize=not SEED, suppress_health_check=list(HealthCheck)
)
@given(case=locations())
def test_generated_locations_are_taken_apart_alike(case: Case, both: tuple[Worker, Worker]) -> None:
    compare(case, both)
