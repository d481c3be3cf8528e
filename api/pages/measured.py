"""PURE: what came of a campaign, with intervals; where there is too little to judge, that is what is said."""

from dataclasses import dataclass
from typing import Final

from api.pages import present
from api.pages.charts import Whisker, whiskers
from personalise.campaigns.model import NOTHING
from personalise.learning import Effects
from personalise.measure.effects import ArmEffect, ArmMean, ArmRate, Effect, TooFew
from personalise.results.model import Results
from personalise.results.words import amount, sentences
from personalise.results.words import arms as in_words

_NO_MESSAGE: Final = "no message"
_NOTHING_YET: Final = "No outcomes have come in yet of customers who permit measuring, so there is nothing to judge."


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What came of one treatment."""

    name: str
    customers: str
    came: str
    interval: str
    difference: str
    difference_interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The results, as the page shows them; without arms there is nothing to show yet."""

    outcome: str
    how: str
    unit: str
    flag: bool
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

    arms: str
    outcome: str
    sides: tuple[Side, ...]
    sentences: tuple[str, ...]


def held_against(found: Results) -> Held | None:
    """Return what the holdout says, as the page shows it; None while nobody was contacted or left out."""
    arms = (("Addressed", found.addressed), ("Held out", found.held_out))
    if not any(arm.customers for _, arm in arms):
        return None
    return Held(
        arms=in_words(found),
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
    arms: list[ArmRate | ArmMean] = [*found.rates, *found.means]
    known = [each for each in arms if each.n]
    outcome = found.outcome.replace("_", " ")
    return Measured(
        outcome=outcome,
        how=f"Measured by “{outcome}”, among customers who permit measuring, by the message that each had received.",
        flag=found.flag,
        unit="in percentage points" if found.flag else "on average",
        finding=_finding(found, outcome) if known else _NOTHING_YET,
        arms=tuple(_arm(each, by_arm.get(each.arm), flag=found.flag) for each in known),
        whiskers=whiskers([_row(each, flag=found.flag) for each in found.effects]) if known else (),
    )


def _name(arm: str) -> str:
    return _NO_MESSAGE if arm == NOTHING else arm


def _arm(each: ArmRate | ArmMean, compared: ArmEffect | None, *, flag: bool) -> Arm:
    came = each.rate if isinstance(each, ArmRate) else each.mean
    difference, interval = ("compared against", "") if compared is None else _difference(compared.effect, flag=flag)
    return Arm(
        name=_name(each.arm),
        customers=present.number(each.n),
        came="–" if came is None else _amount(came, flag=flag),
        interval="too few to judge"
        if each.lower is None or each.upper is None
        else f"{_amount(each.lower, flag=flag)} to {_amount(each.upper, flag=flag)}",
        difference=difference,
        difference_interval=interval,
    )


def _amount(value: float, *, flag: bool) -> str:
    return present.share(value, 1) if flag else amount(value, share=False)


def _more(value: float, *, flag: bool) -> str:
    return present.points(value) if flag else amount(value, share=False, signed=True)


def _difference(effect: Effect | TooFew, *, flag: bool) -> tuple[str, str]:
    if isinstance(effect, TooFew):
        return f"too few to judge ({effect.had} {effect.what}, {effect.needed} needed)", ""
    lower, upper = _more(effect.lower, flag=flag), _more(effect.upper, flag=flag)
    return _more(effect.difference, flag=flag), f"{lower} to {upper}"


def _row(each: ArmEffect, *, flag: bool) -> tuple[str, str, tuple[float, float, float] | None]:
    if isinstance(each.effect, TooFew):
        return _name(each.arm), "too few to judge", None
    effect = each.effect
    return (
        _name(each.arm),
        f"{_more(effect.difference, flag=flag)}{' points' if flag else ''}",
        (effect.lower, effect.difference, effect.upper),
    )


def _finding(found: Effects, outcome: str) -> str:
    judged = [(each.arm, each.effect) for each in found.effects if isinstance(each.effect, Effect)]
    if not judged:
        return "Too few outcomes have come in to judge any treatment."
    arm, best = max(judged, key=lambda pair: pair[1].lower)
    if best.lower <= 0:
        return f"No treatment can be told from no message by “{outcome}”: every interval holds zero, or lies below it."
    more, lower, upper = (_more(each, flag=found.flag) for each in (best.difference, best.lower, best.upper))
    unit = "percentage points of" if found.flag else "on average in"
    return (
        f"“{arm}” brought {more} {unit} “{outcome}” against no message; the interval is {lower} to {upper} (it holds "
        f"the truth {100 * best.level:.0f} times in 100)."
    )
