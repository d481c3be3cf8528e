"""PURE: what a dry run foresees in words: what it would cost and bring, and why some customers came out as they did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from api.pages import present
from api.pages.funnel import treatment_in_words
from api.pages.reasons import reason_in_words
from consent.base.clock import parse_time
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Reason
from personalise.campaigns.model import LEAVE_ALONE, Campaign
from personalise.results.words import short
from personalise.runs.dry_run import DryRun, Looked
from personalise.runs.samples import End, Sample
from personalise.runs.totals import Totals
from personalise.steps.personalise.explanation import CandidateVerdict
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import BUDGET, VOLUME
from personalise.steps.personalise.stages import Stage

UNKNOWN: Final = "–"
AMOUNTS: Final = {
    "cost": "Cost of the offers to the company",
    "expected_value": "Value to the company to be expected",
    "worth": "Worth, with the customers' benefit and the price of goodwill",
    "goodwill": "Goodwill that the contacts cost, in points",
    "below_floor": "Accounts that they would push below the floor",
    "near_floor": "Accounts above the floor that couldn't bear as much once more",
}
_SEEN: Final = {"false": "does not hold", "unknown": "is not known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one treatment: for which customers it is not, what was seen, against which limit, until when."""

    treatment: str
    why: str
    seen: str
    limit: str
    allowed_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One customer, whom nothing names: the sentence that he would be told, and the verdicts."""

    explanation: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some of those who came to one end; `title` finishes "… who"."""

    title: str
    count: str
    customers: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a dry run foresees beside its counts; a line is what it is about, and how much."""

    lines: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]


def foreseen(found: DryRun) -> Foreseen:
    """Return what a dry run foresees in words."""
    lines = _lines(found.totals, found.policy.campaign, found.policy.catalogue)
    return Foreseen(lines=tuple(lines), groups=tuple(_group(end, found.policy) for end in found.ends if end.samples))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the last dry run of a version foresaw; a line is what it is about, and how much."""

    finding: str
    lines: tuple[tuple[str, str], ...]
    """Empty of one of before it was forecast."""


def last_seen(looked: Looked, campaign: Campaign, catalogue: Catalogue) -> Seen:
    """Return the last dry run of a version in words."""
    counts, when = looked.counts, present.moment(looked.at)
    would = f"{present.number(counts.chosen.total())} of {present.counted(counts.customers, 'customer')}"
    held = f"; {present.number(counts.arm)} more, but for the holdout" if counts.arm else ""
    finding = f"On {when}, {looked.actor} looked: {would} would be addressed{held}."
    if looked.catalogue != catalogue.version:
        finding += " The catalogue has changed since."
    lines = _lines(looked.totals, campaign, catalogue) if looked.totals else ()
    return Seen(finding=finding, lines=tuple(lines))


def _lines(totals: Totals, campaign: Campaign, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    told = totals.as_json()
    for key, count in told["contacts"].items():
        yield f"Contacts by {channel_in_words(key, catalogue)}", amount_in_words(count)
    yield outcomes_in_words(campaign.objective.measure), amount_in_words(told["expected_outcomes"])
    for key, words in AMOUNTS.items():
        yield words, amount_in_words(told[key])
    for key, taken in told["quotas"].items():
        yield quota_in_words(key), amount_in_words(taken)


def channel_in_words(key: str, catalogue: Catalogue) -> str:
    """Return a channel by its title, if it has one."""
    known = catalogue.channels.get(key)
    return known.title if known else key


def outcomes_in_words(*measures: str) -> str:
    """Return what the expected outcomes of one policy, or of several, are called.

    >>> outcomes_in_words("visited", "visited")
    'Outcomes to be expected (“visited”)'
    """
    names = dict.fromkeys(each.replace("_", " ") for each in measures)
    return f"Outcomes to be expected ({', '.join(f'“{name}”' for name in names)})"


def quota_in_words(key: str) -> str:
    """Return what is taken of a quota as a table has it."""
    if key == BUDGET:
        return "Taken of the goodwill budget, in points"
    return f"Taken of the contacts that there are (“{key.removeprefix(VOLUME)}”)"


def amount_in_words(value: float | None) -> str:
    """Return an amount as a table has it; a dash where nobody can say.

    >>> amount_in_words(1200), amount_in_words(-0.25), amount_in_words(None)
    ('1,200', '−0.25', '–')
    """
    return UNKNOWN if value is None else plain(value).replace("-", "−")


def plain(value: float) -> str:
    """Return a number with its digits in groups; one that isn't whole with four digits."""
    return f"{value:,}" if isinstance(value, int) else short(value)


def _group(end: End, policy: Policy) -> Group:
    if end.how == "addressed":
        title = treatment_in_words(end.name, policy.campaign, policy.catalogue, done=False)
    else:
        title = reason_in_words(end.name, policy.campaign, policy.catalogue)
    return Group(
        title=f"{title}, and would otherwise be addressed" if end.how == "held_out" else title,
        count=f"{present.number(len(end.samples))} of the {present.number(end.customers)}",
        customers=tuple(_shown(each, policy) for each in end.samples),
    )


def _shown(sample: Sample, policy: Policy) -> Shown:
    return Shown(explanation=sample.explanation, verdicts=tuple(_verdict(each, policy) for each in sample.verdicts))


def _verdict(one: CandidateVerdict, policy: Policy) -> Verdict:
    reason = one.observed if isinstance(one.observed, str) and one.observed in Reason.__members__ else ""
    why = reason_in_words(f"{one.rule} {reason}".strip(), policy.campaign, policy.catalogue) if one.rule else ""
    return Verdict(
        treatment="leaving him alone" if one.candidate == LEAVE_ALONE else one.candidate,
        why=why,
        seen="" if reason else _seen(one),
        limit=_written(one.limit),
        allowed_from=present.moment(parse_time(one.allowed_from)) if one.allowed_from else "",
    )


def _seen(one: CandidateVerdict) -> str:
    """Return what was observed; what a treatment is worth is said to be that."""
    if isinstance(one.observed, str):
        return _SEEN.get(one.observed, one.observed)
    weighed = one.stage in (Stage.ARBITRATION.name.lower(), Stage.CHOSEN.name.lower())
    return f"worth {_written(one.observed)}" if weighed else _written(one.observed)


def _written(value: str | float | None) -> str:
    """Return what was observed, or a limit; "" where there is none."""
    if value is None or isinstance(value, str):
        return value or ""
    return amount_in_words(value)
