"""What was found of a campaign, in sentences for people."""

from typing import Final

from consent.base.counting import counted
from personalise.measure.cuped import Adjusted, Uneven
from personalise.measure.effects import Effect, SampleRatio, TooFew
from personalise.measure.holdout import Price, Target, Withheld
from personalise.results.model import Judgement, Results

_FOUR_DIGITS: Final = 10_000
_WHY: Final = {
    Withheld.HOLDOUT_CHANGED: "versions that ran held out another share, or other customers",
    Withheld.MISPLACED: "too many customers are in another arm than their ids say",
    Withheld.SAMPLE_RATIO: "the arms don't have the sizes that the planned share gives",
    Withheld.KNOWN_RATIO: "outcomes are known of one arm more often than of the other",
}
_REACHED: Final = {
    Target.REACHED: "reached",
    Target.MISSED: "missed",
    Target.OPEN: "can't be said yet, for the interval contains it",
}


def arms(found: Results) -> str:
    """Return whom the arms count, so that a reader can hold them against what runs have counted."""
    first = "Each customer counts once, from the first contact that he had or, held out, would otherwise have had"
    if found.together:
        return f"{first}, under any campaign."
    return (
        f"{first}, by whatever run or live decision. Whom a run holds out and would not have addressed anyway is in "
        "neither arm, nor is whom the company holds out of all campaigns."
    )


def sentences(found: Results) -> list[str]:
    """Return what is to be said of the results, one sentence a line, the cost first and the conclusions last."""
    spent, given = short(found.goodwill.spent), short(found.goodwill.given)
    first = ["All campaigns together, since the company holds out whom it does now."] if found.together else []
    lines = [*first, f"Goodwill spent: {spent} points; given back: {given}."]
    if found.goodwill.budget:
        used, budget = short(found.goodwill.contacts), short(found.goodwill.budget)
        lines.append(f"Of the goodwill budget of {budget} points its contacts cost {used}.")
    if found.misplaced:
        misplaced = counted(found.misplaced, "customer is", "customers are")
        lines.append(f"{misplaced} in another arm than their ids say, and in neither here.")
    if found.early:
        lines.append(f"Not counted: {counted(found.early, 'outcome')} that came in before the first contact.")
    if found.late:
        lines.append(f"{counted(found.late, 'outcome')} came in after the window: within it, nothing had come.")
    if found.untimed:
        lines.append(
            f"Nobody knows when {counted(found.untimed, 'outcome')} came: it may have been before the contact."
        )
    if not found.share:
        return [*lines, "Nobody was held out, so nobody can say what it did."]
    if found.withheld:
        return [*lines, *(f"Results are withheld: {_WHY[why]}{_p_value(found, why)}." for why in found.withheld)]
    return [*lines, *_concluded(found, found.judgement)]


def _p_value(found: Results, why: Withheld) -> str:
    ratio = {Withheld.SAMPLE_RATIO: found.sample_ratio, Withheld.KNOWN_RATIO: found.known_ratio}.get(why)
    if not isinstance(ratio, SampleRatio):
        return ""
    return f" ({100 * found.share:.1f} % were to be held out; p = {ratio.p_value:.2g})"


def _concluded(found: Results, told: Judgement) -> list[str]:
    name = found.outcome.replace("_", " ")
    lines = [
        f"Addressed against held out, {name}: {_interval(told.effect, share=found.flag)}.",
        f"Opted out: {_interval(told.opt_outs, share=True)}.",
        f"Complained: {_interval(told.complaints, share=True)}.",
    ]
    if isinstance(told.adjusted, Adjusted):
        narrowed = _interval(told.adjusted.effect, share=found.flag)
        lines.append(
            f"Adjusted by {found.covariate}: {narrowed}; {100 * told.adjusted.variance_reduction:.1f} % less variance."
        )
    elif isinstance(told.adjusted, Uneven):
        lines.append(f"Not adjusted: {found.covariate} differs between the arms, so it isn't from before the contact.")
    elif told.adjusted:
        lines.append(f"Not adjusted by {found.covariate}: {_interval(told.adjusted, share=False)}.")
    if told.per_outcome and found.goodwill.spent:
        which = "more" if found.target >= 0 else "less"
        lines.append(f"Goodwill for each “{name}” {which}: {_price(told.per_outcome)}.")
    if told.reached:
        unit = " points" if found.flag else ""
        target = amount(found.target, share=found.flag, signed=True)
        lines.append(f"The target ({target}{unit}): {_REACHED[told.reached]}.")
    return lines


def _interval(found: Effect | TooFew | None, *, share: bool) -> str:
    if isinstance(found, Effect):
        middle, low, high = (
            amount(each, share=share, signed=True) for each in (found.difference, found.lower, found.upper)
        )
        unit = " points" if share else ""
        return f"{middle}{unit}, {100 * found.level:.0f} % interval {low} to {high}"
    return f"too few to judge ({found.what}: {found.had} of {found.needed})" if found else "not judged"


def _price(found: Price) -> str:
    if found.at_least is None:
        return "none was gained"
    if found.each is None:
        return f"can't be said; {short(found.at_least)} points at least"
    return f"{short(found.each)} points, {short(found.at_least)} to {short(found.at_most)}"


def amount(value: float, *, share: bool, signed: bool = False) -> str:
    """Return an amount of an outcome, a share in percent; `signed`, a difference, of shares in percentage points.

    >>> amount(0.0512, share=True), amount(-0.0512, share=True, signed=True), amount(12.5, share=False)
    ('5.1 %', '−5.1', '12.5')
    """
    sign = "+" if signed else ""
    if not share:
        return format(value, f"{sign},.4g").replace("-", "−")
    return f"{100 * value:{sign}.1f}".replace("-", "−") + ("" if signed else " %")


def short(value: float | None) -> str:
    """Return a number with four digits, or all of them before the point where there are more; "-" for none.

    >>> short(0.123456), short(123456.7), short(None)
    ('0.1235', '123,457', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.4g}" if abs(value) < _FOUR_DIGITS else f"{value:,.0f}"
