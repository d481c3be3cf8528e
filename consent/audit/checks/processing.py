"""The check `processing`: what is done with data is what the catalogue declares, and the other way round."""

from collections.abc import Callable, Iterator
from typing import Final

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.rights import differing
from consent.rights.processing import Contacted

KEY: Final = "processing"


def declared(evidence: Evidence) -> Iterator[Yielded]:
    """Compare the recorded uses with the catalogues that they were made under, purpose by purpose.

    Data used for what was never declared were used behind the customers' backs. A purpose that nothing was done for in
    a year is asked for nothing: the record of processing activities says more than there is.
    """
    yield from _compared(evidence, None)


def declared_and_reached(contacted: Contacted) -> Callable[[Evidence], Iterator[Yielded]]:
    """Return the same check for a deployment that also knows how often customers were reached, and for what."""

    def check(evidence: Evidence) -> Iterator[Yielded]:
        yield from _compared(evidence, contacted)

    check.__doc__ = declared.__doc__
    return check


def _compared(evidence: Evidence, contacted: Contacted | None) -> Iterator[Yielded]:
    with evidence.store.read() as work:
        catalogue = evidence.desk.catalogues.current(work)
        found = list(differing.differences(evidence.desk, work, at=evidence.at, contacted=contacted))
    for each in found:
        severity = Severity.LOW if each.kind == differing.NEVER_USED else Severity.HIGH
        yield Finding(check=KEY, severity=severity, subject=each.subject, why=each.why)
    yield Judged(len(catalogue.purposes))
