"""Stop everything: one press, one transaction, and nothing said before it can survive it.

Every scope that is asked for gets its no, whether or not it was given, for a yes that was said before the stop may
still be on its way: by the time said, the stop comes after it. So the stop's time is the ledger's own, taken while the
customer is locked: everything of his that is recorded by then was said no later, and ties go to the later entry.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from consent import standings
from consent.base.errors import CustomerUnknown
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import ASKED, Catalogue, LegalBasis
from consent.permission.standing import VALID, Standing, Status
from consent.permission.statement import Act, Method, Statement
from consent.register import mergers, recording
from consent.register.desk import Desk
from consent.register.recording import Recorded


def stop_all(  # noqa: PLR0913 -- who, how, where the proof lies, and the caller's key
    desk: Desk,
    work: Work,
    customer: CustomerId,
    *,
    actor: str,
    at: datetime,
    method: Method = Method.WEB_FORM,
    language: str = "",
    evidence: str = "",
    idempotency_key: str = "",
    request: bytes = b"",
) -> list[Recorded]:
    """Withdraw all that was given, refuse all else that is asked for, object to all that rests on an interest of ours.

    Service goes on: what an order needs was never the customer's to give.

    Returns:
        What was recorded: up to three statements, all said at one time.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        IdempotencyConflict: the key stood for another request.
    """
    customer = mergers.surviving(work, customer)
    held = standings.locked(work, [customer]).get(customer)
    if held is None:
        raise CustomerUnknown
    said_at = recording.ledger_time(work, at)
    catalogue = desk.catalogues.current(work)
    plain = Statement(
        customer=customer, act=Act.REFUSE, scopes=(), said_at=said_at, method=method, language=language,
        evidence=evidence,
    )  # fmt: skip
    noes = _noes(catalogue, held.standing, desk.catalogues.bits(work, catalogue.version))
    statements = [replace(plain, act=act, scopes=tuple(scopes)) for act, scopes in noes if scopes]
    return recording.record(
        desk, work, statements, actor=actor, at=said_at, idempotency_key=idempotency_key, request=request
    )


def _noes(catalogue: Catalogue, standing: Standing, bits: Mapping[str, int]) -> Iterator[tuple[Act, Sequence[Scope]]]:
    """Return which no each scope gets: the one that its last answer calls for."""
    asked = [rule for rule in catalogue.in_order if rule.legal_basis in ASKED]
    taken_back = [rule.scope for rule in asked if _was_given(standing.of(rule.bit).status)]
    # A scope may have left the catalogue with a yes that would count again if it came back, or that is typed in then.
    gone = {
        Scope(scope): standing.of(bit).status in VALID for scope, bit in bits.items() if scope not in catalogue.scopes
    }
    retired = [scope for scope, given in gone.items() if given]
    yield Act.REFUSE, [rule.scope for rule in asked if rule.scope not in taken_back]
    yield Act.WITHDRAW, [*taken_back, *sorted(retired)]
    yield (
        Act.OBJECT,
        [
            *(rule.scope for rule in catalogue.in_order if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST),
            *sorted(gone.keys() - retired),  # of whatever basis they come back
        ],
    )


def _was_given(status: Status) -> bool:
    return status in VALID or status is Status.WITHDRAWN
