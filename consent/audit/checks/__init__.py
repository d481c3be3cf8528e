"""The checks of the consent side.

To add one: a module with a function from evidence to what it comes upon, or with a `Reader` of customers; and its line
here. What it says of itself (`byleave audit explain`) is the docstring of that function or class.
"""

from typing import Final

from consent.audit import marks
from consent.audit.checks import (
    audits,
    catalogue,
    clock,
    erasures,
    expiry,
    guards,
    horizon,
    keys,
    ledger,
    memory,
    mergers,
    notices,
    packs,
    processing,
    requests,
    snapshot,
    standing,
    suppressions,
    uses,
    witness,
)
from consent.audit.findings import Check

CHECKS: Final = (
    Check(
        key=ledger.LEDGER,
        title="Every byte of the ledger is what it was when it was written",
        function=ledger.ledger,
        incremental=True,
    ),
    Check(
        key=ledger.CHECKPOINTS,
        title="Every signed checkpoint holds, agrees with the ledger, and was signed in time",
        function=ledger.checkpoints,
        incremental=True,
    ),
    Check(
        key=guards.KEY,
        title="Every table that is insert-only still refuses changes",
        function=guards.guards,
    ),
    Check(
        key=audits.KEY,
        title="What earlier audits found is still there, as they found it",
        function=audits.audits,
    ),
    Check(
        key=packs.KEY,
        title="Every evidence pack is the one that was handed out",
        function=packs.packs,
    ),
    Check(
        key=witness.KEY,
        title="The witness remembers the same ledger",
        function=witness.witness,
    ),
    Check(
        key=clock.KEY,
        title="The ledger's times never go back, and clocks agree",
        function=clock.clock,
        incremental=True,
    ),
    Check(
        key=catalogue.KEY,
        title="Every catalogue is the one that was published, and every scope has the bit it was given",
        function=catalogue.catalogue,
    ),
    Check(
        key=notices.KEY,
        title="Whatever customers were shown can be shown again, word for word",
        function=notices.Notices,
        incremental=True,
    ),
    Check(
        key=keys.KEY,
        title="Every data key opens, is somebody's, and opens what is remembered of him",
        function=keys.Keys,
        incremental=True,
    ),
    Check(
        key=standing.KEY,
        title="What stands for each customer is what he said",
        function=standing.Standings,
        incremental=True,
    ),
    Check(
        key=snapshot.KEY,
        title="Nobody's last word has vanished since the last snapshot",
        function=snapshot.snapshot,
        incremental=True,
    ),
    Check(
        key=expiry.KEY,
        title="Permissions end when they have to, and customers are asked in time",
        function=expiry.Expiry,
        incremental=True,
        by_catalogue=True,
    ),
    Check(
        key=memory.KEY,
        title="Nothing is kept that a customer does not permit to keep, or that nothing may use",
        function=memory.Kept,
        incremental=True,
        by_catalogue=True,
    ),
    Check(
        key=uses.KEY,
        title="Every use of data has a decision or a reason behind it",
        function=uses.uses,
    ),
    Check(
        key=processing.KEY,
        title="What is done with data is what the catalogue declares",
        function=processing.declared,
    ),
    Check(
        key=requests.KEY,
        title="What customers ask for by right is answered in time",
        function=requests.requests,
    ),
    Check(
        key=mergers.KEY,
        title="Whoever had two records goes on as whom the ledger says",
        function=mergers.mergers,
    ),
    Check(
        key=suppressions.KEY,
        title="Addresses that are to be left alone are left alone",
        function=suppressions.suppressions,
    ),
    Check(
        key=erasures.KEY,
        title="Whoever was erased is gone",
        function=erasures.erasures,
    ),
    Check(
        key=horizon.KEY,
        title="What was erased is gone from backups within a month",
        function=horizon.horizon,
    ),
    Check(
        key=marks.KEY,
        title="Every mark that an incremental audit goes on from was made by an audit that passed",
        function=marks.marks,
    ),
)
