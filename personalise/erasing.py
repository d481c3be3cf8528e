"""What the personalise side keeps of a customer in rows of its own, and how it lets go of that.

What was decided about him stays in the decision log: it is insert-only, committed to in the ledger, and names no more
than a pseudonym that leads nowhere once he is erased.
"""

from typing import Final

from consent.rights.erasing import rows_of
from personalise.tables import CommitmentRow, ContactRow, GoodwillEntryRow, GoodwillRow, OutcomeRow, WishRow

ERASERS: Final = tuple(map(rows_of, (ContactRow, OutcomeRow, CommitmentRow, GoodwillEntryRow, GoodwillRow, WishRow)))
"""Contacts with him and what came of them; what he was promised; his account of goodwill; what he wishes."""
