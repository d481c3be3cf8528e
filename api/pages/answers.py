"""PURE: from a form's answers to statements, from statements to what they changed, and back again.

Only what the customer changed on his page is said. An answer that he didn't touch says nothing, even if something else
has changed it while the page was open: saving must not take back what was withdrawn by a link in the meantime.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from api.pages.choices import State, answer_of, forgets, meaning_of, name_of, state_of, wording
from api.pages.forms import Given
from api.pages.words import Words
from consent.base.clock import from_ms, to_ms
from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import ASKED, SERVICE, Catalogue, LegalBasis, ScopeRule
from consent.permission.standing import FOREVER, VALID, Standing, fold
from consent.permission.statement import Act, Method, Statement
from consent.register.history import Said
from consent.signals import gpc

_ORDER: Final = (Act.GRANT, Act.REFUSE, Act.WITHDRAW, Act.OBJECT)
_PAUSING: Final = (Act.PAUSE, Act.RESUME)


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
    receipt: str
    """Where the receipt of the statement is fetched."""
    forgotten: bool


def reworded(catalogue: Catalogue, given: Given) -> tuple[str, ...]:
    """Return the scopes to which a form says yes in a wording that is no longer the one in force."""
    return tuple(scope for scope in _said_yes(given) if given.notices.get(scope, 0) != _newest(catalogue, scope))


def statements(
    catalogue: Catalogue,
    standing: Standing,
    given: Given,
    *,
    customer: CustomerId,
    at: datetime,
    words: Words,
    signal: bool = False,
) -> list[Statement]:
    """Return what the customer says with a form: one statement for each act, and language of the wording.

    A "yes to all" leaves out what his browser opts out of (`signal`, or a signal that was recorded): there he is asked
    one by one.
    """
    opted_out = signal or standing.gpc > 0
    said: dict[tuple[Act, str], list[Scope]] = {}
    for rule in catalogue.in_order:
        act = _act(rule, standing, given, at, opted_out=opted_out)
        if act is not None:
            _, language = wording(catalogue.current_notice(rule.notice), words.code)
            said.setdefault((act, language), []).append(rule.scope)
    return [
        replace(_statement(customer, act, scopes, at=at, language=language), age=given.age)
        for (act, language), scopes in sorted(said.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1]))
    ]


def signalled(customer: CustomerId, at: datetime) -> Statement:
    """Return the statement that records a browser's general wish not to be sold or shared (Sec-GPC)."""
    return Statement(
        customer=customer, act=Act.REFUSE, scopes=(), said_at=at, method=Method.SIGNAL, evidence=gpc.EVIDENCE
    )


def _act(rule: ScopeRule, standing: Standing, given: Given, at: datetime, *, opted_out: bool) -> Act | None:
    state = state_of(rule, standing.of(rule.bit), at, born_by=standing.born_by, opted_out=opted_out)
    if rule.scope not in given.notices or (given.everything == "yes" and opted_out and rule.gpc):
        return None  # the page didn't show it, or he has to say so himself
    if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST:
        return _of_interest(rule.scope, state, given)
    if rule.legal_basis not in ASKED:
        return None
    wanted = given.everything or given.answers.get(rule.scope, "")
    untouched = not given.everything and wanted == given.was.get(rule.scope, "")
    if untouched or wanted == answer_of(state):
        return None
    if wanted == "yes":
        return Act.GRANT
    return Act.WITHDRAW if standing.of(rule.bit).status in VALID else Act.REFUSE


def _of_interest(scope: Scope, state: State, given: Given) -> Act | None:
    if state == "runs":
        objects = given.everything == "no" or (not given.everything and scope in given.objections)
        return Act.OBJECT if objects else None
    return Act.GRANT if not given.everything and scope in given.allowances else None


def _said_yes(given: Given) -> Iterator[str]:
    """Walk the scopes to which a form says a yes that didn't stand before."""
    yield from given.allowances if not given.everything else ()
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

    What was said again, and changed nothing, is left out. A pause comes first.

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
    found = [
        _change(rule, catalogue, before, now, said=by_scope[rule.scope], spoken=spoken, at=at, words=words)
        for rule in catalogue.in_order
        if rule.scope in by_scope
    ]
    whole = [_pause(before, now, one, at, words) for one in mine if one.statement.act in _PAUSING]
    return (*whole[-1:], *(one for one in found if one.before != one.now))


def signal_entry(said: Sequence[Said], entries: Collection[int], words: Words) -> str:
    """Return where a browser's wish was recorded, if some entries recorded it; "" where they didn't."""
    found = [one for one in said if one.seq in entries and one.statement.opts_out]
    return _entry(found[-1], words) if found else ""


def _pause(before: Standing, now: Standing, said: Said, at: datetime, words: Words) -> Change:
    """Return that everything was paused, or goes on."""
    old, new = (_paused(each, at) for each in (before, now))
    ends = "" if now.paused_until == FOREVER else words.moment(from_ms(now.paused_until))
    key = "goes_on" if new == "runs" else "until_then" if ends else "until_resumed"
    return Change(
        name=words.say("pause", "whole"),
        before=old,
        before_name=words.say("pause", old),
        now=new,
        now_name=words.say("pause", new),
        meaning=words.say("pause", key, until=ends),
        entry=_entry(said, words),
        receipt=receipt_path(said.seq),
        forgotten=False,
    )


def _paused(standing: Standing, at: datetime) -> State:
    return "paused" if to_ms(at) < standing.paused_until else "runs"


def _entry(said: Said, words: Words) -> str:
    return words.say("saved", "entry", position=words.number(said.seq), moment=words.moment(said.at))


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
    old, new = _state(rule, before, at), _state(rule, now, at)
    return Change(
        name=name_of(rule, catalogue, words),
        before=old,
        before_name=words.say("states", old),
        now=new,
        now_name=words.say("states", new),
        meaning=meaning_of(rule, new, stands, spoken, words),
        entry=_entry(said, words),
        receipt=receipt_path(said.seq),
        forgotten=forgets(rule, was, stands),
    )


def _state(rule: ScopeRule, standing: Standing, at: datetime) -> State:
    return state_of(rule, standing.of(rule.bit), at, born_by=standing.born_by, opted_out=standing.gpc > 0)


def receipt_path(position: int) -> str:
    """Return where a customer fetches the receipt of the statement at a ledger position.

    >>> receipt_path(12)
    '/p/receipts/12'
    """
    return f"/p/receipts/{position}"


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

    A yes that was new is withdrawn; a no that ended a yes is a yes again, to the wording of that time. An objection to
    a legitimate interest is lifted by a grant, a lifted one is an objection again; a pause is ended. An answer can't
    become no answer.
    """
    mine = [one.seq for one in said if one.seq in entries]
    if not mine:
        return []
    before, now = _folded(said, bits, up_to=min(mine) - 1), _folded(said, bits, up_to=said[-1].seq)
    back: dict[tuple[Act, int], list[Scope]] = {}
    for rule in catalogue.in_order:
        stands, was = now.of(rule.bit), before.of(rule.bit)
        if rule.legal_basis in SERVICE or stands.position not in mine or not stands.status:
            continue
        old, new = (_yes(_state(rule, each, at)) for each in (before, now))
        if new and not old:
            act = Act.OBJECT if rule.legal_basis is LegalBasis.LEGITIMATE_INTEREST else Act.WITHDRAW
            back.setdefault((act, 0), []).append(rule.scope)
        elif old and not new:
            known = catalogue.notice_of(rule.notice, was.notice) is not None
            back.setdefault((Act.GRANT, was.notice if known else 0), []).append(rule.scope)
    if _paused_last(said, mine) and now.paused_until > before.paused_until:
        back[Act.RESUME, 0] = []
    return [
        _statement(customer, act, scopes, at=at, language=language, notice=notice)
        for (act, notice), scopes in back.items()
    ]


def _paused_last(said: Sequence[Said], mine: Collection[int]) -> bool:
    """Say whether the last word on pausing is one of these."""
    paused = [one.seq for one in said if one.statement.act in _PAUSING]
    return bool(paused) and paused[-1] in mine


def _yes(state: State) -> bool:
    return state == "runs" or answer_of(state) == "yes"


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
