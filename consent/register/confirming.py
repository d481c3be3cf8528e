"""USE CASE: confirm a grant (double opt-in): the link in the customer's own mail is looked at, and spent by his press.

Nothing is permitted until it is spent. It confirms what still awaits confirmation at that moment, to the wording that
the customer saw: what he has taken back since stays taken back.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from consent import standings
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import SERVICE, Catalogue, ScopeRule
from consent.permission.standing import GUARDIAN, PENDING, VALID, ScopeStanding, Standing, from_stored
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
    scopes: Mapping[Scope, int]
    """Each with the version of the wording that was shown, 0 for none. Empty: it was spent, or nothing is left."""


def shown(desk: Desk, work: Work, token: str, *, at: datetime) -> Shown:
    """Return what a link would confirm. Spends nothing, writes nothing.

    Raises:
        ConfirmationUnknown: there is no such link, or its time is over.
    """
    found = confirmations.find(desk, work, token, at=at)
    row = standings.read(work, [found.customer]).get(found.customer)
    if row is None:
        raise ConfirmationUnknown
    standing = from_stored(row)
    catalogue = desk.catalogues.current(work)
    awaiting = {} if found.spent else _awaiting(found, standing, catalogue)
    return Shown(confirmation=found, scopes={scope: one.notice for scope, one in awaiting.items()})


def confirm(desk: Desk, work: Work, token: str, *, at: datetime) -> list[Recorded]:
    """Spend a link: what it was made for, and what still awaits it, counts from now on.

    Of two who press at the same moment, one confirms, and the other is told that it is done.

    Returns:
        What was recorded: nothing, where it had been spent or there is nothing left to confirm.

    Raises:
        ConfirmationUnknown: there is no such link, or its time is over.
    """
    found = confirmations.find(desk, work, token, at=at)
    held = standings.locked(work, [found.customer]).get(found.customer)
    if held is None:
        raise ConfirmationUnknown
    awaiting = _awaiting(found, held.standing, desk.catalogues.current(work))
    # A link that has nothing to confirm, as long as a catalogue lacks its scope, stays good until its time is over.
    if not awaiting or not confirmations.spend(work, found, at=at):
        return []
    said_at = recording.ledger_time(work, at)
    said = list(_statements(found, awaiting, said_at))
    return recording.record(desk, work, said, actor="link", at=said_at, vouched=RETOLD)


def _awaiting(found: Confirmation, standing: Standing, catalogue: Catalogue) -> dict[Scope, ScopeStanding]:
    """Return what of a link's scopes can be confirmed now: what has become service meanwhile is nobody's to grant."""
    rules = [each for each in catalogue.in_order if each.scope in found.scopes and each.legal_basis not in SERVICE]
    stands = [(rule, standing.of(rule.bit)) for rule in rules]
    return {rule.scope: one for rule, one in stands if _awaits(found, one) and _is_known(catalogue, rule, one)}


def _is_known(catalogue: Catalogue, rule: ScopeRule, stands: ScopeStanding) -> bool:
    """Say whether the wording that was shown is one of the notice that the scope has now."""
    return not stands.notice or catalogue.notice_of(rule.notice, stands.notice) is not None


def _awaits(found: Confirmation, stands: ScopeStanding) -> bool:
    """Say whether a link confirms what stands: the grant that it was made for, or the same one handed in again."""
    return stands.status in VALID and bool(stands.flags & PENDING) and stands.position >= found.position


def _statements(found: Confirmation, awaiting: Mapping[Scope, ScopeStanding], said_at: datetime) -> Iterator[Statement]:
    together: dict[tuple[int, bool], list[Scope]] = {}
    for scope, stands in awaiting.items():
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
