"""`byleave customer merge`: two records turn out to be of one customer."""

import click

from api.cli.frame import CUSTOMER, Command, Words, at_home, caller, found, json_option
from api.cli.output import print_facts, print_json
from api.roles import action
from consent.register import merging


@click.command(cls=Command, example="byleave customer merge S000002 S000001 --reason 'the same address'")
@click.argument("merged", type=CUSTOMER)
@click.argument("into", type=CUSTOMER)
@click.option("--reason", type=Words("text", 200), help="How it was found out; nothing personal.")
@json_option
@action("customers.merge")
def merge(merged: str, into: str, reason: str | None, *, as_json: bool) -> None:
    """Join two records of one customer: MERGED is given up, INTO goes on, with the more restrictive of both answers."""
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.write() as work:
            pair = found(house, work, merged), found(house, work, into)
            done = merging.merge(
                deployment.desk, work, *pair, actor=caller().name, at=deployment.clock(), reason=reason or ""
            )
    answer = {
        "customer": done.customer, "merged": done.merged, "seq": done.position,
        "statements": [one.seq for one in done.statements], "identities": done.identities,
        "memory_moved": list(done.moved), "memory_forgotten": list(done.forgotten),
    }  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        print_facts(answer)
