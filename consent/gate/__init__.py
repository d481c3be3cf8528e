"""The one door to customer data.

`check` judges one scope, `permits` a chunk of customers on several; `recall` opens memory for what they permit and
nothing else, and writes the use down; `remember` stores what may be remembered and nothing else; `keep_rows` seals
what a decision was made from, `open_rows` opens it for a replay, written down as a use too, and `shut_rows` tells an
audit which of it would not open. A missing record, an unknown field, a ledger out of reach: no personal field comes
out.
"""

from consent.gate.judging import Permits, check, check_all, check_as_of, check_each, permits
from consent.gate.keeping import SealedRows, keep_rows, open_rows, shut_rows
from consent.gate.recalling import ARROW, recall
from consent.gate.remembering import Kept, remember, remember_columns, rememberable

__all__ = [
    "ARROW",
    "Kept",
    "Permits",
    "SealedRows",
    "check",
    "check_all",
    "check_as_of",
    "check_each",
    "keep_rows",
    "open_rows",
    "permits",
    "recall",
    "remember",
    "remember_columns",
    "rememberable",
    "shut_rows",
]
