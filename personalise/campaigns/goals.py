"""PURE: rules over what a campaign is for, and whether it can be found out that it did it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from personalise.campaigns.judging import Case, Flaw, Foreseen, Heading, Rule, Weight
from personalise.contact_policy.model import HELD_BACK
from personalise.language.terms import Constant
from personalise.measure.power import LEVEL, POWER, least_effect

FRESH: Final = timedelta(days=7)
"""A dry run older than this says nothing about the customers of today."""

_WORST: Final = 0.5
"""The base rate at which an effect is hardest to find; taken where none is stated."""


def _target(case: Case) -> Iterator[Flaw]:
    objective = case.campaign.objective
    if objective.target == 0:
        what = "The target is no change at all, so nobody can say whether it was reached."
        yield Flaw(what, "objective.target", "Say how much more, or less, a customer than in the holdout.")
    measured = case.catalogue.attributes.get(objective.measure)
    if measured and measured.type == "boolean" and abs(objective.target) > 1:
        what = f"The target is {objective.target:g} of “{objective.measure}” a customer, which comes once at most."
        yield Flaw(what, "objective.target", "Write a share of the customers: 0.05 is five in a hundred.")


def _by(case: Case) -> Iterator[Flaw]:
    if case.campaign.objective.by < case.at.date():
        yield Flaw("The day by which the target was to be reached is over.", "objective.by", "Set a day to come.")


def _window(case: Case) -> Iterator[Flaw]:
    if not case.campaign.objective.window_days:
        what = "It doesn't say for how long after a contact an outcome counts."
        yield Flaw(what, "objective.window_days", "Give the days, before there are outcomes to choose them by.")


def _minimum(case: Case) -> Iterator[Flaw]:
    objective = case.campaign.objective
    if case.campaign.kind == HELD_BACK and not objective.minimum_effect:
        what = "It doesn't say which effect would be too small to matter."
        yield Flaw(what, "objective.minimum_effect", "Give the smallest difference to the holdout worth finding.")


def _below_target(case: Case) -> Iterator[Flaw]:
    objective = case.campaign.objective
    if objective.minimum_effect > abs(objective.target):
        what = f"The smallest effect to be found ({objective.minimum_effect:g}) is greater than the target."
        yield Flaw(what, "objective.minimum_effect", f"Set it to {abs(objective.target):g} or less.")


def _chance(case: Case) -> Iterator[Flaw]:
    measured = case.catalogue.attributes.get(case.campaign.objective.measure)
    if case.campaign.scorer != "rule" or not measured or measured.type != "boolean":
        return
    for spot, each in enumerate(case.campaign.treatments):
        score = each.score.tree
        if isinstance(score, Constant) and not isinstance(score.value, str) and abs(score.value) > 1:
            what = f"{each.key} is taken to bring “{measured.name}” {score.value:g} times, which comes once at most."
            yield Flaw(what, f"treatment[{spot}].score", "Write how likely it brings it: 0.05 is five in a hundred.")


def _holdout(case: Case) -> Iterator[Flaw]:
    holdout = case.campaign.holdout
    if case.campaign.kind == HELD_BACK and not holdout.share and not holdout.waiver.strip():
        what = "Nobody is held out, so nobody will know whether it helped or only bothered."
        yield Flaw(what, "campaign.holdout.share", "Hold some out, or write into waiver why not, and who decided so.")


def _dry_run(case: Case) -> Iterator[Flaw]:
    why = _stale(case)
    if why:
        do = f"Run `byleave campaign dry-run {case.campaign.key}` and look at who is lost and why."
        yield Flaw(why, "", do if case.version else f"Publish it, then: {do}")


def _stale(case: Case) -> str:
    """Say why the last dry run doesn't show what would happen now; "" where it does."""
    seen = case.foreseen
    if seen is None or seen.version != case.version:
        return "Nobody has looked at whom this version reaches."
    if seen.catalogue != case.catalogue.version:
        return "The catalogue has changed since the last dry run."
    if case.at - seen.at > FRESH:
        return f"The last dry run is more than {FRESH.days} days old."
    return ""


def _power(case: Case) -> Iterator[Flaw]:
    """Hold what the campaign promises against the smallest effect that its groups can show."""
    objective, seen = case.campaign.objective, case.foreseen
    measured = case.catalogue.attributes.get(objective.measure)
    if seen is None or measured is None or measured.type != "boolean" or not case.campaign.holdout.share:
        return
    promised = objective.minimum_effect or abs(objective.target)
    base = objective.baseline or _WORST
    least = least_effect(base, seen.addressed, seen.held_out, rises=objective.target > 0)
    if least is None or least > promised:
        yield Flaw(_too_small(seen, base, promised, least, stated=objective.baseline > 0), *_MORE)


_MORE: Final = (
    "campaign.holdout.share",
    "Hold out more, widen the audience, or add up several runs before judging; a stated baseline sharpens this.",
)


def _too_small(seen: Foreseen, base: float, promised: float, least: float | None, *, stated: bool) -> str:
    groups = f"{seen.addressed:,} addressed and {seen.held_out:,} held out"
    found = "no effect" if least is None else f"only effects from {100 * least:.1f} points on"
    assumed = "" if stated else ", assumed as none is stated"
    odds = f"{100 * POWER:.0f} % of the time (level {100 * LEVEL:.0f} %, base rate {100 * base:.1f} %{assumed})"
    return f"It promises {100 * promised:.1f} points. With {groups}, {found} would be found {odds}."


RULES: Final = (
    Rule(key="target", heading=Heading.GOALS, weight=Weight.MUST, judge=_target),
    Rule(key="target_day", heading=Heading.GOALS, weight=Weight.GATE, judge=_by),
    Rule(key="window", heading=Heading.GOALS, weight=Weight.GATE, judge=_window),
    Rule(key="minimum_effect", heading=Heading.GOALS, weight=Weight.GATE, judge=_minimum),
    Rule(key="effect_below_target", heading=Heading.GOALS, weight=Weight.SHOULD, judge=_below_target),
    Rule(key="score_is_chance", heading=Heading.VALUE, weight=Weight.SHOULD, judge=_chance),
    Rule(key="power", heading=Heading.GOALS, weight=Weight.SHOULD, judge=_power),
    Rule(key="holdout", heading=Heading.VALUE, weight=Weight.GATE, judge=_holdout),
    Rule(key="dry_run", heading=Heading.SECURE, weight=Weight.GATE, judge=_dry_run),
)
