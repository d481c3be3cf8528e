"""`byleave customer`: customers, and links for them."""

from collections import Counter
from datetime import datetime

import click

from api.actors import links as sign_in
from api.cli import erasing, living, merging, rights
from api.cli.frame import (
    CUSTOMERS_DOOR,
    WITHDRAW,
    Group,
    Number,
    Words,
    address,
    as_of_option,
    at_home,
    customer_argument,
    found,
    json_option,
    past,
)
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from consent import gate
from consent.base.ids import Scope
from consent.permission.verdict import Permit
from consent.register import customers, history, links


@click.group(cls=Group)
def customer() -> None:
    """Customers, and links for them."""


@customer.command(example="byleave customer show S000001")
@customer_argument
@as_of_option
@json_option
@action("customers.show")
def show(customer: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Show who a customer is here, or was then: his id, how much he has said, and what he permits."""
    with at_home() as house:
        deployment = house.deployment
        at = past(as_of, deployment.clock(), option="--as-of")
        with deployment.store.read() as work:
            who = found(house, work, customer, as_of=as_of)
            said = history.of_customer(deployment.desk, work, who, as_of=as_of)
            verdicts = gate.check_all(deployment.desk, work, who, at=at, as_of=as_of is not None)
    denials = Counter(one.reason.name for one in verdicts if not isinstance(one, Permit))
    answer = {
        "customer": who,
        "at": at,
        "statements": len(said),
        "last_said_at": max((one.statement.said_at for one in said), default=None),
        "permits": [one.scope for one in verdicts if isinstance(one, Permit)],
        "denials": dict(denials),
    }
    if as_json:
        print_json(answer)
        return
    print_facts({**answer, "denials": [f"{reason} {count}" for reason, count in denials.items()]})


@customer.command("list", example="byleave customer list --limit 10")
@click.option("--limit", type=Number(1, 10_000), default=100, show_default=True, help="How many at most.")
@click.option("--cursor", type=Words("id"), help="The id after which to go on.")
@json_option
@action("customers.show")
def list_(limit: int, cursor: str | None, *, as_json: bool) -> None:
    """List customers by their ids, in the order in which they were enrolled."""
    with at_home() as house, house.deployment.store.read() as work:
        listed = customers.after(work, cursor or "", limit + 1)
        total = customers.count(work)
    shown = listed[:limit]
    following = shown[-1] if len(listed) > limit else None
    if as_json:
        print_json({"data": [{"customer": each} for each in shown], "next_cursor": following, "total": total})
        return
    none = "Nobody comes after that." if cursor else "Nobody is enrolled yet: see `byleave import customers --help`."
    print_table(("customer",), [(each,) for each in shown], empty=none)
    if following:
        say(f"{total:,} in all; go on with: byleave customer list --limit {limit} --cursor {following}")


@customer.command(example="byleave customer link S000001")
@customer_argument
@json_option
@action("customers.link")
def link(customer: str, *, as_json: bool) -> None:
    """Make a link that signs a customer in to his own page, once, within ten minutes."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.write() as work:
            who = found(house, work, customer)
            token = sign_in.for_customer(work, who, at=at)
        made = address(house, CUSTOMERS_DOOR, token)
    if as_json:
        print_json({"customer": who, "link": made, "expires_at": at + sign_in.GOOD_FOR})
    else:
        print_line(made)


@customer.command(example="byleave customer withdraw-link S000001 contact:email:recommendations")
@customer_argument
@click.argument("scopes", metavar="SCOPE...", type=Words("scope", 145), nargs=-1, required=True)
@json_option
@action("customers.link")
def withdraw_link(customer: str, scopes: tuple[str, ...], *, as_json: bool) -> None:
    """Make the link that stands in every message: it withdraws these scopes without a sign-in, and can do no more."""
    with at_home() as house:
        deployment = house.deployment
        at = deployment.clock()
        with deployment.store.read() as work:
            who = found(house, work, customer)
            known = deployment.desk.catalogues.current(work).scopes
        strange = [scope for scope in scopes if scope not in known]
        if strange:
            raise click.BadParameter(f"{', '.join(strange)} is not in the catalogue", param_hint="SCOPE")
        made = address(house, WITHDRAW, links.sign(deployment.desk, who, [Scope(scope) for scope in scopes], at=at))
    if as_json:
        print_json({"customer": who, "scopes": sorted(set(scopes)), "link": made, "headers": links.headers(made)})
    else:
        print_line(made)


for command in (
    rights.export, rights.file_, rights.correct, rights.forget, living.household, erasing.erase, merging.merge,
):  # fmt: skip
    customer.add_command(command)
