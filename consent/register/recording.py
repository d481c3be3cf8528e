"""Record what customers say: one request or several, each of one statement or many, in the caller's transaction."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from consent import standings
from consent.base import canonical
from consent.base.clock import from_ms, to_ms
from consent.base.errors import (
    Conflict,
    CustomerUnknown,
    Invalid,
    KeyLost,
    NotFound,
    NothingToRenew,
    Place,
    StatementInvalid,
)
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue import terms
from consent.catalogue.model import SERVICE, Catalogue
from consent.ledger import log
from consent.ledger.entry import Kind
from consent.ledger.log import Appender
from consent.permission.standing import ERASED, PENDING, RESTRICTED, SUPPRESSED, VALID, Standing, applied, fold, follows
from consent.permission.statement import ENDING, OWN_WORD, Act, Method, Statement
from consent.register import confirmations, hearing, history, idempotency, mergers, rules, tombstones
from consent.register.confirmations import Awaited
from consent.register.desk import Desk
from consent.register.hearing import Ended, Heard
from consent.register.idempotency import Key
from consent.register.payloads import sealed_payload
from consent.vault import memory
from consent.vault.keyring import Wrapped

_MOST_PLACES: Final = 100
_REMEMBER: Final = "remember:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A statement, once it stands in the ledger; `seq` is the position of its entry."""

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
    (`retold`), perhaps out of order, a renewal may come before the grant that it renews, nobody is asked by mail to
    confirm what he said long ago, and no wording counts as shown that they don't name. `vouched` are the methods of our
    own making that the caller vouches for. What was said `now`, by the caller's clock, is said at the ledger's own
    time: a clock that lags behind puts nothing that is said into the past, where another word would come after it.
    """

    statements: Sequence[Statement]
    actor: str
    now: datetime | None = None
    idempotency_key: str = ""
    stands_for: bytes = b""
    listed: bool = False
    retold: bool = False
    vouched: Container[Method] = ()


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
    vouched: Container[Method] = (),
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
        now=at,
        idempotency_key=idempotency_key,
        stands_for=request,
        listed=listed,
        retold=retold,
        vouched=vouched,
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
    # What is said under an id that was given up is said by whom it was merged into: its old history is restricted.
    moved = _moved(work, held)
    while elsewhere := sorted(set(moved.values()) - held.keys()):
        held |= standings.locked(work, elsewhere)
        moved = _moved(work, held)  # who goes on as somebody may have been joined in turn before he was locked
    appender = Appender(work, at)
    batch = _Batch(desk, work, held, appender, moved)
    answers = [batch.answer(request) for request in requests]
    batch.write()
    return answers


def _moved(work: Work, held: Mapping[str, standings.Held]) -> dict[CustomerId, CustomerId]:
    restricted = [CustomerId(whose) for whose, one in held.items() if one.standing.states & RESTRICTED]
    return mergers.survivors(work, restricted)


def ledger_time(work: Work, at: datetime) -> datetime:
    """Return the ledger's own time at `at`, which never goes back.

    With a customer locked, nothing that he said and that is recorded was said later.
    """
    return from_ms(max(to_ms(at), log.head(work).last_at))


def _completed(
    request: Request,
    statements: Sequence[Statement],
    catalogue: Catalogue,
    at: datetime,
    *,
    retired: Container[str],
) -> list[Statement]:
    """Return the statements with what the catalogue fixes; all that is wrong in any of them is named at once."""
    complete: list[Statement] = []
    places: list[Place] = []
    listed = request.listed or len(statements) > 1
    vouched = rules.RETOLD if request.retold else request.vouched
    completing = rules.Completing(catalogue, at, retired=retired, vouched=vouched, retold=request.retold)
    for spot, said in enumerate(statements):
        try:
            complete.append(completing(said, where=f"/statements/{spot}" if listed else ""))
        except StatementInvalid as wrong:
            places.extend(wrong.places)
    if places:
        raise StatementInvalid(places=places[:_MOST_PLACES])
    return complete


def _opened(desk: Desk, held: Mapping[str, standings.Held]) -> dict[str, bytes]:
    """Unwrap the data keys of those who are held; who was erased has none."""
    wrapped = [(owner, Wrapped(one.kek, one.wrapped)) for owner, one in held.items() if one.wrapped]
    opened: dict[str, bytes] = {}
    for (owner, _), key in zip(wrapped, desk.keys.unwrap_all(wrapped), strict=True):
        if isinstance(key, KeyLost):
            raise key
        opened[owner] = key
    return opened


class _Batch:
    """Requests on their way into the ledger, and what stands after each of their statements."""

    def __init__(
        self,
        desk: Desk,
        work: Work,
        held: dict[str, standings.Held],
        appender: Appender,
        moved: Mapping[CustomerId, CustomerId],
    ) -> None:
        self._desk = desk
        self._work = work
        self._appender = appender
        self._moved = moved
        self._catalogue = desk.catalogues.version(work, appender.catalogue_version)
        self._keys = _opened(desk, held)
        self._standing = {owner: one.standing for owner, one in held.items()}
        self._leaf = {owner: one.last_leaf for owner, one in held.items()}
        # Of all scopes there ever were: what was said, and a no, may name one that the catalogue no longer has.
        self._bits = desk.catalogues.bits(work, appender.catalogue_version)
        self._before: dict[str, list[tuple[int, Statement]]] = {}
        self._added: dict[str, list[tuple[int, Statement]]] = {}
        self._to_forget: set[tuple[str, CustomerId]] = set()
        self._ended: list[Ended] = []
        self._answered: dict[bytes, tuple[Key, list[Recorded]]] = {}
        self._awaited: list[Awaited] = []

    def answer(self, request: Request) -> list[Recorded] | Refused:
        """Take one request in, or say why not."""
        next_one, to_forget = self._appender.position, set(self._to_forget)
        statements = [self._addressed(said) for said in request.statements] if self._moved else request.statements
        whose = {said.customer for said in statements} & self._standing.keys()
        before = {customer: (self._standing[customer], self._leaf[customer]) for customer in whose}
        try:
            return self._taken(request, statements)
        except (Invalid, NotFound, Conflict) as refused:
            self._appender.take_back(next_one)
            for customer, (standing, leaf) in before.items():
                self._standing[customer], self._leaf[customer] = standing, leaf
                self._added[customer] = [said for said in self._added.get(customer, ()) if said[0] < next_one]
            self._to_forget = to_forget
            self._awaited = [each for each in self._awaited if each.position < next_one]
            self._ended = [each for each in self._ended if each.position < next_one]
            return refused

    def _addressed(self, said: Statement) -> Statement:
        return replace(said, customer=self._moved[said.customer]) if said.customer in self._moved else said

    def _taken(self, request: Request, statements: Sequence[Statement]) -> list[Recorded]:
        away = [spot for spot, said in enumerate(statements) if said.customer not in self._standing]
        if away:
            raise _unknown(statements, away, listed=request.listed or len(statements) > 1)
        erased = [spot for spot, said in enumerate(statements) if self._standing[said.customer].states & ERASED]
        if erased:
            listed = request.listed or len(statements) > 1
            stones = tombstones.taken(self._work, statements, erased, listed=listed)
            return [
                Recorded(customer=stone.customer, seq=stone.position, at=stone.at, statement=said, repeated=True)
                for said, stone in zip(statements, stones, strict=True)
            ]
        key = self._key(request) if request.idempotency_key else None
        repeated = self._repeated(key) if key else None
        if repeated is not None:
            return repeated
        at = self._appender.at
        said_now = [replace(said, said_at=at) if said.said_at == request.now != at else said for said in statements]
        complete = _completed(request, said_now, self._catalogue, at, retired=self._bits)
        recorded = [self._add(said, request) for said in complete]
        if key:
            self._answered[key.key] = key, recorded
        return recorded

    def _key(self, request: Request) -> Key:
        said = [{**one.record(), "customer": one.customer} for one in request.statements]
        asked = request.stands_for or canonical.encode(said)
        return Key.of(self._desk, actor=request.actor, key=request.idempotency_key, asked=asked)

    def _repeated(self, key: Key) -> list[Recorded] | None:
        """Return what a key made the first time, in this very batch or long ago; None where it is new."""
        if key.key in self._answered:
            first, recorded = self._answered[key.key]
            key.require_same(first.request)
            return [replace(one, repeated=True) for one in recorded]
        found = key.answered(self._desk, self._work)
        if found is None:
            return None
        return [
            Recorded(
                customer=said.statement.customer, seq=said.seq, at=said.at, statement=said.statement, repeated=True
            )
            for said in found
        ]

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
            "terms": canonical.b64u(
                terms.told_digest(self._catalogue, statement.scopes, statement.notices, statement.language)
            ),
        }
        sealed, commitment = sealed_payload(self._keys[customer], customer, payload)
        appended = self._appender.add(Kind.STATEMENT, customer, sealed=sealed, commitment=commitment)
        self._added.setdefault(customer, []).append((appended.position, statement))
        if follows(standing, statement):
            self._standing[customer] = applied(standing, statement, appended.position, self._bits)
        else:
            self._standing[customer] = self._refolded(customer)
        self._leaf[customer] = appended.leaf
        self._note_forgetting(statement)
        if not request.retold:
            scopes = hearing.ended(statement, standing, self._standing[customer], self._bits, self._catalogue)
            self._ended += [Ended(customer, scopes, appended.position)] if scopes else []
        if statement.awaiting and statement.method in OWN_WORD and not request.retold:
            awaited = sorted(statement.awaiting)
            self._awaited.append(Awaited(customer, awaited, statement.language, appended.position))
        said_at = self._appender.at
        return Recorded(customer=customer, seq=appended.position, at=said_at, statement=statement, repeated=False)

    def _refolded(self, customer: CustomerId) -> Standing:
        """Fold the whole history where a statement was said before others: it has to take its place in order.

        Only what was written before is in the history; what this batch has added comes on top of it.
        """
        if customer not in self._before:
            self._before[customer] = [
                (said.seq, said.statement) for said in history.of_customer(self._desk, self._work, customer)
            ]
        folded = fold([*self._before[customer], *self._added[customer]], self._bits)
        # That an address of his is suppressed is no statement of his, and in no history.
        return replace(folded, states=folded.states | self._standing[customer].states & SUPPRESSED)

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
        keys = [
            key.kept(self._appender.log, [one.seq for one in recorded], recorded[0].customer)
            for key, recorded in self._answered.values()
        ]
        standing = standings.saving((each, self._standing[each], self._leaf[each]) for each in changed)
        links = list(confirmations.rows(self._desk, self._still_awaited(), self._keys, at=self._appender.at))
        self._appender.flush(standing, (idempotency.KEEP, keys), (confirmations.MADE, links))
        for category in sorted({category for category, _ in self._to_forget}):
            memory.forget(self._work, category, sorted(whose for each, whose in self._to_forget if each == category))
        heard = Heard(ended=tuple(self._ended), forgotten=frozenset(self._to_forget))
        if heard != Heard():
            self._desk.hears(self._desk, self._work, heard, self._appender.at)

    def _still_awaited(self) -> Iterator[Awaited]:
        """Walk what awaits its confirmation now that all is said: a link is made for that, and for nothing else."""
        for each in self._awaited:
            standing = self._standing[each.customer]
            stands = {scope: standing.of(self._bits[scope]) for scope in each.scopes}
            scopes = [
                scope
                for scope, one in stands.items()
                if one.status in VALID and one.flags & PENDING and one.position == each.position
            ]
            if scopes:
                yield each._replace(scopes=scopes)

    def _note_forgetting(self, statement: Statement) -> None:
        """Note whose memory of a category goes with this statement: a "no" to remembering is a "forget".

        What is kept for a contract, or as the law asks, isn't the customer's to take back: it stays.
        """
        for scope in statement.scopes if statement.act in ENDING else ():
            rule = self._catalogue.scopes.get(scope)
            if (
                scope.startswith(_REMEMBER)
                and (rule is None or rule.legal_basis not in SERVICE)
                and self._standing[statement.customer].of(self._bits[scope]).status not in VALID
            ):
                self._to_forget.add((scope.removeprefix(_REMEMBER), statement.customer))


def _unknown(statements: Sequence[Statement], away: Sequence[int], *, listed: bool) -> CustomerUnknown:
    """Return the error that names the place of each statement of somebody who is not enrolled."""
    places = [
        Place(f"/statements/{spot}/customer" if listed else "/customer", "nobody of this id is enrolled")
        for spot in away
    ]
    return CustomerUnknown(f"{statements[away[0]].customer} is not enrolled", places=places)
