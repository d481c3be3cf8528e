"""`byleave customer household`: with whom a customer lives."""

import click

from api.cli.frame import Command, Words, at_home, customer_argument, found, json_option
from api.cli.output import print_json, print_line
from api.roles import action
from consent.register import households
from consent.register.households import LONGEST_NAME


@click.command(cls=Command, example="byleave customer household S000001 --name A-1009")
@customer_argument
@click.option("--name", type=Words("name", LONGEST_NAME), help="What it is called; only its keyed hash is kept.")
@click.option("--none", is_flag=True, help="He is in none: he counts alone.")
@json_option
@action("households.change")
def household(customer: str, name: str | None, *, none: bool, as_json: bool) -> None:
    """Say which household a customer is in: a number or an address. Whoever has the same lives together."""
    if bool(name) is none:
        raise click.UsageError("give --name, or --none")
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            who = found(house, work, customer)
            done = households.put(deployment.desk, work, who, name or "", at=deployment.clock())
    if as_json:
        print_json({"customer": who, "household": bool(name), "changed": done})
        return
    where = "in that household" if name else "in no household"
    print_line(f"{who} is {where} from now on." if done else f"{who} was {where} before; nothing changed.")
