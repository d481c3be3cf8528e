"""USE CASE: confirm a grant (double opt-in): the link in the customer's own mail is looked at, and spent by his press.

Nothing is permitted until it is spent. It confirms what still awaits confirmation at that moment, to the wording that
the customer saw: what he has taken back since stays taken back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from consent import standings
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.permission.standing import GUARDIAN, PENDING, VALID, ScopeStanding, from_stored
from consent.permission.statement import Act, Method, Statement
from consent.register import confirmations, recording
from consent.register.confirmations import Confirmation, ConfirmationUnknown
from consent.register.desk import Desk
from consent.register.recording import Recorded
from consent.register.rules import RETOLD


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a link would confirm now."""

    confirmation: Confirmation
    scopes: tuple[Scope, ...]
    """None: it was spent, or there is nothing left to confirm."""


def shown(desk: Desk, work: Work, token: str, *, at: datetime) -> Shown:
    """Return what a link would confirm. Spends nothing, writes nothing.

    Raises:
        ConfirmationUnknown: there is no such link, or its time is over.
    """
    found = confirmations.find(work, token, at=at)
    row = standings.read(work, [found.customer]).get(found.customer)
    if row is None:
        raise ConfirmationUnknown
    standing = from_stored(row)
    catalogue = desk.catalogues.current(work)
    stands = {rule.scope: standing.of(rule.bit) for rule in catalogue.in_order if rule.scope in found.scopes}
    scopes = () if found.spent else tuple(scope for scope, one in stands.items() if _awaits(found, one))
    return Shown(confirmation=found, scopes=scopes)


def confirm(desk: Desk, work: Work, token: str, *, at: datetime) -> list[Recorded]:
    """Spend a link: what it was made for, and what still awaits it, counts from now on.

    Of two who press at the same moment, one confirms, and the other is told that it is done.

    Returns:
        What was recorded: nothing, where it had been spent or there is nothing left to confirm.

    Raises:
        ConfirmationUnknown: there is no such link, or its time is over.
    """
    found = confirmations.find(work, token, at=at)
    held = standings.locked(work, [found.customer]).get(found.customer)
    if held is None:
        raise ConfirmationUnknown
    if not confirmations.spend(work, found, at=at):
        return []
    catalogue = desk.catalogues.current(work)
    stands = {rule.scope: held.standing.of(rule.bit) for rule in catalogue.in_order if rule.scope in found.scopes}
    awaiting = {scope: one for scope, one in stands.items() if _awaits(found, one)}
    said_at = recording.ledger_time(work, at)
    said = list(_statements(found, awaiting, catalogue, said_at))
    return recording.record(desk, work, said, actor="link", at=said_at, vouched=RETOLD)


def _awaits(found: Confirmation, stands: ScopeStanding) -> bool:
    """Say whether a link confirms what stands: the grant that it was made for, or the same one handed in again."""
    return stands.status in VALID and bool(stands.flags & PENDING) and stands.position >= found.position


def _statements(
    found: Confirmation, awaiting: dict[Scope, ScopeStanding], catalogue: Catalogue, said_at: datetime
) -> Iterator[Statement]:
    together: dict[tuple[int, bool], list[Scope]] = {}
    for scope, stands in awaiting.items():
        if not stands.notice or (catalogue.scopes[scope].notice, stands.notice) in catalogue.notices:
            together.setdefault((stands.notice, bool(stands.flags & GUARDIAN)), []).append(scope)
    for (notice, guardian), scopes in sorted(together.items()):
        yield Statement(
            customer=CustomerId(found.customer),
            act=Act.GRANT,
            scopes=tuple(scopes),
            said_at=said_at,
            method=Method.CONFIRMATION,
            notice_version=notice,
            language=found.language,
            evidence=f"confirms ledger entry {found.position}",
            guardian=guardian,
        )
