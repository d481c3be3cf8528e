"""`byleave goodwill`: what contacts took from a customer's goodwill, and what he did that gives some back."""

import click

from api.cli.frame import Group, Words, at_home, caller, customer_argument, found, json_option
from api.cli.output import print_facts, print_json, print_line, print_table
from api.roles import action
from personalise.goodwill import Entry
from personalise.responses import reported


@click.group(cls=Group)
def goodwill() -> None:
    """A customer's account of goodwill: complaints, thanks, and all that is booked in it."""


@goodwill.command(example="byleave goodwill show S000001")
@customer_argument
@json_option
@action("goodwill.show")
def show(customer: str, *, as_json: bool) -> None:
    """Show a customer's account, the first line first."""
    with at_home() as house:
        with house.deployment.store.read() as work:
            who = found(house, work, customer)
        account = reported.account(house.deployment, who)
    if as_json:
        print_json(account.as_json())
        return
    lines = [(each["at"], each["kind"], each["amount"], each["balance"], each["reference"]) for each in account.lines]
    print_table(("at", "what", "points", "balance", "reference"), lines, empty="Nothing was booked yet.")
    print_line(f"Balance: {account.balance:g} point{'s' * (account.balance != 1)}.")


@goodwill.command(example="byleave goodwill report S000001 --kind complaint --reference call-2026-118")
@customer_argument
@click.option(
    "--kind", type=click.Choice([str(each) for each in reported.KINDS]), required=True, help="What he did or said."
)
@click.option("--decision", type=Words("decision"), help="The decision that it is about.")
@click.option("--reference", type=Words("reference"), help="What it is called elsewhere; only its keyed hash is kept.")
@json_option
@action("goodwill.report")
def report(customer: str, kind: str, decision: str | None, reference: str | None, *, as_json: bool) -> None:
    """Report what a customer did or said. The same once more changes nothing.

    A complaint takes all the goodwill there is, and leaves every address of the customer alone.
    """
    with at_home() as house:
        with house.deployment.store.read() as work:
            who = found(house, work, customer)
        done = reported.report(
            house.deployment, who, Entry(kind), actor=caller().name, decision=decision or "", reference=reference or ""
        )
    if as_json:
        print_json(done.as_json())
        return
    print_facts(
        {
            "customer": done.customer,
            "points": done.amount,
            "balance": done.balance,
            "addresses left alone": done.suppressed,
        }
    )
    if done.repeated:
        print_line("It was reported before.")
