"""The Cinder driver against the conformance suite on the lab's Cinder: volumes in Ceph, and files on a stand-in for NFS.

An image costs seconds there, so each type gets the tests that its own ways can break, on the bare driver; the whole suite
runs on a stand-in for Cinder in the fast tier.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from conformance.cinder_rig import lab_alone, lab_rig
from multistore.driver import Driver
from multistore.testing import Rig
from multistore.testing.base import Group
from multistore.testing.copying import Copying
from multistore.testing.describing import Describing
from multistore.testing.listing import Deleting, Listing
from multistore.testing.pending import Unfinished
from multistore.testing.publishing import Publishing
from multistore.testing.racing import Racing
from multistore.testing.reading import Reading
from multistore.testing.refs import References
from multistore.testing.writing import Writing

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    # os-brick's libraries warn of their own use of eventlet, and of every fork since.
    pytest.mark.filterwarnings("ignore:eventletutils:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Using fork:DeprecationWarning"),
]


class Chosen(Group):
    """What is judged on a real Cinder."""

    @pytest.fixture
    def driver(self, bare: Driver) -> Driver:
        """The driver without layers."""
        return bare

    test_check_passes = Describing.test_check_passes_on_a_healthy_store
    test_check_fails = Describing.test_check_fails_where_there_is_no_backend
    test_usage = Describing.test_usage_is_sane
    test_too_large = Describing.test_an_image_too_large_is_refused_at_once
    test_foreign = References.test_references_of_other_stores_are_not_touched
    test_missing = Reading.test_a_missing_image_is_not_found
    test_ranges = Reading.test_every_kind_of_range_is_exact
    test_side_by_side = Reading.test_streams_of_one_reader_run_side_by_side
    test_two_readers = Reading.test_two_readers_do_not_disturb_each_other
    test_parts = Writing.test_parts_may_be_written_side_by_side
    test_labels = Writing.test_labels_are_accepted
    test_existing = Writing.test_begin_refuses_a_name_that_exists
    test_repeated = Publishing.test_commit_may_be_repeated
    test_never_replaces = Publishing.test_commit_never_replaces_anothers_image
    test_abort = Publishing.test_abort_leaves_nothing
    test_published = Publishing.test_published_tells_of_this_upload_alone
    test_dead = Unfinished.test_what_a_dead_process_left_can_be_found_and_removed
    test_proved = Unfinished.test_what_a_dead_process_published_can_be_proved
    test_discard = Unfinished.test_anybody_may_discard_an_upload
    test_deleted = Deleting.test_a_deleted_image_is_gone
    test_list = Listing.test_the_list_shows_nothing_unfinished_or_deleted
    test_copy = Copying.test_a_copy_is_a_whole_image_of_its_own
    test_fork = Racing.test_a_forked_child_reads_with_the_parents_driver


class TestRbd(Chosen):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        with lab_alone():
            yield lab_rig(tmp_path, "rbd")


class TestNfs(Chosen):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        with lab_alone():
            yield lab_rig(tmp_path, "nfs")
