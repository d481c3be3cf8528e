"""`byleave campaign dry-run` and `compare`: what a campaign would do, or another policy."""

from time import perf_counter
from typing import Any

import click

from api import lost
from api.cli.decide import print_verdicts, versioned
from api.cli.frame import VERSION_OR_NONE, Command, Number, Words, at_home, caller, json_option
from api.cli.output import print_json, print_line, print_table, progress
from api.roles import action
from consent.base.counting import counted
from personalise.campaigns.model import LEAVE_ALONE
from personalise.contact_policy.model import THOUSANDTHS
from personalise.results.words import short
from personalise.runs.comparing import Compared, Named
from personalise.runs.comparing import compare as compared
from personalise.runs.counts import Counts
from personalise.runs.crosstab import HOLDOUT
from personalise.runs.dry_run import dry_run as dry_run_of
from personalise.runs.samples import MOST, End
from personalise.runs.totals import Totals
from personalise.steps.personalise.policy import Policy


@click.command(cls=Command, example="byleave campaign dry-run spring --samples 3")
@click.argument("key", type=Words("key", 63))
@click.option(
    "--samples", type=Number(0, MOST), default=0,
    help="Customers to show of every treatment, of those held out, and of the most frequent reasons, with why.",
)  # fmt: skip
@json_option
@action("campaigns.dry_run")
def dry_run(key: str, *, samples: int, as_json: bool) -> None:
    """Say whom a campaign would reach, who is lost and why, and what it costs. Nothing is sent, no decision is kept.

    Samples are always the same customers of a campaign, so that one sees what becomes of them under its next version.
    """
    began = perf_counter()
    with at_home() as house, progress("deciding") as tick:
        found = dry_run_of(house.deployment, key, actor=caller().name, samples=samples, progress=tick)
    seconds = round(perf_counter() - began, 3)
    named = caller().may("decisions.show")
    if as_json:
        print_json({**found.as_json(named=named), "seconds": seconds})
        return
    print_counts(found.counts, seconds, done=False)
    print_line()
    print_table(("to be expected", "in all"), _lines(found.totals).items(), empty="")
    for end in found.ends:
        _print_end(end, named=named)


def _print_end(end: End, *, named: bool) -> None:
    title = f"get {end.name}" if end.how == "addressed" else lost.by_key(end.name)
    if end.how == "held_out":
        title += ", and would otherwise be addressed"
    for each in end.samples:
        print_line()
        print_line(f"Customers who {title}: {end.customers:,}. One of them{f', {each.customer}' if named else ''}:")
        print_line(each.explanation)
        print_verdicts(each.verdicts)


def print_counts(counts: Counts, seconds: float, *, done: bool = True) -> None:
    """Print how many customers ended where: what was done, or would be."""
    addressed = "were addressed" if done else "would be addressed"
    share = counts.customers or 1
    told = [(f"addressed: get {treatment}", count) for treatment, count in sorted(counts.chosen.items())]
    told += [(f"not addressed: {lost.by_key(reason)}", count) for reason, count in counts.most_first]
    print_table(
        ("customers who …", "customers", "share"),
        [(words, count, f"{count / share:.1%}") for words, count in told],
        empty="Nobody is enrolled yet: see `byleave import --help`.",
    )
    print_line()
    print_line(
        f"{counts.chosen.total():,} of {counted(counts.customers, 'customer')} {addressed}. Judged in {seconds:,.1f} s."
    )
    if counts.holdout:
        print_line(lost.of_the_holdout(counts, done=done))
    for key, amount in counts.taken().items():
        print_line(f"Taken of {key.replace('_', ' ')}: {amount:,}.")
    if counts.deferred:
        print_line(f"{counts.deferred:,} are held back for now alone, and decided about again in time.")


@click.command(cls=Command, example="byleave campaign compare spring@1 spring@2")
@click.argument("a", type=Words("key", 80))
@click.argument("b", type=Words("key", 80), required=False)
@click.option(
    "--contact-policy", type=VERSION_OR_NONE, help="The contact policy's version for the second; 0 is none at all."
)
@json_option
@action("campaigns.dry_run")
def compare(a: str, b: str | None, *, contact_policy: int | None, as_json: bool) -> None:
    """Decide for everybody by two policies, and say who changes, who gains and who loses. Nothing is kept.

    Each is a campaign's key, or a version of it: spring@2. The second is the first again where it is left out.
    """
    (key, version), (other, its_version) = versioned(a), versioned(b or a)
    first = Named(campaign=key, version=version)
    second = Named(campaign=other, version=its_version, contact_policy=contact_policy)
    with at_home() as house, progress("deciding") as tick:
        found = compared(house.deployment, first, second, actor=caller().name, progress=tick)
    if as_json:
        print_json(found.as_json())
    else:
        _print_compared(found)


def _title(policy: Policy) -> str:
    rules = policy.contact_policy.version
    under = f"contact policy {rules}" if rules else "no contact policy"
    return f"{policy.campaign.key}@{policy.version} under {under}"


def _print_compared(found: Compared) -> None:
    table = found.table
    print_line(f"A is {_title(found.a)}")
    print_line(f"B is {_title(found.b)}")
    print_line()
    print_table(
        ("under A", "under B", "customers"),
        [
            (_plain(before), _plain(after), count)
            for (before, after), count in sorted(table.moves.items(), key=lambda move: (-move[1], move[0]))
        ],
        empty="Nobody is enrolled yet: see `byleave import --help`.",
    )
    print_line()
    print_line(f"{table.changed:,} of {counted(table.a.counts.customers, 'customer')} change.")
    _print_why("Whom B addresses and A doesn't: where A loses them", table.gain)
    _print_why("Whom A addresses and B doesn't: where B loses them", table.lose)
    print_line()
    a, b = _lines(table.a), _lines(table.b)
    names = dict.fromkeys((*a, *b))
    print_table(("in all", "A", "B"), [(name, a.get(name), b.get(name)) for name in names], empty="")


def _lines(totals: Totals) -> dict[str, Any]:
    """Return what one policy comes to, by what it is called; None where nobody can say."""
    told = totals.as_json()
    lines: dict[str, Any] = {"addressed": totals.counts.chosen.total()}
    lines |= {f"by {channel}": count for channel, count in told["contacts"].items()}
    lines |= {name.replace("_", " "): short(told[name]) for name in ("expected_outcomes", "expected_value", "worth")}
    lines["cost of the offers"] = short(told["cost"])
    lines["goodwill spent"] = None if totals.goodwill is None else short(totals.goodwill / THOUSANDTHS)
    lines["pushed below the floor"] = totals.below_floor
    lines["left near the floor"] = totals.near_floor
    return lines


def _print_why(title: str, counts: Counts) -> None:
    if counts.customers:
        print_line()
        print_line(f"{title}:")
        print_table(
            ("customers who …", "customers"),
            [(lost.by_key(reason), count) for reason, count in counts.most_first],
            empty="",
        )


def _plain(name: str) -> str:
    if name == LEAVE_ALONE:
        return "left alone"
    return f"held out ({name.removeprefix(HOLDOUT)})" if name.startswith(HOLDOUT) else name
