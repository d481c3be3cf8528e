"""PURE: what came of a campaign, with intervals; where there is too little to judge, that is what is said."""

from dataclasses import dataclass
from typing import Final

from api.pages import present
from api.pages.charts import Whisker, whiskers
from personalise.campaigns.model import NOTHING
from personalise.learning import Effects
from personalise.measure.effects import ArmEffect, ArmRate, Effect, TooFew
from personalise.results.model import Results
from personalise.results.words import amount, sentences

_NO_MESSAGE: Final = "no message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What came of one treatment."""

    name: str
    customers: str
    rate: str
    interval: str
    difference: str
    difference_interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The results, as the page shows them; without arms there is nothing to show yet."""

    outcome: str
    how: str
    finding: str
    arms: tuple[Arm, ...]
    whiskers: tuple[Whisker, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One arm of the holdout's experiment."""

    name: str
    customers: str
    known: str
    mean: str
    opted_out: str
    complained: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the holdout says."""

    outcome: str
    sides: tuple[Side, ...]
    sentences: tuple[str, ...]


def held_against(found: Results) -> Held | None:
    """Return what the holdout says, as the page shows it; None while nobody was contacted or left out."""
    arms = (("Addressed", found.addressed), ("Held out", found.held_out))
    if not any(arm.customers for _, arm in arms):
        return None
    return Held(
        outcome=found.outcome.replace("_", " "),
        sides=tuple(
            Side(
                name=name,
                customers=present.number(arm.customers),
                known=present.number(arm.known),
                mean="–" if arm.mean is None else amount(arm.mean, share=found.flag),
                opted_out=present.number(arm.opted_out),
                complained=present.number(arm.complained),
            )
            for name, arm in arms
        ),
        sentences=tuple(sentences(found)),
    )


def measured(found: Effects) -> Measured:
    """Return effects in words and as a chart."""
    by_arm = {each.arm: each for each in found.effects}
    known = [rate for rate in found.rates if rate.n]
    outcome = found.outcome.replace("_", " ")
    return Measured(
        outcome=outcome,
        how=f"Measured by “{outcome}”, among customers who permit measuring, by the message that each had received.",
        finding=_finding(known, found.effects, outcome),
        arms=tuple(_arm(rate, by_arm.get(rate.arm)) for rate in known),
        whiskers=whiskers([_row(each) for each in found.effects]) if known else (),
    )


def _name(arm: str) -> str:
    return _NO_MESSAGE if arm == NOTHING else arm


def _arm(rate: ArmRate, compared: ArmEffect | None) -> Arm:
    difference, interval = ("compared against", "") if compared is None else _difference(compared.effect)
    return Arm(
        name=_name(rate.arm),
        customers=present.number(rate.n),
        rate="–" if rate.rate is None else present.share(rate.rate, 1),
        interval=f"{present.share(rate.lower, 1)} to {present.share(rate.upper, 1)}",
        difference=difference,
        difference_interval=interval,
    )


def _difference(effect: Effect | TooFew) -> tuple[str, str]:
    if isinstance(effect, TooFew):
        return f"too few to judge ({effect.had} {effect.what}, {effect.needed} needed)", ""
    return present.points(effect.difference), f"{present.points(effect.lower)} to {present.points(effect.upper)}"


def _row(each: ArmEffect) -> tuple[str, str, tuple[float, float, float] | None]:
    if isinstance(each.effect, TooFew):
        return _name(each.arm), "too few to judge", None
    effect = each.effect
    return (
        _name(each.arm),
        f"{present.points(effect.difference)} points",
        (effect.lower, effect.difference, effect.upper),
    )


def _finding(known: list[ArmRate], effects: tuple[ArmEffect, ...], outcome: str) -> str:
    if not known:
        return "No outcomes have come in yet of customers who permit measuring, so there is nothing to judge."
    judged = [(each.arm, each.effect) for each in effects if isinstance(each.effect, Effect)]
    if not judged:
        return "Too few outcomes have come in to judge any treatment."
    arm, best = max(judged, key=lambda pair: pair[1].lower)
    if best.lower <= 0:
        return f"No treatment can be told from no message by “{outcome}”: every interval holds zero, or lies below it."
    return (
        f"“{arm}” brought {present.points(best.difference)} percentage points of “{outcome}” against no message; "
        f"the interval is {present.points(best.lower)} to {present.points(best.upper)} (it holds the truth "
        f"{100 * best.level:.0f} times in 100)."
    )
