"""Have checkpoints cosigned, and notice where the ledger and its witness disagree.

The witness remembers what the ledger signed, in a place that nobody sets back with the ledger. Where it knows more
entries than there are, the ledger was rolled back; where it knows others, there are two ledgers of one name. Then
nothing is appended or signed any more until an officer has settled it, and both notes are kept. The witness is believed
only as far as it shows the ledger's own signature: it can prove a contradiction, and can't make one up.

A witness that is down stops nothing. What is signed meanwhile has no cosignature, and an alarm stands until it has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from consent.base.counting import counted
from consent.base.errors import LedgerBroken
from consent.base.store import Store, Work
from consent.ledger import checkpoint, log, merkle, note, stored
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.merkle import Frontier
from consent.ledger.nodes import nodes_at
from consent.ledger.note import NoteRefused
from consent.ledger.opening import Cause
from consent.ledger.stored import StoredLog
from consent.ledger.trust import Trust
from consent.register import alarms, proving
from consent.register.alarms import AlarmKind
from consent.register.desk import Desk
from consent.tables import CosignatureRow, LedgerCheckpointRow
from consent.witness import asking
from consent.witness.asking import Answered, Cosigned, Elsewhere, WitnessDown, WitnessPlace

_MOST_TRIES: Final = 3
"""How often a witness may say that it has got elsewhere, before it is left for the next time."""

_cosigned: Final = CosignatureRow
_signed: Final = LedgerCheckpointRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What came of asking the witness.

    Attributes:
        cosigned: the size of the log that the witness has cosigned.
        signed: the size of its newest checkpoint.
        trouble: why the two differ, in one sentence; "" where they don't.
        held: nothing may be appended until this is settled.
    """

    cosigned: int
    signed: int
    trouble: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the newest log stands with its witness: for audits, and for whoever looks after the house.

    Attributes:
        log: its number.
        signed: the size of its newest checkpoint; 0 without one.
        cosigned: the size of the largest checkpoint that was cosigned; 0 without one.
        uncosigned_since: when the oldest checkpoint was signed that no cosigned one covers; None where there is none.
        ever: whether any checkpoint of any log was ever cosigned.
        alarms: those that stand, of all logs.
    """

    log: int
    signed: int
    cosigned: int
    uncosigned_since: datetime | None
    ever: bool
    alarms: tuple[alarms.Alarm, ...]


def standing(work: Work) -> Standing:
    """Return how the newest log stands with its witness."""
    newest = stored.newest(work)
    state = _state(work, newest.log)
    oldest = sa.select(sa.func.min(_signed.signed_at)).where(_signed.log == newest.log, _signed.size > state.cosigned)
    ever = work.connection.execute(sa.select(_cosigned.size).limit(1)).first() is not None
    return Standing(
        log=newest.log,
        signed=state.signed,
        cosigned=state.cosigned,
        uncosigned_since=work.connection.execute(oldest).scalar(),
        ever=ever,
        alarms=tuple(alarms.standing(work)),
    )


@dataclass(frozen=True, slots=True)
class _Contradiction:
    """The witness shows a checkpoint of ours that our log does not go on from."""

    kind: AlarmKind
    size: int
    note: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessing:
    """The ledger, as its witness is asked about it."""

    store: Store
    desk: Desk
    place: WitnessPlace
    clock: Callable[[], datetime]

    def look(self) -> Witnessed:
        """Hold the newest log against what its witness saw last; stop appends where they disagree. Signs nothing.

        A witness that doesn't answer leaves everything as it is: an alarm about that is for `cosign` to raise.
        """
        with self.store.read() as work:
            newest = stored.newest(work)
            state = _state(work, newest.log)
        try:
            return self._compared(newest)
        except WitnessDown as down:
            return Witnessed(cosigned=state.cosigned, signed=state.signed, trouble=str(down))

    def cosign(self) -> Witnessed:
        """Have the newest checkpoint of each log cosigned that isn't; raise alarms, and settle what they were about.

        Logs that ended because they lost entries, or were forked, are left as they are.
        """
        found = self.look()
        if found.held:
            return found
        with self.store.read() as work:
            logs = [each for each in stored.logs(work) if each.ended is None or each.ended.cause is Cause.PERIOD]
            states = {each.log: _state(work, each.log) for each in logs}
        waiting = [each for each in logs if states[each.log].cosigned < states[each.log].signed]
        for each in waiting or logs[-1:]:
            found = self._cosign_log(each)
            if found.trouble:
                break
        return found

    def _cosign_log(self, each: StoredLog) -> Witnessed:
        with self.store.read() as work:
            state = _state(work, each.log)
            size, signed = proving.covered(work, each.log) if state.signed else (0, "")
        if state.cosigned == size:
            return self._settled(each, state)
        try:
            answer = self._submitted(each, state.cosigned, size, signed)
            if isinstance(answer, Cosigned):
                return self._kept(each, size, answer.note)
            found = self._compared(each)
        except WitnessDown as down:
            return self._uncosigned(each, size, signed, str(down))
        # It may only stop us by what it shows; what it merely says is an alarm like that of one which is down.
        return found if found.held else self._uncosigned(each, size, signed, _said(answer))

    def _submitted(self, each: StoredLog, old: int, size: int, signed: str) -> Answered:
        """Ask for a cosignature, from the size on that the witness says it has got to."""
        for _ in range(_MOST_TRIES):
            with self.store.read() as work:
                proof = proving.consistency(work, old, size, number=each.log) if old else []
            answer = asking.submit(self.place, old, proof, checkpoint=signed)
            if not isinstance(answer, Elsewhere) or answer.size > size:
                return answer
            old = answer.size
        return answer

    def _kept(self, each: StoredLog, size: int, cosigned: str) -> Witnessed:
        row = {"log": each.log, "size": size, "note": cosigned, "at": self.clock()}
        with self.store.write() as work:
            insert = (postgresql if work.dialect == "postgresql" else sqlite).insert(_cosigned).values(**row)
            work.connection.execute(insert.on_conflict_do_nothing())
        return self._settled(each, Witnessed(cosigned=size, signed=size))

    def _settled(self, each: StoredLog, state: Witnessed) -> Witnessed:
        with self.store.read() as work:
            alarmed = any(one.kind is AlarmKind.UNCOSIGNED and one.log == each.log for one in alarms.standing(work))
        if alarmed:
            with self.store.write() as work:
                alarms.settle(work, AlarmKind.UNCOSIGNED, each.log, by="worker", settlement="cosigned", at=self.clock())
        return state

    def _uncosigned(self, each: StoredLog, size: int, signed: str, why: str) -> Witnessed:
        new = alarms.alarm(AlarmKind.UNCOSIGNED, log=each.log, size=size, note=signed, why=why, at=self.clock())
        with self.store.write() as work:
            alarms.raised(work, new)
            state = _state(work, each.log)
        return Witnessed(cosigned=state.cosigned, signed=state.signed, trouble=why)

    def _compared(self, each: StoredLog) -> Witnessed:
        """Hold a log against the checkpoint that the witness shows, and stop appends where it contradicts that."""
        seen = asking.newest(self.place, each.origin)
        with self.store.read() as work:
            state = _state(work, each.log)
            contradiction = _contradiction(work, proving.trust(self.desk, work), each, seen) if seen else None
            signed = proving.covered(work, each.log)[1] if state.signed else ""
            size = log.size_of(work, each.log)
        if contradiction is None:
            return state
        new = alarms.alarm(
            contradiction.kind, log=each.log, size=size, note=signed, witness_size=contradiction.size,
            witness_note=contradiction.note, why=contradiction.why, at=self.clock(),
        )  # fmt: skip
        with self.store.write() as work:
            alarms.raised(work, new)
        return Witnessed(cosigned=state.cosigned, signed=state.signed, trouble=contradiction.why, held=True)


def _state(work: Work, number: int) -> Witnessed:
    """Return how far a log was signed, and how far cosigned."""
    signed, cosigned = (
        work.connection.execute(sa.select(sa.func.max(row.size)).where(row.log == number)).scalar() or 0
        for row in (_signed, _cosigned)
    )
    return Witnessed(cosigned=cosigned, signed=signed)


def _said(answer: Answered) -> str:
    """Say what a witness answered that did not cosign, and shows nothing that would be a reason."""
    if isinstance(answer, Elsewhere):
        return f"the witness says that it cosigned {counted(answer.size, 'entry', 'entries')}, and does not show it"
    if isinstance(answer, Cosigned):
        return ""
    how = ": byleave witness trust VKEY, where it runs" if answer.status in _STRANGE else ""
    return f"the witness answers {answer.status}, {answer.why}{how}"


_STRANGE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN})
"""The answers of a witness that does not know the log, or its key."""


def _contradiction(work: Work, trust: Trust, each: StoredLog, seen: str) -> _Contradiction | None:
    """Say how the witness's checkpoint contradicts the log; None where it doesn't, or isn't signed by the log's key."""
    known, ours = _opened(trust, each, seen)
    size = log.size_of(work, each.log)
    if known is None:
        return None
    if known.size > size:
        why = f"rolled back from {known.size} to {size}: the witness cosigned entries that are not here any more"
        return _Contradiction(AlarmKind.ROLLED_BACK, known.size, seen, why)
    if ours and _root_at(work, each.log, known.size) != known.root:
        why = (
            f"the witness cosigned {counted(known.size, 'entry', 'entries')} of this log with another root than it has"
        )
        return _Contradiction(AlarmKind.FORKED, known.size, seen, why)
    return None


def _opened(trust: Trust, each: StoredLog, seen: str) -> tuple[Checkpoint | None, bool]:
    """Open a checkpoint of our log that the witness shows, and say whether a key that we know has signed it.

    One that none has, but another key of the log that the witness trusts, is of a time after our key was rotated: of
    entries that a rollback took from us. It says how many there were; what they were is nothing that we could judge.
    """
    try:
        text, lines = note.split(seen)
        known = checkpoint.parse(text)
        if known.origin != each.origin:
            return None, False
        verifiers = trust.verifiers(each.origin, each.log, known.size)
        if {one.key_id for one in lines if one.name == each.origin}.isdisjoint(one.key_id for one in verifiers):
            return known, False
        return checkpoint.open_checkpoint(seen, *verifiers), True
    except NoteRefused:
        return None, False


def _root_at(work: Work, number: int, size: int) -> bytes:
    places = merkle.frontier_positions(size)
    nodes = nodes_at(work, number, places)
    if len(nodes) != len(places):
        msg = f"the tree over the first {size} entries is not all there: run `byleave ledger verify`"
        raise LedgerBroken(msg)
    return merkle.root_of(Frontier(size=size, hashes=tuple(nodes[place] for place in places)))
