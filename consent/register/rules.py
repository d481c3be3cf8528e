"""PURE: whether a statement can be recorded under a catalogue, and what the catalogue adds to it."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from consent.base.clock import EPOCH, rfc3339
from consent.base.errors import Place, StatementInvalid
from consent.base.ids import Scope
from consent.catalogue.duration import Duration
from consent.catalogue.model import ASKED, SERVICE, Catalogue, ScopeRule
from consent.permission.standing import GUARDIAN, OVER_GPC
from consent.permission.statement import ENDING, GIVING, OLDEST, OWN_WORD, WHOLE_CUSTOMER, Act, Method, Statement

_LONGEST_EVIDENCE: Final = 2_000
_MOST_FORMS: Final = 10_000
_OF_OUR_MAKING: Final = {
    Method.CONFIRMATION: "only the link in the customer's own mail confirms",
    Method.MERGED: "only joining two records of a customer says so",
}
"""Methods that nobody who hands a statement in can claim: they say what we ourselves did."""

RETOLD: Final = frozenset({Method.CONFIRMATION})
"""Of these, what may be told of the past, with its evidence: another system had it confirmed."""


def completed(
    statement: Statement,
    catalogue: Catalogue,
    at: datetime,
    *,
    where: str = "",
    retired: Container[str] = (),
    vouched: Container[Method] = (),
    retold: bool = False,
) -> Statement:
    """Return the statement with what the catalogue fixes: notice version, ends of validity, what awaits confirmation.

    Args:
        statement: as it was said.
        catalogue: in force.
        at: the ledger's own time; nothing can have been said later.
        where: prefix of the places of errors, such as `/statements/3`.
        retired: scopes of earlier catalogues: a no to one of them is still taken, for it may come back.
        vouched: methods of our own making that the caller vouches for.
        retold: it tells of the past: where it doesn't say which wording was shown, none was, instead of the newest.

    Raises:
        StatementInvalid: with every place that is wrong.
    """
    places = [*_wrong(statement, at, vouched), *_wrong_scopes(statement, catalogue, retired)]
    if places:
        raise StatementInvalid(places=[Place(f"{where}/{spot}", why) for spot, why in places])
    rules = [catalogue.scopes[scope] for scope in statement.scopes if scope in catalogue.scopes]
    if statement.method is Method.MERGED:
        return statement  # which wordings and ends stand on is known to whoever joined the two
    shown = _shown(statement, rules, catalogue, retold=retold)
    if statement.act not in GIVING:
        return replace(statement, notices=shown or None, at_least=_at_least(statement))
    asked = [rule for rule in rules if rule.legal_basis in ASKED]
    ends = {rule.scope: rule.validity.after(statement.said_at) for rule in asked if rule.validity}
    if statement.act is Act.RENEW or statement.method is Method.CONFIRMATION:
        return replace(statement, notices=shown or None, valid_until=ends or None)
    wait = {rule.scope: rule.material_since for rule in asked if rule.double_opt_in}
    said = replace(statement, notices=shown or None, valid_until=ends or None)
    return replace(said, awaiting=frozenset(wait), material=wait or None, gains=_gains(asked, wait) or None)


def _at_least(statement: Statement) -> bool:
    """Say whether it may make a pause longer only: the word of whoever has a link, or of a file without evidence."""
    own = statement.method in OWN_WORD or (statement.method is Method.IMPORT and bool(statement.evidence.strip()))
    return statement.act is Act.PAUSE and statement.until is not None and not own


def _gains(rules: Iterable[ScopeRule], awaiting: Container[Scope]) -> dict[Scope, int]:
    """Return the flags that make a yes to a scope permit more: elsewhere, one that was confirmed stays as it is."""
    return {
        rule.scope: (GUARDIAN if rule.minimum_age else 0) | (OVER_GPC if rule.gpc else 0)
        for rule in rules
        if rule.scope in awaiting
    }


_SHOWS_NOTHING: Final = {*_OF_OUR_MAKING, Method.IMPORT, Method.SIGNAL}
"""Methods by which nobody is shown a wording of ours: it was another system that asked, or nobody did."""


class _Fixed(NamedTuple):
    """What a catalogue fixes for every statement of one form that was said since its youngest wording."""

    notices: Mapping[Scope, int] | None
    validities: tuple[tuple[Scope, Duration], ...]
    awaiting: frozenset[Scope]
    material: Mapping[Scope, int] | None
    gains: Mapping[Scope, int] | None


class Completing:
    """Completes many statements as `completed` does: what follows from a statement's form is worked out once a form.

    A catalogue never changes, so it remembers the forms. Those of which more decides than catalogue and form (what the
    caller vouches for, scopes that it no longer has) are completed one by one.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        at: datetime,
        *,
        retired: Container[str] = (),
        vouched: Container[Method] = (),
        retold: bool = False,
    ) -> None:
        """Take what `completed` takes, but for the statement."""
        self._catalogue = catalogue
        self._known: dict[Any, _Fixed] = catalogue.forms
        self._at = at
        self._retired = retired
        self._vouched = vouched
        self._retold = retold
        self._ends: dict[tuple[datetime, Duration], datetime] = {}

    def __call__(self, statement: Statement, *, where: str = "") -> Statement:
        """Return the statement with what the catalogue fixes.

        Raises:
            StatementInvalid: with every place that is wrong.
        """
        said = statement
        form = (said.act, said.scopes, said.method, said.notice_version, said.guardian, self._retold)
        fixed = self._known.get(form)
        usual = EPOCH <= said.said_at <= self._at and len(said.evidence) <= _LONGEST_EVIDENCE
        lately = self._retold or said.said_at >= self._catalogue.worded_since
        if fixed is None or not usual or not lately or said.until or said.age:
            done = completed(
                said, self._catalogue, self._at, where=where, retired=self._retired, vouched=self._vouched,
                retold=self._retold,
            )  # fmt: skip
            if lately:
                self._remember(form, done)
            return done
        ends = {scope: self._end(said.said_at, each) for scope, each in fixed.validities}
        return said.fixed(
            notices=fixed.notices, valid_until=ends or None, awaiting=fixed.awaiting, material=fixed.material,
            gains=fixed.gains,
        )  # fmt: skip

    def _remember(self, form: object, done: Statement) -> None:
        rules = self._catalogue.scopes
        depends = done.until or done.age or done.method in _OF_OUR_MAKING or not rules.keys() >= set(done.scopes)
        if depends or len(self._known) >= _MOST_FORMS:
            return
        validities = tuple((scope, validity) for scope in done.valid_until or () if (validity := rules[scope].validity))
        self._known[form] = _Fixed(done.notices, validities, done.awaiting, done.material, done.gains)

    def _end(self, said_at: datetime, validity: Duration) -> datetime:
        known = self._ends.get((said_at, validity))
        if known is None:
            known = self._ends[said_at, validity] = validity.after(said_at)
        return known


def _wrong(statement: Statement, at: datetime, vouched: Container[Method]) -> Iterator[Place]:
    yield from _wrong_time(statement, at)
    if len(statement.evidence) > _LONGEST_EVIDENCE:
        yield Place("evidence", f"has more than {_LONGEST_EVIDENCE:,} characters")
    if statement.until and statement.act is not Act.PAUSE:
        yield Place("until", "belongs to a pause only")
    elif statement.until and statement.until <= statement.said_at:
        when = rfc3339(statement.said_at)
        yield Place("until", f"must be after {when}, when the pause was said; left out, it lasts until it is ended")
    if statement.method in _OF_OUR_MAKING and statement.method not in vouched:
        yield Place("method", _OF_OUR_MAKING[statement.method])
    if not 0 <= statement.age <= OLDEST:
        yield Place("age", f"must be from 1 to {OLDEST} years")
    if statement.guardian and statement.act not in GIVING:
        yield Place("guardian", "belongs to a grant or a renewal only")


def _wrong_scopes(statement: Statement, catalogue: Catalogue, retired: Container[str]) -> Iterator[Place]:
    act, scopes = statement.act, statement.scopes
    if act in WHOLE_CUSTOMER and scopes:
        yield Place("scopes", f"{act} concerns the whole customer: leave the scopes out")
    if act not in WHOLE_CUSTOMER and not scopes and not _of_no_scope(statement):
        yield Place("scopes", "name at least one scope")
    if len(set(scopes)) != len(scopes):
        yield Place("scopes", "a scope stands twice")
    for spot, scope in enumerate(scopes):
        if act not in ENDING or scope in catalogue.scopes or scope not in retired:
            yield from _wrong_scope(statement, scope, spot, catalogue)


def _of_no_scope(statement: Statement) -> bool:
    """Say whether it may go without a scope: a browser's general opt-out, or an age that is set right."""
    corrects = statement.act is Act.INVALIDATE and statement.age > 0
    return corrects or (statement.opts_out and statement.method is Method.SIGNAL)


def _wrong_time(statement: Statement, at: datetime) -> Iterator[Place]:
    if statement.said_at > at:
        yield Place("said_at", f"{rfc3339(statement.said_at)} is later than the ledger's own time, {rfc3339(at)}")
    if statement.said_at < EPOCH:
        yield Place("said_at", "is before 1970")


def _wrong_scope(statement: Statement, scope: Scope, spot: int, catalogue: Catalogue) -> Iterator[Place]:
    rule = catalogue.scopes.get(scope)
    if rule is None:
        yield Place(f"scopes/{spot}", f"{scope[:120]!r} is not in the catalogue (version {catalogue.version})")
        return
    if statement.act is Act.GRANT and rule.legal_basis in SERVICE:
        yield Place(f"scopes/{spot}", f"{scope} stands on {rule.legal_basis}: it isn't granted")
    if statement.act is Act.RENEW and rule.legal_basis not in ASKED:
        yield Place(f"scopes/{spot}", f"{scope} stands on {rule.legal_basis}: it doesn't end, so it isn't renewed")
    if statement.notice_version and catalogue.notice_of(rule.notice, statement.notice_version) is None:
        yield Place(
            "notice_version", f"notice {rule.notice or '(none)'} of {scope} has no version {statement.notice_version}"
        )


def _shown(statement: Statement, rules: Iterable[ScopeRule], catalogue: Catalogue, *, retold: bool) -> dict[Scope, int]:
    """Return which wording was shown for each scope: the one that is named; else the newest that there was then."""
    asked = {rule.scope: rule.notice for rule in rules if rule.notice}
    if version := statement.notice_version:
        return dict.fromkeys(asked, version)
    if statement.method is Method.SYNTHETIC:
        shown = {scope: catalogue.current_notice(key) for scope, key in asked.items()}
    elif retold or statement.method in _SHOWS_NOTHING:
        return {}
    else:
        shown = {scope: catalogue.notice_at(key, statement.said_at) for scope, key in asked.items()}
    return {scope: notice.version for scope, notice in shown.items() if notice}
