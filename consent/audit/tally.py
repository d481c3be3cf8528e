"""A check under way: what it has come upon so far, in a guard, and how long that took."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from consent.audit.findings import Check, Evidence, Finding, Gap, Judged, Reader, Severity, Yielded
from consent.audit.pages import Customer
from consent.audit.report import Checked
from consent.base.clock import Clock
from consent.base.errors import ByleaveError

MOST_FINDINGS: Final = 1_000
"""Findings kept of one check; a last one says how many more there were."""


def crash(crashed: BaseException) -> str:
    """Say what something died of, without its words: they could hold what it was reading."""
    title = f" ({crashed.title})" if isinstance(crashed, ByleaveError) else ""
    return f"could not check: {type(crashed).__name__}{title}"


class Part(NamedTuple):
    """What came of a check in one process of several: plain values, which can go from one to the other."""

    judged: int
    findings: list[Finding]
    gaps: list[Gap]
    more: Counter[Severity]
    kept: Any
    """What its reader kept."""
    seconds: float


class Tally:
    """One check of an audit. What it dies of is a gap, beside what it had come upon by then."""

    def __init__(self, check: Check, evidence: Evidence, clock: Clock) -> None:
        """Look at the evidence from where this check passed before; `clock` says how long it takes."""
        self.check = check
        self.since = evidence.since(check.key)
        self.reader: Reader | None = None
        """Of a check that reads customers."""
        self.looking = False
        """Whether that is still on its way."""
        self._evidence = evidence
        self._clock = clock
        self._seconds = 0.0
        self._count = 0
        self._findings: list[Finding] = []
        self._gaps: list[Gap] = []
        self._more: Counter[Severity] = Counter()

    def start(self) -> None:
        """Run the check; or, if it is one that reads customers, make ready for the walk."""
        self._take(self._begun)

    def _begun(self) -> Iterable[Yielded]:
        made = self.check.function(self._evidence)
        if not isinstance(made, Reader):
            return made
        self.reader, self.looking = made, True
        return ()

    def _take(self, step: Callable[[], Iterable[Yielded]]) -> None:
        """Take what a step comes upon, until it crashes."""
        began = self._clock()
        try:
            for each in step():
                self._add(each)
        except Exception as crashed:  # noqa: BLE001 -- whatever a check dies of, it is a gap, and the other checks go on
            self.note(crashed)
        self._seconds += (self._clock() - began).total_seconds()

    def look(self, one: Customer) -> None:
        """Show a customer to the reader, if it is still on its way."""
        if self.reader is None or not self.looking:
            return
        try:
            for each in self.reader.customer(one):
                self._add(each)
        except Exception as crashed:  # noqa: BLE001 -- as above
            self.note(crashed)

    def past(self) -> None:
        """Let the reader say what shows at the end of its range."""
        if self.reader is not None and self.looking:
            self._take(self.reader.past)

    def note(self, crashed: BaseException) -> None:
        """Note that the check could not look at everything, and let it look no further; what it found so far counts."""
        self._gaps.append(Gap(check=self.check.key, why=crash(crashed)))
        self.looking = False

    def end(self, since: int, seconds: float) -> None:
        """End the walk, which began at the position `since`; `seconds` is this check's share of the time it took."""
        if self.reader is not None:
            self._take(self.reader.end)
        self.since = since
        self._seconds += seconds

    def _add(self, each: Yielded) -> None:
        if isinstance(each, Judged):
            self._count += each.count
        elif isinstance(each, Gap):
            self._gaps.append(each)
        elif len(self._findings) < MOST_FINDINGS:
            self._findings.append(each)
        else:
            self._more[each.severity] += 1

    def part(self) -> Part:
        """Return what came of the walk in this process."""
        kept = self.reader.kept() if self.reader is not None else None
        return Part(self._count, self._findings, self._gaps, self._more, kept, self._seconds)

    def join(self, part: Part) -> None:
        """Add what came of the walk in another process."""
        self._count += part.judged
        self._gaps += part.gaps
        for each in part.findings:
            self._add(each)
        self._more += part.more
        if self.reader is not None:
            self.reader.join(part.kept)

    @property
    def came_upon_something(self) -> bool:
        """Whether there is a finding or a gap."""
        return bool(self._findings or self._gaps)

    def hold_against(self, second: Part) -> None:
        """Keep what the same check came upon again when it looked for the second time.

        Where that broke off, it says nothing against what was found; where this had, the second knows more. Of more
        findings than are kept nobody can say which came again.
        """
        self._seconds += second.seconds
        if second.gaps or self._more or second.more:
            return
        again = {each.subject for each in second.findings}
        stays = [each for each in self._findings if each.subject in again]
        self._findings = second.findings if self._gaps else stays
        self._gaps = []

    def checked(self) -> Checked:
        """Return how the check went."""
        findings = list(self._findings)
        if self._more:
            why = f"and {self._more.total():,} more findings"
            findings.append(Finding(check=self.check.key, severity=findings[0].severity, subject="", why=why))
        return Checked(
            check=self.check.key,
            title=self.check.title,
            checked=self._count,
            seconds=round(self._seconds, 3),
            findings=tuple(findings),
            gaps=tuple(self._gaps),
            since=self.since,
        )
