"""`byleave campaign compare`, and what a report prints: what a campaign did, or another would."""

import re
from typing import Any, Final

import click

from api import lost
from api.cli.frame import VERSION_OR_NONE, Command, Words, at_home, caller, json_option
from api.cli.output import print_json, print_line, print_table, progress, shown
from api.roles import action
from consent.base.counting import counted
from consent.base.errors import Place, RequestUnfit
from personalise.campaigns.model import LEAVE_ALONE, Campaign
from personalise.contact_policy.model import THOUSANDTHS
from personalise.learning import Effects
from personalise.measure.effects import Effect
from personalise.results.model import Results
from personalise.results.words import amount, arms, sentences, short
from personalise.runs.comparing import Compared, Named
from personalise.runs.comparing import compare as compared
from personalise.runs.counts import Counts
from personalise.runs.crosstab import HOLDOUT, Totals
from personalise.steps.personalise.policy import Policy

_NAMED: Final = re.compile(r"([^@]+)(?:@([1-9][0-9]{0,8}))?")


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
    first, second = _named(a), _named(b or a)
    with at_home() as house, progress("deciding") as tick:
        second = Named(campaign=second.campaign, version=second.version, contact_policy=contact_policy)
        found = compared(house.deployment, first, second, actor=caller().name, progress=tick)
    if as_json:
        print_json(found.as_json())
    else:
        _print_compared(found)


def _named(text: str) -> Named:
    found = _NAMED.fullmatch(text)
    if found is None:
        raise RequestUnfit(places=[Place(text[:80], "is neither KEY nor KEY@VERSION")])
    return Named(campaign=found[1], version=int(found[2] or 0))


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
    lines["goodwill spent"] = None if totals.goodwill is None else short(totals.goodwill / THOUSANDTHS)
    lines["pushed below the floor"] = totals.below_floor
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


# ------------------------------------------------------------------------------------------------------------- results


def print_results(found: Results) -> None:
    """Print what a campaign did by its holdout."""
    print_table(
        (_by(found), "customers", "outcome known", found.outcome, "opted out", "complained"),
        [
            (name, arm.customers, arm.known,
             None if arm.mean is None else amount(arm.mean, share=found.flag), arm.opted_out, arm.complained)
            for name, arm in (("addressed", found.addressed), ("held out", found.held_out))
        ],
        empty="",
    )  # fmt: skip
    print_line(arms(found))
    print_line()
    for line in sentences(found):
        print_line(line)


def _by(found: Results) -> str:
    return "by the company's holdout" if found.together else "by the holdout"


def print_effects(read: Campaign, measured: Effects) -> None:
    """Print what each treatment came to, and what it did against none."""
    measure = read.objective.measure
    empty = f"No {measure} is known yet of anybody who permits measuring: see `byleave import outcomes --help`."
    if measured.flag:
        rates = [
            (rate.arm, rate.n, rate.successes, *map(_percent, (rate.rate, rate.lower, rate.upper)))
            for rate in measured.rates
        ]
        print_table(("got", "customers", measure, "rate", "from", "to"), rates, empty=empty)
    else:
        means = [(each.arm, each.n, each.mean, each.lower, each.upper) for each in measured.means]
        print_table(("got", "customers", f"mean {measure}", "from", "to"), means, empty=empty)
    told = _percent if measured.flag else shown
    for each in measured.effects:
        print_line()
        if isinstance(each.effect, Effect):
            more, low, high = map(told, (each.effect.difference, each.effect.lower, each.effect.upper))
            print_line(
                f"{each.arm} against none: {each.outcome} {more}, {each.effect.level:.0%} interval {low} to {high}"
            )
        else:
            few = f"{each.effect.what}: {each.effect.had} of {each.effect.needed}"
            print_line(f"{each.arm} against none: too few to judge ({few})")


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.2%}"
