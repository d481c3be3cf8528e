"""Part of the check `decision_log`: behind decisions that used data stands the record of that use."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import numpy as np

from consent import uses
from consent.audit.findings import Evidence
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.rights import erasing
from consent.uses import Recorded
from personalise.runs import inputs
from personalise.runs.log import Chunk

AT_ONCE: Final = 200


class Used(NamedTuple):
    """What a chunk's decisions used: the categories, of how many customers; and whose a chunk of one is."""

    chunk: str
    decisions: tuple[str, ...]
    """Towards which decision, or run, that can be recorded."""
    position: int
    purpose: str
    categories: frozenset[str]
    customers: int
    alone: CustomerId | None


def of(chunk: Chunk) -> Used:
    """Return what a chunk says that it used."""
    used = np.asarray(chunk.table["used"])
    categories = [key for bit, key in enumerate(chunk.about["categories"]) if (used >> bit & 1).any()]
    whose = chunk.customers
    alone = whose[0] if len(whose) == 1 and not chunk.run else None
    return Used(
        chunk=chunk.id, decisions=(chunk.run,) if chunk.run else (chunk.id, f"{chunk.id}.0") if alone else (chunk.id,),
        position=chunk.position, purpose=chunk.about["purpose"], categories=frozenset(categories),
        customers=int(np.count_nonzero(used)), alone=alone,
    )  # fmt: skip


def unrecorded(evidence: Evidence, work: Work, some: Sequence[Used]) -> Iterator[tuple[str, str]]:
    """Walk chunks of which a use must have been recorded when it was judged, and was not so: (chunk, why).

    When that was stands with what they were made from; chunks that have nothing of that are passed over. The use by a
    decision about one customer goes with him when he is erased.
    """
    wanted = [one for one in some if one.categories]
    since = inputs.kept_from(work, [one.chunk for one in wanted])
    recorded = uses.towards(work, set(since.values()))
    chunks = Counter(_spot(one, since[one.chunk]) for one in wanted if one.chunk in since)
    for one in wanted:
        if one.chunk not in since:
            continue
        found = [each for each in recorded if _is_of(each, one, since[one.chunk])]
        why = _wrong(one, found, chunks[_spot(one, since[one.chunk])])
        if why and not (one.alone and erasing.proven(evidence.desk, work, [one.alone])):
            yield one.chunk, why


def _spot(one: Used, at: datetime) -> tuple[object, ...]:
    return (*one.decisions, one.position, at)


def _is_of(each: Recorded, one: Used, at: datetime) -> bool:
    return each.at == at and each.decision in one.decisions and each.position == one.position


def _wrong(one: Used, found: Sequence[Recorded], chunks: int) -> str:
    """Say what is not recorded of what a chunk used; "" if nothing is missing."""
    told = [each for each in found if each.purpose == one.purpose]
    missing = one.categories.difference(*(each.categories for each in told))
    if len(told) < chunks or missing or sum(each.customers for each in told) < one.customers:
        what = f"{', '.join(sorted(one.categories))} of {one.customers} customers for {one.purpose}"
        return f"its decisions used {what} at position {one.position}, and no use is recorded that says so"
    return ""
