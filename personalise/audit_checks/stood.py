"""What stood for customers at a ledger position, folded out of sealed payloads; and whether decisions kept to it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from consent.audit.folding import folded
from consent.base.clock import to_ms
from consent.catalogue.model import Catalogue
from consent.ledger.entry import Kind
from consent.permission import many
from consent.permission.many import Standings
from consent.permission.standing import EMPTY, StoredStanding, stored
from consent.permission.verdict import Reason
from consent.register import reopening
from consent.register.desk import Desk
from consent.register.reopening import Reopened, Sealed
from personalise.runs.log import Chunk

NOTHING_SAID: Final = stored(EMPTY)


def at(
    desk: Desk, sealed: Sealed, bits: Mapping[str, int], *, before: int
) -> tuple[dict[str, StoredStanding], set[str]]:
    """Fold what stood before a ledger position.

    Returns:
        Customer → standing, and the customers who can't be judged because a payload of theirs can't be read.
    """
    found: dict[str, StoredStanding] = {}
    unread: set[str] = set()
    for owner, said in groupby(reopening.reopened(desk.keys, sealed), key=attrgetter("owner")):
        standing = of(list(said), bits, before=before)
        if standing is None:
            unread.add(owner)
        else:
            found[owner] = standing
    return found, unread


def of(said: Sequence[Reopened], bits: Mapping[str, int], *, before: int) -> StoredStanding | None:
    """Fold what one customer had said before a ledger position; None where a payload of that time can't be read."""
    then = [one for one in said if one.seq < before]
    if any(one.why for one in then):
        return None
    return folded([(one.seq, one.payload["statement"]) for one in then if one.kind == Kind.STATEMENT], bits)


def touched(chunk: Chunk) -> set[str]:
    """Return the customers of a chunk of whom anything was used."""
    of_any = (np.asarray(chunk.table["used"]) != 0) | (np.asarray(chunk.table["chosen"]) >= 0)
    whose = chunk.customers
    return {whose[spot] for spot in np.flatnonzero(of_any)}


def unpermitted(
    chunk: Chunk, catalogue: Catalogue, stood: Mapping[str, StoredStanding], *, skipped: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Walk a chunk's decisions that used what did not stand: (decision, why).

    Args:
        chunk: the decisions.
        catalogue: under which they were made.
        stood: what stood for each customer at the chunk's position; nothing, for who isn't in it.
        skipped: customers of whom that isn't known.
    """
    used = np.asarray(chunk.table["used"])
    chosen = np.asarray(chunk.table["chosen"])
    known = np.array([customer not in skipped for customer in chunk.customers])
    standings = many.of_rows([stood.get(customer, NOTHING_SAID) for customer in chunk.customers])
    purpose = chunk.about["purpose"]
    needed = {f"use:{key}:{purpose}": used >> bit & 1 > 0 for bit, key in enumerate(chunk.about["categories"])}
    for spot, scopes in enumerate(chunk.about["needs"]):
        for scope in scopes:
            needed[scope] = needed.get(scope, np.zeros(len(known), dtype=np.bool_)) | (chosen == spot)
    for scope, who in needed.items():
        found = reasons(standings, scope, catalogue, chunk.at)
        for spot in np.flatnonzero(known & who & (found != Reason.PERMIT)).tolist():
            reason = Reason(found[spot]).name
            yield f"{chunk.id}.{spot}", f"used {scope}, which stood as {reason} at ledger position {chunk.position}"


def reasons(standings: Standings, scope: str, catalogue: Catalogue, at: datetime) -> NDArray[np.uint8]:
    """Judge one scope of every customer; where it is a use, with the memory that it takes."""
    rule = catalogue.scopes.get(scope)
    remember = catalogue.scopes.get(f"remember:{rule.target}") if rule and rule.operation == "use" else None
    found: NDArray[np.uint8] = many.reasons(standings, [rule], [remember], to_ms(at))[:, 0]
    return found
