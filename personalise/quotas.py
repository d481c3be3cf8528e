"""What is taken of a campaign's quotas: given out one by one, or set aside for a run.

A row a quota counts what is taken, exactly: whoever takes has locked it. What stops short gives back what it had set
aside and didn't use; a contact that ended gives its place back if nobody had ever been handed it, and its goodwill in
any case. What is given back is written down beside, since whoever ends contacts may not wait for quotas, and counted
in by who takes next.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.clock import to_ms
from consent.base.database import Hot, table_of
from consent.base.store import Work
from personalise.contacts import OVER, Over
from personalise.steps.interact.states import State
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import BUDGET, Room
from personalise.tables import ContactRow, QuotaReturnRow, QuotaRow

_quota, _return, _contact = table_of(QuotaRow), table_of(QuotaReturnRow), table_of(ContactRow)


class Counted(Protocol):
    """Whatever says which row counts a quota."""

    @property
    def key(self) -> str:
        """The quota's."""

    @property
    def version(self) -> int:
        """The campaign's version; 0 for all."""


class Back(NamedTuple):
    """What a contact gives back of a quota."""

    campaign: str
    version: int
    key: str
    decision: str
    amount: int


def _add(dialect: str) -> sa.Executable:
    insert: Any = (postgresql if dialect == "postgresql" else sqlite).insert(_quota)
    more = {"taken": _quota.c.taken + insert.excluded.taken}
    made: sa.Executable = insert.on_conflict_do_update(index_elements=["campaign", "version", "key"], set_=more)
    return made


_ADD: Final = Hot(_add, "campaign", "version", "key", "taken")
_STANDS: Final = Hot(
    sa.select(_quota.c.taken).where(*(_quota.c[name] == sa.bindparam(name) for name in ("campaign", "version", "key"))),
    "campaign",
    "version",
    "key",
)
_FREED: Final = sa.and_(
    *(_return.c[name] == sa.bindparam(name) for name in ("campaign", "version", "key")), _return.c.counted == sa.false()
)
_GIVE_BACK: Final = Hot(
    sa.insert(_return).values(counted=False), "campaign", "version", "key", "decision", "amount", "position"
)
_WAITS: Final = Hot(sa.select(sa.func.sum(_return.c.amount)).where(_FREED), "campaign", "version", "key")
_COUNT_IN: Final = Hot(
    sa.update(_return).where(_FREED).values(counted=True).returning(_return.c.amount), "campaign", "version", "key"
)
_LAPSED: Final = Hot(
    sa.select(*(_contact.c[name] for name in OVER)).where(
        _contact.c.status == sa.literal_column(f"'{State.RESERVED}'"),
        _contact.c.expires_at <= sa.bindparam("at", type_=sa.BigInteger()),
        _contact.c.campaign == sa.bindparam("campaign"),
        _contact.c.quotas != sa.literal_column("''"),
    ),
    "at",
    "campaign",
)


def locked_room(work: Work, policy: Policy) -> Room:
    """Return what there is left of a policy's quotas, of which nobody else takes anything until the transaction ends.

    Customers are locked before, never after.
    """
    campaign = policy.campaign.key
    take(work, campaign, dict.fromkeys(policy.quotas, 0))
    take(work, campaign, {each: -back for each in policy.quotas if (back := _counted_in(work, campaign, each))})
    return _room(work, policy, {})


def room(work: Work, policy: Policy, at: datetime) -> Room:
    """Return what there would be left of a policy's quotas now, for who looks and takes nothing.

    What waits to be counted in is, and what lapsed by then and nobody has written down yet.
    """
    if not policy.quotas:
        return Room(left={}, taken={})
    campaign, freed = policy.campaign.key, Counter[str]()
    for each in policy.quotas:
        freed[each.key] += int(work.run(_WAITS, campaign, each.version, each.key).fetchone()[0] or 0)
    mine = {each.noted for each in policy.quotas}
    for row in work.run(_LAPSED, to_ms(at), campaign).fetchall():
        for back in given_back(Over(*row)):
            freed[back.key] += back.amount if f"{back.key}@{back.version}" in mine else 0
    return _room(work, policy, freed)


def _room(work: Work, policy: Policy, freed: Mapping[str, int]) -> Room:
    taken = {}
    for each in policy.quotas:
        row = work.run(_STANDS, policy.campaign.key, each.version, each.key).fetchone()
        taken[each.key] = (row[0] if row else 0) - freed.get(each.key, 0)
    return Room(left={each.key: each.limit - taken[each.key] for each in policy.quotas}, taken=taken)


def _counted_in(work: Work, campaign: str, quota: Counted) -> int:
    """Note that what waits to be given back of a quota is counted in, and return how much; the caller has locked it."""
    return sum(amount for (amount,) in work.run(_COUNT_IN, campaign, quota.version, quota.key).fetchall())


def take(work: Work, campaign: str, amounts: Mapping[Counted, int]) -> None:
    """Take amounts, or give them back where they are below 0.

    Rows are changed in the order of their keys, so that nobody waits for who waits for him.
    """
    for each in sorted(amounts, key=lambda one: (one.version, one.key)):
        work.run(_ADD, campaign, each.version, each.key, amounts[each])


def given_back(ended: Over) -> list[Back]:
    """Return what a contact that ended gives back: its place where nobody was ever handed it, its goodwill always."""
    found = []
    for each in ended.quotas.split():
        key, _, version = each.rpartition("@")
        amount = ended.charge if key == BUDGET else int(not ended.claims)
        if amount:
            found.append(Back(ended.campaign, int(version), key, ended.decision, amount))
    return found


def give_back(work: Work, ended: Iterable[Over], *, position: int) -> None:
    """Give back what contacts had taken that ended where the ledger stood at `position`; each of them once."""
    work.run_many(_GIVE_BACK, [(*back, position) for one in ended for back in given_back(one)])
