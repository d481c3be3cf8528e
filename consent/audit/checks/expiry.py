"""The check `expiry`: a permission ends when it has to, and its customer is asked in time whether it goes on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
from typing_extensions import override

from consent.audit import schedules
from consent.audit.findings import Evidence, Finding, Gap, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer
from consent.base.clock import from_ms, rfc3339, to_ms
from consent.base.counting import counted
from consent.base.errors import NotFound
from consent.catalogue.duration import Duration
from consent.catalogue.model import ASKED, Catalogue, ScopeRule
from consent.ledger.entry import Kind
from consent.permission import many
from consent.permission.standing import RECORD_BYTES, VALID, StoredStanding
from consent.permission.statement import GIVING
from consent.permission.verdict import Reason
from consent.register.reopening import Reopened

KEY: Final = "expiry"
AT_LEAST: Final = timedelta(days=1)
"""How long before the end a customer is reminded at the latest, where nothing says how long."""

QUEUED_WITHIN: Final = timedelta(hours=6)
"""How long the worker may take to queue a reminder."""

_TOGETHER: Final = 1_000
_GIVING: Final = frozenset(map(str, GIVING))
_DAY: Final = timedelta(days=1)
_NEVER_S: Final = 2**32 - 1


class _Ending(NamedTuple):
    """A customer of whom something has ended, or ends soon."""

    customer: str
    said: StoredStanding
    there: StoredStanding
    """His row, which is what a check reads."""
    reminders: frozenset[tuple[str, int]]


class Expiry(Reader):
    """Hold the end of every consent against its rule, and every verdict at the audit's time against its end.

    A consent is recorded with the end that the catalogue in force gave it, never a later one. Once it is over nothing
    is permitted by it, whatever the row says and whether or not a worker runs. Before, its customer is put in the queue
    of those who are asked whether it goes on. What only time changes is left to full audits.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Take the rules in force, and the time."""
        self._evidence = evidence
        self._at = to_ms(evidence.at)
        with evidence.store.read() as work:
            catalogue = evidence.desk.catalogues.current(work)
            # Without a worker nobody has promised to queue reminders. What the past held of them is not known.
            self._queues = schedules.ever_worked(work) and evidence.at == evidence.began
        self._rules = [rule for rule in catalogue.in_order if rule.legal_basis in ASKED]
        self._catalogues: dict[int, Catalogue | None] = {catalogue.version: catalogue}
        self._soon = self._at + max((_ms(_before(rule)) for rule in self._rules), default=0)
        self._waiting: list[_Ending] = []
        self._odd = 0
        self._unread = 0

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        if one.standing is None:
            self._unread += 1
            return ()
        found: list[Yielded] = []
        for said in one.said:
            if said.kind == Kind.STATEMENT:
                found.extend(_finding(Severity.HIGH, one.id, why) for why in self._too_late(said))
        if one.row is not None and not one.erased:
            there = one.row.standing
            if there.next_expiry != one.standing.next_expiry:
                why = f"his row says that nothing ends before {_time(there.next_expiry)}, and something does, or later"
                found.append(_finding(Severity.HIGH, one.id, why))
            if one.standing.next_expiry <= self._soon:
                found.extend(self._wait(one, one.standing, there))
        return (*found, Judged(1))

    def _wait(self, one: Customer, said: StoredStanding, there: StoredStanding) -> Iterator[Yielded]:
        scopes: Any = there.scopes  # nothing in a row need be true
        if isinstance(scopes, bytes) and len(scopes) % RECORD_BYTES == 0:
            self._waiting.append(_Ending(one.id, said, there, frozenset(one.reminders)))
        else:
            self._odd += 1  # the check `standing` says of whom
        if len(self._waiting) == _TOGETHER:
            yield from self._judged()

    # ------------------------------------------------------------------------------------------------ ends as recorded

    def _too_late(self, said: Reopened) -> Iterator[str]:
        told: Mapping[str, Any] = said.payload["statement"]
        if told["act"] not in _GIVING:
            return
        catalogue = self._catalogue(said.version)
        if catalogue is None:
            yield f"entry {said.seq} was recorded under catalogue {said.version}, which is not there"
            return
        scopes = told.get("scopes", ())
        ends = told.get("valid_until") or ("",) * len(scopes)
        latest: dict[Duration, datetime] = {}
        for scope, end in zip(scopes, ends, strict=True):
            rule = catalogue.scopes.get(scope)
            if rule is None or rule.validity is None or rule.legal_basis not in ASKED:
                continue
            if rule.validity not in latest:
                latest[rule.validity] = rule.validity.after(datetime.fromisoformat(told["said_at"]))
            if not end or datetime.fromisoformat(end) > latest[rule.validity]:
                allowed = rfc3339(latest[rule.validity])
                yield f"entry {said.seq} lets {scope} stand until {end or 'for ever'}, and its rule until {allowed}"

    def _catalogue(self, version: int) -> Catalogue | None:
        if version not in self._catalogues:
            try:
                with self._evidence.store.read() as work:
                    self._catalogues[version] = self._evidence.desk.catalogues.version(work, version)
            except NotFound:
                self._catalogues[version] = None
        return self._catalogues[version]

    # ------------------------------------------------------------------------------------------ what has ended, or soon

    def _judged(self) -> Iterator[Finding]:
        """Judge those who wait: verdicts are given in columns."""
        waiting, self._waiting = self._waiting, []
        if not waiting or not self._rules:
            return
        nobody = [None] * len(self._rules)
        said = many.of_rows([one.said for one in waiting])
        checked = many.reasons(many.of_rows([one.there for one in waiting]), self._rules, nobody, self._at)
        stands = many.reasons(said, self._rules, nobody, self._at)
        for column, rule in enumerate(self._rules):
            if rule.bit >= said.records.shape[1]:
                continue
            records = said.records[:, rule.bit]
            given = np.isin(records["status"], [int(status) for status in VALID])
            ends = records["expires"].astype(np.int64)
            over = given & (ends <= self._at // 1000)
            for spot in np.flatnonzero(over & (checked[:, column] == Reason.PERMIT)).tolist():
                why = f"{rule.scope} ended at {_time(int(ends[spot]) * 1000)}, and a check still permits it"
                yield _finding(Severity.CRITICAL, waiting[spot].customer, why)
            if self._queues:
                yield from self._unasked(waiting, rule, ends, (stands[:, column] == Reason.PERMIT) & given)

    def _unasked(self, waiting: Sequence[_Ending], rule: ScopeRule, ends: Any, permitted: Any) -> Iterator[Finding]:  # noqa: ANN401 -- arrays of shape (n_waiting,)
        due = ends * 1000 - _ms(_before(rule)) + _ms(QUEUED_WITHIN)
        for spot in np.flatnonzero(permitted & (ends != _NEVER_S) & (due <= self._at)).tolist():
            end = int(ends[spot]) * 1000
            if (rule.scope, end) not in waiting[spot].reminders:
                why = f"{rule.scope} ends at {_time(end)}, and nobody has queued a reminder"
                yield _finding(Severity.MEDIUM, waiting[spot].customer, why)

    # ---------------------------------------------------------------------------------------------------------- the end

    @override
    def kept(self) -> tuple[list[_Ending], int, int]:
        return self._waiting, self._odd, self._unread

    @override
    def join(self, kept: tuple[list[_Ending], int, int]) -> None:
        waiting, odd, unread = kept
        self._waiting += waiting
        self._odd += odd
        self._unread += unread

    @override
    def end(self) -> Iterator[Yielded]:
        yield from self._judged()
        if self._unread:
            yield Gap(check=KEY, why=f"what {counted(self._unread, 'customer')} said can't be read")
        if self._odd:
            yield Gap(check=KEY, why=f"the rows of {counted(self._odd, 'customer')} are not such as a check could read")


def _before(rule: ScopeRule) -> timedelta:
    """Return how long before the end a reminder must be queued, by what is known of it here."""
    return AT_LEAST if rule.remind_days < 0 else _DAY * rule.remind_days


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)


def _time(at_ms: int) -> str:
    """Write an instant, or that there is none.

    >>> _time(0), _time(2**63 - 1)
    ('1970-01-01T00:00:00.000Z', 'ever')
    """
    return rfc3339(from_ms(at_ms)) if at_ms < _NEVER_S * 1000 else "ever"


def _finding(severity: Severity, subject: str, why: str) -> Finding:
    return Finding(check=KEY, severity=severity, subject=subject, why=why)
