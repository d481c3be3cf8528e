"""`byleave decide`: one decision for one customer, now."""

import click

from api.cli.frame import Command, Words, at_home, caller, customer_argument, found, json_option
from api.cli.output import print_json, print_line, print_table
from api.roles import action
from personalise import engine


@click.command(cls=Command, example="byleave decide S000001 --campaign spring --channel email")
@customer_argument
@click.option("--campaign", type=Words("key"), required=True, help="The campaign's key.")
@click.option("--channel", type=Words("channel"), help="Only what goes by this channel.")
@json_option
@action("decisions.make")
def decide(customer: str, campaign: str, channel: str | None, *, as_json: bool) -> None:
    """Decide for one customer, now.

    The contact is reserved, the decision logged, and every candidate's verdict shown. That he is left alone is an
    answer: the exit code is 0.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.live() as work:
            who = found(house, work, customer)
        decision = engine.decide_one(deployment, who, campaign=campaign, actor=caller().name, channel=channel or "")
    if as_json:
        print_json(decision.as_json())
        return
    print_line(f"{decision.chosen or 'leave alone'}: {decision.explanation}")
    if decision.content:
        print_line(decision.content)
    print_line()
    print_table(
        ("candidate", "left at", "rule", "observed", "limit", "allowed from"),
        [
            (each.candidate, each.stage, each.rule, each.observed, each.limit, each.allowed_from)
            for each in decision.verdicts
        ],
        empty="The campaign has no candidates.",
    )
    print_line()
    print_line(f"decision {decision.id}, judged at ledger position {decision.position}")
