"""What statements would change if they were recorded: for a dry run, and without a trace."""

import sqlite3
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from consent import catalogues, standings
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.imports.faults import Details
from consent.imports.passes import Distinct
from consent.imports.said import Row
from consent.permission.standing import SUPPRESSED, Standing, fold
from consent.permission.statement import WHOLE_CUSTOMER, Statement, from_record
from consent.permission.verdict import Reason, judged
from consent.register import customers, history, mergers, rules
from consent.register.desk import Desk

_NOBODY: Final = CustomerId("")
_CACHE_KIB: Final = 8_192

Word: TypeAlias = tuple[Any, ...]
"""What a statement says, whoever brought it in and whatever the catalogue added: equal where it is the same word."""


def word(statement: Statement) -> Word:
    """Return what a statement says."""
    return (
        statement.customer, statement.act, frozenset(statement.scopes), statement.said_at, statement.method,
        statement.language, statement.evidence, statement.notice_version, statement.until, statement.age,
        statement.guardian,
    )  # fmt: skip


def words(said: Iterable[history.Said]) -> Iterator[Word]:
    """Walk what recorded statements say."""
    return (word(each.statement) for each in said)


def said_before(desk: Desk, work: Work, customers_: Sequence[CustomerId]) -> Iterator[Statement]:
    """Walk what customers said under ids that were given up for theirs, as if they had said it under theirs.

    A merger took away of it what the other id did not permit: the same file once more must not bring it back.
    """
    goes_on = {each.merged: each.into for each in mergers.given_up(work, customers_)} if customers_ else {}
    if not goes_on:
        return
    for each in history.of_customers(desk, work, sorted(goes_on)):
        customer = each.statement.customer
        while customer in goes_on:
            customer = goes_on[customer]
        yield replace(each.statement, customer=customer)


Name: TypeAlias = Hashable
"""By which rows of a file are of one customer: his id where he is known, else what the file calls him."""


class Weighed(NamedTuple):
    """A statement that would be recorded, and the hash of its word."""

    word: int
    """Python's hash, keyed at random in each process: two words agree in one of 2^64 pairs."""

    statement: Statement


class Earlier:
    """What the rows so far would record, customer by customer, however many they are.

    It lies in a database of SQLite's own that has no name, that nobody else can open, and that is gone once it is
    closed; beyond its cache it is on disk. In it is no name (a hash that this process alone can make stands for it) and
    no evidence: only what the fold of a history reads.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._database = sqlite3.connect("")
        self._database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute(
            "CREATE TABLE said (who INTEGER, number INTEGER, word INTEGER, record TEXT, PRIMARY KEY (who, number)) "
            "WITHOUT ROWID"
        )

    def of(self, name: Name) -> list[Weighed]:
        """Return what a customer said in earlier chunks, in the order of the file."""
        found = self._database.execute("SELECT word, record FROM said WHERE who = ? ORDER BY number", (hash(name),))
        return [Weighed(word, from_record(_NOBODY, orjson.loads(record))) for word, record in found]

    def add(self, name: Name, new: Sequence[Weighed]) -> None:
        """Keep what he said in this chunk."""
        who = hash(name)
        query = "SELECT coalesce(max(number) + 1, 0) FROM said WHERE who = ?"
        [(first,)] = self._database.execute(query, (who,)) if new else [(0,)]
        records = (orjson.dumps(replace(each.statement, evidence="").record()) for each in new)
        rows = [(who, first + spot, new[spot].word, record) for spot, record in enumerate(records)]
        self._database.executemany("INSERT INTO said VALUES (?, ?, ?, ?)", rows)

    def close(self) -> None:
        """Let go of all of it."""
        self._database.close()


class Change(StrEnum):
    """What becomes of a scope of a customer by what he says."""

    PERMITS = "permits"
    """Was denied, would be permitted."""
    ENDS = "ends"
    """Was permitted, would be denied."""
    STAYS_PERMITTED = "stays_permitted"
    STAYS_DENIED = "stays_denied"


_CHANGES = {
    (False, True): Change.PERMITS,
    (True, False): Change.ENDS,
    (True, True): Change.STAYS_PERMITTED,
    (False, False): Change.STAYS_DENIED,
}


class Weighing:
    """Counts what would change, row by row, and tells it."""

    def __init__(
        self, desk: Desk, catalogue: Catalogue, *, at: datetime, details: Details | None, earlier: "Earlier"
    ) -> None:
        """Take the catalogue in force, the time at which to judge, who is told of each row, and what keeps them."""
        self._desk = desk
        self._catalogue = catalogue
        self._at = at
        self._details = details
        self._earlier = earlier
        self._strangers = Distinct()
        self.counts: Counter[Change] = Counter()

    @property
    def new(self) -> int:
        """How many customers would be enrolled."""
        return self._strangers.count()

    def weigh(
        self, work: Work, people: Sequence[Mapping[str, str]], said: Sequence[tuple[int, int, Row]]
    ) -> Mapping[str, int]:
        """Count what a chunk would change, and what would be recorded.

        Args:
            work: only read from.
            people: who says something, each by his identities.
            said: line, number in `people`, and what is said, in the order of the file.
        """
        found = customers.known(self._desk, work, people)
        enrolled = sorted({customer for customer in found if customer is not None})
        past = self._recorded(enrolled, work)
        former: dict[Name, set[int]] = {}
        for statement in said_before(self._desk, work, enrolled):
            former.setdefault(statement.customer, set()).add(hash(word(statement)))
        bits = catalogues.bits(work)
        names: list[Name] = [customer or tuple(each.values()) for customer, each in zip(found, people, strict=True)]
        by_person: dict[Name, list[tuple[int, Row]]] = {}
        for line, one, row in said:
            by_person.setdefault(names[one], []).append((line, row))
        known = dict(zip(names, found, strict=True))
        alone = _Alone.of(work, names, customers.left_alone(self._desk, work, people))
        told: list[tuple[int, dict[str, Any]]] = []
        for name, rows in by_person.items():
            customer = known[name]
            before = past.get(customer, ()) if customer else ()
            person = _Person(customer, before, self._earlier.of(name), bits, *alone.states(name))
            person.met |= former.get(name, set())
            told.extend(self._row(person, line, row) for line, row in rows)
            self._earlier.add(name, person.new)
        return self._counted(people, found, sorted(told, key=lambda each: each[0]))

    def _row(self, person: "_Person", line: int, row: Row) -> tuple[int, dict[str, Any]]:
        """Weigh one row, and return what is told of it."""
        what: dict[str, Any] = {"customer": "known" if person.customer else "new", "act": str(row.act)}
        if not row.counts:
            return line, {**what, "outcome": "unknown", "why": "gives more, without evidence"}
        statement = rules.completed(
            row.statement(person.customer or _NOBODY),
            self._catalogue,
            self._at,
            retired=person.bits,
            vouched=rules.RETOLD,
            retold=True,
        )
        if hash(word(statement)) in person.met:
            return line, {**what, "outcome": "repeated"}
        was, becomes = person.takes(statement)
        changes: dict[str, Change] = {scope: self._change(was, becomes, scope) for scope in statement.scopes}
        changes |= self._besides(was, becomes, statement)
        self.counts.update(changes.values())
        return line, {**what, "outcome": "recorded", "scopes": changes}

    def _besides(self, was: Standing, becomes: Standing, statement: Statement) -> dict[str, Change]:
        """Return what changes of scopes that it doesn't name: by an age, an address, or what holds for all."""
        if not statement.age and statement.act not in WHOLE_CUSTOMER and was.states == becomes.states:
            return {}
        others = {
            scope: self._change(was, becomes, scope) for scope in self._catalogue.scopes.keys() - statement.scopes
        }
        return {scope: others[scope] for scope in sorted(others) if others[scope] in (Change.PERMITS, Change.ENDS)}

    def _counted(
        self,
        people: Sequence[Mapping[str, str]],
        found: Sequence[CustomerId | None],
        told: Sequence[tuple[int, dict[str, Any]]],
    ) -> Mapping[str, int]:
        """Tell what was found, row by row, and count it."""
        pairs = zip(people, found, strict=True)
        self._strangers.see(tuple(names.values()) for names, customer in pairs if customer is None)
        tally = Counter(what["outcome"] for _, what in told)
        for line, what in told if self._details else ():
            if self._details:
                self._details({"line": line, **what})
        return {"recorded": tally["recorded"], "repeated": tally["repeated"]}

    def _recorded(self, enrolled: Sequence[CustomerId], work: Work) -> dict[CustomerId, list[tuple[int, Statement]]]:
        found: dict[CustomerId, list[tuple[int, Statement]]] = {}
        for one in history.of_customers(self._desk, work, enrolled) if enrolled else ():
            found.setdefault(one.statement.customer, []).append((one.seq, one.statement))
        return found

    def _change(self, was: Standing, becomes: Standing, scope: str) -> Change:
        return _CHANGES[self._permits(was, scope), self._permits(becomes, scope)]

    def _permits(self, standing: Standing, scope: str) -> bool:
        return judged(standing, self._catalogue.scopes.get(scope), None, self._at)[0] is Reason.PERMIT


class _Alone(NamedTuple):
    """Who is left alone, which stands in no history."""

    already: frozenset[Name]
    brought: frozenset[Name]
    """By an address that he brings."""

    @staticmethod
    def of(work: Work, names: Sequence[Name], bringing: Sequence[bool]) -> "_Alone":
        """Look up who is left alone of those who say something."""
        stored = standings.read(work, sorted({CustomerId(name) for name in names if isinstance(name, str)}))
        return _Alone(
            frozenset(name for name, row in stored.items() if row.states & SUPPRESSED),
            frozenset(name for name, alone in zip(names, bringing, strict=True) if alone),
        )

    def states(self, name: Name) -> tuple[int, int]:
        """Return what he is before his first row, and from then on: who is new is what his address makes him."""
        after = SUPPRESSED if name in self.already or name in self.brought else 0
        return (after if name in self.already or not isinstance(name, str) else 0), after


class _Person:
    """A customer while his rows are weighed: what he said before, and in the file so far."""

    def __init__(
        self,
        customer: CustomerId | None,
        past: Sequence[tuple[int, Statement]],
        earlier: Sequence["Weighed"],
        bits: Mapping[str, int],
        states: int,
        then: int,
    ) -> None:
        self.customer = customer
        self.new: list[Weighed] = []
        self.met = {hash(word(statement)) for _, statement in past} | {each.word for each in earlier}
        self._fresh = [each.statement for each in earlier]
        self._past = past
        self._first = max((position for position, _ in past), default=-1) + 1
        self.bits = bits
        self._states = then if earlier else states
        self._then = then
        self._stands = self._fold()

    def takes(self, statement: Statement) -> tuple[Standing, Standing]:
        """Take one more statement; return what stood before it, and what stands then."""
        was = self._stands
        weighed = Weighed(hash(word(statement)), statement)
        self.new.append(weighed)
        self.met.add(weighed.word)
        self._fresh.append(statement)
        self._states = self._then
        self._stands = self._fold()
        return was, self._stands

    def _fold(self) -> Standing:
        # New statements come after all positions there are: what comes in later wins a tie.
        folded = fold([*self._past, *enumerate(self._fresh, self._first)], self.bits)
        return replace(folded, states=folded.states | self._states)
