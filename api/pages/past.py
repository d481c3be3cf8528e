"""What a customer said, as he reads it: in words, with the wording that he saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.pages.answers import receipt_path
from api.pages.choices import State, name_of, state_of, wording
from api.pages.words import Words
from consent.base.ids import Scope
from consent.base.store import Work
from consent.catalogue.model import SERVICE, Catalogue, Notice
from consent.ledger import entry, log
from consent.permission.standing import Standing
from consent.permission.statement import GIVING, Act
from consent.register.desk import Desk
from consent.register.history import Said

_MARKS: Final = {
    Act.GRANT: "yes", Act.RENEW: "yes", Act.RESUME: "yes", Act.LIFT: "yes",
    Act.REFUSE: "no", Act.WITHDRAW: "no", Act.PAUSE: "no", Act.RESTRICT: "no",
    Act.OBJECT: "objected", Act.INVALIDATE: "expired", Act.REQUEST: "unasked",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One scope of a statement: its name, the wording shown, and until when it was to hold."""

    name: str
    wording: str
    language: str
    version: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One statement."""

    anchor: str
    mark: str
    act: str
    when: str
    how: str
    entry: str
    receipt: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """How one scope stood at a past time."""

    name: str
    state: State
    state_name: str


def stood(catalogue: Catalogue | None, standing: Standing, *, at: datetime, words: Words) -> list[Stood]:
    """Return how every scope of a past catalogue stood at a past time; what needs no asking is left out.

    Args:
        catalogue: in force at that time; None where there was none yet.
        standing: of the customer, at that time.
        at: that time.
        words: the language of the page.
    """
    found: list[Stood] = []
    if catalogue is None:
        return found
    for rule in catalogue.in_order:
        if rule.legal_basis in SERVICE:
            continue
        stands = standing.of(rule.bit)
        state = state_of(rule, stands, at, born_by=standing.born_by, opted_out=standing.gpc > 0)
        found.append(Stood(name=name_of(rule, catalogue, words), state=state, state_name=words.say("states", state)))
    return found


def past(desk: Desk, work: Work, said: Sequence[Said], catalogue: Catalogue, *, words: Words) -> list[Told]:
    """Return statements, the newest first, each with the wording of its own time.

    Args:
        desk: catalogues; older ones are looked up where the one in force no longer has a scope or a wording.
        work: a transaction.
        said: in the order of the ledger.
        catalogue: in force.
        words: the language of the page.
    """
    return [_told(desk, work, one, catalogue, words=words) for one in reversed(said)]


def _told(desk: Desk, work: Work, one: Said, catalogue: Catalogue, *, words: Words) -> Told:
    said = one.statement
    notices = said.notices or {}
    then = catalogue
    if any(
        scope not in catalogue.scopes or not _shown(catalogue, scope, notices.get(scope, 0)) for scope in said.scopes
    ):
        then = _in_force(desk, work, one, catalogue)
    return Told(
        anchor=f"entry-{one.seq}",
        mark=_MARKS[said.act],
        act=words.say("acts", said.act.value),
        when=words.say("history", "said_at", moment=words.moment(said.said_at)),
        how=words.say("methods", said.method.value),
        entry=words.say("history", "entry", position=words.number(one.seq)),
        receipt=receipt_path(one.seq),
        items=tuple(_item(one, scope, then, words) for scope in said.scopes),
    )


def _item(one: Said, scope: Scope, catalogue: Catalogue, words: Words) -> Item:
    said = one.statement
    rule = catalogue.scopes.get(scope)
    version = (said.notices or {}).get(scope, 0)
    text, language = wording(_shown(catalogue, scope, version), said.language or words.code)
    ends = (said.valid_until or {}).get(scope) if said.act in GIVING else None
    return Item(
        name=name_of(rule, catalogue, words) if rule else scope,
        wording=text,
        language=language,
        version=words.say("choices", "wording_version", version=version) if text else "",
        until=words.say("history", "until", until=words.date(ends)) if ends else "",
    )


def _shown(catalogue: Catalogue, scope: str, version: int) -> Notice | None:
    rule = catalogue.scopes.get(scope)
    return catalogue.notice_of(rule.notice, version) if rule else None


def _in_force(desk: Desk, work: Work, one: Said, catalogue: Catalogue) -> Catalogue:
    """Return the catalogue under which a statement was recorded: its entry in the ledger names the version."""
    read = entry.read(log.body_at(work, one.seq))
    return desk.catalogues.version(work, read.catalogue_version) if read else catalogue
