"""PURE: what was between the company and a customer, as he reads it: decisions, goodwill, what he was promised."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.pages.words import Words
from consent.base.clock import parse_time
from consent.catalogue.model import Catalogue
from personalise.contact_policy.model import THOUSANDTHS, Goodwill

Row = Mapping[str, Any]
To = Callable[[str], str]
"""From a decision to the address of the page that explains it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One decision: what came of it, why, and on which data. `stop` leads to the choice that it hangs on."""

    anchor: str
    state: str
    state_name: str
    title: str
    why: str
    used: str
    when: str
    entry: str
    stop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an account; `why` leads to the decision behind it, if there is one."""

    name: str
    amount: str
    left: str
    when: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of goodwill; `floor` is "" where there is none."""

    balance: str
    opening: str
    floor: str
    off: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """An offer that holds: its terms, by name, and until when."""

    terms: tuple[tuple[str, str], ...]
    until: str


def decided(rows: Iterable[Row], catalogue: Catalogue, said: Words) -> list[Decided]:
    """Return decisions in words, in the order in which they come."""
    return [_decided(row, catalogue, said) for row in rows]


def _decided(row: Row, catalogue: Catalogue, said: Words) -> Decided:
    chosen = row["chosen"] is not None
    purpose = catalogue.purposes.get(row["purpose"])
    title = said.say("dealings", "for", purpose=purpose.title_in(said.code) if purpose else row["purpose"])
    if chosen:
        channel = catalogue.channels.get(row["contact"].split(":")[1])
        name = channel.title_in(said.code) if channel else row["contact"].split(":")[1]
        title = said.say(
            "dealings", "by_channel", channel=name, purpose=purpose.title_in(said.code) if purpose else row["purpose"]
        )
    known = catalogue.categories
    used = [known[key].title_in(said.code) if key in known else key for key in row["categories_used"]]
    return Decided(
        anchor=row["decision"].replace(".", "-"),
        state="yes" if chosen else "stopped",
        state_name=said.say("dealings", "got" if chosen else "got_none"),
        title=title,
        why=row["explanation"] or said.say("dealings", "gone"),
        used=said.listed(used) or said.say("dealings", "used_none"),
        when=said.moment(parse_time(row["at"])),
        entry=said.say("dealings", "entry", position=said.number(row["position"])),
        stop=row["contact"].replace(":", "-") if chosen and row["contact"] in catalogue.scopes else "",
    )


def account(rows: list[Row], terms: Goodwill, to: To, said: Words) -> Account:
    """Return an account, its newest line first; of whom nothing was booked for, as it would open.

    Args:
        rows: the account's lines, the first first.
        terms: what contacts cost now.
        to: where decisions are explained.
        said: the language of the page.
    """
    balance = rows[-1]["balance"] if rows else terms.opening
    opening = rows[0]["amount"] if rows else terms.opening
    return Account(
        balance=points(balance, said),
        opening=points(opening, said),
        floor="" if terms.floor is None or not terms.judges else points(terms.floor, said),
        off=not terms.judges,
        lines=tuple(_line(row, to, said) for row in reversed(rows)),
    )


def _line(row: Row, to: To, said: Words) -> Line:
    amount = points(abs(row["amount"]), said)
    sign = "−" if row["amount"] < 0 else "+" if row["amount"] else ""
    return Line(
        name=said.say("dealings", f"kind_{row['kind']}"),
        amount=f"{sign}{amount}",
        left=said.say("dealings", "left", points=points(row["balance"], said)),
        when=said.moment(parse_time(row["at"])),
        why=to(row["decision"]) if row["decision"] else "",
    )


def points(value: float, said: Words) -> str:
    """Return an amount of goodwill.

    >>> from api.pages.words import words
    >>> points(1.0, words("en")), points(1234.5, words("de")), points(-0.25, words("en"))
    ('1 point', '1.234,5 Punkte', '−0.25 points')
    """
    whole, part = divmod(abs(round(value * THOUSANDTHS)), THOUSANDTHS)
    rest = f"{part:03}".rstrip("0")
    number = said.number(whole) + (f"{said.texts['decimal']}{rest}" if rest else "")
    signed = f"−{number}" if value < 0 else number
    return said.count("dealings", "points", value, n=signed)


def promised(rows: Iterable[Row], at: datetime, said: Words) -> list[Promised]:
    """Return what still holds of what was promised."""
    return [
        Promised(
            terms=tuple((_name(name), str(term)) for name, term in (row["terms"] or {}).items()),
            until=said.say("dealings", "promised_until", moment=said.moment(parse_time(row["until"]))),
        )
        for row in rows
        if parse_time(row["until"]) > at
    ]


def _name(term: str) -> str:
    return term.replace("_", " ").capitalize()


MOST: Final = 20
"""Decisions on one page."""
