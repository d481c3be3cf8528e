"""USE CASE: bring in what customers said before: to others, elsewhere, on paper.

A row that gives more (a grant, a renewal, the end of a pause or restriction) counts only with evidence, or as openly
made up (`synthetic`); without, it is unknown: counted, and not recorded. A row that gives less needs none. What was
said earlier never overrides what was said later, whichever comes in first.

A chunk's rows and customers make its idempotency key: the same file brought in again by the same actor adds nothing.
"""

import hmac
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from consent.base.canonical import b64u
from consent.base.errors import ImportInvalid
from consent.base.ids import CustomerId
from consent.imports import rows
from consent.imports.mapping import REFERENCE, FileMapping
from consent.imports.passes import Deployed, Passes, Progress, Trail
from consent.imports.rows import Chunk
from consent.imports.said import Row, Said, StatementReader
from consent.imports.weighing import Change, Weighing
from consent.permission.statement import Act
from consent.register import customers, recording
from consent.register.desk import Desk

_KEY_DOMAIN: Final = b"byleave/import/v1\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsImported:
    """What came in."""

    rows: int
    customers: int
    """How many customers the file names."""
    new: int
    """How many of them were not enrolled before."""
    recorded: int
    repeated: int
    """Rows that had come in before with the same file."""
    unknown: int
    """Rows that would give more, without evidence."""
    acts: Mapping[Act, int]
    """Rows that count, by act."""
    changes: Mapping[Change, int]
    """Scopes of customers by what would change; counted in a dry run alone."""
    seconds: float
    dry_run: bool
    seq: int | None
    """The position of the ledger's entry; None after a dry run."""


def bring_in_statements(
    deployment: Deployed,
    source: Path | Iterable[Mapping[str, str]],
    mapping: FileMapping,
    *,
    actor: str,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> StatementsImported:
    """Record the statements of a file (or of rows as `csv.DictReader` gives them), and enrol who is new.

    Raises:
        ImportInvalid: with the first hundred wrong places; then nothing was stored.
    """
    if not mapping.statement:
        raise ImportInvalid("the mapping has no [statement]")
    began = deployment.clock()
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
    reader = StatementReader(mapping, catalogue, at=began)
    passes = Passes(rows.opened(source), mapping, reader.read)
    passes.check(reader.look, lambda _: None)
    weighing = Weighing(deployment.desk, catalogue, at=began)
    trail = Trail()
    tally: Counter[str] = Counter(new=0, recorded=0, repeated=0, unknown=0)
    for chunk, said in passes.again(progress):
        done = _weighed(deployment, said, weighing) if dry_run else _recorded(deployment, chunk, said, actor=actor)
        tally.update(done)
        trail.add(chunk)
    tally["new"] += weighing.new
    return StatementsImported(
        rows=passes.rows,
        customers=reader.customers,
        acts=dict(reader.acts),
        changes=dict(weighing.counts),
        dry_run=dry_run,
        seq=None if dry_run else trail.note(deployment, "statements", tally, mapping=mapping, actor=actor),
        seconds=(deployment.clock() - began).total_seconds(),
        **tally,
    )


def _recorded(deployment: Deployed, chunk: Chunk, said: Said, *, actor: str) -> Mapping[str, int]:
    desk = deployment.desk
    references = list(dict.fromkeys(said.references))
    with deployment.store.write() as work:
        at = deployment.clock()  # only now: others may have written while this one waited for its turn
        found = customers.enrol_counted(desk, work, [{REFERENCE: reference} for reference in references], at=at)
        enrolled = dict(zip(references, found.customers, strict=True))
        pairs = zip(said.references, said.rows, strict=True)
        statements = [row.statement(enrolled[reference]) for reference, row in pairs if row.counts]
        # Oldest first, so that few have to be folded anew; of one time, as they stand in the file.
        statements.sort(key=lambda statement: statement.said_at)
        key = _key(desk, chunk, found.customers)
        recorded = recording.record(
            desk, work, statements, actor=actor, at=at, idempotency_key=key, request=key.encode(), retold=True
        )
    repeated = sum(one.repeated for one in recorded)
    return {
        "new": found.new,
        "recorded": len(recorded) - repeated,
        "repeated": repeated,
        "unknown": len(said.rows) - len(recorded),
    }


def _weighed(deployment: Deployed, said: Said, weighing: Weighing) -> Mapping[str, int]:
    by_reference: dict[str, list[Row]] = {reference: [] for reference in said.references}
    for reference, row in zip(said.references, said.rows, strict=True):
        if row.counts:
            by_reference[reference].append(row)
    with deployment.store.read() as work:
        weighing.weigh(work, by_reference)
    counted = sum(map(len, by_reference.values()))
    return {"recorded": counted, "unknown": len(said.rows) - counted}


def _key(desk: Desk, chunk: Chunk, enrolled: list[CustomerId]) -> str:
    """Return what is the same only for the same rows of the same customers; it tells nothing of either."""
    body = orjson.dumps([chunk.header, enrolled, chunk.rows])
    return b64u(hmac.digest(desk.keys.index_key, _KEY_DOMAIN + body, "sha256"))
