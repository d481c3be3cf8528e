"""What stands and what it permits, after the words of the rules, in plain lists and dicts; slow, and on its own.

Nothing of the product is imported: what agrees with this was understood twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

ASKED = ("consent", "explicit_consent")
SERVICE = ("contract", "legal_obligation")


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


@dataclass
class Answer:
    """The newest answer on one scope; `ends` is in milliseconds, whole seconds, None for never."""

    status: str
    position: int
    notice: int = 0
    ends: int | None = None
    pending: bool = False


@dataclass
class Stands:
    """What stands for one customer; `paused_until` is in milliseconds, None for not paused."""

    answers: dict[str, Answer] = field(default_factory=dict)
    restricted: bool = False
    paused_until: float | None = None
    last_said: int = 0
    counter: int = 0


class Rule(NamedTuple):
    """All that a verdict needs to know of a scope's rule."""

    scope: str
    basis: str
    material_since: int = 0


def word(seq: int, said: Mapping[str, Any]) -> Word:
    """Read a statement as a payload holds it."""
    scopes = tuple(said.get("scopes", ()))
    ends = zip(scopes, said.get("valid_until", ()), strict=False)
    return Word(
        seq=seq,
        said_at=ms(said["said_at"]),
        act=said["act"],
        scopes=scopes,
        notices=dict(zip(scopes, said.get("notices", ()), strict=False)),
        ends={scope: ms(end) for scope, end in ends if end},
        pending=tuple(said.get("awaiting", ())),
        until=ms(said["until"]) if "until" in said else None,
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
        if each.act == "restrict":
            found.restricted = True
        elif each.act == "lift":
            found.restricted = False
        elif each.act == "pause":
            found.paused_until = float("inf") if each.until is None else each.until
        elif each.act == "resume":
            found.paused_until = None
        for scope in each.scopes:
            _hear(found.answers, scope, each)
    return found


def _hear(answers: dict[str, Answer], scope: str, said: Word) -> None:
    was = answers.get(scope)
    valid = was is not None and was.status in ("given", "renewed")
    ends = said.ends[scope] // 1000 * 1000 if scope in said.ends else None
    notice = said.notices.get(scope, 0)
    if said.act == "grant":
        answers[scope] = Answer("given", said.seq, notice, ends, scope in said.pending)
    elif said.act == "renew" and was and valid:
        answers[scope] = Answer("renewed", said.seq, notice or was.notice, ends, was.pending)
    elif said.act == "object":
        answers[scope] = Answer("objected", said.seq, notice)
    elif said.act in ("refuse", "withdraw") and not (was and was.status == "objected"):
        answers[scope] = Answer("refused" if said.act == "refuse" else "withdrawn", said.seq, notice)
    elif said.act == "invalidate" and was and valid:
        answers[scope] = Answer("invalidated", said.seq, was.notice)
    elif said.act == "request" and was is None:
        answers[scope] = Answer("requested", said.seq, notice)


def reason(now: int, what: Stands, rule: Rule | None, remember: Rule | None = None) -> str:
    """Return the first reason that holds, by name, or `PERMIT`."""
    if what.restricted:
        return "RESTRICTED"
    if what.paused_until is not None and now < what.paused_until and not (rule and rule.basis in SERVICE):
        return "PAUSED"
    if rule is None:
        return "UNKNOWN_SCOPE"
    first = _of_scope(now, what.answers.get(rule.scope), rule)
    if first == "PERMIT" and remember and _of_scope(now, what.answers.get(remember.scope), remember) != "PERMIT":
        return "REMEMBER_MISSING"
    return first


def _of_scope(now: int, answer: Answer | None, rule: Rule) -> str:
    status = answer.status if answer else "unknown"
    if rule.basis in SERVICE:
        return "PERMIT"
    if status in ("objected", "withdrawn", "refused"):
        return status.upper()
    if rule.basis not in ASKED:
        return "PERMIT"
    if answer is None or status in ("invalidated", "requested"):
        return "REQUESTED" if status == "requested" else "NO_RECORD"
    in_order = {
        "NOTICE_STALE": answer.notice < rule.material_since,
        "EXPIRED": answer.ends is not None and now >= answer.ends,
        "PENDING_CONFIRMATION": answer.pending,
        "PERMIT": True,
    }
    return next(name for name, holds in in_order.items() if holds)
