"""Settle a ledger that its witness contradicts: an officer decides that it goes on as it is, under another name.

What was lost stays lost, and the old name is never signed under again: whoever holds a proof from the time before keeps
a proof. If the lost entries can still be had, restoring them is the better way; then there is nothing to settle.
"""

from datetime import datetime

from consent.base.errors import StateConflict
from consent.base.store import Work
from consent.ledger import held, log
from consent.ledger.opening import Cause
from consent.register import alarms, sealing
from consent.register.alarms import AlarmKind
from consent.register.desk import Desk
from consent.register.sealing import Turned


def settle(desk: Desk, work: Work, *, actor: str, reason: str, at: datetime) -> Turned:
    """Leave the newest log as it is, go on under another name, and settle the alarms that stopped it.

    Raises:
        StateConflict: nothing stops it.
        ClockBehind: the clock lies behind the ledger.
    """
    stopping = [each for each in alarms.standing(work) if str(each.kind) in held.HOLDING]
    if not stopping:
        msg = "nothing stops the ledger: there is nothing to settle"
        raise StateConflict(msg)
    forked = any(each.kind is AlarmKind.FORKED for each in stopping)
    ended = log.head(work).log
    turned = sealing.abandon(desk, work, Cause.FORKED if forked else Cause.ROLLED_BACK, at=at)
    said = f"{reason} (goes on as {turned.opened})"
    for kind, number in {*((each.kind, each.log) for each in stopping), (AlarmKind.UNCOSIGNED, ended)}:
        alarms.settle(work, kind, number, by=actor, settlement=said, at=at)
    return turned
