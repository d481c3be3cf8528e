"""How checks are run: each in a guard of its own, and those that look at customers together, in one walk.

A check that crashes is a gap, beside what it had found by then, and the others go on. What breaks the walk itself is
a gap in every check that takes part in it.

Others go on writing while an audit looks, and a check reads in many short transactions: a row that was written between
two of them can seem to be without its entry. So what was found while the ledger grew is looked for once more.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from consent import catalogues
from consent.audit.findings import Check, Evidence, Reader, Yielded
from consent.audit.pages import BEHIND_ALL, Pages
from consent.audit.report import Checked
from consent.audit.tally import Tally
from consent.base.clock import Clock
from consent.base.errors import ByleaveError
from consent.ledger import stored

Walk = Callable[[Sequence[Tally], int], None]
"""Shows customers to every check, all of them or those of whom something was recorded from a position on."""


def judged(checks: Sequence[Check], evidence: Evidence, clock: Clock, walk: Walk | None = None) -> tuple[Checked, ...]:
    """Run checks and return how each went, in the order given.

    What a check came upon while the ledger grew counts if it comes upon it again: what is wrong stays so.

    Args:
        checks: those that stand alone run one after the other, then the others on one walk.
        evidence: what they are given.
        clock: says how long each took.
        walk: another way to walk than in this very process.
    """
    began = _position(evidence)
    tallies = _looked(checks, evidence, clock, walk)
    doubtful = [tally for tally in tallies if tally.came_upon_something]
    if doubtful and _position(evidence) != began:
        again = _looked([tally.check for tally in doubtful], evidence, clock, walk)
        for tally, second in zip(doubtful, again, strict=True):
            tally.hold_against(second.part())
    return tuple(tally.checked() for tally in tallies)


def _position(evidence: Evidence) -> int | None:
    """Return where the ledger ends; None where it is too broken to say so, of which its checks tell."""
    try:
        with evidence.store.read() as work:
            return stored.newest(work).position
    except ByleaveError:
        return None


def _looked(checks: Sequence[Check], evidence: Evidence, clock: Clock, walk: Walk | None) -> list[Tally]:
    """Run checks once; return how each went."""
    tallies = [Tally(check, evidence, clock) for check in checks]
    for tally in tallies:
        tally.start()
    walking = [tally for tally in tallies if tally.looking]
    if walking:
        # Who has passed least says where the walk begins: to judge more than is new does no harm.
        since = min(tally.since for tally in walking)
        start = clock()
        try:
            (walk or partial(_walk, evidence))(walking, since)
        except Exception as broken:  # noqa: BLE001 -- whatever the walk dies of is a gap in each check that takes part
            for tally in walking:
                tally.note(broken)
        seconds = (clock() - start).total_seconds() / len(walking)  # they share the time
        for tally in walking:
            tally.end(since, seconds)
    return tallies


def show(tallies: Sequence[Tally], pages: Pages) -> None:
    """Show customers to every check that is still on its way."""
    for page in pages:
        for one in page:
            for tally in tallies:
                tally.look(one)
        if not any(tally.looking for tally in tallies):
            return
    for tally in tallies:
        tally.past()


def walked(evidence: Evidence, readers: Sequence[Reader], pages: Pages | None = None) -> Iterator[Yielded]:
    """Walk all customers (or some pages of them) with some readers, and yield what they come upon.

    Raises:
        DatabaseDown: the store can't be read.
    """
    for page in pages_of(evidence) if pages is None else pages:
        for one in page:
            for reader in readers:
                yield from reader.customer(one)
    for reader in readers:
        yield from reader.past()
        yield from reader.end()


def pages_of(evidence: Evidence, *, since: int = 0, after: str = "", until: str = BEHIND_ALL) -> Pages:
    """Return all customers, or some: those of whom something was recorded from a ledger position on, a range of ids."""
    with evidence.store.read() as work:
        bits = catalogues.bits(work)
    return Pages(store=evidence.store, desk=evidence.desk, bits=bits, since=since, after=after, until=until)


def _walk(evidence: Evidence, walking: Sequence[Tally], since: int) -> None:
    show(walking, pages_of(evidence, since=since))
