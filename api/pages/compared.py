"""PURE: two policies over the same customers in words: who changes, who gains, who loses, and what it costs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.pages import present
from api.pages.foreseen import (
    AMOUNTS,
    UNKNOWN,
    amount_in_words,
    channel_in_words,
    outcomes_in_words,
    plain,
    quota_in_words,
)
from api.pages.reasons import STAGES, reason_in_words
from personalise.campaigns.model import LEAVE_ALONE
from personalise.runs.comparing import Compared
from personalise.runs.crosstab import HOLDOUT
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.stages import LEAVING

_COUNTED: Final = {
    "holdout": "Held out by chance, to measure against",
    "left_alone": "Left alone, because nothing is worth it to them",
    "deferred": "Held back for now, and decided about again later",
}

Told = Mapping[str, Any]
"""What `Compared.as_json` tells, or a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a table: what it is about, its value under A and under B, and B less A."""

    words: str
    a: str
    b: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How many customers go from what under A to what under B."""

    before: str
    after: str
    count: str
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The cross table; `changed` and `kept` add up to all customers."""

    changed: tuple[Move, ...]
    kept: tuple[Move, ...]
    changed_sum: Move
    kept_sum: Move
    sum: Move


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Customers whom only one of the two addresses, by why the other doesn't; `lines` add up to `count`."""

    title: str
    count: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two policies, as the page shows them."""

    finding: str
    a: str
    b: str
    """What each is made of."""
    moves: Moves
    stages: tuple[Line, ...]
    totals: tuple[Line, ...]
    left: tuple[Left, ...]
    two_campaigns: bool
    """They are of two campaigns, whose treatments count as the same where they have the same key."""


def compared(found: Compared) -> Comparison:
    """Return a comparison in words."""
    told = found.as_json()
    return Comparison(
        finding=_finding(told),
        a=_made_of(found.a),
        b=_made_of(found.b),
        moves=_moves(told, found),
        stages=tuple(_stages(told["a"], told["b"])),
        totals=tuple(_totals(told, found)),
        two_campaigns=found.a.campaign.key != found.b.campaign.key,
        left=tuple(
            each
            for each in (
                _left("Whom B addresses and A doesn't: why not by A", told["gain"], found.a),
                _left("Whom A addresses and B doesn't: why not by B", told["lose"], found.b),
            )
            if each.lines
        ),
    )


def _made_of(policy: Policy) -> str:
    rules = policy.contact_policy.version
    under = f"version {rules} of the contact policy" if rules else "no contact policy"
    return f"{policy.campaign.name}, version {policy.version}, under {under}"


def _finding(told: Told) -> str:
    """Return who changes, in one sentence."""
    total, changed = told["a"]["customers"], told["changed"]
    gain, lose = told["gain"]["customers"], told["lose"]["customers"]
    if not total:
        return "Nobody is enrolled, so there is nobody to decide for."
    if not changed:
        return f"Nothing changes for any of {present.counted(total, 'customer')}: both do the same."
    rest = changed - gain - lose
    parts = [
        *([f"B addresses {present.number(gain)} whom A doesn't"] if gain else []),
        *([f"A addresses {present.number(lose)} whom B doesn't"] if lose else []),
        *([f"for {present.number(rest)} something else changes"] if rest else []),
    ]
    share = present.share(changed, total)
    verb = "changes" if changed == 1 else "change"
    return (
        f"{present.number(changed)} of {present.counted(total, 'customer')} ({share}) {verb}: {present.listed(parts)}."
    )


def _moves(told: Told, found: Compared) -> Moves:
    total = told["a"]["customers"]
    lines = [
        (one["from"] == one["to"],
         _move(_action(one["from"], found.a), _action(one["to"], found.b), one["customers"], total))
        for one in told["moves"]
    ]  # fmt: skip
    return Moves(
        changed=tuple(move for same, move in lines if not same),
        kept=tuple(move for same, move in lines if same),
        changed_sum=_move("", "", told["changed"], total),
        kept_sum=_move("", "", total - told["changed"], total),
        sum=_move("", "", total, total),
    )


def _move(before: str, after: str, count: int, total: int) -> Move:
    return Move(before=before, after=after, count=present.number(count), share=present.share(count, total))


def _action(name: str, policy: Policy) -> str:
    """Return what is done with a customer, as a cell has it."""
    if name == LEAVE_ALONE:
        return "not addressed"
    key = name.removeprefix(HOLDOUT)
    channels = {each.key: each.channel for each in policy.campaign.treatments}
    what = f"{key}, by {channel_in_words(channels[key], policy.catalogue)}" if key in channels else key
    return f"held out by chance (else {what})" if name.startswith(HOLDOUT) else what


def _stages(a: Told, b: Told) -> Iterator[Line]:
    """Walk who is left after each stage, under both; the last line is who would be addressed."""
    first, second = a["customers"], b["customers"]
    yield _line("All customers", first, second)
    for stage in LEAVING:
        first -= a["stages"][stage.name.lower()]
        second -= b["stages"][stage.name.lower()]
        yield _line(STAGES[stage], first, second)


def _totals(told: Told, found: Compared) -> Iterator[Line]:
    """Walk what each of the two comes to."""
    a, b = told["a"], told["b"]
    yield _line("Would be addressed", sum(a["chosen"].values()), sum(b["chosen"].values()))
    for key in sorted({*a["contacts"], *b["contacts"]}):
        name = channel_in_words(key, found.a.catalogue)
        yield _line(f"of these by {name}", a["contacts"].get(key, 0), b["contacts"].get(key, 0))
    for key, words in _COUNTED.items():
        yield _line(words, a[key], b[key])
    yield _line(outcomes_in_words(a["outcome"], b["outcome"]), a["expected_outcomes"], b["expected_outcomes"])
    for key, words in AMOUNTS.items():
        yield _line(words, a[key], b[key])
    for key in sorted({*a["quotas"], *b["quotas"]}):
        yield _line(quota_in_words(key), a["quotas"].get(key), b["quotas"].get(key))


def _line(words: str, a: float | None, b: float | None) -> Line:
    more = UNKNOWN if a is None or b is None else _more(b - a)
    return Line(words=words, a=amount_in_words(a), b=amount_in_words(b), more=more)


def _more(difference: float) -> str:
    """Return a difference with its sign.

    >>> _more(3), _more(-1200), _more(0), _more(0.25)
    ('+3', '−1,200', '0', '+0.25')
    """
    written = plain(abs(difference))
    return written if float(written.replace(",", "")) == 0 else f"{'+' if difference > 0 else '−'}{written}"


def _left(title: str, told: Told, policy: Policy) -> Left:
    lines = tuple(
        (reason_in_words(reason, policy.campaign, policy.catalogue), present.number(count))
        for reason, count in told["reasons"].items()
    )
    return Left(title=title, count=present.number(told["customers"]), lines=lines)
