"""What the personalise side keeps of a customer in rows of its own, and how it lets go of that.

What was decided about him stays in the decision log: it is insert-only, committed to in the ledger, and names no more
than a pseudonym that leads nowhere once he is erased.
"""

from typing import Final

import sqlalchemy as sa

from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.ledger import log as ledger
from consent.rights.erasing import Eraser, rows_of
from personalise import quotas
from personalise.contacts import OVER, Over
from personalise.steps.interact.states import State
from personalise.tables import (
    CommitmentRow,
    ContactRow,
    DeferralRow,
    GoodwillEntryRow,
    GoodwillRow,
    OutcomeRow,
    WishRow,
)

_contact: Final = table_of(ContactRow)
_ROWS: Final = (DeferralRow, OutcomeRow, CommitmentRow, GoodwillEntryRow, GoodwillRow, WishRow)


def _contacts(work: Work, customer: CustomerId) -> int:
    """Delete a customer's contacts; what waited to be sent to him gives back what it had taken of quotas."""
    mine = _contact.c.customer == customer
    waiting = sa.select(*(_contact.c[name] for name in OVER)).where(mine, _contact.c.status == State.RESERVED)
    unsent = [Over(*row) for row in work.connection.execute(waiting)]
    quotas.give_back(work, unsent, position=ledger.head(work).position)
    return work.connection.execute(sa.delete(_contact).where(mine)).rowcount


ERASERS: Final = (Eraser(_contact.name, _contacts), *map(rows_of, _ROWS))
"""Contacts with him, when he is decided about again, and what came of it; what he was promised; his account of
goodwill; what he wishes."""
