"""USE CASE: what customers say and do of themselves, as whoever heard it reports it: complaints, thanks, purchases.

A complaint takes all the goodwill that there is, and leaves every address of the customer alone. What he starts, and
what keeps a word, gives some back. Each report has a reference, and counts once.
"""

from dataclasses import dataclass
from typing import Any, Final

from consent.base.clock import rfc3339
from consent.base.errors import CustomerUnknown, Place, RequestUnfit
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers, mergers, suppressing
from consent.register.suppressing import Why
from consent.rights.erasure_list import Event
from personalise import goodwill, shelf
from personalise.contact_policy.model import THOUSANDTHS
from personalise.goodwill import CREDITS, Entry, Posting
from personalise.runs import log

KINDS: Final = (Entry.COMPLAINT, *sorted(CREDITS))
"""What can be reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What became of a report, in points; `suppressed` is how many addresses are left alone from now on."""

    customer: CustomerId
    kind: Entry
    reference: str
    amount: float
    balance: float
    repeated: bool
    suppressed: int

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {
            "customer": self.customer,
            "kind": str(self.kind),
            "reference": self.reference,
            "amount": self.amount,
            "balance": self.balance,
            "repeated": self.repeated,
            "suppressed": self.suppressed,
        }


def report(
    deployment: Deployment, customer: CustomerId, kind: Entry, *, actor: str, decision: str = "", reference: str = ""
) -> Reported:
    """Book what a customer did or said; a complaint also suppresses his addresses.

    Args:
        deployment: where.
        customer: who.
        kind: one of `KINDS`.
        actor: who reports it.
        decision: what it is about, if it is about one.
        reference: what it is called where it was heard, such as an order or a call; only its keyed hash is kept. The
            same once more changes nothing.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
        DecisionUnknown: no decision by that id.
        RequestUnfit: it has neither decision nor reference, or both, or the decision was about somebody else.
        ClockBehind: the clock lies behind the ledger.
    """
    if bool(decision) == bool(reference):
        raise RequestUnfit(places=[Place("/reference", "give the decision that it is about, or else a reference")])
    at = deployment.clock()
    with deployment.store.write() as work:
        who = _surviving(work, customer, kind)
        changed = _suppressed(deployment, work, who, actor=actor) if kind is Entry.COMPLAINT else 0
        if not customers.lock(work, [who]):
            raise CustomerUnknown
        named = _about(work, decision, who) if decision else _blinded(deployment, who, reference)
        terms = shelf.goodwill_terms(work)
        repeated, amount = (who, named) in goodwill.booked(work, [who], kind), goodwill.priced(terms, kind)
        before = int(goodwill.balances(work, [who], terms)[0])
        if not repeated and (amount or kind is Entry.COMPLAINT):
            goodwill.book(work, [Posting(who, kind, amount, named)], terms, at=at)
        balance = int(goodwill.balances(work, [who], terms)[0])
    return Reported(
        customer=who, kind=kind, reference=named, amount=(balance - before) / THOUSANDTHS,
        balance=balance / THOUSANDTHS, repeated=repeated, suppressed=changed,
    )  # fmt: skip


def _surviving(work: Work, customer: CustomerId, kind: Entry) -> CustomerId:
    """Return who the customer is now. What suppresses locks that list first, so that nobody is joined meanwhile."""
    if kind is Entry.COMPLAINT:
        suppressing.beside_nobody(work)
    return mergers.surviving(work, customer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer's account as he can see it, in points; its lines are rows of plain values, the first first."""

    customer: CustomerId
    balance: float
    lines: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {"customer": self.customer, "balance": self.balance, "data": list(self.lines)}


def account(deployment: Deployment, customer: CustomerId) -> Account:
    """Return a customer's account of goodwill.

    Raises:
        CustomerUnknown: nobody of that id is enrolled.
    """
    with deployment.store.read() as work:
        who = customers.find(deployment.desk, work, customer)
        lines = goodwill.account(work, who)
        balance = goodwill.balances(work, [who], shelf.goodwill_terms(work))[0]
    told = [
        {"at": rfc3339(each.at), "kind": str(each.kind), "amount": each.amount / THOUSANDTHS,
         "balance": each.balance / THOUSANDTHS, "reference": each.reference}
        for each in lines
    ]  # fmt: skip
    return Account(customer=who, balance=int(balance) / THOUSANDTHS, lines=tuple(told))


def _about(work: Work, decision: str, customer: CustomerId) -> str:
    chunk, spot = log.place(work, decision)
    if mergers.surviving(work, chunk.customers[spot]) != customer:
        raise RequestUnfit(places=[Place("/decision", "was about another customer")])
    return decision


def _blinded(deployment: Deployment, customer: CustomerId, reference: str) -> str:
    return "ref_" + deployment.desk.blinded("goodwill", f"{customer}\x00{reference}")[:16].hex()


def _suppressed(deployment: Deployment, work: Work, customer: CustomerId, *, actor: str) -> int:
    """Leave every address of a customer alone; return how many weren't yet."""
    at = deployment.clock()
    done = suppressing.suppress_customer(deployment.desk, work, customer, actor=actor, why=Why.COMPLAINED, at=at)
    new = [each for each in done if each.changed]
    if new:  # before it is committed: should that fail, too much is left alone, and never too little
        noted = [(Event.SUPPRESSED, each.subject, each.position) for each in new]
        deployment.erasures.note(noted, at=at)
    return len(new)
