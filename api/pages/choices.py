"""PURE: a customer's choices as cards: what is asked, in which words, and what stands.

What stands is judged by the same rules as a check, scope by scope; that the customer has paused or restricted
everything is said once, above the cards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from api.asking import anchor
from api.pages.facts import label
from api.pages.words import FIRST, Words
from consent.base.clock import from_ms, to_ms
from consent.catalogue.duration import Duration
from consent.catalogue.model import (
    ASKED,
    SERVICE,
    Catalogue,
    Category,
    Channel,
    LegalBasis,
    Notice,
    Recipient,
    ScopeRule,
)
from consent.permission.standing import (
    FOREVER,
    RESTRICTED,
    SUPPRESSED,
    VALID,
    ScopeStanding,
    Standing,
    birth_limit,
)
from consent.permission.verdict import Reason, scope_reason

State = Literal[
    "yes", "no", "unasked", "pending", "expired", "stale", "objected", "gpc", "minor", "runs", "needed", "paused"
]
Answer = Literal["yes", "no", ""]

_STATES: Final[Mapping[Reason, State]] = {
    Reason.PERMIT: "yes",
    Reason.OBJECTED: "objected",
    Reason.WITHDRAWN: "no",
    Reason.REFUSED: "no",
    Reason.NOTICE_STALE: "stale",
    Reason.EXPIRED: "expired",
    Reason.PENDING_CONFIRMATION: "pending",
    Reason.GPC: "gpc",
}
_ANSWERS: Final[Mapping[State, Answer]] = {
    "yes": "yes", "pending": "yes", "minor": "yes", "no": "no", "objected": "no",
}  # fmt: skip
_NEVER_S: Final = 2**32 - 1
_SERVICE: Final = "service"
_SECTIONS: Final = ("data", "contact", "share", "interest", _SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One scope as the customer sees it."""

    scope: str
    anchor: str
    operation: str
    title: str
    wording: str
    language: str
    """Of the wording; the catalogue may lack the page's."""
    notice: int
    """Version of the wording; 0 where there is none."""
    version: str
    benefit: str
    state: State
    state_name: str
    meaning: str
    asks: Literal["answer", "object", "allow", ""]
    was: Answer
    """The answer that stands: what a form that nobody touched sends back."""
    chosen: Answer
    """The answer that is filled in."""
    basis: str
    covers: str
    kept: str
    holds: str
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Cards of one kind."""

    key: str
    title: str
    intro: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """All that a customer can decide, and what overrides it at the moment."""

    sections: tuple[Section, ...]
    """What he decides."""
    service: tuple[Section, ...]
    """What is not his to decide, and is told; one section, or none."""
    above: tuple[str, ...]
    asked: int
    """How many questions there are to answer."""
    paused: bool
    honours: tuple[str, ...] = ()
    """What is said of a browser that opts out (Sec-GPC): that it is heeded, and what it stops."""
    youngest: int = 0
    """The highest age that something here takes, where his isn't known to reach it; 0 where nothing does."""


def state_of(
    rule: ScopeRule, stands: ScopeStanding, at: datetime, *, born_by: int = FOREVER, opted_out: bool = False
) -> State:
    """Return what a scope's standing is called on the pages.

    Args:
        rule: of the scope.
        stands: the newest answer.
        at: the instant to judge at.
        born_by: the latest instant (ms) at which the customer can have been born.
        opted_out: his browser opts out, or did (Sec-GPC).
    """
    if rule.legal_basis in SERVICE:
        return "needed"
    reason = scope_reason(rule, stands, at_ms=to_ms(at), born_by=born_by, opted_out=opted_out)
    if reason is Reason.MINOR and stands.status in VALID:
        return "minor"
    if reason is Reason.MINOR:  # whatever his age: he said no, or nothing
        grown = birth_limit(at, rule.minimum_age)
        reason = scope_reason(rule, stands, at_ms=to_ms(at), born_by=grown, opted_out=opted_out)
    if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST and reason is not Reason.GPC:
        return "runs" if reason is Reason.PERMIT else "objected"
    return _STATES.get(reason, "unasked")


def answer_of(state: State) -> Answer:
    """Return the answer that a state amounts to; none where the question is open (again).

    >>> answer_of("yes"), answer_of("expired")
    ('yes', '')
    """
    return _ANSWERS.get(state, "")


def wording(notice: Notice | None, language: str) -> tuple[str, str]:
    """Return a notice's words and the language they are in: the one asked for, English, or any; both "" for none."""
    if notice is None:
        return "", ""
    spoken = next(code for code in (language, FIRST, *notice.wording) if code in notice.wording)
    return notice.wording[spoken], spoken


def title_of(rule: ScopeRule, catalogue: Catalogue, words: Words) -> str:
    """Return what a scope is about, in words."""
    targets: Mapping[str, Mapping[str, Category | Channel | Recipient]] = {
        "remember": catalogue.categories, "use": catalogue.categories,
        "contact": catalogue.channels, "share": catalogue.recipients,
    }  # fmt: skip
    known = targets[rule.operation].get(rule.target)
    purpose = catalogue.purposes.get(rule.purpose)
    return words.say(
        "operations",
        f"{rule.operation}_title",
        target=known.title_in(words.code) if known else rule.target,
        purpose=purpose.title_in(words.code) if purpose else rule.purpose,
    )


def name_of(rule: ScopeRule, catalogue: Catalogue, words: Words) -> str:
    """Return a scope's full name: what would be done, and with what."""
    operation = words.say("operations", rule.operation)
    return words.say("operations", "named", operation=operation, title=title_of(rule, catalogue, words))


def choices(
    catalogue: Catalogue,
    standing: Standing,
    said_at: Mapping[int, datetime],
    *,
    at: datetime,
    words: Words,
    signal: bool = False,
) -> Choices:
    """Return every scope of the catalogue as a card, in sections, in the order of presentation.

    Args:
        catalogue: in force.
        standing: of the customer.
        said_at: when the statement at each ledger position was said.
        at: the instant to judge at.
        words: the language of the page.
        signal: the browser that asks for the page opts out.
    """
    cards: dict[str, list[Card]] = {key: [] for key in _SECTIONS}
    for rule in catalogue.in_order:
        card = _card(rule, catalogue, standing, said_at, at=at, words=words, signal=signal)
        cards[_section(rule)].append(card)
    titled = [_titled(key, inside, words) for key, inside in cards.items() if inside]
    return Choices(
        sections=tuple(each for each in titled if each.key != _SERVICE),
        service=tuple(each for each in titled if each.key == _SERVICE),
        above=tuple(above(standing, at, words)),
        asked=sum(rule.legal_basis in ASKED for rule in catalogue.in_order),
        paused=to_ms(at) < standing.paused_until,
        honours=tuple(_honours(catalogue, words)) if signal or standing.gpc else (),
        youngest=_youngest(catalogue, standing, at),
    )


def answered_again(
    shown: Choices, answers: Mapping[str, str], changed: Iterable[str], ticked: Iterable[str]
) -> Choices:
    """Return the choices with a form's answers filled in again; where the wording has changed the answer is open.

    Args:
        shown: as they stand.
        answers: by scope.
        changed: the scopes whose wording has changed.
        ticked: the scopes that were objected to, or whose objection was taken back.
    """
    again, boxes = frozenset(changed), frozenset(ticked)

    def filled(card: Card) -> Card:
        if card.scope in again:
            return replace(card, chosen="", changed=True)
        if card.asks in ("object", "allow"):
            return replace(card, chosen="yes" if card.scope in boxes else card.chosen)
        given = answers.get(card.scope, "")
        return replace(card, chosen="yes" if given == "yes" else "no" if given == "no" else card.chosen)

    sections = tuple(replace(each, cards=tuple(map(filled, each.cards))) for each in shown.sections)
    return replace(shown, sections=sections)


def _honours(catalogue: Catalogue, words: Words) -> Iterable[str]:
    """Say that a browser's wish is heeded, and what it stops here."""
    stopped = [rule for rule in catalogue.in_order if rule.gpc and rule.legal_basis not in SERVICE]
    yield words.say("gpc", "honoured")
    if not stopped:
        yield words.say("gpc", "nothing")
        return
    yield words.say("gpc", "stops", names=words.listed(name_of(rule, catalogue, words) for rule in stopped))
    yield words.say("gpc", "over")


def _youngest(catalogue: Catalogue, standing: Standing, at: datetime) -> int:
    ages = {rule.minimum_age for rule in catalogue.in_order if rule.minimum_age}
    return max((age for age in ages if standing.born_by > birth_limit(at, age)), default=0)


def _section(rule: ScopeRule) -> str:
    if rule.legal_basis in SERVICE:
        return _SERVICE
    if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST:
        return "interest"
    return rule.operation if rule.operation in ("contact", "share") else "data"


def _titled(key: str, cards: list[Card], words: Words) -> Section:
    return Section(
        key=key,
        title=words.say("sections", key),
        intro=words.say("sections", f"{key}_intro"),
        cards=tuple(cards),
    )


def above(standing: Standing, at: datetime, words: Words) -> Iterable[str]:
    """Walk what holds of a customer as a whole, whatever he allowed."""
    if standing.states & SUPPRESSED:
        yield words.say("customer", "suppressed")
    if standing.states & RESTRICTED:
        yield words.say("customer", "restricted")
    if standing.paused_until == FOREVER:
        yield words.say("customer", "paused_for_good")
    elif to_ms(at) < standing.paused_until:
        yield words.say("customer", "paused", until=words.moment(from_ms(standing.paused_until)))


def _card(
    rule: ScopeRule,
    catalogue: Catalogue,
    standing: Standing,
    said_at: Mapping[int, datetime],
    *,
    at: datetime,
    words: Words,
    signal: bool,
) -> Card:
    stands = standing.of(rule.bit)
    state = state_of(rule, stands, at, born_by=standing.born_by, opted_out=signal or standing.gpc > 0)
    notice = catalogue.current_notice(rule.notice)
    text, language = wording(notice, words.code)
    version = notice.version if notice else 0
    answer = answer_of(state) if rule.legal_basis in ASKED else ""
    return Card(
        scope=rule.scope,
        anchor=anchor(rule.scope),
        operation=words.say("operations", rule.operation),
        title=title_of(rule, catalogue, words),
        wording=text,
        language=language,
        notice=version,
        version=words.say("choices", "wording_version", version=version) if notice else "",
        benefit=rule.benefit_in(words.code),
        state=state,
        state_name=words.say("states", state),
        meaning=meaning_of(rule, state, stands, said_at, words),
        asks=_asks(rule, state),
        was=answer,
        chosen=answer,
        basis=words.say("bases", rule.legal_basis.value),
        covers=_covers(rule, catalogue, words),
        kept=_duration(rule.retention, words),
        holds=_holds(rule, words),
    )


def _asks(rule: ScopeRule, state: State) -> Literal["answer", "object", "allow", ""]:
    if rule.legal_basis in ASKED:
        return "answer"
    if rule.legal_basis is not LegalBasis.LEGITIMATE_INTEREST:
        return ""
    return "object" if state == "runs" else "allow" if state in ("objected", "gpc") else ""


def meaning_of(
    rule: ScopeRule, state: State, stands: ScopeStanding, said_at: Mapping[int, datetime], words: Words
) -> str:
    """Return one sentence on what a state means: since when, until when, from which age on."""
    since = said_at.get(stands.position) if stands.status else None
    until = "" if stands.expires == _NEVER_S else words.date(from_ms(stands.expires * 1000))
    key = "yes_until" if state == "yes" and until else "adults" if state == "unasked" and rule.minimum_age else state
    return words.say("meanings", key, since=words.date(since) if since else "?", until=until, age=rule.minimum_age)


def forgets(rule: ScopeRule, before: ScopeStanding, now: ScopeStanding) -> bool:
    """Say whether a change from one standing to the next has deleted what was remembered."""
    return rule.operation == "remember" and before.status in VALID and now.status not in VALID


def _covers(rule: ScopeRule, catalogue: Catalogue, words: Words) -> str:
    category = catalogue.categories.get(rule.target) if rule.operation in ("remember", "use") else None
    return " · ".join(label(item.name, words) for item in category.attributes) if category else ""


def _holds(rule: ScopeRule, words: Words) -> str:
    if rule.legal_basis not in ASKED:
        return ""
    return _duration(rule.validity, words) or words.say("choices", "without_end")


def _duration(length: Duration | None, words: Words) -> str:
    if length is None:
        return ""
    months = words.count("choices", "months", length.months) if length.months else ""
    days = words.count("choices", "days", length.days) if length.days else ""
    return words.listed(part for part in (months, days) if part)
