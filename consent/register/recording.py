"""Record what customers say: one request or several, each of one statement or many, in the caller's transaction."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from consent import catalogues, standings
from consent.base import canonical
from consent.base.database import Hot, table_of
from consent.base.errors import (
    Conflict,
    CustomerUnknown,
    IdempotencyConflict,
    Invalid,
    NotFound,
    NothingToRenew,
    Place,
    StatementInvalid,
)
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.permission.standing import VALID, Standing, applied, fold, follows
from consent.permission.statement import Act, Statement
from consent.register import history, rules
from consent.register.desk import Desk
from consent.register.payloads import sealed_payload
from consent.tables import IdempotencyRow
from consent.vault import memory
from consent.vault.keyring import Wrapped

_KEEP: Final = Hot(sa.insert(table_of(IdempotencyRow)), "key", "request", "log", "seqs", "owner")
_MOST_PLACES: Final = 100
_REMEMBER: Final = "remember:"
_ENDING: Final = frozenset({Act.WITHDRAW, Act.REFUSE, Act.OBJECT, Act.INVALIDATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A statement, once it stands in the ledger."""

    customer: CustomerId
    seq: int
    at: datetime
    statement: Statement
    repeated: bool
    """The idempotency key had been used for the same request: nothing new was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one caller hands in: statements, oldest first, to be recorded all or not at all.

    `idempotency_key` is the caller's own; `stands_for` is what it stands for, where that isn't the statements as they
    are. Where the statements stand in a list (`listed`), places number even a single one. Where they tell of the past
    (`retold`), perhaps out of order, a renewal may come before the grant that it renews.
    """

    statements: Sequence[Statement]
    actor: str
    idempotency_key: str = ""
    stands_for: bytes = b""
    listed: bool = False
    retold: bool = False


Refused: TypeAlias = Invalid | NotFound | Conflict
"""What is wrong with one request, and with no other."""


def record(  # noqa: PLR0913 -- all of it belongs to one request
    desk: Desk,
    work: Work,
    statements: Sequence[Statement],
    *,
    actor: str,
    at: datetime,
    idempotency_key: str = "",
    request: bytes = b"",
    listed: bool = False,
    retold: bool = False,
) -> list[Recorded]:
    """Record one request: all of it, durable and in order once the caller's transaction commits, or nothing.

    `request` is what `Request` calls `stands_for`.

    Raises:
        StatementInvalid: with every place that is wrong.
        CustomerUnknown: one of the customers is not enrolled.
        NothingToRenew: a renewal where no permission was given.
        IdempotencyConflict: the key stood for another request.
        ClockBehind: the clock lies behind the ledger.
    """
    asked = Request(
        statements=statements,
        actor=actor,
        idempotency_key=idempotency_key,
        stands_for=request,
        listed=listed,
        retold=retold,
    )
    [answer] = record_each(desk, work, [asked], at=at)
    if isinstance(answer, list):
        return answer
    raise answer


def record_each(desk: Desk, work: Work, requests: Sequence[Request], *, at: datetime) -> list[list[Recorded] | Refused]:
    """Record several callers' requests in one transaction: one lock, one flush, and for each its answer, in order.

    A request that is refused leaves nothing behind, and the others don't notice it.

    Raises:
        ClockBehind: the clock lies behind the ledger.
    """
    customers = {CustomerId(said.customer) for request in requests for said in request.statements}
    if not customers:
        return [[] for _ in requests]
    held = standings.locked(work, sorted(customers))
    appender = Appender(work, at)
    batch = _Batch(desk, work, held, appender)
    answers = [batch.answer(request) for request in requests]
    batch.write()
    return answers


def _completed(statements: Sequence[Statement], catalogue: Catalogue, at: datetime, *, listed: bool) -> list[Statement]:
    """Return the statements with what the catalogue fixes; all that is wrong in any of them is named at once."""
    complete: list[Statement] = []
    places: list[Place] = []
    for spot, said in enumerate(statements):
        try:
            where = f"/statements/{spot}" if listed else ""
            complete.append(rules.completed(said, catalogue, at, where=where))
        except StatementInvalid as wrong:
            places.extend(wrong.places)
    if places:
        raise StatementInvalid(places=places[:_MOST_PLACES])
    return complete


class _Batch:
    """Requests on their way into the ledger, and what stands after each of their statements."""

    def __init__(self, desk: Desk, work: Work, held: dict[str, standings.Held], appender: Appender) -> None:
        self._desk = desk
        self._work = work
        self._appender = appender
        self._catalogue = desk.catalogues.version(work, appender.catalogue_version)
        self._keys = {owner: desk.keys.unwrap(owner, Wrapped(one.kek, one.wrapped)) for owner, one in held.items()}
        self._standing = {owner: one.standing for owner, one in held.items()}
        self._leaf = {owner: one.last_leaf for owner, one in held.items()}
        self._bits = {scope: rule.bit for scope, rule in self._catalogue.scopes.items()}
        self._before: dict[str, list[tuple[int, Statement]]] = {}
        self._added: dict[str, list[tuple[int, Statement]]] = {}
        self._to_forget: set[tuple[str, CustomerId]] = set()
        self._answered: dict[bytes, tuple[_Key, list[Recorded]]] = {}

    def answer(self, request: Request) -> list[Recorded] | Refused:
        """Take one request in, or say why not."""
        size, to_forget = self._appender.size, set(self._to_forget)
        whose = {said.customer for said in request.statements} & self._standing.keys()
        before = {customer: (self._standing[customer], self._leaf[customer]) for customer in whose}
        try:
            return self._taken(request)
        except (Invalid, NotFound, Conflict) as refused:
            self._appender.take_back(size)
            for customer, (standing, leaf) in before.items():
                self._standing[customer], self._leaf[customer] = standing, leaf
                self._added[customer] = [said for said in self._added.get(customer, ()) if said[0] < size]
            self._to_forget = to_forget
            return refused

    def _taken(self, request: Request) -> list[Recorded]:
        away = next((said.customer for said in request.statements if said.customer not in self._standing), None)
        if away is not None:
            msg = f"{away} is not enrolled"
            raise CustomerUnknown(msg)
        key = _Key.of(self._desk, request) if request.idempotency_key else None
        repeated = self._repeated(key, request) if key else None
        if repeated is not None:
            return repeated
        statements, at = request.statements, self._appender.at
        listed = request.listed or len(statements) > 1
        recorded = [self._add(said, request) for said in _completed(statements, self._catalogue, at, listed=listed)]
        if key:
            self._answered[key.key] = key, recorded
        return recorded

    def _repeated(self, key: "_Key", request: Request) -> list[Recorded] | None:
        """Return what a key made the first time, in this very batch or long ago; None where it is new."""
        if key.key not in self._answered:
            return key.repeated(self._desk, self._work, request.statements)
        first, recorded = self._answered[key.key]
        if not hmac.compare_digest(first.request, key.request):
            raise IdempotencyConflict
        return [replace(one, repeated=True) for one in recorded]

    def _add(self, statement: Statement, request: Request) -> Recorded:
        customer = statement.customer
        standing = self._standing[customer]
        if statement.act is Act.RENEW and not request.retold:
            self._require_given(standing, statement)
        payload: dict[str, Any] = {
            "actor": request.actor,
            "customer": customer,
            "n": standing.counter + 1,
            "prev": canonical.b64u(self._leaf[customer]),
            "statement": statement.record(),
        }
        sealed, commitment = sealed_payload(self._keys[customer], customer, payload)
        appended = self._appender.add(Kind.STATEMENT, customer, sealed=sealed, commitment=commitment)
        self._added.setdefault(customer, []).append((appended.seq, statement))
        if follows(standing, statement):
            self._standing[customer] = applied(standing, statement, appended.seq, self._bits)
        else:
            self._standing[customer] = self._refolded(customer)
        self._leaf[customer] = appended.leaf
        self._note_forgetting(statement)
        return Recorded(customer=customer, seq=appended.seq, at=self._appender.at, statement=statement, repeated=False)

    def _refolded(self, customer: CustomerId) -> Standing:
        """Fold the whole history where a statement was said before others: it has to take its place in order.

        Only what was written before is in the history; what this batch has added comes on top of it.
        """
        if customer not in self._before:
            self._before[customer] = [
                (said.seq, said.statement) for said in history.of_customer(self._desk, self._work, customer)
            ]
        # The history may name scopes that the catalogue in force no longer has.
        return fold([*self._before[customer], *self._added[customer]], catalogues.bits(self._work))

    def _require_given(self, standing: Standing, statement: Statement) -> None:
        missing = [s for s in statement.scopes if standing.of(self._bits[s]).status not in VALID]
        if missing:
            raise NothingToRenew(
                places=[Place(scope, "no permission stands that could be renewed") for scope in missing]
            )

    def write(self) -> None:
        """Write entries, what stands after them, and the keys; delete what may no longer be remembered."""
        changed = [customer for customer, added in self._added.items() if added]
        if not changed:
            return
        rows = [key.kept(self._appender.log, recorded) for key, recorded in self._answered.values()]
        standing = standings.saving((each, self._standing[each], self._leaf[each]) for each in changed)
        self._appender.flush(standing, (_KEEP, rows))
        for category in sorted({category for category, _ in self._to_forget}):
            memory.forget(self._work, category, sorted(whose for each, whose in self._to_forget if each == category))

    def _note_forgetting(self, statement: Statement) -> None:
        """Note whose memory of a category goes with this statement: a "no" to remembering is a "forget"."""
        for scope in statement.scopes if statement.act in _ENDING else ():
            if (
                scope.startswith(_REMEMBER)
                and self._standing[statement.customer].of(self._bits[scope]).status not in VALID
            ):
                self._to_forget.add((scope.removeprefix(_REMEMBER), statement.customer))


@dataclass(frozen=True, slots=True)
class _Key:
    """An idempotency key and its request, as keyed hashes: neither may be readable in a table."""

    key: bytes
    request: bytes

    @classmethod
    def of(cls, desk: Desk, request: Request) -> "_Key":
        said = [{**said.record(), "customer": said.customer} for said in request.statements]
        asked = request.stands_for or canonical.encode(said)
        index = desk.keys.index_key
        return cls(
            hmac.digest(
                index, f"byleave/idempotency/v1\x00{request.actor}\x00{request.idempotency_key}".encode(), "sha256"
            ),
            hmac.digest(index, b"byleave/request/v1\x00" + asked, "sha256"),
        )

    def repeated(self, desk: Desk, work: Work, statements: Sequence[Statement]) -> list[Recorded] | None:
        """Return what the key made the first time; None where it is new."""
        row = work.connection.execute(sa.select(table_of(IdempotencyRow)).where(IdempotencyRow.key == self.key)).first()
        if row is None:
            return None
        if not hmac.compare_digest(bytes(row.request), self.request):
            raise IdempotencyConflict
        seqs = [int(seq) for seq in row.seqs.split(",")]
        found = history.several(desk, work, row.log, seqs)
        return [
            Recorded(customer=asked.customer, seq=said.seq, at=said.at, statement=said.statement, repeated=True)
            for asked, said in zip(statements, found, strict=True)
        ]

    def kept(self, log_number: int, recorded: Sequence[Recorded]) -> tuple[Any, ...]:
        """Return the row that remembers what the key made."""
        seqs = ",".join(str(item.seq) for item in recorded)
        return self.key, self.request, log_number, seqs, recorded[0].customer
