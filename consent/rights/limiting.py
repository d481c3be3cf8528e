"""USE CASES: stop using somebody's data, and object: the statements, and the requests that they fulfil."""

from collections.abc import Iterable
from datetime import datetime

from consent import standings
from consent.base.errors import CustomerUnknown, StateConflict
from consent.base.ids import CustomerId, Scope
from consent.base.store import Work
from consent.catalogue.model import LegalBasis
from consent.permission.standing import RESTRICTED, Standing, Status, from_stored
from consent.permission.statement import Act, Method, Statement
from consent.register import customers, mergers, recording
from consent.register.desk import Desk
from consent.register.recording import Recorded
from consent.rights import requests
from consent.rights.asked import How, Right

_HOW = {Method.PHONE: How.PHONE, Method.PAPER: How.LETTER}


def is_restricted(work: Work, customer: CustomerId) -> bool:
    """Say whether nothing of a customer's data may be used now, but kept.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    return bool(_standing(work, customer).states & RESTRICTED)


def restrict(
    desk: Desk, work: Work, customer: CustomerId, *, actor: str, at: datetime, method: Method = Method.WEB_FORM,
    evidence: str = "",
) -> Recorded:  # fmt: skip
    """Stop every use of a customer's data; they are kept until he lifts it. The request is fulfilled by it at once.

    Source:
        GDPR Art. 18.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        StateConflict: it is so already.
    """
    if _locked(work, customer).states & RESTRICTED:
        msg = "the use of these data is restricted already"
        raise StateConflict(msg)
    said = _statement(customer, Act.RESTRICT, at=at, method=method, evidence=evidence)
    recorded = _said(desk, work, said, actor=actor)
    _fulfilled(desk, work, customer, Right.RESTRICTION, actor=actor, at=at, method=method)
    return recorded


def lift(
    desk: Desk, work: Work, customer: CustomerId, *, actor: str, at: datetime, method: Method = Method.WEB_FORM
) -> Recorded:
    """Lift a restriction: what the customer permits may be used again.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        StateConflict: nothing is restricted.
    """
    if not _locked(work, customer).states & RESTRICTED:
        msg = "the use of these data is not restricted"
        raise StateConflict(msg)
    return _said(desk, work, _statement(customer, Act.LIFT, at=at, method=method), actor=actor)


def objectionable(desk: Desk, work: Work, customer: CustomerId) -> list[Scope]:
    """Return what a customer can object to and hasn't: all that the company does on an interest of its own.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    stands = _standing(work, customer)
    return [
        rule.scope
        for rule in desk.catalogues.current(work).in_order
        if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST and stands.of(rule.bit).status is not Status.OBJECTED
    ]


def object_to(
    desk: Desk, work: Work, customer: CustomerId, scopes: Iterable[Scope], *, actor: str, at: datetime,
    method: Method = Method.WEB_FORM, evidence: str = "",
) -> Recorded:  # fmt: skip
    """Object to scopes: what the company does for marketing, or on an interest of its own, ends.

    Source:
        GDPR Art. 21.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        StatementInvalid: a scope is unknown, or none is named.
    """
    _locked(work, customer)
    said = _statement(customer, Act.OBJECT, tuple(scopes), at=at, method=method, evidence=evidence)
    recorded = _said(desk, work, said, actor=actor)
    _fulfilled(desk, work, customer, Right.OBJECTION, actor=actor, at=at, method=method)
    return recorded


def _locked(work: Work, customer: CustomerId) -> Standing:
    customers.lock(work, [mergers.surviving(work, customer)])
    return _standing(work, customer)


def _standing(work: Work, customer: CustomerId) -> Standing:
    now = mergers.surviving(work, customer)
    row = standings.read(work, [now]).get(now)
    if row is None:
        raise CustomerUnknown
    return from_stored(row)


def _statement(
    customer: CustomerId, act: Act, scopes: tuple[Scope, ...] = (), *, at: datetime, method: Method, evidence: str = ""
) -> Statement:
    return Statement(customer=customer, act=act, scopes=scopes, said_at=at, method=method, evidence=evidence)


def _said(desk: Desk, work: Work, said: Statement, *, actor: str) -> Recorded:
    [recorded] = recording.record(desk, work, [said], actor=actor, at=said.said_at)
    return recorded


def _fulfilled(
    desk: Desk, work: Work, customer: CustomerId, kind: Right, *, actor: str, at: datetime, method: Method
) -> None:
    how = _HOW.get(method, How.PAGE)
    requests.fulfil_at_once(desk, work, customer, kind, actor=actor, at=at, how=how)
