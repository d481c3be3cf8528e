"""The check `campaigns`: what campaigns read, and what for, is what the catalogue in force declares."""

from collections.abc import Iterator
from typing import Final

from consent.audit.findings import Evidence, Finding, Judged, Severity, Yielded
from consent.base.errors import CampaignInvalid
from personalise import shelf

KEY: Final = "campaigns"


def campaigns(evidence: Evidence) -> Iterator[Yielded]:
    """Read the newest version of each campaign under the catalogue in force.

    A campaign that names an attribute, a purpose or a channel which the catalogue no longer has can't run: it is found
    here before somebody starts it.
    """
    with evidence.store.read() as work:
        catalogue = evidence.desk.catalogues.current(work)
        published = shelf.keys(work)
    for key, _, _ in published:
        try:
            with evidence.store.read() as work:
                shelf.load(work, key, catalogue)
        except CampaignInvalid as wrong:
            places = "; ".join(f"{place.where} {place.why}" for place in wrong.places[:3]) or wrong.detail
            why = f"under catalogue {catalogue.version} it does not hold any more: {places}"
            yield Finding(check=KEY, severity=Severity.MEDIUM, subject=key, why=why)
    yield Judged(len(published))
