"""Ours does at every scripted step what release 5.7.0 was seen to do, except where the table of intended differences says so.

``record.json`` is what 5.7.0 did; a real test proves that it still does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from differential.cases import CASES, recorded
from differential.intended import HAS, INTENDED, LOG, less
from differential.judging import Intended, Judge
from differential.script import Case, Outcome, Worker
from differential.web import places

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def ours() -> Iterator[Worker]:
    with places() as web, Worker(**web) as worker:
        yield worker


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ours_does_what_was_recorded(case: Case, ours: Worker) -> None:
    record = recorded()
    peers = [record[label] for label in case.labels()]
    unexplained = Judge(INTENDED).unexplained(case.labels(), peers, ours.perform(case))
    assert not unexplained, "\n".join(unexplained)


def test_no_excuse_is_dead(ours: Worker) -> None:
    judge, record = Judge(INTENDED), recorded()
    for case in CASES:
        labels = case.labels()
        judge.unexplained(labels, [record[label] for label in labels], ours.perform(case))
    assert not judge.unused()


def test_case_names_are_distinct_and_nothing_else_is_recorded() -> None:
    labels = [label for case in CASES for label in case.labels()]
    assert len(labels) == len(set(labels))
    assert labels == list(recorded())


def test_the_judge_finds_what_differs_and_takes_no_excuse_for_more() -> None:
    judge = Judge(
        [
            Intended("X1", "an error instead of a value", ["a/b"], ours="NotFound"),
            Intended("X2", "a path less", ["a/c"], aspects=HAS, when=less("path")),
            Intended("X3", "never", ["a/d"], aspects=LOG),
        ]
    )
    peers: list[Outcome] = [{"returned": 1}, {"raised": "E", "has": ["path", "x"]}, {"returned": 1}]
    own: list[Outcome] = [{"raised": "NotFound"}, {"raised": "E", "has": ["x"]}, {"returned": 2}]
    assert judge.unexplained(["a/b", "a/c", "a/d"], peers, own) == [
        "a/d:\n    5.7.0  returned = 1\n    ours   returned = 2"
    ]
    assert judge.unexplained(["a/b"], peers[:1], [{"raised": "Invalid"}])
    assert judge.unexplained(["a/c"], peers[1:2], [{"raised": "E", "has": ["path"]}])
    assert [entry.defect for entry in judge.unused()] == ["X3"]
