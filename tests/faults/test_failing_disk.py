"""A sync fails, or the disk is full: nothing is acknowledged that isn't there, and the next append looks first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from consent.base.clock import rfc3339
from consent.base.database import wal_is_safe
from consent.base.errors import LedgerBroken


def steps(world, fault):
    world.store.close()
    argv = [world.url, str(world.keyring), rfc3339(world.clock()), world.bo, fault]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.failing", *argv],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=100,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def appended(found, before):
    """Assert that each step appended once where it said so, and not at all where it didn't."""
    size = before
    for step in found:
        told = [step["failed"], step["then"]].count("appended")
        assert (step["size"], step["then"], step["faults"]) == (size + told, "appended", []), step
        assert step["meanwhile"] == {"size": step["size"] - 1, "reason": "PERMIT", "faults": []}, step
        size = step["size"]


@pytest.mark.timeout(120)
def test_a_sync_that_fails_is_not_acknowledged_and_the_ledger_goes_on_once_its_head_was_looked_at(sqlite_world):
    """Fault 2: an I/O error on a sync is no yes, whichever sync of an append it is.

    Nor is it a no: by the last sync of a commit it stands already, and whoever asks again under his key hears so.
    """
    size = sqlite_world.size() + 2
    found = steps(sqlite_world, "sync")

    assert {step["failed"] for step in found} == {"commit_unknown: its disk reported an error while it was committed"}
    stood = []
    for step in found:
        stood.append(step["meanwhile"]["size"] - size)
        assert step["meanwhile"] == {"size": size + stood[-1], "reason": "PERMIT", "faults": []}, step
        assert (step["size"], step["then"], step["faults"]) == (size + stood[-1] + 1, "appended", []), step
        size = step["size"]
    journal = not wal_is_safe()
    assert (stood[0], stood[-1], sum(stood), len(found) > 2) == (0, journal, journal, journal)


@pytest.mark.timeout(120)
def test_a_full_disk_refuses_appends_reads_go_on_and_it_resumes_without_repair(sqlite_world):
    """Fault 2: "disk full" is said as such."""
    size = sqlite_world.size()
    found = steps(sqlite_world, "full")

    assert {step["failed"] for step in found} - {"appended"} == {"database_down: its disk is full"}
    appended(found, size + 2)


def test_a_head_that_a_failed_disk_left_wrong_takes_no_more_appends(sqlite_world, monkeypatch):
    world = sqlite_world
    monkeypatch.setattr(world.store, "_doubtful", True)
    world.grant(world.bo, "use:purchases:recommendations")
    assert world.store._doubtful is False

    world.tamper("UPDATE ledger_head SET frontier = zeroblob(length(frontier))")
    monkeypatch.setattr(world.store, "_doubtful", True)
    with pytest.raises(LedgerBroken, match="the head no longer agrees with the entries"):
        world.grant(world.bo, "use:purchases:recommendations")
    assert world.store._doubtful is True
