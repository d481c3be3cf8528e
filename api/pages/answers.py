"""PURE: from a form's answers to statements, from statements to what they changed, and back again.

Only what the customer changed on his page is said. An answer that he didn't touch says nothing, even if something else
has changed it while the page was open: saving must not take back what was withdrawn by a link in the meantime.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.pages.choices import State, answer_of, forgets, meaning_of, name_of, state_of, wording
from api.pages.forms import Given
from api.pages.words import Words
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, Catalogue, LegalBasis, ScopeRule
from consent.permission.standing import VALID, Standing, fold
from consent.permission.statement import Act, Method, Statement
from consent.register.history import Said

_ORDER: Final = (Act.GRANT, Act.REFUSE, Act.WITHDRAW, Act.OBJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a statement changed for one scope, read back from the ledger."""

    name: str
    before: State
    before_name: str
    now: State
    now_name: str
    meaning: str
    entry: str
    forgotten: bool


def reworded(catalogue: Catalogue, given: Given) -> tuple[str, ...]:
    """Return the scopes to which a form says yes in a wording that is no longer the one in force."""
    return tuple(scope for scope in _said_yes(given) if given.notices.get(scope, 0) != _newest(catalogue, scope))


def statements(
    catalogue: Catalogue, standing: Standing, given: Given, *, customer: CustomerId, at: datetime, words: Words
) -> list[Statement]:
    """Return what the customer says with a form: one statement for each act, and language of the wording."""
    said: dict[tuple[Act, str], list[Scope]] = {}
    for rule in catalogue.in_order:
        act = _act(rule, standing, given, at)
        if act is not None:
            _, language = wording(catalogue.current_notice(rule.notice), words.code)
            said.setdefault((act, language), []).append(rule.scope)
    return [
        _statement(customer, act, scopes, at=at, language=language)
        for (act, language), scopes in sorted(said.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1]))
    ]


def _act(rule: ScopeRule, standing: Standing, given: Given, at: datetime) -> Act | None:
    state = state_of(rule, standing.of(rule.bit), at)
    if rule.scope not in given.notices:
        return None  # the page didn't show it
    if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST:
        objects = given.everything == "no" or (not given.everything and rule.scope in given.objections)
        return Act.OBJECT if objects and state == "runs" else None
    if rule.legal_basis not in ASKED:
        return None
    wanted = given.everything or given.answers.get(rule.scope, "")
    untouched = not given.everything and wanted == given.was.get(rule.scope, "")
    if untouched or wanted == answer_of(state):
        return None
    if wanted == "yes":
        return Act.GRANT
    return Act.WITHDRAW if standing.of(rule.bit).status in VALID else Act.REFUSE


def _said_yes(given: Given) -> Iterator[str]:
    """Walk the scopes to which a form says a yes that didn't stand before."""
    for scope in given.notices:
        answer = given.everything or given.answers.get(scope, "")
        if answer == "yes" and (given.everything or given.was.get(scope, "") != "yes"):
            yield scope


def _newest(catalogue: Catalogue, scope: str) -> int:
    """Return the version of a scope's wording; -1 where the catalogue no longer has the scope."""
    rule = catalogue.scopes.get(scope)
    if rule is None:
        return -1
    notice = catalogue.current_notice(rule.notice)
    return notice.version if notice else 0


def changes(
    catalogue: Catalogue,
    said: Sequence[Said],
    entries: Collection[int],
    *,
    bits: Mapping[str, int],
    at: datetime,
    words: Words,
) -> tuple[Change, ...]:
    """Return what the statements at some ledger positions changed, scope by scope in the order of presentation.

    Args:
        catalogue: in force.
        said: all that the customer said, in the order of the ledger.
        entries: the positions asked about; those of anybody else are passed over.
        bits: the bit number of each scope.
        at: the instant to judge at.
        words: the language of the page.
    """
    mine = [one for one in said if one.seq in entries]
    if not mine:
        return ()
    before = _folded(said, bits, up_to=mine[0].seq - 1)
    now = _folded(said, bits, up_to=mine[-1].seq)
    by_scope = {scope: one for one in mine for scope in one.statement.scopes}
    spoken = {one.seq: one.statement.said_at for one in said}
    return tuple(
        _change(rule, catalogue, before, now, said=by_scope[rule.scope], spoken=spoken, at=at, words=words)
        for rule in catalogue.in_order
        if rule.scope in by_scope
    )


def _change(
    rule: ScopeRule,
    catalogue: Catalogue,
    before: Standing,
    now: Standing,
    *,
    said: Said,
    spoken: Mapping[int, datetime],
    at: datetime,
    words: Words,
) -> Change:
    was, stands = before.of(rule.bit), now.of(rule.bit)
    old, new = state_of(rule, was, at), state_of(rule, stands, at)
    return Change(
        name=name_of(rule, catalogue, words),
        before=old,
        before_name=words.say("states", old),
        now=new,
        now_name=words.say("states", new),
        meaning=meaning_of(new, stands, spoken, words),
        entry=words.say("saved", "entry", position=words.number(said.seq), moment=words.moment(said.at)),
        forgotten=forgets(rule, was, stands),
    )


def undoing(
    catalogue: Catalogue,
    said: Sequence[Said],
    entries: Collection[int],
    *,
    bits: Mapping[str, int],
    customer: CustomerId,
    at: datetime,
    language: str,
) -> list[Statement]:
    """Return the statements that take back what some entries changed, where nothing was said since.

    A yes that was new is withdrawn; a no that ended a yes is a yes again, to the wording of that time. An answer can't
    become no answer, and an objection to a legitimate interest stands.
    """
    mine = [one.seq for one in said if one.seq in entries]
    if not mine:
        return []
    before, now = _folded(said, bits, up_to=min(mine) - 1), _folded(said, bits, up_to=said[-1].seq)
    back: dict[tuple[Act, int], list[Scope]] = {}
    for rule in catalogue.in_order:
        stands, was = now.of(rule.bit), before.of(rule.bit)
        if rule.legal_basis not in ASKED or stands.position not in mine or not stands.status:
            continue
        old, new = answer_of(state_of(rule, was, at)), answer_of(state_of(rule, stands, at))
        if new == "yes" != old:
            back.setdefault((Act.WITHDRAW, 0), []).append(rule.scope)
        elif old == "yes" != new:
            known = (rule.notice, was.notice) in catalogue.notices
            back.setdefault((Act.GRANT, was.notice if known else 0), []).append(rule.scope)
    return [
        _statement(customer, act, scopes, at=at, language=language, notice=notice)
        for (act, notice), scopes in back.items()
    ]


def _folded(said: Sequence[Said], bits: Mapping[str, int], *, up_to: int) -> Standing:
    return fold(((one.seq, one.statement) for one in said if one.seq <= up_to), bits)


def _statement(
    customer: CustomerId, act: Act, scopes: Sequence[Scope], *, at: datetime, language: str, notice: int = 0
) -> Statement:
    return Statement(
        customer=customer,
        act=act,
        scopes=tuple(scopes),
        said_at=at,
        method=Method.WEB_FORM,
        notice_version=notice,
        language=language,
    )
