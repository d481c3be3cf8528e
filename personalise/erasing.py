"""What the personalise side keeps of a customer in rows of its own, and how it lets go of that.

What was decided about him stays in the decision log: it is insert-only, committed to in the ledger, and names no more
than a pseudonym that leads nowhere once he is erased.
"""

from typing import Final

from consent.rights.erasing import rows_of
from personalise.tables import ContactRow, OutcomeRow

ERASERS: Final = (rows_of(ContactRow), rows_of(OutcomeRow))
"""Contacts with him, and what came of them."""
