"""The check `decisions`: every decision used only what its customer permitted, at the position it was judged at."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from consent import catalogues
from consent.audit.findings import Evidence, Finding, Gap, Judged, Reader, Severity, Yielded
from consent.audit.pages import BEHIND_ALL, Customer
from consent.base.counting import counted
from consent.base.errors import LedgerBroken, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger.position import position
from consent.permission.standing import StoredStanding
from consent.register import reopening
from consent.rights import erasing
from personalise.audit_checks import stood
from personalise.runs import log
from personalise.runs.log import Chunk, Span

KEY: Final = "decisions"
_SPANS: Final = 500
"""Chunks looked up at a time."""


def decisions(evidence: Evidence) -> Iterator[Yielded] | Reader:
    """Judge every decision anew: each scope it used must have stood at its ledger position.

    What stood is folded from what the customer had said by then. Of somebody who was erased since, that is gone: his
    decisions can't be judged any more, and count as neither right nor wrong.
    """
    since = evidence.since(KEY)
    return _newer(evidence, since) if since else Decisions(evidence)


def _newer(evidence: Evidence, since: int) -> Iterator[Yielded]:
    """Judge the chunks that the ledger commits to from a position on, each by itself."""
    with evidence.store.read() as work:
        places = log.places(work)
    for identity, place in places.items():
        if position(*place) >= since:
            yield from _alone(evidence, identity)


@dataclass(slots=True, kw_only=True)
class _Open:
    """A chunk whose customers are being gone through: what stood for those of them of whom anything was used."""

    chunk: Chunk
    catalogue: Catalogue
    touched: set[str]
    last: str
    stood: dict[str, StoredStanding] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)

    def judged(self, after: str = "", until: str = BEHIND_ALL) -> Iterator[Yielded]:
        """Judge the chunk's decisions about customers in `(after, until]`."""
        whose = [one for one in self.chunk.customers if after < one <= until]
        skipped = (self.unread | self.erased).union(set(self.chunk.customers).difference(whose))
        for decision, why in stood.unpermitted(self.chunk, self.catalogue, self.stood, skipped=skipped):
            yield Finding(check=KEY, severity=Severity.CRITICAL, subject=decision, why=why)
        unread = len(self.unread.intersection(whose))
        if unread:
            why = f"{counted(unread, 'customer')} of chunk {self.chunk.id} said what can't be read any more"
            yield Gap(check=KEY, why=why)
        yield Judged(sum(one not in skipped for one in whose))


def _opened(evidence: Evidence, work: Work, identity: str) -> _Open | Gap:
    try:
        chunk = log.read(work, identity)
        catalogue = evidence.desk.catalogues.version(work, chunk.about["catalogue"])
    except (LedgerBroken, NotFound) as lost:
        return Gap(check=KEY, why=f"chunk {identity}: {lost}")
    touched = stood.touched(chunk)
    return _Open(chunk=chunk, catalogue=catalogue, touched=touched, last=max(touched, default=""))


def _alone(evidence: Evidence, identity: str, after: str = "", until: str = BEHIND_ALL) -> Iterator[Yielded]:
    """Judge one chunk by itself, or its decisions about a range of customers."""
    with evidence.store.read() as work:
        bits = catalogues.bits(work)
        opened = _opened(evidence, work, identity)
        if isinstance(opened, Gap):
            yield opened
            return
        sealed = reopening.sealed_of(work, sorted(opened.touched))
        opened.erased = {*erasing.proven(evidence.desk, work, map(CustomerId, opened.touched))}
    opened.stood, opened.unread = stood.at(evidence.desk, sealed, bits, before=opened.chunk.position)
    yield from opened.judged(after, until)


class Decisions(Reader):
    """The same for all decisions there are, on the one walk over all customers.

    Chunks are taken up in the order of their first customers, and judged once the walk has come by their last.
    """

    def __init__(self, evidence: Evidence) -> None:
        """Stand before the first chunk."""
        self._evidence = evidence
        self._open: list[_Open] = []
        with evidence.store.read() as work:
            self._bits = catalogues.bits(work)
        self.between("", BEHIND_ALL)

    @override
    def between(self, after: str, until: str) -> None:
        """Begin with the first chunk that has a customer of the range."""
        super().between(after, until)
        with self._evidence.store.read() as work:
            self._next: list[Span] = log.spans(work, after, None, _SPANS)

    @override
    def customer(self, one: Customer) -> Iterable[Yielded]:
        found: list[Yielded] = []
        if self._next and self._next[-1].first <= one.id:
            found += self._take_up(one.id)
        if any(chunk.last < one.id for chunk in self._open):
            found += self._done(one.id)
        for chunk in self._open:
            if one.id in chunk.touched:
                self._note(chunk, one)
        return found

    def _note(self, chunk: _Open, one: Customer) -> None:
        if one.erased:
            chunk.erased.add(one.id)
            return
        standing = one.standing
        before = chunk.chunk.position
        if standing is None or (one.said and one.said[-1].seq >= before):
            standing = stood.of(one.said, self._bits, before=before)
        if standing is None:
            chunk.unread.add(one.id)
        else:
            chunk.stood[one.id] = standing

    def _take_up(self, customer: str) -> Iterator[Yielded]:
        """Open the chunks that begin with this customer, or before him."""
        while self._next and self._next[-1].first <= customer:
            span = self._next.pop()
            with self._evidence.store.read() as work:
                opened = _opened(self._evidence, work, span.id)
                if not self._next:
                    self._next = log.spans(work, self.range[0], span, _SPANS)
            if isinstance(opened, Gap):
                yield opened
            elif opened.touched and min(opened.touched) < span.first:
                # Its row says that it begins with another: the first of its customers may have gone by.
                yield from _alone(self._evidence, span.id, *self.range)
            else:
                self._open.append(opened)

    def _done(self, customer: str) -> Iterator[Yielded]:
        """Judge the chunks whose last customer has gone by."""
        done = [chunk for chunk in self._open if chunk.last < customer]
        self._open = [chunk for chunk in self._open if chunk.last >= customer]
        for chunk in done:
            yield from chunk.judged(*self.range)

    @override
    def past(self) -> Iterator[Yielded]:
        yield from self._take_up(self.range[1])
        yield from self._done(BEHIND_ALL)
