"""`byleave request`: what customers ask for by right, and by when it has to be answered."""

from datetime import datetime
from typing import Any, Final

import click

from api.cli.frame import (
    Group,
    Instant,
    Number,
    Refused,
    Unknown,
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
from api.wiring import House
from consent.base.counting import counted
from consent.base.ids import is_id
from consent.base.store import Work
from consent.rights import asked, asked_then, requests
from consent.rights.asked import PREFIX, Chosen, How, Outcome, Request, Right, State, Step
from consent.rights.asked import Words as Written
from consent.rights.requests import LONGEST, Asking

_TEXT: Final = Words("text", LONGEST)
_argument: Final = click.argument("request", metavar="REQUEST", type=Words("request", 254))


@click.group(cls=Group)
def request() -> None:
    """What customers ask for by right, and by when."""


@request.command("list", example="byleave request list --overdue")
@click.option("--state", type=click.Choice([str(each) for each in State]), help="Only those in this state.")
@click.option("--kind", type=click.Choice([str(each) for each in Right]), help="Only those for this right.")
@click.option("--owner", type=Words("name", 100), help="Only those of this owner.")
@click.option("--customer", type=Words("customer", 254), help="Only those of this customer.")
@click.option("--open", "still_open", is_flag=True, help="Only those that are still to be answered.")
@click.option("--overdue", is_flag=True, help="Only those whose deadline has passed.")
@click.option("--limit", type=Number(1, 1_000), default=100, show_default=True, help="How many at most.")
@click.option("--cursor", type=Words("cursor"), help="The cursor after which to go on.")
@as_of_option
@json_option
@action("requests.show")
def list_(
    *,
    limit: int,
    cursor: str | None,
    as_of: datetime | None,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401 -- the options above
) -> None:
    """List requests, the one that is due first first; with a past time, as they stood then."""
    with at_home() as house:
        at = past(as_of, house.deployment.clock(), option="--as-of")
        with house.deployment.store.read() as work:
            who = found(house, work, chosen["customer"]) if chosen["customer"] else ""
            listed, following = asked_then.listed(
                work, _chosen(chosen, who, at), as_of, cursor=cursor or "", most=limit
            )
            open_, late = asked_then.counts(work, at=at, as_of=as_of)
    if as_json:
        data = [each.as_json(at) for each in listed]
        print_json({"data": data, "next_cursor": following or None, "open": open_, "overdue": late})
        return
    print_table(
        ("request", "kind", "due", "left", "owner", "state"),
        [(one.id, str(one.kind), one.due_at, _left(one, at), one.owner, _state(one)) for one in listed],
        empty="No such request: nothing is owed. One is opened by: byleave request open CUSTOMER KIND",
    )
    say(f"{open_:,} open, {late:,} of them overdue")
    if following:
        say(f"go on with: --cursor {following}")


def _chosen(chosen: dict[str, Any], customer: str, at: datetime) -> Chosen:
    return Chosen(
        state=State(chosen["state"]) if chosen["state"] else None,
        kind=Right(chosen["kind"]) if chosen["kind"] else None,
        owner=chosen["owner"] or "",
        customer=customer,
        still_open=chosen["still_open"],
        overdue_at=at if chosen["overdue"] else None,
    )


def _left(one: Request, at: datetime) -> str:
    if not one.is_open:
        return "-"
    return "OVERDUE" if one.overdue(at) else counted(one.days_left(at), "day")


def _state(one: Request) -> str:
    return str(one.outcome or one.state)


def _named(house: House, work: Work, name: str) -> str:
    """Return the id of a request: it is named by it, or by its customer, if he has one that is open.

    Raises:
        RightsRequestUnknown: it is no request, and nobody enrolled is called that.
        Refused: he has none that is open, or several.
    """
    if is_id(name, PREFIX):
        return name
    try:
        who = found(house, work, name)
    except Unknown:
        raise asked.unknown(name) from None
    open_ = [one for one in asked.of_customer(work, who) if one.is_open]
    if len(open_) != 1:
        raise Refused(f"{name} has {len(open_)} open requests: name one by its id, as byleave request list shows it")
    return open_[0].id


@request.command(example="byleave request show S000001")
@_argument
@as_of_option
@json_option
@action("requests.show")
def show(request: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show a request and its steps, each with its ledger entry. What the customer wrote stays sealed.

    REQUEST is its id; or its customer, where he has one that is open.
    """
    with at_home() as house:
        at = past(as_of, house.deployment.clock(), option="--as-of")
        with house.deployment.store.read() as work:
            one, steps = asked_then.found(work, _named(house, work, request), as_of)
            words = asked_then.told(one, asked.words(house.deployment.desk, work, one))
    if as_json:
        print_json({**one.as_json(at), **_told(words), "steps": [_step(each) for each in steps]})
        return
    print_facts({**one.as_json(at), **_told(words)})
    print_line()
    columns = ("at", "step", "detail", "by", "entry")
    print_table(
        columns, [(each.at, str(each.event), each.detail, each.actor, str(each.position)) for each in steps], empty=""
    )


def _told(words: Written) -> dict[str, str | None]:
    """Return what the company wrote; what the customer wrote is read on the page of the request, for a reason."""
    return {"extended_because": words.extension or None, "answer": words.answer or None}


def _step(step: Step) -> dict[str, Any]:
    return {
        "at": step.at, "event": str(step.event), "detail": step.detail, "actor": step.actor, "position": step.position,
    }  # fmt: skip


@request.command("open", example="byleave request open S000001 access --how letter --received-at 2026-11-20T09:00:00Z")
@customer_argument
@click.argument("kind", type=click.Choice([str(each) for each in Right]))
@click.option(
    "--how", type=click.Choice([str(each) for each in How]), default=str(How.PHONE), show_default=True,
    help="How it came in.",
)  # fmt: skip
@click.option("--received-at", type=Instant(), help="When it came in; now, where left out. The deadline runs from it.")
@click.option("--wish", type=_TEXT, help="What the customer wrote or said.")
@click.option("--idempotency-key", type=Words("key"), help="The same key again opens nothing new.")
@json_option
@action("requests.open")
def open_(
    customer: str,
    kind: str,
    *,
    how: str,
    received_at: datetime | None,
    wish: str | None,
    idempotency_key: str | None,
    as_json: bool,
) -> None:
    """Take a request in: from its receipt on there is a month to answer it."""
    asking = Asking(kind=Right(kind), how=How(how), received_at=received_at, wish=wish or "")
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            who = found(house, work, customer)
            one = requests.take_in(
                deployment.desk, work, who, asking, actor=caller().name, at=at, idempotency_key=idempotency_key or ""
            )
    _print(one, at, as_json=as_json)


@request.command(example="byleave request assign S000001 staff:anna")
@_argument
@click.argument("owner", type=Words("name", 100))
@json_option
@action("requests.answer")
def assign(request: str, owner: str, *, as_json: bool) -> None:
    """Give a request to somebody: from then on it is his to answer."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            one = requests.assign(
                deployment.desk, work, _named(house, work, request), owner, actor=caller().name, at=at
            )
    _print(one, at, as_json=as_json)


@request.command(example='byleave request extend S000001 --reason "You wrote us forty letters."')
@_argument
@click.option("--reason", type=_TEXT, required=True, help="Why it takes longer; the customer reads it.")
@json_option
@action("requests.answer")
def extend(request: str, *, reason: str, as_json: bool) -> None:
    """Take two more months, once, and within the first."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            one = requests.extend(
                deployment.desk, work, _named(house, work, request), reason, actor=caller().name, at=at
            )
    _print(one, at, as_json=as_json)


@request.command(example="byleave request close S000001 withdrawn")
@_argument
@click.argument("outcome", type=click.Choice([str(each) for each in Outcome]))
@click.option("--answer", type=_TEXT, help="What the customer is told; needed where he is refused.")
@json_option
@action("requests.answer")
def close(request: str, outcome: str, *, answer: str | None, as_json: bool) -> None:
    """Close a request. It is fulfilled only if what it asks for was done."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            one = requests.close(
                deployment.desk,
                work,
                _named(house, work, request),
                Outcome(outcome),
                actor=caller().name,
                at=at,
                answer=answer or "",
            )
    _print(one, at, as_json=as_json)


def _print(one: Request, at: datetime, *, as_json: bool) -> None:
    if as_json:
        print_json(one.as_json(at))
    else:
        print_facts(one.as_json(at))
