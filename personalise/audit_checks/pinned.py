"""What runs and decisions can have gone by: the contact policy that was in force, and what a run was started with."""

from datetime import datetime
from itertools import pairwise

from consent.audit import times
from consent.base.errors import RunUnknown
from consent.base.ids import RunId
from consent.base.store import Work
from consent.ledger.position import position
from personalise import shelf
from personalise.runs import log, stands
from personalise.runs.log import Chunk


class Newest:
    """Which version of the contact policy was the newest, by ledger position.

    Who is about to decide has read the newest one a moment before: one that is published in that moment may not count
    for him yet. Positions are the ledger's, to which the check `versions` holds each version.
    """

    def __init__(self, work: Work) -> None:
        """Read when each was published."""
        self._published = sorted(
            (each.position, each.published_at, each.version) for each in shelf.contact_policies(work)
        )

    def differs(self, version: int, before: int, at: datetime) -> str:
        """Say that a version was none that could be gone by at a ledger position; "" where it was."""
        start = (-1, datetime.min.replace(tzinfo=at.tzinfo), 0)
        there = [each for each in (start, *self._published) if each[0] < before]
        lately = {old[2] for old, new in pairwise(there) if at - new[1] <= times.APART}
        if version in {there[-1][2], *lately}:
            return ""
        return f"it went by {_named(version)}, and {_named(there[-1][2])} was in force"


class Pinned:
    """What chunks of decisions had to go by: those of a run, by what it was started with."""

    def __init__(self, work: Work) -> None:
        """Read which contact policy was in force when."""
        self._newest = Newest(work)
        self._of_run: dict[str, dict[str, int] | None] = {}

    def differs(self, work: Work, chunk: Chunk) -> str:
        """Say what a chunk went by that it had not to; "" where nothing."""
        if not chunk.run:
            return self._newest.differs(chunk.about["contact_policy"], position(chunk.log, chunk.seq), chunk.at)
        if chunk.run not in self._of_run:
            self._of_run[chunk.run] = _pins(work, chunk.run)
        pinned, went_by = self._of_run[chunk.run], log.pins(chunk.about)
        wrong = sorted(name for name, version in went_by.items() if pinned and pinned[name] != version)
        others = ", ".join(f"{name} {went_by[name]} for {pinned[name]}" for name in wrong) if pinned else ""
        return f"it went by other versions than run {chunk.run} says: {others}" if wrong else ""


def _pins(work: Work, run: str) -> dict[str, int] | None:
    """Return what a run was started with; None where its row is gone, of which the check `approvals` tells."""
    try:
        return stands.run_of(stands.of(work, RunId(run))).pins
    except RunUnknown:
        return None


def _named(version: int) -> str:
    return f"version {version} of the contact policy" if version else "no contact policy"
