"""PURE: counts as a funnel that adds up: who is left after each stage, and who is lost and why."""

from dataclasses import dataclass

from api.lost import of_the_holdout
from api.pages import present
from api.pages.charts import Bar, length
from api.pages.reasons import STAGES, reason_in_words
from consent.catalogue.model import Catalogue
from personalise.campaigns.model import Campaign
from personalise.runs.counts import Counts
from personalise.steps.personalise.stages import LEAVING


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table of counts."""

    words: str
    count: str
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """Counts, as pages show them; `chosen` and `lost` add up to `customers`."""

    finding: str
    held_out: str
    """How many of those held out would otherwise be addressed; "" where nobody was."""
    bars: tuple[Bar, ...]
    chosen: tuple[Line, ...]
    lost: tuple[Line, ...]
    chosen_sum: Line
    lost_sum: Line
    sum: Line
    """Names of stages that judge nothing yet."""


def funnel(counts: Counts, campaign: Campaign, catalogue: Catalogue, *, done: bool) -> Funnel:
    """Return counts as a funnel.

    Args:
        counts: of a dry run or a run.
        campaign: which.
        catalogue: that it was read under.
        done: they are done to, and not only forecast.
    """
    total, chosen = counts.customers, sum(counts.chosen.values())
    treatments = {
        each.key: treatment_in_words(each.key, campaign, catalogue, done=done) for each in campaign.treatments
    }
    return Funnel(
        finding=_finding(counts, campaign, catalogue, chosen=chosen, done=done),
        held_out=of_the_holdout(counts, done=done),
        bars=_bars(counts),
        chosen=tuple(
            _line(treatments.get(key, key), counts.chosen[key], total) for key in sorted(treatments | counts.chosen)
        ),
        lost=tuple(_line(reason_in_words(key, campaign, catalogue), count, total) for key, count in counts.most_first),
        chosen_sum=_line("addressed" if done else "would be addressed", chosen, total),
        lost_sum=_line("not addressed" if done else "would not be addressed", total - chosen, total),
        sum=_line("all customers", total, total),
    )


def treatment_in_words(key: str, campaign: Campaign, catalogue: Catalogue, *, done: bool) -> str:
    """Return who gets a treatment, in words that finish the sentence "customers who …"."""
    channel = next(each.channel for each in campaign.treatments if each.key == key)
    known = catalogue.channels.get(channel)
    return f"{'got' if done else 'would get'} {key}, by {known.title if known else channel}"


def _line(words: str, count: int, whole: int) -> Line:
    return Line(words=words, count=present.number(count), share=present.share(count, whole))


def _finding(counts: Counts, campaign: Campaign, catalogue: Catalogue, *, chosen: int, done: bool) -> str:
    total = counts.customers
    if not total:
        return "Nobody has been looked at yet." if done else "Nobody is enrolled, so nobody would be addressed."
    verb = "were addressed" if done else "would be addressed"
    first = f"{present.number(chosen)} of {present.counted(total, 'customer')} ({present.share(chosen, total)}) {verb}."
    if not counts.reasons:
        return first
    reason, count = counts.most_first[0]
    why = reason_in_words(reason, campaign, catalogue)
    return f"{first} The largest group of the others, {present.number(count)}, {why}."


def _bars(counts: Counts) -> tuple[Bar, ...]:
    total = left = counts.customers
    bars = [Bar(label="All customers", value=present.number(total), solid=length(total, total), lost=0)]
    for stage in LEAVING:
        lost = counts.stages[stage.name.lower()]
        left -= lost
        bars.append(
            Bar(
                label=STAGES[stage],
                value=present.number(left),
                solid=length(left, total),
                lost=length(lost, total),
                note=f"−{present.number(lost)}" if lost else "",
            )
        )
    return tuple(bars)
