"""What the personalise side keeps of a customer in rows of its own, and how it lets go of that.

What was decided about him stays in the decision log: it is insert-only, committed to in the ledger, and names no more
than a pseudonym that leads nowhere once he is erased.
"""

from typing import Final

from consent.rights.erasing import rows_of
from personalise.tables import (
    CommitmentRow,
    ContactRow,
    DeferralRow,
    GoodwillEntryRow,
    GoodwillRow,
    OutcomeRow,
    WishRow,
)

_ROWS: Final = (ContactRow, DeferralRow, OutcomeRow, CommitmentRow, GoodwillEntryRow, GoodwillRow, WishRow)
ERASERS: Final = tuple(map(rows_of, _ROWS))
"""Contacts with him, when he is decided about again, and what came of it; what he was promised; his account of
goodwill; what he wishes."""
