"""The checks of the consent side. To add one: a function from evidence to what it came upon, and its line here."""

from typing import Final

from consent.audit import ledger, memory, standing, uses
from consent.audit.findings import Check

CHECKS: Final = (
    Check(
        key=ledger.LEDGER,
        title="Every byte of the ledger is what it was when it was written",
        function=ledger.ledger,
    ),
    Check(
        key=ledger.CHECKPOINTS,
        title="Every signed checkpoint holds, and agrees with the ledger",
        function=ledger.checkpoints,
    ),
    Check(
        key=ledger.CATALOGUE,
        title="Every catalogue is the one that was published, and every scope has the bit it was given",
        function=ledger.catalogue,
    ),
    Check(
        key=standing.KEY,
        title="What stands for each customer is what he said",
        function=standing.standing,
    ),
    Check(
        key=memory.KEY,
        title="Nothing is kept that a customer does not permit to keep, or that nothing may use",
        function=memory.kept_without_use,
    ),
    Check(
        key=uses.KEY,
        title="Every use of data has a decision or a reason behind it",
        function=uses.uses,
    ),
)
