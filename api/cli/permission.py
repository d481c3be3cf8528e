"""`byleave permission`: what customers say, and what stands."""

from datetime import datetime
from typing import Any, Final

import click

from api.cli.frame import (
    OK,
    REFUSED,
    Group,
    Instant,
    Words,
    at_home,
    caller,
    customer_argument,
    found,
    json_option,
    past,
)
from api.cli.output import print_facts, print_json, print_line, print_table
from api.roles import action
from consent import gate
from consent.base import canonical
from consent.base.clock import rfc3339
from consent.base.ids import CustomerId, Scope
from consent.permission.statement import Act, Method, Statement
from consent.permission.verdict import Denial, Permit, Verdict
from consent.register import customers, history, recording

_AS_OF: Final = click.option(
    "--as-of", "--at", "as_of", type=Instant(), help="A past time (RFC 3339); now, where left out."
)
_SCOPE: Final = Words("scope", 145)
_BY_HAND: Final = tuple(method for method in Method if method not in (Method.IMPORT, Method.SIGNAL, Method.SYNTHETIC))


@click.group(cls=Group)
def permission() -> None:
    """What customers say, and what stands."""


@permission.command(example="byleave permission record S000001 withdraw contact:email:recommendations --method phone")
@customer_argument
@click.argument("act", type=click.Choice([act.value for act in Act]))
@click.argument("scopes", metavar="[SCOPE]...", type=_SCOPE, nargs=-1)
@click.option("--said-at", type=Instant(), help="When it was said; now, where left out.")
@click.option(
    "--method", type=click.Choice([each.value for each in _BY_HAND]), default=Method.PHONE.value, show_default=True,
    help="How it was said.",
)  # fmt: skip
@click.option("--language", type=Words("tag", 32), help="The language of the words that were shown, like en.")
@click.option("--evidence", type=Words("text", 2_000), help="Where the proof of it lies: a recording, a scan.")
@click.option(
    "--notice-version",
    type=click.IntRange(1, 65_535),
    default=None,
    help="The wording shown; the newest, where left out.",
)
@click.option("--until", type=Instant(), help="When a pause ends; never, where left out.")
@click.option("--idempotency-key", type=Words("key"), help="The same key again records nothing new.")
@click.option("--enrol", is_flag=True, help="Enrol the customer by this reference, if nobody is known by it.")
@json_option
@action("statements.record")
def record(customer: str, *, enrol: bool, as_json: bool, **said: Any) -> None:  # noqa: ANN401 -- the options above
    """Record what a customer said: an act and the scopes it is about."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            at = deployment.clock()
            if enrol:
                customers.enrol(deployment.desk, work, [{customers.REFERENCE: customer}], at=at)
            who = found(house, work, customer)
            key = said["idempotency_key"] or ""
            [done] = recording.record(
                deployment.desk, work, [_statement(who, said, at)], actor=caller().name, at=at,
                idempotency_key=key, request=_request(who, said) if key else b"",
            )  # fmt: skip
    answer = {
        "customer": done.customer, "seq": done.seq, "recorded_at": done.at, "act": done.statement.act,
        "scopes": list(done.statement.scopes), "said_at": done.statement.said_at, "repeated": done.repeated,
    }  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        print_facts(answer)


def _statement(customer: CustomerId, said: dict[str, Any], at: datetime) -> Statement:
    return Statement(
        customer=customer,
        act=Act(said["act"]),
        scopes=tuple(Scope(scope) for scope in said["scopes"]),
        said_at=said["said_at"] or at,
        method=Method(said["method"]),
        notice_version=said["notice_version"] or 0,
        language=said["language"] or "",
        evidence=said["evidence"] or "",
        until=said["until"],
    )


def _request(customer: CustomerId, said: dict[str, Any]) -> bytes:
    """Return what an idempotency key stands for: all that was typed, and nothing that was filled in."""
    typed = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in said.items() if value}
    return canonical.encode({**typed, "scopes": list(said["scopes"]), "customer": customer})


@permission.command(example="byleave permission check S000001 contact:email:recommendations --json")
@customer_argument
@click.argument("scope", type=_SCOPE)
@_AS_OF
@click.option("--remembered", is_flag=True, help="Remembered data are to be used: then `remember` has to stand too.")
@json_option
@action("permissions.check")
def check(customer: str, scope: str, as_of: datetime | None, *, remembered: bool, as_json: bool) -> int:
    """Say whether a customer permits something; the exit code is 1 where he doesn't."""
    with at_home() as house:
        deployment = house.deployment
        at = past(as_of, deployment.clock(), option="--as-of")
        judge = gate.check_as_of if as_of else gate.check
        with deployment.store.live() as work:
            who = found(house, work, customer)
            verdict = judge(deployment.desk, work, who, scope, at=at, remembered=remembered)
    permit = isinstance(verdict, Permit)
    if as_json:
        print_json({**_judged(verdict), "customer": verdict.customer, "at": verdict.at})
    else:
        print_line(f"{'permit' if permit else 'denial'}: {verdict.reason.name}{_because(verdict)}")
    return OK if permit else REFUSED


@permission.command(example="byleave permission show S000001")
@customer_argument
@_AS_OF
@json_option
@action("permissions.show")
def show(customer: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show what stands for a customer: every scope of the catalogue, now or at a past time."""
    with at_home() as house:
        deployment = house.deployment
        at = past(as_of, deployment.clock(), option="--as-of")
        with deployment.store.read() as work:
            who = found(house, work, customer)
            verdicts = gate.check_all(deployment.desk, work, who, at=at, as_of=as_of is not None)
    if as_json:
        position = verdicts[0].position if verdicts else 0
        print_json({"customer": who, "at": at, "position": position, "permissions": [_judged(one) for one in verdicts]})
        return
    rows = [
        (one.scope, isinstance(one, Permit), one.reason.name, one.positions, _may_be_asked(one)) for one in verdicts
    ]
    print_table(
        ("scope", "permit", "reason", "ledger entries", "may be asked"),
        rows,
        empty="No catalogue was in force at that time: nothing was permitted.",
    )


@permission.command("history", example="byleave permission history S000001")
@customer_argument
@_AS_OF
@json_option
@action("permissions.show")
def show_history(customer: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show what a customer said, entry by entry, in the order of the ledger."""
    with at_home() as house:
        deployment = house.deployment
        past(as_of, deployment.clock(), option="--as-of")
        with deployment.store.read() as work:
            who = found(house, work, customer)
            told = history.of_customer(deployment.desk, work, who, as_of=as_of)
    if as_json:
        said = [{"seq": one.seq, "recorded_at": one.at, "actor": one.actor, **one.statement.record()} for one in told]
        print_json({"customer": who, "statements": said})
        return
    print_table(
        ("entry", "said", "recorded", "act", "scopes", "method", "recorded by"),
        [
            (str(one.seq), one.statement.said_at, one.at, one.statement.act, list(one.statement.scopes),
             one.statement.method, one.actor)
            for one in told
        ],
        empty="He has said nothing yet: ask him, or record what he says with `byleave permission record`.",
    )  # fmt: skip


def _judged(verdict: Verdict) -> dict[str, Any]:
    return {
        "permit": isinstance(verdict, Permit),
        "reason": verdict.reason.name,
        "positions": list(verdict.positions),
        "scope": verdict.scope,
    }


def _because(verdict: Verdict) -> str:
    entries = ", ".join(str(seq) for seq in verdict.positions)
    return f" (ledger entry {entries})" if entries else ""


def _may_be_asked(verdict: Verdict) -> bool | None:
    return verdict.may_be_asked if isinstance(verdict, Denial) else None
