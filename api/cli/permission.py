"""`byleave permission`: what customers say, and what stands."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import click

from api.cli.frame import (
    OK,
    REFUSED,
    Group,
    Instant,
    Number,
    Words,
    as_of_option,
    at_home,
    caller,
    customer_argument,
    found,
    json_option,
    past,
)
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from consent import gate
from consent.base import canonical
from consent.base.clock import rfc3339
from consent.base.ids import CustomerId, Scope
from consent.permission.statement import OLDEST, Act, Method, Statement
from consent.permission.verdict import Denial, Permit, Verdict
from consent.register import claiming, customers, history, naming, recording, stopping, wordings
from consent.register import reminders as queue

_SCOPE: Final = Words("scope", 145)
_NOT_BY_HAND: Final = (Method.IMPORT, Method.SIGNAL, Method.SYNTHETIC, Method.CONFIRMATION, Method.MERGED)
_BY_HAND: Final = tuple(method for method in Method if method not in _NOT_BY_HAND)
_METHOD: Final = click.option(
    "--method", type=click.Choice([each.value for each in _BY_HAND]), default=Method.PHONE.value, show_default=True,
    help="How it was said.",
)  # fmt: skip
_LANGUAGE: Final = click.option(
    "--language", type=Words("tag", 32), help="The language of the words that were shown, like en."
)
_EVIDENCE: Final = click.option(
    "--evidence", type=Words("text", 2_000), help="Where the proof of it lies: a recording, a scan."
)
_KEY: Final = click.option("--idempotency-key", type=Words("key"), help="The same key again records nothing new.")


@click.group(cls=Group)
def permission() -> None:
    """What customers say, and what stands."""


@permission.command(example="byleave permission record S000001 withdraw contact:email:recommendations --method phone")
@customer_argument
@click.argument("act", metavar="ACT", type=click.Choice([act.value for act in Act]))
@click.argument("scopes", metavar="[SCOPE]...", type=_SCOPE, nargs=-1)
@click.option("--said-at", type=Instant(), help="When it was said; now, where left out.")
@_METHOD
@_LANGUAGE
@_EVIDENCE
@click.option(
    "--notice-version",
    type=Number(1, 65_535),
    default=None,
    help="The wording shown; where left out, the newest there was then.",
)
@click.option("--until", type=Instant(), help="When a pause ends; never, where left out.")
@click.option("--age", type=Number(1, OLDEST), help="The customer's age in whole years, as he attests it.")
@click.option("--guardian", is_flag=True, help="A parent or guardian stands behind a grant.")
@_KEY
@click.option("--enrol", is_flag=True, help="Enrol the customer by this reference, if nobody is known by it.")
@json_option
@action("statements.record")
def record(customer: str, *, enrol: bool, as_json: bool, **said: Any) -> None:  # noqa: ANN401 -- the options above
    """Record what a customer said: an act and the scopes it is about.

    ACT is request, grant, refuse, withdraw, object, renew or invalidate, about scopes; or pause, resume, restrict or
    lift, about the customer as a whole.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            at = deployment.clock()
            if enrol:
                _require_reference(customer)
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
        return
    print_facts(
        {
            "recorded": answer["act"], "scopes": answer["scopes"], "customer": done.customer,
            "said at": answer["said_at"], "ledger entry": str(done.seq),
        }
    )  # fmt: skip
    if done.repeated:
        say("It had been recorded before: nothing was added.")


def _require_reference(customer: str) -> None:
    if why := naming.why_no_reference(customer):
        raise click.BadParameter(why, param_hint="CUSTOMER")


def _statement(customer: CustomerId, said: dict[str, Any], at: datetime) -> Statement:
    statement = Statement(
        customer=customer,
        act=Act(said["act"]),
        scopes=tuple(Scope(scope) for scope in said["scopes"]),
        said_at=said["said_at"] or at,
        method=Method(said["method"]),
        notice_version=said["notice_version"] or 0,
        language=said["language"] or "",
        evidence=said["evidence"] or "",
        until=said["until"],
        age=said["age"] or 0,
        guardian=said["guardian"],
    )
    claiming.require_sayable([statement])
    return statement


def _request(customer: CustomerId, said: dict[str, Any]) -> bytes:
    """Return what an idempotency key stands for: all that was typed, and nothing that was filled in."""
    typed = {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in said.items() if value}
    return canonical.encode({**typed, "scopes": list(said["scopes"]), "customer": customer})


@permission.command("stop-all", example="byleave permission stop-all S000001 --method phone")
@customer_argument
@_METHOD
@_LANGUAGE
@_EVIDENCE
@_KEY
@json_option
@action("statements.record")
def stop_all(customer: str, *, as_json: bool, **said: Any) -> None:  # noqa: ANN401 -- the options above
    """Stop everything for a customer: withdraw, refuse and object at once; nothing said before survives it."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            who = found(house, work, customer)
            key = said["idempotency_key"] or ""
            typed = {name: value for name, value in said.items() if value}
            done = stopping.stop_all(
                deployment.desk, work, who, actor=caller().name, at=deployment.clock(), method=Method(said["method"]),
                language=said["language"] or "", evidence=said["evidence"] or "", idempotency_key=key,
                request=canonical.encode({**typed, "customer": who}) if key else b"",
            )  # fmt: skip
    statements = [
        {"seq": one.seq, "act": one.statement.act, "scopes": list(one.statement.scopes), "repeated": one.repeated}
        for one in done
    ]
    if as_json:
        print_json({"customer": who, "said_at": done[0].statement.said_at if done else None, "statements": statements})
        return
    print_table(
        ("entry", "act", "scopes"),
        [(str(one.seq), one.statement.act, list(one.statement.scopes)) for one in done],
        empty="The catalogue asks for nothing, so there is nothing to stop.",
    )


@permission.command(example="byleave permission check S000001 contact:email:recommendations --json")
@customer_argument
@click.argument("scope", type=_SCOPE)
@as_of_option
@click.option("--remembered", is_flag=True, help="Remembered data are to be used: then `remember` has to stand too.")
@click.option("--gpc", is_flag=True, help="The browser of this moment opts out (Sec-GPC: 1).")
@json_option
@action("permissions.check")
def check(customer: str, scope: str, as_of: datetime | None, *, remembered: bool, gpc: bool, as_json: bool) -> int:
    """Say whether a customer permits something; the exit code is 1 where he doesn't."""
    with at_home() as house:
        deployment = house.deployment
        at = past(as_of, deployment.clock(), option="--as-of")
        judge = gate.check_as_of if as_of else gate.check
        with deployment.store.live() as work:
            who = found(house, work, customer, as_of=as_of)
            verdict = judge(deployment.desk, work, who, scope, at=at, remembered=remembered, gpc=gpc)
    permit = isinstance(verdict, Permit)
    if as_json:
        print_json({**_judged(verdict), "customer": verdict.customer, "at": verdict.at})
    else:
        print_line(f"{'permit' if permit else 'denial'}: {verdict.reason.name}{_because(verdict)}")
        if asked := _may_be_asked(verdict):
            say("The customer may be asked for it: byleave customer link makes a link to his choices.")
        elif asked is False:
            say("He is not to be asked for it.")
    return OK if permit else REFUSED


@permission.command(example="byleave permission show S000001")
@customer_argument
@as_of_option
@json_option
@action("permissions.show")
def show(customer: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show what stands for a customer: every scope of the catalogue, now or at a past time."""
    with at_home() as house:
        deployment = house.deployment
        at = past(as_of, deployment.clock(), option="--as-of")
        with deployment.store.read() as work:
            who = found(house, work, customer, as_of=as_of)
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
@as_of_option
@json_option
@action("permissions.show")
def show_history(customer: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show what a customer said, entry by entry, in the order of the ledger."""
    with at_home() as house:
        deployment = house.deployment
        past(as_of, deployment.clock(), option="--as-of")
        with deployment.store.read() as work:
            who = found(house, work, customer, as_of=as_of)
            told = history.of_customer(deployment.desk, work, who, as_of=as_of)
            shown = wordings.shown(deployment.desk, work, told) if as_json else {}
    if as_json:
        said = [
            {"seq": one.seq, "recorded_at": one.at, "actor": one.actor, **one.statement.record(),
             "shown": [asdict(wording) for wording in shown[one.seq]]}
            for one in told
        ]  # fmt: skip
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


@permission.command(example="byleave permission reminders --limit 20")
@click.option("--limit", type=Number(1, 10_000), default=100, show_default=True, help="How many at most.")
@json_option
@action("customers.show")
def reminders(limit: int, *, as_json: bool) -> None:
    """List consents that end soon and whose customers are to be reminded, the first to end first."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            due = queue.due(work, at=deployment.clock(), most=limit + 1)
    more, due = len(due) > limit, due[:limit]
    if as_json:
        print_json(
            {"data": [
                {"customer": one.customer, "scope": one.scope, "expires_at": one.expires_at, "due_at": one.due_at}
                for one in due
            ], "more": more}
        )  # fmt: skip
        return
    print_table(
        ("customer", "scope", "ends"),
        [(one.customer, one.scope, one.expires_at) for one in due],
        empty="Nobody is to be reminded now; the worker looks once a day.",
    )
    if more:
        say("There are more: name a higher --limit.")


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
