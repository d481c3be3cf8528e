"""`byleave decide`: one decision for one customer, now; `byleave decision`: one that was made."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from api.cli.frame import (
    REFUSED,
    UNCHECKED,
    VERSION_OR_NONE,
    Command,
    Group,
    Instant,
    Words,
    at_home,
    caller,
    customer_argument,
    found,
    json_option,
)
from api.cli.output import print_json, print_line, print_table
from api.roles import action
from consent.base import strict_json
from consent.base.clock import rfc3339
from consent.base.errors import Invalid, Place, RequestUnfit
from personalise import engine
from personalise.life.approving import LONGEST_REASON
from personalise.responses import outcomes, rejections
from personalise.steps.personalise.explanation import CandidateVerdict
from personalise.telling import Decision


@click.command(cls=Command, example="byleave decide S000001 --campaign spring --channel email")
@customer_argument
@click.option("--campaign", type=Words("key"), required=True, help="The campaign's key.")
@click.option("--channel", type=Words("channel"), help="Only what goes by this channel.")
@click.option("--carried", is_flag=True, help="It is carried out here: it may wait, and be decided again, in time.")
@json_option
@action("decisions.make")
def decide(customer: str, campaign: str, channel: str | None, *, carried: bool, as_json: bool) -> None:
    """Decide for one customer, now.

    The contact is reserved, the decision logged, and every candidate's verdict shown. That he is left alone is an
    answer: the exit code is 0.
    """
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.live() as work:
            who = found(house, work, customer)
        made = engine.decide_one(
            deployment,
            who,
            campaign=campaign,
            actor=caller().name,
            channel=channel or "",
            four_eyes=house.settings.demands_four_eyes,
            carried=carried,
        )
    _shown(made, as_json=as_json)


@click.group(cls=Group)
def decision() -> None:
    """Decisions that were made: their funnel, and their replay."""


@decision.command(example='byleave decision simulate S000001 --campaign spring@1 --reason "he asked why"')
@customer_argument
@click.option("--campaign", type=Words("key", 80), required=True, help="The campaign's key, or a version: spring@2.")
@click.option("--reason", type=Words("text", LONGEST_REASON), required=True, help="Why you look; it names nobody.")
@click.option("--contact-policy", type=VERSION_OR_NONE, help="The contact policy's version; 0 is none at all.")
@click.option("--channel", type=Words("channel"), help="Only what goes by this channel.")
@json_option
@action("decisions.simulate")
def simulate(
    customer: str, campaign: str, reason: str, contact_policy: int | None, channel: str | None, *, as_json: bool
) -> None:
    """Say what would be decided about a customer now: by any version of a campaign, under any contact policy.

    Nothing is reserved, logged or taken. That his data were read is written down, and why.
    """
    key, version = versioned(campaign)
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.live() as work:
            who = found(house, work, customer)
        made = engine.simulate(
            deployment,
            who,
            campaign=key,
            version=version,
            contact_policy=contact_policy,
            channel=channel or "",
            actor=caller().name,
            reason=reason,
        )
    if as_json:
        print_json(made.as_json())
        return
    rules = f"contact policy {made.contact_policy}" if made.contact_policy else "no contact policy"
    print_line(f"By {key}@{made.version} under {rules} it would be:")
    _print_choice(made.decision)
    print_line()
    print_verdicts(made.decision.verdicts)
    print_line()
    print_line(f"judged at ledger position {made.decision.position}; nothing of it is kept")


@decision.command(example="byleave decision show dec_9f2c….0 --language de")
@click.argument("decision", type=Words("decision"))
@click.option("--language", type=Words("language"), default="en", help="The customer's language, such as de.")
@json_option
@action("decisions.show")
def show(decision: str, language: str, *, as_json: bool) -> None:
    """Show a decision as it was logged: what was chosen, and where each candidate left the funnel."""
    with at_home() as house:
        _shown(engine.decided(house.deployment, decision, language=language), as_json=as_json)


@decision.command(example="byleave decision replay dec_9f2c….0")
@click.argument("decision", type=Words("decision"))
@json_option
@action("decisions.replay")
def replay(decision: str, *, as_json: bool) -> None:
    """Make a decision again from what it was made from, and hold it against the log, bit for bit.

    The exit code is 1 where it comes out otherwise, and 3 where it could not be made again.
    """
    with at_home() as house:
        came = engine.replay(house.deployment, decision, actor=caller().name)
    if as_json:
        print_json(came.as_json())
    else:
        told = _OUTCOMES[came.outcome].format(columns=", ".join(came.columns), why=came.why)
        print_line(f"{came.decision}: {told}")
        if came.replay:
            print_line(f"replay hash {came.replay}")
    if came.outcome == "differs":
        raise SystemExit(REFUSED)
    if came.outcome != "same":
        raise SystemExit(UNCHECKED)


@decision.command(example="byleave decision outcome dec_9f2c….0 --value true --at 2026-11-21T17:00:00Z")
@click.argument("decision", type=Words("decision"))
@click.option(
    "--value", type=Words("value", 40), required=True, help="What the campaign measures: true, false, or a number."
)
@click.option("--at", type=Instant(), required=True, help="When it happened.")
@json_option
@action("outcomes.record")
def outcome(decision: str, value: str, at: datetime, *, as_json: bool) -> None:
    """Record what came of a decision: remembered as far as its customer allows. The same once more changes nothing."""
    with at_home() as house:
        done = outcomes.record(house.deployment, decision, _value(value), came_at=at)
    if as_json:
        print_json(done.as_json())
    else:
        print_line(f"{done.decision}: {_RECORDED[done.outcome].format(measure=done.measure)}")


@decision.command("turn-down", example="byleave decision turn-down dec_9f2c….0")
@click.argument("decision", type=Words("decision"))
@json_option
@action("outcomes.record")
def turn_down(decision: str, *, as_json: bool) -> None:
    """Record that a customer turned down what he was offered: offers of its family rest. Once more changes nothing."""
    with at_home() as house:
        done = rejections.turn_down(house.deployment, decision)
    if as_json:
        print_json(done.as_json())
    else:
        since = f"since {rfc3339(done.turned_down_at)}: it was told before" if done.repeated else "from now on"
        print_line(f"{done.decision}: turned down; offers of the family {done.family} rest {since}")


def _value(told: str) -> bool | float | int:
    """Read a measure's value: as JSON has it.

    >>> _value("true"), _value("12"), _value("9.5")
    (True, 12, 9.5)
    """
    try:
        read = strict_json.parse(told.encode())
    except Invalid:
        read = None
    if not isinstance(read, bool | int | float):
        raise click.UsageError("--value must be true, false or a number like 12.5")
    return read


_CONDITION: Final = 48
"""Signs of a condition that a table has room for."""

_VERSIONED: Final = re.compile(r"([^@]+)(?:@([1-9][0-9]{0,8}))?")

_RECORDED: Final = {
    "stored": "{measure} is remembered",
    "repeated": "{measure} was told before",
    "refused": "{measure} may not be remembered of this customer",
}


_WORDED: Final = {
    "personal": "worded by what is known of the customer",
    "general": "worded in general",
    None: "not worded yet",
}
_OUTCOMES: Final = {
    "same": "made again, it comes out the same: candidates, verdicts, propensity and replay hash",
    "differs": "made again, it comes out with another {columns}",
    "gone": "it can't be made again any more: {why}",
    "unread": "it could not be made again: {why}",
}


def _shown(decision: Decision, *, as_json: bool) -> None:
    if as_json:
        print_json(decision.as_json())
        return
    _print_choice(decision)
    print_line()
    print_verdicts(decision.verdicts)
    print_line()
    worded = f", {_WORDED[decision.wording]}" if decision.chosen else ""
    print_line(f"decision {decision.id}, judged at ledger position {decision.position}{worded}")


def _print_choice(decision: Decision) -> None:
    print_line(f"{decision.chosen or 'leave alone'}: {decision.explanation}")
    if decision.subject:
        print_line(decision.subject)
    if decision.content:
        print_line(decision.content)
    if decision.instead:
        print_line(
            f"What he is shown instead, as anybody is ({decision.instead.treatment}): {decision.instead.content}"
        )
    if decision.html:
        print_line("The same goes as an HTML mail, which --json shows.")


def versioned(text: str) -> tuple[str, int]:
    """Read which campaign is meant, and which version of it; 0 where it names none.

    >>> versioned("spring"), versioned("spring@2")
    (('spring', 0), ('spring', 2))
    """
    read = _VERSIONED.fullmatch(text)
    if read is None:
        raise RequestUnfit(places=[Place(text[:80], "is neither KEY nor KEY@VERSION")])
    return read[1], int(read[2] or 0)


def print_verdicts(verdicts: Sequence[CandidateVerdict]) -> None:
    """Print what became of each candidate."""
    print_table(
        ("candidate", "left at", "rule", "observed", "limit", "allowed from"),
        [
            (each.candidate, each.stage, each.rule, each.observed, _brief(each.limit), each.allowed_from)
            for each in verdicts
        ],
        empty="The campaign has no candidates.",
    )


def _brief(limit: str | float | None) -> str | float | None:
    """Return a limit as it fits into a table: a condition can be long, and `--json` has the whole of it."""
    return f"{limit[: _CONDITION - 1]}…" if isinstance(limit, str) and len(limit) > _CONDITION else limit
