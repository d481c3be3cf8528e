"""Whether a contact is the one that its decision made, and how it stands agrees with itself; and which are gone.

A contact's channel, purpose, offer, family, tags and class are snapshots of the campaign's version that decided, which
is immutable. When it was reserved and how long it may live follow from the decision.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from consent.audit.findings import Evidence
from consent.base.clock import to_ms
from consent.base.database import table_of
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.rights import erasing
from personalise.history import GHOST
from personalise.runs import log
from personalise.runs.log import Chunk
from personalise.steps.interact.states import ENDED, HANDED_OUT, State
from personalise.steps.personalise.policy import Candidate, Policy
from personalise.tables import ContactRow

_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 500
_FIRST: Final = {"family": "", "tags": "", "kind": "marketing"}
"""What contacts say that were made before they were told of these: chunks of that time have no replay hash."""

_OUT: Final = (*HANDED_OUT, State.FAILED)
_contact: Final = table_of(ContactRow)


def otherwise(row: Any, chunk: Chunk, policy: Policy, one: Candidate) -> Iterator[str]:  # noqa: ANN401 -- a row of contact
    """Walk what a contact says otherwise than the decision behind it, and where it contradicts itself."""
    if row.status not in set(State):
        yield f"status is {row.status}, which no contact ever is"
        return
    campaign = policy.campaign
    made = {
        "campaign": campaign.key, "offer": one.offer.key, "channel": one.treatment.channel,
        "purpose": campaign.purpose, "family": one.offer.family, "tags": " ".join(campaign.tags),
        "kind": campaign.kind,
    }  # fmt: skip
    first = {} if log.REPLAY in chunk.table.column_names else _FIRST
    for name, value in made.items():
        said = getattr(row, name)
        if said not in (value, first.get(name, value)):
            yield f"{name} is {said}, and by the decision behind it {value}"
    took = sorted(each.noted for each in policy.quotas if one.key in each.treatments and row.status != GHOST)
    known = log.COUNTED_FROM in chunk.about  # before, contacts did not tell what they took
    if sorted(row.quotas.split()) != (took if known else []):
        yield f"it took of {' '.join(took) or 'nothing'} by the decision behind it, and says: {row.quotas or 'nothing'}"
    yield from _times(row, chunk, policy)
    yield from _contradicting(row)


def _times(row: Any, chunk: Chunk, policy: Policy) -> Iterator[str]:  # noqa: ANN401 -- a row of contact
    at = chunk.about.get("decided_at")
    if at is not None and to_ms(row.reserved_at) != at:
        yield f"reserved_at is {to_ms(row.reserved_at)}, and it was decided at {at}"
    carried, ghost = chunk.about.get("carried", False), row.status == GHOST
    ends = to_ms(chunk.at) + policy.campaign.ttl_days * _DAY_MS
    may = {ends if carried and not ghost else None}
    if log.GHOSTS not in chunk.about:  # from before a chunk told who carries it out
        may |= {None} if ghost else {None, ends}
    until = to_ms(row.expires_at) if row.expires_at else None
    if until not in may:
        yield f"expires_at is {until}, and by the decision behind it {' or '.join(sorted(map(str, may)))}"


def _contradicting(row: Any) -> Iterator[str]:  # noqa: ANN401 -- a row of contact
    """Walk where how it stands, and what stands beside it, can't both be."""
    claims = {"claims": row.claims > 0, "claimed_position": row.claimed_position is not None}
    wrong = [name for name, told in claims.items() if told != (row.claimed_at is not None)]
    if wrong:
        yield f"claimed_at and {', '.join(wrong)} contradict each other"
    if row.claimed_at is not None and row.status == GHOST:
        yield "it is a ghost, and was handed out"
    if row.claimed_at is None and row.status in _OUT and row.status not in HANDED_OUT:
        yield f"it is {row.status}, and nobody had claimed it"  # of others, the check `dispatch` says so
    held = row.claimed_until is not None
    if held != (row.status == State.CLAIMED) and row.status != State.FAILED:
        yield f"it is {row.status}, and claimed_until {'says that it is held' if held else 'is not there'}"
    if (row.ended_at is not None) != (row.status in ENDED):
        yield f"it is {row.status}, and ended_at {'is there' if row.ended_at is not None else 'is not there'}"


def gone(evidence: Evidence, work: Work, chunk: Chunk) -> Iterator[tuple[str, str]]:
    """Walk the decisions of a chunk that chose somebody, or gave a ghost, and left no contact: (decision, why).

    Contacts stay with the id that they were made under, and go when their customer is erased, never before.
    """
    chosen, ghost = np.asarray(chunk.table["chosen"]), np.asarray(chunk.table["ghost"])
    spots = np.flatnonzero((chosen >= 0) | (ghost >= 0)).tolist()
    whose = chunk.customers
    missing: list[int] = []
    for first in range(0, len(spots), _AT_ONCE):
        some = spots[first : first + _AT_ONCE]
        there = _there(work, chunk.id, [whose[spot] for spot in some])
        missing += [spot for spot in some if (whose[spot], f"{chunk.id}.{spot}") not in there]
    erased = erasing.proven(evidence.desk, work, [whose[spot] for spot in missing]) if missing else {}
    keys = chunk.about["candidates"]
    for spot in (each for each in missing if whose[each] not in erased):
        what = f"it chose {keys[chosen[spot]]}" if chosen[spot] >= 0 else f"it gave a ghost of {keys[ghost[spot]]}"
        yield f"{chunk.id}.{spot}", f"{what}, and its contact is not there"


def _there(work: Work, chunk: str, whose: Sequence[CustomerId]) -> set[tuple[str, str]]:
    query = sa.select(_contact.c.customer, _contact.c.decision).where(
        _contact.c.customer.in_(whose), _contact.c.decision > f"{chunk}.", _contact.c.decision < f"{chunk}/"
    )
    return {(row.customer, row.decision) for row in work.connection.execute(query)}
