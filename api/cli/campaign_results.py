"""What `byleave campaign report` prints: what a campaign did."""

from api.cli.output import print_line, print_table, shown
from personalise.campaigns.model import Campaign
from personalise.learning import Effects
from personalise.measure.effects import Effect
from personalise.results.model import Results
from personalise.results.words import amount, arms, sentences


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
