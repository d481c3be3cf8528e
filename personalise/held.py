"""What this floor holds of one customer: decisions, contacts, outcomes, goodwill, promised terms, his own wishes.

Given to the consent side by whoever puts the two together, as rows of plain values: there they go into what the
customer is given, and into his file. Each is read a part at a time, in a short transaction of its own, so that a long
history takes no more memory than a short one, and nobody who reads slowly keeps a writer waiting.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent.base.clock import rfc3339, to_ms
from consent.base.database import table_of
from consent.base.errors import ByleaveError, CampaignInvalid, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.deployment import Deployment
from consent.ledger.position import parts, position
from personalise import goodwill as accounts
from personalise import wishes as wished
from personalise.contact_policy.model import THOUSANDTHS
from personalise.history import GHOST
from personalise.runs import log
from personalise.runs.dry_run import load_policy
from personalise.runs.log import Chunk
from personalise.steps.interact.states import ENDED
from personalise.steps.personalise.explanation import explanation
from personalise.steps.personalise.policy import Policy
from personalise.tables import CommitmentRow, ContactRow, DecisionChunkRow, OutcomeRow, WishRow

PAGE: Final = 500
"""Contacts read in one transaction."""

_chunk: Final = table_of(DecisionChunkRow)
_contact: Final = table_of(ContactRow)
_outcome: Final = table_of(OutcomeRow)
_commitment: Final = table_of(CommitmentRow)
_wish: Final = table_of(WishRow)
_GONE: Final[tuple[type[ByleaveError], ...]] = (CampaignInvalid, NotFound)


def decisions(
    deployment: Deployment, customer: CustomerId, *, by: datetime, language: str = "en"
) -> Iterator[dict[str, Any]]:
    """Walk what was decided for a customer by a time, the first first: by which rules, on which data, and why.

    `position` is the ledger entry that commits to it, `judged_at` the position at which his permissions were judged.
    Why is said in `language`, where it is spoken here.

    Raises:
        LedgerBroken: a chunk of decisions is damaged.
    """
    policies: dict[tuple[Any, ...], Policy | None] = {}
    row = _chunk.c
    query = sa.select(row.id).where(row.first <= customer, row.last >= customer, row.at <= by)
    with deployment.store.read() as work:
        chunks = list(work.connection.execute(query.order_by(row.log, row.seq)).scalars())
    for identity in chunks:
        with deployment.store.read() as work:
            chunk = log.read(work, identity)
            spot = chunk.table["customer"].index(customer).as_py()
            policy = _policy(deployment, work, chunk, policies) if spot >= 0 else None
        if spot >= 0:
            yield _decision(chunk, spot, policy, language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest decisions about a customer, the newest first; `older` is the position to go on before, if any."""

    rows: list[dict[str, Any]]
    older: int | None


def newest(
    deployment: Deployment, ids: Sequence[CustomerId], *, before: int | None, most: int, language: str
) -> Newest:
    """Return the newest decisions under a customer's ids, as `decisions` tells them, in one language.

    Args:
        deployment: the house's.
        ids: all that he has or had.
        before: only those that the ledger commits to before this position; None for all.
        most: how many.
        language: in which they are explained.

    Raises:
        LedgerBroken: a chunk of decisions is damaged.
    """
    row, found = _chunk.c, list[dict[str, Any]]()
    policies: dict[tuple[Any, ...], Policy | None] = {}
    his = sa.or_(*(sa.and_(row.first <= each, row.last >= each) for each in ids))
    query = sa.select(row.id).where(his).order_by(row.log.desc(), row.seq.desc())
    if before is not None:
        place = sa.tuple_(row.log, row.seq)
        query = query.where(place < sa.tuple_(*map(sa.literal, parts(before))))
    with deployment.store.read() as work:
        chunks = work.connection.execute(query).all()
    for [identity] in chunks:
        with deployment.store.read() as work:
            chunk = log.read(work, identity)
            spots = [chunk.table["customer"].index(each).as_py() for each in ids]
            there = [spot for spot in spots if spot >= 0]
            policy = _policy(deployment, work, chunk, policies) if there else None
        if there and len(found) >= most:
            return Newest(rows=found, older=found[-1]["position"])
        found += [_decision(chunk, spot, policy, language) for spot in there]
    return Newest(rows=found, older=None)


def one(deployment: Deployment, ids: Sequence[CustomerId], decision: str, *, language: str) -> dict[str, Any] | None:
    """Return one decision about a customer, as `decisions` tells it; None where it is not about him.

    Raises:
        DecisionUnknown: there is no such decision.
        LedgerBroken: its chunk is damaged.
    """
    with deployment.store.read() as work:
        chunk, spot = log.place(work, decision)
        if chunk.table["customer"][spot].as_py() not in ids:
            return None
        return _decision(chunk, spot, _policy(deployment, work, chunk, {}), language)


def contacts(deployment: Deployment, customer: CustomerId, *, by: datetime) -> Iterator[dict[str, Any]]:
    """Walk a customer's contacts by a time, the first first; a `ghost` is one that he was left out of, by chance.

    `position` is the ledger entry that commits to the decision behind it; None where there is none.
    """
    row = _contact.c
    names = ("decision", "campaign", "offer", "treatment", "channel", "purpose", "status")
    query = sa.select(row.reserved_at, *(row[name] for name in names)).where(
        row.customer == customer, row.reserved_at <= by
    )
    after: tuple[int, str] = (-1, "")
    while True:
        place = sa.tuple_(row.reserved_at, row.decision)
        more = (
            query.where(place > sa.tuple_(*map(sa.literal, after))).order_by(row.reserved_at, row.decision).limit(PAGE)
        )
        with deployment.store.read() as work:
            found = work.connection.execute(more).all()
            places = _places(work, {each.decision.partition(".")[0] for each in found})
        for each in found:
            told = {"at": rfc3339(each.reserved_at), **{name: getattr(each, name) for name in names}}
            yield {**told, "position": places.get(each.decision.partition(".")[0])}
        if len(found) < PAGE:
            return
        after = to_ms(found[-1].reserved_at), found[-1].decision


def _places(work: Work, chunks: Iterable[str]) -> dict[str, int]:
    """Return the ledger positions of the entries that commit to chunks of decisions."""
    query = sa.select(_chunk.c.id, _chunk.c.log, _chunk.c.seq).where(_chunk.c.id.in_(sorted(chunks)))
    return {identity: position(log_number, seq) for identity, log_number, seq in work.connection.execute(query)}


def outcomes(deployment: Deployment, customer: CustomerId, *, by: datetime) -> Iterator[dict[str, Any]]:
    """Walk that outcomes of a customer came in, by a time. What they were is remembered, and told there."""
    row = _outcome.c
    query = sa.select(row.attribute, row.came_at, row.timed).where(row.customer == customer, row.came_at <= by)
    with deployment.store.read() as work:
        found = work.connection.execute(query.order_by(row.came_at, row.attribute, row.number)).all()
    for each in found:
        yield {"at": rfc3339(each.came_at), "attribute": each.attribute, "exact": each.timed}


def goodwill(deployment: Deployment, customer: CustomerId, *, by: datetime) -> Iterator[dict[str, Any]]:
    """Walk a customer's account of goodwill by a time, the first line first; amounts and balances in points.

    `position` is the ledger entry that commits to the decision behind a line; None where there is none.
    """
    with deployment.store.read() as work:
        lines = [line for line in accounts.account(work, customer) if line.at <= by]
        places = _places(work, {line.reference.partition(".")[0] for line in lines})
    for line in lines:
        yield {
            "at": rfc3339(line.at),
            "kind": str(line.kind),
            "amount": line.amount / THOUSANDTHS,
            "balance": line.balance / THOUSANDTHS,
            "decision": line.reference,
            "position": places.get(line.reference.partition(".")[0]),
        }


def commitments(deployment: Deployment, customer: CustomerId, *, by: datetime) -> Iterator[dict[str, Any]]:
    """Walk the terms that a customer was promised by a time: the newest of each family of offers, with its end.

    `terms` are the words of the campaign that promised them; None where it can't be read any more.

    Raises:
        LedgerBroken: a chunk of decisions is damaged.
    """
    policies: dict[tuple[Any, ...], Policy | None] = {}
    row = _commitment.c
    query = sa.select(_commitment).where(row.customer == customer, row.made_at <= by)
    with deployment.store.read() as work:
        found = work.connection.execute(query.order_by(row.made_at, row.family)).all()
    for each in found:
        with deployment.store.read() as work:
            chunk, _ = log.place(work, each.decision)
            policy = _policy(deployment, work, chunk, policies)
        offer = policy.campaign.offers.get(each.offer) if policy else None
        yield {
            "at": rfc3339(each.made_at),
            "until": rfc3339(each.until),
            "family": each.family,
            "offer": each.offer,
            "terms": {name: _plain(term) for name, term in offer.terms.items()} if offer else None,
            "terms_sha256": each.terms,
            "campaign": each.campaign,
            "decision": each.decision,
            "position": position(chunk.log, chunk.seq),
        }


def _plain(term: object) -> object:
    return term if isinstance(term, str | int | float | bool) else str(term)


def wishes(deployment: Deployment, customer: CustomerId, *, by: datetime) -> Iterator[dict[str, Any]]:
    """Walk how often and when a customer wants to be contacted, as he said by a time and as it still stands.

    A row is a limit (`most` in `days`; of a `channel`, null for all together), or his quiet hours (`quiet`, on the
    clock of the day, in the `zone` that he named), which have no limit.
    """
    row = _wish.c
    query = sa.select(_wish).where(row.customer == customer, row.said_at <= by).order_by(row.said_at, row.channel)
    with deployment.store.read() as work:
        found = work.connection.execute(query).all()
    for each in found:
        limited = each.days > 0
        yield {
            "at": rfc3339(each.said_at),
            "channel": each.channel if limited and each.channel != wished.ANY else None,
            "most": each.most if limited else None,
            "days": each.days if limited else None,
            "quiet": None if limited else [wished.clock(each.quiet_from), wished.clock(each.quiet_until)],
            "zone": each.zone or None,
        }


def contacted(work: Work, since: datetime) -> dict[tuple[str, str], int]:
    """Return how often customers were reached since an instant, by (channel, purpose), but for who was left out.

    What never reached its customer isn't counted.
    """
    row = _contact.c
    query = sa.select(row.channel, row.purpose, sa.func.count()).where(
        row.reserved_at >= since, row.status.not_in((GHOST, *ENDED))
    )
    counted = work.connection.execute(query.group_by(row.channel, row.purpose))
    return {(channel, purpose): count for channel, purpose, count in counted}


def _decision(chunk: Chunk, spot: int, policy: Policy | None, language: str) -> dict[str, Any]:
    about = chunk.about
    row = chunk.row(spot, policy.rules if policy else about["rules"])
    return {
        "at": rfc3339(chunk.at),
        "decision": f"{chunk.id}.{spot}",
        "campaign": chunk.campaign,
        "campaign_version": about["version"],
        "purpose": about["purpose"],
        "chosen": about["candidates"][row["chosen"]] if row["chosen"] >= 0 else None,
        "contact": about["needs"][row["chosen"]][0] if row["chosen"] >= 0 else None,
        "categories_used": [key for bit, key in enumerate(about["categories"]) if row["used"] >> bit & 1],
        "explanation": explanation(row, policy, language=language) if policy else None,
        "judged_at": chunk.position,
        "position": position(chunk.log, chunk.seq),
    }


def _policy(
    deployment: Deployment, work: Work, chunk: Chunk, known: dict[tuple[Any, ...], Policy | None]
) -> Policy | None:
    """Return the policy that a chunk was decided by: what explains its decisions.

    None where it can't be read any more, or knows fewer rules than the chunk does.
    """
    about = chunk.about
    pinned = log.pins(about)
    key = (chunk.campaign, *pinned.values(), *about["candidates"])
    if key not in known:
        try:
            policy, _ = load_policy(deployment, work, chunk.campaign, **pinned)
        except _GONE:
            known[key] = None
        else:
            on_it = tuple(one for one in policy.candidates if one.key in about["candidates"])
            known[key] = replace(policy, candidates=on_it)
    found = known[key]
    return found if found and set(about["rules"]) <= set(found.rules) else None
