"""USE CASE: decide again from what was kept, and hold the answer against the log, bit for bit.

What can't be opened any more, since its customer was erased or it was let go of, is neither right nor wrong. What
should open and doesn't could not be judged.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from consent import gate
from consent.base.clock import from_ms
from consent.base.errors import CampaignInvalid, LedgerBroken, NotFound
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate.keeping import Opened
from consent.register import mergers
from consent.rights import erasing
from consent.uses import Use
from personalise.decide import decide
from personalise.runs import inputs, log
from personalise.runs.dry_run import Desked, load_policy
from personalise.runs.inputs import Kept
from personalise.runs.log import Chunk
from personalise.steps.personalise.policy import Policy

LET_GO: Final = "what they were made from was let go of"
BEFORE: Final = "they are from before there were replays"
_LOGGED_BESIDE: Final = ("mask", log.REPLAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was decided anew, and from what: a row a decision, `spots` their places in the chunk."""

    policy: Policy
    spots: list[int]
    columns: pa.Table
    table: pa.Table


@dataclass(slots=True, kw_only=True)
class Replay:
    """What came of replaying (some of) a chunk's decisions: their places in it.

    Attributes:
        same: those that came out bit for bit, under the same replay hash.
        differs: those that did not, and the columns in which.
        gone: those that can't be replayed any more, and needn't be.
        unread: those that should, and can't.
        why: why nothing of the chunk could be replayed; "" where it could.
        made: what was decided anew; None where nothing was.
    """

    same: list[int] = field(default_factory=list)
    differs: dict[int, list[str]] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    why: str = ""
    made: Made | None = None


def policy_of(desked: Desked, work: Work, chunk: Chunk) -> Policy:
    """Return the policy that a chunk was decided by.

    Raises:
        NotFound, CampaignInvalid: a part of it is not there, or can't be read any more.
    """
    about = chunk.about
    policy, _ = load_policy(desked, work, chunk.campaign, **log.pins(about))
    return replace(policy, candidates=tuple(one for one in policy.candidates if one.key in about["candidates"]))


def replayed(desked: Desked, work: Work, chunk: Chunk, *, actor: str, at: datetime, only: int | None = None) -> Replay:
    """Replay a chunk's decisions, or the one at a place, and write the use down.

    Args:
        desked: keys and catalogues.
        work: a transaction that can record the use.
        chunk: the decisions.
        actor: who asks.
        at: now.
        only: the place of the one to replay; all, if left out.
    """
    spots = list(range(chunk.table.num_rows)) if only is None else [only]
    if log.REPLAY not in chunk.table.column_names:
        return Replay(gone=spots, why=BEFORE)
    try:
        kept = inputs.find(work, chunk.id)
        policy = policy_of(desked, work, chunk)
    except (LedgerBroken, NotFound, CampaignInvalid) as lost:
        return Replay(unread=spots, why=f"{lost.title}: {lost.detail}")
    if kept is None or len(kept.rows) != chunk.table.num_rows:
        if kept is not None and kept.dropped:
            return Replay(gone=spots, why=LET_GO)
        return Replay(unread=spots, why="what they were made from is not there, though nobody let go of it")
    if policy.digest.hex() != chunk.about["policy"]:
        why = "policy: what they were decided by has changed, though all its parts are insert-only"
        return Replay(differs={spot: ["policy"] for spot in spots}, why=why)
    use = Use(actor=actor, purpose=policy.campaign.purpose, reason=f"replay of {chunk.id}")
    return _held_against(desked, work, (chunk, kept, policy), spots, use=use, at=at)


def _held_against(
    desked: Desked, work: Work, whole: tuple[Chunk, Kept, Policy], spots: list[int], *, use: Use, at: datetime
) -> Replay:
    chunk, kept, policy = whole
    decided_at = from_ms(chunk.about["decided_at"])
    customers = [chunk.customers[spot] for spot in spots]
    opened = gate.open_rows(
        desked.desk, work, customers, [kept.rows[spot] for spot in spots], place=chunk.id,
        head=inputs.head(policy.digest, decided_at, kept.shape), use=use, categories=policy.categories, at=at,
    )  # fmt: skip
    found = Replay()
    marks = chunk.table[log.REPLAY].to_pylist()
    _unopened(desked, work, opened, found, customers=customers, spots=spots, marks=marks)
    there = [(spot, row, mark) for spot, row, mark in zip(spots, opened.rows, opened.marks, strict=True) if row]
    if not there:
        return found
    names = [chunk.customers[spot] for spot, _, _ in there]
    try:
        columns = inputs.read(names, kept.shape, [row for _, row, _ in there])
        table = decide(columns, policy, decided_at)
    except (pa.ArrowException, KeyError, ValueError, TypeError):  # not what `decide` took: then it isn't theirs
        found.differs = {spot: [log.REPLAY] for spot, _, _ in there}
        return found
    found.made = Made(policy=policy, spots=[spot for spot, _, _ in there], columns=columns, table=table)
    wrong = _differing(table, chunk.table.take([spot for spot, _, _ in there]))
    for number, (spot, _, mark) in enumerate(there):
        columns_wrong = wrong.get(number, []) + ([log.REPLAY] if mark != marks[spot] else [])
        if columns_wrong:
            found.differs[spot] = columns_wrong
        else:
            found.same.append(spot)
    return found


def _unopened(
    desked: Desked, work: Work, opened: Opened, found: Replay,
    *, customers: list[CustomerId], spots: list[int], marks: list[bytes],
) -> None:  # fmt: skip
    """Sort those that do not open: whoever is erased, or goes on as somebody else, has no key to be opened by."""
    keyless = [customers[number] for number in sorted(opened.keyless)]
    away: set[CustomerId] = set()
    if keyless:
        away = {*erasing.proven(desked.desk, work, keyless), *mergers.survivors(work, keyless)}
    for number, row in enumerate(opened.rows):
        if row is None:
            excused = customers[number] in away or not marks[spots[number]]
            (found.gone if excused else found.unread).append(spots[number])


def _differing(again: pa.Table, logged: pa.Table) -> dict[int, list[str]]:
    """Return by row the columns whose bits differ; floats by their bits, so that 0.0 and -0.0 are two values."""
    wrong: dict[int, list[str]] = {}
    expected = [name for name in logged.column_names if name not in _LOGGED_BESIDE]
    if expected != again.column_names:
        return {row: ["columns"] for row in range(logged.num_rows)}
    for name in expected:
        left, right = (_bits(table[name]) for table in (again, logged))
        for row in np.flatnonzero(left != right).tolist():
            wrong.setdefault(row, []).append(name)
    return wrong


def _bits(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 -- an array of numbers, or of texts
    values = column.to_numpy()
    return values.view(np.int64) if values.dtype == np.float64 else values
