"""Record what customers say: one statement, or many, in one transaction that is the caller's."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from consent import catalogues, standings
from consent.base import canonical
from consent.base.database import Hot, table_of
from consent.base.errors import IdempotencyConflict, NothingToRenew, Place, StatementInvalid
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
    """Record statements: all of them, durable and in order once the caller's transaction commits, or none.

    `idempotency_key` is the caller's own; `request` is what it stands for, where that isn't the statements as they are.
    Where the statements stand in a list (`listed`), places number even a single one. Where they tell of the past
    (`retold`), perhaps out of order, a renewal may come before the grant that it renews.

    Raises:
        StatementInvalid: with every place that is wrong.
        CustomerUnknown: one of the customers is not enrolled.
        NothingToRenew: a renewal where no permission was given.
        IdempotencyConflict: the key stood for another request.
        ClockBehind: the clock lies behind the ledger.
    """
    if not statements:
        return []
    held = standings.locked(work, [CustomerId(c) for c in sorted({said.customer for said in statements})])
    appender = Appender(work, at)
    key = _Key.of(desk, statements, actor, idempotency_key, request=request) if idempotency_key else None
    repeated = key.repeated(desk, work, statements) if key else None
    if repeated is not None:
        return repeated
    catalogue = desk.catalogues.version(work, appender.catalogue_version)
    complete = _completed(statements, catalogue, appender.at, listed=listed or len(statements) > 1)
    batch = _Batch(desk, work, held, appender, catalogue, actor=actor, retold=retold)
    recorded = [batch.add(statement) for statement in complete]
    appender.flush(batch.saving(), (_KEEP, [key.kept(appender.log, recorded)] if key else []))
    batch.forget()
    return recorded


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
    """Statements on their way into the ledger, and what stands after each."""

    def __init__(
        self,
        desk: Desk,
        work: Work,
        held: dict[str, standings.Held],
        appender: Appender,
        catalogue: Catalogue,
        *,
        actor: str,
        retold: bool,
    ) -> None:
        self._desk = desk
        self._work = work
        self._appender = appender
        self._actor = actor
        self._retold = retold
        self._keys = {owner: desk.keys.unwrap(owner, Wrapped(one.kek, one.wrapped)) for owner, one in held.items()}
        self._standing = {owner: one.standing for owner, one in held.items()}
        self._leaf = {owner: one.last_leaf for owner, one in held.items()}
        self._bits = {scope: rule.bit for scope, rule in catalogue.scopes.items()}
        self._before: dict[str, list[tuple[int, Statement]]] = {}
        self._added: dict[str, list[tuple[int, Statement]]] = {}
        self._to_forget: dict[str, set[CustomerId]] = {}

    def add(self, statement: Statement) -> Recorded:
        customer = statement.customer
        standing = self._standing[customer]
        if statement.act is Act.RENEW and not self._retold:
            self._require_given(standing, statement)
        payload: dict[str, Any] = {
            "actor": self._actor,
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

    def saving(self) -> tuple[Hot, list[tuple[Any, ...]]]:
        """Return what writes the standing of everybody after all that was added."""
        return standings.saving((c, standing, self._leaf[c]) for c, standing in self._standing.items())

    def forget(self) -> None:
        """Delete what may no longer be remembered."""
        for category, whose in self._to_forget.items():
            memory.forget(self._work, category, sorted(whose))

    def _note_forgetting(self, statement: Statement) -> None:
        """Note whose memory of a category goes with this statement: a "no" to remembering is a "forget"."""
        for scope in statement.scopes if statement.act in _ENDING else ():
            if (
                scope.startswith(_REMEMBER)
                and self._standing[statement.customer].of(self._bits[scope]).status not in VALID
            ):
                self._to_forget.setdefault(scope.removeprefix(_REMEMBER), set()).add(statement.customer)


@dataclass(frozen=True, slots=True)
class _Key:
    """An idempotency key and its request, as keyed hashes: neither may be readable in a table."""

    key: bytes
    request: bytes

    @classmethod
    def of(cls, desk: Desk, statements: Sequence[Statement], actor: str, key: str, *, request: bytes) -> "_Key":
        asked = request or canonical.encode([{**said.record(), "customer": said.customer} for said in statements])
        index = desk.keys.index_key
        return cls(
            hmac.digest(index, f"byleave/idempotency/v1\x00{actor}\x00{key}".encode(), "sha256"),
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
