"""The check `commitments`: what stands promised was promised by a decision, as it stands, and no newer one is missing.

Terms hold until they end, on every channel: whoever takes a promise away, or puts an older one in its place, frees the
company to offer worse. A promise follows whole from its decision: whom, by which offer, when, until when.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from consent.audit.findings import Evidence, Finding, Gap, Judged, Severity, Yielded
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.errors import LedgerBroken
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.register import mergers
from consent.rights import erasing
from personalise.audit_checks.behind import NOBODY, Behind
from personalise.commitments import Commitment, of_row
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.tables import CommitmentRow

KEY: Final = "commitments"
_PAGE: Final = 500
_DAY_MS: Final = 86_400_000
_row: Final = table_of(CommitmentRow)


def commitments(evidence: Evidence) -> Iterator[Yielded]:
    """Go through all that stands promised, then through all decisions for what they promised."""
    behind = Behind(evidence)
    after = ("", "")
    while True:
        with evidence.store.read() as work:
            rows = _page(work, after)
            found = list(_true(behind, work, rows))
        if not rows:
            break
        yield from found
        after = (rows[-1].customer, rows[-1].family)
    with evidence.store.read() as work:
        places = log.places(work)
    for identity in places:
        with evidence.store.read() as work:
            found = list(_missing(behind, work, identity, places))
        yield from found


def _page(work: Work, after: tuple[str, str]) -> list[Any]:
    beyond = sa.tuple_(_row.c.customer, _row.c.family) > sa.tuple_(*map(sa.literal, after))
    return list(
        work.connection.execute(sa.select(_row).where(beyond).order_by(_row.c.customer, _row.c.family).limit(_PAGE))
    )


def _finding(customer: str, family: str, why: str) -> Finding:
    return Finding(check=KEY, severity=Severity.HIGH, subject=f"commitment {customer} {family}", why=why)


# ------------------------------------------------------------------------------------------------- from the promises


def _true(behind: Behind, work: Work, rows: Sequence[Any]) -> Iterator[Yielded]:
    """Hold each promise against the decision that it names; of an id that was given up it goes on with who goes on."""
    former: dict[str, set[str]] = {}
    for each in mergers.given_up(work, sorted({CustomerId(row.customer) for row in rows})) if rows else ():
        former.setdefault(each.into, set()).add(each.merged)
    for row in rows:
        said = _promised(behind, work, row)
        if isinstance(said, Gap):
            yield said
            continue
        if isinstance(said, str):
            yield _finding(row.customer, row.family, said)
            continue
        if said.customer != row.customer and said.customer not in _all_former(former, row.customer):
            yield _finding(row.customer, row.family, f"decision {row.decision}, which it names, is another customer's")
            continue
        kept = of_row(row)._replace(customer=said.customer)
        for name, value in said._asdict().items():
            if getattr(kept, name) != value:
                why = f"{name} is {getattr(kept, name)}, and by the decision that promised it {value}"
                yield _finding(row.customer, row.family, why)
    yield Judged(len(rows))


def _all_former(former: Mapping[str, set[str]], customer: str) -> set[str]:
    own = former.get(customer, set())
    return own.union(*(_all_former(former, each) for each in own)) if own else own


def _promised(behind: Behind, work: Work, row: Any) -> Commitment | Gap | str:  # noqa: ANN401 -- a row of commitment
    """Return what the decision promised that a row names; or why it promised nothing, or can't be read."""
    decided = behind.decision(work, row.decision)
    if isinstance(decided, str):
        return decided
    chunk, spot, whose = decided
    if whose == NOBODY:
        return f"there is no decision {row.decision}, which it names"
    policy = behind.policy(work, chunk)
    if isinstance(policy, str):
        return Gap(check=KEY, why=policy)
    at = chunk.about.get("decided_at", to_ms(row.made_at))  # chunks of before don't tell
    promised = _of(chunk, policy, spot, whose, at)
    return promised or f"decision {row.decision}, which it names, promised nothing"


def _of(chunk: Chunk, policy: Policy, spot: int, customer: str, at: int) -> Commitment | None:
    """Return what one decision promised."""
    chosen = chunk.table["chosen"][spot].as_py()
    one = _named(chunk, policy).get(chosen)
    if one is None or not one.offer.validity:
        return None
    return Commitment(
        customer=customer,
        family=one.offer.family,
        offer=one.offer.key,
        terms=one.offer.terms_hash,
        grade=one.offer.grade,
        campaign=chunk.campaign,
        decision=f"{chunk.id}.{spot}",
        made_at=at,
        until=at + one.offer.validity * _DAY_MS,
    )


def _named(chunk: Chunk, policy: Policy) -> dict[int, Candidate]:
    """Return the candidates by the numbers that the chunk has for them."""
    by_key = {one.key: one for one in policy.candidates}
    return {spot: by_key[key] for spot, key in enumerate(chunk.about["candidates"]) if key in by_key}


# ------------------------------------------------------------------------------------------------ from the decisions


def _missing(behind: Behind, work: Work, identity: str, places: Mapping[str, tuple[int, int]]) -> Iterator[Yielded]:
    """Walk what a chunk's decisions promised of which nothing stands, or something older."""
    try:
        chunk = log.read(work, identity)
    except LedgerBroken as damaged:
        yield Gap(check=KEY, why=f"chunk {identity}: {damaged.detail}")
        return
    policy = behind.policy(work, chunk)
    if isinstance(policy, str):
        yield Gap(check=KEY, why=policy)
        return
    lasting = {number: one for number, one in _named(chunk, policy).items() if one.offer.validity}
    chosen = np.asarray(chunk.table["chosen"])
    spots = np.flatnonzero(np.isin(chosen, list(lasting))).tolist() if lasting else []
    whose = chunk.customers
    for first in range(0, len(spots), _PAGE):
        some = {whose[spot]: lasting[int(chosen[spot])] for spot in spots[first : first + _PAGE]}
        yield from _unkept(behind.evidence, work, some, identity, places)


def _unkept(
    evidence: Evidence, work: Work, promised: Mapping[CustomerId, Candidate], identity: str,
    places: Mapping[str, tuple[int, int]],
) -> Iterator[Yielded]:  # fmt: skip
    query = sa.select(_row.c.customer, _row.c.family, _row.c.decision).where(_row.c.customer.in_(list(promised)))
    stands = {(row.customer, row.family): row.decision.partition(".")[0] for row in work.connection.execute(query)}
    missing = {}
    for customer, one in promised.items():
        chunk = stands.get((customer, one.offer.family))
        if chunk is None:
            missing[customer] = f"decision {identity} promised {one.offer.key}, and nothing stands"
        elif places.get(chunk, places[identity]) < places[identity]:
            missing[customer] = f"decision {identity} promised {one.offer.key}, and what stands is older"
    joined = {each.into for each in mergers.given_up(work, sorted(missing))} if missing else set()
    erased = erasing.proven(evidence.desk, work, list(missing)) if missing else {}
    for customer, why in missing.items():
        # Who goes on for two has the better promise of both, which may be the older one.
        if customer not in erased and not (customer in joined and why.endswith("older")):
            yield _finding(customer, promised[customer].offer.family, why)
