"""What a pause or a stop of a campaign holds up: what was reserved and who waits, also once its runs have finished.

It is read from the events of the campaign, in the order of the ledger, and not from its runs: these are over, mostly,
while what they reserved still waits to be sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

import sqlalchemy as sa

from consent.base.clock import from_ms
from consent.base.database import Hot, table_of
from consent.base.errors import StateConflict
from consent.base.store import Work
from consent.ledger.position import position
from personalise.tables import CampaignEventRow

_row: Final = table_of(CampaignEventRow)
_later: Final = _row.alias("later")
_SINCE: Final = sa.exists(
    sa.select(_later.c.seq).where(
        _later.c.campaign == _row.c.campaign,
        _later.c.version == _row.c.version,
        sa.or_(_later.c.log > _row.c.log, sa.and_(_later.c.log == _row.c.log, _later.c.seq > _row.c.seq)),
    )
)
PAUSED: Final = sa.select(_row.c.campaign).where(_row.c.event == "paused", ~_SINCE)
"""The keys of the campaigns that are paused."""

_STOPPED: Final = sa.select(_row.c.campaign).where(_row.c.event == "stopped").distinct()


_EVENTS: Final = Hot(
    sa.select(_row.c.version, _row.c.event, _row.c.run, _row.c.log, _row.c.seq, _row.c.at)
    .where(_row.c.campaign == sa.bindparam("campaign"))
    .order_by(_row.c.log, _row.c.seq),
    "campaign",
)


class Step(NamedTuple):
    """What became of a version: as its event says, where in the ledger, and when."""

    version: int
    event: str
    run: str
    position: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Halts:
    """The pause and the stops of one campaign."""

    paused: bool
    stops: tuple[Step, ...]
    over: frozenset[int]
    """The versions that are stopped, as things stand."""

    def stopped(self, version: int, decided: int) -> bool:
        """Say whether what a version decided is over, by the position at which the ledger commits to that.

        A stop ends what its version had decided by then, and what older ones had; never what a newer one decided.
        While a version is stopped, nothing of it leaves.
        """
        return version in self.over or any(each.version >= version and each.position > decided for each in self.stops)

    def ended(self, version: int) -> bool:
        """Say whether nothing is decided by a version any more: it was stopped, or a newer one was."""
        return version <= max(self.over, default=0)


def fold(steps: Iterable[Step]) -> Halts:
    """Return what a campaign's events, in the order of the ledger, come to.

    Where a scheduled start was called off, nothing had been decided by it: that is no stop. A version that was stopped
    goes on only where it is started again: to approve or to schedule it doesn't start it yet.
    """
    last: dict[int, str] = {}
    over: set[int] = set()
    stops: list[Step] = []
    for each in steps:
        if each.event == "started":
            over.discard(each.version)
        if each.event == "stopped" and (each.run or last.get(each.version) != "scheduled"):
            stops.append(each)
            over.add(each.version)
        last[each.version] = each.event
    return Halts(paused="paused" in last.values(), stops=tuple(stops), over=frozenset(over))


def of(work: Work, campaign: str) -> Halts:
    """Return what holds a campaign up."""
    rows = work.run(_EVENTS, campaign).fetchall()
    return fold(
        Step(version, event, run, position(log, seq), from_ms(at)) for version, event, run, log, seq, at in rows
    )


def require_going(work: Work, campaign: str, version: int) -> None:
    """Require that a campaign's version may decide now: one that was never started may, by whoever asks for it.

    Raises:
        StateConflict: the campaign is paused, or the version or a newer one was stopped.
    """
    halted = of(work, campaign)
    if halted.paused:
        msg = f"{campaign} is paused: nothing is decided until it goes on (`byleave campaign resume {campaign}`)"
        raise StateConflict(msg)
    if halted.ended(version):
        msg = f"version {version} of {campaign} was stopped: nothing is decided by it any more, unless it is run again"
        raise StateConflict(msg)


def stopped(work: Work) -> list[str]:
    """Return the keys of the campaigns of which something was ever stopped, or called off."""
    return sorted(work.connection.execute(_STOPPED).scalars())
