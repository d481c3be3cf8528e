"""What stands and what it permits, after the words of the rules, in plain lists and dicts; slow, and on its own.

Nothing of the product is imported: what agrees with this was understood twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

ASKED = ("consent", "explicit_consent")
SERVICE = ("contract", "legal_obligation")
OWN_WORDS = ("web_form", "phone", "paper", "confirmation")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Word(NamedTuple):
    """A statement with its place in the ledger; times are milliseconds."""

    seq: int
    said_at: int
    act: str
    scopes: tuple[str, ...] = ()
    notices: Mapping[str, int] = {}
    ends: Mapping[str, int] = {}
    pending: Collection[str] = ()
    until: int | None = None
    own: bool = True
    age: int = 0
    guardian: bool = False
    material: Mapping[str, int] = {}
    merged: bool = False
    gains: Mapping[str, int] | None = None
    at_least: bool = False


@dataclass
class Answer:
    """The newest answer on one scope; `ends` is in milliseconds, whole seconds, None for never."""

    status: str
    position: int
    notice: int = 0
    ends: int | None = None
    pending: bool = False
    guardian: bool = False
    over_gpc: bool = False


@dataclass
class Stands:
    """What stands for one customer.

    `paused_until` and `born_by` are in milliseconds, None for not paused and for no age; `gpc` is where his browser's
    newest wish stands, None for none.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    restricted: bool = False
    paused_until: float | None = None
    last_said: int = 0
    counter: int = 0
    born_by: int | None = None
    gpc: int | None = None


class Rule(NamedTuple):
    """All that a verdict needs to know of a scope's rule."""

    scope: str
    basis: str
    material_since: int = 0
    minimum_age: int = 0
    gpc: bool = False


def word(seq: int, said: Mapping[str, Any]) -> Word:
    """Read a statement as a payload holds it."""
    scopes = tuple(said.get("scopes", ()))
    ends = zip(scopes, said.get("valid_until", ()), strict=False)
    pending = tuple(said.get("awaiting", ()))
    return Word(
        seq=seq,
        said_at=ms(said["said_at"]),
        act=said["act"],
        scopes=scopes,
        notices=dict(zip(scopes, said.get("notices", ()), strict=False)),
        ends={scope: ms(end) for scope, end in ends if end},
        pending=pending,
        until=ms(said["until"]) if "until" in said else None,
        own=said["method"] in OWN_WORDS,
        age=said.get("age", 0),
        guardian=said.get("guardian", False),
        merged=said["method"] == "merged",
        material=dict(zip(pending, said.get("material", ()), strict=False)),
        gains=dict(zip(pending, said["gains"], strict=True)) if "gains" in said else None,
        at_least=said.get("at_least", False),
    )


def ms(text: str) -> int:
    """Read RFC 3339 with three decimals as milliseconds since 1970."""
    whole, thousandths = text.removesuffix("Z").split(".")
    return int(datetime.fromisoformat(whole + "+00:00").timestamp()) * 1000 + int(thousandths)


def stands(words: Iterable[Word]) -> Stands:
    """Fold statements by the time said, ties by position."""
    found = Stands()
    for each in sorted(words, key=lambda one: (one.said_at, one.seq)):
        found.counter += 1
        found.last_said = max(found.last_said, each.said_at)
        _halt(found, each)
        for scope in each.scopes:
            _hear(found.answers, scope, each, opted_out=found.gpc is not None)
        if each.act == "refuse" and not each.scopes:
            found.gpc = each.seq
            for answer in found.answers.values():
                answer.over_gpc = False
        if each.age:
            born = years_before(each.said_at, each.age)
            corrected = each.act == "invalidate" or found.born_by is None
            found.born_by = born if corrected else _born_by(found.born_by or born, born)
    return found


def _born_by(one: int, other: int) -> int:
    """Return the tighter of two bounds; of two that lie a year apart, and so can't both be true, the younger's."""
    apart = years_before(max(one, other), 1) >= min(one, other)
    return max(one, other) if apart else min(one, other)


def _halt(found: Stands, said: Word) -> None:
    if said.act in ("restrict", "lift"):
        found.restricted = said.act == "restrict"
    elif said.act == "pause":
        ends = float("inf") if said.until is None else said.until
        found.paused_until = max(ends, found.paused_until or 0) if said.at_least else ends
    elif said.act == "resume":
        found.paused_until = None


def years_before(at: int, years: int) -> int:
    """Return the same day and hour so many years before, in milliseconds; of a 29 February, mostly the 28th."""
    day = EPOCH + timedelta(milliseconds=at)
    try:
        day = day.replace(year=day.year - years)
    except ValueError:
        day = day.replace(year=day.year - years, day=28)
    return (day - EPOCH) // timedelta(milliseconds=1)


def _hear(answers: dict[str, Answer], scope: str, said: Word, *, opted_out: bool) -> None:
    was = answers.get(scope)
    valid = was is not None and was.status in ("given", "renewed")
    ends = said.ends[scope] // 1000 * 1000 if scope in said.ends else None
    notice = said.notices.get(scope, 0)
    knowingly = opted_out and (said.own or bool(was and valid and was.over_gpc))
    if said.act == "grant":
        if scope in said.pending and was and valid and _changes_nothing(was, said, scope, knowingly=knowingly):
            return
        answers[scope] = Answer("given", said.seq, notice, ends, scope in said.pending, said.guardian, knowingly)
    elif said.act == "renew" and was and valid:
        guardian = said.guardian or (was.guardian and said.merged)
        over = was.over_gpc or knowingly
        answers[scope] = Answer("renewed", said.seq, notice or was.notice, ends, was.pending, guardian, over)
    elif said.act == "object":
        answers[scope] = Answer("objected", said.seq, notice)
    elif said.act in ("refuse", "withdraw") and not (was and was.status == "objected"):
        answers[scope] = Answer("refused" if said.act == "refuse" else "withdrawn", said.seq, notice)
    elif said.act == "invalidate" and was and valid:
        answers[scope] = Answer("invalidated", said.seq, was.notice)
    elif said.act == "request" and was is None:
        answers[scope] = Answer("requested", said.seq, notice)


def _changes_nothing(was: Answer, said: Word, scope: str, *, knowingly: bool) -> bool:
    """Say whether an address that was confirmed and still counts is only handed in again."""
    counts = not was.pending and was.notice >= said.material.get(scope, 0)
    gains = 6 if said.gains is None else said.gains.get(scope, 0)  # 2: a guardian's word counts, 4: a browser's does
    adds = (said.guardian and not was.guardian and gains & 2) or (knowingly and not was.over_gpc and gains & 4)
    return counts and not adds and (was.ends is None or said.said_at < was.ends)


def reason(now: int, what: Stands, rule: Rule | None, remember: Rule | None = None, *, signal: bool = False) -> str:
    """Return the first reason that holds, by name, or `PERMIT`."""
    if what.restricted:
        return "RESTRICTED"
    if what.paused_until is not None and now < what.paused_until and not (rule and rule.basis in SERVICE):
        return "PAUSED"
    if rule is None:
        return "UNKNOWN_SCOPE"
    first = _of_scope(now, what, rule, signal=signal)
    if first == "PERMIT" and remember and _of_scope(now, what, remember, signal=signal) != "PERMIT":
        return "REMEMBER_MISSING"
    return first


def _of_scope(now: int, what: Stands, rule: Rule, *, signal: bool) -> str:
    answer = what.answers.get(rule.scope, Answer("unknown", 0, 0))
    minor = bool(rule.minimum_age) and not _old_enough(now, what, rule, answer)
    signalled = rule.gpc and (signal or what.gpc is not None)
    asked = rule.basis in ASKED
    in_order = {
        "MINOR": minor,
        "PERMIT": rule.basis in SERVICE,
        "OBJECTED": answer.status == "objected",
        "WITHDRAWN": answer.status == "withdrawn",
        "REFUSED": answer.status == "refused",
        "GPC": signalled and not answer.over_gpc,
        "REQUESTED": asked and answer.status == "requested",
        "NO_RECORD": answer.status == "invalidated" or (asked and answer.status == "unknown"),
        "NOTICE_STALE": asked and answer.notice < rule.material_since,
        "EXPIRED": asked and answer.ends is not None and now >= answer.ends,
        "PENDING_CONFIRMATION": asked and answer.pending,
    }
    return next((name for name, holds in in_order.items() if holds), "PERMIT")


def _old_enough(now: int, what: Stands, rule: Rule, answer: Answer) -> bool:
    """Say whether he is known to be of age, or is known to be younger and somebody said yes for him."""
    if what.born_by is None:
        return False
    return answer.guardian or what.born_by <= years_before(now, rule.minimum_age)
