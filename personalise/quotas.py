"""What is taken of a campaign's quotas: given out one by one, or set aside for a run.

A row a quota counts what is taken, exactly: whoever takes has locked it. What stops short gives back what it had set
aside and didn't use; what became of a contact later gives nothing back.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.database import Hot, table_of
from consent.base.store import Work
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Room
from personalise.tables import QuotaRow

_quota = table_of(QuotaRow)


class Counted(Protocol):
    """Whatever says which row counts a quota."""

    @property
    def key(self) -> str:
        """The quota's."""

    @property
    def version(self) -> int:
        """The campaign's version; 0 for all."""


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


def room(work: Work, policy: Policy, *, lock: bool) -> Room:
    """Return what there is left of a policy's quotas.

    Args:
        work: a transaction; one that writes, to lock.
        policy: whose.
        lock: whether nobody else may take anything until the transaction ends. Customers are locked before, never
            after.
    """
    if lock:
        take(work, policy.campaign.key, dict.fromkeys(policy.quotas, 0))
    taken = {}
    for each in policy.quotas:
        row = work.run(_STANDS, policy.campaign.key, each.version, each.key).fetchone()
        taken[each.key] = row[0] if row else 0
    return Room(left={each.key: each.limit - taken[each.key] for each in policy.quotas}, taken=taken)


def take(work: Work, campaign: str, amounts: Mapping[Counted, int]) -> None:
    """Take amounts, or give them back where they are below 0.

    Rows are changed in the order of their keys, so that nobody waits for who waits for him.
    """
    for each in sorted(amounts, key=lambda one: (one.version, one.key)):
        work.run(_ADD, campaign, each.version, each.key, amounts[each])
