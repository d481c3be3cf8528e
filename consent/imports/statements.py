"""USE CASE: bring in what customers said before: to others, elsewhere, on paper.

A row that gives more (a grant, a renewal, the end of a pause or restriction) counts only with evidence, or as openly
made up (`synthetic`); without, it is unknown: counted, and not recorded. A row that gives less needs none. What was
said earlier never overrides what was said later, whichever comes in first.

What stands in the ledger word for word is not recorded again: a file that was brought in before, or was cut off on its
way in, or has grown since, is brought in again and adds what is new.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from consent import standings
from consent.base.errors import Conflict, ImportInvalid
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.imports.faults import Faults
from consent.imports.mapping import FileMapping
from consent.imports.passes import Deployed, Options, Passes, Trail, opened, wrong_owners
from consent.imports.rows import Chunk
from consent.imports.said import Said, StatementReader
from consent.imports.weighing import Change, Earlier, Weighing, Word, said_before, word, words
from consent.permission.statement import Act, Statement
from consent.register import customers, history, recording
from consent.register.desk import Desk


class CatalogueChanged(Conflict):
    """Another catalogue came into force after a file was checked, before all of it was in."""

    code = "catalogue_changed"
    title = "The catalogue has changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsImported:
    """What came in. A row may say several things, or nothing."""

    rows: int
    customers: int
    """How many customers the file names."""
    new: int
    """How many of them were not enrolled before."""
    recorded: int
    repeated: int
    """What had been recorded before, word for word."""
    unknown: int
    """What would give more, without evidence."""
    silent: int
    """Rows that say nothing, as the mapping has it."""
    left_out: int
    """Rows that didn't come in, since something is wrong with them."""
    acts: Mapping[Act, int]
    """What counts, by act."""
    changes: Mapping[Change, int]
    """Scopes of customers by what would change; counted in a dry run alone."""
    seconds: float
    dry_run: bool
    seq: int | None
    """The position of the ledger's entry; None after a dry run."""


def bring_in_statements(
    deployment: Deployed, source: Path | Iterable[Mapping[str, str]], mapping: FileMapping, how: Options
) -> StatementsImported:
    """Record the statements of a file (or of rows as `csv.DictReader` gives them), and enrol who is new.

    Raises:
        ImportInvalid: with the first hundred wrong places; then nothing was stored.
        CatalogueChanged: another catalogue came into force on the way; what had come in by then stays.
    """
    if not mapping.statements and not mapping.signal:
        raise ImportInvalid("the mapping has no [statement]")
    began, desk = deployment.clock(), deployment.desk
    with deployment.store.read() as work:
        catalogue = desk.catalogues.current(work)
        reader = StatementReader(mapping, catalogue, at=began, ever=desk.catalogues.bits(work, catalogue.version))
    passes = Passes(opened(source, mapping), mapping, reader.read, how)

    def look(chunk: Chunk, said: Said, faults: Faults) -> None:
        reader.look(chunk, said, faults)
        if len(said.names) > 1:
            with deployment.store.read() as work:
                wrong_owners(desk, work, mapping, said.identities(), chunk=chunk, faults=faults)

    passes.check(look, lambda _: None)
    with closing(Earlier()) as earlier:
        weighing = Weighing(desk, catalogue, at=began, details=passes.details, earlier=earlier)
        tally, acts, trail = _stored(deployment, passes, weighing, how, checked=catalogue.version)
    counts = {**tally, **passes.counted()}
    seq = None if how.dry_run else trail.note(deployment, "statements", counts, mapping=mapping, actor=how.actor)
    return StatementsImported(
        rows=passes.rows,
        customers=reader.customers,
        acts=dict(acts),
        changes=dict(weighing.counts),
        dry_run=how.dry_run,
        seq=seq,
        seconds=(deployment.clock() - began).total_seconds(),
        left_out=passes.left_out,
        **tally,
    )


class _Stage(NamedTuple):
    """How far a file has come in, and the version of the catalogue that its rows were checked by."""

    checked: int
    done: int
    rows: int

    def require_checked(self, desk: Desk, work: Work) -> None:
        """Require the catalogue that the rows were checked by: under another, one of them may be wrong."""
        if (now := desk.catalogues.current(work).version) != self.checked:
            raise CatalogueChanged(
                f"catalogue version {now} came into force after the file was checked by version {self.checked}: "
                f"{self.done:,} of {self.rows:,} rows had come in, and stay. Bring the same file in again: all of it "
                "is checked anew, and what stands in the ledger counts once"
            )


def _stored(
    deployment: Deployed, passes: Passes[Said], weighing: Weighing, how: Options, *, checked: int
) -> tuple[Counter[str], Counter[Act], Trail]:
    """Go over the file the second time: record what it says, or in a dry run weigh it."""
    trail = Trail()
    tally: Counter[str] = Counter(new=0, recorded=0, repeated=0, unknown=0, silent=0)
    acts: Counter[Act] = Counter()
    done = 0
    for chunk, said in passes.again():
        acts.update(row.act for row in said.rows if row.act and row.counts)
        tally.update(unknown=sum(not row.counts for row in said.rows), silent=said.silent)
        if how.dry_run:
            tally.update(_weighed(deployment, chunk, said, weighing))
        else:
            tally.update(_recorded(deployment, said, how.actor, _Stage(checked, done, passes.rows)))
        trail.add(chunk)
        done += len(chunk.rows)
    tally["new"] += weighing.new
    return tally, acts, trail


def _people(said: Said) -> tuple[list[dict[str, str]], list[int]]:
    """Return who says something, each once, and which of them each statement is of."""
    kinds = tuple(said.names)
    named = list(zip(*said.names.values(), strict=True))
    number: dict[tuple[str, ...], int] = {}
    whose = [number.setdefault(named[spot], len(number)) for spot in said.spots]
    return [dict(zip(kinds, names, strict=True)) for names in number], whose


def _recorded(deployment: Deployed, said: Said, actor: str, stage: _Stage) -> Mapping[str, int]:
    desk = deployment.desk
    people, whose = _people(said)
    if not people:
        return {}
    with deployment.store.write() as work:
        stage.require_checked(desk, work)
        at = deployment.clock()  # only now: others may have written while this one waited for its turn
        found = customers.enrol_counted(desk, work, people, at=at)
        pairs = zip(whose, said.rows, strict=True)
        statements = [row.statement(found.customers[one]) for one, row in pairs if row.counts]
        fresh = _fresh(desk, work, statements, found)
        # Oldest first, so that few have to be folded anew; of one time, as they stand in the file.
        fresh.sort(key=lambda statement: statement.said_at)
        recording.record(desk, work, fresh, actor=actor, at=at, listed=True, retold=True)
    return {"new": found.new, "recorded": len(fresh), "repeated": len(statements) - len(fresh)}


def _fresh(desk: Desk, work: Work, statements: Sequence[Statement], found: customers.Enrolled) -> list[Statement]:
    """Return the statements that aren't in the ledger word for word; what stands twice in the file counts once."""
    met: set[Word] = set()
    if found.new < len(set(found.customers)):
        whose = sorted({statement.customer for statement in statements})
        customers.lock(work, whose)  # from here on nobody else adds to what they said
        spoke = [each for each, stands in standings.read(work, whose).items() if stands.counter]
        met.update(words(history.of_customers(desk, work, [CustomerId(each) for each in spoke])) if spoke else ())
        met.update(map(word, said_before(desk, work, whose)))
    fresh = []
    for statement in statements:
        one = word(statement)
        if one not in met:
            met.add(one)
            fresh.append(statement)
    return fresh


def _weighed(deployment: Deployed, chunk: Chunk, said: Said, weighing: Weighing) -> Mapping[str, int]:
    people, whose = _people(said)
    lines = [chunk.lines[spot] for spot in said.spots]
    with deployment.store.read() as work:
        return weighing.weigh(work, people, list(zip(lines, whose, said.rows, strict=True)))
