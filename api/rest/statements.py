"""`/api/v1/statements`: what customers say, one statement or many, recorded before the answer is out."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flask import Blueprint, Response

from api.actors import actor
from api.rest.contract import Contract, answer, contract
from api.rest.incoming import body, customer_in_body, fingerprint, idempotency_key
from api.rest.shapes import CUSTOMER, LANGUAGE, SCOPE, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST, ScopeVerdict, judged
from api.roles import action
from api.wiring import here
from consent import gate
from consent.base.ids import CustomerId, Scope
from consent.permission.statement import OLDEST, Act, Method, Statement
from consent.register import claiming, stopping
from consent.register.claiming import CLAIMED
from consent.register.recording import Recorded, Request

MOST: Final = 1_000
"""Statements that one call may bring."""
NOTICE: Final = "version of the wording shown; left out, the newest at `said_at` (none, by import or signal)"

blueprint: Final = Blueprint("statements", __name__, url_prefix="/api/v1")


class StatementForm(Form):
    """What a customer said: one act, for one or more scopes."""

    customer = Text(36, 36, CUSTOMER, "is not a customer's id", required=True)
    act = Choice(Act, read=Act, required=True)
    method = Choice(CLAIMED, read=Method, required=True)
    scopes = Items(Text(3, 145, SCOPE, "is not a scope"), 0, 200)
    said_at = Instant(metadata={"description": "when it was said; now, where left out"})
    notice_version = Whole(1, 65_535, metadata={"description": NOTICE})
    language = Text(2, 32, LANGUAGE, "is not a language tag")
    evidence = Text(1, 2_000, metadata={"description": "where the proof of it lies: a recording, a scan"})
    until = Instant(metadata={"description": "when a pause ends; never, where left out"})
    age = Whole(1, OLDEST, metadata={"description": "the customer's age in whole years, as he attests it"})
    guardian = Flag(metadata={"description": "a parent or guardian stands behind a grant"})


class StopForm(Form):
    """Everything is to stop for a customer."""

    customer = Text(36, 36, CUSTOMER, "is not a customer's id", required=True)
    method = Choice(CLAIMED, read=Method, required=True)
    language = Text(2, 32, LANGUAGE, "is not a language tag")
    evidence = Text(1, 2_000, metadata={"description": "where the proof of it lies: a recording, a scan"})


class StatementsForm(Form):
    """Many statements: all of them are recorded, or none."""

    statements = Items(Part(StatementForm), 1, MOST, required=True)


class RecordedForm(Form):
    """A statement, once it stands in the ledger."""

    customer = Text(36, 36, CUSTOMER, required=True)
    seq = Whole(0, LARGEST, required=True, metadata={"description": "position of its entry in the ledger"})
    recorded_at = Instant(required=True)
    act = Choice(Act, required=True)
    scopes = Items(Text(3, 145, SCOPE), 0, 200, required=True)
    repeated = Flag(required=True, metadata={"description": "the key came again: nothing new was recorded"})
    receipt = Text(1, 64, required=True, metadata={"description": "where its receipt is fetched"})


class RecordedOneForm(RecordedForm):
    """A statement, once it stands in the ledger, and what stands now."""

    permissions = Items(Part(ScopeVerdict), 0, 200, required=True)


class RecordedManyForm(Form):
    """Statements, once they stand in the ledger, in the order in which they came."""

    data = Items(Part(RecordedForm), 1, MOST, required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A statement as it came in."""

    customer: str
    act: Act
    method: Method
    scopes: list[str] = field(default_factory=list)
    said_at: datetime | None = None
    notice_version: int = 0
    language: str = ""
    evidence: str = ""
    until: datetime | None = None
    age: int = 0
    guardian: bool = False

    def said(self, at: datetime) -> Statement:
        """Return the statement, said at `at` where it doesn't say when."""
        return Statement(
            customer=CustomerId(self.customer),
            act=self.act,
            scopes=tuple(Scope(scope) for scope in self.scopes),
            said_at=self.said_at or at,
            method=self.method,
            notice_version=self.notice_version,
            language=self.language,
            evidence=self.evidence,
            until=self.until,
            age=self.age,
            guardian=self.guardian,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Who wants everything to stop, and how he said so."""

    customer: str
    method: Method
    language: str = ""
    evidence: str = ""


def _asked(statements: list[dict[str, object]]) -> list[Asked]:
    return [Asked(**each) for each in statements]  # type: ignore[arg-type]  # the form has checked each


STATEMENT: Final = Shape(StatementForm, Asked)
STATEMENTS: Final = Shape(StatementsForm, _asked)
STOP: Final = Shape(StopForm, Stop)

_WRONG: Final = {
    404: "`customer_unknown`: nobody of that id is enrolled",
    409: "`idempotency_conflict`: the key stood for something else; `customer_erased`: nothing can be allowed in his "
    "name any more; `nothing_to_renew`",
    422: "`statement_invalid`: it names what the catalogue doesn't have, or what can't be said in this way",
}


@blueprint.post("/statements")
@action("statements.record")
@contract(
    Contract(
        summary="Record what a customer said",
        body=StatementForm,
        answer=RecordedOneForm,
        status=201,
        idempotent=True,
        wrong=_WRONG,
    )
)
def record() -> Response:
    """Record one statement; answered once it is durable, with what stands now of each scope that it is about.

    The act is one of request, grant, refuse, withdraw, object, renew and invalidate, about scopes, or pause, resume,
    restrict and lift, about the customer as a whole. `receipt` is where the customer's receipt of it can be had.
    """
    key, asked = idempotency_key(), body(STATEMENT)
    [done] = _recorded_at_once([asked], key)
    deployment, base_url = here().deployment, here().settings.base_url
    with deployment.store.live() as work:
        at = max(deployment.clock(), done.at)
        checked = [gate.check(deployment.desk, work, done.customer, scope, at=at) for scope in done.statement.scopes]
    stands = [judged(verdict, base_url) for verdict in checked]
    headers = {"Location": f"/api/v1/ledger/entries/{done.seq}"}
    return answer(RecordedOneForm, {**_recorded(done), "permissions": stands}, 201, headers)


@blueprint.post("/statements:batch")
@action("statements.record")
@contract(
    Contract(
        summary="Record many statements: all of them, or none",
        body=StatementsForm,
        answer=RecordedManyForm,
        status=201,
        idempotent=True,
        wrong=_WRONG,
    )
)
def record_batch() -> Response:
    """Record statements in one transaction, in the order in which they came: if one is wrong, none is recorded."""
    key, asked = idempotency_key(), body(STATEMENTS)
    done = _recorded_at_once(asked, key, listed=True)
    return answer(RecordedManyForm, {"data": [_recorded(each) for each in done]}, 201)


@blueprint.post("/statements:stop-all")
@action("statements.record")
@contract(
    Contract(
        summary="Stop everything for a customer: withdraw, refuse and object at once",
        body=StopForm,
        answer=RecordedManyForm,
        status=201,
        idempotent=True,
        wrong=_WRONG,
    )
)
def stop_all() -> Response:
    """Take back all that was given, in one transaction; nothing said before it survives it."""
    key, asked = idempotency_key(), body(STOP)
    deployment = here().deployment
    with customer_in_body(), deployment.store.write() as work:
        done = stopping.stop_all(
            deployment.desk,
            work,
            CustomerId(asked.customer),
            actor=actor.current().name,
            at=deployment.clock(),
            method=asked.method,
            language=asked.language,
            evidence=asked.evidence,
            idempotency_key=key,
            request=fingerprint(),
        )
    return answer(RecordedManyForm, {"data": [_recorded(each) for each in done]}, 201)


def _recorded_at_once(asked: list[Asked], key: str, *, listed: bool = False) -> list[Recorded]:
    """Record a request together with those that come at the same time; it is durable when this returns."""
    at = here().deployment.clock()
    statements = [each.said(at) for each in asked]
    claiming.require_sayable(statements, listed=listed)
    request = Request(
        statements=statements,
        actor=actor.current().name,
        idempotency_key=key,
        stands_for=fingerprint(),
        listed=listed,
    )
    return here().gathering.record(request, at=at)


def _recorded(done: Recorded) -> dict[str, object]:
    return {
        "customer": done.customer, "seq": done.seq, "recorded_at": done.at,
        "act": done.statement.act.value, "scopes": done.statement.scopes, "repeated": done.repeated,
        "receipt": f"/api/v1/receipts/{done.seq}",
    }  # fmt: skip
