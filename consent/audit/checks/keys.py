"""The check `keys`: every data key opens, is somebody's, and opens what is remembered of him."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final

from typing_extensions import override

from consent.audit.checks import beside, rotations
from consent.audit.findings import Evidence, Finding, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer
from consent.base.counting import counted
from consent.base.errors import KeyLost
from consent.ledger import stored
from consent.ledger.note import NoteRefused
from consent.ledger.position import GREATEST
from consent.register import proving, rekeying, reopening

KEY: Final = "keys"
UNFINISHED: Final = timedelta(days=1)
"""How long a rotation of the key-encryption key may take."""

_ONE: Final = (Judged(1),)


class Keys(Reader):
    """Unwrap every data key, open what is remembered under it, and look for keys of nobody, or of the erased.

    A key that doesn't open is what it sealed, lost. One that outlives an erasure is an erasure that didn't happen. Each
    is wrapped by exactly one version of the key-encryption key, and every version in use must be there; each came, and
    went, as the ledger says. The key that signs the log is the one that its last rotation handed over to. Each record
    of the table `memory` must open where it stands, under its customer's key and for its category, and hold attributes;
    so must what was written about requests by right, and links that wait for the mail.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Keep where to look up the versions."""
        self._evidence = evidence

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        if one.key_opens and one.enrolled and not one.buried and not one.unreadable:
            return _ONE
        return (*_wrong(one), *_ONE)

    @override
    def end(self) -> Iterator[Yielded]:
        desk = self._evidence.desk
        with self._evidence.store.read() as work:
            state = rekeying.state(desk, work)
            own = reopening.of_deployment(work)
        opened = reopening.unlocked(desk.keys, own)
        for owner in own.keys:
            if not opened.opens(owner):
                yield _finding(Severity.CRITICAL, owner, _lost(owner))
        yield Judged(len(own.keys))
        yield from beside.unopened(self._evidence)
        yield from self._signing()
        for version in state.unknown:
            why = f"it wraps {counted(state.in_use[version], 'data key')}, and is not there"
            yield _finding(Severity.CRITICAL, f"version {version}", why)
        for number, why in rotations.otherwise(self._evidence):
            yield _finding(Severity.CRITICAL, f"version {number}", why)
        rotation = state.rotation
        if rotation and rotation.finished_at is None and self._evidence.at - rotation.started_at > UNFINISHED:
            old = counted(state.outdated, "data key is", "data keys are")
            why = f"the rotation to it was never finished: {old} wrapped by an older version"
            yield _finding(Severity.MEDIUM, f"version {rotation.version}", why)

    def _signing(self) -> Iterator[Finding]:
        """Hold the key that would sign the log next against the one that the last rotation handed over to."""
        desk = self._evidence.desk
        with self._evidence.store.read() as work:
            newest = stored.newest(work)
            try:
                signer = proving.in_force(desk, work, newest.origin).verifier
                spans = proving.trust(desk, work).spans
            except (KeyLost, NoteRefused):
                return  # which says so of the key, or of the entry that hands over
        if signer.public_key not in {span.public_key for span in spans if span.last == GREATEST}:
            why = "the key that signs it now is not the one that its last rotation handed over to"
            yield _finding(Severity.CRITICAL, newest.origin, why)


def _wrong(one: Customer) -> Iterator[Finding]:
    for category, why in one.unreadable:
        yield _finding(Severity.CRITICAL, one.id, f"in the table memory, what is kept of him as {category} {why}")
    if one.key_opens is None:
        if one.enrolled and not one.buried:
            yield _finding(Severity.CRITICAL, one.id, "he has no data key, and was not erased")
    elif one.buried:
        yield _finding(Severity.CRITICAL, one.id, "he was erased, and his data key is still there")
    elif not one.enrolled:
        yield _finding(Severity.HIGH, one.id, "a data key belongs to somebody who is not enrolled")
    elif not one.key_opens:
        yield _finding(Severity.CRITICAL, one.id, _lost(one.id))


def _lost(owner: str) -> str:
    return f"the data key of {owner} does not unwrap under the version that is said to wrap it"


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
