"""`byleave customer erase` and `byleave suppression`: what ends for good."""

from datetime import datetime

import click

from api import erasing, rights
from api.cli.frame import (
    CUSTOMER,
    Command,
    Group,
    Number,
    Refused,
    Words,
    as_of_option,
    at_home,
    caller,
    found,
    json_option,
    past,
)
from api.cli.output import print_facts, print_json, print_line, print_table, say
from api.roles import action
from consent.base.counting import counted
from consent.register import suppressing
from consent.register.suppressing import Changed, Why
from consent.rights.asked import How
from consent.rights.erasing import Ground

_ADDRESS = Words("address", 320)


@click.command(cls=Command, example="byleave customer erase S000001 --ground withdrawn --confirm S000001")
@click.argument("customer", type=CUSTOMER)
@click.option(
    "--ground", type=click.Choice([each.value for each in Ground]), default=Ground.WITHDRAWN.value, show_default=True,
    help="Why, in the words of GDPR Art. 17(1).",
)  # fmt: skip
@click.option(
    "--how", type=click.Choice([each.value for each in How]), default=How.EMAIL.value, show_default=True,
    help="How it was asked for.",
)  # fmt: skip
@click.option("--suppress", is_flag=True, help="Leave the addresses alone for good, should they ever come back.")
@click.option("--confirm", type=CUSTOMER, help="The customer once more, instead of typing it.")
@json_option
@action("customers.erase")
def erase(customer: str, ground: str, how: str, confirm: str | None, *, suppress: bool, as_json: bool) -> None:
    """Erase a customer: his key, and everything that it opens or that names him. It can't be undone.

    The ledger keeps its entries, which nobody can open any more; receipts that are out stay valid.
    """
    typed = (
        confirm
        if confirm is not None
        else click.prompt(f"Type {customer} to erase", err=True, default="", show_default=False)
    )
    if typed != customer:
        raise Refused("that is not the customer who was to be erased: nothing was done")
    with at_home() as house:
        with house.deployment.store.read() as work:
            who = found(house, work, customer)
        asked = rights.erase(house, who, ground=Ground(ground), by=caller().name, how=How(how), suppress=suppress)
        done = asked.erased
        gone_by = house.deployment.horizon.gone_by(done.at)
    if as_json:
        print_json(
            {
                "customer": done.customer, "erased_at": done.at, "position": done.position, "repeated": done.repeated,
                "suppressed": done.suppressed, "deleted": done.deleted, "request": asked.request.id,
                "gone_from_backups_by": gone_by,
            }
        )  # fmt: skip
        return
    print_facts(
        {
            "customer": done.customer,
            "erased at": done.at,
            "ledger entry": str(done.position),
            "rows deleted": [f"{count:,} of {table}" for table, count in done.deleted.items()],
            "addresses left alone": done.suppressed,
            "gone from backups by": gone_by,
        }
    )
    if done.repeated:
        say("He had been erased before.")


@click.group(cls=Group)
def suppression() -> None:
    """Addresses that are left alone, whoever has them."""


@suppression.command(example="byleave suppression add ann@shop.example --why complained")
@click.argument("address", type=_ADDRESS)
@click.option("--kind", type=Words("kind", 32), default="email", show_default=True, help="What kind of address.")
@click.option(
    "--why", type=click.Choice([each.value for each in Why]), default=Why.ASKED.value, show_default=True, help="Why."
)
@json_option
@action("suppressions.add")
def add(address: str, kind: str, why: str, *, as_json: bool) -> None:
    """Leave an address alone from now on, whoever has it, and also once nobody here has it any more.

    Only its keyed hash is kept, and it is entered in the ledger.
    """
    with at_home() as house:
        done = erasing.suppress(house, kind, address, actor=caller().name, why=Why(why))
    _tell(done, "The address is left alone from now on.", "It was left alone already.", as_json=as_json)


@suppression.command(example="byleave suppression lift ann@shop.example")
@click.argument("address", type=_ADDRESS)
@click.option("--kind", type=Words("kind", 32), default="email", show_default=True, help="What kind of address.")
@json_option
@action("suppressions.lift")
def lift(address: str, kind: str, *, as_json: bool) -> None:
    """Take an address off the list, where whoever has it wants to hear from us again."""
    with at_home() as house:
        done = erasing.lift(house, kind, address, actor=caller().name)
    _tell(done, "The address is no longer left alone.", "", as_json=as_json)


@suppression.command(example="byleave suppression check ann@shop.example")
@click.argument("address", type=_ADDRESS)
@click.option("--kind", type=Words("kind", 32), default="email", show_default=True, help="What kind of address.")
@as_of_option
@json_option
@action("suppressions.show")
def check(address: str, kind: str, as_of: datetime | None, *, as_json: bool) -> None:
    """Say whether an address is left alone, or was then; since when, and by which entry of the ledger."""
    with at_home() as house, house.deployment.store.read() as work:
        past(as_of, house.deployment.clock(), option="--as-of")
        found = suppressing.find(house.deployment.desk, work, kind, address, as_of=as_of)
    if as_json:
        known = {"since": found.since, "position": found.position} if found else {"since": None, "position": None}
        print_json({"suppressed": found is not None, "kind": kind, **known})
    elif found is None:
        print_line("The address is not on the list.")
    else:
        print_facts({"kind": found.kind, "left alone since": found.since, "ledger entry": str(found.position)})


@suppression.command("list", example="byleave suppression list --limit 10")
@click.option("--limit", type=Number(1, 10_000), default=100, show_default=True, help="How many at most.")
@click.option("--cursor", type=Number(0, 2**53 - 1), help="The ledger entry before which to go on.")
@as_of_option
@json_option
@action("suppressions.show")
def list_(limit: int, cursor: int | None, as_of: datetime | None, *, as_json: bool) -> None:
    """List what is left alone, or was then, the newest first.

    Kinds and times are all that can be shown, for addresses are kept as keyed hashes alone.
    """
    with at_home() as house, house.deployment.store.read() as work:
        past(as_of, house.deployment.clock(), option="--as-of")
        listed = suppressing.newest(work, limit + 1, before=cursor, as_of=as_of)
        total = suppressing.count(work, as_of=as_of)
    found = listed[:limit]
    following = found[-1].position if len(listed) > limit else None
    if as_json:
        data = [{"kind": each.kind, "since": each.since, "position": each.position} for each in found]
        print_json({"data": data, "next_cursor": following, "total": total})
        return
    rows = [(each.kind, each.since, str(each.position)) for each in found]
    print_table(("kind", "left alone since", "ledger entry"), rows, empty="No address is left alone.")
    if following is not None:
        say(f"{total:,} in all; go on with: --cursor {following}")


def _tell(done: Changed, said: str, unchanged: str, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "kind": done.suppression.kind, "changed": done.changed, "customers": done.customers,
                "since": done.suppression.since, "position": done.position,
            }
        )  # fmt: skip
        return
    print_line(said if done.changed else unchanged)
    say(f"{counted(done.customers, 'customer has', 'customers have')} it.")
